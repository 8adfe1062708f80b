//! Several messages at once: as many as there is room for.

use bytes::BytesMut;

use super::*;
use crate::encoded::put_message;
use crate::pipe::Published;

/// Messages of two octets, encoded in four each, and where they end.
fn batch(messages: usize) -> (Bytes, Vec<usize>) {
    let mut octets = BytesMut::new();
    let mut ends = Vec::new();
    for _ in 0..messages {
        put_message(&mut octets, &Message::from("xy"));
        ends.push(octets.len());
    }
    (octets.freeze(), ends)
}

fn publish(parties: &Parties, messages: usize) -> Result<(usize, usize), Refused> {
    let (octets, ends) = batch(messages);
    let published = parties.pipe.publish_batch(&octets, &ends)?;
    let Published { messages, room } = published;
    Ok((messages, room))
}

/// The first ones that fit under the mark enter, and not one more; short batches are copied, long ones shared.
#[test]
fn a_batch_enters_up_to_the_mark() {
    for hwm in [5, 500] {
        let parties = with_limits(Some(hwm), None);
        parties.publish("01").unwrap();
        assert_eq!(publish(&parties, hwm), Ok((hwm - 1, 0)));
        assert_eq!(publish(&parties, 1), Ok((0, 0)));
        let counts = parties.pipe.counts();
        assert_eq!((counts.queued, counts.queued_bytes), (hwm, 4 * hwm));
        let segments = parties.take().1;
        let messages: usize = segments.iter().map(|segment| segment.messages).sum();
        assert_eq!(messages, hwm);
        assert!(segments.back().unwrap().boundary);
        assert_eq!(decode(segments).len(), hwm);
    }
}

/// Of the bytes one message may pass the budget.
#[test]
fn a_batch_enters_up_to_the_budget() {
    let parties = with_limits(None, Some(9));
    assert_eq!(publish(&parties, 5), Ok((3, 0)));
    assert_eq!(publish(&parties, 5), Ok((0, 0)));
    assert_eq!(decode(parties.take().1).len(), 3);
}

#[test]
fn a_finished_pipe_takes_no_batch() {
    let parties = with_limits(None, None);
    parties.pipe.finish();
    assert_eq!(publish(&parties, 2), Err(Refused::Closed));
}

/// A part of a batch does not keep all of it, unless it is most of it.
#[test]
fn a_small_part_of_a_batch_is_copied() {
    let (octets, ends) = batch(500);
    for (hwm, is_shared) in [(200, false), (300, true)] {
        let parties = with_limits(Some(hwm), None);
        parties.pipe.publish_batch(&octets, &ends).unwrap();
        assert_eq!(octets.is_unique(), !is_shared);
        assert_eq!(decode(parties.take().1).len(), hwm);
    }
}
