//! Waiting for what is to happen, with a deadline.

use std::time::Duration;

use privateer_core::{DisconnectReason, Monitor, Peer, SocketEvent};
use tokio::time::{sleep, timeout};

/// How long anything that is to happen at once may take on a busy machine.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// The result of `future`, which has to be there within `limit`.
#[track_caller]
pub fn within<T>(limit: Duration, future: impl Future<Output = T>) -> impl Future<Output = T> {
    let caller = std::panic::Location::caller();
    async move {
        let Ok(done) = timeout(limit, future).await else {
            panic!("nothing came within {limit:?} at {caller}");
        };
        done
    }
}

/// The result of `future`, which has to be there within [`DEADLINE`].
#[track_caller]
pub fn soon<T>(future: impl Future<Output = T>) -> impl Future<Output = T> {
    within(DEADLINE, future)
}

/// The first event of which `pick` makes something.
#[track_caller]
pub fn event<T>(
    monitor: &mut Monitor,
    mut pick: impl FnMut(SocketEvent) -> Option<T>,
) -> impl Future<Output = T> {
    soon(async move {
        loop {
            if let Some(picked) = pick(monitor.next().await.unwrap().unwrap()) {
                return picked;
            }
        }
    })
}

/// The next peer that is connected.
#[track_caller]
pub fn connected(monitor: &mut Monitor) -> impl Future<Output = Peer> {
    event(monitor, |event| match event {
        SocketEvent::Connected { peer } => Some(peer),
        _ => None,
    })
}

/// The next peer whose connection ends, and why.
#[track_caller]
pub fn disconnected(monitor: &mut Monitor) -> impl Future<Output = (Peer, DisconnectReason)> {
    event(monitor, |event| match event {
        SocketEvent::Disconnected { peer, reason } => Some((peer, reason)),
        _ => None,
    })
}

/// Waits for what no event tells, a count for example.
#[track_caller]
pub fn until(mut is_so: impl FnMut() -> bool) -> impl Future<Output = ()> {
    soon(async move {
        while !is_so() {
            sleep(Duration::from_millis(1)).await;
        }
    })
}
