//! PURE. [`Decoder`]: messages out of the segments of one peer.
#![deny(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation
)]

use std::collections::VecDeque;

use bytes::{Buf as _, Bytes, BytesMut};

use crate::Message;
use crate::frame::Frame;
use crate::segment::{RawMessage, Segment};
use crate::zmtp::frame::{Header, put_header};

/// Messages out of the segments of one peer, one at a time, in the task that receives them.
///
/// Segments hold whole messages only, each with valid headers: whoever published them has walked or written them.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    /// Segments taken from the pipe and not begun.
    pub(crate) segments: VecDeque<Segment>,
    current: Bytes,
    position: usize,
    consumed: usize,
}

/// Frames for which a multipart message reserves memory when its second frame is found.
const USUAL_FRAMES: usize = 8;

/// Segments for which one that is used again keeps memory.
const USUAL_SEGMENTS: usize = 16;

impl Decoder {
    /// Whether there is a next message.
    pub(crate) fn has_next(&self) -> bool {
        self.position < self.current.len() || !self.segments.is_empty()
    }

    /// The next message; none if all segments are used up.
    pub(crate) fn next(&mut self) -> Option<Message> {
        if let Some(frame) = self.next_small().or_else(|| self.next_slice()) {
            return Some(Message::from(frame));
        }
        let (frame, more) = self.next_frame()?;
        if !more {
            return Some(Message::from(frame));
        }
        self.next_multipart(frame)
    }

    /// The next message if it is one short frame in the segment at hand; none says nothing.
    #[inline]
    pub(crate) fn next_small(&mut self) -> Option<Frame> {
        let ([0, size], rest) = self.current.get(self.position..)?.split_first_chunk()? else {
            return None;
        };
        let frame = Frame::inline_prefix(rest, usize::from(*size))?;
        let encoded = 2 + usize::from(*size);
        self.position += encoded;
        self.consumed += encoded;
        Some(frame)
    }

    /// The next message if it is one frame in the segment at hand, and not the last there; none says nothing.
    #[inline]
    fn next_slice(&mut self) -> Option<Frame> {
        let header = Header::parse(self.current.get(self.position..)?).ok()??;
        if header.more() {
            return None;
        }
        let start = self.position + header.len;
        let end = start.checked_add(usize::try_from(header.body).ok()?)?;
        if end >= self.current.len() {
            return None;
        }
        let body = self.current.slice(start..end);
        self.consumed += end - self.position;
        self.position = end;
        Some(Frame::from(body))
    }

    fn next_multipart(&mut self, first: Frame) -> Option<Message> {
        let mut frames = Vec::with_capacity(USUAL_FRAMES);
        frames.push(first);
        loop {
            let (frame, more) = self.next_frame()?;
            frames.push(frame);
            if !more {
                return Message::from_frames(frames);
            }
        }
    }

    fn next_frame(&mut self) -> Option<(Frame, bool)> {
        if self.position == self.current.len() {
            self.next_segment()?;
        }
        let header = Header::parse(self.current.get(self.position..)?).ok()??;
        let start = self.position + header.len;
        let end = start.checked_add(usize::try_from(header.body).ok()?)?;
        self.consumed += end - self.position;
        let frame = match self.current.get(start..) {
            Some(rest) if rest.len() >= end - start => {
                self.position = end;
                match Frame::inline_prefix(rest, end - start) {
                    Some(frame) => frame,
                    None if end < self.current.len() => Frame::from(self.current.slice(start..end)),
                    None => Frame::from(self.rest(start)),
                }
            }
            // The body of a large frame is a segment of its own.
            _ => {
                self.next_segment()?;
                Frame::from(std::mem::take(&mut self.current))
            }
        };
        Some((frame, header.more()))
    }

    /// What is left of the segment at hand from `start` on: the last of all takes it over, without counting references.
    fn rest(&mut self, start: usize) -> Bytes {
        self.position = 0;
        let mut rest = std::mem::take(&mut self.current);
        rest.advance(start);
        rest
    }

    /// The next message as it stands encoded, if all of it is in one piece; [`skip`](Self::skip) uses it up.
    #[inline]
    pub(crate) fn peek(&mut self) -> Option<RawMessage<'_>> {
        if self.position == self.current.len() {
            self.next_segment()?;
        }
        let (mut end, mut frames, mut body) = (self.position, 0, 0);
        loop {
            let header = Header::parse(self.current.get(end..)?).ok()??;
            end = end.checked_add(header.len)?;
            end = end.checked_add(usize::try_from(header.body).ok()?)?;
            if end > self.current.len() {
                return None;
            }
            frames += 1;
            body += header.body;
            if !header.more() {
                return Some(RawMessage {
                    piece: &self.current,
                    range: self.position..end,
                    frames,
                    body,
                });
            }
        }
    }

    /// Uses up a message of so many octets that was [peeked](Self::peek) at.
    pub(crate) const fn skip(&mut self, octets: usize) {
        self.position += octets;
        self.consumed += octets;
    }

    /// Puts the message that was decoded last back before everything else.
    pub(crate) fn put_back(&mut self, message: Message) {
        let rest = self.current.split_off(self.position);
        if !rest.is_empty() {
            self.segments.push_front(Segment::shared(rest, 0, true));
        }
        (self.current, self.position) = (Bytes::new(), 0);
        let mut more = false;
        for frame in message.into_iter().rev() {
            let mut header = BytesMut::new();
            put_header(&mut header, more, frame.len());
            more = true;
            // Its own header may have been longer; the difference stays used up.
            self.consumed -= header.len() + frame.len();
            if !frame.is_empty() {
                self.segments
                    .push_front(Segment::shared(frame.into_bytes(), 0, false));
            }
            self.segments
                .push_front(Segment::shared(header.freeze(), 0, false));
        }
    }

    /// This one without anything in it; some of what it has reserved is used again.
    pub(crate) fn cleared(mut self) -> Self {
        self.segments.clear();
        self.segments.shrink_to(USUAL_SEGMENTS);
        Self {
            segments: self.segments,
            ..Self::default()
        }
    }

    /// How many encoded octets were used up since this was last asked.
    pub(crate) const fn take_consumed(&mut self) -> usize {
        std::mem::replace(&mut self.consumed, 0)
    }

    fn next_segment(&mut self) -> Option<()> {
        self.current = self.segments.pop_front()?.into_bytes();
        self.position = 0;
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoder(segments: &[&[u8]]) -> Decoder {
        let shared = |octets: &&[u8]| Segment::shared(Bytes::copy_from_slice(octets), 0, true);
        Decoder {
            segments: segments.iter().map(shared).collect(),
            ..Decoder::default()
        }
    }

    /// A message may begin in one segment and end in another, at any frame.
    #[test]
    fn messages_go_across_segments() {
        let mut decoder = decoder(&[b"\x00\x01a\x01\x01b", b"\x01\x00", b"\x00\x01c\x00\x00"]);
        assert_eq!(decoder.next(), Some(Message::from("a")));
        let three = [Frame::from("b"), Frame::empty(), Frame::from("c")];
        assert_eq!(decoder.next(), Some(three.into()));
        assert_eq!(decoder.next(), Some(Message::from("")));
        assert_eq!(decoder.next(), None);
    }

    /// A body that fits in a frame is copied; a larger one is a slice of what was read.
    #[test]
    fn small_bodies_are_values_and_others_slices() {
        let octets = [&[0, 31][..], &[1; 31], &[0, 32], &[2; 32]].concat();
        let mut decoder = decoder(&[&octets]);
        assert!(decoder.next().unwrap()[0].shared().is_none());
        let segment = decoder.current.clone();
        let sliced = decoder.next().unwrap();
        assert_eq!(sliced[0].as_ptr(), segment[35..].as_ptr());
    }

    #[test]
    fn the_body_of_a_large_frame_is_its_segment() {
        let large = vec![7; 10_000];
        let header = b"\x00\x01a\x03\0\0\0\0\0\0\x27\x10";
        let mut decoder = decoder(&[header, &large, b"\x00\x01z"]);
        let segment = decoder.segments[1].as_slice().as_ptr();
        assert_eq!(decoder.next(), Some(Message::from("a")));
        let message = decoder.next().unwrap();
        assert_eq!((message[0].as_ptr(), message[0].len()), (segment, 10_000));
        assert_eq!(message[1], "z");
        assert_eq!(decoder.take_consumed(), 3 + 9 + 10_000 + 3);
        assert_eq!(decoder.take_consumed(), 0);
    }

    /// A message in one piece can be looked at without using it up; one that is not can be put back.
    #[test]
    fn a_message_that_nobody_takes_stays_the_next() {
        let large = vec![7; 10_000];
        let octets = b"\x01\x01a\x03\0\0\0\0\0\0\0\x01b\x00\x00\x00\x01z\x03\0\0\0\0\0\0\x27\x10";
        let mut decoder = decoder(&[octets, &large, b"\x00\x02yz\x00\x01x"]);
        let message = Message::from([Frame::from("a"), Frame::from("b"), Frame::empty()]);
        for _ in 0..2 {
            assert_eq!(decoder.peek().unwrap().as_slice(), &octets[..15]);
        }
        assert_eq!(decoder.take_consumed(), 0);
        assert_eq!(decoder.next(), Some(message));
        assert_eq!(decoder.peek().unwrap().as_slice(), b"\x00\x01z");
        decoder.skip(3);
        assert_eq!(decoder.take_consumed(), 18);

        let message = Message::from([Frame::from(large), Frame::from("yz")]);
        for _ in 0..3 {
            assert!(decoder.peek().is_none());
            let decoded = decoder.next().unwrap();
            assert_eq!(decoded, message);
            decoder.put_back(decoded);
            assert_eq!(decoder.consumed, 0);
        }
        assert_eq!(decoder.next(), Some(message));
        assert_eq!(decoder.take_consumed(), 9 + 10_000 + 4);
        assert_eq!(decoder.next(), Some(Message::from("x")));
        assert!(decoder.peek().is_none());
        assert_eq!(decoder.next(), None);
    }

    /// What is used up stays exact, although a header that is put back is as short as it can be.
    #[test]
    fn a_message_with_a_long_header_is_put_back_with_a_short_one() {
        let mut decoder = decoder(&[b"\x02\0\0\0\0\0\0\0\x01a\x00\x01b"]);
        let message = decoder.next().unwrap();
        decoder.put_back(message);
        assert_eq!(decoder.next(), Some(Message::from("a")));
        assert_eq!(decoder.next(), Some(Message::from("b")));
        assert_eq!(decoder.take_consumed(), 13);
    }

    #[test]
    fn segments_may_come_later() {
        let mut decoder = decoder(&[]);
        assert_eq!(decoder.next(), None);
        decoder
            .segments
            .push_back(Segment::shared(Bytes::from_static(b"\x00\x01a"), 1, true));
        assert_eq!(decoder.next(), Some(Message::from("a")));
        assert_eq!(decoder.next(), None);
    }
}
