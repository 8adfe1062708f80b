//! What a [`BrokerMachine`](super::BrokerMachine) asks for and tells. PURE.
#![deny(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation
)]

use std::time::Duration;

use privateer_core::{Frame, Message};

use super::PeerKey;
use crate::majordomo::protocol::Malformed;

/// What the task around a broker has to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Send this message.
    ///
    /// If the peer's pipe is full, give it back with [`handle_full`](super::BrokerMachine::handle_full) before the next
    /// output is polled; if the peer is gone, with
    /// [`handle_unroutable`](super::BrokerMachine::handle_unroutable).
    Send {
        /// To whom.
        to: PeerKey,
        /// What.
        message: Message,
    },
    /// Send this heartbeat if nothing waits in the peer's pipe; otherwise forget it, since what waits says as much.
    SendIfIdle {
        /// To whom.
        to: PeerKey,
        /// What.
        message: Message,
    },
    /// Read no more from this peer.
    Pause(PeerKey),
    /// Read from this peer again.
    Resume(PeerKey),
    /// Something that an operator may want to know.
    Event(BrokerEvent),
}

/// What happened in a broker, beside requests that were simply answered.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BrokerEvent {
    /// A worker offers a service.
    WorkerRegistered {
        /// The worker.
        worker: PeerKey,
        /// The service.
        service: Frame,
        /// How many requests it takes at a time.
        capacity: u16,
    },
    /// A worker is a worker no more; what it had in hand is given to others.
    WorkerLost {
        /// The worker.
        worker: PeerKey,
        /// The service.
        service: Frame,
        /// Why.
        departure: Departure,
        /// How many requests it had in hand.
        in_hand: usize,
    },
    /// A peer did what the protocol does not allow, and was sent DISCONNECT.
    Dismissed {
        /// The peer.
        peer: PeerKey,
        /// What it did.
        misbehaviour: Misbehaviour,
    },
    /// A request was given to a worker once more, or waits for that.
    Redispatched {
        /// The service.
        service: Frame,
        /// How many attempts were made before.
        attempts: u32,
    },
    /// A request was dropped: it is not answered.
    RequestDropped {
        /// Whose request; none if that client is gone.
        client: Option<PeerKey>,
        /// For which service.
        service: Frame,
        /// Why.
        reason: DropReason,
        /// To how many workers it had been given.
        attempts: u32,
        /// What was asked.
        body: Message,
    },
    /// A reply was dropped.
    ReplyDropped {
        /// Who should have got it, or who sent it if that is not known.
        peer: PeerKey,
        /// Why.
        reason: DropReason,
    },
    /// A message that is none of the protocol was dropped.
    Malformed {
        /// Who sent it.
        peer: PeerKey,
        /// What is wrong with it.
        kind: Malformed,
    },
    /// The broker itself did not run for longer than a heartbeat interval, so nobody is judged before another has passed.
    ClockPaused {
        /// How late it was.
        late: Duration,
    },
}

/// Why a worker is a worker no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Departure {
    /// Its connection ended.
    ConnectionLost,
    /// It sent DISCONNECT.
    Left,
    /// It was silent for too long.
    Expired,
    /// It had a request in hand for longer than the service's processing deadline.
    Overdue,
    /// It broke the protocol.
    Dismissed,
    /// The broker ends.
    BrokerStopped,
}

/// What a peer did that earns it a DISCONNECT (RFC 7, valid but unexpected commands).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Misbehaviour {
    /// A second READY on one connection.
    SecondReady,
    /// READY for a name that belongs to the broker (RFC 8).
    ReservedService,
    /// READY for one more service than the broker allows.
    TooManyServices,
    /// HEARTBEAT or REPLY without READY, or after it was presumed dead.
    NotRegistered,
    /// REPLY to no request that it has in hand: not asked for, a second one, or with an address it was not given.
    UnaskedReply,
}

/// Why a request or a reply was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DropReason {
    /// The request waited for a worker until its time was over.
    Expired,
    /// The client of the request, or of the reply, is gone.
    ClientGone,
    /// Too many requests wait for that service.
    QueueFull,
    /// There are too many services to queue requests for one more.
    TooManyServices,
    /// The last worker that it may be given to was lost: a dead letter.
    AttemptsExhausted,
    /// The client is a worker too, so reading could not be stopped, and it is beyond its bound in bytes.
    ClientBytes,
    /// The reply came after its worker was presumed dead, so that the request was given to another.
    Late,
    /// The reply answers no request that its worker has in hand.
    Unasked,
}

impl DropReason {
    /// How many reasons there are.
    pub const KINDS: usize = Self::ALL.len();

    /// All reasons.
    pub const ALL: [Self; 8] = [
        Self::Expired,
        Self::ClientGone,
        Self::QueueFull,
        Self::TooManyServices,
        Self::AttemptsExhausted,
        Self::ClientBytes,
        Self::Late,
        Self::Unasked,
    ];
}
