//! PURE. [`BusyPoll`]: whether who waits for an answer looks for it again at once, in place of sleeping.
#![deny(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation
)]

use std::time::{Duration, Instant};

/// Quick answers in a row after which the next one is looked for.
const QUICK: u32 = 4;

/// As many at most, after answers that were looked for in vain.
const QUICK_MAX: u32 = 1024;

/// By so much a thread that sleeps may be late for an answer: what takes up to so many times the limit counts as quick, as
/// long as it is slept for.
const LATE: u32 = 2;

/// The answers of one peer, and how long they take.
///
/// To put a processor to sleep and to wake it takes longer than many an answer does. But who looks for one keeps a
/// processor from others: so it is looked for only where the last ones were quick, no longer than the limit, and after each
/// time that it did not come in time only after twice as many quick ones as before.
#[derive(Debug)]
pub(crate) struct BusyPoll {
    limit: Duration,
    /// When something was written that was not answered yet.
    asked: Option<Instant>,
    /// Quick answers in a row.
    quick: u32,
    /// How many there have to be.
    needed: u32,
}

impl BusyPoll {
    pub(crate) const fn new(limit: Duration) -> Self {
        Self {
            limit,
            asked: None,
            quick: 0,
            needed: QUICK,
        }
    }

    /// Something was written.
    pub(crate) const fn wrote(&mut self, now: Instant) {
        self.asked = Some(now);
    }

    /// Something was read.
    pub(crate) fn read(&mut self, now: Instant) {
        let Some(asked) = self.asked.take() else {
            return;
        };
        let looked = self.is_expected();
        if looked {
            self.needed = QUICK;
        }
        if now.duration_since(asked) <= self.limit * if looked { 1 } else { LATE } {
            self.quick = self.quick.saturating_add(1);
        } else {
            self.quick = 0;
        }
    }

    /// Whether the next answer is looked for.
    const fn is_expected(&self) -> bool {
        self.quick >= self.needed
    }

    /// Whether there is an answer to look for, as long as it may take.
    pub(crate) const fn is_looking(&self) -> bool {
        self.asked.is_some() && self.is_expected()
    }

    /// Nothing is there: whether to look again.
    pub(crate) fn look_again(&mut self, now: Instant) -> bool {
        if !self.is_expected() {
            return false;
        }
        let Some(asked) = self.asked else {
            return false;
        };
        if now.duration_since(asked) < self.limit {
            return true;
        }
        self.asked = None;
        self.quick = 0;
        self.needed = (self.needed * 2).min(QUICK_MAX);
        false
    }
}

#[cfg(test)]
mod tests;
