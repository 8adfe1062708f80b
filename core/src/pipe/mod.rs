//! [`Pipe`]: one direction between a socket and one peer.
//!
//! ```text
//! writer ── publish / append ──►  segments, a count, two wakers  ──► take ── reader
//!        ◄── room, wake at the low-water mark ──   credit ◄── what left the pipe for good
//! ```
//!
//! A pipe holds encoded frames, not messages. Only empty → not empty wakes its reader and only the low-water mark wakes
//! its writer, never each message. What is published ends at a message boundary. A message counts from when it is
//! published until its credit returns: out, when the kernel has its last octet; in, when `recv` hands it out.
//!
//! The lock of a pipe is the innermost of all but the segment pool's; wakers are called after it is released.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::task::Waker;

use crate::conflated::{Conflate, Conflated};
use crate::segment::{Segment, SegmentPool};
use crate::sync::Mutex;
pub(crate) use encoding::COPY_MAX;
use state::{Side, State};

mod encoding;
mod publishing;
mod state;

/// What a pipe may hold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// The high-water mark, in messages.
    pub(crate) messages: Option<NonZeroUsize>,
    /// Bytes of encoded frames; one message may pass it.
    pub(crate) bytes: Option<NonZeroUsize>,
}

impl Limits {
    /// No limit.
    pub(crate) const NONE: Self = Self {
        messages: None,
        bytes: None,
    };

    /// What a pipe may hold that is the queue of two sockets: what both may, and no limit if either has none.
    pub(crate) fn sum(self, other: Self) -> Self {
        let both =
            |a: Option<NonZeroUsize>, b: Option<NonZeroUsize>| Some(a?.saturating_add(b?.get()));
        Self {
            messages: both(self.messages, other.messages),
            bytes: both(self.bytes, other.bytes),
        }
    }

    /// After so many messages a segment closes: credit for it returns at once.
    pub(crate) fn per_segment(&self) -> usize {
        self.messages
            .map_or(usize::MAX, |hwm| hwm.get().div_ceil(4))
    }
}

/// What a pipe has taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Published {
    /// Messages that have entered it, the first ones of those that were offered.
    pub(crate) messages: usize,
    /// How many more have room.
    pub(crate) room: usize,
}

/// Why a message did not enter a pipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// A limit is reached; the writer's waker is called at the low-water mark.
    Full,
    /// Nobody will ever read it.
    Closed,
}

/// What [`Pipe::take`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// At least one segment.
    Some,
    /// Nothing; the reader's waker is called when that changes.
    Empty,
    /// Nothing, and nothing will follow.
    Finished,
}

#[derive(Debug)]
pub(crate) struct Pipe {
    state: Mutex<State>,
    pool: Arc<SegmentPool>,
}

/// A snapshot of a pipe's counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PipeCounts {
    pub(crate) queued: usize,
    pub(crate) queued_bytes: usize,
    pub(crate) sent: u64,
    pub(crate) sent_bytes: u64,
    /// Messages whose place a later one has taken.
    pub(crate) conflated: u64,
}

impl Pipe {
    /// An empty pipe whose parties are not known yet.
    ///
    /// The reader is first woken after it has taken and found nothing, the writer after it was refused.
    pub(crate) fn new(limits: Limits, pool: Arc<SegmentPool>) -> Self {
        let side = || Side {
            waker: Waker::noop().clone(),
            waiting: false,
        };
        Self {
            state: Mutex::new(State {
                segments: VecDeque::new(),
                conflated: None,
                to_front: false,
                tail_open: false,
                queued: 0,
                queued_bytes: 0,
                limits,
                reader: side(),
                writer: side(),
                finished: false,
                drained: false,
                paused: false,
                sent: 0,
                sent_bytes: 0,
            }),
            pool,
        }
    }

    /// Moves encoded segments, which end at a message boundary, into the pipe; they may pass the marks. A finished pipe
    /// discards them; returns how many messages those were.
    pub(crate) fn append(&self, segments: &mut VecDeque<Segment>) -> usize {
        let (waker, discarded) = self.state.lock().append(&self.pool, segments);
        wake(waker);
        discarded
    }

    /// As [`append`](Self::append), of what `take` moves there that is told how many messages have room; none if that is
    /// nothing. With no room, `waker` is called at the low-water mark.
    pub(crate) fn fill(
        &self,
        segments: &mut VecDeque<Segment>,
        waker: &Waker,
        take: impl FnOnce(usize, &mut VecDeque<Segment>),
    ) -> Option<usize> {
        let (reader, discarded) = {
            let mut state = self.state.lock();
            take(state.room_or_wait(waker), segments);
            if segments.is_empty() {
                return None;
            }
            state.append(&self.pool, segments)
        };
        wake(reader);
        Some(discarded)
    }

    /// Puts back what was taken and not used up, before everything else: it begins and ends with a message.
    pub(crate) fn put_back(&self, segments: &mut VecDeque<Segment>) {
        if segments.is_empty() {
            return;
        }
        let waker = {
            let mut state = self.state.lock();
            if state.conflated.is_some() {
                let message = std::mem::take(segments);
                state.conflate(message, true);
            } else {
                segments.append(&mut state.segments);
                std::mem::swap(&mut state.segments, segments);
            }
            state.reader.wake()
        };
        wake(waker);
    }

    /// How many messages have room now. With none, `waker` is called at the low-water mark.
    pub(crate) fn room(&self, waker: &Waker) -> usize {
        self.state.lock().room_or_wait(waker)
    }

    /// Whether the pipe holds as much as `limits` say; if so, `waker` is called at the low-water mark.
    pub(crate) fn holds(&self, limits: Limits, waker: &Waker) -> bool {
        let mut state = self.state.lock();
        let reached =
            |limit: Option<NonZeroUsize>, held: usize| limit.is_some_and(|l| held >= l.get());
        let full =
            reached(limits.messages, state.queued) || reached(limits.bytes, state.queued_bytes);
        if full {
            state.writer.wait(waker);
        }
        full
    }

    /// Whether a message would be taken now; if not, the writer's waker is called when one would.
    pub(crate) fn has_room(&self) -> Result<(), Refused> {
        self.state.lock().check_room(|| &[])
    }

    /// Moves everything in the pipe into `into`, which must be empty, and returns credit for `messages` (of `bytes`).
    pub(crate) fn take(
        &self,
        into: &mut VecDeque<Segment>,
        (messages, bytes): (usize, usize),
        waker: Option<&Waker>,
    ) -> Taken {
        let (writer, taken) = {
            let mut state = self.state.lock();
            let writer = state.count_out(messages, bytes);
            let conflated = state.conflated.as_mut().and_then(|one| one.take());
            let taken = if let Some(mut message) = conflated {
                into.append(&mut message);
                Taken::Some
            } else if !state.segments.is_empty() {
                state.tail_open = false;
                std::mem::swap(&mut state.segments, into);
                Taken::Some
            } else if state.finished {
                state.drained = true;
                Taken::Finished
            } else {
                state.reader.waiting = true;
                if let Some(waker) = waker {
                    state.reader.wait(waker);
                }
                Taken::Empty
            };
            (writer, taken)
        };
        wake(writer);
        taken
    }

    /// Returns credit for `messages` that left the pipe for good, and their buffers.
    pub(crate) fn credit(&self, (messages, bytes): (usize, usize)) {
        let writer = self.state.lock().count_out(messages, bytes);
        wake(writer);
    }

    /// Nothing is published after this; what is in the pipe can still be taken.
    pub(crate) fn finish(&self) {
        let (reader, writer) = {
            let mut state = self.state.lock();
            state.finished = true;
            (state.reader.wake(), state.writer.wake())
        };
        wake(reader);
        wake(writer);
    }

    /// Gives up what is in a finished pipe, which nobody takes any more; it counts as it did.
    pub(crate) fn discard(&self) {
        let gone = {
            let mut state = self.state.lock();
            let conflated = state.conflated.as_mut().and_then(|one| one.take());
            (std::mem::take(&mut state.segments), conflated)
        };
        drop(gone);
    }

    /// Raises or lowers what the pipe may hold; takes effect at once.
    pub(crate) fn set_limits(&self, limits: Limits) {
        let writer = {
            let mut state = self.state.lock();
            state.limits = limits;
            // Whoever waits need not wait for the low-water mark if there is room already.
            if state.room() == 0 {
                None
            } else {
                state.writer.wake()
            }
        };
        wake(writer);
    }

    /// From now on a later message takes the place of an earlier one, also of those that are here.
    pub(crate) fn set_conflate(&self, conflate: Conflate) {
        let mut state = self.state.lock();
        if state.conflated.is_some() {
            return;
        }
        let Some(conflated) = Conflated::new(conflate) else {
            return;
        };
        state.conflated = Some(Box::new(conflated));
        let waiting = std::mem::take(&mut state.segments);
        let messages: usize = waiting.iter().map(|segment| segment.messages).sum();
        let bytes: usize = waiting.iter().map(Segment::len).sum();
        state.queued -= messages;
        state.queued_bytes -= bytes;
        state.sent -= messages as u64;
        state.sent_bytes -= bytes as u64;
        state.encode_each(&self.pool, waiting);
    }

    /// Whether a later message takes the place of an earlier one.
    pub(crate) fn is_conflating(&self) -> bool {
        self.state.lock().conflated.is_some()
    }

    /// While paused the pipe has no room; what is in it can still be taken. Tells whether anything may still come.
    pub(crate) fn set_paused(&self, paused: bool) -> bool {
        let (writer, open) = {
            let mut state = self.state.lock();
            state.paused = paused;
            let writer = if paused { None } else { state.writer.wake() };
            (writer, !state.finished)
        };
        wake(writer);
        open
    }

    pub(crate) fn is_paused(&self) -> bool {
        self.state.lock().paused
    }

    /// Whether the reader has found that nothing is left and nothing follows.
    pub(crate) fn is_drained(&self) -> bool {
        self.state.lock().drained
    }

    /// Whether there is something to take; if not, the reader's waker is called when there is.
    pub(crate) fn is_readable(&self) -> bool {
        let mut state = self.state.lock();
        let conflated = state.conflated.as_ref();
        let is_empty = state.segments.is_empty() && conflated.is_none_or(|one| one.is_empty());
        let readable = !is_empty || state.finished;
        state.reader.waiting |= !readable;
        readable
    }

    /// Sets who is woken when the pipe is no longer empty.
    pub(crate) fn set_reader(&self, waker: Waker) {
        self.state.lock().reader.waker = waker;
    }

    /// Sets who is woken at the low-water mark.
    pub(crate) fn set_writer(&self, waker: Waker) {
        self.state.lock().writer.waker = waker;
    }

    /// The high-water mark.
    pub(crate) fn hwm(&self) -> Option<NonZeroUsize> {
        self.state.lock().limits.messages
    }

    pub(crate) fn counts(&self) -> PipeCounts {
        let state = self.state.lock();
        PipeCounts {
            queued: state.queued,
            queued_bytes: state.queued_bytes,
            sent: state.sent,
            sent_bytes: state.sent_bytes,
            conflated: state.conflated.as_ref().map_or(0, |one| one.replaced),
        }
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}
