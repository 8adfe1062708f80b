//! The methods by which sockets send and receive, written once for all types that do it alike.

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
            /// The next message; waits until there is one. Each peer has its turn, which is one message long, and up to
            /// 16 when 64 or more peers have messages waiting.
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

            /// Waits until at least so many peers would get a message that begins with `topic`, or the socket is closed.
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
            /// included that are not connected yet, or until the socket is closed: then the list may be shorter.
            ///
            /// Each is asked by a PING behind the subscriptions, and once more by a second one. A publisher of this crate
            /// has put them in force when it answers, so that it sends whatever it publishes from now on. libzmq's has
            /// them in its queue then, and looks there when it next publishes, unless it looked less than a millisecond
            /// before. A publisher that speaks ZMTP 3.0 cannot be asked; it counts as soon as the subscriptions are
            /// handed to the operating system, and is listed apart.
            ///
            /// An answer that comes behind messages has to wait while the receive pipe is full: with publishers that
            /// publish already, receive meanwhile.
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

pub(crate) use {fair_queued_recv, publish, recv_events, round_robin_send, subscribe};
