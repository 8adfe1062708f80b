//! [`SubscriptionRequest`]: what a peer of an XPUB asks for.

use std::fmt;
use std::sync::Arc;

use super::core::Core;
use crate::error::SendError;
use crate::frame::Frame;
use crate::message::Message;
use crate::peer::{Link, Peer};
use crate::routing::fan_out::Ask;

/// What a peer of an XPUB asks for: messages that begin with a topic, or none of them any more.
///
/// With [`xpub_manual`](crate::SocketOptions::xpub_manual) nothing comes of it until it is accepted; to drop it is to
/// reject it. Otherwise it is done already, and the request only tells of it.
pub struct SubscriptionRequest {
    core: Arc<Core>,
    link: Arc<Link>,
    ask: Ask,
    /// As a message: `1 | topic` or `0 | topic`.
    body: Frame,
}

impl SubscriptionRequest {
    pub(crate) fn new(core: &Arc<Core>, link: &Arc<Link>, ask: Ask, message: Message) -> Self {
        Self {
            core: Arc::clone(core),
            link: Arc::clone(link),
            ask,
            body: message.split_first().0,
        }
    }

    /// Who asks.
    #[must_use]
    pub fn peer(&self) -> Peer {
        Peer(Arc::clone(&self.link))
    }

    /// The topic.
    #[must_use]
    pub fn topic(&self) -> &[u8] {
        self.body.get(1..).unwrap_or_default()
    }

    /// Does what the peer asks for.
    pub fn accept(self) {
        self.decide([self.topic()]);
    }

    /// Does what the peer asks for, with other topics: subscribes it to all of them, or ends its subscriptions to them.
    pub fn accept_as<T: AsRef<[u8]>>(self, topics: impl IntoIterator<Item = T>) {
        self.decide(topics);
    }

    /// Does nothing: the peer does not get the topic, or keeps it.
    pub fn reject(self) {}

    /// Sends a message to the peer alone, whatever it is subscribed to, the last value of the topic for example.
    ///
    /// A SUB hands it out only if it is subscribed to it on its own side.
    ///
    /// # Errors
    /// [`SendError`] with the message if the peer has no room ([`would_block`](SendError::would_block)), its connection has
    /// ended ([`PeerGone`](crate::SendErrorKind::PeerGone)), or the socket is closed; there is no other.
    pub fn reply(&self, message: impl Into<Message>) -> Result<(), SendError> {
        let message = message.into();
        let sent = self.core.fan_out.send_to(&self.core, &self.link, &message);
        sent.map_err(|kind| SendError::new(kind, message))
    }

    fn decide<T: AsRef<[u8]>>(&self, topics: impl IntoIterator<Item = T>) {
        let options = &self.core.options.pubsub;
        self.core
            .fan_out
            .decide(&self.link, self.ask, topics, options);
    }
}

impl fmt::Debug for SubscriptionRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SubscriptionRequest")
            .field("peer", &self.link.id.as_u64())
            .field("ask", &self.ask)
            .field("topic", &Frame::copy_from_slice(self.topic()))
            .finish()
    }
}
