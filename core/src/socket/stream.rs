//! STREAM: octets to and from peers that do not speak ZMTP.

use super::close::Owned;
use super::readiness::recv_event_ready;
use super::router::{self, Addressee};
use super::{connect_as, every_socket, recv_events};
use crate::error::{RecvError, SendError, Unroutable};
use crate::message::Message;
use crate::peer::Peer;

/// Receives octets from many peers and sends octets to each: raw TCP, or a Unix socket, without ZMTP.
///
/// | | |
/// |---|---|
/// | peers | anyone, over tcp and ipc |
/// | direction | both |
/// | incoming | fair-queued, with the peer |
/// | outgoing | to the peer addressed |
/// | mute state | `send` waits for that peer; a peer that is not there is an error with the message |
///
/// A message that is received is what has arrived, up to 64 KiB, with no regard to what the peer sent at once. An empty
/// one tells that the connection is there, and another that it is lost ([`stream_notify`]), in order with all else;
/// [`recv_event`](Self::recv_event) tells the same.
///
/// What is sent goes out as it is, all frames of a message one after the other. An empty message closes the connection
/// when all before it is written; if it was made by [`connect`](Self::connect), that endpoint is then disconnected. A
/// connection that is lost otherwise is made again.
///
/// [`stream_notify`]: crate::SocketOptions::stream_notify
///
/// # Example
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use privateer_core::StreamSocket;
///
/// let (server, client) = (StreamSocket::new()?, StreamSocket::new()?);
/// client.connect(&server.bind("tcp://127.0.0.1:*").await?)?;
///
/// let (peer, connected) = client.recv().await?;
/// assert!(connected[0].is_empty());
/// client.send(&peer, "GET / HTTP/1.0\r\n\r\n").await?;
///
/// let (peer, connected) = server.recv().await?;
/// assert!(connected[0].is_empty());
/// let (_, request) = server.recv().await?;
/// assert!(request[0].starts_with(b"GET"));
/// server.send(&peer, "HTTP/1.0 204 No Content\r\n\r\n").await?;
/// server.send(&peer, "").await?; // That is all.
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct StreamSocket {
    core: Owned,
}

every_socket!(StreamSocket, Stream);
recv_events!(StreamSocket);
recv_event_ready!(StreamSocket);

connect_as! {
    /// Keeps connected to an endpoint as [`connect`](Self::connect) does, and gives whoever is there a name.
    ///
    /// It can be sent to while it is connected. (libzmq: `ZMQ_CONNECT_ROUTING_ID`)
    ///
    /// # Errors
    /// [`ConnectError`](crate::ConnectError) as of `connect`, and
    /// [`RoutingIdTaken`](crate::ConnectError::RoutingIdTaken) if another endpoint has the name; there is no other.
    StreamSocket
}

impl StreamSocket {
    const fn from_core(core: Owned) -> Self {
        Self { core }
    }

    /// The next octets and who sent them, from each peer in turn; waits until there are any.
    ///
    /// A turn is one message long, and up to 16 when 64 or more peers have messages waiting.
    ///
    /// # Errors
    /// [`RecvError::Closed`] if the socket is closed; there is no other.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, it has received nothing.
    pub async fn recv(&self) -> Result<(Peer, Message), RecvError> {
        let received = self.core.inbox.next(super::message_from);
        received.await.map_err(Into::into)
    }

    /// The next octets and who sent them, if there are any.
    ///
    /// # Errors
    /// [`RecvError::Empty`] or [`RecvError::Closed`]; there is no other.
    pub fn try_recv(&self) -> Result<(Peer, Message), RecvError> {
        let message = self.core.inbox.try_next(&mut super::message_from);
        message.ok_or_else(|| super::empty(&self.core))
    }

    /// Sends octets to one peer, and waits until that peer has room; none close the connection.
    ///
    /// # Errors
    /// [`SendError`] with the message if the peer is not there
    /// ([`Unroutable`](crate::SendErrorKind::Unroutable)) or the socket is closed; there is no other.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, it has sent nothing; the message is dropped with it.
    pub async fn send(
        &self,
        to: impl Addressee,
        octets: impl Into<Message>,
    ) -> Result<(), SendError> {
        router::send(&self.core, to, octets.into()).await
    }

    /// Sends octets to one peer if that has room; none close the connection.
    ///
    /// # Errors
    /// [`SendError`] with the message if the peer is not there
    /// ([`Unroutable`](crate::SendErrorKind::Unroutable)), has no room
    /// ([`would_block`](SendError::would_block)), or the socket is closed; there is no other.
    pub fn try_send(
        &self,
        to: impl Addressee,
        octets: impl Into<Message>,
    ) -> Result<(), SendError> {
        router::try_send(&self.core, to, octets.into())
    }

    /// Waits until a peer has room for a message.
    ///
    /// # Errors
    /// [`Unroutable`] if the peer is not there, or goes; there is no other.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, nothing has changed.
    pub async fn ready(&self, to: impl Addressee) -> Result<(), Unroutable> {
        router::ready(&self.core, to).await
    }
}
