//! PURE. [`Encoded`]: a message encoded once, to go to many.
#![deny(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation
)]

use bytes::{Bytes, BytesMut};

use crate::message::Message;
use crate::pipe::COPY_MAX;
use crate::zmtp::frame::{HEADER_MAX, put_header};

/// A message whose bodies are all up to this size, in bytes, is copied into each pipe; another is shared by all.
pub(crate) const SHARED_OVER: usize = 256;

/// One message in the form in which pipes take it.
///
/// Made anew for each message by [`encode`](Self::encode), which uses the memory of the last.
#[derive(Debug, Default)]
pub(crate) struct Encoded {
    /// All of it, if it is to be copied.
    pub(crate) octets: BytesMut,
    /// All of it otherwise, in pieces; the body of a large frame is a piece of its own.
    pub(crate) pieces: Vec<Bytes>,
}

impl Encoded {
    /// Replaces what is here.
    pub(crate) fn encode(&mut self, message: &Message) {
        self.clear();
        let frames = message.frames();
        if is_small(message) {
            put_message(&mut self.octets, message);
            return;
        }
        let copied = frames.iter().map(|frame| match frame.len() {
            len if len <= COPY_MAX => HEADER_MAX + len,
            _ => HEADER_MAX,
        });
        let mut run = BytesMut::with_capacity(copied.sum());
        for (index, frame) in frames.iter().enumerate() {
            put_header(&mut run, index + 1 < frames.len(), frame.len());
            match frame.shared().filter(|body| body.len() > COPY_MAX) {
                Some(body) => {
                    self.pieces.extend([run.split().freeze(), body.clone()]);
                }
                None => run.extend_from_slice(frame),
            }
        }
        if !run.is_empty() {
            self.pieces.push(run.freeze());
        }
    }

    /// Lets go of the message.
    pub(crate) fn clear(&mut self) {
        self.octets.clear();
        self.pieces.clear();
    }

    /// All of it, in the pieces that there are.
    pub(crate) fn as_pieces(&self) -> impl Iterator<Item = &[u8]> {
        let octets = [&*self.octets].into_iter();
        let pieces = self.pieces.iter().map(AsRef::as_ref);
        octets
            .chain(pieces)
            .filter(|piece: &&[u8]| !piece.is_empty())
    }

    /// How many octets it takes.
    pub(crate) fn len(&self) -> usize {
        self.octets.len() + self.pieces.iter().map(Bytes::len).sum::<usize>()
    }
}

/// Whether a message is better copied than shared.
pub(crate) fn is_small(message: &Message) -> bool {
    let frames = message.frames();
    frames.iter().all(|frame| frame.len() <= SHARED_OVER)
}

/// Writes a message, all of it by copy.
pub(crate) fn put_message(out: &mut BytesMut, message: &Message) {
    let frames = message.frames();
    for (index, frame) in frames.iter().enumerate() {
        put_header(out, index + 1 < frames.len(), frame.len());
        out.extend_from_slice(frame);
    }
}
