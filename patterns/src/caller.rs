//! [`Caller`]: a client's machine with its connections and a clock, shared by all who call. All clients are made of it.

use std::collections::HashMap;
use std::fmt::Debug;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use privateer_core::{
    DealerSocket, Endpoint, Linger, Message, NoRuntime, PeerEvent, SocketOptions,
};
use tokio::runtime::Handle;
use tokio::sync::{Notify, Semaphore, oneshot};
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use crate::aborted::Aborted;
use crate::connection;
use crate::events::{EventSource, Events};

/// A client without sockets: calls go in and end, each on connections that are its own affair.
pub(crate) trait CallMachine: Debug + Send + 'static {
    /// Names a connection; none is used twice.
    type Lane: Copy + Debug + Eq + Hash + Send + Sync;
    /// Names a call; none is used twice.
    type Call: Copy + Debug + Eq + Hash + Send + Sync;
    /// How a call ended.
    type Outcome: Debug + Send;
    /// What an operator may want to know.
    type Event: Clone + Debug + Send;

    /// Something happened on this connection.
    fn handle(&mut self, now: std::time::Instant, lane: Self::Lane, event: PeerEvent);
    /// The time of [`due`](Self::due) has come; too early does no harm.
    fn time_out(&mut self, now: std::time::Instant);
    /// When it has to be told the time next.
    fn due(&self) -> Option<std::time::Instant>;
    /// The caller gives a call up; nothing happens if it has ended.
    fn give_up(&mut self, now: std::time::Instant, call: Self::Call);
    /// There are no more calls: forgets all connections.
    fn forget_lanes(&mut self);
    /// What has to be done next, if anything.
    fn next_step(&mut self) -> Option<Step<Self>>;
    /// Writes an event to the log.
    fn log(event: &Self::Event);
}

/// What a [`CallMachine`] wants to be done.
pub(crate) enum Step<M: CallMachine + ?Sized> {
    /// Connect to this server, counted from 0, after this delay.
    Open(M::Lane, usize, Duration),
    /// Close this connection, with what waits in it.
    Close(M::Lane),
    /// Send this on this connection, if that has not ended.
    Send(M::Lane, Message),
    /// A call has ended like this.
    Finished(M::Call, M::Outcome),
    /// Tell those who listen.
    Tell(M::Event),
}

/// A machine that is at work. Cheap to clone.
#[derive(Debug)]
pub(crate) struct Caller<M: CallMachine>(Arc<Shared<M>>);

/// Messages that are handled before others get the client.
const BURST: usize = 256;

#[derive(Debug)]
struct Shared<M: CallMachine> {
    servers: Vec<Endpoint>,
    options: SocketOptions,
    runtime: Handle,
    state: Mutex<State<M>>,
    window: Semaphore,
    /// Rings when the next timeout is earlier than the one that is waited for.
    earlier: Arc<Notify>,
    events: EventSource<M::Event>,
}

#[derive(Debug)]
struct State<M: CallMachine> {
    machine: M,
    lanes: HashMap<M::Lane, Lane>,
    calls: HashMap<M::Call, oneshot::Sender<M::Outcome>>,
    /// The timeout that the timer waits for.
    armed: Option<std::time::Instant>,
    /// Ends with the client.
    timer: Option<Aborted>,
    closed: bool,
}

/// One connection, and the task that reads it.
#[derive(Debug)]
struct Lane {
    socket: Arc<DealerSocket>,
    reader: Aborted,
}

impl<M: CallMachine> Caller<M> {
    /// Sets a machine to work. What it announces to these servers; how many calls may be in flight, while others wait.
    ///
    /// # Errors
    /// [`NoRuntime`] outside a Tokio runtime; there is no other.
    pub(crate) fn new(
        machine: M,
        servers: Vec<Endpoint>,
        announced: String,
        window: usize,
    ) -> Result<Self, NoRuntime> {
        let runtime = Handle::try_current().map_err(|_absent| NoRuntime::Absent)?;
        let options = connection::options(announced)
            .runtime(runtime.clone())
            // The window bounds what waits.
            .send_hwm(None)
            .linger(Linger::Discard)
            .heartbeat_interval(Some(Duration::from_millis(2500)))
            .heartbeat_timeout(Duration::from_secs(5));
        let earlier = Arc::new(Notify::new());
        let shared = Arc::new(Shared {
            servers,
            options,
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
        let timer = shared.runtime.spawn(keeping);
        let mut state = shared.state();
        state.timer = Some(Aborted(timer));
        shared.act(&mut state);
        drop(state);
        Ok(Self(shared))
    }

    /// Makes a call as soon as the window allows, and waits for its end; none if the client is closed. A call whose
    /// deadline comes before its turn is made then, so that the machine ends it.
    ///
    /// Cancel safe: dropped before it is ready, the call is given up.
    pub(crate) async fn call(
        &self,
        deadline: Option<std::time::Instant>,
        begin: impl FnOnce(&mut M, std::time::Instant) -> M::Call,
    ) -> Option<M::Outcome> {
        let turn = self.0.window.acquire();
        let _turn = match deadline.map(Instant::from_std) {
            Some(deadline) => timeout_at(deadline, turn).await.ok().transpose().ok()?,
            None => Some(turn.await.ok()?),
        };
        let (finish, finished) = oneshot::channel();
        let mut call = {
            let mut state = self.0.state();
            if state.closed {
                return None;
            }
            let key = begin(&mut state.machine, Instant::now().into_std());
            state.calls.insert(key, finish);
            self.0.act(&mut state);
            Call {
                shared: &self.0,
                key: Some(key),
            }
        };
        let outcome = finished.await;
        call.key = None;
        outcome.ok()
    }

    /// Looks at the machine.
    pub(crate) fn look<T>(&self, at: impl FnOnce(&M) -> T) -> T {
        at(&self.0.state().machine)
    }

    /// A subscription to the machine's events from now on.
    pub(crate) fn events(&self) -> Events<M::Event> {
        self.0.events.subscribe()
    }

    /// Ends all calls of all clones, and closes the connections.
    ///
    /// Cancel safe: dropped before it is ready, the connections close in the background.
    pub(crate) async fn close(self) {
        let lanes = {
            let mut state = self.0.state();
            let state = &mut *state;
            state.closed = true;
            let now = Instant::now().into_std();
            for (call, _caller) in state.calls.drain() {
                state.machine.give_up(now, call);
            }
            state.machine.forget_lanes();
            // All connections are closed here.
            while state.machine.next_step().is_some() {}
            std::mem::take(&mut state.lanes)
        };
        self.0.window.close();
        for mut lane in lanes.into_values() {
            lane.reader.0.abort();
            // It has a hand on the socket until it has ended.
            let _aborted = (&mut lane.reader.0).await;
            if let Some(socket) = Arc::into_inner(lane.socket) {
                // Requests that nobody waits for need not be sent.
                let _unsent = socket.close_with(Linger::Discard).await;
            }
        }
    }
}

impl<M: CallMachine> Clone for Caller<M> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<M: CallMachine> Shared<M> {
    fn state(&self) -> MutexGuard<'_, State<M>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does what the machine asks for.
    fn act(self: &Arc<Self>, state: &mut State<M>) {
        while let Some(step) = state.machine.next_step() {
            match step {
                Step::Send(lane, message) => {
                    if let Some(lane) = state.lanes.get(&lane) {
                        // The window bounds what waits; a connection that has just ended is told by its Down.
                        drop(lane.socket.try_send(message));
                    }
                }
                Step::Finished(call, outcome) => {
                    if let Some(finish) = state.calls.remove(&call) {
                        // The caller may have given up.
                        let _gone = finish.send(outcome);
                    }
                }
                Step::Open(..) if state.closed => {}
                Step::Open(lane, server, delay) => match self.open(lane, server, delay) {
                    Ok(opened) => drop(state.lanes.insert(lane, opened)),
                    Err(error) => tracing::error!(%error, "cannot connect"),
                },
                Step::Close(lane) => drop(state.lanes.remove(&lane)),
                Step::Tell(event) => {
                    M::log(&event);
                    self.events.tell(event);
                }
            }
        }
        let next = state.machine.due();
        if next.is_some_and(|next| state.armed.is_none_or(|armed| next < armed)) {
            state.armed = next;
            self.earlier.notify_one();
        }
    }

    fn open(
        self: &Arc<Self>,
        lane: M::Lane,
        server: usize,
        delay: Duration,
    ) -> Result<Lane, NoRuntime> {
        let socket = Arc::new(DealerSocket::with_options(self.options.clone())?);
        let (client, endpoint) = (Arc::downgrade(self), self.servers.get(server).cloned());
        let reading = Arc::clone(&socket);
        let reader = self.runtime.spawn(async move {
            sleep(delay).await;
            match endpoint.map(|endpoint| reading.connect(&endpoint)) {
                Some(Err(error)) => tracing::error!(%error, "cannot connect"),
                _ => read(client, lane, reading).await,
            }
        });
        let reader = Aborted(reader);
        Ok(Lane { socket, reader })
    }
}

/// Gives a call up whose caller is gone.
struct Call<'a, M: CallMachine> {
    shared: &'a Arc<Shared<M>>,
    key: Option<M::Call>,
}

impl<M: CallMachine> Drop for Call<'_, M> {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            let mut state = self.shared.state();
            state.calls.remove(&key);
            state.machine.give_up(Instant::now().into_std(), key);
            self.shared.act(&mut state);
        }
    }
}

/// Reads one connection for as long as the client lives.
async fn read<M: CallMachine>(shared: Weak<Shared<M>>, lane: M::Lane, socket: Arc<DealerSocket>) {
    while let Ok(first) = socket.recv_event().await {
        let Some(shared) = shared.upgrade() else {
            return;
        };
        let mut state = shared.state();
        let now = Instant::now().into_std();
        let mut next = Some(first);
        for left in (0..BURST).rev() {
            let Some(event) = next else { break };
            state.machine.handle(now, lane, event);
            shared.act(&mut state);
            next = match left > 0 {
                true => socket.try_recv_event().ok(),
                false => None,
            };
        }
    }
}

/// Tells the machine the time, for as long as the client lives.
async fn keep_time<M: CallMachine>(shared: Weak<Shared<M>>, earlier: Arc<Notify>) {
    /// How long to wait if there is nothing to wait for.
    const IDLE: Duration = Duration::from_secs(3600);
    loop {
        let due = {
            let Some(shared) = shared.upgrade() else {
                return;
            };
            let mut state = shared.state();
            state.machine.time_out(Instant::now().into_std());
            shared.act(&mut state);
            state.armed = state.machine.due();
            state.armed
        };
        let due = due.map_or_else(|| Instant::now() + IDLE, Instant::from_std);
        tokio::select! {
            () = sleep_until(due) => {}
            () = earlier.notified() => {}
        }
    }
}
