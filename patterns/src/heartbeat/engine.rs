//! [`Heartbeat`]: the life of one link. PURE.
#![deny(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation
)]

use std::time::{Duration, Instant};

use super::HeartbeatOptions;
use crate::timers::after;

/// When to beat on one link, and when its peer is presumed dead. Each method takes constant time.
///
/// # Example
/// ```
/// use std::time::{Duration, Instant};
///
/// use privateer::heartbeat::{Heartbeat, HeartbeatOptions};
///
/// let (now, second) = (Instant::now(), Duration::from_secs(1));
/// let mut link = Heartbeat::new(now, &HeartbeatOptions::default(), None, 7);
/// assert!(link.beat_due() > now && link.beat_due() <= now + second);
/// assert_eq!(link.expires(), now + 3 * second);
/// link.heard(now + second);
/// assert_eq!(link.expires(), now + 4 * second);
/// ```
#[derive(Clone, Debug)]
pub struct Heartbeat {
    /// Ours, cut by the share of this link.
    interval: Duration,
    expiry: Duration,
    last_heard: Instant,
    last_sent: Instant,
}

impl Heartbeat {
    /// A link that stands since `now`, to a peer that announced this interval, or none.
    ///
    /// `seed` decides which share of a tenth of the interval this link beats early.
    #[must_use]
    pub fn new(
        now: Instant,
        options: &HeartbeatOptions,
        announced: Option<Duration>,
        seed: u64,
    ) -> Self {
        let early = 0.1 * fastrand::Rng::with_seed(seed).f64();
        Self {
            interval: options.interval.mul_f64(1.0 - early),
            expiry: options.expiry(announced),
            last_heard: now,
            last_sent: now,
        }
    }

    /// Anything was received.
    pub fn heard(&mut self, now: Instant) {
        self.last_heard = self.last_heard.max(now);
    }

    /// Anything was sent, or a heartbeat was due and left out.
    pub fn sent(&mut self, now: Instant) {
        self.last_sent = self.last_sent.max(now);
    }

    /// When a heartbeat has to be sent if nothing else was.
    #[must_use]
    pub fn beat_due(&self) -> Instant {
        after(self.last_sent, self.interval)
    }

    /// When the peer is presumed dead if nothing is heard of it; judge it only at
    /// [`Pauses::judge_at`](super::Pauses::judge_at).
    #[must_use]
    pub fn expires(&self) -> Instant {
        after(self.last_heard, self.expiry)
    }

    /// How long the peer may be silent.
    #[must_use]
    pub const fn expiry(&self) -> Duration {
        self.expiry
    }

    /// How long nothing was heard.
    #[must_use]
    pub fn silence(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.last_heard)
    }
}
