//! PURE. [`Subscriptions`]: who asked for messages that begin with what.
//!
//! ```text
//!                 ""                      a message "weather.oslo" goes to
//!               /    \                    the subscribers of all nodes
//!        "weather."   "wind"              on its way down
//!          /      \
//!  "weather.nyc"  "weather.oslo"
//! ```
//!
//! A radix tree: an edge is as long as no topic branches off it, so a match takes as many steps as topics branch along the
//! message, however many others there are. No function calls itself, since the peers decide how deep the tree is.
#![deny(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation
)]

use std::collections::BTreeSet;

use bytes::Bytes;

mod tree;

/// The number of a subscriber; those in use should be small.
pub(crate) type Subscriber = u32;

/// Topics, each with the subscribers that asked for it; a subscriber has each topic once.
#[derive(Debug)]
pub(crate) struct Subscriptions {
    /// The first is the empty topic's; free ones are in `free`.
    nodes: Vec<Node>,
    free: Vec<NodeId>,
    /// What each subscriber has, by number.
    holdings: Vec<Holding>,
    topics: usize,
}

/// The number of a topic in the tree; another one may have it later.
pub(crate) type NodeId = u32;

/// The node of the empty topic, from which all others hang.
const ROOT: NodeId = 0;

#[derive(Debug, Default)]
struct Node {
    /// All octets from the root to here; of a node without subscribers, part of a topic below it.
    key: Bytes,
    parent: NodeId,
    /// By the octet that follows the key, sorted.
    children: Vec<(u8, NodeId)>,
    /// Sorted.
    subscribers: Vec<Subscriber>,
}

/// What one subscriber has.
#[derive(Debug, Default)]
struct Holding {
    nodes: BTreeSet<NodeId>,
    bytes: usize,
}

/// What [`Subscriptions::insert`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Inserted {
    /// Nobody had the topic.
    First,
    /// Others have it.
    Another,
    /// This subscriber has it already.
    Again,
}

/// What [`Subscriptions::remove`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Removed {
    /// Nobody has the topic any more.
    Last,
    /// Others have it.
    OthersRemain,
    /// This subscriber did not have it.
    Unknown,
}

impl Default for Subscriptions {
    fn default() -> Self {
        Self {
            nodes: vec![Node::default()],
            free: Vec::new(),
            holdings: Vec::new(),
            topics: 0,
        }
    }
}

impl Subscriptions {
    /// How many different topics somebody has.
    pub(crate) const fn topics(&self) -> usize {
        self.topics
    }

    /// How many topics a subscriber has, and of how many bytes together.
    pub(crate) fn held(&self, subscriber: Subscriber) -> (usize, usize) {
        let holding = self.holdings.get(index(subscriber));
        holding.map_or((0, 0), |holding| (holding.nodes.len(), holding.bytes))
    }

    /// Calls `each` with every subscriber of every topic that `message` begins with: as often as it has such topics.
    #[inline]
    pub(crate) fn matching(&self, message: &[u8], mut each: impl FnMut(Subscriber)) {
        for (_, node) in self.path(message) {
            for subscriber in &node.subscribers {
                each(*subscriber);
            }
        }
    }

    /// The numbers of all topics that `message` begins with, those of places included where topics branch.
    #[inline]
    pub(crate) fn nodes(&self, message: &[u8]) -> impl Iterator<Item = NodeId> {
        self.path(message).map(|(id, _)| id)
    }

    /// Gives a subscriber a topic.
    pub(crate) fn insert(&mut self, topic: &[u8], subscriber: Subscriber) -> Inserted {
        let id = self.make_node(topic);
        let Some(node) = self.nodes.get_mut(index(id)) else {
            return Inserted::Again;
        };
        let Err(place) = node.subscribers.binary_search(&subscriber) else {
            return Inserted::Again;
        };
        node.subscribers.insert(place, subscriber);
        let is_first = node.subscribers.len() == 1;
        self.topics += usize::from(is_first);
        let holders = index(subscriber) + 1;
        if self.holdings.len() < holders {
            self.holdings.resize_with(holders, Holding::default);
        }
        if let Some(holding) = self.holdings.get_mut(index(subscriber)) {
            holding.nodes.insert(id);
            holding.bytes += topic.len();
        }
        if is_first {
            Inserted::First
        } else {
            Inserted::Another
        }
    }

    /// Takes a topic from a subscriber.
    pub(crate) fn remove(&mut self, topic: &[u8], subscriber: Subscriber) -> Removed {
        let Some(id) = self.find(topic) else {
            return Removed::Unknown;
        };
        let holding = self.holdings.get_mut(index(subscriber));
        match holding {
            Some(holding) if holding.nodes.contains(&id) => {
                holding.nodes.remove(&id);
                holding.bytes -= topic.len();
            }
            _ => return Removed::Unknown,
        }
        self.drop_subscriber(id, subscriber)
    }

    /// Takes all topics from a subscriber; returns them in order, each with whether nobody has it any more.
    pub(crate) fn remove_all(&mut self, subscriber: Subscriber) -> Vec<(Bytes, bool)> {
        let holding = self.holdings.get_mut(index(subscriber));
        let nodes = holding.map(std::mem::take).unwrap_or_default().nodes;
        let mut topics = Vec::with_capacity(nodes.len());
        for id in nodes {
            let topic = self.nodes.get(index(id)).map(|node| node.key.clone());
            let last = self.drop_subscriber(id, subscriber) == Removed::Last;
            topics.extend(topic.map(|topic| (topic, last)));
        }
        topics.sort_unstable();
        topics
    }

    /// Takes the subscriber off a node, and the node out of the tree if nothing needs it.
    fn drop_subscriber(&mut self, id: NodeId, subscriber: Subscriber) -> Removed {
        let Some(node) = self.nodes.get_mut(index(id)) else {
            return Removed::Unknown;
        };
        if let Ok(place) = node.subscribers.binary_search(&subscriber) {
            node.subscribers.remove(place);
        }
        if !node.subscribers.is_empty() {
            return Removed::OthersRemain;
        }
        // A wide subscription that was given up leaves no memory behind.
        node.subscribers = Vec::new();
        self.topics -= 1;
        let key = node.key.clone();
        let mut id = id;
        while id != ROOT {
            let parent = self.nodes.get(index(id)).map_or(ROOT, |node| node.parent);
            self.tidy(id, parent, &key);
            id = parent;
        }
        Removed::Last
    }
}

const fn index(number: u32) -> usize {
    number as usize
}

#[cfg(any(test, fuzzing))]
pub(crate) mod model;
#[cfg(test)]
mod tests;
