//! [`HeartbeatStats`] and [`LinkEvent`]: what a heartbeating socket counted, and what happened to it.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::events::EventSource;

/// What a heartbeating socket counted since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct HeartbeatStats {
    /// Heartbeats that were sent.
    pub beats_sent: u64,
    /// Heartbeats that were due, and left out since something waited in the peer's pipe.
    pub beats_left_out: u64,
    /// Heartbeats that were received.
    pub beats_received: u64,
    /// Messages that were received, heartbeats not counted.
    pub received: u64,
    /// Connections that were made.
    pub connections: u64,
    /// Connections that ended by themselves.
    pub disconnections: u64,
    /// Peers that were presumed dead.
    pub presumed_dead: u64,
    /// How often this process did not run for more than an interval.
    pub clock_pauses: u64,
}

/// What happened to a heartbeating socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LinkEvent {
    /// A connection was made.
    Connected,
    /// A connection ended.
    Disconnected,
    /// A peer was silent for too long.
    PresumedDead,
    /// This process did not run for so long, so nobody is judged before another interval has passed.
    ClockPaused {
        /// How late it was.
        late: Duration,
    },
}

/// The other side of a heartbeating socket has ended: the runtime shuts down, or the socket was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the link is closed, or its runtime has ended; make another one")]
pub struct LinkClosed;

/// What the task of a socket shares with its owner.
#[derive(Debug)]
pub(super) struct Ledger {
    stats: Mutex<HeartbeatStats>,
    pub(super) events: EventSource<LinkEvent>,
}

impl Ledger {
    pub(super) fn new() -> Self {
        Self {
            stats: Mutex::new(HeartbeatStats::default()),
            events: EventSource::new(),
        }
    }

    pub(super) fn stats(&self) -> HeartbeatStats {
        *self.stats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn count(&self, change: impl FnOnce(&mut HeartbeatStats)) {
        change(&mut self.stats.lock().unwrap_or_else(PoisonError::into_inner));
    }

    pub(super) fn tell(&self, event: LinkEvent) {
        tracing::debug!(target: "privateer::heartbeat", ?event);
        self.count(|stats| match event {
            LinkEvent::Connected => stats.connections += 1,
            LinkEvent::Disconnected => stats.disconnections += 1,
            LinkEvent::PresumedDead => stats.presumed_dead += 1,
            LinkEvent::ClockPaused { .. } => stats.clock_pauses += 1,
        });
        self.events.tell(event);
    }
}
