//! A naive model of [`Subscriptions`](super::Subscriptions), which every operation is compared with.

use std::collections::BTreeSet;

use super::{Inserted, Removed, Subscriber, Subscriptions};

/// One operation of a subscriber.
#[derive(Clone, Debug)]
pub(crate) enum Operation {
    Insert(Vec<u8>, Subscriber),
    Remove(Vec<u8>, Subscriber),
    RemoveAll(Subscriber),
    Match(Vec<u8>),
}

/// The tree, and a set of pairs beside it.
#[derive(Debug, Default)]
pub(crate) struct Both {
    pub(crate) tree: Subscriptions,
    pairs: BTreeSet<(Vec<u8>, Subscriber)>,
}

impl Both {
    /// Does the same with both, and panics if they differ.
    pub(crate) fn apply(&mut self, operation: Operation) {
        match operation {
            Operation::Insert(topic, subscriber) => {
                let expected = match (self.others(&topic), self.has(&topic, subscriber)) {
                    (_, true) => Inserted::Again,
                    (true, false) => Inserted::Another,
                    (false, false) => Inserted::First,
                };
                assert_eq!(self.tree.insert(&topic, subscriber), expected);
                self.pairs.insert((topic, subscriber));
            }
            Operation::Remove(topic, subscriber) => {
                let known = self.pairs.remove(&(topic.clone(), subscriber));
                let expected = match (known, self.others(&topic)) {
                    (false, _) => Removed::Unknown,
                    (true, true) => Removed::OthersRemain,
                    (true, false) => Removed::Last,
                };
                assert_eq!(self.tree.remove(&topic, subscriber), expected);
            }
            Operation::RemoveAll(subscriber) => {
                let mine: Vec<_> = self.of(subscriber).cloned().collect();
                self.pairs.retain(|(_, other)| *other != subscriber);
                let expected: Vec<_> = mine
                    .into_iter()
                    .map(|topic| (!self.others(&topic), topic))
                    .collect();
                let removed = self.tree.remove_all(subscriber);
                let removed: Vec<_> = removed
                    .into_iter()
                    .map(|(topic, last)| (last, topic.to_vec()))
                    .collect();
                assert_eq!(removed, expected);
            }
            Operation::Match(message) => {
                let mut found = Vec::new();
                self.tree
                    .matching(&message, |subscriber| found.push(subscriber));
                let begins = |(topic, _): &&(Vec<u8>, _)| message.starts_with(topic);
                let expected = self.pairs.iter().filter(begins);
                assert!(found.iter().eq(expected.map(|(_, subscriber)| subscriber)));
            }
        }
        self.check();
    }

    /// What can be asked at any time.
    fn check(&self) {
        let topics: BTreeSet<_> = self.pairs.iter().map(|(topic, _)| topic).collect();
        assert_eq!(self.tree.topics(), topics.len());
        // The root, a node for each topic, and places where topics branch, of which there are fewer than topics.
        assert!(self.tree.nodes_in_use() <= 1 + 2 * topics.len());
        self.tree.check_keys();
        for subscriber in self.pairs.iter().map(|(_, subscriber)| *subscriber) {
            let bytes = self.of(subscriber).map(Vec::len).sum();
            assert_eq!(
                self.tree.held(subscriber),
                (self.of(subscriber).count(), bytes)
            );
        }
    }

    fn of(&self, subscriber: Subscriber) -> impl Iterator<Item = &Vec<u8>> {
        let mine = self.pairs.iter().filter(move |pair| pair.1 == subscriber);
        mine.map(|(topic, _)| topic)
    }

    fn has(&self, topic: &[u8], subscriber: Subscriber) -> bool {
        self.pairs.contains(&(topic.to_vec(), subscriber))
    }

    fn others(&self, topic: &[u8]) -> bool {
        self.pairs.iter().any(|(other, _)| other == topic)
    }
}

impl Subscriptions {
    fn nodes_in_use(&self) -> usize {
        self.nodes.len() - self.free.len()
    }

    /// No key keeps the memory of a topic that is gone.
    fn check_keys(&self) {
        let is_topic = |node: &&super::Node| !node.subscribers.is_empty();
        let alive: Vec<_> = self
            .nodes
            .iter()
            .filter(is_topic)
            .map(|node| node.key.as_ptr())
            .collect();
        for node in self.nodes.iter().filter(|node| !node.key.is_empty()) {
            assert!(alive.contains(&node.key.as_ptr()), "{node:?}");
        }
    }
}
