//! What a publisher makes of its peers' subscriptions: they are put in force, and an XPUB's owner is told.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::core::Core;
use crate::frame::Frame;
use crate::message::Message;
use crate::monitor::DropReason;
use crate::options::{Manual, Verbosity};
use crate::peer::Link;
use crate::pipe::Limits;
use crate::routing::fan_out::{Ask, Asked};
use crate::sync::Mutex;
use crate::zmtp::traffic::{PeerMisbehaved, Subscriptions};

impl Ask {
    /// The first octet of a subscription that is a message.
    pub(crate) const fn octet(self) -> u8 {
        match self {
            Self::Subscribe => 1,
            Self::Cancel => 0,
        }
    }

    /// Reads a subscription that is a message: the wish and its topic.
    pub(crate) fn read(body: &[u8]) -> Option<(Self, &[u8])> {
        match body {
            [1, topic @ ..] => Some((Self::Subscribe, topic)),
            [0, topic @ ..] => Some((Self::Cancel, topic)),
            _ => None,
        }
    }
}

impl Core {
    /// Where peers' subscriptions are looked for, beside commands.
    pub(crate) const fn subscriptions_in_messages(&self) -> Subscriptions {
        if !self.traits.publishes {
            return Subscriptions::Ignored;
        }
        if self.options.pubsub.only_first_subscribe {
            Subscriptions::AtTheBeginning
        } else {
            Subscriptions::Anywhere
        }
    }

    /// What may wait to be received from one peer, subscriptions included.
    pub(crate) fn most_received(&self) -> Limits {
        let (received, topics) = (self.live.recv(), &self.options.pubsub);
        if !self.traits.tells_subscriptions {
            return Limits::NONE;
        }
        let beside = |topics: Option<NonZeroUsize>, messages: Option<NonZeroUsize>| {
            Some(topics?.saturating_add(messages.map_or(0, NonZeroUsize::get)))
        };
        Limits {
            messages: beside(topics.max_topics, received.messages),
            bytes: beside(topics.max_topic_bytes, received.bytes),
        }
    }

    /// Puts a peer's wish in force, and gives the message that tells an XPUB's owner of it.
    ///
    /// It is `1 | topic` or `0 | topic`, with a second frame if nothing has changed. It goes into the peer's receive
    /// pipe; no other message in there begins so.
    pub(crate) fn asked(
        &self,
        link: &Link,
        ask: Ask,
        topic: &[u8],
    ) -> Result<Option<Message>, PeerMisbehaved> {
        let options = &self.options.pubsub;
        let asked = self.fan_out.ask(link, (ask, topic), options)?;
        let Some(asked) = asked.filter(|_| self.traits.tells_subscriptions) else {
            return Ok(None);
        };
        let is_told = options.xpub_manual != Manual::Off
            || match (asked, ask, options.xpub_verbosity) {
                (Asked::Changed, _, _)
                | (Asked::Repeated, _, Verbosity::All)
                | (Asked::Repeated, Ask::Subscribe, Verbosity::Subscriptions) => true,
                (Asked::Repeated, _, _) => false,
            };
        Ok(is_told.then(|| event(ask, topic, asked)))
    }

    /// Ends all subscriptions of a peer that is gone, and tells an XPUB's owner, behind all that the peer sent.
    pub(crate) fn forget_subscriptions(&self, link: &Arc<Link>) {
        let (topics, dropped) = self.fan_out.remove(self, link);
        self.tell_dropped(Some(link), DropReason::Full, dropped);
        if self.traits.tells_subscriptions {
            for topic in topics {
                let event = event(Ask::Cancel, &topic, Asked::Changed);
                link.inbound.publish_anyway(&event);
            }
        }
    }
}

fn event(ask: Ask, topic: &[u8], asked: Asked) -> Message {
    let mut body = BytesMut::with_capacity(1 + topic.len());
    body.extend_from_slice(&[ask.octet()]);
    body.extend_from_slice(topic);
    let body = Frame::from(body.freeze());
    match asked {
        Asked::Changed => Message::from(body),
        Asked::Repeated => [body, Frame::empty()].into(),
    }
}

/// What an XPUB's owner has been told, so that it is told of first and last subscriptions only.
///
/// This is decided when the owner receives, not when a peer asks: from different peers things are not received in the
/// order in which they arrived, and a last one that is told before the first would never be made good.
#[derive(Debug, Default)]
pub(crate) struct Told(Mutex<HashMap<Bytes, usize>>);

/// What was received from a peer of an XPUB.
#[derive(Debug)]
pub(crate) enum Received {
    /// A subscription or its end, with the message that says so.
    Asked(Ask, Message),
    /// What the peer's owner has sent.
    Message(Message),
}

impl Told {
    /// What a message in a peer's pipe is; none if the owner is not to hear of it.
    pub(crate) fn read(&self, core: &Core, message: Message) -> Option<Received> {
        let first = message.frames().first().map(Frame::as_slice);
        let Some((ask, topic)) = first.and_then(Ask::read) else {
            return Some(Received::Message(message));
        };
        let has_changed = message.len() == 1;
        let options = &core.options.pubsub;
        let is_told = options.xpub_manual != Manual::Off
            || match (ask, options.xpub_verbosity) {
                // What is repeated is here only if it is to be told.
                _ if !has_changed => true,
                (Ask::Subscribe, verbosity) => self.begin(topic) || verbosity != Verbosity::Changes,
                (Ask::Cancel, verbosity) => self.end(topic) || verbosity == Verbosity::All,
            };
        let (event, _mark) = message.split_first();
        is_told.then(|| Received::Asked(ask, event.into()))
    }

    /// Counts a subscription; tells whether it is the first.
    fn begin(&self, topic: &[u8]) -> bool {
        let mut told = self.0.lock();
        if let Some(count) = told.get_mut(topic) {
            *count += 1;
            return false;
        }
        told.insert(Bytes::copy_from_slice(topic), 1);
        true
    }

    /// Counts the end of one; tells whether it was the last.
    fn end(&self, topic: &[u8]) -> bool {
        let mut told = self.0.lock();
        match told.get_mut(topic) {
            Some(count) if *count > 1 => {
                *count -= 1;
                false
            }
            _ => {
                told.remove(topic);
                true
            }
        }
    }
}
