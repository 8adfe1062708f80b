//! [`Writer`]: what one connection writes: the pipe's messages, and commands at their boundaries.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use bytes::{Buf, BytesMut};

use super::flight::{Flight, SLICES};
use super::transport::Stream;
use crate::peer::Link;
use crate::pipe::Taken;
use crate::segment::{Segment, SegmentPool};

/// From the outbound pipe to the stream.
pub(crate) struct Writer {
    link: Arc<Link>,
    /// Outlives the connection if the pipe does: what was not wholly written goes back there.
    pub(super) flight: Flight,
    /// Commands to write at the next message boundary.
    pub(super) control: BytesMut,
    control_begun: bool,
    done: Vec<Segment>,
    credit: (usize, usize),
    pool: Arc<SegmentPool>,
    /// Writing has failed; reading goes on until it tells the end.
    failed: bool,
    /// Reading waits until the commands are written.
    pub(super) resumes_reading: bool,
    /// Everything is written that ever will be, and the stream's direction is shut down.
    pub(super) shut_down: bool,
}

impl Writer {
    pub(crate) fn new(link: Arc<Link>, hello: BytesMut, pool: Arc<SegmentPool>) -> Self {
        Self {
            link,
            flight: Flight::default(),
            control: hello,
            control_begun: false,
            done: Vec::new(),
            credit: (0, 0),
            pool,
            failed: false,
            resumes_reading: false,
            shut_down: false,
        }
    }

    pub(super) fn is_idle(&self) -> bool {
        self.flight.is_empty() && self.control.is_empty()
    }

    /// Nothing can be written any more.
    pub(super) fn fail(&mut self) {
        self.failed = true;
        self.link.refuse_more();
    }

    pub(super) const fn has_failed(&self) -> bool {
        self.failed
    }

    /// Commands come too late: nothing is written any more. A PING among them counts as written.
    pub(super) fn discard_control(&mut self, waker: &Waker) {
        self.control.clear();
        if std::mem::take(&mut self.resumes_reading) {
            waker.wake_by_ref();
        }
    }

    /// Takes what is in the pipe; tells whether there is something to do.
    pub(super) fn refill(&mut self, cx: &Context<'_>) -> bool {
        let credit = std::mem::take(&mut self.credit);
        let taken = self
            .link
            .outbound
            .take(&mut self.flight.segments, credit, Some(cx.waker()));
        match taken {
            Taken::Some => true,
            Taken::Empty => false,
            Taken::Finished => true,
        }
    }

    /// Writes what can be; tells how many octets that was.
    pub(super) fn poll_write<S: Stream>(
        &mut self,
        stream: &mut S,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let control_now =
            !self.control.is_empty() && (self.control_begun || self.flight.at_boundary());
        let mut slices = [IoSlice::new(&[]); SLICES];
        let (first, rest) = slices.split_at_mut(usize::from(control_now));
        for slice in first {
            *slice = IoSlice::new(&self.control);
        }
        let to_boundary = !self.control.is_empty() && !control_now;
        let used = usize::from(control_now) + self.flight.slices(rest, to_boundary);
        let written = match slices.get(..used).unwrap_or_default() {
            // A call for one slice costs the kernel less.
            [slice] => Pin::new(stream).poll_write(cx, slice),
            slices => Pin::new(stream).poll_write_vectored(cx, slices),
        };
        let written = match ready!(written) {
            Ok(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
            Ok(written) => written,
            Err(error) => return Poll::Ready(Err(error)),
        };
        self.advance(written, control_now, cx.waker());
        Poll::Ready(Ok(written))
    }

    fn advance(&mut self, mut written: usize, control_now: bool, waker: &Waker) {
        if control_now {
            let of_control = written.min(self.control.len());
            self.control.advance(of_control);
            self.control_begun = !self.control.is_empty();
            if self.control.is_empty() && std::mem::take(&mut self.resumes_reading) {
                waker.wake_by_ref();
            }
            written -= of_control;
        }
        self.flight.advance(written, &mut self.done);
        if self.done.is_empty() {
            return;
        }
        for segment in &self.done {
            self.credit.0 += segment.messages;
            self.credit.1 += segment.len();
        }
        self.pool.put(self.done.drain(..));
        if !self.flight.is_empty() {
            self.link.outbound.credit(std::mem::take(&mut self.credit));
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.link.outbound.credit(self.credit);
    }
}
