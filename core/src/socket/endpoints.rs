//! Connect and disconnect.

use std::sync::{Arc, Weak};

use super::binding::Bound;
use super::close::{drain, lingered, unsent};
use super::core::{Core, Phase};
use super::names::Name;
use super::outbound::{Outbound, Slot};
use crate::endpoint::{Address, Endpoint, EndpointError};
use crate::error::{CloseReport, ConnectError, EndpointNotFound};
use crate::io::connecter::Connecter;
use crate::io::drivers::check_io;
use crate::io::inproc;
#[cfg(unix)]
use crate::io::ipc::IpcDialer;
use crate::io::memory::MemoryDialer;
use crate::io::tcp::TcpDialer;
use crate::io::transport::Dialer;
use crate::monitor::DisconnectReason;
use crate::peer::Link;
use crate::pipe::Pipe;
use crate::routing_id::RoutingId;
use crate::socket_type::SocketType;
use crate::watch;

/// The endpoints of one socket.
#[derive(Debug, Default)]
pub(crate) struct Endpoints {
    pub(crate) bound: Vec<Bound>,
    pub(crate) connected: Vec<Connected>,
    /// Pipes of endpoints that are being disconnected, while what is in them may still go out.
    pub(crate) leaving: Vec<Arc<Pipe>>,
    /// What the tasks of such endpoints are to do, while whoever disconnects them waits.
    leaving_phases: Vec<Weak<watch::Sender<Phase>>>,
    pub(crate) closed: bool,
}

/// A connected endpoint.
#[derive(Debug)]
pub(crate) struct Connected {
    pub(crate) endpoint: Endpoint,
    pub(crate) outbound: Slot,
    /// What its task is to do.
    pub(crate) phase: Arc<watch::Sender<Phase>>,
}

impl Connected {
    pub(crate) const fn is_inproc(&self) -> bool {
        matches!(self.endpoint.address(), Address::Inproc(_))
    }
}

impl Endpoints {
    pub(crate) fn pipes(&self) -> Vec<Arc<Pipe>> {
        let connected = self.connected.iter();
        let pipes = connected.filter_map(|one| one.outbound.pipe());
        pipes.chain(self.leaving.iter().cloned()).collect()
    }

    /// Bound endpoints, wildcards resolved, and connected ones.
    pub(crate) fn all(&self) -> Vec<Endpoint> {
        let bound = self.bound.iter().map(|one| one.resolved.clone());
        let connected = self.connected.iter().map(|one| one.endpoint.clone());
        bound.chain(connected).collect()
    }

    /// Forgets the pipe of an endpoint that was being disconnected; tells whether it was.
    pub(crate) fn left(&mut self, pipe: &Arc<Pipe>) -> bool {
        let count = self.leaving.len();
        self.leaving.retain(|other| !Arc::ptr_eq(other, pipe));
        self.leaving.len() < count
    }

    /// All connects to these endpoints, which are to end.
    pub(crate) fn take_connected(&mut self, which: impl Fn(&Endpoint) -> bool) -> Vec<Connected> {
        let named = |one: &mut Connected| which(&one.endpoint);
        let taken: Vec<_> = self.connected.extract_if(.., named).collect();
        let pipes = taken.iter().filter_map(|one| one.outbound.pipe());
        self.leaving.extend(pipes);
        self.leaving_phases.retain(|phase| phase.strong_count() > 0);
        let phases = taken.iter().map(|one| Arc::downgrade(&one.phase));
        self.leaving_phases.extend(phases);
        taken
    }

    /// What tells the tasks of endpoints that are being disconnected what to do.
    pub(crate) fn leaving_phases(&self) -> Vec<Arc<watch::Sender<Phase>>> {
        self.leaving_phases
            .iter()
            .filter_map(Weak::upgrade)
            .collect()
    }

    /// Whether an endpoint takes messages early, for whichever peer comes.
    pub(crate) fn queue_early(&self) -> bool {
        self.connected.iter().any(|one| one.outbound.is_of_socket())
    }

    /// Whether the socket keeps connected to anything.
    pub(crate) fn connects(&self) -> bool {
        !self.connected.is_empty()
    }

    pub(crate) fn has_connected(&self, endpoint: &Endpoint) -> bool {
        self.connected
            .iter()
            .any(|connected| connected.endpoint == *endpoint)
    }

    /// Whether a connection to this endpoint may still have what the socket sends.
    pub(crate) fn keeps(&self, endpoint: &Endpoint) -> bool {
        self.closed || self.has_connected(endpoint)
    }

    /// An inproc endpoint that has no connection and does not wait for one, with what tells it to stop.
    pub(crate) fn idle(&self, endpoint: &Endpoint) -> Option<(Slot, watch::Receiver<Phase>)> {
        let mut connected = self.connected.iter().rev();
        let found = connected.find(|one| {
            one.endpoint == *endpoint && matches!(one.outbound.get(), Outbound::Connection)
        });
        found.map(|one| (one.outbound.clone(), one.phase.subscribe()))
    }
}

impl Core {
    /// Whether this type of socket can be there at all.
    pub(super) fn check_transport(&self, endpoint: &Endpoint) -> Result<(), EndpointError> {
        match endpoint.address() {
            Address::Inproc(_) if self.traits.raw => Err(EndpointError::NotForStream),
            _ => Ok(()),
        }
    }

    /// Keeps connected to an endpoint; whoever is there has this name if it is given one.
    pub(crate) fn connect(
        self: &Arc<Self>,
        endpoint: Endpoint,
        name: Option<RoutingId>,
    ) -> Result<(), ConnectError> {
        endpoint.check_connectable()?;
        self.check_transport(&endpoint)?;
        {
            let endpoints = self.endpoints.lock();
            if endpoints.closed {
                return Err(ConnectError::Closed);
            }
            // As in libzmq: to connect these twice changes nothing.
            let once = matches!(
                self.socket_type,
                SocketType::Dealer | SocketType::Req | SocketType::Sub | SocketType::Pub
            );
            if once && endpoints.has_connected(&endpoint) {
                return Ok(());
            }
        }
        let name = name.map(|id| self.take_name(id)).transpose()?;
        let kernel = self.options.kernel;
        match endpoint.address().clone() {
            Address::Inproc(place) => {
                // Known before it is bound, so that a binder on another thread finds it.
                let (slot, phase) = self.connected(endpoint.clone(), Outbound::Connection, name)?;
                inproc::connect(self, &endpoint, &place, (slot, phase))
                    .inspect_err(|_incompatible| self.forget_one(&endpoint))?;
            }
            Address::Tcp(address) => {
                check_io(&self.runtime, ConnectError::NoIo)?;
                self.dial(endpoint, name, TcpDialer::new(address, kernel))?;
            }
            #[cfg(unix)]
            Address::Ipc(address) => {
                check_io(&self.runtime, ConnectError::NoIo)?;
                self.dial(endpoint, name, IpcDialer { address, kernel })?;
            }
            Address::Memory(place) => {
                let network = self.options.context.network().clone();
                let dialer = MemoryDialer {
                    network,
                    name: place,
                };
                self.dial(endpoint, name, dialer)?;
            }
            #[cfg(not(unix))]
            Address::Ipc(_) => {
                return Err(crate::EndpointError::UnknownScheme {
                    scheme: "ipc".into(),
                }
                .into());
            }
        }
        Ok(())
    }

    pub(crate) fn dial(
        self: &Arc<Self>,
        endpoint: Endpoint,
        name: Option<Name>,
        dialer: impl Dialer,
    ) -> Result<(), ConnectError> {
        let early = self.early_outbound(name.as_ref().map(Name::id));
        let (outbound, phase) = self.connected(endpoint.clone(), early, name)?;
        self.settle_queue(None);
        let connecter = Connecter {
            core: Arc::clone(self),
            dialer,
            endpoint,
            outbound,
            phase,
        };
        self.runtime.spawn(connecter.run());
        Ok(())
    }

    /// Keeps a connected endpoint, unless the socket was closed meanwhile.
    fn connected(
        &self,
        endpoint: Endpoint,
        outbound: Outbound,
        name: Option<Name>,
    ) -> Result<(Slot, watch::Receiver<Phase>), ConnectError> {
        let slot = Slot::new(outbound, name);
        let (phase, receiver) = watch::channel(Phase::Running);
        let mut endpoints = self.endpoints.lock();
        if endpoints.closed {
            return Err(ConnectError::Closed);
        }
        endpoints.connected.push(Connected {
            endpoint,
            outbound: slot.clone(),
            phase: Arc::new(phase),
        });
        drop(endpoints);
        // It may have changed since the pipe was made.
        if let Some(pipe) = slot.pipe() {
            pipe.set_limits(self.live.send());
        }
        Ok((slot, receiver))
    }

    /// Takes back the last connect to this inproc endpoint that has no connection.
    pub(crate) fn forget_one(&self, endpoint: &Endpoint) {
        let mut endpoints = self.endpoints.lock();
        let index = endpoints.connected.iter().rposition(|one| {
            one.endpoint == *endpoint && matches!(one.outbound.get(), Outbound::Connection)
        });
        if let Some(index) = index {
            endpoints.connected.remove(index);
        }
    }

    /// Sends what is queued within the linger time and ends the endpoint, if it was connected twice both times.
    pub(crate) async fn disconnect(
        self: &Arc<Self>,
        endpoint: Endpoint,
    ) -> Result<CloseReport, EndpointNotFound> {
        let named = |other: &Endpoint| *other == endpoint;
        let connected = self.endpoints.lock().take_connected(named);
        if connected.is_empty() {
            return Err(EndpointNotFound::NotFound { endpoint });
        }
        let own = connected.iter().filter_map(|one| one.outbound.pipe());
        let mut pipes: Vec<_> = own.collect();
        for pipe in &pipes {
            self.outbox.remove(pipe);
        }
        pipes.extend(self.leave_with_queue(&endpoint, &connected));
        self.settle_queue(None);
        let links = self.links_to(&endpoint);
        pipes.extend(
            links
                .iter()
                .filter(|link| link.outbound_is_own)
                .map(|link| Arc::clone(&link.outbound)),
        );
        for link in links.iter().filter(|link| link.is_inproc()) {
            inproc::withdraw(link);
        }
        self.fan_out.finish(self, &pipes);
        for link in links.iter().filter(|link| link.is_inproc()) {
            self.end(link, DisconnectReason::ClosedHere);
        }
        let phases = connected.iter().map(|one| &*one.phase);
        let never_bound = drain(self, phases, lingered(self.live.linger())).await;
        let inproc = matches!(endpoint.address(), Address::Inproc(_));
        Ok(CloseReport {
            unsent: if inproc { never_bound } else { unsent(&pipes) },
        })
    }

    fn links_to(&self, endpoint: &Endpoint) -> Vec<Arc<Link>> {
        let mut links = self.links();
        links.retain(|link| link.is_to(endpoint));
        links
    }
}
