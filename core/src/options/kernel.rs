//! [`SocketOptions`] of the operating system's sockets: IPv6, buffers, keepalive, type of service.

use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use super::{SocketOptions, at_least_1_ms};

/// What the operating system is told of its sockets.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct KernelOptions {
    pub(crate) ipv6: bool,
    pub(crate) send_buffer_size: Option<NonZeroUsize>,
    pub(crate) recv_buffer_size: Option<NonZeroUsize>,
    pub(crate) tcp_keepalive: TcpKeepalive,
    pub(crate) tcp_keepalive_idle: Option<Duration>,
    pub(crate) tcp_keepalive_interval: Option<Duration>,
    pub(crate) tcp_keepalive_count: Option<NonZeroU32>,
    pub(crate) tcp_maxrt: Option<Duration>,
    pub(crate) type_of_service: u8,
}

/// Whether the operating system probes idle tcp connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TcpKeepalive {
    /// As it does for sockets of which nothing is said; mostly it does not.
    #[default]
    System,
    /// It does not.
    Off,
    /// It does.
    On,
}

impl SocketOptions {
    /// Uses IPv6 beside IPv4: `tcp://*:port` binds to `[::]` and accepts both, and names stand for their addresses of
    /// both kinds, in the order of the resolver.
    ///
    /// Without it `*` is `0.0.0.0`, and names of hosts and interfaces stand for their IPv4 addresses. An address in
    /// brackets, such as `tcp://[::1]:5555`, needs no option. Where the kernel has no IPv6, `*` is `0.0.0.0` all the
    /// same. Peers that come by IPv4 are reported with their IPv4 address, never as `::ffff:a.b.c.d`.
    /// - Default: off
    /// - Applies to: tcp
    /// - Takes effect: when the socket is made
    /// - libzmq: `ZMQ_IPV6`
    #[must_use]
    pub const fn ipv6(mut self) -> Self {
        self.kernel.ipv6 = true;
        self
    }

    /// How much the kernel buffers of what is on its way to one peer.
    ///
    /// Linux doubles it to have room for its own records, and has a limit (`net.core.wmem_max`). A size that is given is
    /// fixed, where the kernel would otherwise find a fitting one as it goes.
    /// - Unit: bytes per connection
    /// - Default: `None`; that is the operating system's
    /// - Range: 1 and up or `None`; the kernel raises what is too little and lowers what is too much
    /// - Applies to: tcp and ipc
    /// - Takes effect: when the socket is made
    /// - libzmq: `ZMQ_SNDBUF`
    #[must_use]
    pub const fn send_buffer_size(mut self, bytes: Option<NonZeroUsize>) -> Self {
        self.kernel.send_buffer_size = bytes;
        self
    }

    /// How much the kernel buffers of what came from one peer and is not read yet.
    ///
    /// As for [`send_buffer_size`](Self::send_buffer_size); Linux's limit is `net.core.rmem_max`, and over ipc its
    /// send buffer alone counts.
    /// - Unit: bytes per connection
    /// - Default: `None`; that is the operating system's
    /// - Range: 1 and up or `None`; the kernel raises what is too little and lowers what is too much
    /// - Applies to: tcp and ipc
    /// - Takes effect: when the socket is made
    /// - libzmq: `ZMQ_RCVBUF`
    #[must_use]
    pub const fn recv_buffer_size(mut self, bytes: Option<NonZeroUsize>) -> Self {
        self.kernel.recv_buffer_size = bytes;
        self
    }

    /// Whether the kernel probes connections that are idle, and ends those that do not answer.
    ///
    /// Heartbeats do the same and more, but only to peers that speak ZMTP 3.1.
    /// - Default: `System`
    /// - Range: `System` or `Off` or `On`
    /// - Applies to: tcp
    /// - Takes effect: when the socket is made
    /// - libzmq: `ZMQ_TCP_KEEPALIVE`
    #[must_use]
    pub const fn tcp_keepalive(mut self, keepalive: TcpKeepalive) -> Self {
        self.kernel.tcp_keepalive = keepalive;
        self
    }

    /// After how long without any traffic the first probe is sent.
    /// - Default: `None`; that is the operating system's, on Linux two hours
    /// - Range: 1 s to 32,767 s or `None`; rounded up to whole seconds, and what is outside counts as the nearest
    /// - Applies to: tcp with `tcp_keepalive` on
    /// - Takes effect: when the socket is made
    /// - libzmq: `ZMQ_TCP_KEEPALIVE_IDLE`
    #[must_use]
    pub const fn tcp_keepalive_idle(mut self, idle: Option<Duration>) -> Self {
        self.kernel.tcp_keepalive_idle = idle;
        self
    }

    /// How long it is from one probe to the next.
    /// - Default: `None`; that is the operating system's, on Linux 75 seconds
    /// - Range: 1 s to 32,767 s or `None`; rounded up to whole seconds, and what is outside counts as the nearest
    /// - Applies to: tcp with `tcp_keepalive` on; OpenBSD cannot set it
    /// - Takes effect: when the socket is made
    /// - libzmq: `ZMQ_TCP_KEEPALIVE_INTVL`
    #[must_use]
    pub const fn tcp_keepalive_interval(mut self, interval: Option<Duration>) -> Self {
        self.kernel.tcp_keepalive_interval = interval;
        self
    }

    /// After how many probes without an answer the connection is ended.
    /// - Unit: probes
    /// - Default: `None`; that is the operating system's, on Linux 9
    /// - Range: 1 to 127 or `None`; more counts as 127
    /// - Applies to: tcp with `tcp_keepalive` on; OpenBSD cannot set it
    /// - Takes effect: when the socket is made
    /// - libzmq: `ZMQ_TCP_KEEPALIVE_CNT`
    #[must_use]
    pub const fn tcp_keepalive_count(mut self, probes: Option<NonZeroU32>) -> Self {
        self.kernel.tcp_keepalive_count = probes;
        self
    }

    /// How long what was written may wait for the peer's acknowledgement, or for room at the peer, before the operating
    /// system gives the connection up.
    ///
    /// Heartbeats find a dead peer only while output flows: a PING behind messages that cannot be written does not count.
    /// Then the system finds it, after a quarter of an hour or so, or after this time. But Linux takes a peer that
    /// answers and does not read for dead, too, and what was on its way to it is lost: give it more time than any healthy
    /// peer stops reading for.
    /// - Default: `None`; the operating system's, on Linux `tcp_retries2`, which counts what is not acknowledged only
    /// - Range: 1 ms to 24 days or `None`; shorter counts as 1 ms, longer as 24 days
    /// - Applies to: tcp on Linux, Android and Fuchsia; elsewhere it changes nothing
    /// - Takes effect: when the socket is made
    /// - libzmq: `ZMQ_TCP_MAXRT`
    #[must_use]
    pub const fn tcp_maxrt(mut self, time: Option<Duration>) -> Self {
        self.kernel.tcp_maxrt = match time {
            Some(time) => Some(at_least_1_ms(time)),
            None => None,
        };
        self
    }

    /// How routers are to treat what is sent: the type of service of IPv4, the traffic class of IPv6 (RFC 2474).
    ///
    /// The two lowest bits tell of congestion (RFC 3168) and stay the kernel's.
    /// - Unit: the octet
    /// - Default: 0; nothing is said
    /// - Range: 0 to 255
    /// - Applies to: tcp
    /// - Takes effect: when the socket is made
    /// - libzmq: `ZMQ_TOS`
    #[must_use]
    pub const fn type_of_service(mut self, octet: u8) -> Self {
        self.kernel.type_of_service = octet;
        self
    }
}
