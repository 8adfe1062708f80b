//! The socket types. What a type cannot do, it has no method for.

pub(crate) mod admission;
pub(crate) mod asked;
mod binding;
mod close;
mod collector;
pub(crate) mod core;
pub(crate) mod counters;
mod dealer;
pub(crate) mod endpoints;
mod greeting;
mod live;
pub(crate) mod lockstep;
mod messaging;
mod methods;
pub(crate) mod names;
pub(crate) mod outbound;
mod pair;
mod pipeline;
mod pubsub;
mod queue;
mod readiness;
mod rep;
mod req;
pub(crate) mod router;
mod stats;
mod stream;
pub(crate) mod subscriber;
mod subscription_request;
mod xpub;
pub(crate) mod xsub;

pub(crate) use messaging::{fair_queued_recv, publish, recv_events, round_robin_send, subscribe};
pub(crate) use methods::{connect_as, every_socket};

pub use collector::CollectorSocket;
pub use counters::SocketStats;
pub use dealer::DealerSocket;
pub use pair::PairSocket;
pub use pipeline::{PullSocket, PushSocket};
pub use pubsub::{PubSocket, SubSocket};
pub use rep::RepSocket;
pub use req::{ReqSocket, RequestError};
pub use router::{Addressee, RouterSocket};
pub use stream::StreamSocket;
pub use subscriber::{Subscribed, TopicTooLong};
pub use subscription_request::SubscriptionRequest;
pub use xpub::{XpubEvent, XpubSocket};
pub use xsub::XsubSocket;

use std::sync::Arc;

use self::core::Core;
use crate::error::{RecvError, SendError, SendErrorKind};
use crate::message::Message;
use crate::peer::{Link, Peer};
use crate::pipe::Refused;
use crate::routing::fair_queue::{Closed, Delivery};

/// What a socket receives: messages, and in order with them that peers come and go.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum PeerEvent {
    /// A peer is there; nothing of it came before.
    Up(Peer),
    /// A message.
    Message(Peer, Message),
    /// A peer is gone; nothing of it comes after.
    Down(Peer),
}

fn event(link: &Arc<Link>, delivery: Delivery) -> Option<PeerEvent> {
    let peer = Peer(Arc::clone(link));
    Some(match delivery {
        Delivery::Up => PeerEvent::Up(peer),
        Delivery::Message(message) => PeerEvent::Message(peer, message),
        Delivery::Down => PeerEvent::Down(peer),
    })
}

/// Leaves out what is no message.
fn message(delivery: Delivery) -> Option<Message> {
    match delivery {
        Delivery::Message(message) => Some(message),
        Delivery::Up | Delivery::Down => None,
    }
}

fn message_from(link: &Arc<Link>, delivery: Delivery) -> Option<(Peer, Message)> {
    Some((Peer(Arc::clone(link)), message(delivery)?))
}

fn empty(core: &Core) -> RecvError {
    if core.inbox.is_closed() {
        RecvError::Closed
    } else {
        RecvError::Empty
    }
}

fn send_error(refused: Refused, message: Message) -> SendError {
    let kind = match refused {
        Refused::Full => SendErrorKind::Full,
        Refused::Closed => SendErrorKind::Closed,
    };
    SendError::new(kind, message)
}

impl From<Closed> for RecvError {
    fn from(_: Closed) -> Self {
        Self::Closed
    }
}
