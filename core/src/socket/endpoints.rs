//! Bind, connect, unbind, disconnect.

use std::io;
use std::sync::Arc;

use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use super::close::{drain, unsent};
use super::core::{Core, Phase};
use super::outbound::{Outbound, Slot};
use crate::adopted::StdListener;
use crate::endpoint::{Address, Endpoint};
use crate::error::{BindError, CloseReport, ConnectError, EndpointNotFound};
use crate::io::connecter::Connecter;
#[cfg(unix)]
use crate::io::ipc::{IpcDialer, IpcListener};
use crate::io::memory::{MemoryDialer, MemoryListener};
use crate::io::tcp::{TcpDialer, TcpListener};
use crate::io::transport::{Dialer, Listener};
use crate::io::{inproc, listener};
use crate::monitor::{DisconnectReason, SocketEvent};
use crate::peer::Link;
use crate::pipe::Pipe;
use crate::socket_type::SocketType;

/// The endpoints of one socket.
#[derive(Debug, Default)]
pub(crate) struct Endpoints {
    pub(crate) bound: Vec<Bound>,
    pub(crate) connected: Vec<Connected>,
    /// Pipes of endpoints that are being disconnected, while what is in them may still go out.
    pub(crate) leaving: Vec<Arc<Pipe>>,
    pub(crate) closed: bool,
}

/// A bound endpoint.
#[derive(Debug)]
pub(crate) struct Bound {
    /// As it was given, perhaps with wildcards.
    given: Endpoint,
    resolved: Endpoint,
    /// Its task, and what stops it; none over inproc.
    task: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
}

/// A connected endpoint.
#[derive(Debug)]
pub(crate) struct Connected {
    pub(crate) endpoint: Endpoint,
    pub(crate) outbound: Slot,
    /// What its task is to do.
    pub(crate) phase: watch::Sender<Phase>,
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
        taken
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
    pub(crate) async fn bind(self: &Arc<Self>, endpoint: Endpoint) -> Result<Endpoint, BindError> {
        endpoint.check_bindable()?;
        let bound = self.bind_at(endpoint.clone()).await;
        if let Some(error) = bound.as_ref().err().and_then(BindError::io_kind) {
            self.events
                .emit(SocketEvent::BindFailed { endpoint, error });
        }
        bound
    }

    async fn bind_at(self: &Arc<Self>, endpoint: Endpoint) -> Result<Endpoint, BindError> {
        if self.endpoints.lock().closed {
            return Err(BindError::Closed);
        }
        let kernel = self.options.kernel;
        match endpoint.address() {
            Address::Inproc(name) => {
                if !inproc::bind(self, name) {
                    return Err(BindError::InUse { endpoint });
                }
                self.events.emit(SocketEvent::Listening {
                    endpoint: endpoint.clone(),
                });
                Ok(self.bound(endpoint.clone(), endpoint, None))
            }
            Address::Tcp(address) => {
                let (target, backlog) = (address.target.clone(), self.options.backlog);
                let listening = async move { TcpListener::bind(&target, backlog, kernel).await };
                self.listen(Some(endpoint), listening).await
            }
            #[cfg(unix)]
            Address::Ipc(address) => {
                let (address, backlog) = (address.clone(), self.options.backlog);
                let listening = async move { IpcListener::bind(&address, backlog, kernel) };
                self.listen(Some(endpoint), listening).await
            }
            Address::Memory(name) => {
                let network = self.options.context.network();
                let listening = MemoryListener::bind(network, endpoint.clone(), name);
                self.listen(Some(endpoint), async move { listening }).await
            }
            #[cfg(not(unix))]
            Address::Ipc(_) => Err(BindError::Io {
                endpoint,
                source: io::ErrorKind::Unsupported.into(),
            }),
        }
    }

    /// Goes on with a listener that was made elsewhere.
    pub(crate) async fn bind_listener(
        self: &Arc<Self>,
        listener: StdListener,
    ) -> Result<Endpoint, BindError> {
        if self.endpoints.lock().closed {
            return Err(BindError::Closed);
        }
        let kernel = self.options.kernel;
        match listener {
            StdListener::Tcp(listener) => {
                let adopting = async move { TcpListener::adopt(listener, kernel) };
                self.listen(None, adopting).await
            }
            #[cfg(unix)]
            StdListener::Unix(listener) => {
                let adopting = async move { IpcListener::adopt(listener, kernel) };
                self.listen(None, adopting).await
            }
        }
    }

    /// Runs `listening` on the socket's runtime, and then its listener's task. Dropped before, it undoes all of it.
    async fn listen<L: Listener>(
        self: &Arc<Self>,
        given: Option<Endpoint>,
        listening: impl Future<Output = io::Result<L>> + Send + 'static,
    ) -> Result<Endpoint, BindError> {
        let listener = match self.runtime.spawn(listening).await {
            Ok(Ok(listener)) => listener,
            Ok(Err(error)) => return Err(bind_error(given, error)),
            Err(_shutting_down) => return Err(BindError::Closed),
        };
        let resolved = listener.endpoint().clone();
        self.events.emit(SocketEvent::Listening {
            endpoint: resolved.clone(),
        });
        let (stop, stopped) = oneshot::channel();
        let task = self
            .runtime
            .spawn(listener::run(Arc::clone(self), listener, stopped));
        let given = given.unwrap_or_else(|| resolved.clone());
        Ok(self.bound(given, resolved, Some((stop, task))))
    }

    fn bound(
        &self,
        given: Endpoint,
        resolved: Endpoint,
        task: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
    ) -> Endpoint {
        let endpoint = resolved.clone();
        self.endpoints.lock().bound.push(Bound {
            given,
            resolved,
            task,
        });
        endpoint
    }

    pub(crate) fn connect(self: &Arc<Self>, endpoint: Endpoint) -> Result<(), ConnectError> {
        endpoint.check_connectable()?;
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
        let kernel = self.options.kernel;
        match endpoint.address().clone() {
            Address::Inproc(name) => {
                // Known before it is bound, so that a binder on another thread finds it.
                let (slot, phase) = self.connected(endpoint.clone(), Outbound::Connection);
                inproc::connect(self, &endpoint, &name, (slot, phase))
                    .inspect_err(|_incompatible| self.forget_one(&endpoint))?;
            }
            Address::Tcp(address) => self.dial(endpoint, TcpDialer::new(address, kernel)),
            #[cfg(unix)]
            Address::Ipc(address) => self.dial(endpoint, IpcDialer { address, kernel }),
            Address::Memory(name) => {
                let network = self.options.context.network().clone();
                self.dial(endpoint, MemoryDialer { network, name });
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

    pub(crate) fn dial(self: &Arc<Self>, endpoint: Endpoint, dialer: impl Dialer) {
        let (outbound, phase) = self.connected(endpoint.clone(), self.early_outbound());
        self.settle_queue(None);
        let connecter = Connecter {
            core: Arc::clone(self),
            dialer,
            endpoint,
            outbound,
            phase,
        };
        self.runtime.spawn(connecter.run());
    }

    fn connected(&self, endpoint: Endpoint, outbound: Outbound) -> (Slot, watch::Receiver<Phase>) {
        let slot = Slot::new(outbound);
        let (phase, receiver) = watch::channel(Phase::Running);
        self.endpoints.lock().connected.push(Connected {
            endpoint,
            outbound: slot.clone(),
            phase,
        });
        (slot, receiver)
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

    pub(crate) async fn unbind(&self, endpoint: Endpoint) -> Result<(), EndpointNotFound> {
        let found = {
            let mut endpoints = self.endpoints.lock();
            let named = |bound: &Bound| bound.resolved == endpoint || bound.given == endpoint;
            let index = endpoints.bound.iter().position(named);
            index.map(|index| endpoints.bound.remove(index))
        };
        match found {
            Some(bound) => {
                bound.stop(self).await;
                Ok(())
            }
            None => Err(EndpointNotFound::NotFound { endpoint }),
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
        for pipe in &pipes {
            pipe.finish();
        }
        for link in links.iter().filter(|link| link.is_inproc()) {
            self.end(link, DisconnectReason::ClosedHere);
        }
        let phases = connected.iter().map(|one| &one.phase);
        let never_bound = drain(self, phases, self.live.linger()).await;
        let inproc = matches!(endpoint.address(), Address::Inproc(_));
        Ok(CloseReport {
            unsent: if inproc { never_bound } else { unsent(&pipes) },
        })
    }

    fn links_to(&self, endpoint: &Endpoint) -> Vec<Arc<Link>> {
        let peers = self.peers.lock();
        let to = peers.by_id.values().filter(|link| link.is_to(endpoint));
        to.cloned().collect()
    }
}

impl Bound {
    /// Stops listening; connections live on. The address is free when this returns.
    pub(crate) async fn stop(self, core: &Core) {
        if let Address::Inproc(name) = self.resolved.address() {
            inproc::unbind(core, name);
        }
        if let Some((stop, task)) = self.task {
            drop(stop);
            // It fails only if the runtime is gone, and the listener with it.
            let _gone = task.await;
        }
        core.events.emit(SocketEvent::Closed {
            endpoint: self.resolved,
        });
    }
}

/// Why an endpoint cannot be bound, or, without one, a listener cannot be adopted.
fn bind_error(given: Option<Endpoint>, error: io::Error) -> BindError {
    let Some(endpoint) = given else {
        return BindError::Listener { source: error };
    };
    match error.kind() {
        io::ErrorKind::AddrInUse => BindError::InUse { endpoint },
        io::ErrorKind::AlreadyExists => BindError::NotASocket { endpoint },
        _ => BindError::Io {
            endpoint,
            source: error,
        },
    }
}
