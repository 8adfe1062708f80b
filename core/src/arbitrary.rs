//! Strategies of property tests: messages whose frames are as large as is interesting.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use crate::{Frame, Message};

/// Messages of one to four frames.
pub(crate) fn messages(count: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Message>> {
    vec(message(), count)
}

/// A message of one to four frames.
pub(crate) fn message() -> impl Strategy<Value = Message> {
    let frames = prop_oneof![2 => Just(1..2_usize), 1 => Just(2..5)];
    frames
        .prop_flat_map(|count| vec(frame(), count))
        .prop_map(|frames| Message::from_frames(frames).unwrap())
}

/// A frame whose octets differ from those of another of the same length.
fn frame() -> impl Strategy<Value = Frame> {
    (len(), any::<u8>()).prop_map(|(len, seed)| Frame::from(body(len, seed)))
}

/// `len` octets that show if some are lost, moved or repeated.
pub(crate) fn body(len: usize, seed: u8) -> Vec<u8> {
    let octets = (0..=255).cycle().map(|octet: u8| octet ^ seed);
    octets.step_by(7).take(len).collect()
}

/// Lengths on both sides of every limit: inline, short header, copied, own buffer, segment, first reservation.
fn len() -> impl Strategy<Value = usize> {
    const EDGES: [usize; 8] = [
        1,
        38,
        256,
        8 << 10,
        32 << 10,
        64 << 10,
        256 << 10,
        300 << 10,
    ];
    let small = select(&EDGES[..3]);
    let around = |edge: usize| edge - 1..=edge + 1;
    prop_oneof![
        4 => 0..300_usize,
        4 => small.prop_flat_map(around),
        2 => select(&EDGES[3..6]).prop_flat_map(around),
        1 => select(&EDGES[6..]).prop_flat_map(around),
    ]
}
