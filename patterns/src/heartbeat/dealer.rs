//! [`HeartbeatDealer`]: a DEALER that notices a dead peer and connects anew.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use privateer_core::{
    ConnectError, DealerSocket, Endpoint, EndpointError, Linger, Message, NoRuntime, Peer,
    PeerEvent, PeerId,
};
use tokio::sync::mpsc;
use tokio::time::{Instant, Sleep, sleep, sleep_until};

use super::ahead::{Ahead, octets};
use super::stats::Ledger;
use super::{Beat, HeartbeatOptions, HeartbeatStats, Heartbeats, LinkClosed, LinkEvent};
use crate::aborted::Aborted;
use crate::announcement::{Announcement, PROPERTY, announce, heartbeat_token};
use crate::connection;
use crate::events::Events;
use crate::retry::{Backoff, Jitter};

/// A DEALER with one endpoint: it sends heartbeats, hands out everything else, and connects anew when the peer is dead.
///
/// Heartbeats go out from a task of their own, so a peer that is busy with a message still beats. At most one message
/// beyond those that were taken is read ahead; the rest waits in the connection. Only while a message waits for room to be
/// sent, more are, so that the peer is judged: up to 1,000, or 64 MiB. With more than that it is judged when they are taken.
///
/// # Example
/// A worker of any protocol of your own:
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use privateer::core::{PeerEvent, RouterSocket};
/// # let router = RouterSocket::new()?;
/// # let endpoint = router.bind("tcp://127.0.0.1:*").await?;
/// # tokio::spawn(async move {
/// use privateer::heartbeat::{HeartbeatDealer, HeartbeatOptions};
///
/// let options = HeartbeatOptions::default().greeting("READY");
/// let mut worker = HeartbeatDealer::connect(&endpoint, options)?;
/// while let Ok(request) = worker.recv().await {
///     worker.send(request).await?; // the work
/// }
/// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(()) });
/// # let (peer, ready) = router.recv().await?;
/// # assert_eq!(ready[0], "READY");
/// # router.send(&peer, "work").await?;
/// # assert_eq!(router.recv().await?.1[0], "work");
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct HeartbeatDealer {
    incoming: mpsc::Receiver<Message>,
    outgoing: mpsc::Sender<Message>,
    ledger: Arc<Ledger>,
    task: Aborted,
}

/// A heartbeating socket could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HeartbeatError {
    /// The endpoint is none to connect to.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// There is no Tokio runtime.
    #[error(transparent)]
    NoRuntime(#[from] NoRuntime),
    /// The endpoint cannot be connected to.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The endpoint cannot be bound.
    #[error(transparent)]
    Bind(#[from] privateer_core::BindError),
}

/// The pause before a new connection when the peer was dead: from the first, doubled, up to the longest.
const FIRST_DELAY: Duration = Duration::from_millis(100);
const LONGEST_DELAY: Duration = Duration::from_secs(5);
/// Messages that wait to be sent, or to be taken.
const AHEAD: usize = 1;

impl HeartbeatDealer {
    /// Connects to an endpoint, now and whenever the peer was away or dead. The peer need not be there yet.
    ///
    /// # Errors
    /// [`HeartbeatError`] if the endpoint is none to connect to, or there is no Tokio runtime; there is no other.
    pub fn connect<E>(endpoint: E, options: HeartbeatOptions) -> Result<Self, HeartbeatError>
    where
        E: TryInto<Endpoint>,
        E::Error: Into<EndpointError>,
    {
        let endpoint = endpoint.try_into().map_err(Into::into)?;
        endpoint.check_connectable()?;
        let socket = open(&options)?;
        socket.connect(&endpoint)?;
        let (to_owner, incoming) = mpsc::channel(AHEAD);
        let (outgoing, to_peer) = mpsc::channel(AHEAD);
        let ledger = Arc::new(Ledger::new());
        let task = Task {
            endpoint,
            links: Heartbeats::new(options.clone(), fastrand::u64(..)),
            options,
            socket,
            peer: None,
            backoff: Backoff::new(FIRST_DELAY, LONGEST_DELAY, Jitter::Half, fastrand::u64(..)),
            timer: Box::pin(sleep_until(Instant::now())),
            ledger: Arc::clone(&ledger),
        };
        Ok(Self {
            incoming,
            outgoing,
            ledger,
            task: Aborted(tokio::spawn(task.run(to_owner, to_peer))),
        })
    }

    /// The next message that is no heartbeat; waits until there is one, over as many connections as it takes.
    ///
    /// # Errors
    /// [`LinkClosed`] if the runtime shuts down; there is no other.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, it has received nothing.
    pub async fn recv(&mut self) -> Result<Message, LinkClosed> {
        self.incoming.recv().await.ok_or(LinkClosed)
    }

    /// Sends a message on this connection, or on the next if there is none now.
    ///
    /// Ready means that the message is in line. What was sent on a connection that ends may be lost: if it must not be,
    /// wait for an answer, and [`retry`](crate::retry).
    ///
    /// While it waits for room, what comes is read ahead, so that a peer that hangs is noticed. One that says more than is
    /// kept is judged only when its messages are taken, and if it takes nothing either, this waits for as long: limit the
    /// time of a send to such a peer, and [`recv`](Self::recv) before the next.
    ///
    /// # Errors
    /// [`LinkClosed`] if the runtime shuts down; there is no other.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, it has sent nothing; the message is dropped with it.
    pub async fn send(&self, message: impl Into<Message>) -> Result<(), LinkClosed> {
        let sent = self.outgoing.send(message.into()).await;
        sent.map_err(|_closed| LinkClosed)
    }

    /// What was counted.
    #[must_use]
    pub fn stats(&self) -> HeartbeatStats {
        self.ledger.stats()
    }

    /// A subscription to what happens to the connection from now on.
    #[must_use]
    pub fn events(&self) -> Events<LinkEvent> {
        self.ledger.events.subscribe()
    }

    /// Sends what is in line if there is a connection, and closes it.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, the connection is closed at once.
    pub async fn close(self) {
        let Self {
            incoming, mut task, ..
        } = self;
        drop(incoming);
        // The task does not panic, and nobody aborted it.
        let _ended = (&mut task.0).await;
    }
}

/// A socket for one connection.
fn open(options: &HeartbeatOptions) -> Result<DealerSocket, NoRuntime> {
    let announced = announce(&[heartbeat_token(options.interval)]);
    DealerSocket::with_options(connection::options(announced))
}

struct Task {
    endpoint: Endpoint,
    options: HeartbeatOptions,
    socket: DealerSocket,
    links: Heartbeats<PeerId>,
    peer: Option<Peer>,
    backoff: Backoff,
    timer: Pin<Box<Sleep>>,
    ledger: Arc<Ledger>,
}

impl Task {
    async fn run(mut self, owner: mpsc::Sender<Message>, mut to_peer: mpsc::Receiver<Message>) {
        let (mut received, mut unsent) = (Ahead::new(), None);
        loop {
            let due = self.arm();
            let is_up = self.peer.is_some();
            let reads = received.is_empty() || (unsent.is_some() && !received.is_full());
            tokio::select! {
                biased;
                () = &mut self.timer, if due => {
                    let now = Instant::now().into_std();
                    if !reads {
                        self.links.hold(now);
                    }
                    self.links.handle_timeout(now);
                }
                () = owner.closed() => break,
                Ok(place) = owner.reserve(), if !received.is_empty() => {
                    if let Some(message) = received.pop() {
                        place.send(message);
                    }
                }
                event = self.socket.recv_event(), if reads => match event {
                    Ok(event) => {
                        if let Some(message) = self.handle(event) {
                            let octets = octets(&message);
                            received.push(message, octets);
                        }
                    }
                    Err(_closed) => return,
                },
                () = self.socket.send_ready(), if is_up && unsent.is_some() => {
                    unsent = unsent.take().and_then(|message| self.send(message));
                }
                Some(message) = to_peer.recv(), if is_up && unsent.is_none() => {
                    unsent = self.send(message);
                    if unsent.is_some() && !received.is_empty() {
                        // What came until now is not read yet.
                        self.links.hold(Instant::now().into_std());
                    }
                }
            }
            if self.beat() && self.reconnect(&owner).await.is_err() {
                return;
            }
        }
        to_peer.close();
        while let Some(message) = unsent.take().or_else(|| to_peer.try_recv().ok()) {
            if self.send(message).is_some() {
                break;
            }
        }
        let report = self.socket.close().await;
        tracing::debug!(target: "privateer::heartbeat", unsent = report.unsent, "closed");
    }

    /// Sets the timer; false if there is nothing to wait for.
    fn arm(&mut self) -> bool {
        let Some(due) = self.links.next_timeout().map(Instant::from_std) else {
            return false;
        };
        if due != self.timer.deadline() {
            self.timer.as_mut().reset(due);
        }
        true
    }

    /// Takes note of an event; gives the message that the owner shall have.
    fn handle(&mut self, event: PeerEvent) -> Option<Message> {
        let now = Instant::now().into_std();
        match event {
            PeerEvent::Message(peer, message) => {
                self.links.heard(now, peer.id());
                self.backoff.reset();
                if message == self.options.beat {
                    self.ledger.count(|stats| stats.beats_received += 1);
                    return None;
                }
                self.ledger.count(|stats| stats.received += 1);
                return Some(message);
            }
            PeerEvent::Up(peer) => {
                let announced = Announcement::read(peer.property(PROPERTY));
                let interval = announced.and_then(Announcement::heartbeat);
                self.links.up(now, peer.id(), interval);
                self.peer = Some(peer);
                self.ledger.tell(LinkEvent::Connected);
                // A new pipe has room.
                let greeting = self.options.greeting.clone();
                drop(greeting.map(|greeting| self.send(greeting)));
            }
            PeerEvent::Down(peer) => {
                self.links.down(peer.id());
                self.peer = None;
                self.ledger.tell(LinkEvent::Disconnected);
            }
            _ => {}
        }
        None
    }

    /// Sends a message if there is room; otherwise it comes back.
    fn send(&mut self, message: Message) -> Option<Message> {
        match self.socket.try_send(message) {
            Ok(()) => {
                let peer = self.peer.as_ref();
                let now = Instant::now().into_std();
                peer.into_iter()
                    .for_each(|peer| self.links.sent(now, peer.id()));
                None
            }
            Err(error) => Some(error.into_message()),
        }
    }

    /// Sends the heartbeats that are due; true if the peer is dead.
    fn beat(&mut self) -> bool {
        let mut is_dead = false;
        while let Some(beat) = self.links.poll() {
            match beat {
                Beat::Send(_) => {
                    let is_idle = self.peer.as_ref().is_some_and(|peer| peer.queued() == 0);
                    let sent = is_idle && self.socket.try_send(self.options.beat.clone()).is_ok();
                    self.ledger.count(|stats| match sent {
                        true => stats.beats_sent += 1,
                        false => stats.beats_left_out += 1,
                    });
                }
                Beat::Dead(_) => is_dead = true,
                Beat::Paused(late) => self.ledger.tell(LinkEvent::ClockPaused { late }),
            }
        }
        is_dead
    }

    /// Replaces the connection to a dead peer after a pause.
    async fn reconnect(&mut self, owner: &mpsc::Sender<Message>) -> Result<(), HeartbeatError> {
        self.peer = None;
        self.ledger.tell(LinkEvent::PresumedDead);
        let socket = open(&self.options)?;
        let old = std::mem::replace(&mut self.socket, socket);
        // Nobody reads what was left in it.
        let _unsent = old.close_with(Linger::Discard).await;
        tokio::select! {
            () = sleep(self.backoff.delay()) => self.socket.connect(&self.endpoint)?,
            () = owner.closed() => {}
        }
        Ok(())
    }
}
