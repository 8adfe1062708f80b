//! REP (RFC 28): receive a request, send its reply.

use std::sync::Arc;

use super::close::Owned;
use super::every_socket;
use super::router::wait_for_room;
use crate::error::{RecvError, SendError, SendErrorKind};
use crate::frame::Frame;
use crate::message::Message;
use crate::monitor::DropReason;
use crate::peer::Link;
use crate::pipe::Refused;
use crate::routing::fair_queue::Delivery;
use crate::sync::Mutex;

/// Receives requests, from each peer in turn, and answers each before the next.
///
/// | | |
/// |---|---|
/// | peers | REQ, DEALER |
/// | direction | request in, reply out, in turn |
/// | incoming | fair-queued |
/// | outgoing | to whoever sent the request |
/// | mute state | the peer has no room: `send` waits; the peer is gone: the reply is dropped and counted |
///
/// The requests of a quick peer are waited for awake: [`busy_poll`](crate::SocketOptions::busy_poll).
///
/// # Example
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use privateer_core::{RepSocket, ReqSocket};
///
/// let rep = RepSocket::new()?;
/// let endpoint = rep.bind("tcp://127.0.0.1:*").await?;
/// let req = ReqSocket::new()?;
/// req.connect(&endpoint)?;
///
/// req.send("Hello").await?;
/// assert_eq!(rep.recv().await?[0], "Hello");
/// rep.send("World").await?;
/// assert_eq!(req.recv().await?[0], "World");
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct RepSocket {
    core: Owned,
    owed: Mutex<Option<Owed>>,
    /// Held while a request is waited for, so that two tasks cannot take one each.
    turn: tokio::sync::Mutex<()>,
}

/// Whom the reply goes to, and the envelope that goes before it.
#[derive(Clone, Debug)]
struct Owed {
    link: Arc<Link>,
    envelope: Vec<Frame>,
}

every_socket!(RepSocket, Rep);

impl RepSocket {
    fn from_core(core: Owned) -> Self {
        Self {
            core,
            owed: Mutex::new(None),
            turn: tokio::sync::Mutex::new(()),
        }
    }

    /// The next request, without its envelope; waits until there is one. Each peer has its turn, which is one request long,
    /// and up to 16 when 64 or more peers have requests waiting.
    ///
    /// A request without the empty delimiter frame is dropped and counted. Of several tasks that wait, one gets the next
    /// request, and the others learn that a reply is owed.
    ///
    /// # Errors
    /// [`RecvError::ReplyOwed`] if the last request is not answered, [`RecvError::Closed`] if the socket is closed;
    /// there is no other.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, it has received nothing.
    pub async fn recv(&self) -> Result<Message, RecvError> {
        let _turn = self.turn.lock().await;
        self.check_turn()?;
        self.core
            .inbox
            .next(|link, delivery| self.accept(link, delivery))
            .await
            .map_err(Into::into)
    }

    /// The next request, if one is there.
    ///
    /// # Errors
    /// [`RecvError::ReplyOwed`], [`RecvError::Empty`] or [`RecvError::Closed`]; there is no other.
    pub fn try_recv(&self) -> Result<Message, RecvError> {
        // Another task is there first.
        let Ok(_turn) = self.turn.try_lock() else {
            return Err(RecvError::Empty);
        };
        self.check_turn()?;
        let request = self
            .core
            .inbox
            .try_next(&mut |link, delivery| self.accept(link, delivery));
        request.ok_or_else(|| super::empty(&self.core))
    }

    /// Sends the reply to the request that was received last.
    ///
    /// If its peer is gone, the reply is dropped and counted, and the next request can be received.
    ///
    /// # Errors
    /// [`SendError`] with the message if there is no request to reply to, or the socket is closed; there is no other.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, it has sent nothing: the reply is still owed, and the message is dropped.
    pub async fn send(&self, message: impl Into<Message>) -> Result<(), SendError> {
        let mut message = message.into();
        loop {
            message = match self.try_send(message) {
                Err(error) if error.would_block() => error.into_message(),
                done => return done,
            };
            let link = self.owed.lock().as_ref().map(|owed| Arc::clone(&owed.link));
            if let Some(link) = link {
                // Gone or ready: the next try tells.
                let _gone = wait_for_room(&link).await;
            }
        }
    }

    /// Sends the reply to the request that was received last, if its peer has room.
    ///
    /// # Errors
    /// [`SendError`] with the message if there is no request to reply to or no room
    /// ([`would_block`](SendError::would_block)), or the socket is closed; there is no other.
    pub fn try_send(&self, message: impl Into<Message>) -> Result<(), SendError> {
        let message = message.into();
        let mut owed = self.owed.lock();
        let Some(Owed { link, envelope }) = owed.take() else {
            return Err(SendError::new(SendErrorKind::NoRequest, message));
        };
        let reader_waits = match link.outbound.put(&envelope, message.frames()) {
            Ok(reader_waits) => reader_waits,
            Err(Refused::Closed) if !self.core.inbox.is_closed() => {
                self.core.dropped(&link, DropReason::Unroutable);
                false
            }
            Err(_) => {
                *owed = Some(Owed { link, envelope });
                let closed = self.core.inbox.is_closed();
                let kind = if closed {
                    SendErrorKind::Closed
                } else {
                    SendErrorKind::Full
                };
                return Err(SendError::new(kind, message));
            }
        };
        drop(owed);
        if reader_waits && self.core.inbox.is_drained() {
            link.write_now();
        } else if reader_waits {
            // More replies may follow at once, which go out together.
            link.outbound.wake_reader();
        }
        Ok(())
    }

    /// Drops the reply that is owed, counted, since its peer has no room.
    pub(crate) fn forgo(&self) {
        if let Some(owed) = self.owed.lock().take() {
            self.core.dropped(&owed.link, DropReason::Full);
        }
    }

    fn check_turn(&self) -> Result<(), RecvError> {
        if self.owed.lock().is_some() {
            Err(RecvError::ReplyOwed)
        } else {
            Ok(())
        }
    }

    /// Keeps the envelope of a request: all frames up to and including the first empty one (RFC 28).
    fn accept(&self, link: &Arc<Link>, delivery: Delivery) -> Option<Message> {
        let mut envelope = super::message(delivery)?.into_frames();
        let delimiter = envelope.iter().position(Frame::is_empty);
        let body = delimiter.and_then(|index| match envelope.len() - index {
            // The only frame needs no memory of its own.
            2 => envelope.pop().map(Message::from),
            _ => Message::from_frames(envelope.split_off(index + 1)),
        });
        let Some(body) = body else {
            self.core.dropped(link, DropReason::NoDelimiter);
            return None;
        };
        *self.owed.lock() = Some(Owed {
            link: Arc::clone(link),
            envelope,
        });
        Some(body)
    }
}
