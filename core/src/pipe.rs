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

use bytes::{Bytes, BytesMut};

use crate::encoded::{Encoded, SHARED_OVER};
use crate::frame::Frame;
use crate::message::Message;
use crate::segment::{Content, RawMessage, Segment, SegmentPool};
use crate::sync::Mutex;
use crate::zmtp::frame::put_header;

/// A body up to this size, in bytes, is copied into a packed segment; a larger one goes by reference count.
pub(crate) const COPY_MAX: usize = 8 * 1024;
/// A packed segment closes at this size, in bytes.
const SEGMENT_BYTES: usize = 64 * 1024;

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

#[derive(Debug)]
struct State {
    segments: VecDeque<Segment>,
    /// Whether the last segment takes further frames.
    tail_open: bool,
    queued: usize,
    queued_bytes: usize,
    limits: Limits,
    reader: Side,
    writer: Side,
    finished: bool,
    /// The reader knows that nothing is left and nothing follows.
    drained: bool,
    paused: bool,
    sent: u64,
    sent_bytes: u64,
}

/// One of the two parties of a pipe.
#[derive(Debug)]
struct Side {
    waker: Waker,
    waiting: bool,
}

impl Side {
    fn wake(&mut self) -> Option<Waker> {
        std::mem::take(&mut self.waiting).then(|| self.waker.clone())
    }

    fn wait(&mut self, waker: &Waker) {
        self.waiting = true;
        if !self.waker.will_wake(waker) {
            self.waker.clone_from(waker);
        }
    }
}

/// A snapshot of a pipe's counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PipeCounts {
    pub(crate) queued: usize,
    pub(crate) queued_bytes: usize,
    pub(crate) sent: u64,
    pub(crate) sent_bytes: u64,
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

    /// Encodes one message, `envelope` first, into the pipe: all of it or nothing.
    pub(crate) fn publish(&self, envelope: &[Frame], message: &Message) -> Result<(), Refused> {
        self.publish_frames(envelope, message.frames())
    }

    /// As [`publish`](Self::publish), of frames that together are at least one.
    pub(crate) fn publish_frames(
        &self,
        envelope: &[Frame],
        frames: &[Frame],
    ) -> Result<(), Refused> {
        let waker = {
            let mut state = self.state.lock();
            state.check_room()?;
            state.encode(&self.pool, envelope, frames);
            state.reader.wake()
        };
        wake(waker);
        Ok(())
    }

    /// As [`publish`](Self::publish), of frames and a message that is encoded already.
    pub(crate) fn publish_raw(
        &self,
        envelope: &[Frame],
        message: &RawMessage<'_>,
    ) -> Result<(), Refused> {
        let waker = {
            let mut state = self.state.lock();
            state.check_room()?;
            state.copy(&self.pool, envelope, message);
            state.reader.wake()
        };
        wake(waker);
        Ok(())
    }

    /// As [`publish`](Self::publish); tells how much room is left.
    pub(crate) fn publish_alone(&self, message: &Message) -> Result<Published, Refused> {
        self.publish_with(|state, pool| {
            state.check_room()?;
            state.encode(pool, &[], message.frames());
            Ok(1)
        })
    }

    /// As [`publish`](Self::publish), of a message that is encoded already; tells how much room is left.
    pub(crate) fn publish_encoded(&self, message: &Encoded) -> Result<Published, Refused> {
        self.publish_with(|state, pool| {
            state.check_room()?;
            state.append_encoded(pool, message);
            Ok(1)
        })
    }

    /// Publishes as many of these messages as have room; each ends at one of `ends`.
    pub(crate) fn publish_batch(
        &self,
        octets: &Bytes,
        ends: &[usize],
    ) -> Result<Published, Refused> {
        self.publish_with(|state, pool| {
            let messages = state.room_for(ends)?;
            if let Some(end) = messages.checked_sub(1).and_then(|last| ends.get(last)) {
                state.append_batch(pool, octets.slice(..*end), messages);
            }
            Ok(messages)
        })
    }

    fn publish_with(
        &self,
        publish: impl FnOnce(&mut State, &SegmentPool) -> Result<usize, Refused>,
    ) -> Result<Published, Refused> {
        let (waker, published) = {
            let mut state = self.state.lock();
            let messages = publish(&mut state, &self.pool)?;
            let room = state.room();
            let waker = (messages > 0).then(|| state.reader.wake()).flatten();
            (waker, Published { messages, room })
        };
        wake(waker);
        Ok(published)
    }

    /// As [`publish`](Self::publish), whatever the marks say; a finished pipe discards the message.
    pub(crate) fn publish_anyway(&self, message: &Message) {
        let waker = {
            let mut state = self.state.lock();
            if state.finished {
                return;
            }
            state.encode(&self.pool, &[], message.frames());
            state.reader.wake()
        };
        wake(waker);
    }

    /// As [`publish`](Self::publish), but only into a pipe that holds nothing; tells whether it did.
    pub(crate) fn publish_if_idle(&self, message: &Message) -> Result<bool, Refused> {
        let waker = {
            let mut state = self.state.lock();
            if state.finished {
                return Err(Refused::Closed);
            }
            // With nothing in it there is room, unless its reader has paused it.
            if state.queued > 0 || state.room() == 0 {
                return Ok(false);
            }
            state.encode(&self.pool, &[], message.frames());
            state.reader.wake()
        };
        wake(waker);
        Ok(true)
    }

    /// Puts a message before everything else in the pipe, whatever the marks say.
    pub(crate) fn publish_first(&self, message: &Message) {
        let waker = {
            let mut state = self.state.lock();
            let mut later = std::mem::take(&mut state.segments);
            state.tail_open = false;
            state.encode(&self.pool, &[], message.frames());
            if !later.is_empty() {
                state.tail_open = false;
            }
            state.segments.append(&mut later);
            state.reader.wake()
        };
        wake(waker);
    }

    /// Moves encoded segments, which end at a message boundary, into the pipe; they may pass the marks, which the
    /// caller has asked for with [`room`](Self::room). A finished pipe discards them; returns how many messages those were.
    pub(crate) fn append(&self, segments: &mut VecDeque<Segment>) -> usize {
        let messages: usize = segments.iter().map(|segment| segment.messages).sum();
        let waker = {
            let mut state = self.state.lock();
            if state.finished {
                segments.clear();
                return messages;
            }
            let bytes: usize = segments.iter().map(Segment::len).sum();
            state.count_in(messages, bytes);
            state.tail_open = false;
            state.segments.append(segments);
            state.reader.wake()
        };
        wake(waker);
        0
    }

    /// Puts back what was taken and not used up, before everything else: it begins and ends with a message.
    pub(crate) fn put_back(&self, segments: &mut VecDeque<Segment>) {
        if segments.is_empty() {
            return;
        }
        let waker = {
            let mut state = self.state.lock();
            segments.append(&mut state.segments);
            std::mem::swap(&mut state.segments, segments);
            state.reader.wake()
        };
        wake(waker);
    }

    /// How many messages have room now. With none, `waker` is called at the low-water mark.
    pub(crate) fn room(&self, waker: &Waker) -> usize {
        let mut state = self.state.lock();
        let room = state.room();
        if room == 0 {
            state.writer.wait(waker);
        }
        room
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
        self.state.lock().check_room()
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
            let taken = if !state.segments.is_empty() {
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
        let readable = !state.segments.is_empty() || state.finished;
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
        }
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

impl State {
    /// Messages that fit under the marks.
    fn room(&self) -> usize {
        let over_bytes = |budget: NonZeroUsize| self.queued_bytes >= budget.get();
        if self.finished {
            // Whatever comes is discarded: nobody will read it.
            return usize::MAX;
        }
        if self.paused || self.limits.bytes.is_some_and(over_bytes) {
            return 0;
        }
        match self.limits.messages {
            Some(hwm) => hwm.get().saturating_sub(self.queued),
            None => usize::MAX,
        }
    }

    fn check_room(&mut self) -> Result<(), Refused> {
        if self.finished {
            return Err(Refused::Closed);
        }
        if self.room() == 0 {
            self.writer.waiting = true;
            return Err(Refused::Full);
        }
        Ok(())
    }

    /// How many of these messages have room, from the first on; each ends at one of `ends`.
    fn room_for(&mut self, ends: &[usize]) -> Result<usize, Refused> {
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

    fn count_in(&mut self, messages: usize, bytes: usize) {
        self.queued += messages;
        self.queued_bytes += bytes;
        self.sent += messages as u64;
        self.sent_bytes += bytes as u64;
    }

    /// Returns credit, and the writer to wake if it waits and the low-water mark is reached.
    fn count_out(&mut self, messages: usize, bytes: usize) -> Option<Waker> {
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

    fn encode(&mut self, pool: &SegmentPool, envelope: &[Frame], frames: &[Frame]) {
        let mut bytes = 0;
        for (index, frame) in envelope.iter().enumerate() {
            let more = index + 1 < envelope.len() || !frames.is_empty();
            bytes += self.encode_frame(pool, frame, more);
        }
        for (index, frame) in frames.iter().enumerate() {
            bytes += self.encode_frame(pool, frame, index + 1 < frames.len());
        }
        self.end_message(bytes);
    }

    /// As [`encode`](Self::encode), of frames and a message that is encoded already.
    fn copy(&mut self, pool: &SegmentPool, envelope: &[Frame], message: &RawMessage<'_>) {
        let mut bytes = message.range.len();
        for frame in envelope {
            bytes += self.encode_frame(pool, frame, true);
        }
        if message.range.len() > COPY_MAX {
            self.segments
                .push_back(Segment::shared(message.to_bytes(), 0, true));
            self.tail_open = false;
        } else if let Some(tail) = self.open_tail(pool) {
            tail.extend_from_slice(message.as_slice());
        }
        self.end_message(bytes);
    }

    fn append_encoded(&mut self, pool: &SegmentPool, message: &Encoded) {
        if message.pieces.is_empty() {
            if let Some(tail) = self.open_tail(pool) {
                tail.extend_from_slice(&message.octets);
            }
        } else {
            let pieces = message.pieces.iter().cloned();
            let segments = pieces.map(|piece| Segment::shared(piece, 0, false));
            self.segments.extend(segments);
            self.tail_open = false;
        }
        self.end_message(message.len());
    }

    /// Appends several small messages: by reference, unless that costs more than a copy.
    fn append_batch(&mut self, pool: &SegmentPool, octets: Bytes, messages: usize) {
        let bytes = octets.len();
        if bytes > SHARED_OVER {
            self.segments.push_back(Segment::shared(octets, 0, false));
            self.tail_open = false;
        } else if let Some(tail) = self.open_tail(pool) {
            tail.extend_from_slice(&octets);
        }
        self.end_messages(messages, bytes);
    }

    /// Counts the message that the last segment ends with.
    fn end_message(&mut self, bytes: usize) {
        self.end_messages(1, bytes);
    }

    /// Counts the messages that the last segment ends with.
    fn end_messages(&mut self, messages: usize, bytes: usize) {
        let per_segment = self.limits.per_segment();
        if let Some(tail) = self.segments.back_mut() {
            tail.messages += messages;
            tail.boundary = true;
            self.tail_open =
                self.tail_open && tail.messages < per_segment && tail.len() < SEGMENT_BYTES;
        }
        self.count_in(messages, bytes);
    }

    /// Appends one frame, and returns how many bytes it takes.
    #[inline]
    fn encode_frame(&mut self, pool: &SegmentPool, frame: &Frame, more: bool) -> usize {
        let by_reference = frame.shared().filter(|body| body.len() > COPY_MAX);
        let Some(tail) = self.open_tail(pool) else {
            return 0;
        };
        let before = tail.len();
        put_header(tail, more, frame.len());
        if let Some(body) = by_reference {
            let header = tail.len() - before;
            self.segments
                .push_back(Segment::shared(body.clone(), 0, !more));
            self.tail_open = false;
            return header + body.len();
        }
        tail.extend_from_slice(frame);
        tail.len() - before
    }

    /// The buffer of the packed segment that further frames go into; it ends in the middle of a message until
    /// [`end_message`](Self::end_message).
    #[inline]
    fn open_tail(&mut self, pool: &SegmentPool) -> Option<&mut BytesMut> {
        if !self.tail_open {
            self.segments.push_back(Segment::packed(pool.take()));
            self.tail_open = true;
        }
        let tail = self.segments.back_mut()?;
        tail.boundary = false;
        match &mut tail.content {
            Content::Packed(buffer) => Some(buffer),
            Content::Shared(_) => None,
        }
    }
}
