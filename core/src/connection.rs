//! [`Connection`]: which connection an event is about, also before there is a peer.

use crate::endpoint::Endpoint;
use crate::peer::{Direction, PeerId};

/// One connection, known from when it is accepted or dialled.
#[derive(Clone, Debug)]
pub struct Connection {
    pub(crate) id: PeerId,
    pub(crate) direction: Direction,
    pub(crate) endpoint: Endpoint,
    pub(crate) local_address: Option<String>,
    pub(crate) remote_address: Option<String>,
}

impl Connection {
    /// A new number, of which no address is known yet.
    pub(crate) fn new(endpoint: Endpoint, direction: Direction) -> Self {
        Self::numbered(PeerId::next(), endpoint, direction)
    }

    /// One that has a number already.
    pub(crate) const fn numbered(id: PeerId, endpoint: Endpoint, direction: Direction) -> Self {
        Self {
            id,
            direction,
            endpoint,
            local_address: None,
            remote_address: None,
        }
    }

    /// The number of the connection; once there is a peer, [`Peer::id`](crate::Peer::id) is the same.
    #[must_use]
    pub const fn id(&self) -> PeerId {
        self.id
    }

    /// Which side makes the connection.
    #[must_use]
    pub const fn direction(&self) -> Direction {
        self.direction
    }

    /// This socket's endpoint of the connection: bound and resolved, or as it was given to `connect`.
    #[must_use]
    pub const fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// The network address of this side, if the transport knows it, such as `127.0.0.1:5555`.
    #[must_use]
    pub fn local_address(&self) -> Option<&str> {
        self.local_address.as_deref()
    }

    /// The other side's network address, if the transport knows it, such as `127.0.0.1:40312`.
    #[must_use]
    pub fn remote_address(&self) -> Option<&str> {
        self.remote_address.as_deref()
    }
}
