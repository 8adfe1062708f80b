//! [`ConnectFailure`]: why a connecting endpoint has no connection, and [`FailureClass`], by which it is decided what is
//! done about it.

use std::io;

use super::{DisconnectReason, HandshakeFailure};
use crate::zmtp::handshake::HandshakeError;

/// Why an endpoint that this socket connects to is not connected, or not any more.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectFailure {
    /// The name of the host stands for no address.
    #[error("the name of the host cannot be resolved")]
    Unresolved,
    /// The transport was not connected within `connect_timeout`.
    #[error("connecting took longer than the limit")]
    TimedOut,
    /// The operating system could not connect.
    #[error("cannot connect: {0}")]
    Io(io::ErrorKind),
    /// There was a connection, and the handshake failed.
    #[error(transparent)]
    Handshake(#[from] HandshakeFailure),
    /// There was an established connection, and it is lost.
    #[error(transparent)]
    Lost(#[from] DisconnectReason),
}

/// What kind of failure it is that an endpoint is not connected: [`reconnect_policy`] decides by it.
///
/// [`reconnect_policy`]: crate::SocketOptions::reconnect_policy
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum FailureClass {
    /// Nobody listens there.
    Refused,
    /// No way leads there, or the operating system could not connect for another reason.
    Unreachable,
    /// The name of the host stands for no address.
    Unresolved,
    /// Connecting or the handshake took longer than its limit.
    TimedOut,
    /// The two sides do not fit, or the peer is none that speaks ZMTP, or it went during the handshake.
    Handshake,
    /// The peer denies this socket the connection: an ERROR with the status 400 (RFC 27).
    Denied,
    /// The peer broke the protocol after the handshake, by a message over the limit for example.
    Misbehaved,
    /// An established connection is lost.
    Lost,
}

impl FailureClass {
    /// All classes.
    pub const ALL: [Self; 8] = [
        Self::Refused,
        Self::Unreachable,
        Self::Unresolved,
        Self::TimedOut,
        Self::Handshake,
        Self::Denied,
        Self::Misbehaved,
        Self::Lost,
    ];
}

impl ConnectFailure {
    /// What kind of failure this is.
    #[must_use]
    pub fn class(&self) -> FailureClass {
        match self {
            Self::Unresolved => FailureClass::Unresolved,
            Self::TimedOut | Self::Io(io::ErrorKind::TimedOut) => FailureClass::TimedOut,
            // Over ipc there is no file if nobody listens.
            Self::Io(io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound) => {
                FailureClass::Refused
            }
            Self::Io(_) => FailureClass::Unreachable,
            Self::Handshake(failure) => failure.class(),
            Self::Lost(reason) => reason.class(),
        }
    }
}

impl HandshakeFailure {
    /// What kind of failure this is.
    #[must_use]
    pub fn class(&self) -> FailureClass {
        match self {
            Self::TimedOut => FailureClass::TimedOut,
            Self::Protocol(HandshakeError::Refused { reason }) if *reason == DENIED => {
                FailureClass::Denied
            }
            _ => FailureClass::Handshake,
        }
    }
}

impl DisconnectReason {
    /// What kind of failure this is.
    #[must_use]
    pub const fn class(&self) -> FailureClass {
        match self {
            Self::Misbehaved(_) => FailureClass::Misbehaved,
            _ => FailureClass::Lost,
        }
    }
}

/// The status of a client that may not connect (RFC 27, ZAP replies), as libzmq sends it in ERROR.
const DENIED: &str = "400";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Frame, PeerMisbehaved};

    /// Q12: each failure has a class.
    #[test]
    fn each_failure_has_its_class() {
        let refused = |reason: &str| {
            let reason = Frame::from(reason);
            HandshakeFailure::Protocol(HandshakeError::Refused { reason }).into()
        };
        let io = ConnectFailure::Io;
        for (failure, class) in [
            (io(io::ErrorKind::ConnectionRefused), FailureClass::Refused),
            (io(io::ErrorKind::NotFound), FailureClass::Refused),
            (
                io(io::ErrorKind::HostUnreachable),
                FailureClass::Unreachable,
            ),
            (io(io::ErrorKind::TimedOut), FailureClass::TimedOut),
            (ConnectFailure::TimedOut, FailureClass::TimedOut),
            (ConnectFailure::Unresolved, FailureClass::Unresolved),
            (HandshakeFailure::TimedOut.into(), FailureClass::TimedOut),
            (
                HandshakeFailure::ClosedByPeer.into(),
                FailureClass::Handshake,
            ),
            (refused("400"), FailureClass::Denied),
            (refused("300"), FailureClass::Handshake),
            (
                DisconnectReason::Misbehaved(PeerMisbehaved::ShortPing).into(),
                FailureClass::Misbehaved,
            ),
            (DisconnectReason::ClosedByPeer.into(), FailureClass::Lost),
        ] {
            assert_eq!(failure.class(), class, "{failure}");
        }
    }
}
