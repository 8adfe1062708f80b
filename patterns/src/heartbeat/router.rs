//! [`HeartbeatRouter`]: a ROUTER that sends heartbeats to its peers, and tells which of them are dead.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use privateer_core::{
    Endpoint, EndpointError, Message, Peer, PeerEvent, PeerId, RouterSocket, SendError,
    SocketOptions,
};
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, sleep_until};

use super::ahead::{Ahead, octets};
use super::stats::Ledger;
use super::{
    Beat, HeartbeatError, HeartbeatOptions, HeartbeatStats, Heartbeats, LinkClosed, LinkEvent,
};
use crate::aborted::Aborted;
use crate::announcement::{Announcement, PROPERTY, announce, heartbeat_token};
use crate::events::Events;

/// A ROUTER that sends heartbeats to its peers, hands out everything else, and tells which peers are dead.
///
/// Heartbeats go out from a task of their own, so that they go on while its owner is busy. At most one message beyond
/// those that were taken is read ahead; as long as its owner takes none, no peer is judged. Only while it waits in
/// [`send`](Self::send), peers are: then up to 1,000 messages, or 64 MiB, are read ahead.
///
/// # Example
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use privateer::heartbeat::{HeartbeatDealer, HeartbeatOptions, HeartbeatRouter, RouterEvent};
///
/// let options = HeartbeatOptions::default();
/// let mut router = HeartbeatRouter::bind("tcp://127.0.0.1:*", options.clone()).await?;
/// let mut dealer = HeartbeatDealer::connect(router.endpoint(), options.greeting("hello"))?;
///
/// assert!(matches!(router.recv().await?, RouterEvent::Up(_)));
/// let RouterEvent::Message(peer, hello) = router.recv().await? else { panic!() };
/// router.send(&peer, hello).await?;
/// assert_eq!(dealer.recv().await?[0], "hello");
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct HeartbeatRouter {
    router: Arc<RouterSocket>,
    endpoint: Endpoint,
    incoming: mpsc::Receiver<RouterEvent>,
    shared: Arc<Shared>,
    task: Aborted,
}

/// What a [`HeartbeatRouter`] receives.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum RouterEvent {
    /// A peer is there, or one that was presumed dead said something again.
    Up(Peer),
    /// A message that is no heartbeat.
    Message(Peer, Message),
    /// A peer was silent for too long. It is told again if it says something after all.
    Dead(Peer),
    /// A peer's connection ended. It is not told of one that was presumed dead.
    Down(Peer),
}

#[derive(Debug)]
struct Shared {
    links: Mutex<Heartbeats<PeerId>>,
    ledger: Ledger,
    /// Sends that wait for room.
    sends: AtomicUsize,
    /// Rings when one begins to wait.
    begins: Notify,
    /// Rings when one may be in vain: a peer is presumed dead, or no more is read ahead.
    vain: Notify,
    /// Whether so much was read ahead that no more is.
    is_full: AtomicBool,
}

impl HeartbeatRouter {
    /// Listens on an endpoint.
    ///
    /// # Errors
    /// [`HeartbeatError`] if there is no Tokio runtime, or the endpoint is none or cannot be bound; there is no other.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, it does not listen.
    pub async fn bind<E>(endpoint: E, options: HeartbeatOptions) -> Result<Self, HeartbeatError>
    where
        E: TryInto<Endpoint>,
        E::Error: Into<EndpointError>,
    {
        let announced = announce(&[heartbeat_token(options.interval)]);
        let socket = SocketOptions::new()
            // A peer that was cut off may come back before its old connection is known to be dead.
            .router_handover()
            .property(PROPERTY, announced)
            .unwrap_or_default();
        let router = Arc::new(RouterSocket::with_options(socket)?);
        let endpoint = router.bind(endpoint).await?;
        let shared = Arc::new(Shared {
            links: Mutex::new(Heartbeats::new(options.clone(), fastrand::u64(..))),
            ledger: Ledger::new(),
            sends: AtomicUsize::new(0),
            begins: Notify::new(),
            vain: Notify::new(),
            is_full: AtomicBool::new(false),
        });
        let (owner, incoming) = mpsc::channel(1);
        let task = Task {
            router: Arc::clone(&router),
            shared: Arc::clone(&shared),
            beat: options.beat,
            peers: HashMap::new(),
            pending: Ahead::new(),
        };
        Ok(Self {
            router,
            endpoint,
            incoming,
            shared,
            task: Aborted(tokio::spawn(task.run(owner))),
        })
    }

    /// Where it listens, with wildcards resolved.
    #[must_use]
    pub const fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// The next thing that happened; waits until there is one. Of each peer it comes in order.
    ///
    /// # Errors
    /// [`LinkClosed`] if the runtime shuts down; there is no other.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, it has received nothing.
    pub async fn recv(&mut self) -> Result<RouterEvent, LinkClosed> {
        self.incoming.recv().await.ok_or(LinkClosed)
    }

    /// Sends a message to a peer, and waits until that has room.
    ///
    /// # Errors
    /// [`SendError`] with the message if the peer is not there, or has no room and it is no use to wait for some
    /// ([`SendError::would_block`]); there is no other. The latter has two causes:
    /// - The peer is presumed dead. Its [`RouterEvent::Dead`] is received after what it said before; give up then.
    /// - As much was read ahead as is kept. [`recv`](Self::recv) what waits, then send again.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, it has sent nothing; the message is dropped with it.
    pub async fn send(&self, to: &Peer, message: impl Into<Message>) -> Result<(), SendError> {
        tokio::task::coop::consume_budget().await;
        let mut sent = self.try_send(to, message.into());
        let mut waits = None;
        while let Err(refused) = sent {
            if !refused.would_block() {
                return Err(refused);
            }
            waits.get_or_insert_with(|| Waits::begin(&self.shared));
            let mut vain = pin!(self.shared.vain.notified());
            vain.as_mut().enable();
            if self.shared.is_vain(to.id()) {
                return Err(refused);
            }
            tokio::select! {
                // If the peer went, the next try says so.
                _room = self.router.ready(to) => {}
                () = vain => {}
            }
            sent = self.try_send(to, refused.into_message());
        }
        Ok(())
    }

    fn try_send(&self, to: &Peer, message: Message) -> Result<(), SendError> {
        self.router.try_send(to, message)?;
        self.shared.links().sent(Instant::now().into_std(), to.id());
        Ok(())
    }

    /// What was counted.
    #[must_use]
    pub fn stats(&self) -> HeartbeatStats {
        self.shared.ledger.stats()
    }

    /// A subscription to what happens to the connections from now on.
    #[must_use]
    pub fn events(&self) -> Events<LinkEvent> {
        self.shared.ledger.events.subscribe()
    }

    /// Sends what is in line, within the linger time, and closes.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, it goes on closing in the background.
    pub async fn close(self) {
        let Self {
            router,
            incoming,
            mut task,
            ..
        } = self;
        drop(incoming);
        // The task does not panic, and nobody aborted it.
        let _ended = (&mut task.0).await;
        if let Some(router) = Arc::into_inner(router) {
            let report = router.close().await;
            tracing::debug!(target: "privateer::heartbeat", unsent = report.unsent, "closed");
        }
    }
}

impl Shared {
    fn links(&self) -> MutexGuard<'_, Heartbeats<PeerId>> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it is no use to wait for room at this peer.
    fn is_vain(&self, peer: PeerId) -> bool {
        self.is_full.load(Ordering::Relaxed) || !self.links().contains(peer)
    }
}

/// A send waits for room: meanwhile its peer is judged, though its owner takes nothing.
struct Waits<'a>(&'a Shared);

impl<'a> Waits<'a> {
    fn begin(shared: &'a Shared) -> Self {
        shared.sends.fetch_add(1, Ordering::Relaxed);
        shared.begins.notify_one();
        Self(shared)
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.sends.fetch_sub(1, Ordering::Relaxed);
    }
}

struct Task {
    router: Arc<RouterSocket>,
    shared: Arc<Shared>,
    beat: Message,
    peers: HashMap<PeerId, Peer>,
    /// What the owner shall have; while there is any, nothing more is read, unless the owner waits in a send.
    pending: Ahead<RouterEvent>,
}

impl Task {
    async fn run(mut self, owner: mpsc::Sender<RouterEvent>) {
        let mut timer = Box::pin(sleep_until(Instant::now()));
        // Whether it was read last, and whether a timeout came while it was not.
        let (mut was_reading, mut was_held) = (true, false);
        loop {
            let due = self.shared.links().next_timeout().map(Instant::from_std);
            if let Some(due) = due
                && due != timer.deadline()
            {
                timer.as_mut().reset(due);
            }
            let reads = self.reads();
            if reads && !was_reading && (self.owner_sends() || was_held) {
                // What came until now is not read yet. Between two messages that the owner takes at once it is.
                self.shared.links().hold(Instant::now().into_std());
                was_held = false;
            }
            was_reading = reads;
            tokio::select! {
                biased;
                () = &mut timer, if due.is_some() => {
                    let (now, mut links) = (Instant::now().into_std(), self.shared.links());
                    if !reads {
                        links.hold(now);
                        was_held = true;
                    }
                    links.handle_timeout(now);
                }
                () = owner.closed() => return,
                Ok(place) = owner.reserve(), if !self.pending.is_empty() => {
                    if let Some(event) = self.pending.pop() {
                        place.send(event);
                    }
                }
                () = self.shared.begins.notified(), if !reads => {}
                event = self.router.recv_event(), if reads => match event {
                    Ok(event) => self.handle(event),
                    Err(_closed) => return,
                },
            }
            self.beat();
        }
    }

    /// Whether more is to be read now.
    fn reads(&self) -> bool {
        let is_full = self.pending.is_full();
        self.shared.is_full.store(is_full, Ordering::Relaxed);
        if is_full {
            self.shared.vain.notify_waiters();
        }
        self.pending.is_empty() || (self.owner_sends() && !is_full)
    }

    fn owner_sends(&self) -> bool {
        self.shared.sends.load(Ordering::Relaxed) > 0
    }

    fn handle(&mut self, event: PeerEvent) {
        let (now, ledger) = (Instant::now().into_std(), &self.shared.ledger);
        match event {
            PeerEvent::Message(peer, message) => {
                if self.shared.links().contains(peer.id()) {
                    self.shared.links().heard(now, peer.id());
                } else {
                    self.up(now, peer.clone());
                }
                if message == self.beat {
                    return self.shared.ledger.count(|stats| stats.beats_received += 1);
                }
                self.shared.ledger.count(|stats| stats.received += 1);
                let octets = octets(&message);
                self.pending
                    .push(RouterEvent::Message(peer, message), octets);
            }
            PeerEvent::Up(peer) => {
                ledger.tell(LinkEvent::Connected);
                self.up(now, peer);
            }
            PeerEvent::Down(peer) => {
                ledger.tell(LinkEvent::Disconnected);
                let mut links = self.shared.links();
                if links.contains(peer.id()) {
                    links.down(peer.id());
                    self.pending.push(RouterEvent::Down(peer.clone()), 0);
                }
                drop(links);
                self.peers.remove(&peer.id());
            }
            _ => {}
        }
    }

    fn up(&mut self, now: std::time::Instant, peer: Peer) {
        let announced = Announcement::read(peer.property(PROPERTY));
        let interval = announced.and_then(Announcement::heartbeat);
        self.shared.links().up(now, peer.id(), interval);
        self.peers.insert(peer.id(), peer.clone());
        self.pending.push(RouterEvent::Up(peer), 0);
    }

    fn beat(&mut self) {
        let shared = Arc::clone(&self.shared);
        let mut links = shared.links();
        while let Some(beat) = links.poll() {
            match beat {
                Beat::Send(id) => {
                    let sent = self.router.send_if_idle(id, self.beat.clone());
                    shared.ledger.count(|stats| match sent {
                        Ok(true) => stats.beats_sent += 1,
                        _ => stats.beats_left_out += 1,
                    });
                }
                Beat::Dead(id) => {
                    shared.ledger.tell(LinkEvent::PresumedDead);
                    shared.vain.notify_waiters();
                    if let Some(peer) = self.peers.get(&id).cloned() {
                        self.pending.push(RouterEvent::Dead(peer), 0);
                    }
                }
                Beat::Paused(late) => shared.ledger.tell(LinkEvent::ClockPaused { late }),
            }
        }
    }
}
