//! [`Outbound`]: where the messages of a connected endpoint wait.

use std::sync::Arc;
use std::task::Waker;

use super::core::Core;
use super::names::Name;
use crate::monitor::DropReason;
use crate::peer::Bell;
use crate::pipe::Pipe;
use crate::routing_id::RoutingId;
use crate::sync::Mutex;

/// Where the messages of a connected endpoint wait.
#[derive(Clone, Debug)]
pub(crate) enum Outbound {
    /// In a pipe of each connection, if there is one.
    Connection,
    /// In a pipe of the endpoint, which takes them before there is a connection and outlives it.
    Endpoint(Arc<Pipe>),
    /// In the queue of the socket, which can have one peer only.
    Socket,
}

/// Where the messages of a connected endpoint wait, known to the socket and to the endpoint's task.
#[derive(Clone, Debug)]
pub(crate) struct Slot(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    outbound: Mutex<Outbound>,
    /// By what name this socket addresses whoever is there.
    name: Option<Name>,
}

impl Slot {
    pub(crate) fn new(outbound: Outbound, name: Option<Name>) -> Self {
        Self(Arc::new(Inner {
            outbound: Mutex::new(outbound),
            name,
        }))
    }

    pub(crate) fn get(&self) -> Outbound {
        self.0.outbound.lock().clone()
    }

    pub(crate) fn set(&self, outbound: Outbound) {
        *self.0.outbound.lock() = outbound;
    }

    /// By what name this socket addresses whoever is there, if it has chosen one.
    pub(crate) fn name(&self) -> Option<&RoutingId> {
        self.0.name.as_ref().map(Name::id)
    }

    /// The endpoint's pipe, if it has one.
    pub(crate) fn pipe(&self) -> Option<Arc<Pipe>> {
        match self.get() {
            Outbound::Endpoint(pipe) => Some(pipe),
            Outbound::Connection | Outbound::Socket => None,
        }
    }

    pub(crate) fn is_of_socket(&self) -> bool {
        matches!(self.get(), Outbound::Socket)
    }

    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Core {
    /// Where the messages wait that are sent before an endpoint, with this name, has a connection.
    pub(crate) fn early_outbound(&self, name: Option<&RoutingId>) -> Outbound {
        if let Some(name) = name {
            return self.outbound_of(name);
        }
        if !self.traits.queues_early || self.options.immediate {
            return Outbound::Connection;
        }
        if self.traits.single_peer {
            return Outbound::Socket;
        }
        let pipe = self.new_pipe(self.live.send());
        pipe.set_writer(self.outbox.bell.waker());
        self.outbox.add(Arc::clone(&pipe));
        Outbound::Endpoint(pipe)
    }

    /// Rings when a pipe to a peer has room; `room` is that peer's own.
    pub(super) fn room_waker(&self, room: &Arc<Bell>) -> Waker {
        if self.traits.round_robin {
            self.outbox.bell.waker()
        } else if self.traits.fans_out {
            Arc::clone(&self.fan_out.gong).into()
        } else {
            room.waker()
        }
    }

    /// The end of an endpoint that was disconnected: what it has not sent by now it never will.
    pub(crate) fn left(&self, slot: &Slot) {
        if let Some(pipe) = slot.pipe()
            && self.endpoints.lock().left(&pipe)
        {
            let lost = (pipe.counts().queued, DropReason::LingerOver);
            self.retire(&pipe, lost, None);
        }
    }

    /// Whether a connection to the endpoint with this slot would have something to send.
    pub(crate) fn has_unsent(&self, slot: &Slot) -> bool {
        match slot.get() {
            Outbound::Connection => self.requests.is_unsent(),
            Outbound::Endpoint(pipe) => pipe.counts().queued > 0,
            // An endpoint that is disconnected alone leaves the queue to the others.
            Outbound::Socket if self.endpoints.lock().closed => {
                let queue = self.peers.lock().queue.clone();
                queue.is_some_and(|queue| queue.counts().queued > 0)
            }
            Outbound::Socket => false,
        }
    }
}
