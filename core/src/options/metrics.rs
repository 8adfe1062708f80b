//! [`SocketOptions`] of the feature `metrics`.

use std::sync::Arc;

use super::SocketOptions;

impl SocketOptions {
    /// Tells the recorder of the [`metrics`] facade what the socket counts, under this name: each second, and when the
    /// socket is gone. With the feature `metrics`.
    ///
    /// Sockets of one name add up. Every metric has the labels `socket`, this name, and `type`, such as `PUSH`.
    ///
    /// | metric | kind | what |
    /// |---|---|---|
    /// | `privateer_messages_sent_total`, `privateer_bytes_sent_total` | counters | messages accepted for sending |
    /// | `privateer_messages_received_total`, `privateer_bytes_received_total` | counters | messages that arrived |
    /// | `privateer_messages_queued` | gauge | messages that wait to be sent |
    /// | `privateer_messages_dropped_total` | counter by `reason`: `unroutable`, `full`, `connection_lost`, `linger_over`, `no_receiver`, `no_delimiter`, `unexpected_reply` | messages that were dropped |
    /// | `privateer_messages_unmatched_total` | counter | messages that were published when nobody had asked for them |
    /// | `privateer_messages_conflated_total` | counter | messages whose place a later one took |
    /// | `privateer_peers` | gauge | established connections |
    /// | `privateer_connections_total` | counter | connections that were established |
    /// | `privateer_reconnects_total` | counter | waits of connecting endpoints before the next try |
    /// | `privateer_handshakes_failed_total` | counter by `reason`: `protocol`, `closed_by_peer`, `io`, `timed_out`, `refused` | connections that failed before they were established |
    /// | `privateer_round_trip_seconds` | histogram | times that peers took to answer heartbeats |
    /// | `privateer_peers_misbehaved_total` | counter | connections closed because the peer broke the protocol |
    /// | `privateer_commands_ignored_total` | counter | commands that were malformed, unknown or of no use |
    ///
    /// - Default: none; nothing is told
    /// - Range: any text
    /// - Applies to: all sockets
    /// - Takes effect: when the socket is made
    /// - libzmq: none
    #[must_use]
    pub fn metrics(mut self, socket: impl Into<Arc<str>>) -> Self {
        self.metrics = Some(socket.into());
        self
    }
}
