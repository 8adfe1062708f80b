//! [`Seat`]: who may be a peer, decided before our READY where that can be.
//!
//! A peer that is refused after both have sent READY takes itself for connected, and what it has written by then is
//! lost. So a place among the peers is taken while the handshake is under way:
//!
//! | side | socket | place taken |
//! |---|---|---|
//! | accepting | ROUTER and REP without handover, PAIR | when the peer's READY is here; ours follows |
//! | connecting | PAIR | when the peer has greeted, before our READY |
//! | either | STREAM | when the connection is there |
//! | either | collector | when the peer's READY is here, which tells what ours is to say |
//! | either | the others | when the handshake is over; of them only a ROUTER or REP that connects may refuse a peer |
//!
//! Who is refused finds the connection closed without ERROR, which would keep libzmq from trying again.

use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::core::{Core, Peers};
use crate::endpoint::Endpoint;
use crate::io::inproc;
use crate::monitor::{HandshakeFailure, SocketEvent};
use crate::peer::{Direction, Link, PeerId};
use crate::routing_id::RoutingId;

/// When a connection gets its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// When both have greeted.
    OnGreeting,
    /// When the peer's READY is here.
    OnReady,
    /// When the handshake is over.
    AtTheEnd,
}

/// A place among the peers of a socket: given back when it is dropped, unless a peer has it.
#[derive(Debug)]
pub(crate) struct Seat {
    core: Arc<Core>,
    id: PeerId,
    routing_id: RoutingId,
    /// Who had the routing id before.
    displaced: Option<Arc<Link>>,
    kept: bool,
}

impl Core {
    pub(crate) const fn admission(&self, direction: Direction) -> Admission {
        let refuses = self.traits.addressed
            && !self.options.router_handover
            && !self.options.router_names_all;
        match direction {
            _ if self.traits.raw => Admission::AtTheEnd,
            _ if self.traits.adapts => Admission::OnReady,
            Direction::Connected if self.traits.single_peer => Admission::OnGreeting,
            Direction::Accepted if self.traits.single_peer || refuses => Admission::OnReady,
            _ => Admission::AtTheEnd,
        }
    }

    /// Takes a place for the peer at the end of this connection, which wants this routing id, or was given it by this
    /// socket.
    pub(crate) fn admit(
        self: &Arc<Self>,
        id: PeerId,
        wanted: Option<&RoutingId>,
        is_named: bool,
    ) -> Result<Seat, HandshakeFailure> {
        let mut peers = self.peers.lock();
        if self.traits.single_peer && !peers.is_vacant() {
            return Err(HandshakeFailure::PairOccupied);
        }
        let (routing_id, displaced) = self.admit_routing_id(&mut peers, wanted, is_named)?;
        peers.by_routing_id.insert(routing_id.clone(), id);
        drop(peers);
        Ok(Seat {
            core: Arc::clone(self),
            id,
            routing_id,
            displaced,
            kept: false,
        })
    }

    /// The name of a new peer: its own choice if that is free or can be taken over, or one that is given to it.
    fn admit_routing_id(
        &self,
        peers: &mut Peers,
        wanted: Option<&RoutingId>,
        is_named: bool,
    ) -> Result<(RoutingId, Option<Arc<Link>>), HandshakeFailure> {
        let may_choose = self.traits.addressed && (is_named || !self.options.router_names_all);
        let Some(wanted) = wanted.filter(|_| may_choose) else {
            return Ok((self.generate_routing_id(peers), None));
        };
        if !is_named && self.names.lock().contains_key(wanted) {
            return Err(HandshakeFailure::DuplicateRoutingId);
        }
        let mut displaced = None;
        if let Entry::Occupied(taken) = peers.by_routing_id.entry(wanted.clone()) {
            if !self.options.router_handover {
                return Err(HandshakeFailure::DuplicateRoutingId);
            }
            displaced = peers.by_id.get(&taken.remove()).cloned();
        }
        Ok((wanted.clone(), displaced))
    }

    fn generate_routing_id(&self, peers: &Peers) -> RoutingId {
        loop {
            let number = self.next_generated.fetch_add(1, Ordering::Relaxed);
            let id = RoutingId::generated(number);
            if !peers.by_routing_id.contains_key(&id) {
                return id;
            }
        }
    }

    /// Whether a connection could become a peer now, as far as that depends on other peers only.
    pub(crate) fn is_vacant(&self) -> bool {
        !self.traits.single_peer || self.peers.lock().is_vacant()
    }

    /// Waits until [`is_vacant`](Self::is_vacant).
    pub(crate) async fn vacancy(&self) {
        loop {
            let mut vacant = std::pin::pin!(self.vacant.notified());
            vacant.as_mut().enable();
            if self.is_vacant() {
                return;
            }
            vacant.await;
        }
    }

    /// Waits while too much is left to be received of connections that were lost, so that a peer that comes again and
    /// again cannot leave more each time.
    pub(crate) async fn wait_for_receiver(&self, endpoint: &Endpoint) {
        let limits = self.live.recv();
        if self.inbox.leftovers.are_too_many(limits) {
            tracing::warn!(%endpoint, "too much is left to be received of connections that were lost");
            self.events.emit(SocketEvent::ReceiveOverdue {
                endpoint: endpoint.clone(),
            });
            self.inbox.leftovers.within(limits).await;
        }
    }

    /// Lets others have a place that is free again.
    pub(crate) fn vacated(self: &Arc<Self>) {
        self.settle_queue(None);
        self.vacant.notify_waiters();
        let refuses = self.traits.single_peer || self.traits.addressed;
        if refuses && inproc::is_awaited(self) {
            let core = Arc::clone(self);
            // Not here: whoever comes may go at once, and so on.
            self.runtime.spawn(async move {
                // Those that are refused again heard of it before.
                let _refused = inproc::meet(&core);
            });
        }
    }
}

impl Peers {
    /// Whether nobody has a place: each peer has a routing id, if only one that was given to it.
    pub(crate) fn is_vacant(&self) -> bool {
        self.by_routing_id.is_empty()
    }

    /// Gives a routing id back, unless somebody else has it by now.
    pub(crate) fn release(&mut self, id: PeerId, routing_id: &RoutingId) {
        if self.by_routing_id.get(routing_id) == Some(&id) {
            self.by_routing_id.remove(routing_id);
        }
    }
}

impl Seat {
    /// The number of the connection.
    pub(crate) const fn id(&self) -> PeerId {
        self.id
    }

    /// The place is the peer's from now on: its number, its name, and whom it displaces.
    pub(crate) fn keep(mut self) -> (PeerId, RoutingId, Option<Arc<Link>>) {
        self.kept = true;
        (self.id, self.routing_id.clone(), self.displaced.take())
    }

    /// As when it is dropped, but nobody over inproc is let in; for use under the lock of the names.
    pub(crate) fn give_back(mut self) {
        self.kept = true;
        self.release();
        self.core.settle_queue(None);
        self.core.vacant.notify_waiters();
    }

    fn release(&self) {
        let mut peers = self.core.peers.lock();
        peers.release(self.id, &self.routing_id);
        if let Some(displaced) = &self.displaced
            && peers.by_id.contains_key(&displaced.id)
        {
            let name = self.routing_id.clone();
            peers.by_routing_id.insert(name, displaced.id);
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if !self.kept {
            self.release();
            self.core.vacated();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::options::SocketOptions;
    use crate::peer::PeerId;
    use crate::socket_type::SocketType;

    /// K05: the ids that a ROUTER gives are five bytes that begin with zero, none twice for 2^20 connections, and none that
    /// a connection still has.
    #[tokio::test]
    async fn generated_routing_ids_are_unique() {
        const CONNECTIONS: usize = 1 << 20;
        let core = Core::new(SocketType::Router, SocketOptions::new()).unwrap();
        let mut peers = Peers::default();
        // As after the numbers have gone round: the next ones are taken.
        let next = core.next_generated.load(Ordering::Relaxed);
        for number in 0..10 {
            let id = RoutingId::generated(next.wrapping_add(number));
            peers.by_routing_id.insert(id, PeerId(u64::from(number)));
        }
        let mut given = HashSet::new();
        for _ in 0..CONNECTIONS {
            let id = core.generate_routing_id(&peers);
            assert_eq!((id.as_bytes().len(), id.as_bytes()[0]), (5, 0));
            assert!(!peers.by_routing_id.contains_key(&id));
            given.insert(id);
        }
        assert_eq!(given.len(), CONNECTIONS);
    }
}
