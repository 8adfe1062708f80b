//! [`SocketOptions`] of publish-subscribe.

use std::num::NonZeroUsize;

use super::SocketOptions;
use crate::message::Message;

/// Which subscriptions the owner of an XPUB is told of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Verbosity {
    /// The first subscription to each topic, and the end of the last.
    #[default]
    Changes,
    /// Every subscription, also one that a peer repeats, and the end of the last.
    Subscriptions,
    /// Every subscription and the end of each.
    All,
}

/// Who decides what the peers of an XPUB get.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Manual {
    /// The peers: a subscription is in force as soon as it arrives.
    #[default]
    Off,
    /// The owner, who accepts or rejects each [`SubscriptionRequest`](crate::SubscriptionRequest).
    On,
    /// The owner, and the next message that is sent after a subscription was accepted goes to that peer alone.
    LastValue,
}

/// What publish-subscribe sockets do.
#[derive(Clone, Debug)]
pub(crate) struct PubSubOptions {
    pub(crate) max_topics: Option<NonZeroUsize>,
    pub(crate) max_topic_bytes: Option<NonZeroUsize>,
    pub(crate) no_drop: bool,
    pub(crate) welcome_message: Option<Message>,
    pub(crate) xpub_verbosity: Verbosity,
    pub(crate) xpub_manual: Manual,
    pub(crate) only_first_subscribe: bool,
    pub(crate) xsub_verbose_unsubscribe: bool,
}

/// Many more than a program has, and few enough that a peer cannot take a machine's memory with them.
const DEFAULT_MAX_TOPICS: NonZeroUsize = NonZeroUsize::new(100_000).unwrap();
const DEFAULT_MAX_TOPIC_BYTES: NonZeroUsize = NonZeroUsize::new(16 * 1024 * 1024).unwrap();

impl Default for PubSubOptions {
    fn default() -> Self {
        Self {
            max_topics: Some(DEFAULT_MAX_TOPICS),
            max_topic_bytes: Some(DEFAULT_MAX_TOPIC_BYTES),
            no_drop: false,
            welcome_message: None,
            xpub_verbosity: Verbosity::Changes,
            xpub_manual: Manual::Off,
            only_first_subscribe: true,
            xsub_verbose_unsubscribe: false,
        }
    }
}

impl SocketOptions {
    /// How many topics one peer may subscribe to; a peer that wants more is disconnected.
    ///
    /// An XPUB whose owner does not receive stops reading a peer's connection after as many subscriptions.
    /// - Unit: different topics per peer
    /// - Default: 100,000
    /// - Range: 1 and up or `None`; that is no limit
    /// - Applies to: PUB, XPUB; not to peers over inproc
    /// - Takes effect: when the socket is made
    /// - libzmq: none
    #[must_use]
    pub const fn max_topics(mut self, topics: Option<NonZeroUsize>) -> Self {
        self.pubsub.max_topics = topics;
        self
    }

    /// How large the topics of one peer may be together; a peer that wants more is disconnected.
    /// - Unit: bytes of different topics per peer
    /// - Default: 16 MiB
    /// - Range: 1 and up or `None`; that is no limit
    /// - Applies to: PUB, XPUB; not to peers over inproc
    /// - Takes effect: when the socket is made
    /// - libzmq: none
    #[must_use]
    pub const fn max_topic_bytes(mut self, bytes: Option<NonZeroUsize>) -> Self {
        self.pubsub.max_topic_bytes = bytes;
        self
    }

    /// Sends a message to all that asked for it or to none: `send` waits, and `try_send` refuses, while one of them has
    /// no room.
    ///
    /// Otherwise a message is dropped for the peers that have no room, and for those alone.
    /// - Default: off
    /// - Applies to: PUB, XPUB
    /// - Takes effect: when the socket is made
    /// - libzmq: `ZMQ_XPUB_NODROP`
    #[must_use]
    pub const fn no_drop(mut self) -> Self {
        self.pubsub.no_drop = true;
        self
    }

    /// The first message to every new subscriber, before it has subscribed to anything.
    ///
    /// A SUB hands it out only if it is subscribed to it.
    /// - Default: none
    /// - Range: any message
    /// - Applies to: PUB, XPUB
    /// - Takes effect: when the socket is made
    /// - libzmq: `ZMQ_XPUB_WELCOME_MSG`
    #[must_use]
    pub fn welcome_message(mut self, message: impl Into<Message>) -> Self {
        self.pubsub.welcome_message = Some(message.into());
        self
    }

    /// Which subscriptions the socket's owner is told of.
    /// - Default: `Changes`
    /// - Range: `Changes` or `Subscriptions` or `All`
    /// - Applies to: XPUB
    /// - Takes effect: when the socket is made
    /// - libzmq: `ZMQ_XPUB_VERBOSE`, `ZMQ_XPUB_VERBOSER`
    #[must_use]
    pub const fn xpub_verbosity(mut self, verbosity: Verbosity) -> Self {
        self.pubsub.xpub_verbosity = verbosity;
        self
    }

    /// Who decides what the peers get. In both manual ways the owner is told of every subscription and of its end.
    /// - Default: `Off`
    /// - Range: `Off` or `On` or `LastValue`
    /// - Applies to: XPUB
    /// - Takes effect: when the socket is made
    /// - libzmq: `ZMQ_XPUB_MANUAL`, `ZMQ_XPUB_MANUAL_LAST_VALUE`
    #[must_use]
    pub const fn xpub_manual(mut self, manual: Manual) -> Self {
        self.pubsub.xpub_manual = manual;
        self
    }

    /// Whether only frames at the beginning of a message can be subscriptions, or such that begin with 0 or 1 anywhere.
    ///
    /// Commands of ZMTP 3.1 are subscriptions in any case. A frame that comes later is a subscription and still content: an
    /// XPUB's owner receives both, the subscription first, so that an XSUB by which it passes them on should leave this on. A
    /// peer may have the owner told of 64 in one message.
    /// - Default: on; libzmq's is off, so that content can be taken for a subscription
    /// - Applies to: PUB, XPUB, XSUB
    /// - Takes effect: when the socket is made
    /// - libzmq: `ZMQ_ONLY_FIRST_SUBSCRIBE`
    #[must_use]
    pub const fn only_first_subscribe(mut self, only: bool) -> Self {
        self.pubsub.only_first_subscribe = only;
        self
    }

    /// Tells publishers of every unsubscription; otherwise only of the last one of a topic.
    ///
    /// A publisher forgets the topic at the first one that it is told of.
    /// - Default: off
    /// - Applies to: XSUB
    /// - Takes effect: when the socket is made
    /// - libzmq: `ZMQ_XSUB_VERBOSE_UNSUBSCRIBE`
    #[must_use]
    pub const fn xsub_verbose_unsubscribe(mut self) -> Self {
        self.pubsub.xsub_verbose_unsubscribe = true;
        self
    }
}
