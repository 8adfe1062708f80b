//! Waits with a deadline, and the scale of long tests.

use std::future::Future;
use std::panic::Location;
use std::time::Duration;

use tokio::time::{sleep, timeout};

/// How long anything may take that is only a matter of scheduling.
const SOON: Duration = Duration::from_secs(20);

/// The output of `future`, which has to be there within `limit`.
#[track_caller]
pub(crate) fn within<F: Future>(limit: Duration, future: F) -> impl Future<Output = F::Output> {
    let caller = Location::caller();
    async move {
        let done = timeout(limit, future).await;
        done.unwrap_or_else(|_elapsed| panic!("{caller}: not done within {limit:?}"))
    }
}

/// The output of `future`, which has nothing to wait for but this machine.
#[track_caller]
pub(crate) fn soon<F: Future>(future: F) -> impl Future<Output = F::Output> {
    within(SOON, future)
}

/// Waits for a condition that no event tells of.
#[track_caller]
pub(crate) fn until(mut holds: impl FnMut() -> bool) -> impl Future<Output = ()> {
    soon(async move {
        while !holds() {
            sleep(Duration::from_millis(1)).await;
        }
    })
}

/// How much more than usual the long tests do: `PRIVATEER_SCALE`, 1 if it is not set.
pub(crate) fn scale() -> usize {
    std::env::var("PRIVATEER_SCALE").ok().and_then(|text| text.parse().ok()).unwrap_or(1)
}

/// As much time as work takes that grows with the scale.
pub(crate) fn scaled(limit: Duration) -> Duration {
    limit.saturating_mul(u32::try_from(scale()).unwrap_or(u32::MAX))
}
