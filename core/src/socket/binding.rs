//! Bind and unbind.

use std::io;
use std::sync::Arc;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::core::Core;
use crate::adopted::StdListener;
use crate::endpoint::{Address, Endpoint};
use crate::error::{BindError, EndpointNotFound};
use crate::io::drivers::check_io;
#[cfg(unix)]
use crate::io::ipc::IpcListener;
use crate::io::memory::MemoryListener;
use crate::io::tcp::TcpListener;
use crate::io::transport::Listener;
use crate::io::{inproc, listener};
use crate::monitor::SocketEvent;

/// A bound endpoint.
#[derive(Debug)]
pub(crate) struct Bound {
    /// As it was given, perhaps with wildcards.
    given: Endpoint,
    pub(super) resolved: Endpoint,
    /// Its task, and what stops it; none over inproc.
    task: Option<Listening>,
}

/// What stops a listener, and its task.
type Listening = (oneshot::Sender<()>, JoinHandle<()>);

impl Core {
    pub(crate) async fn bind(self: &Arc<Self>, endpoint: Endpoint) -> Result<Endpoint, BindError> {
        endpoint.check_bindable()?;
        self.check_transport(&endpoint)?;
        let bound = self.bind_at(endpoint.clone()).await;
        if let Some(error) = bound.as_ref().err().and_then(BindError::io_kind) {
            self.events
                .emit(SocketEvent::BindFailed { endpoint, error });
        }
        self.keep(bound?).await
    }

    async fn bind_at(self: &Arc<Self>, endpoint: Endpoint) -> Result<Bound, BindError> {
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
                Ok(Bound::new(None, endpoint, None))
            }
            Address::Tcp(address) => {
                check_io(&self.runtime, BindError::NoIo)?;
                let (target, backlog) = (address.target.clone(), self.options.backlog);
                let listening = async move { TcpListener::bind(&target, backlog, kernel).await };
                self.listen(Some(endpoint), listening).await
            }
            #[cfg(unix)]
            Address::Ipc(address) => {
                check_io(&self.runtime, BindError::NoIo)?;
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
        check_io(&self.runtime, BindError::NoIo)?;
        let kernel = self.options.kernel;
        let bound = match listener {
            StdListener::Tcp(listener) => {
                let adopting = async move { TcpListener::adopt(listener, kernel) };
                self.listen(None, adopting).await
            }
            #[cfg(unix)]
            StdListener::Unix(listener) => {
                let adopting = async move { IpcListener::adopt(listener, kernel) };
                self.listen(None, adopting).await
            }
        };
        self.keep(bound?).await
    }

    /// Runs `listening` on the socket's runtime, and then its listener's task. Dropped before, it undoes all of it.
    async fn listen<L: Listener>(
        self: &Arc<Self>,
        given: Option<Endpoint>,
        listening: impl Future<Output = io::Result<L>> + Send + 'static,
    ) -> Result<Bound, BindError> {
        let mut listening = self.runtime.spawn(listening);
        let listening = tokio::select! {
            biased;
            listener = &mut listening => listener,
            // A name may take long to be resolved.
            () = self.inbox.until_closed() => {
                listening.abort();
                return Err(BindError::Closed);
            }
        };
        let listener = match listening {
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
        Ok(Bound::new(given, resolved, Some((stop, task))))
    }

    /// Keeps a bound endpoint, unless the socket was closed meanwhile.
    async fn keep(&self, bound: Bound) -> Result<Endpoint, BindError> {
        let endpoint = bound.resolved.clone();
        let too_late = {
            let mut endpoints = self.endpoints.lock();
            if endpoints.closed {
                Some(bound)
            } else {
                endpoints.bound.push(bound);
                None
            }
        };
        match too_late {
            Some(bound) => {
                bound.stop(self).await;
                Err(BindError::Closed)
            }
            None => Ok(endpoint),
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
}

impl Bound {
    fn new(given: Option<Endpoint>, resolved: Endpoint, task: Option<Listening>) -> Self {
        Self {
            given: given.unwrap_or_else(|| resolved.clone()),
            resolved,
            task,
        }
    }

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

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::time::Duration;

    use super::*;
    use crate::{Context, SocketType};

    /// Q07: whoever binds a name that is not resolved is told that the socket is closed, and waits no longer.
    #[tokio::test]
    async fn a_bind_that_takes_long_ends_with_its_context() {
        let context = Context::new();
        let core = Core::new(SocketType::Pull, context.socket_options()).unwrap();
        let resolving = pending::<io::Result<MemoryListener>>();
        let binding = core.listen(None, resolving);
        let both = async { tokio::join!(binding, context.shutdown(Duration::ZERO)) };
        let done = tokio::time::timeout(Duration::from_secs(10), both).await;
        let (bound, _report) = done.expect("nobody woke it");
        assert!(matches!(bound, Err(BindError::Closed)));
    }
}
