//! [`RetryBudget`]: how many retries a destination gets. PURE.
#![deny(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// What all retries to one destination are taken from, so that they do not bury a server that is slow already.
///
/// Each call pays in a share of a retry, and each retry takes out a whole one; what is paid in beyond the reserve is
/// lost. So there are at most so many retries as that share of the calls, and the reserve. Share one budget among all
/// that send to one destination: it is cheap to clone, and clones are the same budget.
///
/// # Example
/// ```
/// use privateer::retry::RetryBudget;
///
/// let budget = RetryBudget::new(10, 2);
/// assert!(budget.withdraw() && budget.withdraw());
/// assert!(!budget.withdraw(), "the reserve is used up");
/// (0..10).for_each(|_call| budget.deposit());
/// assert!(budget.withdraw(), "ten calls pay for a retry");
/// ```
#[derive(Clone, Debug)]
pub struct RetryBudget {
    /// What is left, in thousandths of a retry.
    left: Arc<AtomicU32>,
    per_call: u32,
    most: u32,
}

/// A retry, in the unit of the account.
const RETRY: u32 = 1000;

impl RetryBudget {
    /// `percent` of the calls may be retried, and `reserve` retries are there from the start.
    /// - Default: 10 percent, 10 retries    - Range: any; more than a million retries count as a million
    #[must_use]
    pub fn new(percent: u32, reserve: u32) -> Self {
        let most = reserve.min(1_000_000) * RETRY;
        Self {
            left: Arc::new(AtomicU32::new(most)),
            per_call: percent.min(1_000_000) * RETRY / 100,
            // Without a reserve a whole retry has to be saved up all the same.
            most: most.max(RETRY),
        }
    }

    /// A call begins: it pays in its share.
    pub fn deposit(&self) {
        let paid = |left: u32| Some(left.saturating_add(self.per_call).min(self.most));
        // It always changes something, or nothing has to be changed.
        let _before = self
            .left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, paid);
    }

    /// Takes a retry out; false if there is none.
    #[must_use]
    pub fn withdraw(&self) -> bool {
        let taken = |left: u32| left.checked_sub(RETRY);
        let before = self
            .left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, taken);
        before.is_ok()
    }

    /// How many retries are left.
    #[must_use]
    pub fn left(&self) -> u32 {
        self.left.load(Ordering::Relaxed) / RETRY
    }
}

impl Default for RetryBudget {
    fn default() -> Self {
        Self::new(10, 10)
    }
}
