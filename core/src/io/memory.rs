//! memory: `memory://name`, octets between two tasks of the process, with faults on request (see [`Network`]).

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::mpsc;
use tokio::time::{Instant, Sleep, sleep_until};

use super::transport::{DialError, Dialer, Listener, OtherSide, Stream};
use crate::endpoint::Endpoint;
use crate::network::{Faults, Network};
use crate::sync::Mutex;

/// Octets that are on their way in one direction at most; more wait with the writer.
const LANE_OCTETS: usize = 64 * 1024;

/// One direction of a connection.
#[derive(Debug)]
pub(crate) struct Lane(Mutex<State>);

#[derive(Debug)]
struct State {
    /// What is on its way: when it arrives, and what.
    pieces: VecDeque<(Instant, VecDeque<u8>)>,
    octets: usize,
    faults: Faults,
    end: End,
    /// How many more octets are delivered before the connection breaks.
    cut_after: Option<usize>,
    /// Counts octets that are never delivered.
    lost: Arc<AtomicU64>,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Open,
    /// The writer has finished; what is on its way arrives.
    Finished,
    /// The reader is gone, which the writer is told.
    Unread,
    Cut,
}

impl Lane {
    pub(crate) fn new(faults: Faults, lost: &Arc<AtomicU64>) -> Arc<Self> {
        Arc::new(Self(Mutex::new(State {
            pieces: VecDeque::new(),
            octets: 0,
            faults,
            end: End::Open,
            cut_after: None,
            lost: Arc::clone(lost),
            reader: None,
            writer: None,
        })))
    }

    pub(crate) fn set_faults(&self, faults: Faults) {
        let mut state = self.0.lock();
        state.faults = faults;
        state.wake_both();
    }

    pub(crate) fn cut(&self) {
        let mut state = self.0.lock();
        state.end = End::Cut;
        state.lose();
        state.wake_both();
    }

    pub(crate) fn cut_after(&self, octets: usize) {
        self.0.lock().cut_after = Some(octets);
    }

    fn finish(&self) {
        let mut state = self.0.lock();
        if state.end == End::Open {
            state.end = End::Finished;
        }
        state.wake_both();
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        // Written when nobody read any more.
        self.0.lock().lose();
    }
}

impl State {
    /// What is on its way does not arrive.
    fn lose(&mut self) {
        self.pieces.clear();
        let octets = std::mem::take(&mut self.octets);
        self.lost.fetch_add(octets as u64, Ordering::Relaxed);
    }

    fn wake_both(&mut self) {
        for waker in [self.reader.take(), self.writer.take()]
            .into_iter()
            .flatten()
        {
            waker.wake();
        }
    }

    /// Whether everything has arrived, the end too.
    fn is_over(&self) -> bool {
        self.end == End::Finished && self.pieces.is_empty() && !self.faults.stalled
    }

    /// How many octets of the first piece may be handed out now, or when to ask again.
    fn available(&self, room: usize, now: Instant) -> Result<usize, Option<Instant>> {
        let Some((at, piece)) = self.pieces.front() else {
            return Err(None);
        };
        if self.faults.stalled {
            return Err(None);
        }
        if *at > now {
            return Err(Some(*at));
        }
        let limits = [self.faults.split, self.cut_after, Some(piece.len())];
        Ok(limits.into_iter().flatten().fold(room, usize::min))
    }
}

/// One side of a connection.
pub(crate) struct MemoryStream {
    inbound: Arc<Lane>,
    outbound: Arc<Lane>,
    /// Until what is on its way arrives.
    arrival: Option<Pin<Box<Sleep>>>,
}

impl MemoryStream {
    pub(crate) const fn new(inbound: Arc<Lane>, outbound: Arc<Lane>) -> Self {
        Self {
            inbound,
            outbound,
            arrival: None,
        }
    }
}

impl Stream for MemoryStream {
    const IN_KERNEL: bool = false;

    fn poll_readable(&self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for MemoryStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            let arrives = {
                let mut state = this.inbound.0.lock();
                if state.end == End::Cut || state.cut_after == Some(0) {
                    drop(state);
                    this.inbound.cut();
                    this.outbound.cut();
                    return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
                }
                match state.available(into.remaining(), Instant::now()) {
                    Ok(count) => {
                        state.hand_out(count, into);
                        return Poll::Ready(Ok(()));
                    }
                    Err(None) if state.is_over() => {
                        return Poll::Ready(Ok(()));
                    }
                    Err(arrives) => {
                        state.reader = Some(cx.waker().clone());
                        arrives
                    }
                }
            };
            let Some(arrives) = arrives else {
                return Poll::Pending;
            };
            let sleep = this.arrival.insert(Box::pin(sleep_until(arrives)));
            ready!(sleep.as_mut().poll(cx));
        }
    }
}

impl State {
    fn hand_out(&mut self, count: usize, into: &mut ReadBuf<'_>) {
        let Some((_, piece)) = self.pieces.front_mut() else {
            return;
        };
        let octets: Vec<u8> = piece.drain(..count).collect();
        if piece.is_empty() {
            self.pieces.pop_front();
        }
        into.put_slice(&octets);
        self.octets -= count;
        self.cut_after = self.cut_after.map(|left| left - count);
        if let Some(writer) = self.writer.take() {
            writer.wake();
        }
    }
}

impl AsyncWrite for MemoryStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut state = self.outbound.0.lock();
        let is_open = match state.end {
            End::Open => true,
            // As on a cable that is cut: nobody tells.
            End::Unread => state.faults.stalled,
            End::Finished | End::Cut => false,
        };
        if !is_open {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let room = LANE_OCTETS - state.octets;
        if room == 0 {
            state.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let taken = octets.get(..room).unwrap_or(octets);
        let arrives = Instant::now() + state.faults.delay;
        state
            .pieces
            .push_back((arrives, taken.iter().copied().collect()));
        state.octets += taken.len();
        if let Some(reader) = state.reader.take() {
            reader.wake();
        }
        Poll::Ready(Ok(taken.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.outbound.finish();
        Poll::Ready(Ok(()))
    }
}

impl Drop for MemoryStream {
    fn drop(&mut self) {
        self.outbound.finish();
        // Nobody reads what still comes.
        let mut inbound = self.inbound.0.lock();
        inbound.lose();
        if inbound.end == End::Open {
            inbound.end = End::Unread;
        }
        inbound.wake_both();
    }
}

/// A bound memory endpoint.
pub(crate) struct MemoryListener {
    endpoint: Endpoint,
    dialled: tokio::sync::Mutex<mpsc::UnboundedReceiver<MemoryStream>>,
}

impl MemoryListener {
    pub(crate) fn bind(network: &Network, endpoint: Endpoint, name: &str) -> io::Result<Self> {
        let dialled = network.listen(name).ok_or(io::ErrorKind::AddrInUse)?;
        Ok(Self {
            endpoint,
            dialled: tokio::sync::Mutex::new(dialled),
        })
    }
}

impl Listener for MemoryListener {
    type Stream = MemoryStream;

    async fn accept(&self) -> io::Result<(MemoryStream, OtherSide)> {
        match self.dialled.lock().await.recv().await {
            Some(stream) => Ok((stream, OtherSide::default())),
            // Another listener has taken the name over; it does so only when this one is closed.
            None => std::future::pending().await,
        }
    }

    fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }
}

/// Connects to a memory endpoint.
pub(crate) struct MemoryDialer {
    pub(crate) network: Network,
    pub(crate) name: Box<str>,
}

impl Dialer for MemoryDialer {
    type Stream = MemoryStream;

    async fn dial(&self) -> Result<(MemoryStream, Option<String>), DialError> {
        let stream = self.network.dial(&self.name);
        let refused = || io::Error::from(io::ErrorKind::ConnectionRefused);
        Ok((stream.ok_or_else(refused)?, None))
    }
}
