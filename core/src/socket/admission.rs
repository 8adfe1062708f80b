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
use crate::connection::Connection;
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
            let holder = peers.by_id.get(&taken.remove());
            // One that has only a place may itself be about to displace a peer.
            let peer = || peers.by_id.values().find(|link| link.routing_id == *wanted);
            displaced = holder.or_else(peer).cloned();
        }
        Ok((wanted.clone(), displaced))
    }

    /// Reports a connection that is not established.
    pub(crate) fn refuse(&self, connection: &Connection, reason: HandshakeFailure) {
        self.events.emit(SocketEvent::HandshakeFailed {
            connection: connection.clone(),
            reason,
        });
    }

    /// Tells whether a new peer has its name: while it only had a place, another one may have taken that over. `is_ours`
    /// is whether this socket gave the name. Whom it displaces may be gone by now, and then is none.
    pub(crate) fn claim(
        &self,
        peers: &mut Peers,
        (id, name, is_ours): (PeerId, &RoutingId, bool),
        displaced: &mut Option<Arc<Link>>,
    ) -> bool {
        displaced.take_if(|link| !peers.by_id.contains_key(&link.id));
        let is_free = match peers.by_routing_id.get(name) {
            Some(holder) => {
                *holder == id || displaced.as_ref().is_some_and(|link| link.id == *holder)
            }
            // Whoever took it over is gone again.
            None => is_ours || !self.names.lock().contains_key(name),
        };
        if is_free {
            peers.by_routing_id.insert(name.clone(), id);
        }
        is_free
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
            // Unless a third one has it by now, which then displaces both.
            let entry = peers.by_routing_id.entry(self.routing_id.clone());
            entry.or_insert(displaced.id);
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
    use crate::{DealerSocket, RouterSocket};

    fn named(name: &RoutingId) -> DealerSocket {
        DealerSocket::with_options(SocketOptions::new().routing_id(name.clone())).unwrap()
    }

    fn handing_over() -> RouterSocket {
        RouterSocket::with_options(SocketOptions::new().router_handover()).unwrap()
    }

    /// Two of one name that get their places at once: the second takes the name over, and the first is put out.
    #[tokio::test]
    async fn a_place_that_is_taken_over_makes_no_peer() {
        let name = RoutingId::new("twin").unwrap();
        let dealers = [named(&name), named(&name), named(&name)];
        for dealer in &dealers {
            dealer.connect("inproc://handed-over-at-once").unwrap();
        }
        let router = handing_over();
        router.bind("inproc://handed-over-at-once").await.unwrap();
        assert_eq!(router.peers().len(), 1);
        assert_eq!(
            dealers.each_ref().map(|dealer| dealer.peers().len()),
            [0, 0, 1]
        );
        router.try_send(&name, "you").unwrap();
        assert_eq!(dealers[2].try_recv().unwrap()[0], "you");
    }

    /// A peer whose name was taken over by places that came to nothing has it again, whichever goes first.
    #[tokio::test]
    async fn a_place_that_comes_to_nothing_gives_the_name_back() {
        for first_goes_first in [true, false] {
            let name = RoutingId::new("back").unwrap();
            let (router, dealer) = (handing_over(), named(&name));
            let endpoint = format!("inproc://given-back-{first_goes_first}");
            router.bind(&*endpoint).await.unwrap();
            dealer.connect(&*endpoint).unwrap();
            let core = &router.core;
            let first = core.admit(PeerId::next(), Some(&name), false).unwrap();
            let second = core.admit(PeerId::next(), Some(&name), false).unwrap();
            let (gone, stays) = if first_goes_first {
                (first, second)
            } else {
                (second, first)
            };
            let id = stays.id();
            drop(gone);
            if first_goes_first {
                // The name stays with the one that has it now.
                assert_eq!(core.peers.lock().by_routing_id.get(&name), Some(&id));
            }
            drop(stays);
            router.try_send(&name, "again").unwrap();
            assert_eq!(dealer.try_recv().unwrap()[0], "again");
        }
    }

    /// Of two places, the one that is taken over still makes a peer if the other has come to nothing.
    #[tokio::test]
    async fn a_name_that_is_free_again_can_be_claimed() {
        let name = RoutingId::new("free").unwrap();
        let router = handing_over();
        let core = &router.core;
        let first = core.admit(PeerId::next(), Some(&name), false).unwrap();
        let second = core.admit(PeerId::next(), Some(&name), false).unwrap();
        let id = first.id();
        let claim = || core.claim(&mut core.peers.lock(), (id, &name, false), &mut None);
        assert!(!claim());
        drop(second);
        assert!(claim());
        drop(first);
        assert!(core.peers.lock().is_vacant());
    }

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
