//! [`RetryPolicy`]: how often, after which pauses, and for how long. PURE.
#![deny(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation
)]

use std::num::NonZeroU32;
use std::time::Duration;

use super::Jitter;

/// How often something is tried, after which pauses, and for how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    pub(crate) attempts: NonZeroU32,
    pub(crate) first_delay: Duration,
    pub(crate) longest_delay: Duration,
    pub(crate) jitter: Jitter,
    pub(crate) within: Option<Duration>,
    pub(crate) attempt_timeout: Option<Duration>,
}

impl RetryPolicy {
    /// How many attempts there are, the first counted.
    /// - Unit: attempts    - Default: 3, as in the guide    - Range: 1 and up
    #[must_use]
    pub const fn attempts(mut self, attempts: NonZeroU32) -> Self {
        self.attempts = attempts;
        self
    }

    /// How long to wait before another attempt: from `first`, doubled each time, up to `longest`, before the cut.
    /// - Default: 100 ms, 5 seconds    - Range: any; zero for no pause
    #[must_use]
    pub const fn backoff(mut self, first: Duration, longest: Duration) -> Self {
        self.first_delay = first;
        self.longest_delay = longest;
        self
    }

    /// How each pause is cut at random.
    /// - Default: `Jitter::Full`    - Range: any of [`Jitter`]
    #[must_use]
    pub const fn jitter(mut self, jitter: Jitter) -> Self {
        self.jitter = jitter;
        self
    }

    /// How long all of it may take, attempts and pauses; none for no limit.
    /// - Default: none    - Range: any
    #[must_use]
    pub const fn within(mut self, limit: Option<Duration>) -> Self {
        self.within = limit;
        self
    }

    /// How long each attempt may take; one that takes longer is dropped, and counts as not answered. It is
    /// [`run`](Self::run) that keeps it: a [`Retry`](super::Retry) leaves the time of its attempts to you.
    /// - Default: none    - Range: any
    #[must_use]
    pub const fn attempt_timeout(mut self, limit: Option<Duration>) -> Self {
        self.attempt_timeout = limit;
        self
    }
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts: const { NonZeroU32::new(3).unwrap() },
            first_delay: Duration::from_millis(100),
            longest_delay: Duration::from_secs(5),
            jitter: Jitter::Full,
            within: None,
            attempt_timeout: None,
        }
    }
}
