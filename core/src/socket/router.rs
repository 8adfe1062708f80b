//! ROUTER (RFC 28): many peers, each addressed by its routing id.

use std::sync::Arc;

use super::close::Owned;
use super::core::Core;
use super::names::Route;
use super::readiness::recv_event_ready;
use super::{connect_as, every_socket, recv_events};
use crate::error::{RecvError, SendError, SendErrorKind, Unroutable};
use crate::message::Message;
use crate::monitor::DropReason;
use crate::peer::{Link, Peer, PeerId};
use crate::pipe::Refused;
use crate::routing_id::RoutingId;

/// Receives from many peers and sends to each by name.
///
/// | | |
/// |---|---|
/// | peers | REQ, DEALER, ROUTER |
/// | direction | both |
/// | incoming | fair-queued, with the peer |
/// | outgoing | to the peer addressed |
/// | mute state | `send` waits for that peer; a peer that is not there is an error with the message |
///
/// The routing id is not a frame of the message here, as it is in libzmq: `recv` returns the [`Peer`] beside it.
///
/// # Example
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use privateer_core::{DealerSocket, PeerEvent, RouterSocket};
///
/// let router = RouterSocket::new()?;
/// let endpoint = router.bind("tcp://127.0.0.1:*").await?;
/// let dealer = DealerSocket::new()?;
/// dealer.connect(&endpoint)?;
/// dealer.send("hello").await?;
/// dealer.close().await;
///
/// // In this order: that the peer is there, all that it sent, that it is gone.
/// assert!(matches!(router.recv_event().await?, PeerEvent::Up(_)));
/// assert!(matches!(router.recv_event().await?, PeerEvent::Message(_, m) if m[0] == "hello"));
/// assert!(matches!(router.recv_event().await?, PeerEvent::Down(_)));
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct RouterSocket {
    pub(crate) core: Owned,
}

every_socket!(RouterSocket, Router);
recv_events!(RouterSocket);
recv_event_ready!(RouterSocket);

/// Whom a ROUTER sends to: a connection (`&Peer`, [`PeerId`]), or whoever has a name (`&RoutingId`).
///
/// A [`Peer`] or [`PeerId`] is one connection: when the peer comes back on another, it is not there any more. A
/// [`RoutingId`] that the peer chose is the same after it came back.
pub trait Addressee: sealed::Find {}

impl Addressee for &Peer {}
impl Addressee for PeerId {}
impl Addressee for &RoutingId {}

mod sealed {
    use super::{Arc, Core, Link, Peer, PeerId, Route, RoutingId};

    /// Finds the connection.
    #[expect(
        unnameable_types,
        reason = "it keeps others from implementing Addressee"
    )]
    pub trait Find: Copy + Send {
        /// The connection, if it lives.
        #[expect(private_interfaces, reason = "nobody outside can name or call it")]
        fn find(self, core: &Core) -> Option<Arc<Link>>;

        /// The way to it, which may be there while the connection is not.
        #[expect(private_interfaces, reason = "nobody outside can name or call it")]
        fn route(self, core: &Core) -> Option<Route> {
            self.find(core).map(Route::Peer)
        }
    }

    impl Find for &Peer {
        #[expect(private_interfaces, reason = "nobody outside can name or call it")]
        fn find(self, core: &Core) -> Option<Arc<Link>> {
            // Whether it lives, its pipe knows, unless that outlives it.
            let lives = self.0.outbound_is_own || self.id().find(core).is_some();
            lives.then(|| Arc::clone(&self.0))
        }
    }

    impl Find for PeerId {
        #[expect(private_interfaces, reason = "nobody outside can name or call it")]
        fn find(self, core: &Core) -> Option<Arc<Link>> {
            core.peers.lock().by_id.get(&self).cloned()
        }
    }

    impl Find for &RoutingId {
        #[expect(private_interfaces, reason = "nobody outside can name or call it")]
        fn find(self, core: &Core) -> Option<Arc<Link>> {
            core.peer_named(self.as_bytes())
        }

        #[expect(private_interfaces, reason = "nobody outside can name or call it")]
        fn route(self, core: &Core) -> Option<Route> {
            Route::to(core, self)
        }
    }
}

connect_as! {
    /// Keeps connected to an endpoint as [`connect`](Self::connect) does; whoever is there has this name, whatever it
    /// calls itself.
    ///
    /// It can be sent to from now on, whether it is connected or not, unless
    /// [`immediate`](crate::SocketOptions::immediate) is set. The name is free again when the endpoint is disconnected.
    /// (libzmq: `ZMQ_CONNECT_ROUTING_ID`)
    ///
    /// # Errors
    /// [`ConnectError`](crate::ConnectError) as of `connect`, and
    /// [`RoutingIdTaken`](crate::ConnectError::RoutingIdTaken) if a peer or another endpoint has the name; there is no
    /// other.
    RouterSocket
}

impl RouterSocket {
    const fn from_core(core: Owned) -> Self {
        Self { core }
    }

    /// The next message and who sent it; waits until there is one. Each peer has its turn, which is one message long, and
    /// up to 16 when 64 or more peers have messages waiting.
    ///
    /// # Errors
    /// [`RecvError::Closed`] if the socket is closed; there is no other.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, it has received nothing.
    pub async fn recv(&self) -> Result<(Peer, Message), RecvError> {
        self.core
            .inbox
            .next(super::message_from)
            .await
            .map_err(Into::into)
    }

    /// The next message and who sent it, if one is there.
    ///
    /// # Errors
    /// [`RecvError::Empty`] or [`RecvError::Closed`]; there is no other.
    pub fn try_recv(&self) -> Result<(Peer, Message), RecvError> {
        let message = self.core.inbox.try_next(&mut super::message_from);
        message.ok_or_else(|| super::empty(&self.core))
    }

    /// Sends a message to one peer, and waits until that peer has room.
    ///
    /// Without [`router_mandatory`](crate::SocketOptions::router_mandatory) it never waits for room, and only lets other
    /// tasks run: what cannot be sent then is dropped and counted.
    ///
    /// # Errors
    /// [`SendError`] with the message if the peer is not there ([`SendErrorKind::Unroutable`]) or the socket is closed;
    /// there is no other.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, it has sent nothing; the message is dropped with it.
    pub async fn send(
        &self,
        to: impl Addressee,
        message: impl Into<Message>,
    ) -> Result<(), SendError> {
        send(&self.core, to, message.into()).await
    }

    /// Sends a message to one peer if that has room.
    ///
    /// Without [`router_mandatory`](crate::SocketOptions::router_mandatory), what cannot be sent is dropped and
    /// counted.
    ///
    /// # Errors
    /// [`SendError`] with the message if the peer is not there ([`SendErrorKind::Unroutable`]), has no room
    /// ([`would_block`](SendError::would_block)), or the socket is closed; there is no other.
    pub fn try_send(
        &self,
        to: impl Addressee,
        message: impl Into<Message>,
    ) -> Result<(), SendError> {
        try_send(&self.core, to, message.into())
    }

    /// Sends a message to one peer if nothing waits to be sent to it; tells whether it did.
    ///
    /// Heartbeats go so: a peer that has something to read needs none, and one that does not read should not find
    /// many.
    ///
    /// # Errors
    /// [`Unroutable`] if the peer is not there; there is no other.
    pub fn send_if_idle(
        &self,
        to: impl Addressee,
        message: impl Into<Message>,
    ) -> Result<bool, Unroutable> {
        let route = to.route(&self.core).ok_or(Unroutable)?;
        route
            .outbound()
            .publish_if_idle(&message.into())
            .map_err(|_closed| Unroutable)
    }

    /// Waits until a peer has room for a message.
    ///
    /// # Errors
    /// [`Unroutable`] if the peer is not there, or goes; there is no other.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, nothing has changed.
    pub async fn ready(&self, to: impl Addressee) -> Result<(), Unroutable> {
        ready(&self.core, to).await
    }

    /// Hands out nothing more from a peer, and stops reading its connection, until [`resume`](Self::resume).
    ///
    /// What it sends waits in its own buffers; at most 256 KiB or one message more are read here.
    ///
    /// It ends with the connection: then all that had arrived is handed out, and that the peer is gone, as if nobody had
    /// paused it.
    ///
    /// # Errors
    /// [`Unroutable`] if the peer is not there; there is no other.
    pub fn pause(&self, peer: impl Addressee) -> Result<(), Unroutable> {
        let link = peer.find(&self.core).ok_or(Unroutable)?;
        if self.core.inbox.pause(&link) {
            Ok(())
        } else {
            Err(Unroutable)
        }
    }

    /// Takes [`pause`](Self::pause) back.
    ///
    /// # Errors
    /// [`Unroutable`] if a `PeerId` or `RoutingId` is not there any more; there is no other.
    pub fn resume(&self, peer: impl Addressee) -> Result<(), Unroutable> {
        let link = peer.find(&self.core).ok_or(Unroutable)?;
        self.core.inbox.resume(&link);
        Ok(())
    }
}

/// Sends a message to one peer, and waits until that has room, if it is to wait.
pub(crate) async fn send(
    core: &Core,
    to: impl Addressee,
    mut message: Message,
) -> Result<(), SendError> {
    core.outbox.proceed().await;
    match put(core, to, &message) {
        Err((SendErrorKind::Full, _)) => {}
        done => return done.or_else(|refused| refuse(core, refused, message)),
    }
    if !fails(core) {
        // The session of the peer that is full may only have had no time yet.
        tokio::task::yield_now().await;
        return try_send(core, to, message);
    }
    loop {
        if ready(core, to).await.is_err() {
            return refuse(core, (SendErrorKind::Unroutable, None), message);
        }
        message = match try_send(core, to, message) {
            Err(error) if error.would_block() => error.into_message(),
            done => return done,
        };
    }
}

/// Sends a message to one peer if that has room.
pub(crate) fn try_send(core: &Core, to: impl Addressee, message: Message) -> Result<(), SendError> {
    put(core, to, &message).or_else(|refused| refuse(core, refused, message))
}

/// Why a message was not put into a pipe, and whose that is.
type NotPut = (SendErrorKind, Option<Route>);

fn put(core: &Core, to: impl Addressee, message: &Message) -> Result<(), NotPut> {
    let Some(route) = to.route(core) else {
        return Err((SendErrorKind::Unroutable, None));
    };
    match route.outbound().publish(&[], message) {
        Ok(()) => Ok(()),
        Err(Refused::Full) => Err((SendErrorKind::Full, Some(route))),
        Err(Refused::Closed) => Err((SendErrorKind::Unroutable, Some(route))),
    }
}

/// Waits until a peer has room for a message.
pub(crate) async fn ready(core: &Core, to: impl Addressee) -> Result<(), Unroutable> {
    core.outbox.proceed().await;
    loop {
        // Each time anew: a peer may have come or gone meanwhile.
        let route = to.route(core).ok_or(Unroutable)?;
        if route.outbound().has_room() == Err(Refused::Full)
            && let Some(link) = route.link()
        {
            link.work_now();
        }
        let mut room = std::pin::pin!(route.room().0.notified());
        room.as_mut().enable();
        match route.outbound().has_room() {
            Err(Refused::Full) => room.await,
            done => {
                // There may be room for those who wait beside this one.
                route.room().0.notify_one();
                return done.map_err(|_closed| Unroutable);
            }
        }
    }
}

/// Whether a message that cannot be sent is an error, and not dropped.
const fn fails(core: &Core) -> bool {
    core.options.router_mandatory || core.traits.raw
}

fn refuse(core: &Core, (kind, route): NotPut, message: Message) -> Result<(), SendError> {
    if core.inbox.is_closed() {
        return Err(SendError::new(SendErrorKind::Closed, message));
    }
    if fails(core) {
        return Err(SendError::new(kind, message));
    }
    let reason = match kind {
        SendErrorKind::Full => DropReason::Full,
        _ => DropReason::Unroutable,
    };
    match route.as_ref().and_then(Route::link) {
        Some(link) => core.dropped(link, reason),
        None => core.counters.dropped(reason, 1),
    }
    Ok(())
}

/// Waits until a connection's pipe has room, or is finished.
pub(crate) async fn wait_for_room(link: &Link) -> Result<(), Unroutable> {
    loop {
        if link.outbound.has_room() == Err(Refused::Full) {
            link.work_now();
        }
        let mut room = std::pin::pin!(link.room.0.notified());
        room.as_mut().enable();
        match link.outbound.has_room() {
            Ok(()) => {
                // There may be room for those who wait beside this one.
                link.room.0.notify_one();
                return Ok(());
            }
            Err(Refused::Closed) => {
                link.room.0.notify_one();
                return Err(Unroutable);
            }
            Err(Refused::Full) => room.await,
        }
    }
}

#[cfg(test)]
mod tests;
