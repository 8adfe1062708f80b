//! PURE. [`BusyPoller`]: whether to look for an answer again at once, in place of sleeping until it comes.
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

/// To wake up takes time too: an answer that came to a sleeping thread within so many times the limit counts as quick.
const LATE: u32 = 2;

/// The answers of one peer, and how long they take.
///
/// To put a processor to sleep and to wake it takes longer than many an answer does. But who looks for one keeps a
/// processor from others: so it is looked for only where the last ones were quick, no longer than the limit, and after each
/// time that it did not come in time only after twice as many quick ones as before.
#[derive(Debug)]
pub(crate) struct BusyPoller {
    limit: Duration,
    /// When something was written that was not answered yet.
    asked: Option<Instant>,
    /// Quick answers in a row.
    quick: u32,
    /// How many there have to be.
    needed: u32,
}

impl BusyPoller {
    pub(crate) const fn new(limit: Duration) -> Self {
        Self {
            limit,
            asked: None,
            quick: 0,
            needed: QUICK,
        }
    }

    /// Messages were written, to the last octet. What is sent before the answer to those does not begin a new wait.
    pub(crate) fn wrote(&mut self, now: Instant) {
        self.asked.get_or_insert(now);
    }

    /// Nothing is read for now, so that no answer is waited for.
    pub(crate) const fn forget(&mut self) {
        self.asked = None;
    }

    /// Something was read.
    pub(crate) fn read(&mut self, now: Instant) {
        let Some(asked) = self.asked.take() else {
            return;
        };
        let took = now.duration_since(asked);
        if !self.is_expected() {
            let is_quick = took <= self.limit * LATE;
            self.quick = if is_quick { self.quick + 1 } else { 0 };
        } else if took <= self.limit {
            self.needed = QUICK;
        } else {
            self.looked_in_vain();
        }
    }

    /// Whether the next answer is looked for.
    const fn is_expected(&self) -> bool {
        self.quick >= self.needed
    }

    /// Whether an answer is being looked for; the time is not asked.
    pub(crate) const fn is_looking(&self) -> bool {
        self.asked.is_some() && self.is_expected()
    }

    /// Nothing is there: whether to look again.
    pub(crate) fn look_again(&mut self, now: Instant) -> bool {
        let Some(asked) = self.asked.filter(|_| self.is_expected()) else {
            return false;
        };
        if now.duration_since(asked) < self.limit {
            return true;
        }
        self.asked = None;
        self.looked_in_vain();
        false
    }

    fn looked_in_vain(&mut self) {
        self.quick = 0;
        self.needed = (self.needed * 2).min(QUICK_MAX);
    }
}

#[cfg(test)]
mod tests;
