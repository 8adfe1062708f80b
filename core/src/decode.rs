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
