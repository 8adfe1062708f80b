//! [`SocketOptions`] of heartbeats: how a peer that is gone is noticed.

use std::time::Duration;

use super::{SocketOptions, at_least_1_ms};
use crate::zmtp::command::TTL_MAX;

impl SocketOptions {
    /// After how long without any input a peer is sent a PING (RFC 37, Connection Heartbeating).
    ///
    /// Peers that speak ZMTP 3.0 get none, since some of them do not know it.
    /// - Default: 30 s
    /// - Range: 1 ms and up or `None`; that is never, and shorter counts as 1 ms
    /// - Applies to: tcp and ipc
    /// - Takes effect: when the socket is made
    /// - libzmq: `ZMQ_HEARTBEAT_IVL`
    #[must_use]
    pub const fn heartbeat_interval(mut self, interval: Option<Duration>) -> Self {
        self.heartbeat_interval = interval;
        self
    }

    /// How long after a PING was sent a peer may stay silent; any octet that arrives counts as life.
    ///
    /// When this socket has sent its last, no PING can be sent: then [`linger`](Self::linger) alone says how long the peer may
    /// take.
    /// - Default: 10 s
    /// - Range: 1 ms and up; shorter counts as 1 ms
    /// - Applies to: tcp and ipc
    /// - Takes effect: when the socket is made
    /// - libzmq: `ZMQ_HEARTBEAT_TIMEOUT`
    #[must_use]
    pub const fn heartbeat_timeout(mut self, timeout: Duration) -> Self {
        self.heartbeat_timeout = at_least_1_ms(timeout);
        self
    }

    /// How long peers may take a silence of this socket for life: what its PINGs announce as their time to live.
    ///
    /// A peer that hears nothing for so long after a PING closes the connection. So it should be several times
    /// [`heartbeat_interval`](Self::heartbeat_interval).
    /// - Unit: whole tenths of a second; what is over is left out
    /// - Default: none; the peer goes by its own options
    /// - Range: 100 ms to 65.5 s or `None`; shorter counts as none, longer as 65.5 s with a warning: libzmq 4.3.5 takes
    ///   65.6 s for 64 ms and closes healthy connections
    /// - Applies to: tcp and ipc
    /// - Takes effect: when the socket is made
    /// - libzmq: `ZMQ_HEARTBEAT_TTL`
    #[must_use]
    pub fn heartbeat_ttl(mut self, ttl: Option<Duration>) -> Self {
        self.heartbeat_ttl = ttl.map(|ttl| {
            if ttl > TTL_MAX {
                tracing::warn!(?ttl, announced = ?TTL_MAX, "the heartbeat_ttl is too long for a PING");
            }
            ttl.min(TTL_MAX)
        });
        self
    }
}
