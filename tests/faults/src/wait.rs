//! Waits with a deadline.

use std::future::Future;
use std::panic::Location;
use std::time::Duration;

use tokio::time::{sleep, timeout};

/// How long anything may take that is only a matter of scheduling.
const SOON: Duration = Duration::from_secs(20);

/// A deadline is this many times the time that is promised, since the machine may be busy.
pub const SLACK: u32 = 3;

/// The output of `future`, which has to be there within `limit`.
///
/// # Panics
/// Panics if it is not.
#[track_caller]
pub fn within<F: Future>(limit: Duration, future: F) -> impl Future<Output = F::Output> {
    let caller = Location::caller();
    async move {
        let done = timeout(limit, future).await;
        done.unwrap_or_else(|_elapsed| panic!("{caller}: not done within {limit:?}"))
    }
}

/// The output of `future`, which has nothing to wait for but this machine.
///
/// # Panics
/// Panics if it is not there in time.
#[track_caller]
pub fn soon<F: Future>(future: F) -> impl Future<Output = F::Output> {
    within(SOON, future)
}

/// Waits for a condition that no event tells of.
///
/// # Panics
/// Panics if it does not hold in time.
#[track_caller]
pub fn until(mut holds: impl FnMut() -> bool) -> impl Future<Output = ()> {
    soon(async move {
        while !holds() {
            sleep(Duration::from_millis(1)).await;
        }
    })
}

/// How much more than usual the long tests do: `PRIVATEER_SCALE`, 1 if it is not set.
#[must_use]
pub fn scale() -> usize {
    let text = std::env::var("PRIVATEER_SCALE").ok();
    text.and_then(|text| text.parse().ok()).unwrap_or(1)
}
