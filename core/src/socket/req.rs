//! REQ (RFC 28): send a request, receive its reply.

use std::sync::Arc;

use super::close::Owned;
use super::every_socket;
use super::lockstep::Accepted;
use crate::error::{RecvError, SendError, SendErrorKind};
use crate::message::Message;
use crate::peer::Link;
use crate::routing::fair_queue::Delivery;

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
/// Quick replies are waited for awake: [`busy_poll`](crate::SocketOptions::busy_poll).
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
    /// [`RequestError`] if the socket is closed, in lockstep if a request is outstanding, or if a [`recv`](Self::recv)
    /// elsewhere takes the reply; there is no other. A lost connection is no error: the request goes again.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, the request is abandoned: it may have been served, and its late reply is dropped.
    pub async fn request(&self, message: impl Into<Message>) -> Result<Message, RequestError> {
        let _turn = self.turn.lock().await;
        self.send(message).await?;
        let mut unfinished = Abandon(Some(&self.core));
        let reply = self.recv().await;
        if matches!(reply, Ok(_) | Err(RecvError::NoRequest)) {
            // What is outstanding now is another one's.
            unfinished.0 = None;
        }
        Ok(reply?)
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
                done => {
                    // That one peer is enough for those who wait beside this one.
                    self.core.outbox.bell.0.notify_one();
                    return done;
                }
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
        let sent = self.core.requests.send(&self.core, message);
        sent.map_err(|(kind, message)| SendError::new(kind, message))
    }

    /// The reply to the request that was sent last; waits until it is here. Of several tasks that wait, one gets it, and
    /// the others learn that no request is outstanding.
    ///
    /// # Errors
    /// [`RecvError::NoRequest`] if no request is outstanding, or it is abandoned meanwhile; [`RecvError::Closed`] if the
    /// socket is closed; there is no other.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, the reply is still waited for.
    pub async fn recv(&self) -> Result<Message, RecvError> {
        loop {
            self.check_turn()?;
            let next = self.core.inbox.next_while(
                || self.check_turn(),
                |link, delivery| self.accept(link, delivery),
            );
            if let Some(reply) = self.core.requests.settle(&self.core, next.await?) {
                return Ok(reply);
            }
        }
    }

    /// The reply to the request that was sent last, if it is here.
    ///
    /// # Errors
    /// [`RecvError::NoRequest`], [`RecvError::Empty`] or [`RecvError::Closed`]; there is no other.
    pub fn try_recv(&self) -> Result<Message, RecvError> {
        loop {
            self.check_turn()?;
            let mut accept = |link: &Arc<Link>, delivery| self.accept(link, delivery);
            let Some(accepted) = self.core.inbox.try_next(&mut accept) else {
                return Err(super::empty(&self.core));
            };
            if let Some(reply) = self.core.requests.settle(&self.core, accepted) {
                return Ok(reply);
            }
        }
    }

    fn accept(&self, link: &Arc<Link>, delivery: Delivery) -> Option<Accepted> {
        let message = super::message(delivery)?;
        self.core.requests.accept(&self.core, link, message)
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
            core.requests.abandon(core);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use tokio::task::JoinHandle;

    use super::*;
    use crate::{RepSocket, RouterSocket};

    /// What a task came to, which is not to hang.
    async fn soon<T>(task: JoinHandle<T>) -> T {
        let done = tokio::time::timeout(Duration::from_secs(10), task).await;
        done.expect("nobody woke it").unwrap()
    }

    /// A task that runs until it waits.
    async fn waiting<T, F>(
        req: &Arc<ReqSocket>,
        run: impl FnOnce(Arc<ReqSocket>) -> F,
    ) -> JoinHandle<T>
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        let task = tokio::spawn(run(Arc::clone(req)));
        tokio::task::yield_now().await;
        assert!(!task.is_finished());
        task
    }

    /// A REQ and a REP that have met.
    async fn met(name: &str) -> (Arc<ReqSocket>, RepSocket) {
        let (req, rep) = (ReqSocket::new().unwrap(), RepSocket::new().unwrap());
        rep.bind(name).await.unwrap();
        req.connect(name).unwrap();
        (Arc::new(req), rep)
    }

    /// One peer is enough for all who wait for one.
    #[tokio::test]
    async fn a_peer_wakes_all_that_wait_to_send() {
        let req = Arc::new(ReqSocket::new().unwrap());
        req.bind("inproc://wakes-all-senders").await.unwrap();
        let mut senders = Vec::new();
        for i in 0..3 {
            senders.push(waiting(&req, async move |req| req.send(i.to_string()).await).await);
        }
        let rep = RepSocket::new().unwrap();
        rep.connect("inproc://wakes-all-senders").unwrap();
        for sender in senders {
            soon(sender).await.unwrap();
        }
    }

    /// Of those who wait for a reply one gets it; the others learn that there is none to wait for.
    #[tokio::test]
    async fn a_reply_ends_the_wait_of_all() {
        let (req, rep) = met("inproc://ends-all-waits").await;
        req.send("?").await.unwrap();
        let first = waiting(&req, async |req| req.recv().await).await;
        let second = waiting(&req, async |req| req.recv().await).await;
        rep.recv().await.unwrap();
        rep.send("!").await.unwrap();
        let outcomes = [soon(first).await, soon(second).await];
        assert!(matches!(
            outcomes,
            [Ok(_), Err(RecvError::NoRequest)] | [Err(RecvError::NoRequest), Ok(_)]
        ));

        // Also if it is taken without waiting.
        req.send("?").await.unwrap();
        let waits = waiting(&req, async |req| req.recv().await).await;
        rep.recv().await.unwrap();
        rep.send("!").await.unwrap();
        req.try_recv().unwrap();
        assert!(matches!(soon(waits).await, Err(RecvError::NoRequest)));
    }

    /// Whoever waits for the reply to a request that is abandoned learns that there is none to wait for.
    #[tokio::test]
    async fn an_abandoned_request_ends_the_wait() {
        let (req, rep) = met("inproc://abandoned-ends-waits").await;
        let request = waiting(&req, async |req| req.request("?").await).await;
        let waits = waiting(&req, async |req| req.recv().await).await;
        request.abort();
        assert!(matches!(soon(waits).await, Err(RecvError::NoRequest)));
        // The next one is served as ever.
        rep.recv().await.unwrap();
        rep.send("late").await.unwrap();
        let request = waiting(&req, async |req| req.request("?").await).await;
        rep.recv().await.unwrap();
        rep.send("!").await.unwrap();
        assert_eq!(soon(request).await.unwrap()[0], "!");
    }

    /// A peer of this process that leaves the delimiter out twice is put out once, and there once when it is back.
    #[tokio::test]
    async fn a_peer_without_delimiter_is_put_out_once() {
        let (req, router) = (ReqSocket::new().unwrap(), RouterSocket::new().unwrap());
        router.bind("inproc://no-delimiter-twice").await.unwrap();
        req.connect("inproc://no-delimiter-twice").unwrap();
        req.send("?").await.unwrap();
        let (peer, _request) = router.recv().await.unwrap();
        for _ in 0..2 {
            router.try_send(&peer, "no delimiter").unwrap();
        }
        assert!(matches!(req.try_recv(), Err(RecvError::Empty)));
        assert_eq!((req.peers().len(), router.peers().len()), (1, 1));
        assert!(!router.peers().contains(&peer));
    }

    /// A peer of this process that leaves the delimiter out is put out without a lock that its end needs, although the
    /// socket is closed by then.
    #[tokio::test]
    async fn a_peer_without_delimiter_is_put_out_when_closed() {
        let (req, router) = (ReqSocket::new().unwrap(), RouterSocket::new().unwrap());
        router.bind("inproc://no-delimiter").await.unwrap();
        req.connect("inproc://no-delimiter").unwrap();
        req.send("?").await.unwrap();
        let (peer, _request) = router.recv().await.unwrap();
        router.try_send(&peer, "no delimiter").unwrap();
        router.try_send(&peer, "another").unwrap();
        req.core.seal();
        let (done, outcome) = mpsc::channel();
        // A thread of its own, which may hang.
        std::thread::spawn(move || done.send(req.try_recv()));
        let outcome = outcome.recv_timeout(Duration::from_secs(10));
        assert!(matches!(outcome.expect("it hangs"), Err(RecvError::Closed)));
        assert!(!router.peers().contains(&peer));
    }
}
