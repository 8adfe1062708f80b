//! PUB and SUB (RFC 29): messages to all that asked for them.

use std::sync::Arc;

use super::close::Owned;
use super::{every_socket, publish, subscribe};
use crate::error::RecvError;
use crate::message::Message;
use crate::peer::{Link, Peer};

/// Publishes messages to all that are subscribed to their beginning.
///
/// | | |
/// |---|---|
/// | peers | SUB, XSUB |
/// | direction | sends only |
/// | outgoing | to all that are subscribed, by the first frame |
/// | mute state | a peer's pipe is full: the message is dropped for that peer, and counted |
///
/// Nothing is kept for those who come later. [`wait_for`](Self::wait_for) waits until they are there.
///
/// # Example
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use privateer_core::{PubSocket, SubSocket};
///
/// let publisher = PubSocket::new()?;
/// let endpoint = publisher.bind("tcp://127.0.0.1:*").await?;
///
/// let subscriber = SubSocket::new()?;
/// subscriber.connect(&endpoint)?;
/// subscriber.subscribe("weather.")?;
///
/// publisher.wait_for("weather.oslo", 1).await;
/// publisher.send("wind.oslo 7").await?;
/// publisher.send("weather.oslo snow").await?;
/// assert_eq!(subscriber.recv().await?[0], "weather.oslo snow");
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct PubSocket {
    core: Owned,
}

impl PubSocket {
    const fn from_core(core: Owned) -> Self {
        Self { core }
    }
}

every_socket!(PubSocket, Pub);
publish!(PubSocket);

/// Receives the messages that it is subscribed to, from each publisher in turn.
///
/// | | |
/// |---|---|
/// | peers | PUB, XPUB |
/// | direction | receives only |
/// | incoming | fair-queued, what is subscribed to |
///
/// A new one is subscribed to nothing. It is told of a full pipe by nobody: the publisher drops.
///
/// # Example
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use privateer_core::{PubSocket, SubSocket};
///
/// let subscriber = SubSocket::new()?;
/// subscriber.subscribe("a")?;
/// let endpoint = subscriber.bind("tcp://127.0.0.1:*").await?;
///
/// let publisher = PubSocket::new()?;
/// publisher.connect(&endpoint)?;
///
/// // From now on the publisher loses nothing that begins with "a".
/// let subscribed = subscriber.subscribed(1).await;
/// assert_eq!(subscribed.confirmed.len(), 1);
/// publisher.send("abc").await?;
/// assert_eq!(subscriber.recv().await?[0], "abc");
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct SubSocket {
    core: Owned,
}

every_socket!(SubSocket, Sub);
subscribe!(SubSocket);

impl SubSocket {
    const fn from_core(core: Owned) -> Self {
        Self { core }
    }

    /// The next message that is subscribed to, from each publisher in turn; waits until there is one.
    ///
    /// A turn is one message long, and up to 16 when 64 or more publishers have messages waiting.
    ///
    /// # Errors
    /// [`RecvError::Closed`] if the socket is closed; there is no other.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, it has received nothing that is subscribed to.
    pub async fn recv(&self) -> Result<Message, RecvError> {
        let message = self
            .core
            .inbox
            .next_wanted(|_, message| self.wanted(message));
        message.await.map_err(Into::into)
    }

    /// The next message that is subscribed to, if one is there.
    ///
    /// # Errors
    /// [`RecvError::Empty`] or [`RecvError::Closed`]; there is no other.
    pub fn try_recv(&self) -> Result<Message, RecvError> {
        let message = self
            .core
            .inbox
            .try_next_wanted(|_, message| self.wanted(message));
        message.ok_or_else(|| super::empty(&self.core))
    }

    /// Waits until a message is there to be received, or the socket is closed.
    ///
    /// It may be a message that was subscribed to when it was sent, and is not any more, or somebody else may be first to take it: [`try_recv`](Self::try_recv) tells.
    ///
    /// # Cancel safety
    /// It changes nothing, dropped or not.
    pub async fn recv_ready(&self) {
        self.core.inbox.ready(false).await;
    }

    /// As [`recv`](Self::recv), with the publisher that sent the message.
    ///
    /// # Errors
    /// [`RecvError::Closed`] if the socket is closed; there is no other.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, it has received nothing that is subscribed to.
    pub async fn recv_from(&self) -> Result<(Peer, Message), RecvError> {
        let from =
            |link: &Arc<Link>, message| Some((Peer(Arc::clone(link)), self.wanted(message)?));
        self.core.inbox.next_wanted(from).await.map_err(Into::into)
    }

    /// The publisher has filtered already; but an unsubscription takes time to arrive there.
    #[inline]
    fn wanted(&self, message: Message) -> Option<Message> {
        let topic = message.frames().first()?;
        self.core.subscriber.accepts(topic).then_some(message)
    }
}
