//! PURE. [`Conflated`]: the last message of each kind, in place of a queue.
#![deny(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation
)]

use std::collections::{BTreeMap, HashMap, VecDeque};

use bytes::Bytes;

use crate::segment::Segment;
use crate::zmtp::frame::Header;

/// Which messages a later one takes the place of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Conflate {
    /// None: all of them are kept.
    #[default]
    Off,
    /// All that wait: only the last one is kept.
    Last,
    /// Those that begin with the same frame: the last one of each topic is kept.
    LastOfTopic,
}

/// Whole messages, of which a later one takes the place of an earlier one of its kind.
#[derive(Debug)]
pub(crate) struct Conflated {
    by_topic: bool,
    /// In the order in which they are handed out.
    waiting: BTreeMap<i64, (Bytes, VecDeque<Segment>)>,
    places: HashMap<Bytes, i64>,
    /// Messages whose place a later one has taken.
    pub(crate) replaced: u64,
}

impl Conflated {
    /// None if nothing is to be replaced.
    pub(crate) fn new(conflate: Conflate) -> Option<Self> {
        (conflate != Conflate::Off).then(|| Self {
            by_topic: conflate == Conflate::LastOfTopic,
            waiting: BTreeMap::new(),
            places: HashMap::new(),
            replaced: 0,
        })
    }

    /// Whether a message with this first frame takes nobody's place, and so needs room.
    pub(crate) fn needs_room(&self, first: &[u8]) -> bool {
        self.by_topic && !self.places.contains_key(first)
    }

    /// Whether messages wait beside each other, so that there is a limit to them.
    pub(crate) const fn is_bounded(&self) -> bool {
        self.by_topic
    }

    /// Puts a message behind all others; returns the bytes of the one whose place it takes.
    pub(crate) fn put(&mut self, message: VecDeque<Segment>) -> Option<usize> {
        let key = self.key(&message);
        let replaced = self
            .places
            .get(&key)
            .and_then(|place| self.waiting.remove(place));
        let place = self
            .waiting
            .last_key_value()
            .map_or(0, |(last, _)| last + 1);
        self.places.insert(key.clone(), place);
        self.waiting.insert(place, (key, message));
        let (_, replaced) = replaced?;
        self.replaced += 1;
        Some(replaced.iter().map(Segment::len).sum())
    }

    /// Puts a message before all others, unless a later one of its kind is here; then returns its bytes.
    pub(crate) fn put_first(&mut self, message: VecDeque<Segment>) -> Option<usize> {
        let key = self.key(&message);
        if self.places.contains_key(&key) {
            self.replaced += 1;
            return Some(message.iter().map(Segment::len).sum());
        }
        let place = self
            .waiting
            .first_key_value()
            .map_or(0, |(first, _)| first - 1);
        self.places.insert(key.clone(), place);
        self.waiting.insert(place, (key, message));
        None
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// The first message, if there is one.
    pub(crate) fn take(&mut self) -> Option<VecDeque<Segment>> {
        let (_, (key, message)) = self.waiting.pop_first()?;
        self.places.remove(&key);
        Some(message)
    }

    fn key(&self, message: &VecDeque<Segment>) -> Bytes {
        if !self.by_topic {
            return Bytes::new();
        }
        let pieces = message.iter().map(Segment::as_slice);
        Bytes::copy_from_slice(first_frame(pieces))
    }
}

/// The first frame of a message in these pieces, of which a large body is one of its own.
pub(crate) fn first_frame<'a>(mut pieces: impl Iterator<Item = &'a [u8]>) -> &'a [u8] {
    let first = pieces.next().unwrap_or_default();
    let Ok(Some(header)) = Header::parse(first) else {
        return &[];
    };
    let len = usize::try_from(header.body).unwrap_or(usize::MAX);
    match first.get(header.len..) {
        Some(rest) if rest.len() >= len => rest.get(..len).unwrap_or_default(),
        _ => pieces.next().unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoded::Encoded;
    use crate::frame::Frame;
    use crate::message::Message;

    fn encoded(message: impl Into<Message>) -> VecDeque<Segment> {
        let mut encoded = Encoded::default();
        encoded.encode(&message.into());
        let small = encoded.octets.split().freeze();
        let pieces = [small].into_iter().chain(encoded.pieces.drain(..));
        let pieces = pieces.filter(|piece| !piece.is_empty());
        pieces
            .map(|piece| Segment::shared(piece, 0, false))
            .collect()
    }

    fn of_two(topic: &str) -> VecDeque<Segment> {
        encoded([topic, "body"].map(Frame::from))
    }

    fn first(message: &VecDeque<Segment>) -> Vec<u8> {
        first_frame(message.iter().map(Segment::as_slice)).to_vec()
    }

    #[test]
    fn the_first_frame_is_found_in_whatever_pieces() {
        for len in [0, 1, 255, 256, 8 * 1024, 8 * 1024 + 1, 100_000] {
            let body = vec![b'x'; len];
            assert_eq!(first(&encoded(body.clone())), body);
            let frames = [body.clone().into(), Frame::from("rest")];
            assert_eq!(first(&encoded(frames)), body);
        }
    }

    #[test]
    fn only_the_last_is_kept() {
        let mut conflated = Conflated::new(Conflate::Last).unwrap();
        assert_eq!(conflated.put(encoded("first")), None);
        assert_eq!(conflated.put(encoded("second")), Some(7));
        assert_eq!(conflated.put_first(encoded("older")), Some(7));
        assert_eq!(first(&conflated.take().unwrap()), b"second");
        assert!(conflated.take().is_none());
        assert_eq!(conflated.put_first(encoded("older")), None);
        assert_eq!(first(&conflated.take().unwrap()), b"older");
        assert_eq!(conflated.replaced, 2);
    }

    #[test]
    fn the_last_of_each_topic_is_kept_in_the_order_of_the_last_ones() {
        let mut conflated = Conflated::new(Conflate::LastOfTopic).unwrap();
        for topic in ["a", "b", "c", "a", "b", "a"] {
            conflated.put(of_two(topic));
        }
        conflated.put_first(of_two("d"));
        conflated.put_first(of_two("c"));
        assert!(!conflated.needs_room(b"a"));
        assert!(conflated.needs_room(b"e"));
        let left = std::iter::from_fn(|| conflated.take());
        let left: Vec<_> = left.map(|message| first(&message)).collect();
        assert_eq!(left, [b"d", b"c", b"b", b"a"]);
        assert_eq!(conflated.replaced, 4);
        assert!(conflated.places.is_empty());
    }
}
