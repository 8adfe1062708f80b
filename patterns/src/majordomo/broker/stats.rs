//! [`BrokerStats`]: what a broker counted. PURE.
#![deny(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation
)]

use super::DropReason;
use crate::majordomo::protocol::Malformed;

/// What a broker counted since it was made, and what it holds now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BrokerStats {
    /// Requests that clients sent, those to the broker itself included.
    pub requests: u64,
    /// Replies that were passed to clients; the broker's own are not counted.
    pub replies: u64,
    /// Questions to the broker itself (RFC 8).
    pub management: u64,
    /// How often a request was taken back from a lost worker to be given to another.
    pub redispatched: u64,
    /// Replies of workers that had been presumed dead.
    pub late_replies: u64,
    /// Workers that were presumed dead.
    pub expired_workers: u64,
    /// How often a peer was sent DISCONNECT for what it did.
    pub dismissals: u64,
    /// How often the broker itself did not run for longer than a heartbeat interval.
    pub clock_pauses: u64,
    /// Services that have workers or requests, now.
    pub services: usize,
    /// Registered workers, now.
    pub workers: usize,
    /// Requests that wait for a worker, now.
    pub queued: usize,
    /// Requests in the hands of workers, now.
    pub in_flight: usize,
    /// Replies and other messages that wait for room in a peer's pipe, now.
    pub parked: usize,
    pub(super) dropped: [u64; DropReason::KINDS],
    pub(super) malformed: [u64; Malformed::KINDS],
}

impl BrokerStats {
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
