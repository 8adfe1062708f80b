//! [`SocketOptions`]: each option once, with unit, default, range and libzmq's name.

use std::num::{NonZeroU64, NonZeroUsize};
use std::time::Duration;

use bytes::Bytes;
use tokio::runtime::Handle;

use crate::context::Context;
use crate::message::Message;
use crate::pipe::Limits;
use crate::routing_id::RoutingId;

/// How a socket behaves. Fixed when the socket is made.
///
/// # Example
/// ```
/// use std::time::Duration;
/// use privateer_core::{Linger, SocketOptions};
///
/// let options = SocketOptions::new()
///     .send_hwm(std::num::NonZeroUsize::new(10))
///     .linger(Linger::For(Duration::from_millis(500)));
/// ```
#[derive(Clone, Debug)]
pub struct SocketOptions {
    pub(crate) send: Limits,
    pub(crate) recv: Limits,
    pub(crate) linger: Linger,
    pub(crate) reconnect_interval: Duration,
    pub(crate) reconnect_interval_max: Duration,
    pub(crate) connect_timeout: Duration,
    pub(crate) handshake_timeout: Duration,
    pub(crate) heartbeat_interval: Option<Duration>,
    pub(crate) heartbeat_timeout: Duration,
    pub(crate) max_message_size: Option<NonZeroU64>,
    pub(crate) immediate: bool,
    pub(crate) routing_id: Option<RoutingId>,
    pub(crate) hello_message: Option<Message>,
    pub(crate) properties: Vec<(String, Bytes)>,
    pub(crate) backlog: u32,
    pub(crate) router_mandatory: bool,
    pub(crate) router_handover: bool,
    pub(crate) req_lockstep: bool,
    pub(crate) inproc_reattach: bool,
    pub(crate) context: Context,
    pub(crate) runtime: Option<Handle>,
}

/// How long unsent messages survive `close` and `disconnect`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Linger {
    /// They are discarded at once.
    Discard,
    /// They may still go out for this long.
    For(Duration),
    /// Until they are sent, however long that takes.
    Forever,
}

/// A READY property that cannot be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidProperty {
    /// Applications may only use names that begin with `X-` (RFC 37).
    #[error("the name of a property must begin with \"X-\"")]
    Reserved,
    /// The name has more than 255 bytes, or bytes other than letters, digits and `-_.+`.
    #[error("the name of a property has at most 255 letters, digits, and - _ . +")]
    Name,
    /// All properties together would make READY longer than a command may be.
    #[error("the value of a property has at most 16384 bytes")]
    TooLong,
}

const DEFAULT_HWM: NonZeroUsize = NonZeroUsize::new(1000).unwrap();
const DEFAULT_MAX_MESSAGE_SIZE: NonZeroU64 = NonZeroU64::new(64 * 1024 * 1024).unwrap();
/// Bytes of one property's value.
const PROPERTY_MAX: usize = 16 * 1024;

impl Default for SocketOptions {
    fn default() -> Self {
        let limits = Limits {
            messages: Some(DEFAULT_HWM),
            bytes: None,
        };
        Self {
            send: limits,
            recv: limits,
            linger: Linger::For(Duration::from_secs(1)),
            reconnect_interval: Duration::from_millis(100),
            reconnect_interval_max: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(30),
            handshake_timeout: Duration::from_secs(30),
            heartbeat_interval: Some(Duration::from_secs(30)),
            heartbeat_timeout: Duration::from_secs(10),
            max_message_size: Some(DEFAULT_MAX_MESSAGE_SIZE),
            immediate: false,
            routing_id: None,
            hello_message: None,
            properties: Vec::new(),
            backlog: 100,
            router_mandatory: true,
            router_handover: false,
            req_lockstep: false,
            inproc_reattach: false,
            context: Context::global(),
            runtime: None,
        }
    }
}

impl SocketOptions {
    /// The defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many messages may wait for one peer before the socket is mute for it.
    /// - Unit: messages per peer; a multipart message counts as one
    /// - Default: 1000
    /// - Range: 1 and up; `None` for no limit
    /// - Applies to: every socket that sends
    /// - libzmq: `ZMQ_SNDHWM`
    #[must_use]
    pub const fn send_hwm(mut self, messages: Option<NonZeroUsize>) -> Self {
        self.send.messages = messages;
        self
    }

    /// How many messages from one peer may wait to be received before its connection is not read any more.
    /// - Unit: messages per peer; up to one read buffer (256 KiB) may wait beside them
    /// - Default: 1000
    /// - Range: 1 and up; `None` for no limit
    /// - Applies to: every socket that receives
    /// - libzmq: `ZMQ_RCVHWM`
    #[must_use]
    pub const fn recv_hwm(mut self, messages: Option<NonZeroUsize>) -> Self {
        self.recv.messages = messages;
        self
    }

    /// How many bytes may wait for one peer before the socket is mute for it, beside the high-water mark.
    /// - Unit: bytes of encoded frames per peer; one message may pass it
    /// - Default: `None`, no limit
    /// - Range: 1 and up
    /// - Applies to: every socket that sends
    /// - libzmq: none
    #[must_use]
    pub const fn send_byte_budget(mut self, bytes: Option<NonZeroUsize>) -> Self {
        self.send.bytes = bytes;
        self
    }

    /// How many bytes from one peer may wait to be received, beside the high-water mark.
    /// - Unit: bytes of encoded frames per peer; what was read at once (at most 256 KiB, or one message) may pass it
    /// - Default: `None`, no limit
    /// - Range: 1 and up
    /// - Applies to: every socket that receives
    /// - libzmq: none
    #[must_use]
    pub const fn recv_byte_budget(mut self, bytes: Option<NonZeroUsize>) -> Self {
        self.recv.bytes = bytes;
        self
    }

    /// How long unsent messages survive `close`, `disconnect`, and the drop of the socket.
    /// - Default: one second; libzmq's is for ever, which makes programs hang that have nobody to send to
    /// - Applies to: all sockets
    /// - libzmq: `ZMQ_LINGER`
    #[must_use]
    pub const fn linger(mut self, linger: Linger) -> Self {
        self.linger = linger;
        self
    }

    /// How long to wait before the second try to connect; each further wait may be twice as long.
    ///
    /// Each wait is drawn at random from zero to its length, so that many clients do not come back at once.
    /// - Default: 100 ms
    /// - Range: 1 ms and up, shorter counts as 1 ms
    /// - Applies to: connected endpoints over tcp and ipc
    /// - libzmq: `ZMQ_RECONNECT_IVL`
    #[must_use]
    pub const fn reconnect_interval(mut self, interval: Duration) -> Self {
        self.reconnect_interval = interval;
        self
    }

    /// The longest wait between two tries to connect.
    /// - Default: 30 s
    /// - Range: the reconnect interval and up, shorter counts as that
    /// - Applies to: connected endpoints over tcp and ipc
    /// - libzmq: `ZMQ_RECONNECT_IVL_MAX`
    #[must_use]
    pub const fn reconnect_interval_max(mut self, interval: Duration) -> Self {
        self.reconnect_interval_max = interval;
        self
    }

    /// How long the transport may take to connect.
    /// - Default: 30 s
    /// - Applies to: connected endpoints over tcp and ipc
    /// - libzmq: `ZMQ_CONNECT_TIMEOUT`
    #[must_use]
    pub const fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// How long greeting and handshake may take together.
    /// - Default: 30 s
    /// - Applies to: tcp and ipc
    /// - libzmq: `ZMQ_HANDSHAKE_IVL`
    #[must_use]
    pub const fn handshake_timeout(mut self, timeout: Duration) -> Self {
        self.handshake_timeout = timeout;
        self
    }

    /// After how long without any input a peer is sent a PING (RFC 37, Connection Heartbeating).
    ///
    /// Peers that speak ZMTP 3.0 get none, since some of them do not know it.
    /// - Default: 30 s
    /// - Range: 1 ms and up, shorter counts as 1 ms; `None` for never
    /// - Applies to: tcp and ipc
    /// - libzmq: `ZMQ_HEARTBEAT_IVL`
    #[must_use]
    pub const fn heartbeat_interval(mut self, interval: Option<Duration>) -> Self {
        self.heartbeat_interval = interval;
        self
    }

    /// How long after a PING was sent a peer may stay silent; any octet that arrives counts as life.
    /// - Default: 10 s
    /// - Applies to: tcp and ipc
    /// - libzmq: `ZMQ_HEARTBEAT_TIMEOUT`
    #[must_use]
    pub const fn heartbeat_timeout(mut self, timeout: Duration) -> Self {
        self.heartbeat_timeout = timeout;
        self
    }

    /// The largest frame that is received; a peer that sends a larger one is disconnected.
    ///
    /// All frames of a message together may have four times as much.
    /// - Unit: bytes of a frame's body
    /// - Default: 64 MiB
    /// - Range: 1 and up; `None` for no limit
    /// - Applies to: tcp and ipc
    /// - libzmq: `ZMQ_MAXMSGSIZE`
    #[must_use]
    pub const fn max_message_size(mut self, bytes: Option<NonZeroU64>) -> Self {
        self.max_message_size = bytes;
        self
    }

    /// Gives messages to established connections only: nothing waits for a peer that is not there yet, and what waits
    /// for a connection is lost with it.
    /// - Default: off
    /// - Applies to: PUSH, DEALER, PAIR; the others always work so
    /// - libzmq: `ZMQ_IMMEDIATE`
    #[must_use]
    pub const fn immediate(mut self) -> Self {
        self.immediate = true;
        self
    }

    /// By what name a peer's ROUTER addresses this socket.
    /// - Default: none, the ROUTER gives one to each connection
    /// - Applies to: REQ, DEALER, ROUTER
    /// - libzmq: `ZMQ_ROUTING_ID`
    #[must_use]
    pub fn routing_id(mut self, id: RoutingId) -> Self {
        self.routing_id = Some(id);
        self
    }

    /// The first message on every new connection, before anything that is queued.
    /// - Default: none
    /// - Applies to: PUSH, DEALER, ROUTER, PAIR
    /// - libzmq: `ZMQ_HELLO_MSG`
    #[must_use]
    pub fn hello_message(mut self, message: impl Into<Message>) -> Self {
        self.hello_message = Some(message.into());
        self
    }

    /// A property of this socket's READY, which peers see as [`Peer::property`](crate::Peer::property).
    /// - Default: none
    /// - Applies to: all sockets
    /// - libzmq: `ZMQ_METADATA`
    ///
    /// # Errors
    /// [`InvalidProperty`] if the name does not begin with `X-` or is no name, or if the value has more than 16 KiB;
    /// there is no other.
    pub fn property(
        mut self,
        name: impl Into<String>,
        value: impl Into<Bytes>,
    ) -> Result<Self, InvalidProperty> {
        let (name, value) = (name.into(), value.into());
        let legal = |octet: u8| octet.is_ascii_alphanumeric() || b"-_.+".contains(&octet);
        if !name
            .get(..2)
            .is_some_and(|prefix| prefix.eq_ignore_ascii_case("X-"))
        {
            return Err(InvalidProperty::Reserved);
        }
        if name.len() > 255 || !name.bytes().all(legal) {
            return Err(InvalidProperty::Name);
        }
        let held: usize = self
            .properties
            .iter()
            .map(|(name, value)| name.len() + value.len())
            .sum();
        if held + value.len() > PROPERTY_MAX {
            return Err(InvalidProperty::TooLong);
        }
        self.properties
            .retain(|(other, _)| !other.eq_ignore_ascii_case(&name));
        self.properties.push((name, value));
        Ok(self)
    }

    /// How many connections the kernel accepts on behalf of a listener that is busy.
    /// - Default: 100
    /// - Applies to: bound endpoints over tcp and ipc
    /// - libzmq: `ZMQ_BACKLOG`
    #[must_use]
    pub const fn backlog(mut self, connections: u32) -> Self {
        self.backlog = connections;
        self
    }

    /// Whether sending to a peer that is not there, or whose pipe is full, is an error that gives the message back;
    /// otherwise the message is dropped and counted.
    /// - Default: on; libzmq's is off, which loses messages in silence
    /// - Applies to: ROUTER
    /// - libzmq: `ZMQ_ROUTER_MANDATORY`
    #[must_use]
    pub const fn router_mandatory(mut self, mandatory: bool) -> Self {
        self.router_mandatory = mandatory;
        self
    }

    /// Lets a newcomer take over the routing id of a connected peer, whose connection is then closed; otherwise the
    /// newcomer is refused.
    /// - Default: off
    /// - Applies to: ROUTER, REP
    /// - libzmq: `ZMQ_ROUTER_HANDOVER`
    #[must_use]
    pub const fn router_handover(mut self) -> Self {
        self.router_handover = true;
        self
    }

    /// Makes a REQ socket keep strictly to one request, one reply, as libzmq's does unless told otherwise.
    ///
    /// Without it a new request abandons the one before, and replies are matched with requests.
    /// - Default: off
    /// - Applies to: REQ
    /// - libzmq: the opposite of `ZMQ_REQ_RELAXED` together with `ZMQ_REQ_CORRELATE`
    #[must_use]
    pub const fn req_lockstep(mut self) -> Self {
        self.req_lockstep = true;
        self
    }

    /// Attaches again to an inproc name whose socket was closed, when the name is bound again.
    /// - Default: off, as in libzmq the endpoint is gone
    /// - Applies to: connected endpoints over inproc
    /// - libzmq: none
    #[must_use]
    pub const fn inproc_reattach(mut self) -> Self {
        self.inproc_reattach = true;
        self
    }

    /// The name space of inproc and memory endpoints.
    /// - Default: one that all sockets of the process share
    #[must_use]
    pub fn context(mut self, context: &Context) -> Self {
        self.context = context.clone();
        self
    }

    /// The Tokio runtime that runs the socket's connections.
    /// - Default: the one at hand where the socket is made
    /// - libzmq: in place of `ZMQ_IO_THREADS` and `ZMQ_AFFINITY`
    #[must_use]
    pub fn runtime(mut self, runtime: Handle) -> Self {
        self.runtime = Some(runtime);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_need_a_name_of_their_own() {
        let options = SocketOptions::new();
        assert!(options.clone().property("X-Version", "1").is_ok());
        let refused = |name: &str, value: Vec<u8>| options.clone().property(name, value).err();
        assert_eq!(refused("Identity", vec![]), Some(InvalidProperty::Reserved));
        assert_eq!(refused("X-\u{e9}", vec![]), Some(InvalidProperty::Name));
        assert_eq!(
            refused("X-a", vec![0; PROPERTY_MAX + 1]),
            Some(InvalidProperty::TooLong)
        );
    }
}
