//! What is in a pipe: encoded frames in segments.

use bytes::BytesMut;
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::Frame;
use crate::arbitrary::{body, messages};
use crate::encoded::{Encoded, put_message};
use crate::pipe::COPY_MAX;
use crate::segment::{RawMessage, SegmentPool};

fn published(message: impl Into<Message>) -> VecDeque<Segment> {
    let parties = with_limits(None, None);
    parties.publish(message).unwrap();
    parties.take().1
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// What is published, encoded by the pipe or before, is what is taken: all of it, in order, counted, and ending at a
    /// message boundary.
    #[test]
    fn published_messages_are_taken_as_they_are(
        sent in messages(1..12),
        hwm in prop_oneof![Just(None), (12..50_usize).prop_map(Some)],
        takes in vec(any::<bool>(), 12),
        ways in vec(0..3, 12),
    ) {
        let parties = with_limits(hwm, None);
        let mut taken = VecDeque::new();
        let mut encoded = Encoded::default();
        for ((message, takes), way) in sent.iter().zip(takes).zip(ways) {
            match way {
                0 => parties.publish(message.clone()).unwrap(),
                1 => assert!(parties.pipe.publish_alone(message).is_ok()),
                _ => {
                    encoded.encode(message);
                    assert!(parties.pipe.publish_encoded(&encoded).is_ok());
                    encoded.clear();
                }
            }
            if takes {
                let mut segments = parties.take().1;
                prop_assert!(segments.back().unwrap().boundary);
                taken.append(&mut segments);
            }
        }
        taken.append(&mut parties.take().1);
        prop_assert!(taken.back().unwrap().boundary);
        let messages: usize = taken.iter().map(|segment| segment.messages).sum();
        prop_assert_eq!(messages, sent.len());
        let counts = parties.pipe.counts();
        prop_assert_eq!((counts.queued, counts.sent), (sent.len(), sent.len() as u64));
        let bytes: usize = taken.iter().map(Segment::len).sum();
        prop_assert_eq!((counts.queued_bytes, counts.sent_bytes), (bytes, bytes as u64));
        prop_assert!(decode(taken) == sent);
    }
}

#[test]
fn the_envelope_goes_before_the_message() {
    let parties = with_hwm(10);
    let message: Message = [Frame::from("a"), Frame::from("b")].into();
    let envelope = [Frame::from("id"), Frame::empty()];
    parties.pipe.publish(&envelope, &message).unwrap();
    let (_, segments) = parties.take();
    assert_eq!(segments[0].as_slice(), b"\x01\x02id\x01\0\x01\x01a\0\x01b");
    assert_eq!(segments[0].messages, 1);
}

/// A large body crosses by reference count, its header in the packed segment before it.
#[test]
fn a_large_body_is_not_copied() {
    let large = Bytes::from(body(COPY_MAX + 1, 3));
    let segments = published(Frame::from(large.clone()));
    let shapes: Vec<_> = segments
        .iter()
        .map(|s| (s.len(), s.messages, s.boundary))
        .collect();
    assert_eq!(shapes, [(9, 0, false), (large.len(), 1, true)]);
    assert_eq!(segments[1].as_slice().as_ptr(), large.as_ptr());

    let small = Bytes::from(body(COPY_MAX, 3));
    let segments = published(Frame::from(small.clone()));
    assert_eq!((segments.len(), segments[0].len()), (1, 9 + small.len()));
}

/// So that credit returns often enough for a writer never to wait long for a reader that goes on.
#[test]
fn a_segment_closes_at_a_quarter_of_the_mark() {
    for hwm in 1..20_usize {
        let parties = with_hwm(hwm);
        parties.fill();
        let (_, segments) = parties.take();
        let messages: Vec<_> = segments.iter().map(|segment| segment.messages).collect();
        assert_eq!(messages.iter().sum::<usize>(), hwm);
        assert!(
            messages.iter().all(|count| *count <= hwm.div_ceil(4)),
            "{messages:?}"
        );
        assert!(segments.iter().all(|segment| segment.boundary));
    }
}

#[test]
fn a_segment_closes_at_64_kib() {
    let parties = with_limits(None, None);
    for _ in 0..1000 {
        parties.publish(vec![1; 1000]).unwrap();
    }
    let (_, segments) = parties.take();
    assert!(
        segments
            .iter()
            .all(|segment| segment.len() < 64 * 1024 + 1009)
    );
    assert!(
        segments
            .iter()
            .rev()
            .skip(1)
            .all(|segment| segment.len() >= 64 * 1024)
    );
}

/// What nobody takes any more costs no memory, and is still counted.
#[test]
fn what_is_discarded_is_gone_and_counted() {
    let parties = with_hwm(2);
    parties.fill();
    parties.pipe.finish();
    parties.pipe.discard();
    assert_eq!(parties.queued(), 2);
    assert_eq!(parties.take().0, Taken::Finished);
}

/// The hello message: before what waits already, and whatever the marks say.
#[test]
fn what_is_published_first_precedes_everything() {
    let parties = with_hwm(2);
    assert_eq!(parties.take().0, Taken::Empty);
    parties.fill();
    parties.pipe.publish_first(&Message::from("hello"));
    assert_eq!(parties.queued(), 3);
    assert_eq!(parties.reader_calls(), 1);
    let large = Message::from(body(COPY_MAX + 1, 4));
    parties.pipe.publish_first(&large);
    let all = [large, "hello".into(), "x".into(), "x".into()];
    assert!(decode(parties.take().1) == all);
}

#[test]
fn what_is_published_first_into_an_empty_pipe_wakes_its_reader() {
    let parties = with_hwm(2);
    assert_eq!(parties.take().0, Taken::Empty);
    parties.pipe.publish_first(&Message::from("hello"));
    parties.publish("next").unwrap();
    assert_eq!(parties.reader_calls(), 1);
    assert_eq!(decode(parties.take().1), ["hello".into(), "next".into()]);
}

/// The buffer of a segment that is written serves the next one.
#[test]
fn buffers_of_written_segments_are_used_again() {
    let pool = Arc::<SegmentPool>::default();
    let limits = Limits {
        messages: None,
        bytes: None,
    };
    let pipe = Pipe::new(limits, Arc::clone(&pool));
    pipe.publish(&[], &Message::from(vec![1; 1000])).unwrap();
    let mut segments = VecDeque::new();
    pipe.take(&mut segments, (0, 0), None);
    let buffer = segments[0].as_slice().as_ptr();
    pool.put(segments.drain(..));
    pipe.publish(&[], &Message::from("again")).unwrap();
    pipe.take(&mut segments, (1, 1009), None);
    assert_eq!(segments[0].as_slice().as_ptr(), buffer);
    assert_eq!(decode(segments), ["again".into()]);
}

/// What a lost connection had not written goes first when the next one takes, and is counted once.
#[test]
fn what_is_put_back_goes_first() {
    let parties = with_hwm(10);
    for i in 0..3 {
        parties.publish(i.to_string()).unwrap();
    }
    let (_, mut unwritten) = parties.take();
    parties.publish("3").unwrap();
    parties.pipe.put_back(&mut unwritten);
    assert!(unwritten.is_empty());
    parties.publish("4").unwrap();
    let counts = parties.pipe.counts();
    assert_eq!((counts.queued, counts.sent), (5, 5));
    let (_, segments) = parties.take();
    let expected: Vec<_> = (0..5).map(|i| Message::from(i.to_string())).collect();
    assert_eq!(decode(segments), expected);
}

/// A message that a proxy passes on keeps no more than twice its memory, whatever it was read together with.
#[test]
fn a_message_that_is_passed_on_keeps_no_large_piece() {
    const LEN: usize = 2 * COPY_MAX;
    let message = Message::from(vec![7; LEN]);
    for (others, shares) in [(0, true), (1, true), (2, false), (100, false)] {
        let parties = with_limits(None, None);
        let mut octets = BytesMut::new();
        for _ in 0..=others {
            put_message(&mut octets, &message);
        }
        let len = octets.len() / (1 + others);
        let piece = octets.freeze();
        let raw = RawMessage {
            piece: &piece,
            range: piece.len() - len..piece.len(),
            frames: 1,
            body: LEN as u64,
        };
        let envelope = [Frame::from("id")];
        parties.pipe.publish_raw(&envelope, &raw).unwrap();
        assert_eq!(piece.is_unique(), !shares, "{others}");
        drop(piece);
        assert_eq!(parties.pipe.counts().queued_bytes, 2 + 2 + len);
        let mut decoder = Decoder::default();
        (_, decoder.segments) = parties.take();
        let passed = decoder.next().unwrap();
        assert_eq!(passed, [envelope[0].clone(), message[0].clone()].into());
        assert!(decoder.next().is_none());
    }
}
