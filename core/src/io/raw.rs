//! [`Raw`]: one connection of a STREAM: octets as they come and go, without ZMTP.
//!
//! ```text
//! outbound pipe ──take──► bodies ──vectored write──► stream ──read──► a message of what there is ──► inbound pipe
//! ```

use std::collections::VecDeque;
use std::future::Future as _;
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::AsyncReadExt as _;
use tokio::time::{Sleep, sleep};

use super::transport::Stream;
use crate::decode::Decoder;
use crate::frame::Frame;
use crate::message::Message;
use crate::monitor::DisconnectReason;
use crate::peer::Link;
use crate::pipe::{Pipe, Taken};

/// What is received in one message at most, in bytes.
const PIECE: usize = 64 * 1024;
/// After so many bytes a connection lets other tasks run.
const TURN: usize = 256 * 1024;
/// How long the other side may take to close after this one has said its last; only then is nothing cut off.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// Pieces of one write.
const SLICES: usize = 64;

/// One connection of a STREAM.
pub(crate) struct Raw<S> {
    stream: S,
    inbound: Arc<Pipe>,
    buffer: BytesMut,
    writer: Writer,
    /// Runs once everything is written that ever will be.
    closing: Option<Pin<Box<Sleep>>>,
}

/// From the outbound pipe to the stream.
struct Writer {
    link: Arc<Link>,
    decoder: Decoder,
    /// What is left of the message that is being written, and how much of its first frame is written.
    frames: VecDeque<Frame>,
    offset: usize,
    /// Nothing is written behind that.
    last: bool,
    failed: bool,
}

impl<S: Stream> Raw<S> {
    pub(crate) fn new(stream: S, link: &Arc<Link>) -> Self {
        Self {
            stream,
            inbound: Arc::clone(&link.inbound),
            buffer: BytesMut::new(),
            writer: Writer {
                link: Arc::clone(link),
                decoder: Decoder::default(),
                frames: VecDeque::new(),
                offset: 0,
                last: false,
                failed: false,
            },
            closing: None,
        }
    }

    /// Runs until the connection ends, and tells why.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<DisconnectReason> {
        if let Poll::Ready(error) = self.poll_write(cx) {
            // What the peer has sent before can still be read, and reading tells the end.
            tracing::debug!(%error, "writing failed");
            self.writer.failed = true;
            self.writer.link.refuse_more();
        }
        if let Some(closing) = &mut self.closing
            && closing.as_mut().poll(cx).is_ready()
        {
            return Poll::Ready(DisconnectReason::ClosedHere);
        }
        self.poll_read(cx)
    }

    /// Pending for good, or the end of the connection.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<DisconnectReason> {
        let mut left = TURN;
        loop {
            if self.closing.is_none() && self.inbound.room(cx.waker()) == 0 {
                return Poll::Pending;
            }
            if left == 0 {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            match ready!(self.poll_read_once(cx)) {
                Ok(0) if self.closing.is_some() => {
                    return Poll::Ready(DisconnectReason::ClosedHere);
                }
                Ok(0) => return Poll::Ready(DisconnectReason::ClosedByPeer),
                Ok(read) => left = left.saturating_sub(read),
                Err(error) => return Poll::Ready(DisconnectReason::Io(error.kind())),
            }
        }
    }

    /// Hands on what is there; tells how much it was.
    fn poll_read_once(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        ready!(self.stream.poll_readable(cx))?;
        self.buffer.reserve(PIECE);
        let mut target = bytes::BufMut::limit(&mut self.buffer, PIECE);
        let read = pin!(self.stream.read_buf(&mut target)).poll(cx);
        let octets = self.buffer.split();
        if read.is_pending() {
            // An idle connection owns no buffer.
            self.buffer = BytesMut::new();
        }
        let read = ready!(read)?;
        if read > 0 && self.closing.is_none() {
            self.inbound
                .publish_anyway(&Message::from(Frame::from(octets.freeze())));
        }
        Poll::Ready(Ok(read))
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        while self.closing.is_none() && !self.writer.failed {
            if self.writer.has_more(cx.waker()) {
                match ready!(self.writer.poll_write(&mut self.stream, cx)) {
                    Ok(()) => continue,
                    Err(error) => return Poll::Ready(error),
                }
            }
            if !self.writer.last {
                return Poll::Pending;
            }
            match ready!(Pin::new(&mut self.stream).poll_shutdown(cx)) {
                Ok(()) => self.closing = Some(Box::pin(sleep(LAST_WORDS))),
                Err(error) => return Poll::Ready(error),
            }
        }
        Poll::Pending
    }
}

impl Writer {
    /// Whether there is something to write; if not, `waker` is called when there is, unless there never will be.
    fn has_more(&mut self, waker: &Waker) -> bool {
        while self.frames.is_empty() && !self.last {
            let Some(message) = self.decoder.next() else {
                let segments = &mut self.decoder.segments;
                match self.link.outbound.take(segments, (0, 0), Some(waker)) {
                    Taken::Some => continue,
                    Taken::Empty => return false,
                    Taken::Finished => self.last = true,
                }
                continue;
            };
            let frames = message.frames().iter().filter(|frame| !frame.is_empty());
            self.frames.extend(frames.cloned());
            if self.frames.is_empty() {
                self.written();
                self.last = true;
                // Who sends more is to know that nobody will get it.
                self.link.outbound.finish();
            }
        }
        !self.frames.is_empty()
    }

    fn poll_write<S: Stream>(
        &mut self,
        stream: &mut S,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        let mut slices = [IoSlice::new(&[]); SLICES];
        let mut offset = self.offset;
        let mut used = 0;
        for (slice, frame) in slices.iter_mut().zip(&self.frames) {
            *slice = IoSlice::new(frame.get(offset..).unwrap_or_default());
            offset = 0;
            used += 1;
        }
        let slices = slices.get(..used).unwrap_or_default();
        let mut written = ready!(Pin::new(stream).poll_write_vectored(cx, slices))?;
        if written == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        while let Some(first) = self.frames.front() {
            let left = first.len() - self.offset;
            if written < left {
                self.offset += written;
                return Poll::Ready(Ok(()));
            }
            written -= left;
            self.offset = 0;
            self.frames.pop_front();
        }
        self.written();
        Poll::Ready(Ok(()))
    }

    /// A message has left for good.
    fn written(&mut self) {
        self.link.outbound.credit((1, self.decoder.take_consumed()));
    }
}
