//! [`Backoff`]: how long to wait before the next try. PURE.
#![deny(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation
)]

use std::time::Duration;

/// Delays that double from the first to the longest, each cut at random, so that many that failed at the same moment do
/// not come back at the same moment.
///
/// # Example
/// ```
/// use std::time::Duration;
///
/// use privateer::retry::{Backoff, Jitter};
///
/// let (first, longest) = (Duration::from_secs(1), Duration::from_secs(3));
/// let mut backoff = Backoff::new(first, longest, Jitter::None, 7);
/// let delays: Vec<_> = (0..4).map(|_| backoff.delay().as_secs()).collect();
/// assert_eq!(delays, [1, 2, 3, 3]);
/// ```
#[derive(Clone, Debug)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    next: Duration,
    jitter: Jitter,
    random: fastrand::Rng,
}

/// How a delay is cut at random.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Jitter {
    /// Not at all.
    None,
    /// To between half and all of it: there is a pause in any case. For connections.
    Half,
    /// To between nothing and all of it, which spreads best. For requests.
    Full,
}

impl Backoff {
    /// `seed` decides how the delays are cut.
    #[must_use]
    pub fn new(first: Duration, longest: Duration, jitter: Jitter, seed: u64) -> Self {
        Self {
            first,
            longest,
            next: first,
            jitter,
            random: fastrand::Rng::with_seed(seed),
        }
    }

    /// The next delay.
    pub fn delay(&mut self) -> Duration {
        let delay = self.next.min(self.longest);
        self.next = delay.saturating_mul(2);
        match self.jitter {
            Jitter::None => delay,
            Jitter::Half => delay.mul_f64(self.random.f64().mul_add(0.5, 0.5)),
            Jitter::Full => delay.mul_f64(self.random.f64()),
        }
    }

    /// It worked: the next delay is the first again.
    pub const fn reset(&mut self) {
        self.next = self.first;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_longest_and_start_again() {
        let (first, longest) = (Duration::from_millis(100), Duration::from_millis(500));
        for (jitter, least) in [
            (Jitter::None, 1.0),
            (Jitter::Half, 0.5),
            (Jitter::Full, 0.0),
        ] {
            let mut backoff = Backoff::new(first, longest, jitter, 1);
            for full in [100, 200, 400, 500, 500] {
                let full = Duration::from_millis(full);
                let delay = backoff.delay();
                assert!(
                    delay >= full.mul_f64(least) && delay <= full,
                    "{delay:?} of {full:?}"
                );
            }
            backoff.reset();
            assert!(backoff.delay() <= first);
        }
    }

    /// F-6: full jitter reaches from nothing to all.
    #[test]
    fn full_jitter_spreads_over_the_whole_delay() {
        let second = Duration::from_secs(1);
        let delays = (0..1000).map(|seed| Backoff::new(second, second, Jitter::Full, seed).delay());
        let mut tenths = [0; 10];
        for delay in delays {
            tenths[(delay.as_millis() / 100).min(9) as usize] += 1;
        }
        assert!(
            tenths.iter().all(|count| (50..200).contains(count)),
            "{tenths:?}"
        );
    }
}
