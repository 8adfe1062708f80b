//! Names that a ROUTER gives to those whom it connects to, before they are there.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use super::core::Core;
use super::outbound::Outbound;
use crate::error::ConnectError;
use crate::peer::{Bell, Link};
use crate::pipe::Pipe;
use crate::routing_id::RoutingId;

/// Where the messages wait for a peer with a name of this socket's choice, also while it is not connected.
#[derive(Debug)]
pub(crate) struct Named {
    pub(crate) outbound: Arc<Pipe>,
    /// Rings when that has room.
    pub(crate) room: Arc<Bell>,
}

/// All names of one socket's choice. Its lock is taken under any other.
pub(crate) type Names = HashMap<RoutingId, Arc<Named>>;

/// A name in use: nobody else gets it until this is dropped.
#[derive(Debug)]
pub(crate) struct Name {
    core: Weak<Core>,
    id: RoutingId,
}

impl Name {
    pub(crate) const fn id(&self) -> &RoutingId {
        &self.id
    }
}

impl Drop for Name {
    fn drop(&mut self) {
        if let Some(core) = self.core.upgrade() {
            core.names.lock().remove(&self.id);
        }
    }
}

impl Core {
    /// Takes a name for an endpoint to connect to.
    pub(crate) fn take_name(self: &Arc<Self>, id: RoutingId) -> Result<Name, ConnectError> {
        let peers = self.peers.lock();
        let mut names = self.names.lock();
        if peers.by_routing_id.contains_key(&id) || names.contains_key(&id) {
            return Err(ConnectError::RoutingIdTaken { routing_id: id });
        }
        names.insert(id.clone(), self.new_named());
        Ok(Name {
            core: Arc::downgrade(self),
            id,
        })
    }

    /// Where messages wait from now on for whoever is connected by this name.
    pub(crate) fn outbound_of(&self, name: &RoutingId) -> Outbound {
        let named = self.new_named();
        self.names.lock().insert(name.clone(), Arc::clone(&named));
        if self.takes_nothing_early() {
            Outbound::Connection
        } else {
            Outbound::Endpoint(Arc::clone(&named.outbound))
        }
    }

    /// Whether a name is only for who is there: of a STREAM, nothing that is meant for one connection may go to the next.
    const fn takes_nothing_early(&self) -> bool {
        self.options.immediate || self.traits.raw
    }

    /// What rings when the pipe of a name has room, if it is this one.
    pub(crate) fn room_of(&self, name: &RoutingId, outbound: &Arc<Pipe>) -> Arc<Bell> {
        let names = self.names.lock();
        let named = names.get(name);
        let named = named.filter(|named| Arc::ptr_eq(&named.outbound, outbound));
        named.map_or_else(Arc::default, |named| Arc::clone(&named.room))
    }

    /// A pipe that takes messages, or none if they are only for connections that are there.
    fn new_named(&self) -> Arc<Named> {
        let (outbound, room) = (self.new_pipe(self.live.send()), Arc::<Bell>::default());
        outbound.set_writer(room.waker());
        if self.takes_nothing_early() {
            outbound.finish();
        }
        Arc::new(Named { outbound, room })
    }
}

/// The way to a peer that is addressed.
#[derive(Debug)]
pub(crate) enum Route {
    /// It is there.
    Peer(Arc<Link>),
    /// It has been there or will be.
    Named(Arc<Named>),
}

impl Route {
    /// To whoever has this name.
    pub(crate) fn to(core: &Core, name: &RoutingId) -> Option<Self> {
        let link = core.peer_named(name.as_bytes()).map(Self::Peer);
        link.or_else(|| core.names.lock().get(name).cloned().map(Self::Named))
    }

    pub(crate) fn outbound(&self) -> &Pipe {
        match self {
            Self::Peer(link) => &link.outbound,
            Self::Named(named) => &named.outbound,
        }
    }

    pub(crate) fn room(&self) -> &Bell {
        match self {
            Self::Peer(link) => &link.room,
            Self::Named(named) => &named.room,
        }
    }

    pub(crate) const fn link(&self) -> Option<&Arc<Link>> {
        match self {
            Self::Peer(link) => Some(link),
            Self::Named(_) => None,
        }
    }
}
