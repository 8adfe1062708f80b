//! [`SocketOptions`] of queues: how much may wait, how large it may be, and for how long.

use std::num::{NonZeroU64, NonZeroUsize};

use super::{Linger, SocketOptions};
use crate::conflated::Conflate;

impl SocketOptions {
    /// How many messages may wait for one peer before the socket is mute for it.
    /// - Unit: messages per peer; a multipart message counts as one
    /// - Default: 1000
    /// - Range: 1 and up or `None`; that is no limit
    /// - Applies to: every socket that sends
    /// - Takes effect: when the socket is made; its `set_send_hwm` changes it at once
    /// - libzmq: `ZMQ_SNDHWM`
    #[must_use]
    pub const fn send_hwm(mut self, messages: Option<NonZeroUsize>) -> Self {
        self.send.messages = messages;
        self
    }

    /// How many messages from one peer may wait to be received before its connection is not read any more.
    ///
    /// What lost connections left is not forgotten. With ten times the mark of it (10,000 messages at least), ten times the
    /// [byte budget](Self::recv_byte_budget), or 1024 such connections, no further one is made until enough is received
    /// ([`ReceiveOverdue`](crate::SocketEvent::ReceiveOverdue)).
    /// - Unit: messages per peer; up to one read buffer (256 KiB) may wait beside them
    /// - Default: 1000
    /// - Range: 1 and up or `None`; that is no limit
    /// - Applies to: every socket that receives
    /// - Takes effect: when the socket is made; its `set_recv_hwm` changes it at once
    /// - libzmq: `ZMQ_RCVHWM`
    #[must_use]
    pub const fn recv_hwm(mut self, messages: Option<NonZeroUsize>) -> Self {
        self.recv.messages = messages;
        self
    }

    /// How many bytes may wait for one peer before the socket is mute for it, beside the high-water mark.
    ///
    /// Small bodies are copied, and take little more memory than that. One of more than 8 KiB is kept as it was given: if it
    /// is a slice of something larger, all of that waits with it ([`Frame::detach`](crate::Frame::detach)).
    /// - Unit: bytes of encoded frames per peer; one message may pass it
    /// - Default: `None`, no limit
    /// - Range: 1 and up or `None`; that is no limit
    /// - Applies to: every socket that sends
    /// - Takes effect: when the socket is made
    /// - libzmq: none
    #[must_use]
    pub const fn send_byte_budget(mut self, bytes: Option<NonZeroUsize>) -> Self {
        self.send.bytes = bytes;
        self
    }

    /// How many bytes from one peer may wait to be received, beside the high-water mark.
    ///
    /// Of the memory that they were read into they keep at most eight times as much. Each piece that was read takes some
    /// hundred bytes beside.
    /// - Unit: bytes of encoded frames per peer; what was read at once (at most 256 KiB, or one message) may pass it
    /// - Default: `None`, no limit
    /// - Range: 1 and up or `None`; that is no limit
    /// - Applies to: every socket that receives
    /// - Takes effect: when the socket is made
    /// - libzmq: none
    #[must_use]
    pub const fn recv_byte_budget(mut self, bytes: Option<NonZeroUsize>) -> Self {
        self.recv.bytes = bytes;
        self
    }

    /// The largest frame that is received; a peer that sends a larger one is disconnected.
    ///
    /// All frames of a message together may have four times as much.
    /// - Unit: bytes of a frame's body
    /// - Default: 64 MiB
    /// - Range: 1 and up or `None`; that is no limit
    /// - Applies to: tcp and ipc
    /// - Takes effect: when the socket is made
    /// - libzmq: `ZMQ_MAXMSGSIZE`
    #[must_use]
    pub const fn max_message_size(mut self, bytes: Option<NonZeroU64>) -> Self {
        self.max_message_size = bytes;
        self
    }

    /// Keeps the last message only, whole as it is, of those that wait for a peer or from one: of all, or of those with
    /// the same first frame.
    ///
    /// Each peer has its last message by itself. With `Last` no high-water mark counts: there is room at any time. With
    /// `LastOfTopic` the marks count topics that wait; a message of one that waits takes no room. Over inproc it
    /// suffices that one of the two sockets has it. How many messages are not sent or received for it,
    /// [`SocketStats::conflated`](crate::SocketStats::conflated) tells.
    /// - Default: `Off`
    /// - Range: `Off` or `Last` or `LastOfTopic`
    /// - Applies to: PUSH, PULL, DEALER, PUB, SUB
    /// - Takes effect: when the socket is made
    /// - libzmq: `ZMQ_CONFLATE`; it keeps the last frame, not the last message, and knows no topics
    #[must_use]
    pub const fn conflate(mut self, conflate: Conflate) -> Self {
        self.conflate = conflate;
        self
    }

    /// Gives messages to established connections only: nothing waits for a peer that is not there yet, and what waits
    /// for a connection is lost with it.
    /// - Default: off
    /// - Applies to: PUSH, DEALER, PAIR, ROUTER where it names a peer; the others always work so
    /// - Takes effect: when the socket is made
    /// - libzmq: `ZMQ_IMMEDIATE`
    #[must_use]
    pub const fn immediate(mut self) -> Self {
        self.immediate = true;
        self
    }

    /// How long unsent messages survive `close`, `disconnect`, and the drop of the socket.
    /// - Default: one second; libzmq's is for ever, which makes programs hang that have nobody to send to
    /// - Range: `Discard` to `Forever`
    /// - Applies to: all sockets; SUB and XSUB discard at once unless this is set
    /// - Takes effect: when the socket is made; its `set_linger` changes it at once
    /// - libzmq: `ZMQ_LINGER`
    #[must_use]
    pub const fn linger(mut self, linger: Linger) -> Self {
        self.linger = linger;
        self.has_linger = true;
        self
    }
}
