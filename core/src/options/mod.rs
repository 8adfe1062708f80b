//! [`SocketOptions`]: each option once, with unit, default, range and libzmq's name.

mod admission;
mod busy_poll;
mod connecting;
mod greeting;
mod heartbeat;
mod kernel;
mod metadata;
#[cfg(feature = "metrics")]
mod metrics;
mod pubsub;
mod queues;
mod reconnect;
mod routing;

pub use admission::Incoming;
pub(crate) use admission::{AcceptHook, IpcFilters};
pub use busy_poll::BusyPoll;
pub(crate) use greeting::Greeting;
pub use greeting::RouterNotify;
pub(crate) use kernel::KernelOptions;
pub use kernel::TcpKeepalive;
pub use metadata::InvalidProperty;
pub(crate) use pubsub::PubSubOptions;
pub use pubsub::{Manual, Verbosity};
pub use reconnect::ReconnectPolicy;

use std::num::{NonZeroU64, NonZeroUsize};
use std::time::Duration;

use bytes::Bytes;
use tokio::runtime::Handle;

use crate::conflated::Conflate;
use crate::context::Context;
use crate::pipe::Limits;
use crate::routing_id::RoutingId;

/// How a socket behaves. Fixed when the socket is made.
///
/// Each setter's page has the same list, and the book's chapter on options has all of them as tables, with the reason for
/// each default.
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
    pub(crate) has_linger: bool,
    pub(crate) reconnect_interval: Duration,
    pub(crate) reconnect_interval_max: Duration,
    pub(crate) reconnect_policy: reconnect::Policies,
    pub(crate) connect_timeout: Duration,
    pub(crate) handshake_timeout: Duration,
    pub(crate) heartbeat_interval: Option<Duration>,
    pub(crate) heartbeat_timeout: Duration,
    pub(crate) heartbeat_ttl: Option<Duration>,
    pub(crate) busy_poll: BusyPoll,
    pub(crate) max_message_size: Option<NonZeroU64>,
    pub(crate) immediate: bool,
    pub(crate) conflate: Conflate,
    pub(crate) routing_id: Option<RoutingId>,
    pub(crate) greeting: Box<Greeting>,
    pub(crate) properties: Vec<(String, Bytes)>,
    pub(crate) backlog: u32,
    pub(crate) kernel: KernelOptions,
    pub(crate) accept_hook: Option<AcceptHook>,
    pub(crate) max_connections_per_address: Option<NonZeroUsize>,
    pub(crate) ipc_filters: IpcFilters,
    pub(crate) pubsub: PubSubOptions,
    pub(crate) router_mandatory: bool,
    pub(crate) router_handover: bool,
    pub(crate) router_names_all: bool,
    pub(crate) req_lockstep: bool,
    pub(crate) inproc_reattach: bool,
    #[cfg(feature = "metrics")]
    pub(crate) metrics: Option<std::sync::Arc<str>>,
    pub(crate) context: Context,
    pub(crate) runtime: Option<Handle>,
}

/// How long unsent messages survive `close` and `disconnect`.
///
/// A message is sent when the operating system has taken it. Over tcp that is not yet with the peer: a system resets a
/// connection on which the peer says something, a subscription for example, when the socket is closed already, and forgets
/// what it has taken. While a socket lingers it reads until its peers have read everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Linger {
    /// They are discarded at once.
    Discard,
    /// They may still go out for this long.
    For(Duration),
    /// Until they are sent, however long that takes.
    Forever,
}

const DEFAULT_HWM: NonZeroUsize = NonZeroUsize::new(1000).unwrap();
const DEFAULT_MAX_MESSAGE_SIZE: NonZeroU64 = NonZeroU64::new(64 * 1024 * 1024).unwrap();

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
            has_linger: false,
            reconnect_interval: Duration::from_millis(100),
            reconnect_interval_max: Duration::from_secs(30),
            reconnect_policy: reconnect::Policies::new(),
            connect_timeout: Duration::from_secs(30),
            handshake_timeout: Duration::from_secs(30),
            heartbeat_interval: Some(Duration::from_secs(30)),
            heartbeat_timeout: Duration::from_secs(10),
            heartbeat_ttl: None,
            busy_poll: BusyPoll::Auto,
            max_message_size: Some(DEFAULT_MAX_MESSAGE_SIZE),
            immediate: false,
            conflate: Conflate::Off,
            routing_id: None,
            greeting: Box::default(),
            properties: Vec::new(),
            backlog: 100,
            kernel: KernelOptions::default(),
            accept_hook: None,
            max_connections_per_address: None,
            ipc_filters: IpcFilters::default(),
            pubsub: PubSubOptions::default(),
            router_mandatory: true,
            router_handover: false,
            router_names_all: false,
            req_lockstep: false,
            inproc_reattach: false,
            #[cfg(feature = "metrics")]
            metrics: None,
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

    /// The name space of inproc and memory endpoints.
    /// - Default: one that all sockets of the process share
    /// - Applies to: inproc and memory
    /// - Takes effect: when the socket is made
    /// - libzmq: none
    #[must_use]
    pub fn context(mut self, context: &Context) -> Self {
        self.context = context.clone();
        self
    }

    /// The Tokio runtime that runs the socket's connections.
    ///
    /// It needs a timer (`enable_time`); without one the socket is not made
    /// ([`NoRuntime::WithoutTimer`](crate::NoRuntime::WithoutTimer)). For tcp and ipc it needs I/O (`enable_io`); without
    /// it `bind` and `connect` fail ([`BindError::NoIo`](crate::BindError::NoIo),
    /// [`ConnectError::NoIo`](crate::ConnectError::NoIo)). Tokio tells so by a panic, which is caught and printed; a program
    /// whose panics abort is aborted there.
    /// - Default: the one at hand where the socket is made
    /// - Applies to: all sockets
    /// - Takes effect: when the socket is made
    /// - libzmq: in place of `ZMQ_IO_THREADS` and `ZMQ_AFFINITY`
    #[must_use]
    pub fn runtime(mut self, runtime: Handle) -> Self {
        self.runtime = Some(runtime);
        self
    }
}

/// Times that are no times would make connections fail at once, or tasks spin.
const fn at_least_1_ms(time: Duration) -> Duration {
    if time.as_millis() == 0 {
        Duration::from_millis(1)
    } else {
        time
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_that_are_none_count_as_a_millisecond() {
        let (none, least) = (Duration::from_micros(999), Duration::from_millis(1));
        let options = SocketOptions::new()
            .connect_timeout(none)
            .handshake_timeout(none)
            .reconnect_interval(none)
            .heartbeat_timeout(none);
        let times = [
            options.connect_timeout,
            options.handshake_timeout,
            options.reconnect_interval,
            options.heartbeat_timeout,
        ];
        assert_eq!(times, [least; 4]);
    }
}
