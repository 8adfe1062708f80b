//! [`TapSocket`]: where a proxy sends its copies.

use std::sync::Arc;

use crate::error::CloseReport;
use crate::socket::core::Core;
use crate::{DealerSocket, PairSocket, PushSocket};

/// A socket that gets a copy of every message that a proxy passes on: PUSH, DEALER or PAIR.
#[derive(Debug)]
pub struct TapSocket(Kind);

#[derive(Debug)]
enum Kind {
    Push(PushSocket),
    Dealer(DealerSocket),
    Pair(PairSocket),
}

impl TapSocket {
    pub(super) fn core(&self) -> &Arc<Core> {
        match &self.0 {
            Kind::Push(socket) => &socket.core,
            Kind::Dealer(socket) => &socket.core,
            Kind::Pair(socket) => &socket.core,
        }
    }

    pub(super) async fn close(self) -> CloseReport {
        match self.0 {
            Kind::Push(socket) => socket.close().await,
            Kind::Dealer(socket) => socket.close().await,
            Kind::Pair(socket) => socket.close().await,
        }
    }
}

impl From<PushSocket> for TapSocket {
    fn from(socket: PushSocket) -> Self {
        Self(Kind::Push(socket))
    }
}

impl From<DealerSocket> for TapSocket {
    fn from(socket: DealerSocket) -> Self {
        Self(Kind::Dealer(socket))
    }
}

impl From<PairSocket> for TapSocket {
    fn from(socket: PairSocket) -> Self {
        Self(Kind::Pair(socket))
    }
}
