#![doc = include_str!("../README.md")]

mod adopted;
#[cfg(test)]
mod arbitrary;
mod conflated;
mod connection;
mod context;
mod decode;
mod encoded;
mod ending;
mod endpoint;
mod error;
#[cfg(feature = "metrics")]
mod export;
mod frame;
#[cfg(fuzzing)]
pub mod fuzzing;
mod io;
mod message;
mod monitor;
mod network;
mod options;
mod parcel;
mod peer;
mod pipe;
// Not inside of the pipe: tests/pipe_model.rs compiles it again, with locks that these tests could not take.
#[cfg(test)]
#[path = "pipe/tests/mod.rs"]
mod pipe_tests;
mod proxy;
mod read_buffer;
mod routing;
mod routing_id;
mod segment;
mod socket;
mod socket_type;
mod sync;
mod watch;
mod zmtp;

pub use adopted::StdListener;
pub use conflated::Conflate;
pub use connection::Connection;
pub use context::Context;
pub use endpoint::{Endpoint, EndpointError};
pub use error::{
    BindError, CloseReport, ConnectError, EndpointNotFound, NoRuntime, RecvError, SendError,
    SendErrorKind, ShutdownReport, SocketReport, Unroutable,
};
pub use frame::Frame;
pub use message::Message;
pub use monitor::{
    ConnectFailure, DisconnectReason, DropReason, FailureClass, HandshakeFailure, Lagged, Monitor,
    SocketEvent, TimedEvent,
};
pub use network::Network;
pub use options::{
    BusyPoll, Incoming, InvalidProperty, Linger, Manual, ReconnectPolicy, RouterNotify,
    SocketOptions, TcpKeepalive, Verbosity,
};
pub use peer::{Direction, Peer, PeerId};
pub use proxy::{
    ControlSocket, Proxy, ProxyEnd, ProxyHandle, ProxyReport, ProxySide, ProxyStats, TapSocket,
    Volume,
};
pub use routing_id::{InvalidRoutingId, RoutingId};
pub use socket::{
    Addressee, CollectorSocket, DealerSocket, PairSocket, PeerEvent, PubSocket, PullSocket,
    PushSocket, RepSocket, ReqSocket, RequestError, RouterSocket, SocketStats, StreamSocket,
    SubSocket, Subscribed, SubscriptionRequest, TopicTooLong, XpubEvent, XpubSocket, XsubSocket,
};
pub use socket_type::SocketType;
pub use zmtp::handshake::{HandshakeError, MalformedHandshake};
pub use zmtp::traffic::PeerMisbehaved;
