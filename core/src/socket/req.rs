//! REQ (RFC 28): send a request, receive its reply.

use super::close::Owned;
use super::every_socket;
use super::live::{live_recv_hwm, live_send_hwm};
use crate::error::{RecvError, SendError, SendErrorKind};
use crate::message::Message;

/// Sends a request to the next peer, and receives the reply from that peer alone.
///
/// | | |
/// |---|---|
/// | peers | REP, ROUTER |
/// | direction | request out, reply in, in turn |
/// | incoming | from the peer that was asked |
/// | outgoing | round-robin over established connections |
/// | mute state | the request is kept until a peer is there |
///
/// The request is kept until its reply is here: if the connection is lost, the request goes again to the next peer, or
/// to the same one once it is back. So a server may see a request twice; who asks gets one reply.
///
/// A new request abandons the one before, whose late reply is dropped; with
/// [`req_lockstep`](crate::SocketOptions::req_lockstep) it is an error instead.
///
/// # Example
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use privateer_core::{RepSocket, ReqSocket};
///
/// let rep = RepSocket::new()?;
/// let endpoint = rep.bind("tcp://127.0.0.1:*").await?;
/// tokio::spawn(async move {
///     while let Ok(request) = rep.recv().await {
///         rep.send(request).await?;
///     }
///     Ok::<_, privateer_core::SendError>(())
/// });
///
/// let req = ReqSocket::new()?;
/// req.connect(&endpoint)?;
/// assert_eq!(req.request("echo").await?[0], "echo");
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct ReqSocket {
    core: Owned,
    /// Held by `request` from its send to its reply.
    turn: tokio::sync::Mutex<()>,
}

/// A request could not be made.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// It was not sent.
    #[error("the request was not sent")]
    Send(#[from] SendError),
    /// Its reply was not received.
    #[error("the reply was not received")]
    Recv(#[from] RecvError),
}

every_socket!(ReqSocket, Req);
live_send_hwm!(ReqSocket);
live_recv_hwm!(ReqSocket);

impl ReqSocket {
    fn from_core(core: Owned) -> Self {
        Self {
            core,
            turn: tokio::sync::Mutex::new(()),
        }
    }

    /// Sends a request and waits for its reply. Calls from several tasks take turns.
    ///
    /// # Errors
    /// [`RequestError`] if the socket is closed, or in lockstep if a request is outstanding; there is no other. A lost
    /// connection is no error: the request goes again.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, the request is abandoned: it may have been served, and its late reply is dropped.
    pub async fn request(&self, message: impl Into<Message>) -> Result<Message, RequestError> {
        let _turn = self.turn.lock().await;
        self.send(message).await?;
        let mut unfinished = Abandon(Some(&self.core));
        let reply = self.recv().await?;
        unfinished.0 = None;
        Ok(reply)
    }

    /// Makes a message the request, and waits until a peer is there or expected.
    ///
    /// Ready means that the request is kept; it goes out as soon as a connection is established.
    ///
    /// # Errors
    /// [`SendError`] with the message if the socket is closed, or in lockstep if a request is outstanding; there is no
    /// other.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, it has sent nothing; the message is dropped with it.
    pub async fn send(&self, message: impl Into<Message>) -> Result<(), SendError> {
        let mut message = match self.try_send(message) {
            Err(error) if error.would_block() => error.into_message(),
            done => return done,
        };
        loop {
            let mut peer = std::pin::pin!(self.core.outbox.bell.0.notified());
            peer.as_mut().enable();
            message = match self.try_send(message) {
                Err(error) if error.would_block() => error.into_message(),
                done => return done,
            };
            peer.await;
        }
    }

    /// Makes a message the request, if a peer is there or expected.
    ///
    /// # Errors
    /// [`SendError`] with the message if the socket has no peer and connects to none
    /// ([`would_block`](SendError::would_block)), is closed, or in lockstep if a request is outstanding; there is no
    /// other.
    pub fn try_send(&self, message: impl Into<Message>) -> Result<(), SendError> {
        let message = message.into();
        if self.core.inbox.is_closed() {
            return Err(SendError::new(SendErrorKind::Closed, message));
        }
        if !self.core.requests.has_peer() && !self.core.endpoints.lock().connects() {
            return Err(SendError::new(SendErrorKind::Full, message));
        }
        let sent = self.core.requests.send(&self.core, message);
        sent.map_err(|(kind, message)| SendError::new(kind, message))
    }

    /// The reply to the request that was sent last; waits until it is here.
    ///
    /// # Errors
    /// [`RecvError::NoRequest`] if no request is outstanding, [`RecvError::Closed`] if the socket is closed; there is no
    /// other.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, the reply is still waited for.
    pub async fn recv(&self) -> Result<Message, RecvError> {
        self.check_turn()?;
        let reply = self.core.inbox.next(|link, delivery| {
            self.core
                .requests
                .accept(&self.core, link, super::message(delivery)?)
        });
        reply.await.map_err(Into::into)
    }

    /// The reply to the request that was sent last, if it is here.
    ///
    /// # Errors
    /// [`RecvError::NoRequest`], [`RecvError::Empty`] or [`RecvError::Closed`]; there is no other.
    pub fn try_recv(&self) -> Result<Message, RecvError> {
        self.check_turn()?;
        let reply = self.core.inbox.try_next(&mut |link, delivery| {
            self.core
                .requests
                .accept(&self.core, link, super::message(delivery)?)
        });
        reply.ok_or_else(|| super::empty(&self.core))
    }

    fn check_turn(&self) -> Result<(), RecvError> {
        if self.core.requests.has_pending() {
            Ok(())
        } else {
            Err(RecvError::NoRequest)
        }
    }
}

/// Abandons the request when its caller is gone.
struct Abandon<'a>(Option<&'a Owned>);

impl Drop for Abandon<'_> {
    fn drop(&mut self) {
        if let Some(core) = self.0 {
            core.requests.abandon();
        }
    }
}
