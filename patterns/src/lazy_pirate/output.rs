//! What a [`LazyPirateMachine`](super::LazyPirateMachine) asks for and tells. PURE.
#![deny(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation
)]

use std::time::Duration;

use privateer_core::Message;

use super::{CallKey, LaneKey};

/// What the task around a client has to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Connect to this server; tell when the connection stands and when it ends.
    OpenLane {
        /// Names the connection from now on.
        lane: LaneKey,
        /// To which server, counted from 0.
        server: usize,
        /// How long to wait before.
        delay: Duration,
    },
    /// Close this connection, with what waits in it.
    CloseLane(LaneKey),
    /// Send this request.
    Send {
        /// On which connection.
        lane: LaneKey,
        /// What.
        message: Message,
    },
    /// A call has ended.
    Finished {
        /// Which.
        call: CallKey,
        /// How.
        outcome: Outcome,
    },
    /// Something that an operator may want to know.
    Event(LazyPirateEvent),
}

/// How a call ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// This is the answer.
    Reply(Message),
    /// No server was connected in time, so the request was never sent.
    NotConnected,
    /// There was no answer in time. The request may have been worked on all the same.
    TimedOut {
        /// How many tries there were; none if all connections to servers that take one call at a time were taken, or its
        /// time was over before.
        tries: u32,
    },
    /// There was no answer in time, and the server had its share of retries.
    Refused {
        /// How many tries there were.
        tries: u32,
    },
    /// The caller gave it up.
    Cancelled,
}

/// What happened to a client, beside calls that were simply answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LazyPirateEvent {
    /// A server is connected.
    Connected {
        /// Which, counted from 0.
        server: usize,
    },
    /// A connection to a server ended.
    Disconnected {
        /// Which, counted from 0.
        server: usize,
    },
    /// A try was not answered in time, or its connection ended; another follows.
    TryFailed {
        /// Of which call.
        call: CallKey,
        /// How many tries there were.
        tries: u32,
    },
    /// A second server is asked, since the first takes long.
    Hedged {
        /// Which call.
        call: CallKey,
    },
    /// A reply was dropped: no call waits for it (any more).
    ReplyDropped,
    /// A message that is no reply was dropped.
    Malformed,
    /// The client itself did not run for some time, so what came meanwhile is read before any call is given up.
    ClockPaused {
        /// How late it was.
        late: Duration,
    },
}

/// What a client counted since it was made, and what it holds now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LazyPirateStats {
    /// Calls that were made.
    pub calls: u64,
    /// Calls that were answered.
    pub replies: u64,
    /// Calls that ended without a connection to any server.
    pub not_connected: u64,
    /// Calls that ended without an answer in time.
    pub timed_out: u64,
    /// Of those, calls that would have been tried again if the budget had allowed it.
    pub budget_spent: u64,
    /// Calls that the caller gave up.
    pub cancelled: u64,
    /// Requests that were sent, all tries and hedges counted.
    pub sent: u64,
    /// How often a second server was asked.
    pub hedged: u64,
    /// Replies that no call waited for (any more).
    pub late_replies: u64,
    /// Messages that are no replies.
    pub malformed: u64,
    /// Calls in flight, now.
    pub in_flight: usize,
    /// Those of them that wait for a connection, now.
    pub waiting: usize,
    /// Connections, now, those included that do not stand yet.
    pub lanes: usize,
}
