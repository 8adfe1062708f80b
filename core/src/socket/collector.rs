//! The collector: SUB and PULL in one, on one endpoint.

use std::sync::Arc;

use super::close::Owned;
use super::readiness::recv_ready;
use super::{every_socket, subscribe};
use crate::error::RecvError;
use crate::message::Message;
use crate::peer::{Link, Peer};

/// Receives what publishers send and what is pushed to it, on the same endpoints.
///
/// | | |
/// |---|---|
/// | peers | PUB, XPUB, PUSH |
/// | direction | receives only |
/// | incoming | fair-queued; of publishers what is subscribed to, of the others everything |
///
/// To a PUB or XPUB it is a SUB, to a PUSH a PULL: it lets the peer speak first and answers as what that one needs. So
/// programs of both kinds send to one place, as the clients of the Clone pattern do.
///
/// # Example
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use privateer_core::{CollectorSocket, PubSocket, PushSocket};
///
/// let collector = CollectorSocket::new()?;
/// collector.subscribe("news")?;
/// let endpoint = collector.bind("tcp://127.0.0.1:*").await?;
///
/// let push = PushSocket::new()?;
/// push.connect(&endpoint)?;
/// push.send("whatever it is").await?;
/// assert_eq!(collector.recv().await?[0], "whatever it is");
///
/// let publisher = PubSocket::new()?;
/// publisher.connect(&endpoint)?;
/// publisher.wait_for("news", 1).await;
/// publisher.send("nothing of interest").await?;
/// publisher.send("news of today").await?;
/// assert_eq!(collector.recv().await?[0], "news of today");
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct CollectorSocket {
    core: Owned,
}

every_socket!(CollectorSocket, Collector);
subscribe!(CollectorSocket);
recv_ready!(CollectorSocket);

impl CollectorSocket {
    const fn from_core(core: Owned) -> Self {
        Self { core }
    }

    /// The next message, from each peer in turn; waits until there is one.
    ///
    /// A turn is one message long, and up to 16 when 64 or more peers have messages waiting.
    ///
    /// # Errors
    /// [`RecvError::Closed`] if the socket is closed; there is no other.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, it has received nothing that is wanted.
    pub async fn recv(&self) -> Result<Message, RecvError> {
        let wanted = |link: &Arc<Link>, message| self.wanted(link, message);
        self.core
            .inbox
            .next_wanted(wanted)
            .await
            .map_err(Into::into)
    }

    /// The next message, if one is there.
    ///
    /// # Errors
    /// [`RecvError::Empty`] or [`RecvError::Closed`]; there is no other.
    pub fn try_recv(&self) -> Result<Message, RecvError> {
        let wanted = |link: &Arc<Link>, message| self.wanted(link, message);
        let message = self.core.inbox.try_next_wanted(wanted);
        message.ok_or_else(|| super::empty(&self.core))
    }

    /// As [`recv`](Self::recv), with the peer that sent the message.
    ///
    /// # Errors
    /// [`RecvError::Closed`] if the socket is closed; there is no other.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, it has received nothing that is wanted.
    pub async fn recv_from(&self) -> Result<(Peer, Message), RecvError> {
        let from =
            |link: &Arc<Link>, message| Some((Peer(Arc::clone(link)), self.wanted(link, message)?));
        self.core.inbox.next_wanted(from).await.map_err(Into::into)
    }

    /// A publisher has filtered already, but an unsubscription takes time to arrive there.
    fn wanted(&self, link: &Link, message: Message) -> Option<Message> {
        let topic = message.frames().first()?;
        let wanted = link.publisher.is_none() || self.core.subscriber.accepts(topic);
        wanted.then_some(message)
    }
}
