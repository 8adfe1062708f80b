//! [`ClientOptions`] and [`CallOptions`]: how a client behaves, and how long a call may take. PURE.
#![deny(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation
)]

use std::num::{NonZeroU32, NonZeroUsize};
use std::time::{Duration, Instant};

use crate::majordomo::protocol::MAX_FRAMES;
use crate::retry::RetryPolicy;

/// How a client behaves.
#[derive(Clone, Debug)]
pub struct ClientOptions {
    pub(super) max_lanes: usize,
    pub(super) reconnect_delay: Duration,
    pub(super) max_frames: usize,
    pub(super) budget: (u32, u32),
}

/// How long a call may take, and how often it is tried.
///
/// With neither an attempt timeout nor a deadline a call waits until it is answered or cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallOptions {
    pub(super) attempts: NonZeroU32,
    pub(super) attempt_timeout: Option<Duration>,
    pub(super) deadline: Option<Instant>,
}

impl ClientOptions {
    /// How many connections there may be to a broker that is a stranger, which needs one for each call in flight.
    /// - Unit: connections    - Default: 256, as many as calls in the default window    - Range: 1 and up
    #[must_use]
    pub const fn max_lanes(mut self, lanes: NonZeroUsize) -> Self {
        self.max_lanes = lanes.get();
        self
    }

    /// How long the client waits before it connects anew if a connection ended without a single reply on it; otherwise
    /// it does so at once.
    /// - Default: 250 ms    - Range: any
    #[must_use]
    pub const fn reconnect_delay(mut self, delay: Duration) -> Self {
        self.reconnect_delay = delay;
        self
    }

    /// How many frames a message may have; one with more is dropped as malformed.
    /// - Unit: frames, all counted    - Default: 1024    - Range: any; replies have at least 4
    #[must_use]
    pub const fn max_frames(mut self, frames: usize) -> Self {
        self.max_frames = frames;
        self
    }

    /// How many attempts after the first the broker gets, if it is a stranger: `percent` of the calls, after a `reserve`;
    /// see [`RetryBudget`](crate::retry::RetryBudget). One of ours gets each request once as long as the connection stands.
    /// - Default: 10 percent, 10 retries    - Range: any
    #[must_use]
    pub const fn budget(mut self, percent: u32, reserve: u32) -> Self {
        self.budget = (percent, reserve);
        self
    }
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            max_lanes: 256,
            reconnect_delay: Duration::from_millis(250),
            max_frames: MAX_FRAMES,
            budget: (10, 10),
        }
    }
}

impl CallOptions {
    /// How many attempts there are, the first counted. A request that could not be sent uses none up.
    /// - Unit: attempts    - Default: 3    - Range: 1 and up
    #[must_use]
    pub const fn attempts(mut self, attempts: NonZeroU32) -> Self {
        self.attempts = attempts;
        self
    }

    /// How long each attempt may take, from when it is sent; none for no limit. The call ends after so many times that as
    /// there are attempts, whether it could be sent or not; a call that finds the window of 256 full waits for its turn
    /// first, which does not count.
    /// - Default: 2.5 seconds    - Range: any
    #[must_use]
    pub const fn attempt_timeout(mut self, timeout: Option<Duration>) -> Self {
        self.attempt_timeout = timeout;
        self
    }

    /// When the call ends at the latest, whatever attempts are left, also while it waits for its turn; none for no limit.
    /// - Default: none    - Range: any; a time that has passed ends the call at once
    #[must_use]
    pub const fn deadline(mut self, deadline: Option<Instant>) -> Self {
        self.deadline = deadline;
        self
    }

    /// Attempts without pauses, and when they end the call together.
    pub(super) fn retry(&self) -> RetryPolicy {
        let all = |limit: Duration| limit.saturating_mul(self.attempts.get());
        RetryPolicy::default()
            .attempts(self.attempts)
            .backoff(Duration::ZERO, Duration::ZERO)
            .within(self.attempt_timeout.map(all))
    }
}

impl Default for CallOptions {
    fn default() -> Self {
        Self {
            attempts: const { NonZeroU32::new(3).unwrap() },
            attempt_timeout: Some(Duration::from_millis(2500)),
            deadline: None,
        }
    }
}
