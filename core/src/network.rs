//! [`Network`]: what memory endpoints are connected by, and what can go wrong with it.

use std::collections::HashMap;
use std::fmt;
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
pub struct Network(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    listeners: HashMap<Box<str>, mpsc::UnboundedSender<MemoryStream>>,
    lanes: Vec<Weak<Lane>>,
    faults: Faults,
    refuses: bool,
}

/// What is wrong with every connection now.
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
    /// How long octets are on their way from now on.
    /// - Default: zero
    pub fn set_delay(&self, delay: Duration) {
        self.change(|faults| faults.delay = delay);
    }

    /// How many octets arrive at once, at most, from now on; zero counts as one.
    /// - Default: as many as there are
    pub fn split_at(&self, octets: usize) {
        self.change(|faults| faults.split = Some(octets.max(1)));
    }

    /// Lets nothing arrive, not even the end of a connection, without a sign of it to either side, until [`heal`](Self::heal).
    pub fn stall(&self) {
        self.change(|faults| faults.stalled = true);
    }

    /// Takes [`stall`](Self::stall), [`refuse`](Self::refuse), [`split_at`](Self::split_at) and
    /// [`set_delay`](Self::set_delay) back.
    pub fn heal(&self) {
        self.0.lock().refuses = false;
        self.change(|faults| *faults = Faults::default());
    }

    /// Breaks all connections at once; octets on their way are lost. New ones can be made.
    pub fn cut(&self) {
        let lanes = std::mem::take(&mut self.0.lock().lanes);
        for lane in lanes.iter().filter_map(Weak::upgrade) {
            lane.cut();
        }
    }

    /// Breaks each connection once `octets` more have been delivered in that direction, in the middle of whatever they
    /// are part of.
    pub fn cut_after(&self, octets: usize) {
        for lane in self.0.lock().lanes.iter().filter_map(Weak::upgrade) {
            lane.cut_after(octets);
        }
    }

    /// Refuses new connections until [`heal`](Self::heal).
    pub fn refuse(&self) {
        self.0.lock().refuses = true;
    }

    fn change(&self, change: impl Fn(&mut Faults)) {
        let mut state = self.0.lock();
        change(&mut state.faults);
        let faults = state.faults;
        for lane in state.lanes.iter().filter_map(Weak::upgrade) {
            lane.set_faults(faults);
        }
    }

    /// Takes a name for a listener; none if it is taken.
    pub(crate) fn listen(&self, name: &str) -> Option<mpsc::UnboundedReceiver<MemoryStream>> {
        let mut state = self.0.lock();
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
        let mut state = self.0.lock();
        if state.refuses {
            return None;
        }
        let listener = state.listeners.get(name)?.clone();
        let lanes = [Lane::new(state.faults), Lane::new(state.faults)];
        state.lanes.retain(|lane| lane.strong_count() > 0);
        state.lanes.extend(lanes.iter().map(Arc::downgrade));
        let [forth, back] = lanes;
        listener
            .send(MemoryStream::new(Arc::clone(&forth), Arc::clone(&back)))
            .ok()?;
        Some(MemoryStream::new(back, forth))
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Network")
            .field("faults", &self.0.lock().faults)
            .finish_non_exhaustive()
    }
}
