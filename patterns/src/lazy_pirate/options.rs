//! [`LazyPirateOptions`]: how long a call may take, how often it is tried, and where. PURE.
#![deny(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation
)]

use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use crate::retry::RetryPolicy;

/// How a client behaves. The default is the guide's: three tries of 2.5 seconds.
#[derive(Clone, Debug)]
pub struct LazyPirateOptions {
    pub(super) retry: RetryPolicy,
    pub(super) timeout: Duration,
    pub(super) within: Option<Duration>,
    pub(super) hedge_after: Option<Duration>,
    pub(super) budget: (u32, u32),
    pub(super) max_lanes: usize,
    pub(super) window: usize,
}

impl LazyPirateOptions {
    /// How long each try may take.
    /// - Default: 2.5 seconds    - Range: 1 ms and up; less counts as 1 ms
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout.max(Duration::from_millis(1));
        self
    }

    /// How many tries there are, the first counted. A request that could not be sent uses none up.
    /// - Unit: tries    - Default: 3    - Range: 1 and up
    #[must_use]
    pub const fn tries(mut self, tries: NonZeroU32) -> Self {
        self.retry = self.retry.attempts(tries);
        self
    }

    /// How long to wait between tries: from `first`, doubled each time, up to `longest`, each cut at random to between
    /// nothing and all of it.
    /// - Default: 100 ms, 5 seconds    - Range: any
    #[must_use]
    pub const fn backoff(mut self, first: Duration, longest: Duration) -> Self {
        self.retry = self.retry.backoff(first, longest);
        self
    }

    /// How long a call may take at the most, whatever tries are left, and however long it waits for its turn.
    /// - Default: tries × timeout, from when it is its turn    - Range: any
    #[must_use]
    pub const fn within(mut self, limit: Duration) -> Self {
        self.within = Some(limit);
        self
    }

    /// Hedging: if the first server has not answered after this time, the request goes to a second one as well, and the
    /// first answer counts. Takes another server, and a retry from its budget. Choose what 95 of 100 answers take.
    /// - Default: none    - Range: any
    #[must_use]
    pub const fn hedge_after(mut self, delay: Option<Duration>) -> Self {
        self.hedge_after = delay;
        self
    }

    /// How many retries and hedges each server gets: `percent` of the calls, after a `reserve`; see
    /// [`RetryBudget`](crate::retry::RetryBudget). The first try of a call at a server is no retry there.
    /// - Default: 10 percent, 10 retries    - Range: any
    #[must_use]
    pub const fn budget(mut self, percent: u32, reserve: u32) -> Self {
        self.budget = (percent, reserve);
        self
    }

    /// How many connections there may be to one server that is a stranger: it needs one for each call in flight.
    /// - Unit: connections    - Default: 64    - Range: 1 and up
    #[must_use]
    pub const fn max_lanes(mut self, lanes: NonZeroUsize) -> Self {
        self.max_lanes = lanes.get();
        self
    }

    /// How many calls may be in flight at a time; others wait, which counts for
    /// [`within`](Self::within) alone.
    /// - Unit: calls    - Default: 256    - Range: 1 and up
    #[must_use]
    pub const fn window(mut self, calls: NonZeroUsize) -> Self {
        self.window = calls.get();
        self
    }

    /// How long a call may take.
    pub(super) fn limit(&self) -> Duration {
        let tries = self.timeout.saturating_mul(self.retry.attempts.get());
        self.within.unwrap_or(tries)
    }
}

impl Default for LazyPirateOptions {
    fn default() -> Self {
        Self {
            retry: RetryPolicy::default(),
            timeout: Duration::from_millis(2500),
            within: None,
            hedge_after: None,
            budget: (10, 10),
            max_lanes: 64,
            window: 256,
        }
    }
}
