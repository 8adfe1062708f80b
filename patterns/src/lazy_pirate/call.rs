//! [`Call`]: one call in flight, and its tries. PURE.
#![deny(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation
)]

use std::time::Instant;

use privateer_core::Message;

use super::lanes::LaneKey;
use crate::arena::Id;
use crate::idempotency::IdempotencyKey;
use crate::retry::Retry;

/// Names one call; none is used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CallKey(pub(super) Id<Call>);

/// A try that is not answered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Try {
    pub(super) call: Id<Call>,
    pub(super) lane: LaneKey,
}

/// A call in flight.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) body: Message,
    pub(super) key: IdempotencyKey,
    pub(super) retry: Retry,
    pub(super) phase: Phase,
    /// Its tries that are not answered, given up or not: a few.
    pub(super) numbers: Vec<u32>,
    /// Those of the last try and its hedge.
    pub(super) latest: Vec<u32>,
    /// Which servers it asked; the last of them has the last try.
    pub(super) servers: Vec<usize>,
    pub(super) ends: Instant,
    /// Which of its entries among the timers is meant.
    pub(super) due: Option<Instant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// It waits for a connection.
    Waiting,
    /// It waits for an answer until then, and may ask a second server before.
    Flying {
        until: Instant,
        hedge: Option<Instant>,
    },
    /// It waits for its next try.
    Paused { until: Instant },
}
