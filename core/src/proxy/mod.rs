//! [`Proxy`]: two sockets joined, so that what one receives the other sends.
//!
//! ```text
//!                 ┌──────────── passage: bursts ───────────┐
//! clients ═══ frontend                                  backend ═══ workers
//!                 └──────────── passage: bursts ───────────┘
//!                      │ copies                 ▲ PAUSE, STATISTICS ...
//!                     taps               control socket, handle
//! ```
//!
//! No message is ever in between: it leaves the one socket's receive queue when it enters a pipe of the other. So
//! whoever stops a proxy, or drops its future, loses nothing by that.

mod control;
mod handle;
mod passage;
mod sockets;
mod stats;

pub use control::ControlSocket;
pub use handle::ProxyHandle;
pub use sockets::TapSocket;
pub use stats::{ProxySide, ProxyStats, Volume};

use std::borrow::Borrow;
use std::sync::Arc;

use self::handle::{Ended, Shared};
use self::passage::Passage;
use crate::{DealerSocket, PullSocket, PushSocket, RouterSocket, XpubSocket, XsubSocket};

/// Joins two sockets: a queue of requests (ROUTER and DEALER), a streamer of work (PULL and PUSH), or a forwarder of
/// news (XSUB and XPUB).
///
/// Messages pass in both directions, frames as they are and in the order of each peer, a bounded burst from one side and
/// then from the other. A side is not read while its output is mute, so whoever sends there is held up in turn. Peers
/// may be ours or libzmq's, and proxies can be chained.
///
/// A ROUTER puts the routing id of the peer before each message and takes it off again, as libzmq's does. When the peer
/// that a message is for has no room, only the one that sent the message waits. With
/// [`router_mandatory`](crate::SocketOptions::router_mandatory) off the message is dropped and counted instead, as
/// libzmq's proxies do: choose that if clients that read nothing must not be able to hold workers up. What is for a peer
/// that is gone is dropped and counted.
///
/// The sockets may be owned, or shared as `&Socket` or `Arc<Socket>`; the [report](ProxyReport) gives them back.
///
/// # Example
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use privateer_core::{DealerSocket, Proxy, RepSocket, ReqSocket, RouterSocket};
///
/// let (frontend, backend) = (RouterSocket::new()?, DealerSocket::new()?);
/// let clients = frontend.bind("tcp://127.0.0.1:*").await?;
/// let workers = backend.bind("tcp://127.0.0.1:*").await?;
/// let proxy = Proxy::router_dealer(frontend, backend);
/// let handle = proxy.handle();
/// let running = tokio::spawn(proxy.run());
///
/// let (req, rep) = (ReqSocket::new()?, RepSocket::new()?);
/// req.connect(&clients)?;
/// rep.connect(&workers)?;
/// req.send("Hello").await?;
/// assert_eq!(rep.recv().await?[0], "Hello");
/// rep.send("World").await?;
/// assert_eq!(req.recv().await?[0], "World");
///
/// handle.stop();
/// let report = running.await?;
/// assert_eq!(report.stats.frontend.received.messages, 1);
/// report.frontend.close().await;
/// report.backend.close().await;
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Proxy<F, B> {
    frontend: F,
    backend: B,
    shared: Arc<Shared>,
    ended: Ended,
    control: Option<ControlSocket>,
    taps: Vec<TapSocket>,
}

/// What a proxy leaves behind.
#[derive(Debug)]
#[must_use = "it holds the sockets, which may have messages to send"]
pub struct ProxyReport<F, B> {
    /// Why it ended.
    pub end: ProxyEnd,
    /// What it has counted.
    pub stats: ProxyStats,
    /// Copies that did not go out to taps within their linger times.
    pub tap_unsent: u64,
    /// The socket that faces clients; what it has received and the proxy has not passed on, it still has. Of the peers
    /// that came and went meanwhile it tells nothing.
    pub frontend: F,
    /// The socket that faces workers, likewise.
    pub backend: B,
}

/// Why a proxy ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProxyEnd {
    /// [`ProxyHandle::stop`].
    Stopped,
    /// TERMINATE on the control socket.
    Terminated,
    /// One of the two sockets is closed, by [`Context::shutdown`](crate::Context::shutdown).
    SocketClosed,
}

impl<F: Borrow<RouterSocket>, B: Borrow<DealerSocket>> Proxy<F, B> {
    /// A queue between clients (REQ, DEALER) and workers (REP, DEALER): requests go to the next worker that has room,
    /// replies back to who asked.
    #[must_use]
    pub fn router_dealer(frontend: F, backend: B) -> Self {
        let (front, rear) = (&frontend.borrow().core, &backend.borrow().core);
        let (forth, back) = (Passage::new(front, rear), Passage::new(rear, front));
        Self::new(frontend, backend, forth, Some(back))
    }
}

impl<F: Borrow<PullSocket>, B: Borrow<PushSocket>> Proxy<F, B> {
    /// A streamer between those who hand out work (PUSH) and workers (PULL), one way.
    #[must_use]
    pub fn pull_push(frontend: F, backend: B) -> Self {
        let forth = Passage::new(&frontend.borrow().core, &backend.borrow().core);
        Self::new(frontend, backend, forth, None)
    }
}

impl<F: Borrow<XsubSocket>, B: Borrow<XpubSocket>> Proxy<F, B> {
    /// A forwarder between publishers (PUB, XPUB) and subscribers (SUB, XSUB): messages go to all that asked for them,
    /// subscriptions the other way, and what an XSUB sends beside them.
    ///
    /// The frontend is subscribed to just what the peers of the backend are subscribed to, each topic once, and tells
    /// publishers that come later. So proxies can be chained, and each has what is wanted behind it and no more. Leave
    /// the backend's [`xpub_verbosity`](crate::SocketOptions::xpub_verbosity) as it is, or set it to `All`: with
    /// `Subscriptions` more of them would begin than end.
    ///
    /// A subscriber that has no room loses messages, as of any XPUB, but with
    /// [`no_drop`](crate::SocketOptions::no_drop) on the backend the publishers are held up instead.
    #[must_use]
    pub fn xsub_xpub(frontend: F, backend: B) -> Self {
        let (front, rear) = (&frontend.borrow().core, backend.borrow());
        let forth = Passage::new(front, &rear.core);
        let back = Passage::new(&rear.core, front).telling(&rear.told);
        Self::new(frontend, backend, forth, Some(back))
    }
}

impl<F, B> Proxy<F, B> {
    fn new(frontend: F, backend: B, forth: Passage, back: Option<Passage>) -> Self {
        let shared = Arc::new(Shared::new(forth, back));
        Self {
            frontend,
            backend,
            ended: Ended(Arc::clone(&shared)),
            shared,
            control: None,
            taps: Vec::new(),
        }
    }

    /// Lets programs steer the proxy over a socket, in the protocol of libzmq's `zmq_proxy_steerable`.
    ///
    /// A request of one frame `PAUSE`, `RESUME` or `TERMINATE` does that; a REP socket answers with an empty frame.
    /// `STATISTICS` is answered with eight frames, each an unsigned number of 8 bytes in the byte order of this machine:
    /// frames received from the frontend, their bytes, frames sent to it, their bytes, and the same of the backend. A
    /// routing id that a ROUTER adds counts as a frame. Anything else changes nothing; a REP socket answers it with an
    /// empty frame.
    #[must_use]
    pub fn control(mut self, socket: impl Into<ControlSocket>) -> Self {
        self.control = Some(socket.into());
        self
    }

    /// Sends a copy of every message that is passed on, in either direction, to one more socket.
    ///
    /// A copy is as long as what the proxy passes on: with the routing id before it, if a ROUTER takes part. A tap never
    /// holds the proxy up: for a tap that is mute the copy is dropped and counted.
    #[must_use]
    pub fn tap(mut self, socket: impl Into<TapSocket>) -> Self {
        self.taps.push(socket.into());
        self
    }

    /// A handle that watches and steers the proxy.
    #[must_use]
    pub fn handle(&self) -> ProxyHandle {
        ProxyHandle(Arc::clone(&self.shared))
    }

    /// Passes messages on until [`ProxyHandle::stop`], TERMINATE, or the end of a socket; a paused one ends then, too.
    ///
    /// In the end it closes the control socket and the taps, within their linger times, and gives the other two back.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, it has lost no message; sockets that it owns are closed in the background.
    pub async fn run(self) -> ProxyReport<F, B> {
        let Self {
            frontend,
            backend,
            shared,
            ended,
            control,
            taps,
        } = self;
        let end = shared.run(control.as_ref(), &taps).await;
        drop(ended);
        if let Some(control) = control {
            control.close().await;
        }
        let mut tap_unsent = 0;
        for tap in taps {
            tap_unsent += tap.close().await.unsent;
        }
        ProxyReport {
            end,
            stats: shared.stats(),
            tap_unsent,
            frontend,
            backend,
        }
    }
}
