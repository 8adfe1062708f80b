//! inproc: `inproc://name`. No session and no task: each of the two pipes joins two sockets of the process.

use std::num::NonZeroUsize;
use std::sync::Arc;

use crate::context::Waiting;
use crate::endpoint::{Address, Endpoint};
use crate::error::ConnectError;
use crate::monitor::{DisconnectReason, HandshakeFailure, SocketEvent};
use crate::peer::{Direction, Link, PeerFacts};
use crate::pipe::{Limits, Pipe};
use crate::socket::core::{Core, Newcomer};

/// Connects to a name, or waits for it to be bound. Returns the pipe that takes messages meanwhile.
pub(crate) fn connect(
    core: &Arc<Core>,
    endpoint: &Endpoint,
    name: &str,
) -> Result<Option<Arc<Pipe>>, ConnectError> {
    let early = core.traits.queues_early && !core.options.immediate;
    let outbound = early.then(|| core.new_pipe(core.options.send));
    let binder = {
        let mut names = core.options.context.names().lock();
        let binder = names.bound.get(name).and_then(std::sync::Weak::upgrade);
        if binder.is_none() {
            let waiting = Waiting {
                core: Arc::downgrade(core),
                outbound: outbound.clone(),
            };
            names.waiting.entry(name.into()).or_default().push(waiting);
        }
        binder
    };
    let Some(binder) = binder else {
        if let Some(pipe) = &outbound {
            pipe.set_writer(core.outbox.bell.waker());
            core.outbox.add(Arc::clone(pipe));
        }
        return Ok(outbound);
    };
    if !core.socket_type.compatible_with(binder.socket_type) {
        return Err(ConnectError::Incompatible {
            endpoint: endpoint.clone(),
            ours: core.socket_type,
            theirs: binder.socket_type,
        });
    }
    join(core, &binder, endpoint, None);
    Ok(None)
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
    } in waiting
    {
        let Some(connector) = connector.upgrade() else {
            continue;
        };
        if !connector.endpoints.lock().has_connected(endpoint) {
            continue;
        }
        join(&connector, core, endpoint, outbound);
    }
    true
}

/// Gives a name back.
pub(crate) fn unbind(core: &Core, name: &str) {
    core.options.context.names().lock().bound.remove(name);
}

/// Waits for a name again whose socket is closed, if the connector asked for that.
pub(crate) fn reattach(core: &Arc<Core>, link: &Link) {
    let endpoint = &link.endpoint;
    let Address::Inproc(name) = endpoint.address() else {
        return;
    };
    let wanted = core.options.inproc_reattach
        && link.direction == Direction::Connected
        && core.endpoints.lock().has_connected(endpoint);
    if !wanted {
        return;
    }
    // A new socket of another type is reported as an event by `join`.
    if let Ok(Some(pipe)) = connect(core, endpoint, name) {
        core.endpoints.lock().set_pipe(endpoint, pipe);
    }
}

/// Makes two sockets each other's peers. `early` holds what the connector has sent already.
fn join(connector: &Arc<Core>, binder: &Arc<Core>, endpoint: &Endpoint, early: Option<Arc<Pipe>>) {
    let forth_limits = sum(connector.options.send, binder.options.recv);
    let forth = match early {
        Some(pipe) => {
            connector.outbox.remove(&pipe);
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
            // Set once, here: a partner is known before anybody can ask for it to be ended.
            let _first = ours
                .partner
                .set((Arc::downgrade(binder), Arc::downgrade(&theirs)));
            let _first = theirs
                .partner
                .set((Arc::downgrade(connector), Arc::downgrade(&ours)));
            Ok(())
        })
    } else {
        Err(HandshakeFailure::Protocol(
            crate::HandshakeError::SocketType {
                local: connector.socket_type,
                peer: binder.socket_type,
            },
        ))
    };
    if let Err(reason) = attached {
        for core in [connector, binder] {
            core.counters.handshakes_failed.add(1);
            core.events.emit(SocketEvent::HandshakeFailed {
                endpoint: endpoint.clone(),
                remote_address: None,
                reason: reason.clone(),
            });
        }
    }
}

/// What a pipe between two sockets may hold: what both may hold, and no limit if either has none.
fn sum(send: Limits, recv: Limits) -> Limits {
    let both = |a: Option<NonZeroUsize>, b: Option<NonZeroUsize>| Some(a?.saturating_add(b?.get()));
    Limits {
        messages: both(send.messages, recv.messages),
        bytes: both(send.bytes, recv.bytes),
    }
}
