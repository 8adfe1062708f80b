//! inproc: `inproc://name`. No session and no task: each of the two pipes joins two sockets of the process.

mod wants;

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use crate::connection::Connection;
use crate::context::{NameSpace, Waiting};
use crate::endpoint::{Address, Endpoint};
use crate::error::ConnectError;
use crate::monitor::{DisconnectReason, HandshakeFailure};
use crate::peer::{Direction, Link, PeerId};
use crate::pipe::Pipe;
use crate::routing_id::RoutingId;
use crate::socket::admission::Seat;
use crate::socket::core::{Core, Newcomer, Phase};
use crate::socket::outbound::{Outbound, Slot};
use crate::socket_type::SocketType;
use crate::watch;

use wants::subscribe;
pub(crate) use wants::{ask, withdraw};

/// Connects to a name: waits for it to be bound and for a place among the binder's peers, which may both be there.
pub(crate) fn connect(
    core: &Arc<Core>,
    endpoint: &Endpoint,
    name: &str,
    (slot, phase): (Slot, watch::Receiver<Phase>),
) -> Result<(), ConnectError> {
    let binder = {
        let names = core.options.context.names().lock();
        open_binder(&names.bound, name)
    };
    if let Some(binder) = binder
        && !core.socket_type.compatible_with(binder.socket_type)
    {
        return Err(ConnectError::Incompatible {
            endpoint: endpoint.clone(),
            ours: core.socket_type,
            theirs: binder.socket_type,
        });
    }
    slot.set(core.early_outbound(slot.name()));
    let waiting = Waiting {
        core: Arc::downgrade(core),
        endpoint: endpoint.clone(),
        outbound: slot.clone(),
        phase,
    };
    {
        let mut names = core.options.context.names().lock();
        names.waiting.entry(name.into()).or_default().push(waiting);
    }
    core.settle_queue(None);
    for refused in meet(core) {
        if refused.slot.is(&slot) {
            refused.tell();
        }
    }
    Ok(())
}

/// Binds a name, and joins those who wait for it. False if the name is taken.
pub(crate) fn bind(core: &Arc<Core>, name: &str) -> bool {
    {
        let mut names = core.options.context.names().lock();
        if names
            .bound
            .get(name)
            .is_some_and(|bound| bound.strong_count() > 0)
        {
            return false;
        }
        names.bound.insert(name.into(), Arc::downgrade(core));
    }
    for refused in meet(core) {
        if refused.is_for(core, name) {
            refused.tell();
        }
    }
    true
}

/// Gives a name back.
pub(crate) fn unbind(core: &Core, name: &str) {
    core.options.context.names().lock().bound.remove(name);
}

/// A connector and a binder who found each other.
struct Meeting {
    connector: Arc<Core>,
    binder: Arc<Core>,
    waiting: Waiting,
    seats: Seats,
}

/// The connector's place among the peers of the binder, and the other way round.
struct Seats {
    at_binder: Seat,
    at_connector: Seat,
}

/// A connector who waits on, for want of a place at the binder's or its own.
pub(crate) struct Refusal {
    connector: Arc<Core>,
    binder: Arc<Core>,
    endpoint: Endpoint,
    slot: Slot,
    reason: HandshakeFailure,
}

/// Joins this socket with all that it waits for, or that wait for it, and have a place for each other; returns those
/// that have none.
pub(crate) fn meet(core: &Arc<Core>) -> Vec<Refusal> {
    let (meetings, refused) = meetings(core);
    for meeting in meetings {
        join(meeting);
    }
    refused
}

fn meetings(core: &Arc<Core>) -> (Vec<Meeting>, Vec<Refusal>) {
    let (mut meetings, mut refused) = (Vec::new(), Vec::new());
    let mut names = core.options.context.names().lock();
    let NameSpace { bound, waiting } = &mut *names;
    waiting.retain(|name, list| {
        let Some(binder) = open_binder(bound, name) else {
            return true;
        };
        for waiting in std::mem::take(list) {
            let Some(connector) = waiting.core.upgrade() else {
                continue;
            };
            if !Arc::ptr_eq(core, &connector) && !Arc::ptr_eq(core, &binder) {
                list.push(waiting);
                continue;
            }
            let binder = Arc::clone(&binder);
            match seats(&connector, &binder, waiting.outbound.name()) {
                Ok(seats) => meetings.push(Meeting {
                    connector,
                    binder,
                    waiting,
                    seats,
                }),
                Err(reason) => {
                    refused.push(Refusal {
                        connector,
                        binder,
                        endpoint: waiting.endpoint.clone(),
                        slot: waiting.outbound.clone(),
                        reason,
                    });
                    list.push(waiting);
                }
            }
        }
        !list.is_empty()
    });
    (meetings, refused)
}

/// Whether this socket and another wait for each other: for a place, since the name is bound.
pub(crate) fn is_awaited(core: &Arc<Core>) -> bool {
    let names = core.options.context.names().lock();
    let mut waiting = names.waiting.iter();
    waiting.any(|(name, list)| {
        let Some(binder) = open_binder(&names.bound, name) else {
            return false;
        };
        let is_core = |waiting: &Waiting| std::ptr::eq(waiting.core.as_ptr(), &raw const **core);
        Arc::ptr_eq(core, &binder) || list.iter().any(is_core)
    })
}

/// The socket that is bound to a name and does not close.
fn open_binder(bound: &HashMap<Box<str>, Weak<Core>>, name: &str) -> Option<Arc<Core>> {
    let binder = bound.get(name).and_then(Weak::upgrade);
    binder.filter(|binder| !binder.endpoints.lock().closed)
}

/// A place for each at the other's; the connector may have a name for the binder.
fn seats(
    connector: &Arc<Core>,
    binder: &Arc<Core>,
    name: Option<&RoutingId>,
) -> Result<Seats, HandshakeFailure> {
    let (ours, theirs) = (connector.socket_type, binder.socket_type);
    if !ours.compatible_with(theirs) {
        return Err(mismatch(ours, theirs));
    }
    let id = connector.options.routing_id.as_ref();
    let at_binder = binder.admit(PeerId::next(), id, false)?;
    let id = name.or(binder.options.routing_id.as_ref());
    match connector.admit(PeerId::next(), id, name.is_some()) {
        Ok(at_connector) => Ok(Seats {
            at_binder,
            at_connector,
        }),
        Err(refused) => {
            at_binder.give_back();
            Err(refused)
        }
    }
}

impl Refusal {
    fn is_for(&self, binder: &Arc<Core>, name: &str) -> bool {
        Arc::ptr_eq(&self.binder, binder)
            && matches!(self.endpoint.address(), Address::Inproc(other) if **other == *name)
    }

    fn tell(self) {
        for (core, direction) in [
            (self.connector, Direction::Connected),
            (self.binder, Direction::Accepted),
        ] {
            let refused = Connection::new(self.endpoint.clone(), direction);
            core.refuse(&refused, self.reason.clone());
        }
    }
}

/// Ends the waits of this socket that are to end and have nothing to send, or no time left; returns how many messages
/// nobody will receive.
pub(crate) fn give_up(core: &Core) -> u64 {
    let mut unsent = 0;
    let mut names = core.options.context.names().lock();
    names.waiting.retain(|_, list| {
        list.retain(|waiting| {
            if !std::ptr::eq(waiting.core.as_ptr(), core) {
                return waiting.core.strong_count() > 0;
            }
            let over = waiting.is_over(core);
            if over && let Some(pipe) = waiting.outbound.pipe() {
                unsent += pipe.counts().queued as u64;
                core.left(&waiting.outbound);
            }
            !over
        });
        !list.is_empty()
    });
    unsent
}

impl Waiting {
    fn is_over(&self, core: &Core) -> bool {
        match self.phase.get() {
            // Without a sender the endpoint is forgotten.
            Phase::Running => self.phase.has_changed().is_err(),
            Phase::Draining => !core.has_unsent(&self.outbound),
            Phase::Abort => true,
        }
    }
}

/// What becomes of a connected endpoint whose connection has ended.
pub(crate) fn parted(core: &Arc<Core>, link: &Link, reason: DisconnectReason) {
    let endpoint = &link.endpoint;
    let Address::Inproc(name) = endpoint.address() else {
        return;
    };
    if link.direction != Direction::Connected || !core.endpoints.lock().has_connected(endpoint) {
        return;
    }
    let again = match reason {
        // The connection is started anew, as over other transports.
        DisconnectReason::Misbehaved(_) | DisconnectReason::RequestAbandoned => true,
        // To come back at once would take the routing id back, and so on without end.
        DisconnectReason::HandedOver => false,
        _ => core.options.inproc_reattach,
    };
    if !again {
        core.forget_one(endpoint);
        return;
    }
    let idle = core.endpoints.lock().idle(endpoint);
    let connected = idle.map(|idle| connect(core, endpoint, name, idle));
    if let Some(Err(ConnectError::Incompatible { ours, theirs, .. })) = connected {
        core.forget_one(endpoint);
        let refused = Connection::new(endpoint.clone(), Direction::Connected);
        core.refuse(&refused, mismatch(ours, theirs));
    }
}

/// Makes two sockets each other's peers, with what the connector has sent already.
fn join(meeting: Meeting) {
    let Meeting {
        connector,
        binder,
        waiting,
        seats,
    } = meeting;
    let endpoint = &waiting.endpoint;
    let early = waiting.outbound.pipe();
    if let Some(pipe) = &early {
        connector.outbox.remove(pipe);
        // It counts as the connection's from now on.
        connector.endpoints.lock().left(pipe);
    }
    waiting.outbound.set(Outbound::Connection);
    let is_named = waiting.outbound.name().is_some();
    let forth = pipe(&connector, &binder, early);
    let back = pipe(&binder, &connector, None);
    let newcomer =
        |facts, direction, outbound: &Arc<Pipe>, inbound: &Arc<Pipe>, seat: Seat| Newcomer {
            facts,
            connection: Connection::numbered(seat.id(), endpoint.clone(), direction),
            outbound: Some(Arc::clone(outbound)),
            inbound: Some(Arc::clone(inbound)),
            seat: Some(seat),
            is_named: direction == Direction::Connected && is_named,
        };
    let (accepted, connected) = (Direction::Accepted, Direction::Connected);
    let theirs = newcomer(
        connector.facts(binder.socket_type),
        accepted,
        &back,
        &forth,
        seats.at_binder,
    );
    let ours = newcomer(
        binder.facts(connector.socket_type),
        connected,
        &forth,
        &back,
        seats.at_connector,
    );
    // Both have a place: nothing is in the way of either.
    let (Ok(theirs), Ok(ours)) = (binder.attach(theirs), connector.attach(ours)) else {
        return;
    };
    // Set once, here.
    let _first = ours
        .partner
        .set((Arc::downgrade(&binder), Arc::downgrade(&theirs)));
    let _first = theirs
        .partner
        .set((Arc::downgrade(&connector), Arc::downgrade(&ours)));
    // They may have changed meanwhile.
    agree(&connector, &ours);
    subscribe(&connector, &ours);
    subscribe(&binder, &theirs);
    let forgotten = !connector.endpoints.lock().has_connected(endpoint);
    let closed = binder.endpoints.lock().closed;
    end_if_asked(&connector, &ours, forgotten);
    end_if_asked(&binder, &theirs, closed);
    // A connector that closes waits for this.
    drop(waiting.phase);
}

/// The pipe from one socket to another, which may hold something already.
fn pipe(from: &Core, to: &Core, early: Option<Arc<Pipe>>) -> Arc<Pipe> {
    let limits = from.live.send().sum(to.live.recv());
    let pipe = early.or_else(|| from.give_queue_away());
    let pipe = pipe.unwrap_or_else(|| from.new_pipe(limits));
    pipe.set_limits(limits);
    // As either of the two has it.
    pipe.set_conflate(from.conflate());
    pipe.set_conflate(to.conflate());
    for first in from.first_messages(to.socket_type).iter().rev() {
        pipe.publish_first(first);
    }
    pipe
}

/// Lets both pipes of a connection hold what its two sockets allow now.
pub(crate) fn agree(core: &Core, link: &Link) {
    if let Some((other, theirs)) = link.partner() {
        theirs.set_recv_limits(core.live.send().sum(other.live.recv()));
        link.set_recv_limits(other.live.send().sum(core.live.recv()));
    }
}

/// Whoever asked for the end of a connection, or closed, before it knew the partner, could not end it.
fn end_if_asked(core: &Arc<Core>, link: &Arc<Link>, gone: bool) {
    let gone = || gone.then_some(DisconnectReason::ClosedHere);
    if let Some(reason) = link.ending.reason().or_else(gone) {
        core.end(link, reason);
    }
}

fn mismatch(local: SocketType, peer: SocketType) -> HandshakeFailure {
    HandshakeFailure::Protocol(crate::HandshakeError::SocketType { local, peer })
}
