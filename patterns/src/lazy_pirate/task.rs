//! [`LazyPirate`]: the machine with sockets and a clock, shared by all who call.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use privateer_core::{
    DealerSocket, Endpoint, EndpointError, Linger, Message, NoRuntime, PeerEvent, SocketOptions,
    SocketType,
};
use tokio::runtime::Handle;
use tokio::sync::{Notify, Semaphore, oneshot};
use tokio::task::{AbortHandle, JoinHandle};
use tokio::time::{Instant, sleep, sleep_until};

use super::{
    CallKey, LaneKey, LazyPirateError, LazyPirateEvent, LazyPirateMachine, LazyPirateOptions,
    LazyPirateStats, Outcome, Output, PATTERN,
};
use crate::announcement::{Announcement, PROPERTY, announce};
use crate::events::{EventSource, Events};
use crate::majordomo::worker::RECONNECT_MAX;

/// A Lazy Pirate client: many calls in flight to one of several servers, each with retries and an end in time. Cheap to
/// clone.
///
/// See [`lazy_pirate`](crate::lazy_pirate) for an example and for its contract.
#[derive(Clone, Debug)]
pub struct LazyPirate(Arc<Shared>);

/// Messages that are handled before others get the client.
const BURST: usize = 256;

#[derive(Debug)]
struct Shared {
    servers: Vec<Endpoint>,
    runtime: Handle,
    state: Mutex<State>,
    window: Semaphore,
    /// Rings when the next timeout is earlier than the one that is waited for.
    earlier: Arc<Notify>,
    events: EventSource<LazyPirateEvent>,
}

#[derive(Debug)]
struct State {
    machine: LazyPirateMachine,
    lanes: HashMap<LaneKey, Lane>,
    calls: HashMap<CallKey, oneshot::Sender<Outcome>>,
    /// The timeout that the timer waits for.
    armed: Option<std::time::Instant>,
    timer: Option<AbortHandle>,
    closed: bool,
}

/// One connection, and the task that reads it.
#[derive(Debug)]
struct Lane {
    socket: Arc<DealerSocket>,
    reader: JoinHandle<()>,
}

impl LazyPirate {
    /// A client of the servers at these endpoints, with default options. They need not be there yet.
    ///
    /// # Errors
    /// [`LazyPirateError`] if there is no endpoint, one of them is none to connect to, or there is no Tokio runtime; there
    /// is no other here.
    pub fn connect<E>(servers: impl IntoIterator<Item = E>) -> Result<Self, LazyPirateError>
    where
        E: TryInto<Endpoint>,
        E::Error: Into<EndpointError>,
    {
        Self::with_options(servers, LazyPirateOptions::default())
    }

    /// A client with options of its own.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub fn with_options<E>(
        servers: impl IntoIterator<Item = E>,
        options: LazyPirateOptions,
    ) -> Result<Self, LazyPirateError>
    where
        E: TryInto<Endpoint>,
        E::Error: Into<EndpointError>,
    {
        let read = |server: E| -> Result<Endpoint, EndpointError> {
            let server = server.try_into().map_err(Into::into)?;
            server.check_connectable()?;
            Ok(server)
        };
        let servers: Result<Vec<_>, _> = servers.into_iter().map(read).collect();
        let servers = servers?;
        if servers.is_empty() {
            return Err(LazyPirateError::NoEndpoint);
        }
        let runtime = Handle::try_current().map_err(|_absent| NoRuntime::Absent)?;
        let earlier = Arc::new(Notify::new());
        let window = options.window;
        let machine = LazyPirateMachine::new(servers.len(), options, fastrand::u64(..));
        let shared = Arc::new(Shared {
            servers,
            runtime,
            state: Mutex::new(State {
                machine,
                lanes: HashMap::new(),
                calls: HashMap::new(),
                armed: None,
                timer: None,
                closed: false,
            }),
            window: Semaphore::new(window),
            earlier: Arc::clone(&earlier),
            events: EventSource::new(),
        });
        let keeping = keep_time(Arc::downgrade(&shared), earlier);
        let timer = shared.runtime.spawn(keeping).abort_handle();
        let mut state = shared.state();
        state.timer = Some(timer);
        shared.act(&mut state);
        drop(state);
        Ok(Self(shared))
    }

    /// Sends a request to one of the servers, and waits for the reply.
    ///
    /// # Errors
    /// [`LazyPirateError::NotConnected`], [`TimedOut`](LazyPirateError::TimedOut),
    /// [`Refused`](LazyPirateError::Refused) or [`Cancelled`](LazyPirateError::Cancelled); there is no other.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, the call is given up: the request may be worked on, and its reply is dropped.
    pub async fn request(&self, body: impl Into<Message>) -> Result<Message, LazyPirateError> {
        let Ok(_turn) = self.0.window.acquire().await else {
            return Err(LazyPirateError::Cancelled);
        };
        let (finish, finished) = oneshot::channel();
        let mut call = {
            let mut state = self.0.state();
            if state.closed {
                return Err(LazyPirateError::Cancelled);
            }
            let key = state.machine.call(Instant::now().into_std(), body.into());
            state.calls.insert(key, finish);
            self.0.act(&mut state);
            Call {
                shared: &self.0,
                key: Some(key),
            }
        };
        let outcome = finished.await;
        call.key = None;
        match outcome {
            Ok(Outcome::Reply(reply)) => Ok(reply),
            Ok(Outcome::NotConnected) => Err(LazyPirateError::NotConnected),
            Ok(Outcome::TimedOut { tries }) => Err(LazyPirateError::TimedOut { tries }),
            Ok(Outcome::Refused { tries }) => Err(LazyPirateError::Refused { tries }),
            Ok(Outcome::Cancelled) | Err(_) => Err(LazyPirateError::Cancelled),
        }
    }

    /// What the client has counted, and what it holds now.
    #[must_use]
    pub fn stats(&self) -> LazyPirateStats {
        self.0.state().machine.stats()
    }

    /// A subscription to what happens in the client from now on.
    #[must_use]
    pub fn events(&self) -> Events<LazyPirateEvent> {
        self.0.events.subscribe()
    }

    /// Ends all calls of all clones with [`LazyPirateError::Cancelled`] and closes the connections.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, the connections close in the background.
    pub async fn close(self) {
        let lanes = {
            let mut state = self.0.state();
            let state = &mut *state;
            state.closed = true;
            let now = Instant::now().into_std();
            for (call, _caller) in state.calls.drain() {
                state.machine.cancel(now, call);
            }
            // All connections are closed here.
            while state.machine.poll_output().is_some() {}
            std::mem::take(&mut state.lanes)
        };
        self.0.window.close();
        for lane in lanes.into_values() {
            lane.reader.abort();
            // It has a hand on the socket until it has ended.
            let _aborted = lane.reader.await;
            if let Some(socket) = Arc::into_inner(lane.socket) {
                // Requests that nobody waits for need not be sent.
                let _unsent = socket.close_with(Linger::Discard).await;
            }
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does what the machine asks for.
    fn act(self: &Arc<Self>, state: &mut State) {
        while let Some(output) = state.machine.poll_output() {
            match output {
                Output::Send { lane, message } => {
                    if let Some(lane) = state.lanes.get(&lane) {
                        // The window bounds what waits; a connection that has just ended is told by its Down.
                        drop(lane.socket.try_send(message));
                    }
                }
                Output::Finished { call, outcome } => {
                    if let Some(finish) = state.calls.remove(&call) {
                        // The caller may have given up.
                        let _gone = finish.send(outcome);
                    }
                }
                Output::OpenLane {
                    lane,
                    server,
                    delay,
                } => {
                    if state.closed {
                        continue;
                    }
                    match self.open(lane, server, delay) {
                        Ok(opened) => drop(state.lanes.insert(lane, opened)),
                        Err(error) => tracing::error!(%error, "cannot connect to the server"),
                    }
                }
                Output::CloseLane(key) => {
                    if let Some(lane) = state.lanes.remove(&key) {
                        lane.reader.abort();
                    }
                }
                Output::Event(event) => {
                    tracing::debug!(target: "privateer::lazy_pirate", ?event);
                    self.events.tell(event);
                }
            }
        }
        let next = state.machine.next_timeout();
        if next.is_some_and(|next| state.armed.is_none_or(|armed| next < armed)) {
            state.armed = next;
            self.earlier.notify_one();
        }
    }

    fn open(
        self: &Arc<Self>,
        key: LaneKey,
        server: usize,
        delay: Duration,
    ) -> Result<Lane, NoRuntime> {
        let options = SocketOptions::new()
            .runtime(self.runtime.clone())
            .immediate()
            .send_hwm(None)
            .linger(Linger::Discard)
            .reconnect_interval_max(RECONNECT_MAX)
            .heartbeat_interval(Some(Duration::from_millis(2500)))
            .heartbeat_timeout(Duration::from_secs(5))
            .property(PROPERTY, announce(&[PATTERN.to_owned()]))
            .unwrap_or_default();
        let socket = Arc::new(DealerSocket::with_options(options)?);
        let (client, endpoint) = (Arc::downgrade(self), self.servers.get(server).cloned());
        let reading = Arc::clone(&socket);
        let reader = self.runtime.spawn(async move {
            sleep(delay).await;
            match endpoint.map(|endpoint| reading.connect(&endpoint)) {
                Some(Err(error)) => tracing::error!(%error, "cannot connect to the server"),
                _ => read(client, key, reading).await,
            }
        });
        Ok(Lane { socket, reader })
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        for lane in state.lanes.values() {
            lane.reader.abort();
        }
        if let Some(timer) = &state.timer {
            timer.abort();
        }
    }
}

/// Gives a call up whose caller is gone.
struct Call<'a> {
    shared: &'a Arc<Shared>,
    key: Option<CallKey>,
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            let mut state = self.shared.state();
            state.calls.remove(&key);
            state.machine.cancel(Instant::now().into_std(), key);
            self.shared.act(&mut state);
        }
    }
}

/// Reads one connection for as long as the client lives.
async fn read(shared: Weak<Shared>, lane: LaneKey, socket: Arc<DealerSocket>) {
    while let Ok(first) = socket.recv_event().await {
        let Some(shared) = shared.upgrade() else {
            return;
        };
        let mut state = shared.state();
        let now = Instant::now().into_std();
        let mut next = Some(first);
        for left in (0..BURST).rev() {
            let Some(event) = next else { break };
            handle(&mut state.machine, now, lane, event);
            shared.act(&mut state);
            next = match left > 0 {
                true => socket.try_recv_event().ok(),
                false => None,
            };
        }
    }
}

fn handle(
    machine: &mut LazyPirateMachine,
    now: std::time::Instant,
    lane: LaneKey,
    event: PeerEvent,
) {
    match event {
        PeerEvent::Message(_, message) => machine.handle_message(now, lane, message),
        PeerEvent::Up(peer) => {
            let announced = Announcement::read(peer.property(PROPERTY));
            let is_ours = announced.is_some_and(|announced| announced.has(PATTERN));
            machine.lane_up(now, lane, is_ours || peer.socket_type() == SocketType::Rep);
        }
        PeerEvent::Down(_) => machine.lane_down(now, lane),
        _ => {}
    }
}

/// Tells the machine the time, for as long as the client lives.
async fn keep_time(shared: Weak<Shared>, earlier: Arc<Notify>) {
    /// How long to wait if there is nothing to wait for.
    const IDLE: Duration = Duration::from_secs(3600);
    loop {
        let due = {
            let Some(shared) = shared.upgrade() else {
                return;
            };
            let mut state = shared.state();
            state.machine.handle_timeout(Instant::now().into_std());
            shared.act(&mut state);
            state.armed = state.machine.next_timeout();
            state.armed
        };
        let due = due.map_or_else(|| Instant::now() + IDLE, Instant::from_std);
        tokio::select! {
            () = sleep_until(due) => {}
            () = earlier.notified() => {}
        }
    }
}
