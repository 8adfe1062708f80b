//! [`SocketStats`]: what a socket has counted since it was made.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::monitor::DropReason;

/// What a socket has counted since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SocketStats {
    /// Messages accepted for sending.
    pub sent: u64,
    /// Bytes of these, with framing.
    pub sent_bytes: u64,
    /// Messages that arrived.
    pub received: u64,
    /// Bytes of these, with framing.
    pub received_bytes: u64,
    /// Messages that wait to be sent, over all peers.
    pub queued: u64,
    /// Established connections.
    pub peers: u64,
    /// Connections that were established.
    pub connected: u64,
    /// Connections that failed before they were established.
    pub handshakes_failed: u64,
    /// Connections that were closed because the peer broke the protocol.
    pub misbehaved: u64,
    /// Commands that were malformed, unknown or of no use to this socket type.
    pub commands_ignored: u64,
    /// Messages dropped because their peer is not connected.
    pub dropped_unroutable: u64,
    /// Messages dropped because their peer's pipe was full.
    pub dropped_full: u64,
    /// Messages that were in a pipe when its connection was lost.
    pub dropped_connection_lost: u64,
    /// Requests dropped for want of a delimiter.
    pub dropped_no_delimiter: u64,
    /// Replies dropped because nobody waits for them.
    pub dropped_unexpected_reply: u64,
}

/// A number that only grows.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What is counted apart from the pipes; all of it is rare.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) connected: Counter,
    pub(crate) handshakes_failed: Counter,
    pub(crate) misbehaved: Counter,
    pub(crate) commands_ignored: Counter,
    pub(crate) unroutable: Counter,
    pub(crate) full: Counter,
    pub(crate) connection_lost: Counter,
    pub(crate) no_delimiter: Counter,
    pub(crate) unexpected_reply: Counter,
    /// What the pipes of connections that ended had counted.
    pub(crate) past_sent: Counter,
    pub(crate) past_sent_bytes: Counter,
    pub(crate) past_received: Counter,
    pub(crate) past_received_bytes: Counter,
}

impl Counters {
    pub(crate) fn dropped(&self, reason: DropReason, messages: u64) {
        let counter = match reason {
            DropReason::Unroutable => &self.unroutable,
            DropReason::Full => &self.full,
            DropReason::ConnectionLost => &self.connection_lost,
            DropReason::NoDelimiter => &self.no_delimiter,
            DropReason::UnexpectedReply => &self.unexpected_reply,
        };
        counter.add(messages);
    }
}
