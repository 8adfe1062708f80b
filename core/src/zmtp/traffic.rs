//! PURE. [`Traffic`]: from octets read to segments of whole messages and commands cut out.
//!
//! ```text
//! read ──► read buffer ──walk──► whole messages ──take──► segments for the pipe
//!              │  └─ a command ──► handled, cut out
//!              └─ a large body ──► a buffer of its own, then a segment
//! ```
//!
//! The walk looks at headers only. Nothing is copied but the beginning of a large body and what a full read buffer ends
//! with, and no more is reserved than for what has arrived: what a header claims counts for nothing. Which memory is read
//! into ([`ReadBuffer`]) changes nothing that can be seen. For a publisher the walk also looks at the first octet of
//! frames that may be subscriptions.
#![deny(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation
)]

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut, buf::Limit};

use super::frame::Header;
use crate::read_buffer::{LargeBody, READ_LARGEST, ReadBuffer};
use crate::segment::{Content, Segment};
use aside::Kind;
pub(crate) use aside::{Aside, Subscriptions};
pub use fault::PeerMisbehaved;

mod aside;
mod fault;

/// The longest command, in bytes: SUBSCRIBE with a topic of 64 KiB fits.
pub(crate) const COMMAND_MAX: usize = 128 * 1024;
/// Frames of one message. A received frame takes 40 bytes of memory beside its body, so many empty ones cost much.
const MESSAGE_FRAMES_MAX: usize = 64 * 1024;
/// All frames of one message together are at most this many times the limit of one frame.
const MESSAGE_SIZE_FACTOR: u64 = 4;
/// The largest frame of the protocol, in bytes (RFC 37, Framing: sizes are below 2^63).
const FRAME_MAX: u64 = i64::MAX as u64;
/// Subscriptions between the frames of one message, or that are frames of it: ours and libzmq's send none between them.
const INTERRUPTIONS_MAX: usize = 64;
/// An incomplete body from this size on, in bytes, is read into a buffer of its own; to move a smaller one is cheaper than
/// a read for it alone.
const LARGE_BODY: usize = 128 * 1024;

/// The inbound half of a connection after the handshake.
#[derive(Debug)]
pub(crate) struct Traffic {
    buffer: ReadBuffer,
    /// Offset of the first header in `buffer` that is not walked.
    walked: usize,
    /// Offset behind the last whole message in `buffer`, and how many end before it.
    whole: usize,
    whole_messages: usize,
    /// What stood before `buffer`: whole messages first, then perhaps the beginning of one.
    ready: VecDeque<Segment>,
    /// Octets that have left `buffer` since `ready` was empty: its segments, and the commands that were among them.
    held: usize,
    /// The body that is being read into memory of its own, and whether its message goes on behind it.
    large: Option<(LargeBody, bool)>,
    /// The message that is being walked: its frames and their bytes so far.
    frames: usize,
    bytes: u64,
    /// Subscriptions that stood between them, or are some of them, and that the owner is told of.
    interruptions: usize,
    max_frame: u64,
    subscriptions: Subscriptions,
}

impl Traffic {
    /// `early` is what was read behind the handshake; `max_frame` the limit of one frame's body.
    pub(crate) fn new(early: BytesMut, max_frame: Option<u64>) -> Self {
        Self {
            buffer: ReadBuffer::new(early),
            walked: 0,
            whole: 0,
            whole_messages: 0,
            ready: VecDeque::new(),
            held: 0,
            large: None,
            frames: 0,
            interruptions: 0,
            bytes: 0,
            max_frame: max_frame.map_or(FRAME_MAX, |limit| limit.min(FRAME_MAX)),
            subscriptions: Subscriptions::Ignored,
        }
    }

    /// Looks for subscriptions from now on.
    pub(crate) const fn set_subscriptions(&mut self, subscriptions: Subscriptions) {
        self.subscriptions = subscriptions;
    }

    /// Where the next octets from the network go, and how many at most.
    pub(crate) fn read_target(&mut self) -> Limit<&mut BytesMut> {
        match &mut self.large {
            Some((body, _)) => body.target(),
            None => self.buffer.target(),
        }
    }

    /// Tells that `read` octets of a target of `offered` were filled; then walk.
    pub(crate) fn filled(&mut self, read: usize, offered: usize) {
        if self.large.is_none() {
            self.buffer.filled(read, offered);
        }
    }

    /// Gives the read buffer back if little waits in it, so that an idle connection owns none.
    pub(crate) fn release(&mut self) {
        self.buffer.release();
    }

    /// Whether the octets that come next belong to a body that has memory of its own.
    pub(crate) const fn is_in_large_body(&self) -> bool {
        self.large.is_some()
    }

    /// Whether as much was read as one read buffer holds and waits here: the time to stop if nobody takes it.
    pub(crate) fn is_full(&self) -> bool {
        self.large.is_some() || self.held + self.buffer.octets.len() >= READ_LARGEST
    }

    /// Looks at all headers that have arrived; `aside` gets what is not part of a message, in order, and may give an
    /// encoded message to stand in its place.
    pub(crate) fn walk(
        &mut self,
        aside: &mut impl FnMut(Aside<'_>) -> Result<Option<Bytes>, PeerMisbehaved>,
    ) -> Result<(), PeerMisbehaved> {
        if !self.finish_large() {
            return Ok(());
        }
        while let Some(header) =
            Header::parse(self.buffer.octets.get(self.walked..).unwrap_or_default())?
        {
            match self.kind(header) {
                Kind::Message => {}
                Kind::Subscription if self.frames > 0 => {
                    if !self.tell_aside(header, aside)? {
                        return Ok(());
                    }
                }
                Kind::Subscription | Kind::Command => {
                    if !self.cut_aside(header, aside)? {
                        return Ok(());
                    }
                    continue;
                }
                Kind::Unknown => return Ok(()),
            }
            self.check_limits(header)?;
            let Ok(body) = usize::try_from(header.body) else {
                return Ok(());
            };
            let end = self.walked.saturating_add(header.len).saturating_add(body);
            if end > self.buffer.octets.len() {
                if body >= LARGE_BODY {
                    self.begin_large(header, body);
                }
                return Ok(());
            }
            self.walked = end;
            self.end_frame(header.body, header.more());
            if !header.more() {
                self.whole = end;
                self.whole_messages += 1;
            }
        }
        Ok(())
    }

    /// Moves at most `room` whole messages, as segments, into `into`; those that stand for subscriptions need no room.
    pub(crate) fn take(&mut self, room: usize, into: &mut VecDeque<Segment>) {
        let begin = into.len();
        let room = self.take_ready(room, into);
        let taken: usize = into.range(begin..).map(Segment::len).sum();
        self.held = self.held.saturating_sub(taken);
        if self.whole_messages > 0 && room > 0 {
            if !self.ready.is_empty() {
                into.append(&mut self.ready);
            }
            let messages = self.whole_messages.min(room);
            let len = if messages == self.whole_messages {
                self.whole
            } else {
                len_of_messages(&self.buffer.octets, messages)
            };
            into.extend(self.cut(len, messages, true));
        }
        if self.ready.is_empty() {
            self.held = 0;
        }
    }

    /// Moves messages that end before the read buffer, and returns how much room is left.
    fn take_ready(&mut self, mut room: usize, into: &mut VecDeque<Segment>) -> usize {
        while let Some(last) = self.ready.iter().position(|segment| segment.boundary) {
            let Some(segment) = self.ready.get_mut(last) else {
                return 0;
            };
            if segment.is_event {
                into.extend(self.ready.drain(..=last));
                continue;
            }
            if room == 0 {
                return 0;
            }
            if segment.messages > room {
                let front = split_off_front(segment, room);
                into.extend(self.ready.drain(..last).chain(front));
                return 0;
            }
            room -= segment.messages;
            into.extend(self.ready.drain(..=last));
        }
        room
    }

    /// Whether whole messages wait for room.
    pub(crate) fn has_messages(&self) -> bool {
        self.whole_messages > 0 || self.ready.iter().any(|segment| segment.boundary)
    }

    fn check_limits(&self, header: Header) -> Result<(), PeerMisbehaved> {
        if header.body > self.max_frame {
            return Err(PeerMisbehaved::FrameTooLarge {
                size: header.body,
                limit: self.max_frame,
            });
        }
        let limit = self.max_frame.saturating_mul(MESSAGE_SIZE_FACTOR);
        if self.bytes.saturating_add(header.body) > limit {
            return Err(PeerMisbehaved::MessageTooLarge { limit });
        }
        if self.frames >= MESSAGE_FRAMES_MAX {
            return Err(PeerMisbehaved::TooManyFrames {
                limit: MESSAGE_FRAMES_MAX,
            });
        }
        Ok(())
    }

    const fn end_frame(&mut self, body: u64, more: bool) {
        if more {
            self.frames += 1;
            self.bytes += body;
        } else {
            self.frames = 0;
            self.bytes = 0;
            self.interruptions = 0;
        }
    }

    /// Moves everything that is walked out of the read buffer, whole messages and the beginning of the next apart.
    fn set_aside(&mut self) {
        let begun = self.walked - self.whole;
        let whole = self.cut(self.whole, self.whole_messages, true);
        if let Some(whole) = whole {
            self.hold(whole);
        }
        if begun > 0 {
            let begun = self.buffer.cut_begun(begun);
            self.walked = 0;
            self.hold(Segment::shared(begun, 0, false));
        }
    }

    fn hold(&mut self, segment: Segment) {
        self.held += segment.len();
        self.ready.push_back(segment);
    }

    /// Cuts `len` octets, in which `messages` end, from the front of the read buffer.
    fn cut(&mut self, len: usize, messages: usize, boundary: bool) -> Option<Segment> {
        if len == 0 {
            return None;
        }
        let octets = self.buffer.cut(len, self.whole.max(len));
        self.walked -= len;
        self.whole = self.whole.saturating_sub(len);
        self.whole_messages -= messages;
        Some(Segment::shared(octets, messages, boundary))
    }

    /// The body behind `header` gets a buffer of its own, of no more than has arrived or is small.
    fn begin_large(&mut self, header: Header, len: usize) {
        self.walked += header.len;
        self.set_aside();
        let body = LargeBody::new(len, &self.buffer.octets.split());
        self.large = Some((body, header.more()));
    }

    /// Completes the large body if all of it has arrived; tells whether the walk may go on.
    fn finish_large(&mut self) -> bool {
        match self.large.take() {
            Some((body, more)) if body.is_whole() => {
                let octets = body.into_octets();
                self.end_frame(octets.len() as u64, more);
                self.hold(Segment::shared(octets, usize::from(!more), !more));
                self.buffer.expect_large();
                true
            }
            None => true,
            unfinished => {
                self.large = unfinished;
                false
            }
        }
    }
}

/// How many octets the first `messages` whole messages of `octets` take.
fn len_of_messages(octets: &[u8], messages: usize) -> usize {
    let mut end = 0;
    let mut seen = 0;
    while seen < messages {
        let Ok(Some(header)) = Header::parse(octets.get(end..).unwrap_or_default()) else {
            break;
        };
        end += header.len + usize::try_from(header.body).unwrap_or(0);
        seen += usize::from(!header.more());
    }
    end
}

/// Splits the first `messages` messages off a segment that holds whole messages only, and more than those.
fn split_off_front(segment: &mut Segment, messages: usize) -> Option<Segment> {
    let Content::Shared(octets) = &mut segment.content else {
        return None;
    };
    let front = octets.split_to(len_of_messages(octets, messages));
    segment.messages -= messages;
    Some(Segment::shared(front, messages, true))
}

#[cfg(any(test, fuzzing))]
pub(crate) mod driver;
#[cfg(test)]
mod tests;
