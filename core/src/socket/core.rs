//! [`Core`]: what all socket types are made of: pipes, peers, endpoints, and their life.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize};
use std::sync::{Arc, OnceLock};

use tokio::runtime::Handle;
use tokio::sync::Notify;

use super::admission::Seat;
use super::close::Closing;
use super::counters::{Counter, Counters};
use super::endpoints::Endpoints;
use super::live::Live;
use super::lockstep::{self, Requests};
use super::names::Names;
use super::subscriber::Subscriber;
use crate::conflated::Conflate;
use crate::connection::Connection;
use crate::ending::Ending;
use crate::error::{NoRuntime, Unroutable};
use crate::io::crowd::Crowd;
use crate::io::drivers::has_timer;
use crate::io::inproc;
use crate::monitor::{DisconnectReason, Events, HandshakeFailure, SocketEvent};
use crate::options::SocketOptions;
use crate::peer::{Direction, Link, Peer, PeerFacts, PeerId, credit_every};
use crate::pipe::{Limits, Pipe};
use crate::routing::fair_queue::Inbox;
use crate::routing::fan_out::FanOut;
use crate::routing::round_robin::RoundRobin;
use crate::routing::{Traits, traits};
use crate::routing_id::RoutingId;
use crate::segment::SegmentPool;
use crate::socket_type::SocketType;
use crate::sync::Mutex;
use crate::watch;

/// What all socket types are made of. Tasks of its connections share it with the socket's owner.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) socket_type: SocketType,
    pub(crate) traits: Traits,
    pub(crate) options: SocketOptions,
    /// What of the options may have changed.
    pub(crate) live: Live,
    pub(crate) runtime: Handle,
    pub(crate) pool: Arc<SegmentPool>,
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) outbox: RoundRobin,
    /// Where messages go that go to several peers; unused by sockets that have none.
    pub(crate) fan_out: FanOut,
    /// What was subscribed to; unused by sockets that do not subscribe.
    pub(crate) subscriber: Subscriber,
    pub(crate) peers: Mutex<Peers>,
    /// The names that this socket has given to endpoints.
    pub(crate) names: Mutex<Names>,
    /// Tells that a place among the peers is free.
    pub(crate) vacant: Notify,
    pub(crate) endpoints: Mutex<Endpoints>,
    pub(crate) closing: Closing,
    /// Who is connected from where.
    pub(crate) crowd: Arc<Crowd>,
    /// What the tasks of accepted connections are to do.
    pub(crate) phase: watch::Sender<Phase>,
    pub(crate) events: Events,
    pub(crate) counters: Arc<Counters>,
    /// The request of a REQ socket; unused by others.
    pub(crate) requests: Requests,
    #[cfg(feature = "metrics")]
    pub(crate) exporter: Option<crate::export::Exporter>,
    pub(crate) next_generated: AtomicU32,
}

/// What a task of a socket is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Its work.
    Running,
    /// Send what is queued, then end.
    Draining,
    /// End now.
    Abort,
}

/// Established connections.
#[derive(Debug, Default)]
pub(crate) struct Peers {
    pub(crate) by_id: HashMap<PeerId, Arc<Link>>,
    /// Those that have a place already are here, too.
    pub(crate) by_routing_id: HashMap<RoutingId, PeerId>,
    /// What is sent goes into it if there can be one peer only.
    pub(crate) queue: Option<Arc<Pipe>>,
}

/// A connection that is about to be a peer.
pub(crate) struct Newcomer {
    pub(crate) facts: PeerFacts,
    pub(crate) connection: Connection,
    /// The pipe of its endpoint; none if it is to have one of its own, or the queue of the socket.
    pub(crate) outbound: Option<Arc<Pipe>>,
    /// The pipe from its socket, over inproc.
    pub(crate) inbound: Option<Arc<Pipe>>,
    /// Its place, if it was taken before.
    pub(crate) seat: Option<Seat>,
    /// Whether its routing id is the name that this socket has given to its endpoint.
    pub(crate) is_named: bool,
}

impl Core {
    pub(crate) fn new(
        socket_type: SocketType,
        options: SocketOptions,
    ) -> Result<Arc<Self>, NoRuntime> {
        let runtime = match &options.runtime {
            Some(runtime) => runtime.clone(),
            None => Handle::try_current().map_err(|_absent| NoRuntime::Absent)?,
        };
        if !has_timer(&runtime) {
            return Err(NoRuntime::WithoutTimer);
        }
        let traits = traits(socket_type);
        let counters = Arc::<Counters>::default();
        #[cfg(feature = "metrics")]
        let name = options.metrics.as_ref();
        let core = Arc::new(Self {
            #[cfg(feature = "metrics")]
            exporter: name.map(|name| crate::export::Exporter::new(name, socket_type)),
            socket_type,
            traits,
            runtime,
            pool: Arc::default(),
            inbox: Arc::default(),
            outbox: RoundRobin::default(),
            fan_out: FanOut::default(),
            subscriber: Subscriber::default(),
            peers: Mutex::default(),
            names: Mutex::default(),
            vacant: Notify::new(),
            endpoints: Mutex::default(),
            closing: Closing::default(),
            crowd: Arc::default(),
            phase: watch::Sender::new(Phase::Running),
            events: Events::new(Arc::clone(&counters)),
            counters,
            requests: Requests::new(fastrand::u32(..)),
            next_generated: AtomicU32::new(fastrand::u32(..)),
            live: Live::new(&options, traits),
            options,
        });
        if core.options.context.add(&core) {
            core.seal();
        }
        #[cfg(feature = "metrics")]
        crate::export::start(&core);
        Ok(core)
    }

    /// What this socket tells a peer of this type.
    pub(crate) fn facts(&self, peer: SocketType) -> PeerFacts {
        PeerFacts {
            socket_type: self.socket_type.presented_to(Some(peer)),
            minor: 1,
            routing_id: self.options.routing_id.clone(),
            properties: self.options.properties.clone(),
        }
    }

    pub(crate) fn new_pipe(&self, limits: Limits) -> Arc<Pipe> {
        let pipe = Pipe::new(limits, Arc::clone(&self.pool));
        pipe.set_conflate(self.conflate());
        Arc::new(pipe)
    }

    /// Which messages a later one takes the place of, to and from this socket.
    pub(crate) const fn conflate(&self) -> Conflate {
        if self.traits.conflates {
            self.options.conflate
        } else {
            Conflate::Off
        }
    }

    /// Makes a connection a peer of this socket.
    pub(crate) fn attach(
        self: &Arc<Self>,
        newcomer: Newcomer,
    ) -> Result<Arc<Link>, HandshakeFailure> {
        let (link, displaced) = self.new_link(newcomer)?;
        if let Some(displaced) = displaced {
            self.end(&displaced, DisconnectReason::HandedOver);
        }
        if self.traits.round_robin && link.outbound_is_own {
            self.outbox.add(Arc::clone(&link.outbound));
        }
        if self.traits.fans_out {
            self.fan_out.add(&link);
        }
        if link.publisher.is_some() && !link.is_inproc() {
            self.subscriber.add(&link);
        }
        self.counters.connected.add(1);
        self.events.emit(SocketEvent::Connected {
            peer: Peer(Arc::clone(&link)),
        });
        self.tell_arrival(&link);
        if !self.traits.receives {
            // What a peer sends all the same is discarded.
            link.inbound.finish();
        } else if self.traits.tells_peers || link.inbound.is_readable() {
            self.inbox.arrive(Arc::clone(&link));
        }
        if self.socket_type == SocketType::Req {
            link.outbound.set_writer(lockstep::waker(self));
            self.requests.peer_up(self, &link);
        }
        if self.endpoints.lock().closed {
            // Too late for `close` to see it: nobody receives, and nothing is sent but what waits already.
            link.inbound.finish();
            link.outbound.finish();
        }
        Ok(link)
    }

    /// The new peer, and the one whose routing id it takes over.
    fn new_link(
        self: &Arc<Self>,
        mut newcomer: Newcomer,
    ) -> Result<(Arc<Link>, Option<Arc<Link>>), HandshakeFailure> {
        // Before `peers`: a seat that is given back needs that lock.
        let seat = match newcomer.seat.take() {
            Some(seat) => seat,
            None => {
                let wanted = newcomer.facts.routing_id.as_ref();
                self.admit(newcomer.connection.id, wanted, newcomer.is_named)?
            }
        };
        let mut peers = self.peers.lock();
        if self.traits.single_peer && newcomer.outbound.is_none() {
            newcomer.outbound = Some(self.queue_for(&newcomer.connection, &mut peers)?);
        }
        let (id, routing_id, mut displaced) = seat.keep();
        let named = (id, &routing_id, newcomer.is_named);
        let has_name = self.claim(&mut peers, named, &mut displaced);
        let connection = newcomer.connection;
        let room = match &newcomer.outbound {
            Some(outbound) if newcomer.is_named => self.room_of(&routing_id, outbound),
            _ => Arc::default(),
        };
        let publishes = self.traits.subscribes && traits(newcomer.facts.socket_type).publishes;
        let publishing = self.traits.fans_out.then(|| Arc::downgrade(self));
        let outbound_is_own = newcomer.outbound.is_none() || newcomer.inbound.is_some();
        let link = Arc::new_cyclic(|link| {
            let own = || self.new_pipe(self.live.send());
            let outbound = newcomer.outbound.unwrap_or_else(own);
            outbound.set_writer(self.room_waker(&room));
            let received = || self.new_pipe(self.live.recv());
            let inbound = newcomer.inbound.unwrap_or_else(received);
            inbound.set_reader(self.inbox.waker(link));
            let every = credit_every(inbound.hwm());
            Link {
                id,
                routing_id,
                facts: newcomer.facts,
                endpoint: connection.endpoint,
                local_address: connection.local_address,
                remote_address: connection.remote_address,
                direction: connection.direction,
                outbound,
                outbound_is_own,
                room,
                inbound,
                credit_every: AtomicUsize::new(every),
                announced: AtomicBool::new(false),
                departed: AtomicBool::new(false),
                publishing: publishing.unwrap_or_default(),
                publisher: publishes.then(Box::default),
                dropped: Counter::default(),
                round_trip: AtomicU64::new(0),
                ending: Ending::default(),
                session: OnceLock::new(),
                partner: OnceLock::new(),
            }
        });
        if !has_name {
            link.ending.request(DisconnectReason::HandedOver);
        }
        peers.by_id.insert(id, Arc::clone(&link));
        Ok((link, displaced))
    }

    /// The queue of a socket with one peer, for the peer at the end of this connection.
    fn queue_for(
        &self,
        connection: &Connection,
        peers: &mut Peers,
    ) -> Result<Arc<Pipe>, HandshakeFailure> {
        let connected = connection.direction == Direction::Connected;
        if connected && !self.endpoints.lock().keeps(&connection.endpoint) {
            // Disconnected meanwhile: the queue is for others.
            return Err(HandshakeFailure::Io(io::ErrorKind::ConnectionAborted));
        }
        Ok(self.queue(&mut peers.queue))
    }

    /// The peer of this routing id, if one is connected.
    pub(crate) fn peer_named(&self, id: &[u8]) -> Option<Arc<Link>> {
        let peers = self.peers.lock();
        peers.by_id.get(peers.by_routing_id.get(id)?).cloned()
    }

    /// The end of a connection. What it received can still be received. Tells whether it was there.
    pub(crate) fn detach(self: &Arc<Self>, link: &Arc<Link>, reason: DisconnectReason) -> bool {
        {
            let mut peers = self.peers.lock();
            if peers.by_id.remove(&link.id).is_none() {
                return false;
            }
            peers.release(link.id, &link.routing_id);
        }
        if self.traits.fans_out {
            self.forget_subscriptions(link);
        }
        if self.traits.subscribes {
            self.subscriber.remove(link);
        }
        self.tell_departure(link, reason);
        link.inbound.finish();
        if self.traits.receives {
            self.inbox.depart(link, self.traits.tells_peers);
        }
        if link.outbound_is_own {
            self.outbox.remove(&link.outbound);
            link.outbound.finish();
            let (lost, reason) = self.lost_with(link, reason);
            self.retire(&link.outbound, (lost, reason), Some(link));
            if !link.is_inproc() {
                // A monitor's event or a peer that its owner keeps must not keep this.
                link.outbound.discard();
            }
        }
        self.settle_queue(Some(link));
        let received = link.inbound.counts();
        self.counters.past_received.add(received.sent);
        self.counters.past_received_bytes.add(received.sent_bytes);
        self.counters.past_conflated.add(received.conflated);
        if let DisconnectReason::Misbehaved(fault) = reason {
            self.counters.misbehaved.add(1);
            tracing::warn!(peer = %link.routing_id, address = link.remote_address, %fault, "peer disconnected");
        }
        // Those who wait for room for this peer are to learn that it is gone.
        link.room.0.notify_waiters();
        link.room.0.notify_one();
        self.events.emit(SocketEvent::Disconnected {
            peer: Peer(Arc::clone(link)),
            reason,
        });
        if self.socket_type == SocketType::Req {
            self.requests.peer_down(self, link);
        }
        self.vacated();
        true
    }

    /// Ends a connection from this side, if it has not ended.
    pub(crate) fn end(self: &Arc<Self>, link: &Arc<Link>, reason: DisconnectReason) {
        link.ending.request(reason);
        if let Some((other, theirs)) = link.partner.get() {
            inproc::withdraw(link);
            // Either side may end it, and both at once.
            if self.detach(link, reason) {
                inproc::parted(self, link, reason);
            }
            if let (Some(other), Some(theirs)) = (other.upgrade(), theirs.upgrade())
                && other.detach(&theirs, DisconnectReason::ClosedByPeer)
            {
                inproc::parted(&other, &theirs, reason);
            }
        }
    }

    /// Ends the connection of a peer, which may come again; tells whether it was there.
    pub(crate) fn disconnect_peer(self: &Arc<Self>, peer: PeerId) -> Result<(), Unroutable> {
        let link = self.peers.lock().by_id.get(&peer).cloned();
        self.end(&link.ok_or(Unroutable)?, DisconnectReason::Dismissed);
        Ok(())
    }

    pub(crate) fn peers(&self) -> Vec<Peer> {
        self.links().into_iter().map(Peer).collect()
    }
}
