//! PURE. [`Flight`]: segments on their way to the kernel.
//!
//! Segments stay until all messages that begin in them are written, so that after a loss of the connection the first
//! message that was not wholly written goes again from its start: never half a message, never one twice.
#![deny(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation
)]

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::Buf;

use crate::segment::{Content, Segment};
use crate::zmtp::frame::Header;

/// Segments of one vectored write; Linux takes 1,024, and 64 of them fill any send buffer.
pub(crate) const SLICES: usize = 64;

/// Segments taken from a pipe, and how far they are written.
#[derive(Debug, Default)]
pub(crate) struct Flight {
    /// The first octet of the first segment begins a message.
    pub(crate) segments: VecDeque<Segment>,
    /// The segment that is being written, and how much of it is.
    index: usize,
    offset: usize,
}

impl Flight {
    pub(crate) fn is_empty(&self) -> bool {
        self.segments.is_empty()
    }

    /// Whether the next octet to write is the first of a message, so that a command may go before it.
    pub(crate) const fn at_boundary(&self) -> bool {
        self.index == 0 && self.offset == 0
    }

    /// Fills `slices` with what is to be written, only up to the next boundary if asked; returns how many it used.
    pub(crate) fn slices<'a>(&'a self, slices: &mut [IoSlice<'a>], to_boundary: bool) -> usize {
        let mut used = 0;
        let mut offset = self.offset;
        for (slice, segment) in slices.iter_mut().zip(self.segments.iter().skip(self.index)) {
            *slice = IoSlice::new(segment.as_slice().get(offset..).unwrap_or_default());
            offset = 0;
            used += 1;
            if to_boundary && segment.boundary {
                break;
            }
        }
        used
    }

    /// Counts `written` octets; segments that are done for good go to `done`.
    pub(crate) fn advance(&mut self, mut written: usize, done: &mut Vec<Segment>) {
        while let Some(segment) = self.segments.get(self.index) {
            let left = segment.len() - self.offset;
            if written < left {
                self.offset += written;
                return;
            }
            written -= left;
            self.offset = 0;
            self.index += 1;
            if segment.boundary {
                // Quicker than a drain for the one that it most often is.
                while self.index > 0 {
                    self.index -= 1;
                    done.extend(self.segments.pop_front());
                }
            }
        }
    }

    /// Goes back to the first message that was not wholly written, and returns the messages and octets before it.
    pub(crate) fn rewind(&mut self) -> (usize, usize) {
        let (segment, offset, messages) = self.last_boundary();
        let mut octets: usize = self.segments.drain(..segment).map(|done| done.len()).sum();
        if let Some(first) = self.segments.front_mut() {
            octets += offset;
            first.messages = first.messages.saturating_sub(messages.in_last);
            match &mut first.content {
                Content::Packed(buffer) => buffer.advance(offset),
                Content::Shared(body) => body.advance(offset),
            }
        }
        self.index = 0;
        self.offset = 0;
        (messages.all, octets)
    }

    /// The position behind the last message that is wholly written.
    fn last_boundary(&self) -> (usize, usize, Messages) {
        let (mut segment, mut offset) = (0, 0);
        let mut messages = Messages::default();
        let mut last = (0, 0, messages);
        while let Some(octets) = self.segments.get(segment).map(Segment::as_slice) {
            let Ok(Some(header)) = Header::parse(octets.get(offset..).unwrap_or_default()) else {
                break;
            };
            offset += header.len;
            let body = usize::try_from(header.body).unwrap_or(usize::MAX);
            if octets.len() - offset >= body {
                offset += body;
            } else {
                // The body of a large frame is the whole of the next segment.
                (segment, offset) = (segment + 1, body);
                messages.in_last = 0;
            }
            if (segment, offset) > (self.index, self.offset) {
                break;
            }
            messages.in_last += usize::from(!header.more());
            messages.all += usize::from(!header.more());
            if self
                .segments
                .get(segment)
                .is_some_and(|s| s.len() == offset)
            {
                (segment, offset) = (segment + 1, 0);
                messages.in_last = 0;
            }
            if !header.more() {
                last = (segment, offset, messages);
            }
        }
        last
    }
}

/// Messages wholly written: all, and those that end in the last segment that was touched.
#[derive(Clone, Copy, Debug, Default)]
struct Messages {
    all: usize,
    in_last: usize,
}

#[cfg(test)]
mod tests;
