//! [`SocketStats`]: what a socket has counted since it was made.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::monitor::{DropReason, HandshakeFailure};

/// What a socket has counted since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SocketStats {
    /// Messages accepted for sending. They are with the operating system (over inproc: with the peer), or count as
    /// `queued`, or were dropped for want of a connection or of time. A REQ's request counts each time that it goes to a
    /// peer, and what is published for each peer that it goes to.
    pub sent: u64,
    /// Bytes of these, with framing.
    pub sent_bytes: u64,
    /// Messages that arrived.
    pub received: u64,
    /// Bytes of these, with framing.
    pub received_bytes: u64,
    /// Messages that wait to be sent, over all peers; over inproc those that the peer has not received.
    pub queued: u64,
    /// Established connections.
    pub peers: u64,
    /// Connections that were established.
    pub connected: u64,
    /// Times that a connecting endpoint began to wait before it tried to connect again.
    pub reconnects: u64,
    /// Connections that failed before they were established, for whatever reason.
    pub handshakes_failed: u64,
    /// Of these, those that were no ZMTP, or of a peer that does not fit.
    pub handshakes_failed_protocol: u64,
    /// Of these, those that the other side closed.
    pub handshakes_failed_closed_by_peer: u64,
    /// Of these, those in which reading or writing failed.
    pub handshakes_failed_io: u64,
    /// Of these, those that took too long.
    pub handshakes_failed_timed_out: u64,
    /// Of these, those of a peer that this side did not want: its routing id or its place is taken, the options do not let
    /// it connect, or too many are there from its address.
    pub handshakes_failed_refused: u64,
    /// Connections that were closed because the peer broke the protocol.
    pub misbehaved: u64,
    /// Commands that were malformed, unknown or of no use to this socket type.
    pub commands_ignored: u64,
    /// Messages dropped because their peer is not connected.
    pub dropped_unroutable: u64,
    /// Messages dropped because their peer's pipe was full.
    pub dropped_full: u64,
    /// Messages that were in the pipe of an accepted or immediate connection when that was lost. What another socket of
    /// the process can still receive is none of them.
    pub dropped_connection_lost: u64,
    /// Messages that were in a pipe when the linger time of [`disconnect`](crate::PushSocket::disconnect) was over.
    pub dropped_linger_over: u64,
    /// Requests dropped for want of a delimiter.
    pub dropped_no_delimiter: u64,
    /// Messages dropped because this socket receives none, or was closed.
    pub dropped_no_receiver: u64,
    /// Replies dropped because nobody waits for them.
    pub dropped_unexpected_reply: u64,
    /// Messages that were published when nobody had asked for them.
    pub unmatched: u64,
    /// Messages whose place a later one took before they were written, or received, by [`conflate`].
    ///
    /// [`conflate`]: crate::SocketOptions::conflate
    pub conflated: u64,
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
    pub(crate) reconnects: Counter,
    pub(crate) handshakes_failed: HandshakesFailed,
    pub(crate) misbehaved: Counter,
    pub(crate) commands_ignored: Counter,
    pub(crate) unroutable: Counter,
    pub(crate) full: Counter,
    pub(crate) connection_lost: Counter,
    pub(crate) linger_over: Counter,
    pub(crate) no_delimiter: Counter,
    pub(crate) no_receiver: Counter,
    pub(crate) unexpected_reply: Counter,
    pub(crate) unmatched: Counter,
    /// What the pipes of connections that ended had counted.
    pub(crate) past_sent: Counter,
    pub(crate) past_sent_bytes: Counter,
    pub(crate) past_received: Counter,
    pub(crate) past_received_bytes: Counter,
    pub(crate) past_conflated: Counter,
}

/// Handshakes that failed, by reason.
#[derive(Debug, Default)]
pub(crate) struct HandshakesFailed {
    protocol: Counter,
    closed_by_peer: Counter,
    io: Counter,
    timed_out: Counter,
    refused: Counter,
}

impl Counters {
    pub(crate) fn handshake_failed(&self, reason: &HandshakeFailure) {
        let failed = &self.handshakes_failed;
        let counter = match reason {
            HandshakeFailure::Protocol(_) => &failed.protocol,
            HandshakeFailure::ClosedByPeer => &failed.closed_by_peer,
            HandshakeFailure::Io(_) => &failed.io,
            HandshakeFailure::TimedOut => &failed.timed_out,
            HandshakeFailure::DuplicateRoutingId
            | HandshakeFailure::Refused
            | HandshakeFailure::TooManyConnections
            | HandshakeFailure::PairOccupied => &failed.refused,
        };
        counter.add(1);
    }

    /// All that is counted here, as a part of what the socket has counted.
    pub(crate) fn stats(&self) -> SocketStats {
        let failed = &self.handshakes_failed;
        let by_reason = [
            &failed.protocol,
            &failed.closed_by_peer,
            &failed.io,
            &failed.timed_out,
            &failed.refused,
        ];
        let [protocol, closed_by_peer, io, timed_out, refused] = by_reason.map(Counter::get);
        SocketStats {
            sent: self.past_sent.get(),
            sent_bytes: self.past_sent_bytes.get(),
            received: self.past_received.get(),
            received_bytes: self.past_received_bytes.get(),
            connected: self.connected.get(),
            reconnects: self.reconnects.get(),
            handshakes_failed: protocol + closed_by_peer + io + timed_out + refused,
            handshakes_failed_protocol: protocol,
            handshakes_failed_closed_by_peer: closed_by_peer,
            handshakes_failed_io: io,
            handshakes_failed_timed_out: timed_out,
            handshakes_failed_refused: refused,
            misbehaved: self.misbehaved.get(),
            commands_ignored: self.commands_ignored.get(),
            dropped_unroutable: self.unroutable.get(),
            dropped_full: self.full.get(),
            dropped_connection_lost: self.connection_lost.get(),
            dropped_linger_over: self.linger_over.get(),
            dropped_no_delimiter: self.no_delimiter.get(),
            dropped_no_receiver: self.no_receiver.get(),
            dropped_unexpected_reply: self.unexpected_reply.get(),
            unmatched: self.unmatched.get(),
            conflated: self.past_conflated.get(),
            ..SocketStats::default()
        }
    }

    pub(crate) fn dropped(&self, reason: DropReason, messages: u64) {
        let counter = match reason {
            DropReason::Unroutable => &self.unroutable,
            DropReason::Full => &self.full,
            DropReason::ConnectionLost => &self.connection_lost,
            DropReason::LingerOver => &self.linger_over,
            DropReason::NoDelimiter => &self.no_delimiter,
            DropReason::NoReceiver => &self.no_receiver,
            DropReason::UnexpectedReply => &self.unexpected_reply,
        };
        counter.add(messages);
    }
}
