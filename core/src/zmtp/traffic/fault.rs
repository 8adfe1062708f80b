//! PURE. [`PeerMisbehaved`]: what ends a connection after its handshake, and whose fault it is.
#![deny(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation
)]

use super::super::frame::ReservedFlags;
use super::COMMAND_MAX;

/// The peer broke the protocol after the handshake; its connection is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PeerMisbehaved {
    /// Bits 7 to 3 of a frame's flags must be zero (RFC 37, Framing).
    #[error("reserved bits are set in a frame's flags 0x{flags:02x}")]
    ReservedFlags {
        /// The octet of flags.
        flags: u8,
    },
    /// A frame is larger than `max_message_size`.
    #[error("a frame claims {size} bytes, the limit is {limit}")]
    FrameTooLarge {
        /// What its header claims.
        size: u64,
        /// The limit in force.
        limit: u64,
    },
    /// The frames of one message are together larger than four times `max_message_size`.
    #[error("the frames of a message are larger than {limit} bytes together")]
    MessageTooLarge {
        /// The limit in force.
        limit: u64,
    },
    /// A message has more than 65,536 frames.
    #[error("a message has more than {limit} frames")]
    TooManyFrames {
        /// The limit.
        limit: usize,
    },
    /// More than 64 subscriptions stand between the frames of one message, or are frames of it that the owner is told of:
    /// each would have to go round what has come of it.
    #[error("more than {limit} subscriptions stand in a message")]
    TooManyInterruptions {
        /// The limit.
        limit: usize,
    },
    /// A command, or a subscription that is a message, is larger than 128 KiB.
    #[error("a command claims {size} bytes, the limit is {limit}", limit = COMMAND_MAX)]
    CommandTooLarge {
        /// What its header claims.
        size: u64,
    },
    /// A PING has no time to live (RFC 37, Connection Heartbeating).
    #[error("a PING is shorter than its time to live")]
    ShortPing,
    /// A subscriber has more topics than `max_topics`.
    #[error("a peer subscribes to more than {limit} topics")]
    TooManyTopics {
        /// The limit in force.
        limit: usize,
    },
    /// The topics of a subscriber are together larger than `max_topic_bytes`.
    #[error("the topics of a peer are larger than {limit} bytes together")]
    TopicsTooLarge {
        /// The limit in force.
        limit: usize,
    },
    /// A reply on a REQ socket does not begin with the empty delimiter (RFC 28).
    #[error("a reply does not begin with an empty delimiter frame")]
    NoDelimiter,
}

impl From<ReservedFlags> for PeerMisbehaved {
    fn from(flags: ReservedFlags) -> Self {
        Self::ReservedFlags { flags: flags.0 }
    }
}
