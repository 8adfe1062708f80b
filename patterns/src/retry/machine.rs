//! [`Retry`]: the attempts of one call. PURE.
#![deny(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation
)]

use std::time::{Duration, Instant};

use super::{Backoff, RetryBudget, RetryPolicy};
use crate::timers::after;

/// Decides after each attempt of one call whether there is another, and when.
///
/// # Example
/// ```
/// use std::time::Instant;
///
/// use privateer::retry::{Failure, GaveUp, Next, Retry, RetryBudget, RetryPolicy};
///
/// let (now, budget) = (Instant::now(), RetryBudget::default());
/// let mut retry = Retry::new(now, &RetryPolicy::default(), 7);
/// for _ in 0..2 {
///     retry.dispatched(&budget);
///     assert!(matches!(retry.failed(now, Failure::NoAnswer, &budget), Next::At(_)));
/// }
/// retry.dispatched(&budget);
/// let next = retry.failed(now, Failure::NoAnswer, &budget);
/// assert_eq!(next, Next::GiveUp(GaveUp::AttemptsUsed));
/// ```
#[derive(Clone, Debug)]
pub struct Retry {
    attempts: u32,
    most: u32,
    deadline: Option<Instant>,
    backoff: Backoff,
    /// Whether this call has paid into the budget.
    has_paid: bool,
}

/// How an attempt failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Failure {
    /// The request never left: there was no connection, or no room. It uses no attempt up.
    NotSent,
    /// There was no answer in time, or the connection ended before.
    NoAnswer,
    /// The server asks not to come back before this time has passed.
    Pushback(Duration),
    /// It would fail again.
    Final,
}

/// What follows a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Another attempt, at this time.
    At(Instant),
    /// None.
    GiveUp(GaveUp),
}

/// Why there is no other attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum GaveUp {
    /// All attempts were used.
    AttemptsUsed,
    /// The deadline is over, or would be before the next attempt.
    DeadlineOver,
    /// The destination had its share of retries, see [`RetryBudget`].
    BudgetSpent,
    /// The failure was [`Failure::Final`].
    Final,
}

impl Retry {
    /// A call that begins now. `seed` decides how pauses are cut.
    #[must_use]
    pub fn new(now: Instant, policy: &RetryPolicy, seed: u64) -> Self {
        let (first, longest) = (policy.first_delay, policy.longest_delay);
        Self {
            attempts: 0,
            most: policy.attempts.get(),
            deadline: policy.within.map(|limit| after(now, limit)),
            backoff: Backoff::new(first, longest, policy.jitter, seed),
            has_paid: false,
        }
    }

    /// The call ends at this time at the latest, or earlier if that was said before.
    #[must_use]
    pub fn until(mut self, deadline: Option<Instant>) -> Self {
        self.deadline = [self.deadline, deadline].into_iter().flatten().min();
        self
    }

    /// An attempt is sent. The first pays into the budget of its destination.
    pub fn dispatched(&mut self, budget: &RetryBudget) {
        self.attempts = self.attempts.saturating_add(1);
        if !std::mem::replace(&mut self.has_paid, true) {
            budget.deposit();
        }
    }

    /// An attempt failed; one that was [`NotSent`](Failure::NotSent) need not have been [`dispatched`](Self::dispatched).
    pub fn failed(&mut self, now: Instant, failure: Failure, budget: &RetryBudget) -> Next {
        let asked = match failure {
            Failure::Final => return Next::GiveUp(GaveUp::Final),
            Failure::Pushback(delay) => delay,
            Failure::NotSent | Failure::NoAnswer => Duration::ZERO,
        };
        let was_sent = failure != Failure::NotSent;
        if was_sent && self.attempts >= self.most {
            return Next::GiveUp(GaveUp::AttemptsUsed);
        }
        let at = after(now, self.backoff.delay().max(asked));
        if self.deadline.is_some_and(|deadline| deadline <= at) {
            return Next::GiveUp(GaveUp::DeadlineOver);
        }
        if was_sent && !budget.withdraw() {
            return Next::GiveUp(GaveUp::BudgetSpent);
        }
        Next::At(at)
    }

    /// How many attempts were sent.
    #[must_use]
    pub const fn attempts(&self) -> u32 {
        self.attempts
    }

    /// When the call ends at the latest.
    #[must_use]
    pub const fn deadline(&self) -> Option<Instant> {
        self.deadline
    }
}
