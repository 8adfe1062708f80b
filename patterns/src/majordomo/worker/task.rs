//! [`Worker`]: the machine with a socket, a clock, and handlers that run apart from it.

use std::num::NonZeroU16;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use privateer_core::{
    ConnectError, DealerSocket, Endpoint, EndpointError, Linger, NoRuntime, PeerEvent,
};
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, Sleep, sleep, sleep_until};

use super::{Dialect, Output, RequestKey, WorkerEvent, WorkerMachine, WorkerOptions, WorkerStats};
use crate::connection;
use crate::events::{EventSource, Events};
use crate::majordomo::{InvalidServiceName, PROPERTY, ServiceName};
use crate::service::Service;

/// A Majordomo worker (RFC 7): connects to a broker, offers one service, and comes back whenever the broker is away.
///
/// Handlers run in tasks of their own, so heartbeats go on while they are busy. Several requests are worked on at once
/// if the capacity allows and the broker is one of ours.
///
/// See [`Broker`](crate::Broker) for an example.
#[derive(Debug)]
pub struct Worker {
    broker: Endpoint,
    dialect: Dialect,
    service: Service,
    options: WorkerOptions,
    drain: Duration,
    shared: Arc<Shared>,
}

/// Watches a running worker, and stops it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct WorkerHandle(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    stop: Notify,
    events: EventSource<WorkerEvent>,
}

/// A worker could not be started.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WorkerError {
    /// The service has no proper name.
    #[error(transparent)]
    Name(#[from] InvalidServiceName),
    /// Names that begin with `mmi.` belong to the broker itself (RFC 8).
    #[error(
        "a name that begins with \"mmi.\" belongs to the broker; choose another for the service"
    )]
    ReservedName,
    /// The endpoint is none to connect to.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// There is no Tokio runtime.
    #[error(transparent)]
    NoRuntime(#[from] NoRuntime),
    /// The endpoint could not be connected to.
    #[error(transparent)]
    Connect(#[from] ConnectError),
}

/// How long requests in hand may still be answered when a worker is stopped.
const DRAIN: Duration = Duration::from_secs(30);
/// Messages or answers that are handled before others get their turn.
const BURST: usize = 256;

impl Worker {
    /// A worker that offers `service` to the broker at an endpoint once it runs.
    ///
    /// # Errors
    /// [`WorkerError`] if the endpoint is none to connect to, or the service's name is none or reserved; there is no
    /// other here.
    pub fn connect<E>(broker: E, service: Service) -> Result<Self, WorkerError>
    where
        E: TryInto<Endpoint>,
        E::Error: Into<EndpointError>,
    {
        let broker = broker.try_into().map_err(Into::into)?;
        let name = ServiceName::new(service.name().clone())?;
        if name.is_reserved() {
            return Err(WorkerError::ReservedName);
        }
        let dialect = Dialect::Majordomo(name);
        Self::speaking(dialect, broker, service, WorkerOptions::default())
    }

    /// A worker that speaks this.
    pub(crate) fn speaking(
        dialect: Dialect,
        broker: Endpoint,
        service: Service,
        options: WorkerOptions,
    ) -> Result<Self, WorkerError> {
        broker.check_connectable()?;
        Ok(Self {
            broker,
            dialect,
            service,
            options,
            drain: DRAIN,
            shared: Arc::new(Shared {
                stop: Notify::new(),
                events: EventSource::new(),
            }),
        })
    }

    /// The same, speaking this.
    pub(crate) fn speak(mut self, dialect: Dialect) -> Self {
        self.dialect = dialect;
        self
    }

    /// How it behaves.
    #[must_use]
    pub fn options(mut self, options: WorkerOptions) -> Self {
        self.options = options;
        self
    }

    /// How many requests it works on at a time: see [`WorkerOptions::capacity`].
    #[must_use]
    pub fn capacity(mut self, requests: NonZeroU16) -> Self {
        self.options = self.options.capacity(requests);
        self
    }

    /// How long requests in hand may still be answered once the worker is stopped.
    /// - Default: 30 s
    #[must_use]
    pub const fn drain(mut self, limit: Duration) -> Self {
        self.drain = limit;
        self
    }

    /// A handle that watches and stops the worker.
    #[must_use]
    pub fn handle(&self) -> WorkerHandle {
        WorkerHandle(Arc::clone(&self.shared))
    }

    /// Works until [`WorkerHandle::stop`]: then it answers what is in hand, sends DISCONNECT and closes.
    ///
    /// An absent broker is no error: the worker goes on trying.
    ///
    /// # Errors
    /// [`WorkerError`] if there is no Tokio runtime; there is no other.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, the worker leaves at once; the broker gives what it had in hand to others.
    pub async fn run(self) -> Result<WorkerStats, WorkerError> {
        let (answers, answered) = mpsc::unbounded_channel();
        let (dialect, options) = (self.dialect.clone(), self.options.clone());
        let machine = WorkerMachine::speaking(dialect, options, fastrand::u64(..));
        let socket = self.open(&machine)?;
        socket.connect(&self.broker)?;
        let task = Task {
            socket,
            machine,
            worker: &self,
            answers,
            next: Next::Go,
            timer: Box::pin(sleep_until(Instant::now())),
        };
        task.run(answered).await
    }

    /// A socket for one connection.
    fn open(&self, machine: &WorkerMachine) -> Result<DealerSocket, NoRuntime> {
        let interval = self.options.heartbeat.interval;
        let options = connection::options(machine.property())
            // The capacity bounds what waits.
            .send_hwm(None)
            .heartbeat_interval(Some(interval))
            .heartbeat_timeout(interval.saturating_mul(2));
        DealerSocket::with_options(options)
    }
}

impl WorkerHandle {
    /// A subscription to what happens in the worker from now on.
    #[must_use]
    pub fn events(&self) -> Events<WorkerEvent> {
        self.0.events.subscribe()
    }

    /// Stops the worker in an orderly way, see [`Worker::run`].
    pub fn stop(&self) {
        self.0.stop.notify_one();
    }
}

/// What a running worker owns.
struct Task<'a> {
    worker: &'a Worker,
    machine: WorkerMachine,
    socket: DealerSocket,
    answers: mpsc::UnboundedSender<(RequestKey, Answered)>,
    next: Next,
    timer: Pin<Box<Sleep>>,
}

/// The answer; none if the handler panicked and its service cannot say so.
type Answered = Option<privateer_core::Message>;

/// What follows when all outputs of the machine are acted on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Go,
    /// A new connection, after this long.
    Reconnect(Duration),
    Stop,
}

impl Task<'_> {
    async fn run(
        mut self,
        mut answered: mpsc::UnboundedReceiver<(RequestKey, Answered)>,
    ) -> Result<WorkerStats, WorkerError> {
        let stop = &self.worker.shared.stop;
        let mut stopping = std::pin::pin!(None);
        loop {
            match std::mem::replace(&mut self.next, Next::Go) {
                Next::Go => {}
                Next::Reconnect(delay) => self.reconnect(delay).await?,
                Next::Stop => break,
            }
            let due = self.arm();
            tokio::select! {
                biased;
                () = stop.notified(), if stopping.is_none() => {
                    self.machine.stop(Instant::now().into_std());
                    stopping.set(Some(sleep(self.worker.drain)));
                }
                // The drain's time is over: what is in hand goes to other workers.
                () = expired(stopping.as_mut()) => break,
                () = &mut self.timer, if due => {
                    self.machine.handle_timeout(Instant::now().into_std());
                }
                Some(first) = answered.recv() => self.reply_all(first, &mut answered),
                event = self.socket.recv_event() => match event {
                    Ok(event) => self.burst(event),
                    Err(_closed) => break,
                },
            }
            self.act();
        }
        let stats = self.machine.stats();
        let report = self.socket.close().await;
        tracing::info!(dialect = ?self.worker.dialect, unsent = report.unsent, "worker closed");
        Ok(stats)
    }

    /// Sets the timer; false if there is nothing to wait for.
    fn arm(&mut self) -> bool {
        let Some(due) = self.machine.next_timeout().map(Instant::from_std) else {
            return false;
        };
        if due != self.timer.deadline() {
            self.timer.as_mut().reset(due);
        }
        true
    }

    /// Replaces the connection after a pause, which a stop cuts short.
    async fn reconnect(&mut self, delay: Duration) -> Result<(), WorkerError> {
        let socket = self.worker.open(&self.machine)?;
        let old = std::mem::replace(&mut self.socket, socket);
        // Nobody waits for what was left in it.
        let _unsent = old.close_with(Linger::Discard).await;
        let stop = &self.worker.shared.stop;
        tokio::select! {
            () = sleep(delay) => self.socket.connect(&self.worker.broker)?,
            () = stop.notified() => stop.notify_one(),
        }
        Ok(())
    }

    fn burst(&mut self, first: PeerEvent) {
        let now = Instant::now().into_std();
        self.handle(now, first);
        for _ in 1..BURST {
            let Ok(event) = self.socket.try_recv_event() else {
                return;
            };
            self.handle(now, event);
        }
    }

    fn handle(&mut self, now: std::time::Instant, event: PeerEvent) {
        match event {
            PeerEvent::Message(_, message) => self.machine.handle_message(now, message),
            PeerEvent::Up(peer) => {
                let facts = self.machine.read_facts(peer.property(PROPERTY));
                self.machine.connected(now, facts);
            }
            PeerEvent::Down(_) => self.machine.disconnected(),
            _ => {}
        }
        self.act();
    }

    fn reply_all(
        &mut self,
        first: (RequestKey, Answered),
        answered: &mut mpsc::UnboundedReceiver<(RequestKey, Answered)>,
    ) {
        let now = Instant::now().into_std();
        let mut next = Some(first);
        while let Some((key, answer)) = next {
            match answer {
                Some(answer) => self.machine.reply(now, key, answer),
                None => {
                    // RFC 7 has no error reply: leaving gives the request to another worker.
                    self.machine.disconnected();
                }
            }
            self.act();
            next = answered.try_recv().ok();
        }
    }

    fn act(&mut self) {
        while let Some(output) = self.machine.poll_output() {
            match output {
                // The pipe has no limit of its own that replies could reach before the capacity does; a connection
                // that has just ended is told by its Down.
                Output::Send(message) => drop(self.socket.try_send(message)),
                Output::SendIfIdle(message) => {
                    if self.socket.peers().iter().all(|peer| peer.queued() == 0) {
                        drop(self.socket.try_send(message));
                    }
                }
                Output::Request { key, body } => self.start(key, body),
                // What is begun is finished: its answer is dropped.
                Output::Abandon(_) => {}
                Output::Reconnect { delay } => self.next = Next::Reconnect(delay),
                Output::Stopped => self.next = Next::Stop,
                Output::Event(event) => {
                    tracing::debug!(target: "privateer::worker", ?event);
                    self.worker.shared.events.tell(event);
                }
            }
        }
    }

    /// Works on a request in a task of its own.
    fn start(&self, key: RequestKey, body: privateer_core::Message) {
        let guard = Panicked {
            answers: self.answers.clone(),
            key,
            service: self.worker.service.clone(),
            finished: false,
        };
        tokio::spawn(async move {
            let mut guard = guard;
            let answer = guard.service.handle(body).await;
            guard.finished = true;
            // The worker may have ended.
            let _ended = guard.answers.send((key, Some(answer)));
        });
    }
}

/// Tells the worker of a handler that panicked.
struct Panicked {
    answers: mpsc::UnboundedSender<(RequestKey, Answered)>,
    key: RequestKey,
    service: Service,
    finished: bool,
}

impl Drop for Panicked {
    fn drop(&mut self) {
        if !self.finished {
            let _ended = self.answers.send((self.key, self.service.panicked()));
        }
    }
}

async fn expired(timer: Pin<&mut Option<Sleep>>) {
    match timer.as_pin_mut() {
        Some(timer) => timer.await,
        None => std::future::pending().await,
    }
}
