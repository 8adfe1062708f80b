//! What queues, workers and clients send one another (RFC 6, and the guide's Simple Pirate). PURE.
//!
//! ```text
//! worker   →  READY      01              HEARTBEAT  02      REPLY    address · ∅ · body
//! queue    →                             HEARTBEAT  02      REQUEST  address · ∅ · body
//! ```
//!
//! A worker that is a REQ socket, as those of the Simple Pirate and of the load-balancing broker are, has an empty frame
//! before each message, sends no heartbeats, and says READY as `∅ · 01` or `∅ · "READY"`. So a queue can tell the two
//! apart by each message, and serves both.
//!
//! GOODBYE (03) is ours, and used only between two that both announced themselves: the worker takes no more requests.
#![deny(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation
)]

use privateer_core::{Frame, Message};

pub use crate::majordomo::protocol::Malformed;

/// How many frames a message may have, if nothing else is said.
pub(crate) const MAX_FRAMES: usize = 1024;

const READY: [u8; 1] = [1];
const HEARTBEAT: [u8; 1] = [2];
const GOODBYE: [u8; 1] = [3];
const LB_READY: &[u8] = b"READY";

/// Addresses before the empty frame, as many hops as a request may have made.
const MAX_ENVELOPE: usize = 8;

/// How a worker frames its messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Framing {
    /// A DEALER with heartbeats (RFC 6).
    Paranoid,
    /// A REQ without heartbeats: each message begins with an empty frame.
    Simple,
}

/// What a worker says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FromWorker {
    /// It takes requests.
    Ready,
    /// It lives.
    Heartbeat,
    /// It takes no more requests.
    Goodbye,
    /// The answer to a request.
    Reply {
        /// The address of the request, as it was given: one frame or more.
        address: Message,
        /// The answer.
        body: Message,
    },
}

/// What a queue says to a worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToWorker {
    /// It lives.
    Heartbeat,
    /// Work on this.
    Request {
        /// Comes back with the answer: one frame or more.
        address: Message,
        /// What is asked.
        body: Message,
    },
}

/// A request of a client or the reply to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientMessage {
    /// What stands before the empty frame: nothing for a REQ, its request's number for a REQ that correlates.
    pub envelope: Option<Message>,
    /// What is asked, or answered.
    pub body: Message,
}

impl FromWorker {
    /// Reads what a queue received, in either framing.
    ///
    /// READY is exactly one frame of exactly that content, so a reply whose address begins with 01 is a reply.
    ///
    /// # Errors
    /// [`Malformed`] if this is nothing that a worker says, or has more than `max_frames` frames; there is no other.
    pub fn read(message: Message, max_frames: usize) -> Result<(Framing, Self), Malformed> {
        let (framing, frames) = unframed(message, max_frames)?;
        let said = match (framing, frames.as_slice()) {
            (_, [control]) if *control == READY => Self::Ready,
            (Framing::Simple, [control]) if *control == *LB_READY => Self::Ready,
            (Framing::Paranoid, [control]) if *control == HEARTBEAT => Self::Heartbeat,
            (Framing::Paranoid, [control]) if *control == GOODBYE => Self::Goodbye,
            (_, [_]) => return Err(Malformed::UnknownCommand),
            _ => {
                let (address, body) = addressed(frames)?;
                Self::Reply { address, body }
            }
        };
        Ok((framing, said))
    }

    /// The message as it is sent; a Simple worker has no word for HEARTBEAT and GOODBYE.
    #[must_use]
    pub fn into_message(self, framing: Framing) -> Option<Message> {
        match (self, framing) {
            (Self::Ready, _) => Some(framed(framing, vec![Frame::from(READY)])),
            (Self::Reply { address, body }, _) => Some(framed(framing, joined(address, body))),
            (Self::Heartbeat, Framing::Paranoid) => Some(Message::from(HEARTBEAT)),
            (Self::Goodbye, Framing::Paranoid) => Some(Message::from(GOODBYE)),
            (Self::Heartbeat | Self::Goodbye, Framing::Simple) => None,
        }
    }
}

impl ToWorker {
    /// Reads what a worker of this framing received.
    ///
    /// # Errors
    /// [`Malformed`] if this is nothing that a queue says, or has more than `max_frames` frames; there is no other.
    pub fn read(message: Message, framing: Framing, max_frames: usize) -> Result<Self, Malformed> {
        let (found, frames) = unframed(message, max_frames)?;
        if found != framing {
            return Err(Malformed::WorkerEnvelope);
        }
        match frames.as_slice() {
            [control] if *control == HEARTBEAT => Ok(Self::Heartbeat),
            [_] => Err(Malformed::UnknownCommand),
            _ => addressed(frames).map(|(address, body)| Self::Request { address, body }),
        }
    }

    /// The message as it is sent.
    #[must_use]
    pub fn into_message(self, framing: Framing) -> Message {
        match self {
            Self::Heartbeat => Message::from(HEARTBEAT),
            Self::Request { address, body } => framed(framing, joined(address, body)),
        }
    }
}

impl ClientMessage {
    /// Reads what a queue received from a client.
    ///
    /// # Errors
    /// [`Malformed`] if there is no empty frame, nothing after it, or more than `max_frames` frames; there is no other.
    pub fn read(message: Message, max_frames: usize) -> Result<Self, Malformed> {
        if message.len() > max_frames {
            return Err(Malformed::TooManyFrames);
        }
        let (envelope, body) = split(message.into_frames())?;
        Ok(Self { envelope, body })
    }

    /// The message as it is sent.
    #[must_use]
    pub fn into_message(self) -> Message {
        let envelope = self.envelope.map(Message::into_frames).unwrap_or_default();
        let frames = envelope.into_iter().chain([Frame::empty()]);
        let frames = frames.chain(self.body).collect();
        Message::from_frames(frames).unwrap_or_else(|| Message::from(Frame::empty()))
    }
}

/// The framing, and the frames without the empty one that belongs to it.
fn unframed(message: Message, max_frames: usize) -> Result<(Framing, Vec<Frame>), Malformed> {
    if message.len() > max_frames {
        return Err(Malformed::TooManyFrames);
    }
    let mut frames = message.into_frames();
    match frames.first() {
        Some(first) if first.is_empty() => {
            frames.remove(0);
            match frames.is_empty() {
                true => Err(Malformed::NoCommand),
                false => Ok((Framing::Simple, frames)),
            }
        }
        _ => Ok((Framing::Paranoid, frames)),
    }
}

fn framed(framing: Framing, mut frames: Vec<Frame>) -> Message {
    if framing == Framing::Simple {
        frames.insert(0, Frame::empty());
    }
    Message::from_frames(frames).unwrap_or_else(|| Message::from(Frame::empty()))
}

fn joined(address: Message, body: Message) -> Vec<Frame> {
    let delimiter = [Frame::empty()];
    address.into_iter().chain(delimiter).chain(body).collect()
}

fn addressed(frames: Vec<Frame>) -> Result<(Message, Message), Malformed> {
    match split(frames)? {
        (Some(address), body) => Ok((address, body)),
        (None, _) => Err(Malformed::NoAddress),
    }
}

/// What stands before the first empty frame, and what stands after it.
fn split(mut frames: Vec<Frame>) -> Result<(Option<Message>, Message), Malformed> {
    let mut first = frames.iter().take(MAX_ENVELOPE + 1);
    let delimiter = first
        .position(Frame::is_empty)
        .ok_or(Malformed::NoDelimiter)?;
    let body = Message::from_frames(frames.split_off(delimiter + 1)).ok_or(Malformed::NoBody)?;
    frames.truncate(delimiter);
    Ok((Message::from_frames(frames), body))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(frames: &[&[u8]]) -> Message {
        Message::from_frames(frames.iter().map(|frame| Frame::from(*frame)).collect()).unwrap()
    }

    fn read(frames: &[&[u8]]) -> Result<(Framing, FromWorker), Malformed> {
        FromWorker::read(message(frames), MAX_FRAMES)
    }

    /// The exact frames of the guide's programs.
    #[test]
    fn what_is_sent_is_what_the_guide_sends() {
        let ready = |framing| FromWorker::Ready.into_message(framing);
        assert_eq!(ready(Framing::Simple), Some(message(&[b"", b"\x01"])));
        assert_eq!(ready(Framing::Paranoid), Some(message(&[b"\x01"])));
        let beat = FromWorker::Heartbeat.into_message(Framing::Paranoid);
        assert_eq!(beat, Some(message(&[b"\x02"])));
        assert_eq!(FromWorker::Heartbeat.into_message(Framing::Simple), None);
        let request = || ToWorker::Request {
            address: Message::from(&[0, 0x6b, 0x8b, 0x45, 0x67]),
            body: Message::from("Hi"),
        };
        let expected: [&[u8]; 3] = [b"\x00\x6b\x8b\x45\x67", b"", b"Hi"];
        assert_eq!(
            request().into_message(Framing::Paranoid),
            message(&expected)
        );
        let expected: [&[u8]; 4] = [b"", b"\x00\x6b\x8b\x45\x67", b"", b"Hi"];
        assert_eq!(request().into_message(Framing::Simple), message(&expected));
    }

    /// LB-2: both spellings, and nothing that only begins with them.
    #[test]
    fn ready_is_matched_exactly() {
        assert_eq!(read(&[b"\x01"]), Ok((Framing::Paranoid, FromWorker::Ready)));
        for spelling in [b"\x01".as_slice(), b"READY"] {
            assert_eq!(
                read(&[b"", spelling]),
                Ok((Framing::Simple, FromWorker::Ready))
            );
        }
        for wrong in [b"\x01x".as_slice(), b"READYx", b"", b"\x04", b"\x02"] {
            assert_eq!(
                read(&[b"", wrong]),
                Err(Malformed::UnknownCommand),
                "{wrong:?}"
            );
        }
        for wrong in [b"\x01x".as_slice(), b"READY", b"\x04"] {
            assert_eq!(read(&[wrong]), Err(Malformed::UnknownCommand), "{wrong:?}");
        }
    }

    /// LB-3: the reference takes a reply for a client whose identity begins with 01 for READY.
    #[test]
    fn a_reply_for_an_address_that_begins_with_01_is_a_reply() {
        let reply = FromWorker::Reply {
            address: Message::from("\x01abc"),
            body: Message::from("Hi"),
        };
        let simple = read(&[b"", b"\x01abc", b"", b"Hi"]);
        assert_eq!(simple, Ok((Framing::Simple, reply.clone())));
        assert_eq!(
            read(&[b"\x01abc", b"", b"Hi"]),
            Ok((Framing::Paranoid, reply))
        );
    }

    #[test]
    fn an_address_may_have_several_hops_and_a_body_several_frames() {
        let frames: [&[u8]; 6] = [b"a", b"b", b"", b"x", b"", b"y"];
        let Ok((Framing::Paranoid, said)) = read(&frames) else {
            panic!("not read");
        };
        assert_eq!(
            said.clone().into_message(Framing::Paranoid),
            Some(message(&frames))
        );
        let FromWorker::Reply { address, body } = said else {
            panic!("no reply");
        };
        assert_eq!((address.len(), body.len()), (2, 3));
    }

    /// U9.
    #[test]
    fn malformed_messages_are_values() {
        assert_eq!(read(&[b""]), Err(Malformed::NoCommand));
        assert_eq!(read(&[b"a", b"b"]), Err(Malformed::NoDelimiter));
        assert_eq!(read(&[b"a", b""]), Err(Malformed::NoBody));
        assert_eq!(read(&[b"", b"", b"x"]), Err(Malformed::NoAddress));
        let many = vec![b"x".as_slice(); MAX_FRAMES + 1];
        assert_eq!(read(&many), Err(Malformed::TooManyFrames));
        let long = vec![b"x".as_slice(); 20];
        assert_eq!(read(&long), Err(Malformed::NoDelimiter));
        let framing = Framing::Paranoid;
        let strange = ToWorker::read(message(&[b"", b"x"]), framing, MAX_FRAMES);
        assert_eq!(strange, Err(Malformed::WorkerEnvelope));
    }

    #[test]
    fn a_clients_envelope_comes_back_untouched() {
        for frames in [
            &[b"".as_slice(), b"Hi"] as &[&[u8]],
            &[b"\x07\0\0\0", b"", b"Hi", b"", b"Ho"],
            &[b"one", b"two", b"", b"Hi"],
        ] {
            let read = ClientMessage::read(message(frames), MAX_FRAMES).unwrap();
            assert_eq!(read.into_message(), message(frames));
        }
        assert_eq!(
            ClientMessage::read(message(&[b"Hi"]), MAX_FRAMES),
            Err(Malformed::NoDelimiter)
        );
    }
}
