//! [`Broker`]: the machine with a socket and a clock.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use privateer_core::{
    BindError, Endpoint, EndpointError, NoRuntime, Peer, PeerEvent, RouterSocket, SendErrorKind,
    SocketOptions,
};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{Instant, Sleep, sleep_until, timeout};

use super::{BrokerEvent, BrokerMachine, BrokerOptions, BrokerStats, Output, PeerKey};
use crate::ended::{Ended, Running};
use crate::events::{EventSource, Events};
use crate::majordomo::{PROPERTY, PeerFacts};

/// A Majordomo broker (RFC 7, RFC 8): a value in your program, or the example program `mdbroker`.
///
/// It serves clients and workers of any implementation of RFC 7. Requests are kept until they are answered: when a
/// worker is lost, what it had in hand goes to another one. Peers may call themselves alike: each connection is a peer of
/// its own, and nobody can take another's place by its routing id.
///
/// # Example
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use privateer::{Broker, Client, Service, Worker};
///
/// let broker = Broker::bind("tcp://127.0.0.1:*").await?;
/// let endpoint = broker.endpoints()[0].clone();
/// let handle = broker.handle();
/// tokio::spawn(broker.run());
///
/// let echo = Service::frames("echo", |request| async move { request });
/// tokio::spawn(Worker::connect(&endpoint, echo)?.run());
///
/// let client = Client::connect(&endpoint)?;
/// assert_eq!(client.request("echo", "hello").await?[0], "hello");
/// assert_eq!(handle.stats().replies, 1);
/// handle.stop();
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Broker {
    router: RouterSocket,
    endpoints: Vec<Endpoint>,
    drain: Duration,
    shared: Arc<Shared>,
    running: Running,
}

/// Watches a running broker, and stops it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct BrokerHandle(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    machine: Mutex<BrokerMachine>,
    events: EventSource<BrokerEvent>,
    stop: Notify,
    ended: Ended,
}

/// A broker could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BrokerError {
    /// There is no Tokio runtime.
    #[error(transparent)]
    NoRuntime(#[from] NoRuntime),
    /// The endpoint could not be bound.
    #[error(transparent)]
    Bind(#[from] BindError),
}

/// How long requests in flight may still be answered when a broker is stopped.
const DRAIN: Duration = Duration::from_secs(5);
/// Messages that are handled before timers and sends that wait get their turn.
const BURST: usize = 256;

impl Broker {
    /// A broker with default options, listening on an endpoint.
    ///
    /// # Errors
    /// [`BrokerError`] if there is no Tokio runtime, or the endpoint is none or cannot be bound; there is no other.
    pub async fn bind<E>(endpoint: E) -> Result<Self, BrokerError>
    where
        E: TryInto<Endpoint>,
        E::Error: Into<EndpointError>,
    {
        let mut broker = Self::with_options(BrokerOptions::default())?;
        broker.listen(endpoint).await?;
        Ok(broker)
    }

    /// A broker that does not listen yet.
    ///
    /// # Errors
    /// [`NoRuntime`] outside a Tokio runtime; there is no other.
    pub fn with_options(options: BrokerOptions) -> Result<Self, NoRuntime> {
        let interval = options.heartbeat.interval;
        let announced = PeerFacts::privateer(std::num::NonZeroU16::MIN).with_heartbeat(interval);
        let socket = SocketOptions::new()
            // A peer that was cut off may come back before its old connection is known to be dead, and some call themselves
            // alike.
            .router_names_all()
            // A worker that is busy in the way of RFC 7 shows only so that its machine lives.
            .heartbeat_interval(Some(interval))
            .heartbeat_timeout(interval.saturating_mul(2))
            .property(PROPERTY, announced.property())
            .unwrap_or_default();
        let machine = BrokerMachine::new(options, fastrand::u64(..));
        let (running, ended) = Running::new();
        Ok(Self {
            router: RouterSocket::with_options(socket)?,
            endpoints: Vec::new(),
            drain: DRAIN,
            shared: Arc::new(Shared {
                machine: Mutex::new(machine),
                events: EventSource::new(),
                stop: Notify::new(),
                ended,
            }),
            running,
        })
    }

    /// Listens on one more endpoint, and returns it with its wildcards resolved.
    ///
    /// # Errors
    /// [`BindError`] if the endpoint is none or cannot be bound; there is no other.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, it does not listen.
    pub async fn listen<E>(&mut self, endpoint: E) -> Result<Endpoint, BindError>
    where
        E: TryInto<Endpoint>,
        E::Error: Into<EndpointError>,
    {
        let endpoint = self.router.bind(endpoint).await?;
        self.endpoints.push(endpoint.clone());
        Ok(endpoint)
    }

    /// How long requests in flight may still be answered once the broker is stopped.
    /// - Default: 5 s
    #[must_use]
    pub const fn drain(mut self, limit: Duration) -> Self {
        self.drain = limit;
        self
    }

    /// Where it listens.
    #[must_use]
    pub fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
    }

    /// A handle that watches and stops the broker.
    #[must_use]
    pub fn handle(&self) -> BrokerHandle {
        BrokerHandle(Arc::clone(&self.shared))
    }

    /// Runs until [`BrokerHandle::stop`]: then it accepts nobody new, lets requests in flight be answered, sends
    /// DISCONNECT to its workers and closes.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, the broker ends at once; clients send again what was in flight, to the next one.
    pub async fn run(self) -> BrokerStats {
        let Self {
            router,
            endpoints,
            drain,
            shared,
            running,
        } = self;
        let mut task = Task {
            router: Arc::new(router),
            peers: HashMap::new(),
            full: JoinSet::new(),
            timer: Box::pin(sleep_until(Instant::now())),
            shared: Arc::clone(&shared),
        };
        tokio::select! {
            () = task.switch() => {}
            () = shared.stop.notified() => {}
        }
        for endpoint in endpoints {
            // It is bound, and if it were not, there would be nothing to do.
            let _unbound = task.router.unbind(&endpoint).await;
        }
        // Whether all was answered or not, the next steps are the same.
        let _elapsed = timeout(drain, task.drain()).await;
        shared.machine().dismiss_workers(Instant::now().into_std());
        task.act();
        let stats = shared.machine().stats();
        task.full.shutdown().await;
        if let Some(router) = Arc::into_inner(task.router) {
            let report = router.close().await;
            tracing::info!(unsent = report.unsent, "broker closed");
        }
        drop(running);
        stats
    }
}

impl BrokerHandle {
    /// What the broker has counted, and what it holds now.
    #[must_use]
    pub fn stats(&self) -> BrokerStats {
        self.0.machine().stats()
    }

    /// A subscription to what happens in the broker from now on.
    #[must_use]
    pub fn events(&self) -> Events<BrokerEvent> {
        self.0.events.subscribe()
    }

    /// Stops the broker in an orderly way, see [`Broker::run`].
    pub fn stop(&self) {
        self.0.stop.notify_one();
    }

    /// Waits until the broker has ended; it has if it was dropped, run or not.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, nothing has changed.
    pub async fn ended(&self) {
        self.0.ended.wait().await;
    }
}

impl Shared {
    fn machine(&self) -> MutexGuard<'_, BrokerMachine> {
        self.machine.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a running broker owns.
struct Task {
    router: Arc<RouterSocket>,
    peers: HashMap<PeerKey, Peer>,
    /// One wait for each peer whose pipe is full.
    full: JoinSet<PeerKey>,
    timer: std::pin::Pin<Box<Sleep>>,
    shared: Arc<Shared>,
}

impl Task {
    /// Switches messages for ever.
    async fn switch(&mut self) {
        while self.step().await {}
    }

    /// Goes on until nothing is in flight.
    async fn drain(&mut self) {
        let busy = |stats: BrokerStats| stats.queued + stats.in_flight + stats.parked > 0;
        while busy(self.shared.machine().stats()) && self.step().await {}
    }

    /// Waits for something to happen and handles it; false if the socket is closed.
    async fn step(&mut self) -> bool {
        let due = self.shared.machine().next_timeout().map(Instant::from_std);
        if let Some(due) = due
            && due != self.timer.deadline()
        {
            self.timer.as_mut().reset(due);
        }
        tokio::select! {
            biased;
            Some(Ok(key)) = self.full.join_next() => {
                self.shared.machine().handle_writable(key);
            }
            () = &mut self.timer, if due.is_some() => {
                self.shared.machine().handle_timeout(Instant::now().into_std());
            }
            event = self.router.recv_event() => match event {
                Ok(event) => self.burst(event),
                Err(_closed) => return false,
            },
        }
        self.act();
        true
    }

    /// Handles an event and those that are there already.
    fn burst(&mut self, first: PeerEvent) {
        let now = Instant::now().into_std();
        self.handle(now, first);
        for _ in 1..BURST {
            let Ok(event) = self.router.try_recv_event() else {
                return;
            };
            self.handle(now, event);
        }
    }

    fn handle(&mut self, now: std::time::Instant, event: PeerEvent) {
        let shared = Arc::clone(&self.shared);
        let mut machine = shared.machine();
        match event {
            PeerEvent::Message(peer, message) => {
                machine.handle_message(now, key(&peer), message);
            }
            PeerEvent::Up(peer) => {
                machine.peer_up(now, key(&peer), PeerFacts::read(peer.property(PROPERTY)));
                self.peers.insert(key(&peer), peer);
            }
            PeerEvent::Down(peer) => {
                machine.peer_down(now, key(&peer));
                self.peers.remove(&key(&peer));
            }
            _ => {}
        }
        self.drain_outputs(&mut machine);
    }

    fn act(&mut self) {
        let shared = Arc::clone(&self.shared);
        self.drain_outputs(&mut shared.machine());
    }

    fn drain_outputs(&mut self, machine: &mut BrokerMachine) {
        while let Some(output) = machine.poll_output() {
            match output {
                Output::Send { to, message } => self.send(machine, to, message),
                Output::SendIfIdle { to, message } => {
                    if let Some(peer) = self.peers.get(&to) {
                        // Gone or not idle: either way there is nothing to do.
                        let _sent = self.router.send_if_idle(peer, message);
                    }
                }
                Output::Pause(to) => {
                    let peer = self.peers.get(&to);
                    let _gone = peer.map(|peer| self.router.pause(peer));
                }
                Output::Resume(to) => {
                    let peer = self.peers.get(&to);
                    let _gone = peer.map(|peer| self.router.resume(peer));
                }
                Output::Event(event) => {
                    tracing::debug!(target: "privateer::broker", ?event);
                    self.shared.events.tell(event);
                }
            }
        }
    }

    fn send(&mut self, machine: &mut BrokerMachine, to: PeerKey, message: privateer_core::Message) {
        let Some(peer) = self.peers.get(&to) else {
            return machine.handle_unroutable(to, &message);
        };
        let Err(error) = self.router.try_send(peer, message) else {
            return;
        };
        if error.kind() != SendErrorKind::Full {
            return machine.handle_unroutable(to, &error.into_message());
        }
        machine.handle_full(to, error.into_message());
        let (router, peer) = (Arc::clone(&self.router), peer.clone());
        self.full.spawn(async move {
            // If the peer goes, its Down follows.
            let _gone = router.ready(&peer).await;
            key(&peer)
        });
    }
}

fn key(peer: &Peer) -> PeerKey {
    PeerKey(peer.id().as_u64())
}
