//! Tests of what is on its way to the kernel, and of what goes again after a loss.

use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use super::*;
use crate::arbitrary::{body, messages};
use crate::decode::Decoder;
use crate::pipe::{Limits, Pipe, PipeCounts, Taken};
use crate::{Frame, Message};

/// An outbound pipe, the flight that it feeds, and what the peer has got of it.
struct Sender {
    pipe: Pipe,
    flight: Flight,
    /// What came over the connection that there is now.
    wire: Vec<u8>,
    /// The messages that came whole over those before it.
    delivered: Vec<Message>,
}

/// What the next connection gets to do.
#[derive(Clone, Debug)]
enum Step {
    Publish(Message),
    /// One write, of a part of what it is offered.
    Write(Index),
    /// One write that stops at the next boundary, for a command.
    WriteToBoundary(Index),
    Lose,
}

impl Sender {
    fn new() -> Self {
        let limits = Limits {
            messages: None,
            bytes: None,
        };
        Self {
            pipe: Pipe::new(limits, Arc::default()),
            flight: Flight::default(),
            wire: Vec::new(),
            delivered: Vec::new(),
        }
    }

    fn publish(&self, message: &Message) {
        self.pipe.publish(&[], message).unwrap();
    }

    /// What one vectored write is offered.
    fn offer(&self, to_boundary: bool) -> Vec<u8> {
        let mut slices = [IoSlice::new(&[]); SLICES];
        let used = self.flight.slices(&mut slices, to_boundary);
        slices[..used]
            .iter()
            .flat_map(|slice| slice.iter())
            .copied()
            .collect()
    }

    /// One write of a part of what it is offered; more is taken from the pipe first if nothing is left.
    fn write(&mut self, part: impl Fn(usize) -> usize, to_boundary: bool) {
        if self.flight.is_empty() {
            self.refill();
        }
        let offer = self.offer(to_boundary);
        if to_boundary && self.flight.at_boundary() {
            // One segment, or one message that takes several.
            assert_eq!(
                whole(&[&self.wire, &offer[..]].concat()).1,
                self.wire.len() + offer.len()
            );
        }
        let written = part(offer.len());
        self.wire.extend(&offer[..written]);
        let mut done = Vec::new();
        self.flight.advance(written, &mut done);
        let messages = done.iter().map(|segment| segment.messages).sum();
        self.pipe
            .credit((messages, done.iter().map(Segment::len).sum()));
        if self.flight.at_boundary() {
            assert_eq!(
                whole(&self.wire).1,
                self.wire.len(),
                "a command here would split a message"
            );
        }
    }

    /// The connection is lost: the peer keeps whole messages only.
    fn lose(&mut self) {
        let (messages, end) = whole(&self.wire);
        self.delivered.extend(messages);
        self.pipe.credit(self.flight.rewind());
        assert!(self.flight.at_boundary());
        let lost = &self.wire[end..];
        let again = self.offer(false);
        let both = lost.len().min(again.len());
        assert!(
            lost[..both] == again[..both],
            "the message that was begun goes again from its start"
        );
        self.wire.clear();
    }

    /// Messages and bytes whose credit has not returned.
    fn queued(&self) -> (usize, usize) {
        let counts = self.pipe.counts();
        (counts.queued, counts.queued_bytes)
    }

    fn write_all(&mut self) {
        while !self.flight.is_empty() || self.refill() {
            self.write(|offered| offered, false);
        }
    }

    fn refill(&mut self) -> bool {
        self.pipe.take(&mut self.flight.segments, (0, 0), None) == Taken::Some
    }
}

/// The whole messages that `octets` begin with, and where the last of them ends.
fn whole(octets: &[u8]) -> (Vec<Message>, usize) {
    let mut decoder = Decoder::default();
    let octets = bytes::Bytes::copy_from_slice(octets);
    decoder.segments.push_back(Segment::shared(octets, 0, true));
    let (mut messages, mut end) = (Vec::new(), 0);
    while let Some(message) = decoder.next() {
        messages.push(message);
        end += decoder.take_consumed();
    }
    (messages, end)
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let publish = messages(1..2).prop_map(|one| Step::Publish(one[0].clone()));
    let step = prop_oneof![
        4 => publish,
        4 => any::<Index>().prop_map(Step::Write),
        2 => any::<Index>().prop_map(Step::WriteToBoundary),
        1 => Just(Step::Lose),
    ];
    vec(step, 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Q06, K15: however a connection writes and wherever it is lost, each message arrives whole, once and in order; and
    /// the credit for each returns once.
    #[test]
    fn nothing_is_lost_and_nothing_goes_twice(steps in steps()) {
        let mut sender = Sender::new();
        let mut sent = Vec::new();
        for step in steps {
            match step {
                Step::Publish(message) => {
                    sender.publish(&message);
                    sent.push(message);
                }
                Step::Write(part) => sender.write(|offered| part.index(offered + 1), false),
                Step::WriteToBoundary(part) => sender.write(|offered| part.index(offered + 1), true),
                Step::Lose => {
                    sender.lose();
                    let left = sent.len() - sender.delivered.len();
                    prop_assert_eq!(sender.pipe.counts().queued, left);
                }
            }
        }
        sender.write_all();
        sender.lose();
        prop_assert!(sender.delivered == sent);
        prop_assert_eq!(sender.queued(), (0, 0));
    }
}

/// Four messages in three segments: [a, b, header], [large body], [end, c].
fn three_segments() -> Sender {
    let mut sender = Sender::new();
    let large = [Frame::from(body(9000, 1)), Frame::from("end")];
    for message in ["a".into(), "b".into(), Message::from(large), "c".into()] {
        sender.publish(&message);
    }
    sender.refill();
    assert_eq!(sender.flight.segments.len(), 3);
    sender
}

/// All places where a connection can break, one by one.
#[test]
fn what_goes_again_starts_at_the_first_message_that_was_not_wholly_written() {
    let all = three_segments().offer(false);
    for written in 0..=all.len() {
        let mut sender = three_segments();
        sender.write(|_| written, false);
        let begins = whole(&all[..written]).1;
        sender.lose();
        assert!(sender.offer(false) == all[begins..], "written {written}");
        let left = (4 - sender.delivered.len(), all.len() - begins);
        assert_eq!(sender.queued(), left, "written {written}");
        sender.write_all();
        assert_eq!(sender.queued(), (0, 0), "written {written}");
    }
}

/// A message that was lost twice goes a third time, and so does what its segment holds behind it.
#[test]
fn a_rewind_can_follow_a_rewind() {
    let mut sender = three_segments();
    for written in [0, 4, 5, 1000, 9016, 3] {
        sender.write(|_| written, false);
        sender.lose();
    }
    sender.write_all();
    sender.lose();
    let lens: Vec<_> = sender.delivered.iter().map(Message::byte_len).collect();
    assert_eq!(lens, [1, 1, 9003, 1]);
    let counts = PipeCounts {
        sent: 4,
        sent_bytes: 3 + 3 + 9 + 9000 + 5 + 3,
        ..PipeCounts::default()
    };
    assert_eq!(sender.pipe.counts(), counts);
}

/// A command goes out between messages, not after each: a write up to the boundary ends with a segment.
#[test]
fn a_write_to_the_boundary_ends_with_the_first_segment_that_does() {
    let sender = three_segments();
    assert!(sender.flight.at_boundary());
    let offer = sender.offer(true);
    assert_eq!(offer.len(), sender.offer(false).len());
    assert_eq!(whole(&offer).0.len(), 4);

    let mut sender = Sender::new();
    for message in [Message::from(body(9000, 2)), "later".into()] {
        sender.publish(&message);
    }
    sender.refill();
    assert_eq!(sender.offer(true).len(), 9 + 9000);
    sender.write(|_| 10, false);
    assert!(!sender.flight.at_boundary());
    assert_eq!(sender.offer(true).len(), 9 + 9000 - 10);
}

/// One vectored write takes so many segments and no more.
#[test]
fn a_write_of_many_segments_is_bounded() {
    let mut sender = Sender::new();
    for _ in 0..SLICES {
        sender.publish(&Message::from(body(9000, 3)));
    }
    sender.refill();
    assert_eq!(sender.flight.segments.len(), 2 * SLICES);
    assert_eq!(sender.offer(false).len(), SLICES / 2 * 9009);
    sender.write_all();
    assert!(sender.flight.is_empty());
}
