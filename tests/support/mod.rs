//! What the tests share: deadlines, events, and peers.
#![allow(dead_code, reason = "each test program uses a part of it")]

use std::panic::Location;
use std::time::Duration;

use privateer::core::{
    DisconnectReason, HandshakeFailure, Monitor, Peer, SocketEvent,
};
use tokio::time::timeout;

pub(crate) mod raw_peer;

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

/// Waits for events of a socket.
#[derive(Debug)]
pub(crate) struct Watch(pub(crate) Monitor);

impl Watch {
    /// What `pick` makes of the first event that it takes.
    #[track_caller]
    pub(crate) fn find<T>(
        &mut self,
        mut pick: impl FnMut(SocketEvent) -> Option<T>,
    ) -> impl Future<Output = T> {
        soon(async move {
            loop {
                let event = self.0.next().await.unwrap().unwrap();
                if let Some(found) = pick(event) {
                    return found;
                }
            }
        })
    }

    #[track_caller]
    pub(crate) fn connected(&mut self) -> impl Future<Output = Peer> {
        self.find(|event| match event {
            SocketEvent::Connected { peer } => Some(peer),
            _ => None,
        })
    }

    #[track_caller]
    pub(crate) fn disconnected(&mut self) -> impl Future<Output = (Peer, DisconnectReason)> {
        self.find(|event| match event {
            SocketEvent::Disconnected { peer, reason } => Some((peer, reason)),
            _ => None,
        })
    }

    #[track_caller]
    pub(crate) fn handshake_failed(&mut self) -> impl Future<Output = HandshakeFailure> {
        self.find(|event| match event {
            SocketEvent::HandshakeFailed { reason, .. } => Some(reason),
            _ => None,
        })
    }

    #[track_caller]
    pub(crate) fn retrying(&mut self) -> impl Future<Output = Option<std::io::ErrorKind>> {
        self.find(|event| match event {
            SocketEvent::Retrying { error, .. } => Some(error),
            _ => None,
        })
    }
}
