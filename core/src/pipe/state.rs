//! [`State`]: what the lock of a pipe guards: segments, counts, and who waits.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::task::Waker;

use super::{Limits, Refused};
use crate::conflated::Conflated;
use crate::segment::{Segment, SegmentPool};

#[derive(Debug)]
pub(super) struct State {
    pub(super) segments: VecDeque<Segment>,
    /// In place of them, if later messages take the place of earlier ones: then `segments` holds one only while it is
    /// made.
    pub(super) conflated: Option<Box<Conflated>>,
    /// Whether the message that is made goes before all others.
    pub(super) to_front: bool,
    /// Whether the last segment takes further frames.
    pub(super) tail_open: bool,
    pub(super) queued: usize,
    pub(super) queued_bytes: usize,
    pub(super) limits: Limits,
    pub(super) reader: Side,
    pub(super) writer: Side,
    pub(super) finished: bool,
    /// The reader knows that nothing is left and nothing follows.
    pub(super) drained: bool,
    pub(super) paused: bool,
    pub(super) sent: u64,
    pub(super) sent_bytes: u64,
}

/// One of the two parties of a pipe.
#[derive(Debug)]
pub(super) struct Side {
    pub(super) waker: Waker,
    pub(super) waiting: bool,
}

impl Side {
    pub(super) fn wake(&mut self) -> Option<Waker> {
        std::mem::take(&mut self.waiting).then(|| self.waker.clone())
    }

    pub(super) fn wait(&mut self, waker: &Waker) {
        self.waiting = true;
        if !self.waker.will_wake(waker) {
            self.waker.clone_from(waker);
        }
    }
}

impl State {
    /// Messages that fit under the marks.
    pub(super) fn room(&self) -> usize {
        let over_bytes = |budget: NonZeroUsize| self.queued_bytes >= budget.get();
        if self.finished {
            // Whatever comes is discarded: nobody will read it.
            return usize::MAX;
        }
        if self.paused {
            return 0;
        }
        if self.conflated.as_ref().is_some_and(|one| !one.is_bounded()) {
            return usize::MAX;
        }
        if self.limits.bytes.is_some_and(over_bytes) {
            return 0;
        }
        match self.limits.messages {
            Some(hwm) => hwm.get().saturating_sub(self.queued),
            None => usize::MAX,
        }
    }

    /// As [`room`](Self::room); with none, `waker` is called at the low-water mark.
    pub(super) fn room_or_wait(&mut self, waker: &Waker) -> usize {
        let room = self.room();
        if room == 0 {
            self.writer.wait(waker);
        }
        room
    }

    /// Whether a message with this first frame would be taken.
    pub(super) fn check_room<'a>(
        &mut self,
        first: impl FnOnce() -> &'a [u8],
    ) -> Result<(), Refused> {
        if self.finished {
            return Err(Refused::Closed);
        }
        if self.room() == 0 {
            if let Some(conflated) = self.conflated.as_ref().filter(|_| !self.paused)
                && !conflated.needs_room(first())
            {
                return Ok(());
            }
            self.writer.waiting = true;
            return Err(Refused::Full);
        }
        Ok(())
    }

    /// How many of these messages have room, from the first on; each ends at one of `ends`.
    pub(super) fn room_for(&mut self, ends: &[usize]) -> Result<usize, Refused> {
        if self.finished {
            return Err(Refused::Closed);
        }
        let mut messages = self.room().min(ends.len());
        if let Some(budget) = self.limits.bytes
            && messages > 0
        {
            // One may pass the budget.
            let within = ends.partition_point(|end| self.queued_bytes + end < budget.get());
            messages = messages.min(within + 1);
        }
        if messages < ends.len() {
            self.writer.waiting = true;
        }
        Ok(messages)
    }

    /// Moves encoded segments in; returns the reader to wake, and how many messages are discarded since nobody reads.
    pub(super) fn append(
        &mut self,
        pool: &SegmentPool,
        segments: &mut VecDeque<Segment>,
    ) -> (Option<Waker>, usize) {
        let messages = segments.iter().map(|segment| segment.messages).sum();
        if self.finished {
            segments.clear();
            return (None, messages);
        }
        if self.conflated.is_some() {
            self.encode_each(pool, std::mem::take(segments));
        } else {
            let bytes = segments.iter().map(Segment::len).sum();
            self.count_in(messages, bytes);
            self.tail_open = false;
            if self.segments.is_empty() {
                std::mem::swap(&mut self.segments, segments);
            } else {
                self.segments.append(segments);
            }
        }
        (self.reader.wake(), 0)
    }

    pub(super) fn count_in(&mut self, messages: usize, bytes: usize) {
        self.queued += messages;
        self.queued_bytes += bytes;
        self.sent += messages as u64;
        self.sent_bytes += bytes as u64;
    }

    /// Returns credit, and the writer to wake if it waits and the low-water mark is reached.
    pub(super) fn count_out(&mut self, messages: usize, bytes: usize) -> Option<Waker> {
        self.queued = self.queued.saturating_sub(messages);
        self.queued_bytes = self.queued_bytes.saturating_sub(bytes);
        let low =
            |limit: Option<NonZeroUsize>, held: usize| limit.is_none_or(|l| held <= l.get() / 2);
        if self.writer.waiting
            && !self.paused
            && low(self.limits.messages, self.queued)
            && low(self.limits.bytes, self.queued_bytes)
        {
            return self.writer.wake();
        }
        None
    }
}
