//! How long to wait before the next try to connect. PURE.
#![deny(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation
)]

use std::time::Duration;

/// Delays that double from the first to the longest, each cut at random to between half and all of it, so that many
/// workers that lost the same broker do not come back at the same moment.
#[derive(Debug)]
pub(super) struct Backoff {
    first: Duration,
    longest: Duration,
    next: Duration,
    random: fastrand::Rng,
}

impl Backoff {
    /// `seed` decides how the delays are cut.
    pub(super) fn new(first: Duration, longest: Duration, seed: u64) -> Self {
        Self {
            first,
            longest,
            next: first,
            random: fastrand::Rng::with_seed(seed),
        }
    }

    /// The next delay.
    pub(super) fn delay(&mut self) -> Duration {
        let delay = self.next.min(self.longest);
        self.next = delay.saturating_mul(2);
        delay.mul_f64(self.random.f64().mul_add(0.5, 0.5))
    }

    /// It worked: the next delay is the first again.
    pub(super) const fn reset(&mut self) {
        self.next = self.first;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_longest_and_start_again() {
        let (first, longest) = (Duration::from_millis(100), Duration::from_millis(500));
        let mut backoff = Backoff::new(first, longest, 1);
        for full in [100, 200, 400, 500, 500] {
            let full = Duration::from_millis(full);
            let delay = backoff.delay();
            assert!(delay >= full / 2 && delay <= full, "{delay:?} of {full:?}");
        }
        backoff.reset();
        assert!(backoff.delay() <= first);
    }
}
