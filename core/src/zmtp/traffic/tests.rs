//! Tests of the inbound half of a connection: octets in, messages and commands out.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use super::driver::Driver;
use super::*;
use crate::arbitrary::{body, messages};
use crate::pipe::{Limits, Pipe};
use crate::zmtp::command;
use crate::{Frame, Message};

mod limits;

/// All octets that a peer writes for these messages.
fn encode(messages: &[Message]) -> Vec<u8> {
    let limits = Limits {
        messages: None,
        bytes: None,
    };
    let pipe = Pipe::new(limits, std::sync::Arc::default());
    for message in messages {
        pipe.publish(&[], message).unwrap();
    }
    let mut segments = VecDeque::new();
    pipe.take(&mut segments, (0, 0), None);
    segments
        .iter()
        .flat_map(Segment::as_slice)
        .copied()
        .collect()
}

/// Splits encoded messages into their frames.
fn frames(mut octets: &[u8]) -> Vec<&[u8]> {
    let mut frames = Vec::new();
    while let Some(header) = Header::parse(octets).unwrap() {
        let (frame, rest) = octets.split_at(header.len + usize::try_from(header.body).unwrap());
        frames.push(frame);
        octets = rest;
    }
    frames
}

/// A command that a peer may send after the handshake, as a frame.
fn command_frame() -> impl Strategy<Value = Vec<u8>> {
    let any_body = |flags: u8, max: usize| {
        vec(any::<u8>(), 0..max).prop_map(move |body| {
            let mut frame = vec![flags];
            if flags & 0x02 == 0 {
                frame.push(u8::try_from(body.len()).unwrap());
            } else {
                frame.extend((body.len() as u64).to_be_bytes());
            }
            frame.extend(body);
            frame
        })
    };
    prop_oneof![
        vec(any::<u8>(), 0..17).prop_map(|context| command::ping(
            std::time::Duration::ZERO,
            &context
        )
        .to_vec()),
        any_body(0x04, 200),
        any_body(0x06, 2000),
        // MORE means nothing on a command.
        any_body(0x05, 10),
    ]
}

/// The body of a command frame.
fn body_of(frame: &[u8]) -> Vec<u8> {
    frame[Header::parse(frame).unwrap().unwrap().len..].to_vec()
}

/// `octets` in pieces, cut at these places.
fn pieces<'a>(octets: &'a [u8], cuts: &[Index]) -> Vec<&'a [u8]> {
    let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(octets.len() + 1)).collect();
    cuts.extend([0, octets.len()]);
    cuts.sort_unstable();
    cuts.windows(2).map(|cut| &octets[cut[0]..cut[1]]).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// W08, W09, W10: whatever the pieces and wherever commands stand, the same messages arrive in the same order.
    #[test]
    fn messages_and_commands_arrive_whole_and_in_order(
        sent in messages(1..8),
        commands in vec((command_frame(), any::<Index>()), 0..6),
        cuts in vec(any::<Index>(), 0..30),
        rooms in vec(0..4_usize, 1..8),
    ) {
        let octets = encode(&sent);
        let mut stream = frames(&octets);
        let mut places: Vec<_> = commands.iter().map(|(_, at)| at.index(stream.len() + 1)).collect();
        places.sort_unstable();
        for ((frame, _), place) in commands.iter().zip(places).rev() {
            stream.insert(place, frame);
        }
        let stream = stream.concat();
        let mut pieces = pieces(&stream, &cuts).into_iter();
        let mut driver = Driver::new(pieces.next().unwrap(), None);
        for (piece, room) in pieces.zip(rooms.iter().cycle()) {
            driver.read(piece);
            let taken = driver.take(*room);
            prop_assert!(taken == *room || !driver.traffic.has_messages());
            driver.traffic.release();
        }
        driver.take(usize::MAX);
        prop_assert_eq!(driver.fault, None);
        prop_assert!(driver.messages == sent);
        let bodies: Vec<_> = commands.iter().map(|(frame, _)| body_of(frame)).collect();
        prop_assert_eq!(driver.commands, bodies);
        prop_assert!(!driver.traffic.has_messages());
    }

    /// W25: any octets at all give the same in any pieces, up to and including the fault.
    #[test]
    fn any_octets_give_the_same_in_any_pieces(
        octets in vec(prop_oneof![0..8_u8, any::<u8>()], 0..300),
        cuts in vec(any::<Index>(), 0..10),
        limit in prop_oneof![Just(None), (1..50_u64).prop_map(Some)],
    ) {
        let mut whole = Driver::new(&octets, limit);
        whole.take(usize::MAX);
        let mut cut = Driver::new(&[], limit);
        for piece in pieces(&octets, &cuts) {
            cut.read(piece);
            cut.take(1);
        }
        cut.take(usize::MAX);
        prop_assert_eq!(cut.messages, whole.messages);
        prop_assert_eq!(cut.commands, whole.commands);
        prop_assert_eq!(cut.fault, whole.fault);
    }
}

/// W09: libzmq may send PING between the frames of one message (its heartbeat takes the next output slot).
#[test]
fn a_command_between_two_frames_does_not_disturb_the_message() {
    let ping = command::ping(std::time::Duration::ZERO, b"context");
    let octets = [b"\x01\x01a", &ping[..], b"\x00\x01b\x00\x01c"].concat();
    for cut in 0..=octets.len() {
        let mut driver = Driver::new(&octets[..cut], None);
        driver.read(&octets[cut..]);
        // The first message came in two segments; taken alone, it is whole.
        assert_eq!(driver.take(1), 1, "cut at {cut}");
        assert_eq!(driver.take(1), 1, "cut at {cut}");
        let ab = [Frame::from("a"), Frame::from("b")].into();
        assert_eq!(driver.messages, [ab, Message::from("c")]);
        assert_eq!(driver.commands, [body_of(&ping)]);
    }
}

/// W08: what a command says is judged elsewhere; its body may be empty.
#[test]
fn a_command_of_no_octets_is_seen_and_cut_out() {
    let driver = &mut Driver::new(b"\x04\x00\x00\x01x\x06\0\0\0\0\0\0\0\0", None);
    assert_eq!(driver.take(usize::MAX), 1);
    assert_eq!(driver.commands, [b"", b""]);
}

/// W10: a long header before a small body is legal, on messages and commands.
#[test]
fn a_long_header_may_stand_before_a_small_body() {
    let driver = &mut Driver::new(b"\x02\0\0\0\0\0\0\0\x02hi\x06\0\0\0\0\0\0\0\x01\x00", None);
    assert_eq!(driver.take(usize::MAX), 1);
    assert_eq!(driver.messages, [Message::from("hi")]);
    assert_eq!(driver.commands, [b"\0"]);
}

/// What came behind the peer's READY needs no further read.
#[test]
fn early_octets_are_walked_without_a_read() {
    let driver = Driver::new(b"\x00\x02hi", None);
    assert!(driver.traffic.has_messages());
}

#[test]
fn messages_before_a_fault_can_be_taken() {
    let mut driver = Driver::new(b"\x01\x01a\x00\x01b\x00\x01c\x08\x01d", None);
    assert_eq!(
        driver.fault,
        Some(PeerMisbehaved::ReservedFlags { flags: 8 })
    );
    assert_eq!(driver.take(usize::MAX), 2);
}

/// An incomplete body of 128 KiB and more is read into a buffer of its own, which becomes a segment: no second copy.
#[test]
fn a_large_body_becomes_a_segment_of_its_own() {
    let sent = [
        Message::from("before"),
        [
            Frame::from("key"),
            Frame::from(body(200_000, 1)),
            Frame::from("end"),
        ]
        .into(),
    ];
    let octets = encode(&sent);
    let mut traffic = Driver::new(&octets[..40], None);
    traffic.read(&octets[40..]);
    let mut segments = VecDeque::new();
    traffic.traffic.take(usize::MAX, &mut segments);
    let shapes: Vec<_> = segments
        .iter()
        .map(|s| (s.len(), s.messages, s.boundary))
        .collect();
    assert_eq!(
        shapes,
        [
            (8, 1, true),
            (5 + 9, 0, false),
            (200_000, 0, false),
            (5, 1, true)
        ]
    );
}

/// Nothing of a message is taken before its last octet is there.
#[test]
fn half_a_message_is_not_taken() {
    let sent = [[Frame::from("key"), Frame::from(body(200_000, 2))].into()];
    let octets = encode(&sent);
    for cut in [0, 4, 5, 6, 14, 15, 50_000, octets.len() - 1] {
        let mut driver = Driver::new(&octets[..cut], None);
        assert!(!driver.traffic.has_messages());
        assert_eq!(driver.take(usize::MAX), 0);
        driver.read(&octets[cut..]);
        assert_eq!(driver.take(usize::MAX), 1);
        assert!(driver.messages == sent);
    }
}
