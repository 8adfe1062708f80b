//! [`Pauses`]: whether this process itself was stopped. PURE.
#![deny(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation
)]

use std::time::{Duration, Instant};

use crate::timers::after;

/// Notices that this process did not run for some time: it was stopped, or the machine slept.
///
/// What peers sent in that time is not read yet, so none of them may be judged by what was heard so far.
///
/// # Example
/// ```
/// use std::time::{Duration, Instant};
///
/// use privateer::heartbeat::Pauses;
///
/// let (due, second) = (Instant::now(), Duration::from_secs(1));
/// let mut pauses = Pauses::new(second);
/// assert_eq!(pauses.woken(due + second, due), None, "a busy machine");
/// assert_eq!(pauses.woken(due + 5 * second, due), Some(5 * second));
/// assert_eq!(pauses.judge_at(due + 3 * second), due + 6 * second);
/// ```
#[derive(Clone, Debug)]
pub struct Pauses {
    interval: Duration,
    no_verdict_before: Option<Instant>,
}

impl Pauses {
    /// For timers of this interval: later than that is a pause, and that long is read before anybody is judged.
    #[must_use]
    pub const fn new(interval: Duration) -> Self {
        Self {
            interval,
            no_verdict_before: None,
        }
    }

    /// A timer that was due then comes up now. If there was a pause, how late it is.
    pub fn woken(&mut self, now: Instant, due: Instant) -> Option<Duration> {
        let late = now.saturating_duration_since(due);
        if late <= self.interval {
            return None;
        }
        self.hold(now);
        Some(late)
    }

    /// Nothing was read until now, for whatever reason.
    pub fn hold(&mut self, now: Instant) {
        self.no_verdict_before = Some(after(now, self.interval));
    }

    /// When to judge who would have to be judged then.
    #[must_use]
    pub fn judge_at(&self, expires: Instant) -> Instant {
        self.no_verdict_before
            .map_or(expires, |earliest| expires.max(earliest))
    }
}
