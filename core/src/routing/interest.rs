//! PURE. [`Interest`]: what a SUB or XSUB has subscribed to, and [`Filter`]: what of all that comes it wanted.
#![deny(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation
)]

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use bytes::Bytes;

/// Topics, each with how often it was subscribed to and not unsubscribed from.
#[derive(Debug, Default)]
pub(crate) struct Interest(BTreeMap<Bytes, usize>);

/// What [`Interest::remove`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Withdrawn {
    /// The topic is not wanted any more.
    Last,
    /// It was subscribed to more often.
    Wanted,
    /// It was not subscribed to.
    Unknown,
}

impl Interest {
    /// Counts a subscription; tells whether it is the first of its topic.
    pub(crate) fn add(&mut self, topic: Bytes) -> bool {
        let count = self.0.entry(topic).or_insert(0);
        *count += 1;
        *count == 1
    }

    /// Takes one subscription back.
    pub(crate) fn remove(&mut self, topic: Bytes) -> Withdrawn {
        let Entry::Occupied(mut entry) = self.0.entry(topic) else {
            return Withdrawn::Unknown;
        };
        if *entry.get() > 1 {
            *entry.get_mut() -= 1;
            return Withdrawn::Wanted;
        }
        entry.remove();
        Withdrawn::Last
    }

    /// The topics, each once, in order.
    pub(crate) fn topics(&self) -> impl ExactSizeIterator<Item = &Bytes> {
        self.0.keys()
    }

    /// A snapshot to look at messages with.
    pub(crate) fn filter(&self) -> Filter {
        let mut shortest: Vec<Bytes> = Vec::new();
        for topic in self.0.keys() {
            // In this order whatever begins with a topic comes right behind it.
            if shortest.last().is_none_or(|last| !topic.starts_with(last)) {
                shortest.push(topic.clone());
            }
        }
        Filter(shortest)
    }
}

/// The topics of an [`Interest`] in order, without those that begin with another.
#[derive(Debug, Default)]
pub(crate) struct Filter(Vec<Bytes>);

impl Filter {
    /// Whether a message with this first frame is wanted.
    #[inline]
    pub(crate) fn accepts(&self, frame: &[u8]) -> bool {
        // None begins with another, so only the last one that is not behind the frame can be its beginning.
        let behind = self.0.partition_point(|topic| **topic <= *frame);
        let candidate = behind.checked_sub(1).and_then(|index| self.0.get(index));
        candidate.is_some_and(|topic| frame.starts_with(topic))
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_topic_is_wanted_until_each_subscription_is_taken_back() {
        let mut interest = Interest::default();
        let topic = || Bytes::from_static(b"A");
        assert_eq!(interest.remove(topic()), Withdrawn::Unknown);
        assert!(interest.add(topic()));
        assert!(!interest.add(topic()));
        assert_eq!(interest.topics().len(), 1);
        assert_eq!(interest.remove(topic()), Withdrawn::Wanted);
        assert_eq!(interest.remove(topic()), Withdrawn::Last);
        assert_eq!(interest.topics().len(), 0);
    }

    proptest! {
        #[test]
        fn the_filter_accepts_what_begins_with_a_topic(
            topics in vec(vec(0..3_u8, 0..5), 0..12),
            frames in vec(vec(0..3_u8, 0..7), 1..20),
        ) {
            let mut interest = Interest::default();
            for topic in &topics {
                interest.add(Bytes::copy_from_slice(topic));
            }
            let filter = interest.filter();
            for frame in frames {
                let expected = topics.iter().any(|topic| frame.starts_with(topic));
                prop_assert_eq!(filter.accepts(&frame), expected);
            }
        }
    }
}
