//! What a [`WorkerMachine`](super::WorkerMachine) asks for and tells. PURE.
#![deny(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation
)]

use std::time::Duration;

use privateer_core::Message;

use crate::majordomo::protocol::Malformed;

/// Names one request that a worker has in hand; none is used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestKey(pub(super) u64);

/// What the task around a worker has to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Send this message to the broker, after all before it.
    Send(Message),
    /// Send this heartbeat if nothing waits in the pipe; otherwise forget it, since what waits says as much.
    SendIfIdle(Message),
    /// Work on this request, and give the answer to [`reply`](super::WorkerMachine::reply).
    ///
    /// There are never more of them at a time than the worker's capacity.
    Request {
        /// Names the request.
        key: RequestKey,
        /// What is asked.
        body: Message,
    },
    /// The answer to this request can no longer be delivered: work on it may end.
    Abandon(RequestKey),
    /// Close the connection, with what waits in its pipe; after this delay open another one, and try until it stands.
    Reconnect {
        /// How long to wait.
        delay: Duration,
    },
    /// The worker has ended: send what is left, and close the connection. Nothing follows.
    Stopped,
    /// Something that an operator may want to know.
    Event(WorkerEvent),
}

/// What happened to a worker, beside requests that were simply answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WorkerEvent {
    /// READY was sent on a new connection.
    Registered,
    /// The connection ended.
    ConnectionLost,
    /// The broker was silent for too long.
    BrokerSilent,
    /// The broker sent DISCONNECT.
    Dismissed,
    /// A message that is no command of a broker was dropped.
    Malformed(Malformed),
    /// A request was dropped: more came than the worker keeps. The client's broker has to give it to another worker.
    TooManyRequests,
    /// A request came while the worker was stopping; after its DISCONNECT the broker gives it to another worker.
    Declined,
    /// An answer came for a request that was abandoned, and was dropped.
    ReplyDropped(RequestKey),
    /// The worker itself did not run for longer than a heartbeat interval, so the broker is given another one.
    ClockPaused {
        /// How late it was.
        late: Duration,
    },
}

/// What a worker counted since it was made, and what it has in hand now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct WorkerStats {
    /// Requests that were taken in hand.
    pub requests: u64,
    /// Replies that were sent.
    pub replies: u64,
    /// Requests whose answer could no longer be delivered.
    pub abandoned: u64,
    /// Answers that came for those.
    pub late_replies: u64,
    /// Requests that were not taken: too many, or while stopping.
    pub declined: u64,
    /// How often the worker said that it has to connect anew.
    pub reconnects: u64,
    /// Requests in hand, now.
    pub in_hand: usize,
    /// Requests beyond the capacity, now.
    pub waiting: usize,
    pub(super) malformed: [u64; Malformed::KINDS],
}

impl WorkerStats {
    /// How many messages were malformed in this way.
    #[must_use]
    pub fn malformed(&self, kind: Malformed) -> u64 {
        self.malformed.get(kind as usize).copied().unwrap_or(0)
    }

    pub(super) fn drop_malformed(&mut self, kind: Malformed) {
        if let Some(count) = self.malformed.get_mut(kind as usize) {
            *count += 1;
        }
    }
}
