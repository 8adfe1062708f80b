//! Messages made at random of what the protocol is made of.

use privateer::core::{Frame, Message};

/// Makes the same messages for the same seed.
#[derive(Debug)]
pub(crate) struct Salad(fastrand::Rng);

/// Frames that mean something somewhere.
const WORDS: [&[u8]; 20] = [
    b"",
    b"",
    b"",
    b"",
    b"MDPC01",
    b"MDPC01",
    b"MDPW01",
    b"MDPW01",
    b"MDPW01",
    b"MDPC02",
    b"MDPW0X",
    b"\x01",
    b"\x02",
    b"\x03",
    b"\x04",
    b"\x05",
    b"\x09",
    b"echo",
    b"salad",
    b"mmi.service",
];

/// How many frames the longest message has; the default limit is 1024.
const LONGEST: usize = 1030;

impl Salad {
    pub(crate) fn new(seed: u64) -> Self {
        Self(fastrand::Rng::with_seed(seed))
    }

    /// The next message. Half of them begin like one of the protocol.
    pub(crate) fn message(&mut self) -> Message {
        let mut frames = match self.0.u8(..6) {
            0 => vec![Frame::empty(), Frame::from("MDPC01")],
            1 | 2 => vec![
                Frame::empty(),
                Frame::from("MDPW01"),
                Frame::from([self.0.u8(1..7)]),
            ],
            _ => Vec::new(),
        };
        let more = match self.0.u8(..) {
            0 => LONGEST,
            _ => self.0.usize(usize::from(frames.is_empty())..8),
        };
        frames.extend((0..more).map(|_| self.frame()));
        Message::from_frames(frames).unwrap()
    }

    fn frame(&mut self) -> Frame {
        match self.0.u8(..10) {
            0 => self.octets(1..64),
            1 => self.octets(250..300),
            // An address of our broker, but for the epoch and what follows.
            2 => Frame::from([b"\0PV1", &*self.octets(24..25)].concat()),
            _ => Frame::copy_from_slice(WORDS[self.0.usize(..WORDS.len())]),
        }
    }

    fn octets(&mut self, len: std::ops::Range<usize>) -> Frame {
        let len = self.0.usize(len);
        Frame::from((0..len).map(|_| self.0.u8(..)).collect::<Vec<_>>())
    }
}
