//! [`SocketType`]: the socket types of ZMTP, their wire names, and which may talk to which.

#![deny(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation
)]

use std::fmt;

/// The type of a socket, as it is announced to a peer.
///
/// # Example
/// ```
/// use privateer_core::SocketType;
///
/// assert_eq!(SocketType::Req.to_string(), "REQ");
/// assert!(SocketType::Req.compatible_with(SocketType::Router));
/// assert!(!SocketType::Req.compatible_with(SocketType::Req));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SocketType {
    /// Exactly one peer, both ways (RFC 31).
    Pair,
    /// Publishes to all that subscribed (RFC 29).
    Pub,
    /// Receives what it subscribed to (RFC 29).
    Sub,
    /// Asks, then waits for the reply (RFC 28).
    Req,
    /// Replies to each request in turn (RFC 28).
    Rep,
    /// Talks to a set of peers in turn, without lockstep (RFC 28).
    Dealer,
    /// Talks to the peer that a routing id names (RFC 28).
    Router,
    /// Receives work (RFC 30).
    Pull,
    /// Hands out work (RFC 30).
    Push,
    /// As PUB, and receives the subscriptions (RFC 29).
    Xpub,
    /// As SUB, and sends subscriptions as messages (RFC 29).
    Xsub,
    /// Raw octets, of peers that do not speak ZMTP. It has no name on the wire.
    Stream,
    /// SUB to those who publish, PULL to those who push. It has no name on the wire.
    Collector,
}

impl SocketType {
    /// The name in READY (RFC 37, The Socket-Type Property); `Stream` and `Collector` have it for people only.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pair => "PAIR",
            Self::Pub => "PUB",
            Self::Sub => "SUB",
            Self::Req => "REQ",
            Self::Rep => "REP",
            Self::Dealer => "DEALER",
            Self::Router => "ROUTER",
            Self::Pull => "PULL",
            Self::Push => "PUSH",
            Self::Xpub => "XPUB",
            Self::Xsub => "XSUB",
            Self::Stream => "STREAM",
            Self::Collector => "COLLECTOR",
        }
    }

    /// Whether the two may be connected (RFC 37, The Socket-Type Property: the table of legal
    /// combinations).
    #[must_use]
    pub fn compatible_with(self, peer: Self) -> bool {
        self.peers().contains(&peer)
    }

    /// The type of this wire name, letter case included.
    pub(crate) fn from_wire(name: &[u8]) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|socket_type| socket_type.as_str().as_bytes() == name)
    }

    /// As what a socket of this type presents itself to a peer of that one, if it is known.
    pub(crate) const fn presented_to(self, peer: Option<Self>) -> Self {
        match (self, peer) {
            (Self::Collector, Some(Self::Pub | Self::Xpub)) => Self::Sub,
            (Self::Collector, _) => Self::Pull,
            (itself, _) => itself,
        }
    }

    /// Whether READY carries the Identity property, even if empty (RFC 37, The Identity Property).
    pub(crate) const fn sends_routing_id(self) -> bool {
        matches!(self, Self::Req | Self::Dealer | Self::Router)
    }

    const fn peers(self) -> &'static [Self] {
        match self {
            Self::Pair => &[Self::Pair],
            Self::Pub | Self::Xpub => &[Self::Sub, Self::Xsub, Self::Collector],
            Self::Sub | Self::Xsub => &[Self::Pub, Self::Xpub],
            Self::Req => &[Self::Rep, Self::Router],
            Self::Rep => &[Self::Req, Self::Dealer],
            Self::Dealer => &[Self::Rep, Self::Dealer, Self::Router],
            Self::Router => &[Self::Req, Self::Dealer, Self::Router],
            Self::Pull => &[Self::Push],
            Self::Push => &[Self::Pull, Self::Collector],
            Self::Collector => &[Self::Pub, Self::Xpub, Self::Push],
            Self::Stream => &[],
        }
    }

    /// All types with a name on the wire, in the order of libzmq's type numbers (PAIR is 0).
    pub(crate) const ALL: [Self; 11] = [
        Self::Pair,
        Self::Pub,
        Self::Sub,
        Self::Req,
        Self::Rep,
        Self::Dealer,
        Self::Router,
        Self::Pull,
        Self::Push,
        Self::Xpub,
        Self::Xsub,
    ];
}

/// The wire name, as in "REQ".
impl fmt::Display for SocketType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wire_names_are_read_back() {
        for socket_type in SocketType::ALL {
            let name = socket_type.to_string();
            assert_eq!(SocketType::from_wire(name.as_bytes()), Some(socket_type));
            assert_eq!(SocketType::from_wire(name.to_lowercase().as_bytes()), None);
        }
        assert_eq!(SocketType::from_wire(b""), None);
        assert_eq!(SocketType::from_wire(b"COLLECTOR"), None);
        assert_eq!(SocketType::from_wire(b"STREAM"), None);
    }

    #[test]
    fn a_collector_is_what_its_peer_needs() {
        for peer in SocketType::ALL {
            let presented = SocketType::Collector.presented_to(Some(peer));
            let fits = SocketType::Collector.compatible_with(peer);
            assert_eq!(presented.compatible_with(peer), fits, "{peer}");
            assert_eq!(peer.compatible_with(SocketType::Collector), fits, "{peer}");
            assert_eq!(peer.presented_to(None), peer);
        }
    }

    /// W04, as far as it is pure: the legal pairs, written out.
    #[test]
    fn exactly_the_pairs_of_the_table_are_compatible() {
        use SocketType::{Dealer, Pair, Pub, Pull, Push, Rep, Req, Router, Sub, Xpub, Xsub};
        let legal = [
            (Req, Rep),
            (Req, Router),
            (Rep, Dealer),
            (Dealer, Dealer),
            (Dealer, Router),
            (Router, Router),
            (Pub, Sub),
            (Pub, Xsub),
            (Xpub, Sub),
            (Xpub, Xsub),
            (Push, Pull),
            (Pair, Pair),
        ];
        for a in SocketType::ALL {
            for b in SocketType::ALL {
                let expected = legal.contains(&(a, b)) || legal.contains(&(b, a));
                assert_eq!(a.compatible_with(b), expected, "{a} with {b}");
            }
        }
    }
}
