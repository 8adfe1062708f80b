//! What the fuzz targets of `core/fuzz` drive; only there with `--cfg fuzzing`, which `cargo fuzz` sets.

use bytes::BytesMut;

use crate::routing::subscriptions::model::{Both, Operation};
use crate::zmtp::handshake::{Handshake, Local, Remote};
use crate::zmtp::traffic::Subscriptions;
use crate::zmtp::traffic::driver::Driver;
use crate::{HandshakeError, Message, PeerMisbehaved, SocketType};

/// What a handshake made of its input, to be compared: the peer or the error, what was left, what was said.
#[derive(Debug, PartialEq, Eq)]
pub struct Outcome {
    result: Result<Option<Remote>, HandshakeError>,
    unread: BytesMut,
    output: Vec<u8>,
}

/// Gives the chunks in turn to the handshake of a socket of the type of this number, modulo their count.
pub fn handshake<'a>(socket_type: u8, chunks: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
    let mut types = SocketType::ALL.into_iter().cycle();
    let mut handshake = Handshake::new(Local {
        socket_type: types.nth(socket_type.into()).unwrap_or(SocketType::Pair),
        routing_id: None,
        properties: Vec::new(),
    });
    let mut unread = BytesMut::new();
    let mut result = Ok(None);
    let mut output = Vec::new();
    output.extend(handshake.take_output().unwrap_or_default());
    for chunk in chunks {
        unread.extend_from_slice(chunk);
        if matches!(result, Ok(None)) {
            result = handshake.handle_input(&mut unread);
            output.extend(handshake.take_output().unwrap_or_default());
        }
    }
    Outcome {
        result,
        unread,
        output,
    }
}

/// What came of octets after the handshake, to be compared.
#[derive(Debug, PartialEq, Eq)]
pub struct Received {
    messages: Vec<Message>,
    commands: Vec<Vec<u8>>,
    subscriptions: Vec<Vec<u8>>,
    fault: Option<PeerMisbehaved>,
}

/// Reads the chunks in turn, the first as if it came with READY; takes at most `room` messages after each, and the
/// rest at the end.
pub fn traffic<'a>(
    max_frame: Option<u64>,
    chunks: impl IntoIterator<Item = &'a [u8]>,
    room: usize,
) -> Received {
    receive((max_frame, Subscriptions::Ignored), chunks, room)
}

/// As [`traffic`], of a publisher, which looks for subscriptions at the beginning of messages, or anywhere.
pub fn publisher<'a>(
    anywhere: bool,
    chunks: impl IntoIterator<Item = &'a [u8]>,
    room: usize,
) -> Received {
    let subscriptions = if anywhere {
        Subscriptions::Anywhere
    } else {
        Subscriptions::AtTheBeginning
    };
    receive((None, subscriptions), chunks, room)
}

fn receive<'a>(
    (max_frame, subscriptions): (Option<u64>, Subscriptions),
    chunks: impl IntoIterator<Item = &'a [u8]>,
    room: usize,
) -> Received {
    let mut chunks = chunks.into_iter();
    let early = chunks.next().unwrap_or_default();
    let mut driver = Driver::publisher(early, max_frame, subscriptions);
    for chunk in chunks {
        driver.take(room);
        driver.traffic.release();
        driver.read(chunk);
    }
    driver.take(usize::MAX);
    Received {
        messages: driver.messages,
        commands: driver.commands,
        subscriptions: driver.subscriptions,
        fault: driver.fault,
    }
}

/// Does what the octets say with the tree of subscriptions, and with a naive model, which have to agree.
///
/// An octet chooses what is done and by whom, the next one how many octets the topic has that follows.
pub fn subscriptions(mut script: &[u8]) {
    let mut both = Both::default();
    while let [what, len, rest @ ..] = script {
        let (topic, rest) = rest.split_at(rest.len().min(usize::from(len % 32)));
        script = rest;
        // Of two letters, so that topics meet; now and then as they are.
        let mask = if len & 0x80 == 0 { 1 } else { 0xFF };
        let topic = topic.iter().map(|octet| octet & mask).collect();
        let subscriber = u32::from(what >> 4);
        both.apply(match what % 8 {
            0..=2 => Operation::Insert(topic, subscriber),
            3..=4 => Operation::Remove(topic, subscriber),
            5..=6 => Operation::Match(topic),
            _ => Operation::RemoveAll(subscriber),
        });
    }
}

/// Octets in chunks of lengths that a seed chooses: all of 1 to 16 octets for a seed below 16, varying ones otherwise.
#[derive(Debug)]
pub struct Chunks<'a> {
    unread: &'a [u8],
    seed: u8,
    unit: usize,
}

impl<'a> Chunks<'a> {
    /// With lengths that are multiples of `unit`.
    #[must_use]
    pub const fn new(octets: &'a [u8], seed: u8, unit: usize) -> Self {
        Self {
            unread: octets,
            seed,
            unit,
        }
    }
}

impl<'a> Iterator for Chunks<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        if self.unread.is_empty() {
            return None;
        }
        let len = (usize::from(self.seed % 16) + 1) * self.unit;
        if self.seed >= 16 {
            // A full-period generator of octets: what matters is that lengths vary.
            self.seed = self.seed.wrapping_mul(5).wrapping_add(17);
        }
        let (chunk, unread) = self.unread.split_at(len.min(self.unread.len()));
        self.unread = unread;
        Some(chunk)
    }
}
