//! XPUB (RFC 29): as PUB, and its owner hears of subscriptions.

use std::sync::Arc;

use super::asked::{Received, Told};
use super::close::Owned;
use super::{SubscriptionRequest, every_socket, publish};
use crate::error::RecvError;
use crate::message::Message;
use crate::peer::{Link, Peer};
use crate::routing::fan_out::Ask;

/// Publishes messages to all that are subscribed to their beginning, and receives what they subscribe to; the side of a
/// proxy that faces subscribers.
///
/// | | |
/// |---|---|
/// | peers | SUB, XSUB |
/// | direction | both |
/// | incoming | fair-queued: subscriptions, and messages of XSUB peers |
/// | outgoing | to all that are subscribed, by the first frame |
/// | mute state | a peer's pipe is full: the message is dropped for that peer, and counted |
///
/// Its owner should receive: as many subscriptions wait for that as
/// [`max_topics`](crate::SocketOptions::max_topics) allows, then the peer's connection is not read any more. When a
/// connection is lost, its subscriptions end as if the peer had ended them; that waits to be received, too, and with too
/// much of it no further connection is made ([`ReceiveOverdue`](crate::SocketEvent::ReceiveOverdue)).
///
/// # Example
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use privateer_core::{SubSocket, XpubEvent, XpubSocket};
///
/// let publisher = XpubSocket::new()?;
/// let endpoint = publisher.bind("tcp://127.0.0.1:*").await?;
/// let subscriber = SubSocket::new()?;
/// subscriber.connect(&endpoint)?;
/// subscriber.subscribe("price.")?;
///
/// // Whoever is new gets the last value at once.
/// if let XpubEvent::Subscribe(request) = publisher.recv_event().await? {
///     assert_eq!(request.topic(), b"price.");
///     request.reply("price.tea 5")?;
/// }
/// assert_eq!(subscriber.recv().await?[0], "price.tea 5");
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct XpubSocket {
    pub(crate) core: Owned,
    pub(crate) told: Arc<Told>,
}

/// What an XPUB receives.
#[derive(Debug)]
#[non_exhaustive]
pub enum XpubEvent {
    /// A peer subscribes.
    Subscribe(SubscriptionRequest),
    /// A peer's subscription ends; also if its connection was lost.
    Unsubscribe(SubscriptionRequest),
    /// A message of an XSUB.
    Message(Peer, Message),
}

every_socket!(XpubSocket, Xpub);
publish!(XpubSocket);

impl XpubSocket {
    fn from_core(core: Owned) -> Self {
        Self {
            core,
            told: Arc::default(),
        }
    }

    /// The next subscription or message, from each peer in turn; waits until there is one.
    ///
    /// A turn is one of them long, and up to 16 when 64 or more peers have some waiting.
    ///
    /// A subscription is `1 | topic`, its end `0 | topic`, in one frame, as an XSUB takes them; no message of a peer
    /// begins so. Which of them are told, [`xpub_verbosity`](crate::SocketOptions::xpub_verbosity) says.
    ///
    /// # Errors
    /// [`RecvError::Closed`] if the socket is closed; there is no other.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, it has received nothing that would be told.
    pub async fn recv(&self) -> Result<Message, RecvError> {
        let message = self
            .core
            .inbox
            .next_wanted(|_, message| self.message(message));
        message.await.map_err(Into::into)
    }

    /// The next subscription or message, if one is there.
    ///
    /// # Errors
    /// [`RecvError::Empty`] or [`RecvError::Closed`]; there is no other.
    pub fn try_recv(&self) -> Result<Message, RecvError> {
        let message = self
            .core
            .inbox
            .try_next_wanted(|_, message| self.message(message));
        message.ok_or_else(|| super::empty(&self.core))
    }

    /// Waits until a subscription or message is there to be received, or the socket is closed.
    ///
    /// It may be a subscription that is not told, or somebody else may be first to take it: [`try_recv`](Self::try_recv) tells.
    ///
    /// # Cancel safety
    /// It changes nothing, dropped or not.
    pub async fn recv_ready(&self) {
        self.core.inbox.ready(false).await;
    }

    /// As [`recv`](Self::recv), with the peer that it is from.
    ///
    /// # Errors
    /// [`RecvError::Closed`] if the socket is closed; there is no other.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, it has received nothing that would be told.
    pub async fn recv_from(&self) -> Result<(Peer, Message), RecvError> {
        let from =
            |link: &Arc<Link>, message| Some((Peer(Arc::clone(link)), self.message(message)?));
        self.core.inbox.next_wanted(from).await.map_err(Into::into)
    }

    /// As [`recv`](Self::recv), with subscriptions told from messages, to be answered.
    ///
    /// # Errors
    /// [`RecvError::Closed`] if the socket is closed; there is no other.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, it has received nothing that would be told.
    pub async fn recv_event(&self) -> Result<XpubEvent, RecvError> {
        let event = self
            .core
            .inbox
            .next_wanted(|link, message| self.event(link, message));
        event.await.map_err(Into::into)
    }

    /// As [`recv_event`](Self::recv_event), if anything is there.
    ///
    /// # Errors
    /// [`RecvError::Empty`] or [`RecvError::Closed`]; there is no other.
    pub fn try_recv_event(&self) -> Result<XpubEvent, RecvError> {
        let event = self
            .core
            .inbox
            .try_next_wanted(|link, message| self.event(link, message));
        event.ok_or_else(|| super::empty(&self.core))
    }

    fn message(&self, message: Message) -> Option<Message> {
        match self.told.read(&self.core, message)? {
            Received::Asked(_, message) | Received::Message(message) => Some(message),
        }
    }

    fn event(&self, link: &Arc<Link>, message: Message) -> Option<XpubEvent> {
        let request = |ask, message| SubscriptionRequest::new(&self.core, link, ask, message);
        Some(match self.told.read(&self.core, message)? {
            Received::Asked(Ask::Subscribe, message) => {
                XpubEvent::Subscribe(request(Ask::Subscribe, message))
            }
            Received::Asked(Ask::Cancel, message) => {
                XpubEvent::Unsubscribe(request(Ask::Cancel, message))
            }
            Received::Message(message) => XpubEvent::Message(Peer(Arc::clone(link)), message),
        })
    }
}
