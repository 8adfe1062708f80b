//! [`Client`]: the machine with sockets and a clock, shared by all who call.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use privateer_core::{
    DealerSocket, Endpoint, EndpointError, Linger, Message, NoRuntime, PeerEvent, SocketOptions,
};
use tokio::runtime::Handle;
use tokio::sync::{Notify, Semaphore, oneshot};
use tokio::task::{AbortHandle, JoinHandle};
use tokio::time::{Instant, sleep, sleep_until};

use super::{
    CallError, CallKey, CallOptions, ClientError, ClientEvent, ClientMachine, ClientOptions,
    ClientStats, LaneKey, Outcome, Output,
};
use crate::events::{EventSource, Events};
use crate::majordomo::worker::RECONNECT_MAX;
use crate::majordomo::{PROPERTY, PeerFacts, ServiceName};

/// A Majordomo client (RFC 7): many calls in flight, each with retries and an end in time. Cheap to clone.
///
/// Calls survive lost connections and a broker that is restarted: what was not answered is sent again. So a request may
/// be worked on more than once; each call ends once.
///
/// See [`Broker`](crate::Broker) for an example.
#[derive(Clone, Debug)]
pub struct Client {
    shared: Arc<Shared>,
    options: CallOptions,
}

/// Calls in flight; others wait for their turn.
const WINDOW: NonZeroUsize = NonZeroUsize::new(256).unwrap();
/// Messages that are handled before others get the client.
const BURST: usize = 256;

#[derive(Debug)]
struct Shared {
    broker: Endpoint,
    runtime: Handle,
    state: Mutex<State>,
    window: Semaphore,
    /// Rings when the next timeout is earlier than the one that is waited for.
    earlier: Arc<Notify>,
    events: EventSource<ClientEvent>,
}

#[derive(Debug)]
struct State {
    machine: ClientMachine,
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

impl Client {
    /// A client of the broker at an endpoint, with default options. The broker need not be there yet.
    ///
    /// # Errors
    /// [`ClientError`] if the endpoint is none to connect to, or there is no Tokio runtime; there is no other.
    pub fn connect<E>(broker: E) -> Result<Self, ClientError>
    where
        E: TryInto<Endpoint>,
        E::Error: Into<EndpointError>,
    {
        Self::with_options(broker, ClientOptions::default())
    }

    /// A client with options of its own.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub fn with_options<E>(broker: E, options: ClientOptions) -> Result<Self, ClientError>
    where
        E: TryInto<Endpoint>,
        E::Error: Into<EndpointError>,
    {
        let broker = broker.try_into().map_err(Into::into)?;
        broker.check_connectable()?;
        let earlier = Arc::new(Notify::new());
        let shared = Arc::new(Shared {
            broker,
            runtime: Handle::try_current().map_err(|_absent| NoRuntime::Absent)?,
            state: Mutex::new(State {
                machine: ClientMachine::new(options),
                lanes: HashMap::new(),
                calls: HashMap::new(),
                armed: None,
                timer: None,
                closed: false,
            }),
            window: Semaphore::new(WINDOW.get()),
            earlier: Arc::clone(&earlier),
            events: EventSource::new(),
        });
        let timer = shared
            .runtime
            .spawn(keep_time(Arc::downgrade(&shared), earlier))
            .abort_handle();
        shared.state().timer = Some(timer);
        Ok(Self {
            shared,
            options: CallOptions::default(),
        })
    }

    /// The same client, whose calls have these options.
    #[must_use]
    pub fn call_options(mut self, options: CallOptions) -> Self {
        self.options = options;
        self
    }

    /// Sends a request to a service, and waits for the reply. At most 256 calls of a client are in flight at a time;
    /// others wait.
    ///
    /// # Errors
    /// [`CallError::Name`], [`CallError::TimedOut`] or [`CallError::Closed`]; there is no other.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, the call is given up: the request may be worked on, and its reply is dropped.
    pub async fn request(
        &self,
        service: impl Into<privateer_core::Frame>,
        body: impl Into<Message>,
    ) -> Result<Message, CallError> {
        let service = ServiceName::new(service)?;
        let Ok(_turn) = self.shared.window.acquire().await else {
            return Err(CallError::Closed);
        };
        let (finish, finished) = oneshot::channel();
        let mut call = {
            let mut state = self.shared.state();
            if state.closed {
                return Err(CallError::Closed);
            }
            let now = Instant::now().into_std();
            let key = state.machine.call(now, service, body.into(), self.options);
            state.calls.insert(key, finish);
            self.shared.act(&mut state);
            Call {
                shared: &self.shared,
                key: Some(key),
            }
        };
        let outcome = finished.await;
        call.key = None;
        match outcome {
            Ok(Outcome::Reply(reply)) => Ok(reply),
            Ok(Outcome::TimedOut { attempts }) => Err(CallError::TimedOut { attempts }),
            Ok(Outcome::Cancelled) | Err(_) => Err(CallError::Closed),
        }
    }

    /// What the client has counted, and what it holds now.
    #[must_use]
    pub fn stats(&self) -> ClientStats {
        self.shared.state().machine.stats()
    }

    /// A subscription to what happens in the client from now on.
    #[must_use]
    pub fn events(&self) -> Events<ClientEvent> {
        self.shared.events.subscribe()
    }

    /// Ends all calls of all clones with [`CallError::Closed`] and closes the connections.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, the connections close in the background.
    pub async fn close(self) {
        let lanes = {
            let mut state = self.shared.state();
            let state = &mut *state;
            state.closed = true;
            for (call, _caller) in state.calls.drain() {
                state.machine.cancel(call);
            }
            // All connections are closed here.
            while state.machine.poll_output().is_some() {}
            std::mem::take(&mut state.lanes)
        };
        self.shared.window.close();
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
                Output::OpenLane { lane, delay } => {
                    if state.closed {
                        continue;
                    }
                    match self.open(lane, delay) {
                        Ok(opened) => drop(state.lanes.insert(lane, opened)),
                        Err(error) => tracing::error!(%error, "cannot connect to the broker"),
                    }
                }
                Output::CloseLane(key) => {
                    if let Some(lane) = state.lanes.remove(&key) {
                        lane.reader.abort();
                    }
                }
                Output::Event(event) => {
                    tracing::debug!(target: "privateer::client", ?event);
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

    fn open(self: &Arc<Self>, key: LaneKey, delay: Duration) -> Result<Lane, NoRuntime> {
        let facts = PeerFacts::privateer(std::num::NonZeroU16::MIN);
        let options = SocketOptions::new()
            .runtime(self.runtime.clone())
            .immediate()
            .send_hwm(None)
            .linger(Linger::Discard)
            .reconnect_interval_max(RECONNECT_MAX)
            .heartbeat_interval(Some(Duration::from_millis(2500)))
            .heartbeat_timeout(Duration::from_secs(5))
            .property(PROPERTY, facts.property())
            .unwrap_or_default();
        let socket = Arc::new(DealerSocket::with_options(options)?);
        let (client, broker) = (Arc::downgrade(self), self.broker.clone());
        let reading = Arc::clone(&socket);
        let reader = self.runtime.spawn(async move {
            sleep(delay).await;
            match reading.connect(&broker) {
                Ok(()) => read(client, key, reading).await,
                Err(error) => tracing::error!(%error, "cannot connect to the broker"),
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
            state.machine.cancel(key);
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
        let mut next = Some(first);
        for _ in 0..BURST {
            let Some(event) = next else { break };
            handle(&mut state.machine, lane, event);
            shared.act(&mut state);
            next = socket.try_recv_event().ok();
        }
        if let Some(event) = next {
            handle(&mut state.machine, lane, event);
            shared.act(&mut state);
        }
    }
}

fn handle(machine: &mut ClientMachine, lane: LaneKey, event: PeerEvent) {
    match event {
        PeerEvent::Message(_, message) => machine.handle_message(lane, message),
        PeerEvent::Up(peer) => machine.lane_up(lane, PeerFacts::read(peer.property(PROPERTY))),
        PeerEvent::Down(_) => machine.lane_down(lane),
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
