//! What a [`ClientMachine`](super::ClientMachine) asks for and tells. PURE.
#![deny(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation
)]

use std::time::Duration;

use privateer_core::Message;

use super::{CallKey, LaneKey};
use crate::majordomo::protocol::Malformed;

/// What the task around a client has to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// After this delay, connect to the broker, and try until it succeeds; then say
    /// [`lane_up`](super::ClientMachine::lane_up), and when that connection ends
    /// [`lane_down`](super::ClientMachine::lane_down). It is not made a second time.
    OpenLane {
        /// Names the connection.
        lane: LaneKey,
        /// How long to wait first; mostly zero.
        delay: Duration,
    },
    /// Close this connection, or stop trying to make it; what waits in its pipe is dropped.
    CloseLane(LaneKey),
    /// Send this message on this connection, after all before it. If the connection has ended, forget it.
    Send {
        /// On which connection.
        lane: LaneKey,
        /// What.
        message: Message,
    },
    /// A call has ended; nothing more comes for it.
    Finished {
        /// Which call.
        call: CallKey,
        /// How it ended.
        outcome: Outcome,
    },
    /// Something that an operator may want to know.
    Event(ClientEvent),
}

/// How a call ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// This is the answer.
    Reply(Message),
    /// There was no answer in time. The request may have been worked on all the same.
    TimedOut {
        /// How many attempts there were; none if no connection to the broker stood, or its time was over before.
        attempts: u32,
    },
    /// There was no answer in time, and the broker, a stranger, had its share of retries.
    Refused {
        /// How many attempts there were.
        attempts: u32,
    },
    /// The caller gave it up.
    Cancelled,
}

/// What happened to a client, beside calls that were simply answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientEvent {
    /// An attempt was not answered in time, and another one begins.
    AttemptTimedOut {
        /// Of which call.
        call: CallKey,
        /// How many attempts there were.
        attempts: u32,
    },
    /// A reply was dropped: no call waits for it (any more).
    ReplyDropped {
        /// On which connection it came.
        lane: LaneKey,
    },
    /// A message that is no reply was dropped.
    Malformed {
        /// On which connection it came.
        lane: LaneKey,
        /// What is wrong with it.
        kind: Malformed,
    },
    /// The client itself did not run for some time, so what came meanwhile is read before any call is given up.
    ClockPaused {
        /// How late it was.
        late: Duration,
    },
}

/// What a client counted since it was made, and what it holds now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClientStats {
    /// Calls that were made.
    pub calls: u64,
    /// Calls that were answered.
    pub replies: u64,
    /// Calls that ended without an answer in time.
    pub timed_out: u64,
    /// Of those, calls that would have been tried again if the budget had allowed it.
    pub budget_spent: u64,
    /// Calls that the caller gave up.
    pub cancelled: u64,
    /// How often a request was sent once more.
    pub resent: u64,
    /// Replies that no call waited for (any more).
    pub late_replies: u64,
    /// Calls in flight, now.
    pub in_flight: usize,
    /// Those of them that wait for a connection, now.
    pub waiting: usize,
    /// Connections, now.
    pub lanes: usize,
    pub(super) malformed: [u64; Malformed::KINDS],
}

impl ClientStats {
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
