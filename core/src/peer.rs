//! [`Peer`]: a handle of one connection.

use std::fmt;
use std::num::NonZeroUsize;
use std::slice;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::task::{Wake, Waker};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Notify;

use crate::ending::Ending;
use crate::endpoint::{Address, Endpoint};
use crate::io::shared::Work;
use crate::pipe::{Limits, Pipe};
use crate::routing_id::RoutingId;
use crate::socket::core::Core;
use crate::socket::counters::Counter;
use crate::socket::subscriber::Publisher;
use crate::socket_type::SocketType;

/// The number of a connection, unique within the process; a peer that reconnects gets a new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PeerId(pub(crate) u64);

/// The last number that was given.
static LAST: AtomicU64 = AtomicU64::new(0);

impl PeerId {
    /// The number of a new connection.
    pub(crate) fn next() -> Self {
        Self(LAST.fetch_add(1, Ordering::Relaxed) + 1)
    }

    /// The number.
    #[must_use]
    pub const fn as_u64(self) -> u64 {
        self.0
    }
}

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Which side made a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// This socket connected to the peer.
    Connected,
    /// The peer connected to this socket.
    Accepted,
}

/// A handle of one connection: who is on the other side. Cheap to clone.
///
/// It says nothing about whether the connection still lives; a handle may be kept for as long as one likes.
#[derive(Clone)]
pub struct Peer(pub(crate) Arc<Link>);

impl Peer {
    /// The number of the connection.
    #[must_use]
    pub fn id(&self) -> PeerId {
        self.0.id
    }

    /// By what name a ROUTER of this side addresses the peer: its own choice, or one that was given to it.
    #[must_use]
    pub fn routing_id(&self) -> &RoutingId {
        &self.0.routing_id
    }

    /// The peer's socket type.
    #[must_use]
    pub fn socket_type(&self) -> SocketType {
        self.0.facts.socket_type
    }

    /// A property of the peer's READY metadata (RFC 37), by name without regard to case.
    #[must_use]
    pub fn property(&self, name: &str) -> Option<&[u8]> {
        let mut properties = self.0.facts.properties.iter();
        properties
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| &**value)
    }

    /// This socket's endpoint of the connection.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.0.endpoint
    }

    /// The peer's network address, if the transport knows it, such as `127.0.0.1:40312`.
    #[must_use]
    pub fn remote_address(&self) -> Option<&str> {
        self.0.remote_address.as_deref()
    }

    /// The network address of this side, if the transport knows it, such as `127.0.0.1:5555`.
    #[must_use]
    pub fn local_address(&self) -> Option<&str> {
        self.0.local_address.as_deref()
    }

    /// Which side made the connection.
    #[must_use]
    pub fn direction(&self) -> Direction {
        self.0.direction
    }

    /// How long the peer took to answer the last heartbeat that it answered; none before that, and over inproc.
    #[must_use]
    pub fn round_trip(&self) -> Option<Duration> {
        match self.0.round_trip.load(Ordering::Relaxed) {
            0 => None,
            nanoseconds => Some(Duration::from_nanos(nanoseconds)),
        }
    }

    /// Messages that wait to be sent to this peer; over inproc those that it has not received.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.0.queued()
    }

    /// Messages that a PUB, XPUB or XSUB of this side did not send to this peer because its pipe was full.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.0.flush();
        self.0.dropped.get()
    }
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peer")
            .field("id", &self.0.id.0)
            .field("routing_id", &self.0.routing_id)
            .field("socket_type", &self.0.facts.socket_type)
            .field("endpoint", &self.0.endpoint)
            .finish_non_exhaustive()
    }
}

impl PartialEq for Peer {
    fn eq(&self, other: &Self) -> bool {
        self.0.id == other.0.id
    }
}

impl Eq for Peer {}

impl std::hash::Hash for Peer {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.id.hash(state);
    }
}

/// What a peer said of itself in its READY, or exchanged over inproc.
#[derive(Clone, Debug)]
pub(crate) struct PeerFacts {
    pub(crate) socket_type: SocketType,
    /// The minor version of ZMTP 3 that it speaks; with 0 it answers no PING and knows no SUBSCRIBE.
    pub(crate) minor: u8,
    pub(crate) routing_id: Option<RoutingId>,
    pub(crate) properties: Vec<(String, Bytes)>,
}

impl PeerFacts {
    /// Of a peer that says nothing of itself.
    pub(crate) const fn of_raw() -> Self {
        Self {
            socket_type: SocketType::Stream,
            minor: 0,
            routing_id: None,
            properties: Vec::new(),
        }
    }
}

/// One connection of a socket: who the peer is, and a pipe in each direction.
pub(crate) struct Link {
    pub(crate) id: PeerId,
    pub(crate) routing_id: RoutingId,
    pub(crate) facts: PeerFacts,
    pub(crate) endpoint: Endpoint,
    pub(crate) local_address: Option<String>,
    pub(crate) remote_address: Option<String>,
    pub(crate) direction: Direction,
    /// From the socket to the peer. Outlives the connection if it belongs to a connected endpoint.
    pub(crate) outbound: Arc<Pipe>,
    /// Whether `outbound` ends with this connection.
    pub(crate) outbound_is_own: bool,
    /// Rings when `outbound` has room; only for sockets that send by routing id.
    pub(crate) room: Arc<Bell>,
    /// From the peer to the socket; belongs to this connection alone.
    pub(crate) inbound: Arc<Pipe>,
    /// Received messages for which credit returns in one piece.
    pub(crate) credit_every: AtomicUsize,
    /// Whether the socket's owner has been told of the connection.
    pub(crate) announced: AtomicBool,
    /// Whether a message has told of its end, if one is to.
    pub(crate) departed: AtomicBool,
    /// The socket, if it sends to more than one peer.
    pub(crate) publishing: Weak<Core>,
    /// What a publisher is told by a socket that subscribes; none for others.
    pub(crate) publisher: Option<Box<Publisher>>,
    /// Messages that were not sent to this peer because its pipe was full.
    pub(crate) dropped: Counter,
    /// The last round trip in nanoseconds; zero if there is none.
    pub(crate) round_trip: AtomicU64,
    /// Tells the connection's task to end it, and why.
    pub(crate) ending: Ending,
    /// Its session, once it is served; none over inproc.
    pub(crate) session: OnceLock<Arc<dyn Work>>,
    /// The same connection as the other socket of the process sees it, over inproc.
    pub(crate) partner: OnceLock<(Weak<Core>, Weak<Self>)>,
}

/// Received messages for which credit returns in one piece, with this high-water mark.
pub(crate) fn credit_every(hwm: Option<NonZeroUsize>) -> usize {
    hwm.map_or(usize::MAX, |hwm| hwm.get().div_ceil(2))
}

impl Link {
    /// Whether this socket made the connection, to this endpoint.
    pub(crate) fn is_to(&self, endpoint: &Endpoint) -> bool {
        self.direction == Direction::Connected && self.endpoint == *endpoint
    }

    /// Changes what may wait to be received.
    pub(crate) fn set_recv_limits(&self, limits: Limits) {
        let credit_every = credit_every(limits.messages);
        self.credit_every.store(credit_every, Ordering::Relaxed);
        self.inbound.set_limits(limits);
    }

    /// Writing to the peer has failed: nobody is to wait for room that there will not be. The end of the connection is heard
    /// only behind all that the peer has sent, for which there may be no room until who waits goes on.
    pub(crate) fn refuse_more(&self) {
        // A pipe that outlives the connection goes on with the next one.
        if !self.outbound_is_own {
            return;
        }
        match self.publishing.upgrade() {
            // What is in no pipe yet is lost with this one, and counted as what is in it.
            Some(core) => core.fan_out.finish(&core, slice::from_ref(&self.outbound)),
            None => self.outbound.finish(),
        }
    }

    pub(crate) fn set_round_trip(&self, time: Duration) {
        let nanoseconds = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.round_trip.store(nanoseconds.max(1), Ordering::Relaxed);
    }

    /// Writes what was [put](Pipe::put) into `outbound`, whose reader waits.
    ///
    /// Nothing that a session may wake is to be locked.
    pub(crate) fn write_now(&self) {
        // Also if the session panics here.
        let mut unread = WakeOnDrop(Some(&self.outbound));
        if self.session().is_some_and(|session| session.write_now()) {
            unread.0 = None;
        }
    }

    /// Lets the session do what it can, before its owner waits for it. Nothing that it may wake is to be locked.
    pub(crate) fn work_now(&self) {
        if let Some(session) = self.session() {
            session.work_now();
        }
    }

    /// None once the connection is to end: what is not written by then stays in the pipe.
    fn session(&self) -> Option<&Arc<dyn Work>> {
        self.session.get().filter(|_| !self.ending.is_requested())
    }

    /// Messages that the peer has not got.
    pub(crate) fn queued(&self) -> usize {
        match self.partner() {
            Some((other, theirs)) => other.inbox.unread(&theirs),
            None => {
                self.flush();
                self.outbound.counts().queued
            }
        }
    }

    /// Puts into the pipe what a socket that sends to many has not put there yet.
    fn flush(&self) {
        if let Some(core) = self.publishing.upgrade() {
            core.fan_out.flush(&core);
        }
    }

    /// The other socket of the process, and the connection as that sees it.
    pub(crate) fn partner(&self) -> Option<(Arc<Core>, Arc<Self>)> {
        let (other, theirs) = self.partner.get()?;
        Some((other.upgrade()?, theirs.upgrade()?))
    }

    /// Whether nobody receives on the other side any more, over inproc.
    pub(crate) fn partner_is_closed(&self) -> bool {
        let partner = self.partner.get();
        partner
            .is_some_and(|(other, _)| other.upgrade().is_none_or(|other| other.inbox.is_closed()))
    }

    /// Whether the peer is a socket of this process, and there is no session between.
    pub(crate) const fn is_inproc(&self) -> bool {
        matches!(self.endpoint.address(), Address::Inproc(_))
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// Wakes the reader of a pipe when it is dropped.
struct WakeOnDrop<'a>(Option<&'a Pipe>);

impl Drop for WakeOnDrop<'_> {
    fn drop(&mut self) {
        if let Some(pipe) = self.0 {
            pipe.wake_reader();
        }
    }
}

/// Rings once for one of those who wait.
#[derive(Debug, Default)]
pub(crate) struct Bell(pub(crate) Notify);

impl Bell {
    /// A waker that rings.
    pub(crate) fn waker(self: &Arc<Self>) -> Waker {
        Waker::from(Arc::clone(self))
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.notify_one();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.notify_one();
    }
}

/// Rings for all who wait, since each may wait for another peer.
#[derive(Debug, Default)]
pub(crate) struct Gong(pub(crate) Notify);

impl Wake for Gong {
    fn wake(self: Arc<Self>) {
        self.0.notify_waiters();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.notify_waiters();
    }
}
