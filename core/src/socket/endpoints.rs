//! Bind, connect, unbind, disconnect.

use std::io;
use std::sync::Arc;

use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use super::close::drain;
use super::core::{Core, Phase};
use crate::endpoint::{Address, Endpoint};
use crate::error::{BindError, CloseReport, ConnectError, EndpointNotFound};
use crate::io::connecter::Connecter;
#[cfg(unix)]
use crate::io::ipc::IpcListener;
use crate::io::memory::{MemoryDialer, MemoryListener};
use crate::io::tcp::TcpListener;
use crate::io::transport::{Dialer, Listener};
use crate::io::{inproc, listener};
use crate::monitor::{DisconnectReason, SocketEvent};
use crate::options::Linger;
use crate::pipe::Pipe;
use crate::socket_type::SocketType;

/// The endpoints of one socket.
#[derive(Debug, Default)]
pub(crate) struct Endpoints {
    pub(crate) bound: Vec<Bound>,
    pub(crate) connected: Vec<Connected>,
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
    endpoint: Endpoint,
    pipe: Option<Arc<Pipe>>,
    /// What its task is to do.
    pub(crate) phase: watch::Sender<Phase>,
}

impl Endpoints {
    pub(crate) fn pipes(&self) -> Vec<Arc<Pipe>> {
        self.connected
            .iter()
            .filter_map(|connected| connected.pipe.clone())
            .collect()
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

    pub(crate) fn set_pipe(&mut self, endpoint: &Endpoint, pipe: Arc<Pipe>) {
        let found = self
            .connected
            .iter_mut()
            .find(|connected| connected.endpoint == *endpoint);
        if let Some(connected) = found {
            connected.pipe = Some(pipe);
        }
    }
}

impl Core {
    pub(crate) async fn bind(self: &Arc<Self>, endpoint: Endpoint) -> Result<Endpoint, BindError> {
        endpoint.check_bindable()?;
        if self.endpoints.lock().closed {
            return Err(BindError::Closed);
        }
        match endpoint.address() {
            Address::Inproc(name) => {
                if !inproc::bind(self, &endpoint, name) {
                    return Err(BindError::InUse { endpoint });
                }
                Ok(self.bound(endpoint.clone(), endpoint, None))
            }
            Address::Tcp(address) => {
                let (target, backlog) = (address.target.clone(), self.options.backlog);
                let listening = async move { TcpListener::bind(&target, backlog).await };
                self.listen(endpoint, listening).await
            }
            #[cfg(unix)]
            Address::Ipc(address) => {
                let (address, backlog) = (address.clone(), self.options.backlog);
                let listening = async move { IpcListener::bind(&address, backlog) };
                self.listen(endpoint, listening).await
            }
            Address::Memory(name) => {
                let network = self.options.context.network();
                let listening = MemoryListener::bind(network, endpoint.clone(), name);
                self.listen(endpoint, async move { listening }).await
            }
            #[cfg(not(unix))]
            Address::Ipc(_) => Err(BindError::Io {
                endpoint,
                source: io::ErrorKind::Unsupported.into(),
            }),
        }
    }

    /// Runs `listening` on the socket's runtime, and then its listener's task. Dropped before, it undoes all of it.
    async fn listen<L: Listener>(
        self: &Arc<Self>,
        given: Endpoint,
        listening: impl Future<Output = io::Result<L>> + Send + 'static,
    ) -> Result<Endpoint, BindError> {
        let listener = match self.runtime.spawn(listening).await {
            Ok(Ok(listener)) => listener,
            Ok(Err(error)) => return Err(bind_error(given, error)),
            Err(_shutting_down) => return Err(BindError::Closed),
        };
        let resolved = listener.endpoint().clone();
        let (stop, stopped) = oneshot::channel();
        let task = self
            .runtime
            .spawn(listener::run(Arc::clone(self), listener, stopped));
        Ok(self.bound(given, resolved, Some((stop, task))))
    }

    fn bound(
        &self,
        given: Endpoint,
        resolved: Endpoint,
        task: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
    ) -> Endpoint {
        self.events.emit(SocketEvent::Listening {
            endpoint: resolved.clone(),
        });
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
            let once = matches!(self.socket_type, SocketType::Dealer | SocketType::Req);
            if once && endpoints.has_connected(&endpoint) {
                return Ok(());
            }
        }
        match endpoint.address().clone() {
            Address::Inproc(name) => {
                // Known before it is bound, so that a binder on another thread finds it.
                self.connected(endpoint.clone(), None);
                match inproc::connect(self, &endpoint, &name) {
                    Ok(Some(pipe)) => self.endpoints.lock().set_pipe(&endpoint, pipe),
                    Ok(None) => {}
                    Err(error) => {
                        self.forget(&endpoint);
                        return Err(error);
                    }
                }
            }
            Address::Tcp(address) => self.dial(endpoint, address),
            #[cfg(unix)]
            Address::Ipc(address) => self.dial(endpoint, address),
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

    fn dial(self: &Arc<Self>, endpoint: Endpoint, dialer: impl Dialer) {
        let early = self.traits.queues_early && !self.options.immediate;
        let outbound = early.then(|| self.new_pipe(self.options.send));
        if let Some(pipe) = &outbound {
            pipe.set_writer(self.outbox.bell.waker());
            self.outbox.add(Arc::clone(pipe));
        }
        let phase = self.connected(endpoint.clone(), outbound.clone());
        let connecter = Connecter {
            core: Arc::clone(self),
            dialer,
            endpoint,
            outbound,
            phase,
        };
        self.runtime.spawn(connecter.run());
    }

    fn connected(&self, endpoint: Endpoint, pipe: Option<Arc<Pipe>>) -> watch::Receiver<Phase> {
        let (phase, receiver) = watch::channel(Phase::Running);
        self.endpoints.lock().connected.push(Connected {
            endpoint,
            pipe,
            phase,
        });
        receiver
    }

    fn forget(&self, endpoint: &Endpoint) -> Option<Connected> {
        let mut endpoints = self.endpoints.lock();
        let index = endpoints
            .connected
            .iter()
            .position(|one| one.endpoint == *endpoint)?;
        Some(endpoints.connected.remove(index))
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

    pub(crate) async fn disconnect(
        &self,
        endpoint: Endpoint,
    ) -> Result<CloseReport, EndpointNotFound> {
        match self.forget(&endpoint) {
            Some(connected) => Ok(connected.stop(self, self.options.linger).await),
            None => Err(EndpointNotFound::NotFound { endpoint }),
        }
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
    }
}

impl Connected {
    /// Sends what is queued within `linger` and closes.
    pub(crate) async fn stop(self, core: &Core, linger: Linger) -> CloseReport {
        if let Some(pipe) = &self.pipe {
            core.outbox.remove(pipe);
            pipe.finish();
        }
        let links: Vec<_> = {
            let peers = core.peers.lock();
            peers
                .by_id
                .values()
                .filter(|link| link.endpoint == self.endpoint)
                .cloned()
                .collect()
        };
        for link in &links {
            link.outbound.finish();
            if link.partner.get().is_some() {
                core.end(link, DisconnectReason::ClosedHere);
            }
        }
        drain([&self.phase].into_iter(), linger).await;
        let of_pipe = self
            .pipe
            .iter()
            .chain(links.iter().map(|link| &link.outbound));
        let unsent = if matches!(self.endpoint.address(), Address::Inproc(_)) && !links.is_empty() {
            0
        } else {
            of_pipe
                .map(|pipe| pipe.counts().queued as u64)
                .max()
                .unwrap_or(0)
        };
        CloseReport { unsent }
    }
}

fn bind_error(endpoint: Endpoint, error: io::Error) -> BindError {
    match error.kind() {
        io::ErrorKind::AddrInUse => BindError::InUse { endpoint },
        io::ErrorKind::AlreadyExists => BindError::NotASocket { endpoint },
        _ => BindError::Io {
            endpoint,
            source: error,
        },
    }
}
