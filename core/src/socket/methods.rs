//! The methods that every socket type has, written once.

/// What every socket type can do, written once.
macro_rules! every_socket {
    ($name:ident, $kind:ident) => {
        impl $name {
            /// A socket with default options, whose connections run on the Tokio runtime at hand.
            ///
            /// # Errors
            /// [`NoRuntime`](crate::NoRuntime) outside a Tokio runtime with a timer; there is no other.
            pub fn new() -> Result<Self, crate::NoRuntime> {
                Self::with_options(crate::SocketOptions::new())
            }

            /// A socket with these options.
            ///
            /// # Errors
            /// [`NoRuntime`](crate::NoRuntime) if the options name no runtime and none is at hand, or it has no timer;
            /// there is no other.
            pub fn with_options(options: crate::SocketOptions) -> Result<Self, crate::NoRuntime> {
                let core = crate::socket::core::Core::new(crate::SocketType::$kind, options)?;
                Ok(Self::from_core(crate::socket::close::Owned::new(core)))
            }

            /// Listens on an endpoint, and returns it with its wildcards resolved.
            ///
            /// # Errors
            /// [`BindError`](crate::BindError): the text is no endpoint, the address is in use or cannot be had, the
            /// runtime has no I/O, or the socket is closed; there is no other.
            ///
            /// # Cancel safety
            /// Dropped before it is ready, it does not listen.
            pub async fn bind<E>(&self, endpoint: E) -> Result<crate::Endpoint, crate::BindError>
            where
                E: TryInto<crate::Endpoint>,
                E::Error: Into<crate::EndpointError>,
            {
                let endpoint = endpoint.try_into().map_err(Into::into)?;
                Box::pin(self.core.bind(endpoint)).await
            }

            /// Goes on with a listener that was made elsewhere, and returns its endpoint.
            ///
            /// The backlog is as it was made with; the other options for listeners are as of any.
            ///
            /// # Errors
            /// [`BindError::Listener`](crate::BindError::Listener) if it does not listen, or at a path that is no UTF-8;
            /// [`BindError::NoIo`](crate::BindError::NoIo) if the runtime has no I/O;
            /// [`BindError::Closed`](crate::BindError::Closed). There is no other.
            ///
            /// # Cancel safety
            /// Dropped before it is ready, the listener is closed.
            pub async fn bind_listener(
                &self,
                listener: impl Into<crate::StdListener>,
            ) -> Result<crate::Endpoint, crate::BindError> {
                Box::pin(self.core.bind_listener(listener.into())).await
            }

            /// Keeps connected to an endpoint from now on, whether a peer is there yet or not.
            ///
            /// It does not wait; what becomes of it, [`monitor`](Self::monitor) tells.
            ///
            /// # Errors
            /// [`ConnectError`](crate::ConnectError): the text is no endpoint to connect to, the socket bound to an
            /// inproc name does not fit, the runtime has no I/O, or the socket is closed; there is no other.
            pub fn connect<E>(&self, endpoint: E) -> Result<(), crate::ConnectError>
            where
                E: TryInto<crate::Endpoint>,
                E::Error: Into<crate::EndpointError>,
            {
                let endpoint = endpoint.try_into().map_err(Into::into)?;
                self.core.connect(endpoint, None)
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
                Box::pin(self.core.disconnect(endpoint)).await
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

            /// Ends the connection of a peer, whichever side made it.
            ///
            /// What was received stays readable. What waits in a pipe of that connection is dropped and counted; what waits
            /// for an endpoint that this socket connects to goes out when that is connected again, which it will be, as
            /// after any loss. Use [`disconnect`](Self::disconnect) to end that, and
            /// [`accept_hook`](crate::SocketOptions::accept_hook) to keep a peer out that connects again.
            ///
            /// # Errors
            /// [`Unroutable`](crate::Unroutable) if it is no peer of this socket, or not any more; there is no other.
            pub fn disconnect_peer(&self, peer: &crate::Peer) -> Result<(), crate::Unroutable> {
                self.core.disconnect_peer(peer.id())
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
                Box::pin(self.core.close(linger)).await
            }

            /// As [`close`](Self::close), with another linger time.
            ///
            /// # Cancel safety
            /// Dropped before it is ready, the socket goes on closing in the background.
            pub async fn close_with(self, linger: crate::Linger) -> crate::CloseReport {
                Box::pin(self.core.close(linger)).await
            }
        }
    };
}

/// What those do that send by name: connecting to one; the page says what the name is good for.
macro_rules! connect_as {
    ($(#[$page:meta])* $name:ident) => {
        impl $name {
            $(#[$page])*
            pub fn connect_as<E>(
                &self,
                endpoint: E,
                name: crate::RoutingId,
            ) -> Result<(), crate::ConnectError>
            where
                E: TryInto<crate::Endpoint>,
                E::Error: Into<crate::EndpointError>,
            {
                let endpoint = endpoint.try_into().map_err(Into::into)?;
                self.core.connect(endpoint, Some(name))
            }
        }
    };
}

pub(crate) use {connect_as, every_socket};
