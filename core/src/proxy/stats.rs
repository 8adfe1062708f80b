//! [`ProxyStats`]: what a proxy has counted.

use std::ops::AddAssign;

/// What a proxy has counted since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProxyStats {
    /// The side of the clients.
    pub frontend: ProxySide,
    /// The side of the workers.
    pub backend: ProxySide,
    /// Messages that were received and not sent: their peer is gone, or has no room and the ROUTER is to drop then, or
    /// they had no routing id.
    pub dropped: u64,
    /// Copies that were dropped because a tap was mute.
    pub tap_dropped: u64,
}

/// What a proxy has counted on one side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProxySide {
    /// What was received from there and passed on, or dropped.
    pub received: Volume,
    /// What was sent there.
    pub sent: Volume,
}

/// An amount of messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Volume {
    /// Messages.
    pub messages: u64,
    /// Their frames; the routing id that a ROUTER adds is one.
    pub frames: u64,
    /// Bytes of all frames, without framing.
    pub bytes: u64,
}

impl AddAssign for Volume {
    fn add_assign(&mut self, other: Self) {
        self.messages += other.messages;
        self.frames += other.frames;
        self.bytes += other.bytes;
    }
}
