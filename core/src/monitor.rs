//! [`Monitor`]: what the network did to a socket.

mod failure;

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::broadcast;

pub use failure::{ConnectFailure, FailureClass};

use crate::connection::Connection;
use crate::endpoint::Endpoint;
use crate::peer::{Peer, PeerId};
use crate::socket::counters::Counters;
use crate::sync::Mutex;
use crate::zmtp::handshake::HandshakeError;
use crate::zmtp::traffic::PeerMisbehaved;

/// Events that a monitor holds; a reader that is slower loses the oldest and is told how many.
const EVENTS: usize = 1024;

/// What the network did to a socket. An error of the network is no error of `send` or `recv`; it appears here.
///
/// The events of one connection come in order, and tell its number:
///
/// ```text
/// Connecting ──► Dialled ──┐
///                Accepted ─┴─► Connected ──► Disconnected ──► Retrying, GivenUp, or nothing more
///      │             └───────► HandshakeFailed ──────────────────┘
///      └─────────────────────────────────────────────────────────┘
/// ```
///
/// Sockets of one process that meet over inproc have `Connected`, `Disconnected` and `HandshakeFailed` alone.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum SocketEvent {
    /// The socket listens on this resolved endpoint. (libzmq: `LISTENING`)
    Listening {
        /// The resolved endpoint.
        endpoint: Endpoint,
    },
    /// The socket cannot listen on an endpoint; `bind` returns the error. (libzmq: `BIND_FAILED`)
    BindFailed {
        /// The endpoint as it was given.
        endpoint: Endpoint,
        /// Why.
        error: io::ErrorKind,
    },
    /// The socket does not listen on this endpoint any more. (libzmq: `CLOSED`)
    Closed {
        /// The resolved endpoint.
        endpoint: Endpoint,
    },
    /// A connection is accepted, and the handshake begins. (libzmq: `ACCEPTED`)
    Accepted {
        /// The connection.
        connection: Connection,
    },
    /// Accepting a connection failed; the listener goes on. (libzmq: `ACCEPT_FAILED`)
    AcceptFailed {
        /// The endpoint.
        endpoint: Endpoint,
        /// Why.
        error: io::ErrorKind,
        /// The same as the number of the operating system, which tells more: `EMFILE` has no kind of its own.
        os_error: Option<i32>,
    },
    /// A connection to an endpoint is begun. (libzmq: `CONNECT_DELAYED`)
    Connecting {
        /// The connection, without addresses.
        connection: Connection,
    },
    /// The transport is connected, and the handshake begins. (libzmq: `CONNECTED`)
    Dialled {
        /// The connection.
        connection: Connection,
    },
    /// A connection is established: both sides have sent READY. (libzmq: `HANDSHAKE_SUCCEEDED`)
    Connected {
        /// The new peer.
        peer: Peer,
    },
    /// A connection failed before both sides had sent READY. (libzmq: `HANDSHAKE_FAILED_…`)
    HandshakeFailed {
        /// The connection.
        connection: Connection,
        /// Why; its class is [`HandshakeFailure::class`].
        reason: HandshakeFailure,
    },
    /// A connection is lost or was ended. (libzmq: `DISCONNECTED`)
    Disconnected {
        /// The peer that it led to.
        peer: Peer,
        /// Why; its class is [`DisconnectReason::class`].
        reason: DisconnectReason,
    },
    /// A connecting endpoint waits before it tries again. (libzmq: `CONNECT_RETRIED`)
    Retrying {
        /// The endpoint.
        endpoint: Endpoint,
        /// The connection that failed or was lost.
        connection: PeerId,
        /// Why; its class is [`ConnectFailure::class`].
        failure: ConnectFailure,
        /// How long it waits.
        after: Duration,
    },
    /// A connecting endpoint does not try again, by [`reconnect_policy`](crate::SocketOptions::reconnect_policy); the
    /// socket has forgotten it.
    GivenUp {
        /// The endpoint.
        endpoint: Endpoint,
        /// The connection that failed or was lost.
        connection: PeerId,
        /// Why; its class is [`ConnectFailure::class`].
        failure: ConnectFailure,
        /// Messages that waited for it; they are counted as dropped.
        unsent: u64,
    },
    /// Too much is left to be received of connections that were lost: none is made at this endpoint until it is.
    ReceiveOverdue {
        /// The endpoint.
        endpoint: Endpoint,
    },
    /// Messages that were received or given are dropped. Of those that a PUB, XPUB or XSUB drops because a peer's pipe is
    /// full, the first is told at once, and the others together when the peer has room again or is gone.
    Dropped {
        /// The peer that they came from or were for, if there is one.
        peer: Option<Peer>,
        /// Why.
        reason: DropReason,
        /// How many.
        messages: u64,
    },
}

impl SocketEvent {
    /// The number of the connection that it tells of, if it tells of one.
    #[must_use]
    pub fn connection(&self) -> Option<PeerId> {
        match self {
            Self::Accepted { connection }
            | Self::Connecting { connection }
            | Self::Dialled { connection }
            | Self::HandshakeFailed { connection, .. } => Some(connection.id()),
            Self::Connected { peer } | Self::Disconnected { peer, .. } => Some(peer.id()),
            Self::Retrying { connection, .. } | Self::GivenUp { connection, .. } => {
                Some(*connection)
            }
            Self::Dropped { peer, .. } => peer.as_ref().map(Peer::id),
            Self::Listening { .. }
            | Self::BindFailed { .. }
            | Self::Closed { .. }
            | Self::AcceptFailed { .. }
            | Self::ReceiveOverdue { .. } => None,
        }
    }
}

/// An event, and when it happened.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TimedEvent {
    /// When, by the monotonic clock.
    pub at: Instant,
    /// What.
    pub event: SocketEvent,
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
    /// This side's options do not let the other connect (`accept_hook`, `ipc_filter_uid`, `ipc_filter_gid`).
    #[error("the options of this side do not let the other connect")]
    Refused,
    /// As many connections as the options of this side allow are there from the same address
    /// (`max_connections_per_address`), or more of their handshakes are under way than leave room for others.
    #[error("there are too many connections from the same address")]
    TooManyConnections,
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
    /// This side ended it by `disconnect_peer`.
    #[error("this side disconnected the peer")]
    Dismissed,
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
    /// The connection of an accepted or immediate peer was lost, or an endpoint was given up, with messages in its pipe.
    ConnectionLost,
    /// The linger time of `close` or `disconnect` was over before they were sent.
    LingerOver,
    /// A request without the empty delimiter frame, on a REP socket.
    NoDelimiter,
    /// A message to a socket that receives none, as a PUB does not; or whose owner has closed it.
    NoReceiver,
    /// A reply that answers no request that is waited for, on a REQ socket.
    UnexpectedReply,
}

/// A subscription to the events of one socket. Any number may exist; none of them ever holds the socket up.
#[derive(Debug)]
pub struct Monitor(broadcast::Receiver<TimedEvent>);

/// A monitor was read too slowly: this many events are lost to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the monitor was read too slowly and lost {0} events")]
pub struct Lagged(pub u64);

impl Monitor {
    /// The next event; none once the socket is closed and all its connections are gone. (libzmq: `MONITOR_STOPPED`)
    ///
    /// # Errors
    /// [`Lagged`] if more than 1,024 events came since the last call; the next call goes on with the oldest that is
    /// left. There is no other.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, it has taken no event.
    pub async fn next(&mut self) -> Result<Option<SocketEvent>, Lagged> {
        Ok(self.next_timed().await?.map(|timed| timed.event))
    }

    /// As [`next`](Self::next), with the time of the event.
    ///
    /// # Errors
    /// [`Lagged`] as there; there is no other.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, it has taken no event.
    pub async fn next_timed(&mut self) -> Result<Option<TimedEvent>, Lagged> {
        match self.0.recv().await {
            Ok(event) => Ok(Some(event)),
            Err(broadcast::error::RecvError::Closed) => Ok(None),
            Err(broadcast::error::RecvError::Lagged(lost)) => Err(Lagged(lost)),
        }
    }
}

/// The sending side of all monitors of one socket, which takes memory once there is one, and the counters of what they
/// tell.
#[derive(Debug)]
pub(crate) struct Events {
    monitors: Mutex<Monitors>,
    counters: Arc<Counters>,
}

/// The monitors of a socket.
#[derive(Debug, Default)]
enum Monitors {
    /// There was none yet.
    #[default]
    None,
    Some(broadcast::Sender<TimedEvent>),
    /// The socket is closed: nothing happens to it any more.
    Ended,
}

impl Events {
    pub(crate) const fn new(counters: Arc<Counters>) -> Self {
        Self {
            monitors: Mutex::new(Monitors::None),
            counters,
        }
    }

    pub(crate) fn subscribe(&self) -> Monitor {
        let mut monitors = self.monitors.lock();
        let monitor = match &*monitors {
            Monitors::Some(events) => events.subscribe(),
            Monitors::Ended => broadcast::channel(1).1,
            Monitors::None => {
                let (events, monitor) = broadcast::channel(EVENTS);
                *monitors = Monitors::Some(events);
                monitor
            }
        };
        Monitor(monitor)
    }

    /// Nothing happens after this; monitors end when they have told what happened before.
    pub(crate) fn end(&self) {
        *self.monitors.lock() = Monitors::Ended;
    }

    pub(crate) fn emit(&self, event: SocketEvent) {
        tracing::debug!(target: "privateer::socket", ?event);
        match &event {
            SocketEvent::HandshakeFailed { reason, .. } => self.counters.handshake_failed(reason),
            SocketEvent::Retrying { .. } => self.counters.reconnects.add(1),
            _ => {}
        }
        let monitors = self.monitors.lock();
        if let Monitors::Some(events) = &*monitors {
            let at = tokio::time::Instant::now().into_std();
            // Nobody may be listening any more.
            let _unheard = events.send(TimedEvent { at, event });
        }
    }
}
