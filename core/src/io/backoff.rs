//! PURE. [`Backoff`]: how long to wait before the next try to connect.
#![deny(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation
)]

use std::time::Duration;

/// Waits that double with each try up to a longest one. Of each only a random part is waited, so that many clients that
/// lost their server at once do not come back at once.
#[derive(Clone, Debug)]
pub(crate) struct Backoff {
    interval: Duration,
    longest: Duration,
    tries: u32,
}

impl Backoff {
    /// The first wait is up to `interval`; the longest is no shorter than that.
    pub(crate) fn new(interval: Duration, longest: Duration) -> Self {
        Self {
            interval,
            longest: longest.max(interval),
            tries: 0,
        }
    }

    /// The next wait; `random` is from 0 to 1.
    pub(crate) fn next(&mut self, random: f64) -> Duration {
        let doubled = self
            .interval
            .saturating_mul(2_u32.saturating_pow(self.tries));
        self.tries = self.tries.saturating_add(1);
        doubled.min(self.longest).mul_f64(random)
    }

    /// A wait of about the longest, for what trying again soon does not help; `random` is from 0 to 1.
    pub(crate) fn longest(&self, random: f64) -> Duration {
        self.longest.mul_f64(0.5 + random / 2.0)
    }

    /// The next wait is a first one again.
    pub(crate) const fn reset(&mut self) {
        self.tries = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLIS: fn(u64) -> Duration = Duration::from_millis;

    /// Q11: the bounds of the waits double up to the longest.
    #[test]
    fn waits_double_up_to_the_longest() {
        let mut backoff = Backoff::new(MILLIS(100), MILLIS(1500));
        for round in 0..2 {
            for bound in [100, 200, 400, 800, 1500, 1500, 1500] {
                assert_eq!(backoff.clone().next(0.0), Duration::ZERO, "{round}");
                assert_eq!(backoff.clone().next(0.5), MILLIS(bound) / 2);
                assert_eq!(backoff.next(1.0), MILLIS(bound));
            }
            backoff.reset();
        }
        for _ in 0..100 {
            backoff.next(1.0);
        }
        assert_eq!(backoff.next(1.0), MILLIS(1500));
    }

    /// Q11: without a longer one every wait is of the interval.
    #[test]
    fn without_a_longest_all_waits_are_alike() {
        let mut backoff = Backoff::new(MILLIS(100), Duration::ZERO);
        for _ in 0..10 {
            assert_eq!(backoff.next(1.0), MILLIS(100));
        }
    }

    #[test]
    fn the_long_wait_is_between_half_and_whole() {
        let backoff = Backoff::new(MILLIS(100), MILLIS(1000));
        assert_eq!(backoff.longest(0.0), MILLIS(500));
        assert_eq!(backoff.longest(1.0), MILLIS(1000));
    }
}
