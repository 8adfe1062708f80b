//! [`SocketOptions`] of the first and the last message of a connection.

use super::SocketOptions;
use crate::message::Message;

/// Which connections a ROUTER's owner is told of by an empty message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RouterNotify {
    /// None.
    #[default]
    Off,
    /// Those that are there: the message is the first of the peer.
    Connects,
    /// Those that are gone: the message is the last of the peer.
    Disconnects,
    /// Both.
    Both,
}

impl RouterNotify {
    pub(crate) const fn of_connects(self) -> bool {
        matches!(self, Self::Connects | Self::Both)
    }

    pub(crate) const fn of_disconnects(self) -> bool {
        matches!(self, Self::Disconnects | Self::Both)
    }
}

/// What is said at the beginning and at the end of a connection.
#[derive(Clone, Debug)]
pub(crate) struct Greeting {
    pub(crate) hello_message: Option<Message>,
    pub(crate) probe_router: bool,
    pub(crate) router_notify: RouterNotify,
    pub(crate) disconnect_message: Option<Message>,
    pub(crate) hiccup_message: Option<Message>,
    pub(crate) stream_notify: bool,
}

impl Default for Greeting {
    fn default() -> Self {
        Self {
            hello_message: None,
            probe_router: false,
            router_notify: RouterNotify::Off,
            disconnect_message: None,
            hiccup_message: None,
            stream_notify: true,
        }
    }
}

impl SocketOptions {
    /// The first message on every new connection, before anything that is queued.
    /// - Default: none
    /// - Range: any message
    /// - Applies to: PUSH, DEALER, ROUTER, PAIR
    /// - Takes effect: when the socket is made
    /// - libzmq: `ZMQ_HELLO_MSG`
    #[must_use]
    pub fn hello_message(mut self, message: impl Into<Message>) -> Self {
        self.greeting.hello_message = Some(message.into());
        self
    }

    /// Sends an empty message on every new connection to a ROUTER, before anything that is queued but the hello message.
    ///
    /// So the ROUTER knows who is there, and can send first. libzmq's sends one to other peers, too, and none on a
    /// connection that takes the place of a lost one.
    /// - Default: off
    /// - Applies to: REQ, DEALER, ROUTER
    /// - Takes effect: when the socket is made
    /// - libzmq: `ZMQ_PROBE_ROUTER`
    #[must_use]
    pub fn probe_router(mut self) -> Self {
        self.greeting.probe_router = true;
        self
    }

    /// Which peers that come and go the owner is told of, by an empty message that they did not send.
    ///
    /// It is in order with the peer's messages, and goes through proxies. [`PeerEvent`](crate::PeerEvent) tells the same
    /// without any option, and cannot be taken for a message. A connection that is closed by this side, or handed over,
    /// has no last message.
    /// - Default: `Off`
    /// - Range: `Off` or `Connects` or `Disconnects` or `Both`
    /// - Applies to: ROUTER
    /// - Takes effect: when the socket is made
    /// - libzmq: `ZMQ_ROUTER_NOTIFY`
    #[must_use]
    pub fn router_notify(mut self, which: RouterNotify) -> Self {
        self.greeting.router_notify = which;
        self
    }

    /// What the owner receives in the name of a peer that had connected to this socket and is gone, as its last message.
    ///
    /// A connection that is closed by this side, or handed over, has none.
    /// - Default: none
    /// - Range: any message
    /// - Applies to: ROUTER
    /// - Takes effect: when the socket is made
    /// - libzmq: `ZMQ_DISCONNECT_MSG`
    #[must_use]
    pub fn disconnect_message(mut self, message: impl Into<Message>) -> Self {
        self.greeting.disconnect_message = Some(message.into());
        self
    }

    /// What the owner receives when a connection that this socket had made is lost, as its last message.
    ///
    /// A connection that is closed by this side has none.
    /// - Default: none
    /// - Range: any message
    /// - Applies to: DEALER
    /// - Takes effect: when the socket is made
    /// - libzmq: `ZMQ_HICCUP_MSG`
    #[must_use]
    pub fn hiccup_message(mut self, message: impl Into<Message>) -> Self {
        self.greeting.hiccup_message = Some(message.into());
        self
    }

    /// Whether the owner is told by an empty message that a connection is there, and by another that it is lost.
    ///
    /// What is received is never empty otherwise. A connection that is closed by this side has no last message.
    /// - Default: on
    /// - Applies to: STREAM
    /// - Takes effect: when the socket is made
    /// - libzmq: `ZMQ_STREAM_NOTIFY`
    #[must_use]
    pub const fn stream_notify(mut self, notify: bool) -> Self {
        self.greeting.stream_notify = notify;
        self
    }
}
