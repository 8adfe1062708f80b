//! [`Network`]: what memory endpoints are connected by, and what can go wrong with it.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::mpsc;

use crate::io::memory::{Lane, MemoryStream};
use crate::sync::Mutex;

/// The simulated network of a [`Context`](crate::Context): it joins the sockets with `memory://` endpoints, which speak
/// all of ZMTP over it, and it fails on request. Cheap to clone; clones are the same network.
///
/// It is for tests, those of programs included: under Tokio's paused clock delays take no time, and a test can cut
/// connections exactly where it wants to.
///
/// # Example
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use privateer_core::{Context, PullSocket, PushSocket, SocketOptions};
///
/// let context = Context::new();
/// let options = SocketOptions::new().context(&context);
/// let pull = PullSocket::with_options(options.clone())?;
/// pull.bind("memory://work").await?;
/// let push = PushSocket::with_options(options)?;
/// push.connect("memory://work")?;
///
/// context.network().set_delay(Duration::from_millis(20));
/// context.network().split_at(3); // no more than three octets at a time
/// push.send("slow and in pieces").await?;
/// assert_eq!(pull.recv().await?[0], "slow and in pieces");
///
/// context.network().cut(); // both sides connect anew
/// push.send("again").await?;
/// assert_eq!(pull.recv().await?[0], "again");
/// # Ok(()) }
/// ```
#[derive(Clone, Default)]
pub struct Network {
    state: Arc<Mutex<State>>,
    /// The endpoint that this is about; all of them if there is none.
    only: Option<Arc<str>>,
}

#[derive(Default)]
struct State {
    listeners: HashMap<Box<str>, mpsc::UnboundedSender<MemoryStream>>,
    lanes: Vec<(Arc<str>, Weak<Lane>)>,
    everywhere: Weather,
    /// What differs at some endpoints.
    places: HashMap<Arc<str>, Weather>,
    lost: Arc<AtomicU64>,
}

/// What is wrong with connections to an endpoint now.
#[derive(Clone, Copy, Debug, Default)]
struct Weather {
    faults: Faults,
    refuses: bool,
}

/// What is wrong with a connection now.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Faults {
    /// How long octets are on their way.
    pub(crate) delay: Duration,
    /// How many octets arrive at once, at most.
    pub(crate) split: Option<usize>,
    /// Nothing arrives.
    pub(crate) stalled: bool,
}

impl Network {
    /// The part of the network that leads to one endpoint, such as `memory://work`: what is done to the part is done to
    /// connections to that endpoint alone.
    ///
    /// What is later done to the whole is done to all parts.
    #[must_use]
    pub fn at(&self, endpoint: &str) -> Self {
        let name = endpoint.strip_prefix("memory://").unwrap_or(endpoint);
        Self {
            state: Arc::clone(&self.state),
            only: Some(name.into()),
        }
    }

    /// How long octets are on their way from now on.
    /// - Default: zero
    pub fn set_delay(&self, delay: Duration) {
        self.change(|weather| weather.faults.delay = delay);
    }

    /// How many octets arrive at once, at most, from now on; zero counts as one.
    /// - Default: as many as there are
    pub fn split_at(&self, octets: usize) {
        self.change(|weather| weather.faults.split = Some(octets.max(1)));
    }

    /// Lets nothing arrive, without a sign of it to either side, until [`heal`](Self::heal).
    pub fn stall(&self) {
        self.change(|weather| weather.faults.stalled = true);
    }

    /// Takes [`stall`](Self::stall), [`refuse`](Self::refuse), [`split_at`](Self::split_at) and
    /// [`set_delay`](Self::set_delay) back.
    pub fn heal(&self) {
        self.change(|weather| *weather = Weather::default());
    }

    /// Breaks all connections at once; octets on their way are lost. New ones can be made.
    pub fn cut(&self) {
        for lane in self.lanes(&self.state.lock()) {
            lane.cut();
        }
    }

    /// Breaks each connection once `octets` more have been delivered in that direction, in the middle of whatever they
    /// are part of.
    pub fn cut_after(&self, octets: usize) {
        for lane in self.lanes(&self.state.lock()) {
            lane.cut_after(octets);
        }
    }

    /// Refuses new connections until [`heal`](Self::heal).
    pub fn refuse(&self) {
        self.change(|weather| weather.refuses = true);
    }

    /// How many octets have been written so far and never delivered, in the whole network, because connections ended.
    #[must_use]
    pub fn lost_octets(&self) -> u64 {
        self.state.lock().lost.load(Ordering::Relaxed)
    }

    fn change(&self, change: impl Fn(&mut Weather)) {
        let mut state = self.state.lock();
        if let Some(name) = &self.only {
            let everywhere = state.everywhere;
            change(state.places.entry(Arc::clone(name)).or_insert(everywhere));
        } else {
            change(&mut state.everywhere);
            state.places.values_mut().for_each(&change);
        }
        for (name, lane) in &state.lanes {
            if let Some(lane) = lane.upgrade() {
                lane.set_faults(state.weather(name).faults);
            }
        }
    }

    /// The lanes of this part of the network.
    fn lanes(&self, state: &State) -> Vec<Arc<Lane>> {
        let here = |name: &Arc<str>| self.only.as_ref().is_none_or(|only| only == name);
        let lanes = state.lanes.iter().filter(|(name, _)| here(name));
        lanes.filter_map(|(_, lane)| lane.upgrade()).collect()
    }

    /// Takes a name for a listener; none if it is taken.
    pub(crate) fn listen(&self, name: &str) -> Option<mpsc::UnboundedReceiver<MemoryStream>> {
        let mut state = self.state.lock();
        if state
            .listeners
            .get(name)
            .is_some_and(|listener| !listener.is_closed())
        {
            return None;
        }
        let (sender, receiver) = mpsc::unbounded_channel();
        state.listeners.insert(name.into(), sender);
        Some(receiver)
    }

    /// Connects to a listener; none if nobody listens.
    pub(crate) fn dial(&self, name: &str) -> Option<MemoryStream> {
        let mut state = self.state.lock();
        let Weather { faults, refuses } = state.weather(name);
        if refuses {
            return None;
        }
        let listener = state.listeners.get(name)?.clone();
        let lanes = [(); 2].map(|()| Lane::new(faults, &state.lost));
        let name: Arc<str> = name.into();
        state.lanes.retain(|(_, lane)| lane.strong_count() > 0);
        for lane in &lanes {
            let lane = Arc::downgrade(lane);
            state.lanes.push((Arc::clone(&name), lane));
        }
        let [forth, back] = lanes;
        listener
            .send(MemoryStream::new(Arc::clone(&forth), Arc::clone(&back)))
            .ok()?;
        Some(MemoryStream::new(back, forth))
    }
}

impl State {
    fn weather(&self, name: &str) -> Weather {
        self.places.get(name).copied().unwrap_or(self.everywhere)
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Network")
            .field("only", &self.only)
            .field("everywhere", &self.state.lock().everywhere)
            .finish_non_exhaustive()
    }
}
