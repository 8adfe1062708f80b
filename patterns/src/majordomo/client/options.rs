//! [`ClientOptions`] and [`CallOptions`]: how a client behaves, and how long a call may take. PURE.
#![deny(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation
)]

use std::num::{NonZeroU32, NonZeroUsize};
use std::time::{Duration, Instant};

use crate::majordomo::protocol::MAX_FRAMES;

/// How a client behaves.
#[derive(Clone, Debug)]
pub struct ClientOptions {
    pub(super) max_lanes: usize,
    pub(super) reconnect_delay: Duration,
    pub(super) max_frames: usize,
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
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            max_lanes: 256,
            reconnect_delay: Duration::from_millis(250),
            max_frames: MAX_FRAMES,
        }
    }
}

impl CallOptions {
    /// How many attempts there are, the first counted.
    /// - Unit: attempts    - Default: 3    - Range: 1 and up
    #[must_use]
    pub const fn attempts(mut self, attempts: NonZeroU32) -> Self {
        self.attempts = attempts;
        self
    }

    /// How long each attempt may take, the time without a connection included; none for no limit.
    /// - Default: 2.5 seconds    - Range: any
    #[must_use]
    pub const fn attempt_timeout(mut self, timeout: Option<Duration>) -> Self {
        self.attempt_timeout = timeout;
        self
    }

    /// When the call ends at the latest, whatever attempts are left; none for no limit.
    /// - Default: none    - Range: any; a time that has passed ends the call at once
    #[must_use]
    pub const fn deadline(mut self, deadline: Option<Instant>) -> Self {
        self.deadline = deadline;
        self
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
