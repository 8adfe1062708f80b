//! PURE. [`Decoder`]: messages out of the segments of one peer.
#![deny(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation
)]

use std::collections::VecDeque;

use bytes::Bytes;

use crate::Message;
use crate::frame::Frame;
use crate::segment::Segment;
use crate::zmtp::frame::Header;

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

impl Decoder {
    /// The next message; none if all segments are used up.
    #[inline]
    pub(crate) fn next(&mut self) -> Option<Message> {
        let (frame, more) = self.next_frame()?;
        if !more {
            return Some(Message::from(frame));
        }
        self.next_multipart(frame)
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

    #[inline]
    fn next_frame(&mut self) -> Option<(Frame, bool)> {
        if self.position == self.current.len() {
            self.next_segment()?;
        }
        let header = Header::parse(self.current.get(self.position..)?).ok()??;
        let start = self.position + header.len;
        let end = start.checked_add(usize::try_from(header.body).ok()?)?;
        self.consumed += end - self.position;
        let frame = match self.current.get(start..end) {
            Some(body) => {
                self.position = end;
                Frame::inline(body).unwrap_or_else(|| Frame::from(self.current.slice(start..end)))
            }
            // The body of a large frame is a segment of its own.
            None => {
                self.next_segment()?;
                Frame::from(std::mem::take(&mut self.current))
            }
        };
        Some((frame, header.more()))
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
        let octets = [&[0, 38][..], &[1; 38], &[0, 39], &[2; 39]].concat();
        let mut decoder = decoder(&[&octets]);
        assert!(decoder.next().unwrap()[0].shared().is_none());
        let segment = decoder.current.clone();
        let sliced = decoder.next().unwrap();
        assert_eq!(sliced[0].as_ptr(), segment[42..].as_ptr());
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
