//! What a [`QueueMachine`](super::QueueMachine) asks for and tells. PURE.
#![deny(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation
)]

use std::time::Duration;

use privateer_core::Message;

use super::PeerKey;
use crate::paranoid_pirate::protocol::{Framing, Malformed};

/// What the task around a queue has to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Send this to a worker. If it is gone, nothing has to be done: its going is told.
    ToWorker {
        /// To whom.
        to: PeerKey,
        /// What.
        message: Message,
    },
    /// Send this reply to a client; if that cannot be done, tell
    /// [`reply_refused`](super::QueueMachine::reply_refused).
    ToClient {
        /// To whom.
        to: PeerKey,
        /// What.
        message: Message,
    },
    /// Send this heartbeat to a worker if nothing waits in its pipe; otherwise forget it.
    Beat {
        /// To whom.
        to: PeerKey,
        /// What.
        message: Message,
    },
    /// Something that an operator may want to know.
    Event(QueueEvent),
}

/// What happened in a queue, beside requests that were simply answered.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum QueueEvent {
    /// A worker said READY.
    WorkerReady {
        /// The worker.
        worker: PeerKey,
        /// Whether it sends heartbeats.
        framing: Framing,
        /// How many requests it takes at a time.
        capacity: u16,
    },
    /// A worker is a worker no more; what it had in hand is given to others.
    WorkerLost {
        /// The worker.
        worker: PeerKey,
        /// Why.
        departure: Departure,
        /// How many requests it had in hand.
        in_hand: usize,
    },
    /// A request is given to another worker, or waits for one.
    Redispatched {
        /// How many attempts were made before.
        attempts: u32,
    },
    /// A request was dropped: it is not answered.
    RequestDropped {
        /// Whose request.
        client: PeerKey,
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
    /// The queue itself did not run for longer than an interval, so nobody is judged before another has passed.
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
    /// It said GOODBYE and has answered what it had in hand.
    Left,
    /// It was silent for too long.
    Expired,
    /// It had a request in hand for longer than the processing deadline.
    Overdue,
    /// It answered what it was not asked.
    Misbehaved,
}

/// Why a request or a reply was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DropReason {
    /// The request waited for a worker until its time was over.
    Expired,
    /// The last worker that it may be given to was lost: a dead letter.
    AttemptsExhausted,
    /// The request has several frames, and no worker is there that takes such.
    NoCapableWorker,
    /// The request repeats one whose last worker was lost.
    DeadBefore,
    /// The client of the reply is gone.
    ClientGone,
    /// The client does not take its replies.
    ClientFull,
    /// The same call was asked for so often that this one of its requests is not answered.
    Repeated,
    /// The reply came after its worker was presumed dead, so that the request was given to another.
    Late,
    /// The reply answers no request that its worker has in hand.
    Unasked,
}

impl DropReason {
    /// How many reasons there are.
    pub const KINDS: usize = Self::ALL.len();

    /// All reasons.
    pub const ALL: [Self; 9] = [
        Self::Expired,
        Self::AttemptsExhausted,
        Self::NoCapableWorker,
        Self::DeadBefore,
        Self::ClientGone,
        Self::ClientFull,
        Self::Repeated,
        Self::Late,
        Self::Unasked,
    ];
}

/// What a queue counted since it was made, and what it holds now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueStats {
    /// Requests that were read from clients.
    pub requests: u64,
    /// Those of them that repeat a call which is in hand, or was answered: no worker gets them.
    pub repeated: u64,
    /// Replies that were passed to clients.
    pub replies: u64,
    /// How often a request was taken back from a lost worker to be given to another.
    pub redispatched: u64,
    /// Workers that were presumed dead: silent for too long, or too long at one request.
    pub expired_workers: u64,
    /// READY of workers that were ready already.
    pub repeated_ready: u64,
    /// Heartbeats of peers that did not say READY.
    pub strange_heartbeats: u64,
    /// How often the queue itself did not run for longer than an interval.
    pub clock_pauses: u64,
    /// Workers, now.
    pub workers: usize,
    /// Those of them with room for a request, now.
    pub idle: usize,
    /// Requests in the hands of workers, now.
    pub in_flight: usize,
    /// Requests that wait here for a worker, now; others wait in their clients' connections.
    pub waiting: usize,
    /// What those of them cost that have several frames, now, in bytes; see
    /// [`QueueOptions::waiting_bytes`](super::QueueOptions::waiting_bytes).
    pub waiting_bytes: usize,
    pub(super) dropped: [u64; DropReason::KINDS],
    pub(super) malformed: [u64; Malformed::KINDS],
}

impl QueueStats {
    /// How many requests and replies were dropped for this reason.
    #[must_use]
    pub fn dropped(&self, reason: DropReason) -> u64 {
        self.dropped.get(reason as usize).copied().unwrap_or(0)
    }

    /// How many messages were malformed in this way.
    #[must_use]
    pub fn malformed(&self, kind: Malformed) -> u64 {
        self.malformed.get(kind as usize).copied().unwrap_or(0)
    }

    pub(super) fn drop_for(&mut self, reason: DropReason) {
        if let Some(count) = self.dropped.get_mut(reason as usize) {
            *count += 1;
        }
    }

    pub(super) fn drop_malformed(&mut self, kind: Malformed) {
        if let Some(count) = self.malformed.get_mut(kind as usize) {
            *count += 1;
        }
    }
}
