//! inproc: `inproc://name`. No session and no task: each of the two pipes joins two sockets of the process.

use std::num::NonZeroUsize;
use std::sync::{Arc, Weak};

use crate::context::Waiting;
use crate::endpoint::{Address, Endpoint};
use crate::error::ConnectError;
use crate::monitor::{DisconnectReason, HandshakeFailure, SocketEvent};
use crate::peer::{Direction, Link, PeerFacts};
use crate::pipe::{Limits, Pipe};
use crate::socket::core::{Core, Newcomer, Phase};
use crate::socket_type::SocketType;

/// Connects to a name, or waits for it to be bound.
pub(crate) fn connect(
    core: &Arc<Core>,
    endpoint: &Endpoint,
    name: &str,
) -> Result<(), ConnectError> {
    let binder = {
        let mut names = core.options.context.names().lock();
        let binder = names.bound.get(name).and_then(Weak::upgrade);
        if binder.is_none() {
            names
                .waiting
                .entry(name.into())
                .or_default()
                .push(wait(core, endpoint));
        }
        binder
    };
    let Some(binder) = binder else { return Ok(()) };
    if !core.socket_type.compatible_with(binder.socket_type) {
        return Err(ConnectError::Incompatible {
            endpoint: endpoint.clone(),
            ours: core.socket_type,
            theirs: binder.socket_type,
        });
    }
    join(core, &binder, endpoint, None);
    Ok(())
}

/// Makes the pipe that takes messages until the name is bound. A binder sees it only when it is complete.
fn wait(core: &Arc<Core>, endpoint: &Endpoint) -> Waiting {
    let early = core.traits.queues_early && !core.options.immediate;
    let outbound = early.then(|| core.new_pipe(core.options.send));
    if let Some(pipe) = &outbound {
        pipe.set_writer(core.outbox.bell.waker());
        core.outbox.add(Arc::clone(pipe));
    }
    let phase = core
        .endpoints
        .lock()
        .wait_for_bind(endpoint, outbound.as_ref());
    Waiting {
        core: Arc::downgrade(core),
        outbound,
        phase,
    }
}

/// Binds a name, and joins those who wait for it. False if the name is taken.
pub(crate) fn bind(core: &Arc<Core>, endpoint: &Endpoint, name: &str) -> bool {
    let waiting = {
        let mut names = core.options.context.names().lock();
        if names
            .bound
            .get(name)
            .is_some_and(|bound| bound.strong_count() > 0)
        {
            return false;
        }
        names.bound.insert(name.into(), Arc::downgrade(core));
        names.waiting.remove(name).unwrap_or_default()
    };
    for Waiting {
        core: connector,
        outbound,
        phase,
    } in waiting
    {
        if let Some(connector) = connector.upgrade() {
            join(&connector, core, endpoint, outbound);
        }
        // A connector that closes waits for this.
        drop(phase);
    }
    true
}

/// Gives a name back.
pub(crate) fn unbind(core: &Core, name: &str) {
    core.options.context.names().lock().bound.remove(name);
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
            if over && let Some(pipe) = &waiting.outbound {
                unsent += pipe.counts().queued as u64;
            }
            !over
        });
        !list.is_empty()
    });
    unsent
}

impl Waiting {
    fn is_over(&self, core: &Core) -> bool {
        let queued = self
            .outbound
            .as_ref()
            .is_some_and(|pipe| pipe.counts().queued > 0);
        match *self.phase.borrow() {
            // Without a sender the endpoint is forgotten.
            Phase::Running => self.phase.has_changed().is_err(),
            Phase::Draining => !queued && !core.requests.is_unsent(),
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
    } else if let Err(ConnectError::Incompatible { ours, theirs, .. }) =
        connect(core, endpoint, name)
    {
        core.forget_one(endpoint);
        refuse(core, endpoint, mismatch(ours, theirs));
    }
}

/// Makes two sockets each other's peers. `early` holds what the connector has sent already.
fn join(connector: &Arc<Core>, binder: &Arc<Core>, endpoint: &Endpoint, early: Option<Arc<Pipe>>) {
    let forth_limits = sum(connector.options.send, binder.options.recv);
    let forth = match early {
        Some(pipe) => {
            connector.outbox.remove(&pipe);
            connector.endpoints.lock().joined(&pipe);
            pipe.set_limits(forth_limits);
            pipe
        }
        None => connector.new_pipe(forth_limits),
    };
    let back = binder.new_pipe(sum(binder.options.send, connector.options.recv));
    let newcomer =
        |facts: PeerFacts, direction, outbound: &Arc<Pipe>, inbound: &Arc<Pipe>| Newcomer {
            facts,
            endpoint: endpoint.clone(),
            remote_address: None,
            direction,
            outbound: Some(Arc::clone(outbound)),
            inbound: Some(Arc::clone(inbound)),
        };
    for (core, pipe) in [(connector, &forth), (binder, &back)] {
        if let Some(hello) = &core.options.hello_message {
            pipe.publish_first(hello);
        }
    }
    let attached = if connector.socket_type.compatible_with(binder.socket_type) {
        let accepted = newcomer(connector.facts(), Direction::Accepted, &back, &forth);
        binder.attach(accepted).and_then(|theirs| {
            let connected = newcomer(binder.facts(), Direction::Connected, &forth, &back);
            let ours = connector.attach(connected).inspect_err(|_refused| {
                binder.detach(&theirs, DisconnectReason::ClosedByPeer);
            })?;
            Ok((ours, theirs))
        })
    } else {
        Err(mismatch(connector.socket_type, binder.socket_type))
    };
    match attached {
        Ok((ours, theirs)) => {
            // Set once, here.
            let _first = ours
                .partner
                .set((Arc::downgrade(binder), Arc::downgrade(&theirs)));
            let _first = theirs
                .partner
                .set((Arc::downgrade(connector), Arc::downgrade(&ours)));
            let forgotten = !connector.endpoints.lock().has_connected(endpoint);
            let closed = binder.endpoints.lock().closed;
            end_if_asked(connector, &ours, forgotten);
            end_if_asked(binder, &theirs, closed);
        }
        Err(reason) => {
            for core in [connector, binder] {
                refuse(core, endpoint, reason.clone());
            }
        }
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

fn refuse(core: &Core, endpoint: &Endpoint, reason: HandshakeFailure) {
    core.counters.handshakes_failed.add(1);
    core.events.emit(SocketEvent::HandshakeFailed {
        endpoint: endpoint.clone(),
        remote_address: None,
        reason,
    });
}

/// What a pipe between two sockets may hold: what both may hold, and no limit if either has none.
fn sum(send: Limits, recv: Limits) -> Limits {
    let both = |a: Option<NonZeroUsize>, b: Option<NonZeroUsize>| Some(a?.saturating_add(b?.get()));
    Limits {
        messages: both(send.messages, recv.messages),
        bytes: both(send.bytes, recv.bytes),
    }
}
