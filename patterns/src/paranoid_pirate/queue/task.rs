//! [`Queue`]: the machine with two sockets and a clock.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use privateer_core::{
    BindError, Endpoint, EndpointError, Message, NoRuntime, Peer, PeerEvent, RouterSocket,
    SendErrorKind, SocketOptions,
};
use tokio::sync::Notify;
use tokio::time::{Instant, Sleep, sleep_until, timeout};

use super::{DropReason, Output, PeerKey, QueueEvent, QueueMachine, QueueOptions, QueueStats};
use crate::announcement::{PROPERTY, announce};
use crate::ended::{Ended, Running};
use crate::events::{EventSource, Events};
use crate::lazy_pirate;
use crate::majordomo::PeerFacts;
use crate::paranoid_pirate::PATTERN;

/// A queue of the Pirate patterns, which is also a load-balancing broker: a value in your program, or the example
/// programs `spqueue`, `ppqueue` and `lbbroker`.
///
/// It serves the guide's clients and workers as well as ours. See [`paranoid_pirate`](crate::paranoid_pirate) for an
/// example and for its contract.
#[derive(Debug)]
pub struct Queue {
    frontend: Socket,
    backend: Socket,
    drain: Duration,
    shared: Arc<Shared>,
    running: Running,
}

/// Watches a running queue, and stops it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct QueueHandle(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    machine: Mutex<QueueMachine>,
    events: EventSource<QueueEvent>,
    stop: Notify,
    ended: Ended,
}

/// A queue could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum QueueError {
    /// There is no Tokio runtime.
    #[error(transparent)]
    NoRuntime(#[from] NoRuntime),
    /// An endpoint could not be bound.
    #[error(transparent)]
    Bind(#[from] BindError),
}

/// How long requests in flight may still be answered when a queue is stopped.
const DRAIN: Duration = Duration::from_secs(5);
/// Messages of one side that are handled before the other gets its turn.
const BURST: usize = 256;

impl Queue {
    /// A queue with default options: clients connect to `frontend`, workers to `backend`.
    ///
    /// # Errors
    /// [`QueueError`] if there is no Tokio runtime, or an endpoint is none or cannot be bound; there is no other.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, it does not listen.
    pub async fn bind<F, B>(frontend: F, backend: B) -> Result<Self, QueueError>
    where
        F: TryInto<Endpoint>,
        F::Error: Into<EndpointError>,
        B: TryInto<Endpoint>,
        B::Error: Into<EndpointError>,
    {
        Self::with_options(frontend, backend, QueueOptions::default()).await
    }

    /// A queue with options of its own.
    ///
    /// # Errors
    /// As [`bind`](Self::bind).
    ///
    /// # Cancel safety
    /// As [`bind`](Self::bind).
    pub async fn with_options<F, B>(
        frontend: F,
        backend: B,
        options: QueueOptions,
    ) -> Result<Self, QueueError>
    where
        F: TryInto<Endpoint>,
        F::Error: Into<EndpointError>,
        B: TryInto<Endpoint>,
        B::Error: Into<EndpointError>,
    {
        let interval = options.interval();
        let facts = PeerFacts::privateer(std::num::NonZeroU16::MIN).with_heartbeat(interval);
        // A peer that was cut off may come back before its old connection is known to be dead, and some call themselves
        // alike: the guide's Simple workers that are started within a second.
        let clients = SocketOptions::new()
            .router_names_all()
            // Envelopes come back, as a Lazy Pirate of ours likes to know.
            .property(PROPERTY, announce(&[lazy_pirate::PATTERN.to_owned()]))
            .unwrap_or_default();
        let workers = SocketOptions::new()
            .router_names_all()
            // What workers have in hand bounds what waits.
            .send_hwm(None)
            // A worker of others that is busy shows only so that its machine lives.
            .heartbeat_interval(Some(interval))
            .heartbeat_timeout(interval.saturating_mul(2))
            .property(PROPERTY, facts.property_as(PATTERN))
            .unwrap_or_default();
        let (running, ended) = Running::new();
        Ok(Self {
            frontend: Socket::bind(frontend, clients).await?,
            backend: Socket::bind(backend, workers).await?,
            drain: DRAIN,
            shared: Arc::new(Shared {
                machine: Mutex::new(QueueMachine::new(options, fastrand::u64(..))),
                events: EventSource::new(),
                stop: Notify::new(),
                ended,
            }),
            running,
        })
    }

    /// How long requests in flight may still be answered once the queue is stopped.
    /// - Default: 5 s
    #[must_use]
    pub const fn drain(mut self, limit: Duration) -> Self {
        self.drain = limit;
        self
    }

    /// Where clients connect, with wildcards resolved.
    #[must_use]
    pub const fn frontend(&self) -> &Endpoint {
        &self.frontend.endpoint
    }

    /// Where workers connect, with wildcards resolved.
    #[must_use]
    pub const fn backend(&self) -> &Endpoint {
        &self.backend.endpoint
    }

    /// A handle that watches and stops the queue.
    #[must_use]
    pub fn handle(&self) -> QueueHandle {
        QueueHandle(Arc::clone(&self.shared))
    }

    /// Runs until [`QueueHandle::stop`]: then it reads no more requests, lets those in flight be answered, and closes.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, the queue ends at once; what was in flight is lost with it.
    pub async fn run(self) -> QueueStats {
        let shared = Arc::clone(&self.shared);
        let mut task = Task {
            frontend: self.frontend,
            backend: self.backend,
            timer: Box::pin(sleep_until(Instant::now())),
            shared: Arc::clone(&shared),
        };
        tokio::select! {
            () = task.switch() => {}
            () = shared.stop.notified() => {}
        }
        // It is bound, and if it were not, there would be nothing to do.
        let _unbound = task.frontend.router.unbind(&task.frontend.endpoint).await;
        shared.machine().drain();
        // Whether all was answered or not, the next steps are the same.
        let _elapsed = timeout(self.drain, task.finish()).await;
        let stats = shared.machine().stats();
        let unsent = task.frontend.router.close().await.unsent;
        let _heartbeats = task.backend.router.close().await;
        tracing::info!(unsent, in_flight = stats.in_flight, "queue closed");
        drop(self.running);
        stats
    }
}

impl QueueHandle {
    /// What the queue has counted, and what it holds now.
    #[must_use]
    pub fn stats(&self) -> QueueStats {
        self.0.machine().stats()
    }

    /// A subscription to what happens in the queue from now on.
    #[must_use]
    pub fn events(&self) -> Events<QueueEvent> {
        self.0.events.subscribe()
    }

    /// Stops the queue in an orderly way, see [`Queue::run`].
    pub fn stop(&self) {
        self.0.stop.notify_one();
    }

    /// Waits until the queue has ended; it has if it was dropped, run or not.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, nothing has changed.
    pub async fn ended(&self) {
        self.0.ended.wait().await;
    }
}

impl Shared {
    fn machine(&self) -> MutexGuard<'_, QueueMachine> {
        self.machine.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One side, and who is connected to it.
#[derive(Debug)]
struct Socket {
    router: RouterSocket,
    endpoint: Endpoint,
    peers: HashMap<PeerKey, Peer>,
}

impl Socket {
    async fn bind<E>(endpoint: E, options: SocketOptions) -> Result<Self, QueueError>
    where
        E: TryInto<Endpoint>,
        E::Error: Into<EndpointError>,
    {
        let router = RouterSocket::with_options(options)?;
        Ok(Self {
            endpoint: router.bind(endpoint).await?,
            router,
            peers: HashMap::new(),
        })
    }

    fn send(&self, to: PeerKey, message: Message) -> Result<(), DropReason> {
        let peer = self.peers.get(&to).ok_or(DropReason::ClientGone)?;
        self.router
            .try_send(peer, message)
            .map_err(|error| match error.kind() {
                SendErrorKind::Full => DropReason::ClientFull,
                _ => DropReason::ClientGone,
            })
    }
}

/// What a running queue owns.
struct Task {
    frontend: Socket,
    backend: Socket,
    timer: Pin<Box<Sleep>>,
    shared: Arc<Shared>,
}

impl Task {
    /// Switches messages for ever.
    async fn switch(&mut self) {
        while self.step().await {}
    }

    /// Goes on until nothing is in flight.
    async fn finish(&mut self) {
        let busy = |stats: QueueStats| stats.in_flight + stats.waiting > 0;
        while busy(self.shared.machine().stats()) && self.step().await {}
    }

    /// Waits for something to happen and handles it; false if a socket is closed.
    async fn step(&mut self) -> bool {
        let (due, wants_requests) = {
            let machine = self.shared.machine();
            (machine.next_timeout(), machine.wants_requests())
        };
        if let Some(due) = due.map(Instant::from_std)
            && due != self.timer.deadline()
        {
            self.timer.as_mut().reset(due);
        }
        tokio::select! {
            // Not biased: neither side can keep the other waiting for ever.
            () = &mut self.timer, if due.is_some() => {
                let shared = Arc::clone(&self.shared);
                let mut machine = shared.machine();
                machine.handle_timeout(Instant::now().into_std());
                self.act(&mut machine);
            }
            event = self.backend.router.recv_event() => match event {
                Ok(event) => self.workers(event),
                Err(_closed) => return false,
            },
            event = self.frontend.router.recv_event(), if wants_requests => match event {
                Ok(event) => self.clients(event),
                Err(_closed) => return false,
            },
        }
        true
    }

    /// Handles an event of the workers' side, and those that are there already.
    fn workers(&mut self, first: PeerEvent) {
        let now = Instant::now().into_std();
        let shared = Arc::clone(&self.shared);
        let mut machine = shared.machine();
        let mut next = Some(first);
        for left in (0..BURST).rev() {
            let Some(event) = next else { return };
            match event {
                PeerEvent::Message(peer, message) => {
                    machine.worker_message(now, key(&peer), message);
                }
                PeerEvent::Up(peer) => {
                    let facts = PeerFacts::read_as(PATTERN, peer.property(PROPERTY));
                    machine.worker_up(now, key(&peer), facts);
                    self.backend.peers.insert(key(&peer), peer);
                }
                PeerEvent::Down(peer) => {
                    machine.worker_down(now, key(&peer));
                    self.backend.peers.remove(&key(&peer));
                }
                _ => {}
            }
            self.act(&mut machine);
            next = match left > 0 {
                true => self.backend.router.try_recv_event().ok(),
                false => None,
            };
        }
    }

    /// Handles an event of the clients' side, and those that are there already and can be given to a worker.
    fn clients(&mut self, first: PeerEvent) {
        let now = Instant::now().into_std();
        let shared = Arc::clone(&self.shared);
        let mut machine = shared.machine();
        let mut next = Some(first);
        for left in (0..BURST).rev() {
            let Some(event) = next else { return };
            match event {
                PeerEvent::Message(peer, message) => machine.request(now, key(&peer), message),
                PeerEvent::Up(peer) => drop(self.frontend.peers.insert(key(&peer), peer)),
                PeerEvent::Down(peer) => drop(self.frontend.peers.remove(&key(&peer))),
                _ => {}
            }
            self.act(&mut machine);
            next = match left > 0 && machine.wants_requests() {
                true => self.frontend.router.try_recv_event().ok(),
                false => None,
            };
        }
    }

    /// Does what the machine asks for.
    fn act(&self, machine: &mut QueueMachine) {
        while let Some(output) = machine.poll_output() {
            match output {
                // If it is gone, its Down follows.
                Output::ToWorker { to, message } => drop(self.backend.send(to, message)),
                Output::ToClient { to, message } => {
                    if let Err(reason) = self.frontend.send(to, message) {
                        machine.reply_refused(to, reason);
                    }
                }
                Output::Beat { to, message } => {
                    if let Some(peer) = self.backend.peers.get(&to) {
                        // Gone or not idle: either way there is nothing to do.
                        let _sent = self.backend.router.send_if_idle(peer, message);
                    }
                }
                Output::Event(event) => {
                    tracing::debug!(target: "privateer::queue", ?event);
                    self.shared.events.tell(event);
                }
            }
        }
    }
}

fn key(peer: &Peer) -> PeerKey {
    PeerKey(peer.id().as_u64())
}
