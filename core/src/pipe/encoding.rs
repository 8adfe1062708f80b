//! Messages into the segments of a pipe: what is small by copy, what is large by reference.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

use super::state::State;
use crate::decode::Decoder;
use crate::encoded::{Encoded, SHARED_OVER};
use crate::frame::Frame;
use crate::segment::{Content, RawMessage, Segment, SegmentPool};
use crate::zmtp::frame::put_header;

/// A body up to this size, in bytes, is copied into a packed segment; a larger one goes by reference count.
pub(crate) const COPY_MAX: usize = 8 * 1024;
/// A packed segment closes at this size, in bytes.
const SEGMENT_BYTES: usize = 64 * 1024;

impl State {
    pub(super) fn encode(&mut self, pool: &SegmentPool, envelope: &[Frame], frames: &[Frame]) {
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
    pub(super) fn copy(
        &mut self,
        pool: &SegmentPool,
        envelope: &[Frame],
        message: &RawMessage<'_>,
    ) {
        let mut bytes = message.range.len();
        for frame in envelope {
            bytes += self.encode_frame(pool, frame, true);
        }
        if message.range.len() > COPY_MAX && message.is_most_of_its_piece() {
            self.segments
                .push_back(Segment::shared(message.to_bytes(), 0, true));
            self.tail_open = false;
        } else if let Some(tail) = self.open_tail(pool) {
            tail.extend_from_slice(message.as_slice());
        }
        self.end_message(bytes);
    }

    pub(super) fn append_encoded(&mut self, pool: &SegmentPool, message: &Encoded) {
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

    /// Appends several small messages, the first `bytes` of a batch: by reference, unless that costs more than a copy or
    /// keeps much memory for little.
    pub(super) fn append_batch(
        &mut self,
        pool: &SegmentPool,
        (batch, bytes): (&Bytes, usize),
        messages: usize,
    ) {
        if self.conflated.is_some() {
            let all = Segment::shared(batch.slice(..bytes), messages, true);
            self.encode_each(pool, VecDeque::from([all]));
            return;
        }
        if bytes > SHARED_OVER && bytes >= batch.len() / 2 {
            let octets = batch.slice(..bytes);
            self.segments.push_back(Segment::shared(octets, 0, false));
            self.tail_open = false;
        } else if let Some(tail) = self.open_tail(pool) {
            tail.extend_from_slice(batch.get(..bytes).unwrap_or_default());
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
        if self.conflated.is_some() {
            self.tail_open = false;
            let message = std::mem::take(&mut self.segments);
            self.conflate(message, self.to_front);
        }
    }

    /// Puts the message that is here, which counts already, among those that a later one takes the place of.
    pub(super) fn conflate(&mut self, message: VecDeque<Segment>, to_front: bool) {
        let Some(conflated) = &mut self.conflated else {
            return;
        };
        let replaced = if to_front {
            conflated.put_first(message)
        } else {
            conflated.put(message)
        };
        if let Some(bytes) = replaced {
            self.queued = self.queued.saturating_sub(1);
            self.queued_bytes = self.queued_bytes.saturating_sub(bytes);
        }
    }

    /// Encodes the messages of these segments one by one.
    pub(super) fn encode_each(&mut self, pool: &SegmentPool, segments: VecDeque<Segment>) {
        let mut decoder = Decoder::default();
        decoder.segments = segments;
        while let Some(message) = decoder.next() {
            self.encode(pool, &[], message.frames());
        }
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
