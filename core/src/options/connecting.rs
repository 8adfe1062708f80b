//! [`SocketOptions`] of connections: listening, dialling, the handshake.

use std::time::Duration;

use super::SocketOptions;

impl SocketOptions {
    /// How many connections the kernel accepts on behalf of a listener that is busy.
    /// - Default: 100
    /// - Applies to: bound endpoints over tcp and ipc
    /// - libzmq: `ZMQ_BACKLOG`
    #[must_use]
    pub const fn backlog(mut self, connections: u32) -> Self {
        self.backlog = connections;
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

    /// How long greeting and handshake may take together.
    /// - Default: 30 s
    /// - Applies to: tcp and ipc
    /// - libzmq: `ZMQ_HANDSHAKE_IVL`
    #[must_use]
    pub const fn handshake_timeout(mut self, timeout: Duration) -> Self {
        self.handshake_timeout = timeout;
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
}
