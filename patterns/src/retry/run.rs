//! [`RetryPolicy::run`]: the machine with a clock.

use std::future::Future;

use tokio::time::{Instant, sleep_until, timeout_at};

use super::{Failure, GaveUp, Next, Retry, RetryBudget, RetryPolicy};
use crate::timers::after;

/// Something failed for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no success after {attempts} attempts ({reason:?}, at last {last:?})")]
#[non_exhaustive]
pub struct RetryError {
    /// How many attempts were sent; none if none could be.
    pub attempts: u32,
    /// Why there was no other.
    pub reason: GaveUp,
    /// How the last one failed.
    pub last: Failure,
}

impl RetryPolicy {
    /// Makes attempts until one succeeds or there is no other. `attempt` gets their number, from 1.
    ///
    /// An attempt that is not finished at the deadline, or within [`attempt_timeout`](Self::attempt_timeout), is dropped,
    /// and counts as not answered.
    ///
    /// # Errors
    /// [`RetryError`] if there is no other attempt; there is no other.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, the attempt that is being made is dropped.
    ///
    /// # Example
    /// See the [module](crate::retry).
    pub async fn run<T, F, A>(&self, budget: &RetryBudget, mut attempt: F) -> Result<T, RetryError>
    where
        F: FnMut(u32) -> A,
        A: Future<Output = Result<T, Failure>>,
    {
        let mut retry = Retry::new(Instant::now().into_std(), self, fastrand::u64(..));
        loop {
            let trying = attempt(retry.attempts().saturating_add(1));
            let limit = self.attempt_timeout;
            let limit = limit.map(|limit| after(Instant::now().into_std(), limit));
            let outcome = match [retry.deadline(), limit].into_iter().flatten().min() {
                None => trying.await,
                Some(end) => {
                    let outcome = timeout_at(end.into(), trying).await;
                    outcome.unwrap_or(Err(Failure::NoAnswer))
                }
            };
            if !matches!(outcome, Err(Failure::NotSent)) {
                retry.dispatched(budget);
            }
            let last = match outcome {
                Ok(success) => return Ok(success),
                Err(failure) => failure,
            };
            match retry.failed(Instant::now().into_std(), last, budget) {
                Next::At(at) => sleep_until(at.into()).await,
                Next::GiveUp(reason) => {
                    let attempts = retry.attempts();
                    return Err(RetryError {
                        attempts,
                        reason,
                        last,
                    });
                }
            }
        }
    }
}
