//! The rules of a pipe, with one thread; `tests/pipe_model.rs` has the ones that need several.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};

use bytes::Bytes;

use crate::Message;
use crate::decode::Decoder;
use crate::pipe::{Limits, Pipe, Refused, Taken};
use crate::segment::Segment;

mod batch;
mod contents;

/// Counts how often it is called.
#[derive(Default)]
struct Calls(AtomicUsize);

impl Wake for Calls {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A pipe with both parties' wakers.
struct Parties {
    pipe: Pipe,
    reader: Arc<Calls>,
    writer: Arc<Calls>,
}

fn with_limits(messages: Option<usize>, bytes: Option<usize>) -> Parties {
    let limits = Limits {
        messages: messages.and_then(NonZeroUsize::new),
        bytes: bytes.and_then(NonZeroUsize::new),
    };
    let (reader, writer) = (Arc::<Calls>::default(), Arc::<Calls>::default());
    let pipe = Pipe::new(limits, Arc::default());
    pipe.set_reader(Waker::from(Arc::clone(&reader)));
    pipe.set_writer(Waker::from(Arc::clone(&writer)));
    Parties {
        pipe,
        reader,
        writer,
    }
}

fn with_hwm(hwm: usize) -> Parties {
    with_limits(Some(hwm), None)
}

impl Parties {
    fn publish(&self, message: impl Into<Message>) -> Result<(), Refused> {
        self.pipe.publish(&[], &message.into())
    }

    /// Publishes until it is refused, and tells how many there were.
    fn fill(&self) -> usize {
        (0..).take_while(|_| self.publish("x").is_ok()).count()
    }

    fn queued(&self) -> usize {
        self.pipe.counts().queued
    }

    /// Takes without returning credit.
    fn take(&self) -> (Taken, VecDeque<Segment>) {
        let mut segments = VecDeque::new();
        (self.pipe.take(&mut segments, (0, 0), None), segments)
    }

    fn reader_calls(&self) -> usize {
        self.reader.0.load(Ordering::Relaxed)
    }

    fn writer_calls(&self) -> usize {
        self.writer.0.load(Ordering::Relaxed)
    }
}

fn decode(segments: VecDeque<Segment>) -> Vec<Message> {
    let mut decoder = Decoder::default();
    decoder.segments = segments;
    std::iter::from_fn(|| decoder.next()).collect()
}

/// Q01: a message counts from when it is published until its credit returns, taken or not.
#[test]
fn the_mark_is_strict() {
    for hwm in 1..20 {
        let parties = with_hwm(hwm);
        assert_eq!(parties.fill(), hwm);
        assert_eq!(parties.publish("x"), Err(Refused::Full));
        let (_, segments) = parties.take();
        assert_eq!(decode(segments).len(), hwm);
        assert_eq!(
            parties.publish("x"),
            Err(Refused::Full),
            "taken is not given back"
        );
        parties.pipe.credit((1, 3));
        assert_eq!(parties.fill(), 1);
        assert_eq!(parties.queued(), hwm);
    }
}

#[test]
fn without_a_mark_there_is_always_room() {
    let parties = with_limits(None, None);
    for _ in 0..10_000 {
        parties.publish("x").unwrap();
    }
    assert_eq!(parties.pipe.room(Waker::noop()), usize::MAX);
}

/// A writer is woken at queued ≤ HWM − ⌈HWM/2⌉, once, and not for each credit.
#[test]
fn the_low_water_mark_wakes_a_writer_that_was_refused() {
    for hwm in 1..20_usize {
        let parties = with_hwm(hwm);
        parties.fill();
        let low = hwm - hwm.div_ceil(2);
        while parties.queued() > low + 1 {
            parties.pipe.credit((1, 0));
            assert_eq!(parties.writer_calls(), 0, "hwm {hwm}");
        }
        parties.pipe.credit((1, 0));
        assert_eq!(parties.writer_calls(), 1, "hwm {hwm}");
        parties.pipe.credit((low, 0));
        assert_eq!(parties.writer_calls(), 1, "hwm {hwm}");
    }
}

#[test]
fn a_writer_that_was_not_refused_is_not_woken() {
    let parties = with_hwm(4);
    for _ in 0..4 {
        parties.publish("x").unwrap();
    }
    parties.pipe.credit((4, 12));
    assert_eq!(parties.writer_calls(), 0);
}

/// Each way to ask for room makes the one who asks wait for it.
#[test]
fn who_asks_for_room_and_gets_none_is_woken() {
    let parties = with_hwm(1);
    assert_eq!(parties.pipe.has_room(), Ok(()));
    parties.publish("x").unwrap();
    assert_eq!(parties.pipe.has_room(), Err(Refused::Full));
    parties.pipe.credit((1, 3));
    assert_eq!(parties.writer_calls(), 1);

    parties.publish("x").unwrap();
    let session = Arc::<Calls>::default();
    assert_eq!(parties.pipe.room(&Waker::from(Arc::clone(&session))), 0);
    parties.pipe.credit((1, 3));
    assert_eq!(
        session.0.load(Ordering::Relaxed),
        1,
        "the waker that asked last counts"
    );
    assert_eq!(parties.writer_calls(), 1);
}

/// Only empty → not empty wakes the reader, and only one that has found nothing.
#[test]
fn the_reader_is_woken_once_after_it_found_nothing() {
    let parties = with_hwm(10);
    parties.publish("x").unwrap();
    assert_eq!(parties.reader_calls(), 0, "it has not looked yet");
    assert_eq!(parties.take().0, Taken::Some);
    parties.publish("x").unwrap();
    assert_eq!(parties.reader_calls(), 0, "it has found something");
    assert_eq!(parties.take().0, Taken::Some);
    assert_eq!(parties.take().0, Taken::Empty);
    parties.publish("x").unwrap();
    parties.publish("x").unwrap();
    assert_eq!(parties.reader_calls(), 1);
}

#[test]
fn a_waker_given_with_take_replaces_the_one_before() {
    let parties = with_hwm(10);
    let session = Arc::<Calls>::default();
    let mut segments = VecDeque::new();
    let waker = Waker::from(Arc::clone(&session));
    assert_eq!(
        parties.pipe.take(&mut segments, (0, 0), Some(&waker)),
        Taken::Empty
    );
    parties.publish("x").unwrap();
    assert_eq!(
        (session.0.load(Ordering::Relaxed), parties.reader_calls()),
        (1, 0)
    );
}

/// One message may pass the byte budget; then there is no room until half of it is left.
#[test]
fn the_byte_budget_counts_encoded_frames() {
    let parties = with_limits(Some(100), Some(1000));
    parties.publish(vec![0; 998]).unwrap();
    assert_eq!(
        parties.pipe.counts().queued_bytes,
        998 + 9,
        "a long header has nine octets"
    );
    assert_eq!(parties.publish("x"), Err(Refused::Full));
    assert_eq!(parties.pipe.room(Waker::noop()), 0);
    parties.pipe.credit((0, 506));
    assert_eq!(
        parties.pipe.has_room(),
        Ok(()),
        "there is room, but nobody is woken yet"
    );
    parties.publish(vec![0; 498]).unwrap();
    assert_eq!(parties.publish("x"), Err(Refused::Full));
    assert_eq!(parties.pipe.counts().queued_bytes, 1008);

    parties
        .pipe
        .set_writer(Waker::from(Arc::clone(&parties.writer)));
    parties.pipe.credit((1, 507));
    assert_eq!(
        (parties.queued(), parties.writer_calls()),
        (1, 0),
        "501 bytes are over half"
    );
    parties.pipe.credit((0, 1));
    assert_eq!(parties.writer_calls(), 1);
}

#[test]
fn both_limits_hold_and_both_low_water_marks_count() {
    let parties = with_limits(Some(4), Some(100));
    for _ in 0..4 {
        parties.publish(vec![0; 38]).ok();
    }
    assert_eq!(parties.queued(), 3, "the third passed the byte budget");
    assert_eq!(parties.publish("x"), Err(Refused::Full));
    parties.pipe.credit((0, 100));
    assert_eq!(parties.writer_calls(), 0, "three messages are over half");
    parties.pipe.credit((1, 20));
    assert_eq!(parties.writer_calls(), 1);
}

#[test]
fn new_limits_take_effect_at_once() {
    let parties = with_hwm(2);
    assert_eq!(parties.fill(), 2);
    let limits = |messages| Limits {
        messages: NonZeroUsize::new(messages),
        bytes: None,
    };
    parties.pipe.set_limits(limits(8));
    assert_eq!(parties.writer_calls(), 1);
    assert_eq!(parties.fill(), 6);
    parties.pipe.set_limits(limits(3));
    assert_eq!(
        parties.pipe.room(Waker::noop()),
        0,
        "more is queued than may be"
    );
    parties
        .pipe
        .set_writer(Waker::from(Arc::clone(&parties.writer)));
    parties.pipe.credit((6, 0));
    assert_eq!((parties.queued(), parties.writer_calls()), (2, 1));
    parties.pipe.credit((1, 0));
    assert_eq!(parties.writer_calls(), 2);
}

/// What is in a finished pipe can still be taken; nothing enters it.
#[test]
fn a_finished_pipe_gives_what_it_has_and_takes_no_more() {
    let parties = with_hwm(2);
    parties.fill();
    parties.pipe.finish();
    assert_eq!(parties.publish("late"), Err(Refused::Closed));
    assert_eq!(parties.pipe.has_room(), Err(Refused::Closed));
    assert_eq!(
        parties.pipe.room(Waker::noop()),
        usize::MAX,
        "an appender is to go on, and be rid of it"
    );
    let mut late = VecDeque::from([Segment::shared(Bytes::from_static(b"\0\x01x"), 1, true)]);
    parties.pipe.append(&mut late);
    assert!(late.is_empty());
    assert_eq!(parties.queued(), 2, "what is discarded does not count");

    let (taken, segments) = parties.take();
    assert_eq!((taken, decode(segments).len()), (Taken::Some, 2));
    assert_eq!(parties.take().0, Taken::Finished);
}

#[test]
fn the_end_wakes_both_parties() {
    let parties = with_hwm(1);
    assert_eq!(parties.take().0, Taken::Empty);
    parties.pipe.finish();
    assert_eq!((parties.reader_calls(), parties.writer_calls()), (1, 0));

    let parties = with_hwm(1);
    parties.fill();
    parties.pipe.finish();
    assert_eq!((parties.reader_calls(), parties.writer_calls()), (0, 1));
}

/// Who is told that a pipe is idle or full would wait for ever on one that nobody reads any more.
#[test]
fn a_finished_pipe_is_closed_whatever_is_left_in_it() {
    let parties = with_hwm(2);
    parties.publish("left").unwrap();
    parties.pipe.finish();
    assert_eq!(
        parties.pipe.publish_if_idle(&Message::from("x")),
        Err(Refused::Closed)
    );
}

#[test]
fn a_paused_pipe_has_no_room_until_it_is_resumed() {
    let parties = with_hwm(4);
    parties.publish("before").unwrap();
    parties.pipe.set_paused(true);
    assert_eq!(parties.publish("x"), Err(Refused::Full));
    assert_eq!(parties.pipe.room(Waker::noop()), 0);
    parties
        .pipe
        .set_writer(Waker::from(Arc::clone(&parties.writer)));
    let (taken, segments) = parties.take();
    assert_eq!((taken, decode(segments).len()), (Taken::Some, 1));
    parties.pipe.credit((1, 8));
    assert_eq!(parties.writer_calls(), 0, "credit is no reason to go on");
    parties.pipe.set_paused(false);
    assert_eq!(parties.writer_calls(), 1);
    assert_eq!(parties.fill(), 4);
}

/// Idle means that nothing is queued: also not what is taken, and not written.
#[test]
fn only_an_idle_pipe_is_published_to_if_idle() {
    let parties = with_hwm(4);
    let heartbeat = Message::from("HB");
    assert_eq!(parties.pipe.publish_if_idle(&heartbeat), Ok(true));
    assert_eq!(parties.pipe.publish_if_idle(&heartbeat), Ok(false));
    parties.take();
    assert_eq!(parties.pipe.publish_if_idle(&heartbeat), Ok(false));
    parties.pipe.credit((1, 4));
    assert_eq!(parties.pipe.publish_if_idle(&heartbeat), Ok(true));
}

/// Messages that are appended may pass the mark: their number is what `room` has told, or belongs to one message.
#[test]
fn what_is_appended_counts_and_wakes() {
    let parties = with_hwm(2);
    assert_eq!(parties.take().0, Taken::Empty);
    let octets = Bytes::from_static(b"\0\x01a\0\x01b\0\x01c");
    let mut segments = VecDeque::from([Segment::shared(octets, 3, true)]);
    parties.pipe.append(&mut segments);
    assert!(segments.is_empty());
    let counts = parties.pipe.counts();
    assert_eq!(
        (
            counts.queued,
            counts.queued_bytes,
            counts.sent,
            counts.sent_bytes
        ),
        (3, 9, 3, 9)
    );
    assert_eq!(parties.reader_calls(), 1);
    assert_eq!(parties.publish("x"), Err(Refused::Full));
}
