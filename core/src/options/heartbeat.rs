//! [`SocketOptions`] of heartbeats: how a peer that is gone is noticed.

use std::time::Duration;

use super::SocketOptions;

impl SocketOptions {
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
}
