//! The socket types. What a type cannot do, it has no method for.

pub(crate) mod admission;
mod asked;
mod close;
pub(crate) mod core;
pub(crate) mod counters;
mod dealer;
pub(crate) mod endpoints;
mod live;
pub(crate) mod lockstep;
pub(crate) mod outbound;
mod pair;
mod pipeline;
mod pubsub;
mod queue;
mod readiness;
mod rep;
mod req;
pub(crate) mod router;
pub(crate) mod subscriber;
mod subscription_request;
mod xpub;
mod xsub;

pub use counters::SocketStats;
pub use dealer::DealerSocket;
pub use pair::PairSocket;
pub use pipeline::{PullSocket, PushSocket};
pub use pubsub::{PubSocket, SubSocket};
pub use rep::RepSocket;
pub use req::{ReqSocket, RequestError};
pub use router::{Addressee, RouterSocket};
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

/// What every socket type can do, written once.
macro_rules! every_socket {
    ($name:ident, $kind:ident) => {
        impl $name {
            /// A socket with default options, whose connections run on the Tokio runtime at hand.
            ///
            /// # Errors
            /// [`NoRuntime`](crate::NoRuntime) outside a Tokio runtime; there is no other.
            pub fn new() -> Result<Self, crate::NoRuntime> {
                Self::with_options(crate::SocketOptions::new())
            }

            /// A socket with these options.
            ///
            /// # Errors
            /// [`NoRuntime`](crate::NoRuntime) if the options name no runtime and none is at hand; there is no other.
            pub fn with_options(options: crate::SocketOptions) -> Result<Self, crate::NoRuntime> {
                let core = crate::socket::core::Core::new(crate::SocketType::$kind, options)?;
                Ok(Self::from_core(crate::socket::close::Owned::new(core)))
            }

            /// Listens on an endpoint, and returns it with its wildcards resolved.
            ///
            /// # Errors
            /// [`BindError`](crate::BindError): the text is no endpoint, the address is in use or cannot be had, or the
            /// socket is closed; there is no other.
            ///
            /// # Cancel safety
            /// Dropped before it is ready, it does not listen.
            pub async fn bind<E>(&self, endpoint: E) -> Result<crate::Endpoint, crate::BindError>
            where
                E: TryInto<crate::Endpoint>,
                E::Error: Into<crate::EndpointError>,
            {
                let endpoint = endpoint.try_into().map_err(Into::into)?;
                self.core.bind(endpoint).await
            }

            /// Goes on with a listener that was made elsewhere, and returns its endpoint.
            ///
            /// The backlog is as it was made with; the other options for listeners are as of any.
            ///
            /// # Errors
            /// [`BindError::Listener`](crate::BindError::Listener) if it does not listen, or at a path that is no UTF-8;
            /// [`BindError::Closed`](crate::BindError::Closed). There is no other.
            ///
            /// # Cancel safety
            /// Dropped before it is ready, the listener is closed.
            pub async fn bind_listener(
                &self,
                listener: impl Into<crate::StdListener>,
            ) -> Result<crate::Endpoint, crate::BindError> {
                self.core.bind_listener(listener.into()).await
            }

            /// Keeps connected to an endpoint from now on, whether a peer is there yet or not.
            ///
            /// It does not wait; what becomes of it, [`monitor`](Self::monitor) tells.
            ///
            /// # Errors
            /// [`ConnectError`](crate::ConnectError): the text is no endpoint to connect to, the socket bound to an
            /// inproc name does not fit, or the socket is closed; there is no other.
            pub fn connect<E>(&self, endpoint: E) -> Result<(), crate::ConnectError>
            where
                E: TryInto<crate::Endpoint>,
                E::Error: Into<crate::EndpointError>,
            {
                let endpoint = endpoint.try_into().map_err(Into::into)?;
                self.core.connect(endpoint)
            }

            /// Stops listening on an endpoint, given as it was bound or as it was resolved.
            ///
            /// Accepted connections live on. The address is free when this returns.
            ///
            /// # Errors
            /// [`EndpointNotFound`](crate::EndpointNotFound) if the socket is not bound to it; there is no other.
            ///
            /// # Cancel safety
            /// Dropped before it is ready, the listener is closed soon after.
            pub async fn unbind<E>(&self, endpoint: E) -> Result<(), crate::EndpointNotFound>
            where
                E: TryInto<crate::Endpoint>,
                E::Error: Into<crate::EndpointError>,
            {
                let endpoint = endpoint.try_into().map_err(Into::into)?;
                self.core.unbind(endpoint).await
            }

            /// Ends a connected endpoint: what is queued may still go out within the linger time.
            ///
            /// What was received stays readable.
            ///
            /// # Errors
            /// [`EndpointNotFound`](crate::EndpointNotFound) if the socket is not connected to it; there is no other.
            ///
            /// # Cancel safety
            /// Dropped before it is ready, the endpoint is gone and what was queued for it may be lost.
            pub async fn disconnect<E>(
                &self,
                endpoint: E,
            ) -> Result<crate::CloseReport, crate::EndpointNotFound>
            where
                E: TryInto<crate::Endpoint>,
                E::Error: Into<crate::EndpointError>,
            {
                let endpoint = endpoint.try_into().map_err(Into::into)?;
                self.core.disconnect(endpoint).await
            }

            /// The type of the socket.
            #[must_use]
            pub fn socket_type(&self) -> crate::SocketType {
                self.core.socket_type
            }

            /// The established connections, oldest first.
            #[must_use]
            pub fn peers(&self) -> Vec<crate::Peer> {
                self.core.peers()
            }

            /// What the socket has counted.
            #[must_use]
            pub fn stats(&self) -> crate::SocketStats {
                self.core.stats()
            }

            /// A subscription to what the network does to the socket from now on.
            #[must_use]
            pub fn monitor(&self) -> crate::Monitor {
                self.core.events.subscribe()
            }

            /// Changes [`send_hwm`](crate::SocketOptions::send_hwm), at once and for all peers: those that are there and
            /// those to come.
            ///
            /// What waits above a lower mark stays.
            pub fn set_send_hwm(&self, messages: Option<std::num::NonZeroUsize>) {
                self.core.set_send_hwm(messages);
            }

            /// Changes [`recv_hwm`](crate::SocketOptions::recv_hwm), at once and for all peers: those that are there and
            /// those to come.
            ///
            /// What waits above a lower mark stays.
            pub fn set_recv_hwm(&self, messages: Option<std::num::NonZeroUsize>) {
                self.core.set_recv_hwm(messages);
            }

            /// Changes [`linger`](crate::SocketOptions::linger), for what is closed or disconnected from now on.
            pub fn set_linger(&self, linger: crate::Linger) {
                self.core.live.set_linger(linger);
            }

            /// Closes the socket: what is queued may still go out within the linger time of its options.
            ///
            /// Connections end orderly: the peer is waited for within the same time. What was received and not taken is
            /// discarded.
            ///
            /// # Cancel safety
            /// Dropped before it is ready, the socket goes on closing in the background.
            pub async fn close(self) -> crate::CloseReport {
                let linger = self.core.live.linger();
                self.core.close(linger).await
            }

            /// As [`close`](Self::close), with another linger time.
            ///
            /// # Cancel safety
            /// Dropped before it is ready, the socket goes on closing in the background.
            pub async fn close_with(self, linger: crate::Linger) -> crate::CloseReport {
                self.core.close(linger).await
            }
        }
    };
}

/// What the types do that send round-robin.
macro_rules! round_robin_send {
    ($name:ident) => {
        impl $name {
            /// Sends a message to the next peer that has room, and waits while there is none.
            ///
            /// Ready means that the message is queued for a peer; [`close`](Self::close) tells what did not go out.
            ///
            /// # Errors
            /// [`SendError`](crate::SendError) with the message if the socket is closed; there is no other.
            ///
            /// # Cancel safety
            /// Dropped before it is ready, it has sent nothing; the message is dropped with it.
            pub async fn send(
                &self,
                message: impl Into<crate::Message>,
            ) -> Result<(), crate::SendError> {
                let outbox = &self.core.outbox;
                outbox.proceed().await;
                // Made no earlier, so that it is not kept in the future unless it has to wait.
                let message = message.into();
                let sent = match outbox.try_send(&message) {
                    Err(crate::pipe::Refused::Full) => outbox.wait_and_send(message).await,
                    done => done.map_err(|refused| (refused, message)),
                };
                sent.map_err(|(refused, message)| crate::socket::send_error(refused, message))
            }

            /// Sends a message to the next peer that has room.
            ///
            /// # Errors
            /// [`SendError`](crate::SendError) with the message if no peer has room
            /// ([`would_block`](crate::SendError::would_block)) or the socket is closed; there is no other.
            pub fn try_send(
                &self,
                message: impl Into<crate::Message>,
            ) -> Result<(), crate::SendError> {
                let message = message.into();
                let sent = self.core.outbox.try_send(&message);
                sent.map_err(|refused| crate::socket::send_error(refused, message))
            }
        }
    };
}

/// What the types do that receive fair-queued.
macro_rules! fair_queued_recv {
    ($name:ident) => {
        impl $name {
            /// The next message, from each peer in turn; waits until there is one.
            ///
            /// # Errors
            /// [`RecvError::Closed`](crate::RecvError::Closed) if the socket is closed; there is no other.
            ///
            /// # Cancel safety
            /// Dropped before it is ready, it has received nothing.
            pub async fn recv(&self) -> Result<crate::Message, crate::RecvError> {
                let message = self
                    .core
                    .inbox
                    .next(|_, delivery| crate::socket::message(delivery));
                message.await.map_err(Into::into)
            }

            /// The next message, if one is there.
            ///
            /// # Errors
            /// [`RecvError::Empty`](crate::RecvError::Empty) or
            /// [`RecvError::Closed`](crate::RecvError::Closed); there is no other.
            pub fn try_recv(&self) -> Result<crate::Message, crate::RecvError> {
                let message = &mut |_: &_, delivery| crate::socket::message(delivery);
                self.core
                    .inbox
                    .try_next(message)
                    .ok_or_else(|| crate::socket::empty(&self.core))
            }

            /// As [`recv`](Self::recv), with the peer that sent the message.
            ///
            /// # Errors
            /// [`RecvError::Closed`](crate::RecvError::Closed) if the socket is closed; there is no other.
            ///
            /// # Cancel safety
            /// Dropped before it is ready, it has received nothing.
            pub async fn recv_from(
                &self,
            ) -> Result<(crate::Peer, crate::Message), crate::RecvError> {
                self.core
                    .inbox
                    .next(crate::socket::message_from)
                    .await
                    .map_err(Into::into)
            }
        }
    };
}

/// What the types do whose owner is told of peers in order with their messages.
macro_rules! recv_events {
    ($name:ident) => {
        impl $name {
            /// As [`recv`](Self::recv), and also that peers come and go, in order with their messages.
            ///
            /// # Errors
            /// [`RecvError::Closed`](crate::RecvError::Closed) if the socket is closed; there is no other.
            ///
            /// # Cancel safety
            /// Dropped before it is ready, it has received nothing.
            pub async fn recv_event(&self) -> Result<crate::PeerEvent, crate::RecvError> {
                self.core
                    .inbox
                    .next(crate::socket::event)
                    .await
                    .map_err(Into::into)
            }

            /// The next message, or that a peer came or went, if there is any.
            ///
            /// # Errors
            /// [`RecvError::Empty`](crate::RecvError::Empty) or
            /// [`RecvError::Closed`](crate::RecvError::Closed); there is no other.
            pub fn try_recv_event(&self) -> Result<crate::PeerEvent, crate::RecvError> {
                let event = self.core.inbox.try_next(&mut crate::socket::event);
                event.ok_or_else(|| crate::socket::empty(&self.core))
            }
        }
    };
}

/// What the types do that publish.
macro_rules! publish {
    ($name:ident) => {
        impl $name {
            /// Publishes a message to all peers that are subscribed to its beginning.
            ///
            /// It waits for no peer, unless [`no_drop`](crate::SocketOptions::no_drop) is set: then for all that the
            /// message is for. Otherwise it is dropped for those whose pipe is full, which is counted
            /// ([`SocketStats::dropped_full`](crate::SocketStats::dropped_full), [`Peer::dropped`](crate::Peer::dropped))
            /// and told by a [`Dropped`](crate::SocketEvent::Dropped) event when it begins. When a message has made a
            /// pipe full, the next call lets other tasks of the runtime go first, once.
            ///
            /// # Errors
            /// [`SendError`](crate::SendError) with the message if the socket is closed; there is no other.
            ///
            /// # Cancel safety
            /// Dropped before it is ready, it has sent nothing to anybody; the message is dropped with it.
            pub async fn send(
                &self,
                message: impl Into<crate::Message>,
            ) -> Result<(), crate::SendError> {
                let message = message.into();
                let to = crate::routing::fan_out::To::Subscribers;
                match self.core.fan_out.send(&self.core, to, &message).await {
                    Ok(()) => Ok(()),
                    Err(refused) => Err(crate::socket::send_error(refused, message)),
                }
            }

            /// As [`send`](Self::send), without waiting for anything.
            ///
            /// # Errors
            /// [`SendError`](crate::SendError) with the message if nothing is to be dropped and one that it is for has no
            /// room ([`would_block`](crate::SendError::would_block)), so that nobody gets it, or if the socket is closed;
            /// there is no other.
            pub fn try_send(
                &self,
                message: impl Into<crate::Message>,
            ) -> Result<(), crate::SendError> {
                let message = message.into();
                let to = crate::routing::fan_out::To::Subscribers;
                let sent = self.core.fan_out.try_send(&self.core, to, &message);
                sent.map_err(|refused| crate::socket::send_error(refused, message))
            }

            /// Waits until at least so many peers would get a message that begins with `topic`.
            ///
            /// What is published after that is sent to all of them.
            ///
            /// # Cancel safety
            /// Dropped before it is ready, nothing has changed.
            pub async fn wait_for(&self, topic: impl AsRef<[u8]>, peers: usize) {
                self.core.fan_out.wait_for(topic.as_ref(), peers).await;
            }

            /// How many different topics peers are subscribed to (libzmq: `ZMQ_TOPICS_COUNT`).
            #[must_use]
            pub fn topics_count(&self) -> usize {
                self.core.fan_out.topics()
            }
        }
    };
}

/// What the types do that subscribe.
macro_rules! subscribe {
    ($name:ident) => {
        impl $name {
            /// Asks all publishers, those of now and of later, for messages that begin with `topic`; an empty one asks
            /// for all messages.
            ///
            /// It does not wait: a publisher that has not heard of it yet goes on without;
            /// [`subscribed`](Self::subscribed) waits for that. Subscriptions are counted: a topic that is subscribed to
            /// twice takes two calls of [`unsubscribe`](Self::unsubscribe) to end. No high-water mark drops them, and a
            /// publisher that comes back hears of each topic again.
            ///
            /// # Errors
            /// [`TopicTooLong`](crate::TopicTooLong) if it has more than 64 KiB; there is no other.
            pub fn subscribe(&self, topic: impl AsRef<[u8]>) -> Result<(), crate::TopicTooLong> {
                self.core.subscriber.subscribe(topic.as_ref())
            }

            /// Takes one subscription back; tells whether there was one.
            pub fn unsubscribe(&self, topic: impl AsRef<[u8]>) -> bool {
                let is_verbose = self.core.options.pubsub.xsub_verbose_unsubscribe;
                self.core.subscriber.unsubscribe(topic.as_ref(), is_verbose)
            }

            /// Waits until at least so many publishers have heard of all subscriptions that were made before, those
            /// included that are not connected yet.
            ///
            /// Each is asked by a PING behind the subscriptions, and once more by a second one. A publisher of this crate
            /// has put them in force when it answers, so that it sends whatever it publishes from now on. libzmq's has
            /// them in its queue then, and looks there when it next publishes, unless it looked less than a millisecond
            /// before. A publisher that speaks ZMTP 3.0 cannot be asked; it counts as soon as the subscriptions are
            /// handed to the operating system, and is listed apart.
            ///
            /// # Cancel safety
            /// Dropped before it is ready, nothing has changed.
            pub async fn subscribed(&self, publishers: usize) -> crate::Subscribed {
                self.core.subscriber.barrier(publishers).await
            }

            /// How many different topics this socket is subscribed to (libzmq: `ZMQ_TOPICS_COUNT`).
            #[must_use]
            pub fn topics_count(&self) -> usize {
                self.core.subscriber.topics()
            }
        }
    };
}

pub(crate) use {
    every_socket, fair_queued_recv, publish, recv_events, round_robin_send, subscribe,
};

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
