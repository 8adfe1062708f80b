//! [`SocketOptions`] of connections: listening, dialling, the handshake.

use std::time::Duration;

use super::{SocketOptions, at_least_1_ms};

impl SocketOptions {
    /// How many connections the kernel accepts on behalf of a listener that is busy.
    /// - Unit: connections
    /// - Default: 100
    /// - Range: 0 and up; the kernel has a limit of its own
    /// - Applies to: bound endpoints over tcp and ipc
    /// - Takes effect: when the socket is made
    /// - libzmq: `ZMQ_BACKLOG`
    #[must_use]
    pub const fn backlog(mut self, connections: u32) -> Self {
        self.backlog = connections;
        self
    }

    /// How long the transport may take to connect.
    /// - Default: 30 s
    /// - Range: 1 ms and up; shorter counts as 1 ms, and `Duration::MAX` leaves it to the operating system
    /// - Applies to: connected endpoints over tcp and ipc
    /// - Takes effect: when the socket is made
    /// - libzmq: `ZMQ_CONNECT_TIMEOUT`
    #[must_use]
    pub const fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = at_least_1_ms(timeout);
        self
    }

    /// How long to wait before the second try to connect; each further wait may be twice as long.
    ///
    /// Each wait is drawn at random from zero to its length, so that many clients do not come back at once. The first is
    /// the shortest again after a connection that was established for a second.
    /// - Default: 100 ms
    /// - Range: 1 ms and up; shorter counts as 1 ms
    /// - Applies to: connected endpoints over tcp and ipc
    /// - Takes effect: when the socket is made
    /// - libzmq: `ZMQ_RECONNECT_IVL`
    #[must_use]
    pub const fn reconnect_interval(mut self, interval: Duration) -> Self {
        self.reconnect_interval = at_least_1_ms(interval);
        self
    }

    /// The longest wait between two tries to connect.
    /// - Default: 30 s
    /// - Range: the reconnect interval and up; shorter counts as that
    /// - Applies to: connected endpoints over tcp and ipc
    /// - Takes effect: when the socket is made
    /// - libzmq: `ZMQ_RECONNECT_IVL_MAX`
    #[must_use]
    pub const fn reconnect_interval_max(mut self, interval: Duration) -> Self {
        self.reconnect_interval_max = interval;
        self
    }

    /// How long greeting and handshake may take together.
    /// - Default: 30 s
    /// - Range: 1 ms and up; shorter counts as 1 ms, and with `Duration::MAX` who says nothing holds a place for ever
    /// - Applies to: tcp and ipc
    /// - Takes effect: when the socket is made
    /// - libzmq: `ZMQ_HANDSHAKE_IVL`
    #[must_use]
    pub const fn handshake_timeout(mut self, timeout: Duration) -> Self {
        self.handshake_timeout = at_least_1_ms(timeout);
        self
    }

    /// Attaches again to an inproc name whose socket was closed, when the name is bound again.
    /// - Default: off; as in libzmq the endpoint is gone
    /// - Applies to: connected endpoints over inproc
    /// - Takes effect: when the socket is made
    /// - libzmq: none
    #[must_use]
    pub const fn inproc_reattach(mut self) -> Self {
        self.inproc_reattach = true;
        self
    }
}
