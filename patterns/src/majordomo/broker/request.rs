//! What the broker keeps of a request until it is answered. PURE.
#![deny(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation
)]

use std::time::Instant;

use privateer_core::{Frame, Message};

use super::PeerKey;
use super::service::{Service, Worker};
use crate::arena::{Arena, Id};

/// The link of the queue of a service, or of what a worker has in hand.
pub(super) const PLACE: usize = 0;

/// The link of all requests of one client.
pub(super) const OF_CLIENT: usize = 1;

pub(super) type Requests = Arena<Request, 2>;

/// A request that is not answered yet.
#[derive(Debug)]
pub(super) struct Request {
    /// Who gets the reply; none if that client is gone.
    pub(super) client: Option<PeerKey>,
    pub(super) service: Id<Service>,
    /// Goes back in front of the reply.
    pub(super) envelope: Option<Message>,
    pub(super) body: Message,
    /// What it counts against its client's bound, in bytes.
    pub(super) cost: usize,
    /// To how many workers it was given.
    pub(super) attempts: u32,
    pub(super) place: Place,
}

/// Where a request is: in exactly one queue through the link [`PLACE`].
#[derive(Clone, Copy, Debug)]
pub(super) enum Place {
    /// Waits for a worker for the first time.
    Fresh { expires: Instant },
    /// Waits for another worker, before all that wait for their first.
    Again { expires: Instant },
    /// A worker has it.
    Hand {
        worker: Id<Worker>,
        since: Instant,
        /// Whether it no longer shares memory with what was read from the network.
        detached: bool,
    },
}

impl Request {
    pub(super) fn is_in_hand_of(&self, worker: Id<Worker>) -> bool {
        matches!(self.place, Place::Hand { worker: holder, .. } if holder == worker)
    }

    /// When it has waited long enough; never in the hands of a worker.
    pub(super) const fn expires(&self) -> Option<Instant> {
        match self.place {
            Place::Fresh { expires } | Place::Again { expires } => Some(expires),
            Place::Hand { .. } => None,
        }
    }

    /// Lets go of what was read from the network together with it: it may be kept for long.
    pub(super) fn detach(&mut self) {
        let body = std::mem::replace(&mut self.body, Message::from(Frame::empty()));
        self.body = body.detach();
        self.envelope = self.envelope.take().map(Message::detach);
    }
}

/// What it costs to keep a message: a bound on bodies alone would not bound messages of empty frames.
pub(crate) fn cost(message: &Message) -> usize {
    /// The bookkeeping of one request and of one frame, in bytes, rounded up.
    const MESSAGE: usize = 256;
    const FRAME: usize = 40;
    MESSAGE + FRAME * message.len() + message.byte_len()
}
