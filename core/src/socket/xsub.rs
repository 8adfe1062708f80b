//! XSUB (RFC 29): as SUB, with subscriptions as messages.

use super::close::Owned;
use super::core::Core;
use super::readiness::recv_ready;
use super::subscriber::TOPIC_MAX;
use super::{every_socket, fair_queued_recv, subscribe};
use crate::error::{SendError, SendErrorKind};
use crate::frame::Frame;
use crate::message::Message;
use crate::routing::fan_out::{Ask, To};

/// Receives what its publishers send, and subscribes by messages; the side of a proxy that faces publishers.
///
/// | | |
/// |---|---|
/// | peers | PUB, XPUB |
/// | direction | both |
/// | incoming | fair-queued, all that comes |
/// | outgoing | subscriptions and messages, to all publishers |
/// | mute state | a publisher's pipe is full: the message is dropped for it, and counted; a subscription never |
///
/// # Example
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use privateer_core::{XpubSocket, XsubSocket};
///
/// let publisher = XpubSocket::new()?;
/// let endpoint = publisher.bind("tcp://127.0.0.1:*").await?;
/// let subscriber = XsubSocket::new()?;
/// subscriber.connect(&endpoint)?;
///
/// subscriber.send("\x01news").await?; // the same as subscribe("news")
/// assert_eq!(publisher.recv().await?[0], "\x01news");
/// publisher.send("news of today").await?;
/// assert_eq!(subscriber.recv().await?[0], "news of today");
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct XsubSocket {
    pub(crate) core: Owned,
}

every_socket!(XsubSocket, Xsub);
subscribe!(XsubSocket);
fair_queued_recv!(XsubSocket);
recv_ready!(XsubSocket);

impl XsubSocket {
    const fn from_core(core: Owned) -> Self {
        Self { core }
    }

    /// Subscribes, unsubscribes, or sends a message to all publishers, by the beginning of the message.
    ///
    /// A frame of `1 | topic` subscribes and one of `0 | topic` unsubscribes, as [`subscribe`](Self::subscribe) and
    /// [`unsubscribe`](Self::unsubscribe) do: a message may begin with any number of them. What is left goes to all
    /// publishers that are connected now; an XPUB hands it out, a PUB discards it. It waits for none of them: for one
    /// whose pipe is full the message is dropped and counted.
    ///
    /// Without [`only_first_subscribe`](crate::SocketOptions::only_first_subscribe) frames that come later subscribe and
    /// unsubscribe too; they are sent with the rest.
    ///
    /// # Errors
    /// [`SendError`] with the message if a topic has more than 64 KiB ([`TopicTooLong`](crate::SendErrorKind::TopicTooLong))
    /// or the socket is closed; there is no other.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, it has done nothing; the message is dropped with it.
    pub async fn send(&self, message: impl Into<Message>) -> Result<(), SendError> {
        let message = message.into();
        self.core.fan_out.give_way().await;
        self.try_send(message)
    }

    /// As [`send`](Self::send), without giving way to other tasks.
    ///
    /// # Errors
    /// As for [`send`](Self::send).
    pub fn try_send(&self, message: impl Into<Message>) -> Result<(), SendError> {
        forward(&self.core, message.into())
    }
}

/// Does what an XSUB does with a message that is sent by it.
fn forward(core: &Core, message: Message) -> Result<(), SendError> {
    let asks = |frame: &Frame| Ask::read(frame).is_some();
    let leading = message.frames().iter().take_while(|frame| asks(frame));
    let leading = leading.count();
    let looked_at = if core.options.pubsub.only_first_subscribe {
        leading
    } else {
        message.len()
    };
    if leading == 0 && looked_at == 0 {
        return send_to_all(core, message);
    }
    let asked = message.frames().iter().take(looked_at);
    let asked: Vec<_> = asked.filter_map(|frame| Ask::read(frame)).collect();
    if asked.iter().any(|(_, topic)| topic.len() > TOPIC_MAX) {
        return Err(SendError::new(SendErrorKind::TopicTooLong, message));
    }
    let is_verbose = core.options.pubsub.xsub_verbose_unsubscribe;
    for (ask, topic) in asked {
        match ask {
            // Its length is right.
            Ask::Subscribe => drop(core.subscriber.subscribe(topic)),
            Ask::Cancel => drop(core.subscriber.unsubscribe(topic, is_verbose)),
        }
    }
    match message.without_first(leading) {
        Some(rest) => send_to_all(core, rest),
        None => Ok(()),
    }
}

/// As [`forward`], of what an XPUB has received: of the subscriptions in a message it is told apart.
pub(crate) fn pass_on(core: &Core, message: Message) -> Result<(), SendError> {
    let first = message.frames().first();
    if first.and_then(|frame| Ask::read(frame)).is_some() {
        forward(core, message)
    } else {
        send_to_all(core, message)
    }
}

fn send_to_all(core: &Core, message: Message) -> Result<(), SendError> {
    let sent = core.fan_out.try_send(core, To::All, &message);
    sent.map_err(|refused| super::send_error(refused, message))
}
