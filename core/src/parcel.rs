//! PURE. [`Parcel`]: a message that is passed from one socket on to another, frames as they are.
#![deny(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation
)]

use crate::decode::Decoder;
use crate::frame::Frame;
use crate::message::Message;
use crate::pipe::{Pipe, Refused};
use crate::segment::{RawMessage, Segment};
use crate::zmtp::frame::Header;

/// A message that is passed on: encoded in one piece, so that it is copied and not decoded, or else its frames.
#[derive(Clone, Debug)]
pub(crate) enum Parcel<'a> {
    Raw(RawMessage<'a>),
    Frames(&'a [Frame]),
}

impl Parcel<'_> {
    /// The first frame's body, and the message that the others make; none if there are no others.
    pub(crate) fn split_first(&self) -> Option<(&[u8], Parcel<'_>)> {
        match self {
            Self::Frames([first, rest @ ..]) if !rest.is_empty() => {
                Some((first, Parcel::Frames(rest)))
            }
            Self::Frames(_) => None,
            Self::Raw(raw) => {
                let header = Header::parse(raw.as_slice()).ok()??;
                let begin = raw.range.start + header.len;
                let end = begin.checked_add(usize::try_from(header.body).ok()?)?;
                let rest = RawMessage {
                    piece: raw.piece,
                    range: end..raw.range.end,
                    frames: raw.frames.saturating_sub(1),
                    body: raw.body.saturating_sub(header.body),
                };
                let first = raw.piece.get(begin..end)?;
                header.more().then_some((first, Parcel::Raw(rest)))
            }
        }
    }

    /// The message itself.
    pub(crate) fn to_message(&self) -> Option<Message> {
        match self {
            Self::Raw(raw) => {
                let mut decoder = Decoder::default();
                let octets = Segment::shared(raw.to_bytes(), 1, true);
                decoder.segments.push_back(octets);
                decoder.next()
            }
            Self::Frames(frames) => Message::from_frames(frames.to_vec()),
        }
    }

    /// How many frames, and the bytes of all bodies together.
    pub(crate) fn measure(&self) -> (u64, u64) {
        match self {
            Self::Frames(frames) => {
                let bytes = frames.iter().map(|frame| frame.len() as u64).sum();
                (frames.len() as u64, bytes)
            }
            Self::Raw(raw) => (raw.frames, raw.body),
        }
    }

    /// Puts it into a pipe, with `envelope` before it: all of it or nothing.
    pub(crate) fn publish(&self, envelope: &[Frame], pipe: &Pipe) -> Result<(), Refused> {
        match self {
            Self::Raw(raw) => pipe.publish_raw(envelope, raw),
            Self::Frames(frames) => pipe.publish_frames(envelope, frames),
        }
    }
}
