//! A socket whose type is known only when the program runs.

use privateer::core::{
    BindError, CloseReport, CollectorSocket, ConnectError, DealerSocket, Endpoint, Frame, Linger,
    Message, Monitor, NoRuntime, PairSocket, Peer, PubSocket, PullSocket, PushSocket, RecvError,
    RepSocket, ReqSocket, RouterSocket, RoutingId, SendError, SocketOptions, SocketType,
    StreamSocket, SubSocket, TopicTooLong, XpubSocket, XsubSocket,
};

/// One of the types.
pub(crate) enum Socket {
    Req(ReqSocket),
    Rep(RepSocket),
    Dealer(DealerSocket),
    Router(RouterSocket),
    Push(PushSocket),
    Pull(PullSocket),
    Pair(PairSocket),
    Pub(PubSocket),
    Sub(SubSocket),
    Xpub(XpubSocket),
    Xsub(XsubSocket),
    Stream(StreamSocket),
    Collector(CollectorSocket),
}

/// Does the same with a socket of any type.
macro_rules! each {
    ($socket:expr, $name:ident => $action:expr) => {
        match $socket {
            Self::Req($name) => $action,
            Self::Rep($name) => $action,
            Self::Dealer($name) => $action,
            Self::Router($name) => $action,
            Self::Push($name) => $action,
            Self::Pull($name) => $action,
            Self::Pair($name) => $action,
            Self::Pub($name) => $action,
            Self::Sub($name) => $action,
            Self::Xpub($name) => $action,
            Self::Xsub($name) => $action,
            Self::Stream($name) => $action,
            Self::Collector($name) => $action,
        }
    };
}

impl Socket {
    /// A socket of this type, which [`Arguments::check`](super::arguments::Arguments::check) let pass.
    pub(crate) fn new(socket_type: SocketType, options: SocketOptions) -> Result<Self, NoRuntime> {
        Ok(match socket_type {
            SocketType::Req => Self::Req(ReqSocket::with_options(options)?),
            SocketType::Rep => Self::Rep(RepSocket::with_options(options)?),
            SocketType::Dealer => Self::Dealer(DealerSocket::with_options(options)?),
            SocketType::Router => Self::Router(RouterSocket::with_options(options)?),
            SocketType::Push => Self::Push(PushSocket::with_options(options)?),
            SocketType::Pull => Self::Pull(PullSocket::with_options(options)?),
            SocketType::Pub => Self::Pub(PubSocket::with_options(options)?),
            SocketType::Sub => Self::Sub(SubSocket::with_options(options)?),
            SocketType::Xpub => Self::Xpub(XpubSocket::with_options(options)?),
            SocketType::Xsub => Self::Xsub(XsubSocket::with_options(options)?),
            SocketType::Stream => Self::Stream(StreamSocket::with_options(options)?),
            SocketType::Collector => Self::Collector(CollectorSocket::with_options(options)?),
            _ => Self::Pair(PairSocket::with_options(options)?),
        })
    }

    pub(crate) async fn bind(&self, endpoint: &Endpoint) -> Result<Endpoint, BindError> {
        each!(self, socket => socket.bind(endpoint).await)
    }

    pub(crate) fn connect(&self, endpoint: &Endpoint) -> Result<(), ConnectError> {
        each!(self, socket => socket.connect(endpoint))
    }

    pub(crate) fn monitor(&self) -> Monitor {
        each!(self, socket => socket.monitor())
    }

    /// How many peers are there.
    pub(crate) fn peers(&self) -> usize {
        each!(self, socket => socket.peers().len())
    }

    /// Asks for messages that begin so.
    pub(crate) fn subscribe(&self, topic: &str) -> Result<(), TopicTooLong> {
        match self {
            Self::Sub(socket) => socket.subscribe(topic),
            Self::Xsub(socket) => socket.subscribe(topic),
            Self::Collector(socket) => socket.subscribe(topic),
            _ => Ok(()),
        }
    }

    /// Waits until so many peers would get this message; for ever with sockets that do not publish.
    pub(crate) async fn wait_for(&self, message: &Option<Message>, peers: usize) {
        let topic = message.iter().flat_map(Message::frames).next();
        match (self, topic) {
            (Self::Pub(socket), Some(topic)) => socket.wait_for(topic, peers).await,
            (Self::Xpub(socket), Some(topic)) => socket.wait_for(topic, peers).await,
            _ => std::future::pending().await,
        }
    }

    pub(crate) async fn close(self, linger: Linger) -> CloseReport {
        each!(self, socket => socket.close_with(linger).await)
    }

    /// Sends a message; with ROUTER and STREAM its first frame is the routing id of whom it is for.
    ///
    /// None is never sent, and dropped before it is ready, neither is a message.
    pub(crate) async fn send(&self, message: &Option<Message>) -> Result<(), SendError> {
        let Some(message) = message.clone() else {
            return std::future::pending().await;
        };
        match self {
            Self::Req(socket) => socket.send(message).await,
            Self::Rep(socket) => socket.send(message).await,
            Self::Dealer(socket) => socket.send(message).await,
            Self::Router(socket) => {
                let (id, body) = message.split_first();
                let body = body.unwrap_or_else(|| Frame::empty().into());
                socket.send(&RoutingId::from_frame(id), body).await
            }
            Self::Push(socket) => socket.send(message).await,
            Self::Stream(socket) => {
                let (id, octets) = message.split_first();
                let octets = octets.unwrap_or_else(|| Frame::empty().into());
                socket.send(&RoutingId::from_frame(id), octets).await
            }
            Self::Pull(_) | Self::Sub(_) | Self::Collector(_) => std::future::pending().await,
            Self::Pair(socket) => socket.send(message).await,
            Self::Pub(socket) => socket.send(message).await,
            Self::Xpub(socket) => socket.send(message).await,
            Self::Xsub(socket) => socket.send(message).await,
        }
    }

    /// Receives a message; with ROUTER and STREAM its first frame is the routing id of who sent it.
    pub(crate) async fn recv(&self) -> Result<Message, RecvError> {
        match self {
            Self::Req(socket) => socket.recv().await,
            Self::Rep(socket) => socket.recv().await,
            Self::Dealer(socket) => socket.recv().await,
            Self::Router(socket) => socket.recv().await.map(addressed),
            Self::Stream(socket) => socket.recv().await.map(addressed),
            Self::Collector(socket) => socket.recv().await,
            Self::Push(_) | Self::Pub(_) => std::future::pending().await,
            Self::Pull(socket) => socket.recv().await,
            Self::Sub(socket) => socket.recv().await,
            Self::Xpub(socket) => socket.recv().await,
            Self::Xsub(socket) => socket.recv().await,
            Self::Pair(socket) => socket.recv().await,
        }
    }
}

/// A message with the routing id of who sent it before it.
fn addressed((peer, message): (Peer, Message)) -> Message {
    let id = std::iter::once(peer.routing_id().as_frame().clone());
    Message::from_frames(id.chain(message).collect()).unwrap_or_else(|| Frame::empty().into())
}
