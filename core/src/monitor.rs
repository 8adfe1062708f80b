//! [`Monitor`]: what the network did to a socket.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast;

use crate::endpoint::Endpoint;
use crate::peer::Peer;
use crate::socket::counters::Counters;
use crate::zmtp::handshake::HandshakeError;
use crate::zmtp::traffic::PeerMisbehaved;

/// Events that a monitor holds; a reader that is slower loses the oldest and is told how many.
const EVENTS: usize = 1024;

/// What the network did to a socket. An error of the network is no error of `send` or `recv`; it appears here.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum SocketEvent {
    /// The socket listens on this resolved endpoint.
    Listening {
        /// The resolved endpoint.
        endpoint: Endpoint,
    },
    /// A connection is established: both sides have sent READY.
    Connected {
        /// The new peer.
        peer: Peer,
    },
    /// A connection is lost or was ended.
    Disconnected {
        /// The peer that it led to.
        peer: Peer,
        /// Why.
        reason: DisconnectReason,
    },
    /// A connection failed before both sides had sent READY.
    HandshakeFailed {
        /// This socket's endpoint.
        endpoint: Endpoint,
        /// The other side's network address, if the transport knows it.
        remote_address: Option<String>,
        /// Why.
        reason: HandshakeFailure,
    },
    /// A connecting endpoint waits before it tries again.
    Retrying {
        /// The endpoint.
        endpoint: Endpoint,
        /// What the last try to connect ended in, unless an established connection was lost.
        error: Option<io::ErrorKind>,
        /// How long it waits.
        after: Duration,
    },
    /// Accepting a connection failed; the listener goes on after a pause.
    AcceptFailed {
        /// The endpoint.
        endpoint: Endpoint,
        /// Why.
        error: io::ErrorKind,
    },
    /// Too much is left to be received of connections that were lost: none is made at this endpoint until it is.
    ReceiveOverdue {
        /// The endpoint.
        endpoint: Endpoint,
    },
    /// Messages that were received or given are dropped.
    Dropped {
        /// The peer that they came from or were for, if there is one.
        peer: Option<Peer>,
        /// Why.
        reason: DropReason,
        /// How many.
        messages: u64,
    },
}

/// Why a handshake failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HandshakeFailure {
    /// The other side's octets did not lead to a connection.
    #[error("the handshake failed")]
    Protocol(#[from] HandshakeError),
    /// The other side closed the connection. libzmq does so without a word if the socket types do not fit.
    #[error("the peer closed the connection during the handshake (do the socket types fit?)")]
    ClosedByPeer,
    /// Reading or writing failed.
    #[error("the connection failed during the handshake: {0}")]
    Io(io::ErrorKind),
    /// The handshake took longer than `handshake_timeout`.
    #[error("the handshake took longer than the limit")]
    TimedOut,
    /// A peer of this routing id is connected already.
    #[error(
        "a peer with the same routing id is connected; let each choose its own, or set router_handover"
    )]
    DuplicateRoutingId,
    /// This side's options do not let the other connect (`ipc_filter_uid`, `ipc_filter_gid`).
    #[error("the options of this side do not let the other connect")]
    Refused,
    /// The PAIR socket has its peer already.
    #[error("the PAIR socket has a peer already")]
    PairOccupied,
}

/// Why a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DisconnectReason {
    /// The peer closed it.
    #[error("the peer closed the connection")]
    ClosedByPeer,
    /// This side closed it: `close`, `disconnect`, or a drop of the socket.
    #[error("this side closed the connection")]
    ClosedHere,
    /// Reading or writing failed.
    #[error("reading or writing failed: {0}")]
    Io(io::ErrorKind),
    /// The peer broke the protocol.
    #[error("the peer broke the protocol: {0}")]
    Misbehaved(#[from] PeerMisbehaved),
    /// The peer did not answer a heartbeat in time.
    #[error("the peer did not answer a heartbeat")]
    HeartbeatTimeout,
    /// The peer was silent for longer than the time to live in its own PING.
    #[error("the peer was silent for longer than its own heartbeat allows")]
    TimeToLiveExpired,
    /// Another connection took over its routing id.
    #[error("another connection took over the routing id")]
    HandedOver,
    /// A request was sent again, and a late reply to the first could not be told from the new one.
    #[error("the connection was reset so that a late reply cannot be taken for the next one")]
    RequestAbandoned,
}

/// Why a message was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DropReason {
    /// The peer is not connected (any more).
    Unroutable,
    /// The peer's pipe is full.
    Full,
    /// The connection of an accepted or immediate peer was lost with messages in its pipe.
    ConnectionLost,
    /// The linger time of `close` or `disconnect` was over before they were sent.
    LingerOver,
    /// A request without the empty delimiter frame, on a REP socket.
    NoDelimiter,
    /// A reply that answers no request that is waited for, on a REQ socket.
    UnexpectedReply,
}

/// A subscription to the events of one socket. Any number may exist; none of them ever holds the socket up.
#[derive(Debug)]
pub struct Monitor(broadcast::Receiver<SocketEvent>);

/// A monitor was read too slowly: this many events are lost to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the monitor was read too slowly and lost {0} events")]
pub struct Lagged(pub u64);

impl Monitor {
    /// The next event; none once the socket and all its connections are gone.
    ///
    /// # Errors
    /// [`Lagged`] if more than 1,024 events came since the last call; the next call goes on with the oldest that is
    /// left. There is no other.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, it has taken no event.
    pub async fn next(&mut self) -> Result<Option<SocketEvent>, Lagged> {
        match self.0.recv().await {
            Ok(event) => Ok(Some(event)),
            Err(broadcast::error::RecvError::Closed) => Ok(None),
            Err(broadcast::error::RecvError::Lagged(lost)) => Err(Lagged(lost)),
        }
    }
}

/// The sending side of all monitors of one socket, and the counters of what they tell.
#[derive(Debug)]
pub(crate) struct Events {
    monitors: broadcast::Sender<SocketEvent>,
    counters: Arc<Counters>,
}

impl Events {
    pub(crate) fn new(counters: Arc<Counters>) -> Self {
        Self {
            monitors: broadcast::Sender::new(EVENTS),
            counters,
        }
    }

    pub(crate) fn subscribe(&self) -> Monitor {
        Monitor(self.monitors.subscribe())
    }

    pub(crate) fn emit(&self, event: SocketEvent) {
        tracing::debug!(target: "privateer::socket", ?event);
        match &event {
            SocketEvent::HandshakeFailed { reason, .. } => self.counters.handshake_failed(reason),
            SocketEvent::Retrying { .. } => self.counters.reconnects.add(1),
            _ => {}
        }
        // Nobody may be listening.
        let _unheard = self.monitors.send(event);
    }
}
