//! What actors need of sockets, whatever their type.

use std::time::Duration;

use privateer::core::{
    BindError, DealerSocket, Linger, Message, PairSocket, Peer, PubSocket, PullSocket, PushSocket,
    RecvError, RepSocket, ReqSocket, RouterSocket, SendError, SocketOptions, SocketStats,
    SubSocket, Subscribed, XpubSocket, XsubSocket,
};
use tokio::time::sleep;

use super::world::Line;

/// What all sockets have in common.
pub(crate) trait Socket: Sized + Send + Sync + 'static {
    fn with(options: SocketOptions) -> Self;
    fn try_bind(&self, endpoint: &str) -> impl Future<Output = Result<(), BindError>> + Send;
    fn connect_to(&self, endpoint: &str);
    fn counts(&self) -> SocketStats;
    /// Closes it; returns how many messages were not sent.
    fn end(self, linger: Linger) -> impl Future<Output = u64> + Send;

    /// Binds or connects it to all these lines.
    fn attach(&self, lines: &[Line], side: Side) -> impl Future<Output = ()> + Send {
        async move {
            for line in lines {
                match side {
                    Side::Connects => self.connect_to(&line.connect),
                    Side::Binds => self.bind_to(&line.bind).await,
                }
            }
        }
    }

    /// Binds it, once whoever was bound there before has ended.
    fn bind_to(&self, endpoint: &str) -> impl Future<Output = ()> + Send {
        async move {
            for _ in 0..60_000 {
                match self.try_bind(endpoint).await {
                    Ok(()) => return,
                    Err(BindError::InUse { .. }) => sleep(Duration::from_millis(1)).await,
                    Err(error) => panic!("{error}"),
                }
            }
            panic!("nobody frees {endpoint}");
        }
    }
}

/// Who of two sockets binds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Binds,
    Connects,
}

impl Side {
    pub(crate) fn any(rng: &mut fastrand::Rng) -> Self {
        if rng.bool() {
            Self::Binds
        } else {
            Self::Connects
        }
    }

    pub(crate) fn other(self) -> Self {
        match self {
            Self::Binds => Self::Connects,
            Self::Connects => Self::Binds,
        }
    }
}

/// What sends to whoever is next.
pub(crate) trait Sends: Socket {
    fn send_on(&self, message: Message) -> impl Future<Output = Result<(), SendError>> + Send;
    fn try_send_on(&self, message: Message) -> Result<(), SendError>;
}

/// What receives from whoever is next.
pub(crate) trait Receives: Socket {
    fn recv_on(&self) -> impl Future<Output = Result<(Peer, Message), RecvError>> + Send;
}

/// What publishes.
pub(crate) trait Publishes: Socket {
    fn publish(&self, message: Message) -> impl Future<Output = Result<(), SendError>> + Send;
    fn try_publish(&self, message: Message) -> Result<(), SendError>;
    /// What it hears of its peers, if it does: `1 | topic`, `0 | topic`.
    fn try_hear(&self) -> Option<Message>;
    /// Whether it hears of subscriptions.
    const HEARS: bool;
}

/// What subscribes.
pub(crate) trait Subscribes: Receives {
    fn want(&self, topic: &str);
    fn want_no_more(&self, topic: &str);
    fn are_told(&self, publishers: usize) -> impl Future<Output = Subscribed> + Send;
    /// Whether it receives only what it is subscribed to at that time.
    const FILTERS: bool;
}

macro_rules! sockets {
    ($($name:ident)*) => {$(
        impl Socket for $name {
            fn with(options: SocketOptions) -> Self {
                Self::with_options(options).unwrap()
            }
            async fn try_bind(&self, endpoint: &str) -> Result<(), BindError> {
                self.bind(endpoint).await.map(drop)
            }
            fn connect_to(&self, endpoint: &str) {
                self.connect(endpoint).unwrap();
            }
            fn counts(&self) -> SocketStats {
                self.stats()
            }
            async fn end(self, linger: Linger) -> u64 {
                self.close_with(linger).await.unsent
            }
        }
    )*};
}

macro_rules! senders {
    ($($name:ident)*) => {$(
        impl Sends for $name {
            fn send_on(&self, message: Message) -> impl Future<Output = Result<(), SendError>> + Send {
                self.send(message)
            }
            fn try_send_on(&self, message: Message) -> Result<(), SendError> {
                self.try_send(message)
            }
        }
    )*};
}

macro_rules! receivers {
    ($($name:ident, $method:ident;)*) => {$(
        impl Receives for $name {
            fn recv_on(&self) -> impl Future<Output = Result<(Peer, Message), RecvError>> + Send {
                self.$method()
            }
        }
    )*};
}

macro_rules! publishers {
    ($($name:ident, $hears:literal, |$socket:ident| $heard:expr;)*) => {$(
        impl Publishes for $name {
            fn publish(&self, message: Message) -> impl Future<Output = Result<(), SendError>> + Send {
                self.send(message)
            }
            fn try_publish(&self, message: Message) -> Result<(), SendError> {
                self.try_send(message)
            }
            fn try_hear(&self) -> Option<Message> {
                let $socket = self;
                $heard
            }
            const HEARS: bool = $hears;
        }
    )*};
}

macro_rules! subscribers {
    ($($name:ident, $filters:literal;)*) => {$(
        impl Subscribes for $name {
            fn want(&self, topic: &str) {
                self.subscribe(topic).unwrap();
            }
            fn want_no_more(&self, topic: &str) {
                assert!(self.unsubscribe(topic));
            }
            fn are_told(&self, publishers: usize) -> impl Future<Output = Subscribed> + Send {
                self.subscribed(publishers)
            }
            const FILTERS: bool = $filters;
        }
    )*};
}

sockets! {
    PairSocket PushSocket PullSocket DealerSocket RouterSocket ReqSocket RepSocket PubSocket SubSocket XpubSocket
    XsubSocket
}
senders! { PushSocket DealerSocket PairSocket }
receivers! {
    PullSocket, recv_from; DealerSocket, recv_from; PairSocket, recv_from; RouterSocket, recv; SubSocket, recv_from;
    XsubSocket, recv_from;
}
publishers! {
    PubSocket, false, |_socket| None;
    XpubSocket, true, |socket| socket.try_recv().ok();
}
subscribers! { SubSocket, true; XsubSocket, false; }
