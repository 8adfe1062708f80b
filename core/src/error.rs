//! The public errors: a type per operation, each telling what the caller can do.

use std::io;

use crate::endpoint::{Endpoint, EndpointError};
use crate::message::Message;

/// A socket was made without a Tokio runtime that can run it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoRuntime {
    /// None is at hand.
    #[error(
        "no Tokio runtime here: make the socket inside one, or give a handle with SocketOptions::runtime"
    )]
    Absent,
    /// Its time driver is off.
    #[error("the Tokio runtime has no timer: build it with enable_time, or enable_all")]
    WithoutTimer,
}

/// `bind` failed; the socket is as before.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BindError {
    /// The text is not an endpoint.
    #[error("the endpoint cannot be read")]
    Endpoint(#[from] EndpointError),
    /// Somebody listens there.
    #[error(
        "{endpoint} is in use; stop whoever listens there, or bind another (port * takes a free one)"
    )]
    InUse {
        /// The endpoint.
        endpoint: Endpoint,
    },
    /// A file that is no socket stands at the path.
    #[error("{endpoint} is a file that is no socket; remove it, or bind another path")]
    NotASocket {
        /// The endpoint.
        endpoint: Endpoint,
    },
    /// The operating system refused.
    #[error(
        "cannot listen on {endpoint}; give an address of this machine (* for all) and a port that you may use"
    )]
    Io {
        /// The endpoint.
        endpoint: Endpoint,
        /// What it said.
        source: io::Error,
    },
    /// The I/O driver of the socket's runtime is off.
    #[error("the Tokio runtime has no I/O: build it with enable_io, or enable_all")]
    NoIo,
    /// What is to be adopted is no listener, or one whose address no endpoint can have.
    #[error(
        "the listener cannot be adopted; let it listen, at an address or at a path of UTF-8, before it is handed over"
    )]
    Listener {
        /// What the operating system said.
        source: io::Error,
    },
    /// The socket is closed.
    #[error("the socket is closed")]
    Closed,
}

impl BindError {
    /// What the operating system said, if it was asked.
    pub(crate) fn io_kind(&self) -> Option<io::ErrorKind> {
        match self {
            Self::InUse { .. } => Some(io::ErrorKind::AddrInUse),
            Self::NotASocket { .. } => Some(io::ErrorKind::AlreadyExists),
            Self::Io { source, .. } => Some(source.kind()),
            Self::Endpoint(_) | Self::NoIo | Self::Listener { .. } | Self::Closed => None,
        }
    }
}

/// `connect` failed; the socket is as before. An absent peer is no error.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The text is not an endpoint, or not one to connect to.
    #[error("the endpoint cannot be connected to")]
    Endpoint(#[from] EndpointError),
    /// The socket behind this inproc name cannot be a peer of this one.
    #[error("a {ours} socket cannot connect to the {theirs} socket bound to {endpoint}")]
    Incompatible {
        /// The endpoint.
        endpoint: Endpoint,
        /// This socket's type.
        ours: crate::SocketType,
        /// The bound socket's type.
        theirs: crate::SocketType,
    },
    /// The I/O driver of the socket's runtime is off.
    #[error("the Tokio runtime has no I/O: build it with enable_io, or enable_all")]
    NoIo,
    /// Another peer has the name that this one was to have.
    #[error("a peer has the routing id {routing_id}: choose another, or wait until it is gone")]
    RoutingIdTaken {
        /// The name.
        routing_id: crate::RoutingId,
    },
    /// The socket is closed.
    #[error("the socket is closed")]
    Closed,
}

/// `unbind` or `disconnect` failed; nothing changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EndpointNotFound {
    /// The text is not an endpoint.
    #[error("the endpoint cannot be read")]
    Endpoint(#[from] EndpointError),
    /// The socket has no such endpoint.
    #[error("the socket has no endpoint {endpoint}; bind returns the name to use")]
    NotFound {
        /// The endpoint.
        endpoint: Endpoint,
    },
}

/// A message was not sent; it is given back.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{kind}")]
pub struct SendError {
    kind: SendErrorKind,
    message: Box<Message>,
}

/// Why a message was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendErrorKind {
    /// The socket is mute: no peer is there or none has room; `send` waits for one.
    #[error("no peer has room for the message now")]
    Full,
    /// A ROUTER has no peer of this routing id.
    #[error("no peer of this routing id is connected")]
    Unroutable,
    /// The connection that a message was for has ended.
    #[error("peer {peer} is gone")]
    PeerGone {
        /// The number of the connection.
        peer: crate::PeerId,
    },
    /// A REQ socket in lockstep has a request outstanding.
    #[error("a request is outstanding: receive its reply first, or leave out req_lockstep")]
    RequestOutstanding,
    /// A REP socket has received no request that is not answered.
    #[error("there is no request to reply to: receive one first")]
    NoRequest,
    /// A subscription to a topic of more than 64 KiB.
    #[error("a topic has at most 65536 bytes")]
    TopicTooLong,
    /// The socket is closed.
    #[error("the socket is closed")]
    Closed,
}

impl SendError {
    pub(crate) fn new(kind: SendErrorKind, message: Message) -> Self {
        Self {
            kind,
            message: Box::new(message),
        }
    }

    /// Why.
    #[must_use]
    pub const fn kind(&self) -> SendErrorKind {
        self.kind
    }

    /// The message that was not sent.
    #[must_use]
    pub fn into_message(self) -> Message {
        *self.message
    }

    /// Whether trying again later may succeed.
    #[must_use]
    pub fn would_block(&self) -> bool {
        self.kind == SendErrorKind::Full
    }
}

/// Nothing was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecvError {
    /// Nothing is there now; `recv` waits. Only from `try_recv`.
    #[error("no message is there now")]
    Empty,
    /// A REQ socket has no request outstanding.
    #[error("no request is outstanding: send one first")]
    NoRequest,
    /// A REP socket owes a reply.
    #[error("a reply is owed: send it before the next request is received")]
    ReplyOwed,
    /// The socket is closed.
    #[error("the socket is closed")]
    Closed,
}

impl RecvError {
    /// Whether trying again later may succeed.
    #[must_use]
    pub fn would_block(&self) -> bool {
        *self == Self::Empty
    }
}

/// The socket has no such peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no such peer is connected")]
pub struct Unroutable;

/// What `close` or `disconnect` left behind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use = "messages may not have been sent"]
pub struct CloseReport {
    /// Messages that were accepted by `send` and never wholly given to the operating system (over inproc: never
    /// received).
    pub unsent: u64,
}

/// What [`Context::shutdown`](crate::Context::shutdown) left behind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use = "messages may not have been sent"]
#[non_exhaustive]
pub struct ShutdownReport {
    /// All sockets that there were, in the order in which they were made.
    pub sockets: Vec<SocketReport>,
}

/// What one socket of a context left behind.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SocketReport {
    /// The socket's type.
    pub socket_type: crate::SocketType,
    /// What it was bound to, wildcards resolved, and connected to; nothing if it was closing before.
    pub endpoints: Vec<Endpoint>,
    /// As [`CloseReport::unsent`].
    pub unsent: u64,
}

impl ShutdownReport {
    /// [`SocketReport::unsent`] of all sockets together.
    #[must_use]
    pub fn unsent(&self) -> u64 {
        self.sockets.iter().map(|socket| socket.unsent).sum()
    }
}
