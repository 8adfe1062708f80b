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

use std::collections::HashSet;

use bytes::Bytes;

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
    nodes: HashSet<NodeId>,
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

    /// The node of exactly this topic, if it has subscribers.
    fn find(&self, topic: &[u8]) -> Option<NodeId> {
        let id = self.deepest(topic);
        let node = self.nodes.get(index(id))?;
        (node.key.len() == topic.len() && !node.subscribers.is_empty()).then_some(id)
    }

    /// The last node on the way to this topic whose key the topic begins with.
    fn deepest(&self, topic: &[u8]) -> NodeId {
        self.path(topic).last().map_or(ROOT, |(id, _)| id)
    }

    /// All nodes whose key `octets` begins with, from the root on.
    #[inline]
    fn path(&self, octets: &[u8]) -> impl Iterator<Item = (NodeId, &Node)> {
        let root = self.nodes.first().map(|root| (ROOT, root));
        std::iter::successors(root, |(_, node)| {
            let rest = octets.get(node.key.len()..)?;
            let id = node.child(*rest.first()?)?;
            let child = self.nodes.get(index(id))?;
            let edge = child.key.get(node.key.len()..)?;
            rest.starts_with(edge).then_some((id, child))
        })
    }

    /// The node of exactly this topic, which is made if it is not there.
    fn make_node(&mut self, topic: &[u8]) -> NodeId {
        let above = self.deepest(topic);
        let Some(node) = self.nodes.get(index(above)) else {
            return ROOT;
        };
        let from = node.key.len();
        let Some(octet) = topic.get(from).copied() else {
            // A node that was there because topics branch at it has the key of one of them, which it would keep alive.
            self.set_key(above, topic);
            return above;
        };
        let Some(below) = node.child(octet) else {
            let key = Bytes::copy_from_slice(topic);
            return self.add_child(above, octet, key);
        };
        let key = self.nodes.get(index(below)).map(|node| node.key.clone());
        let key = key.unwrap_or_default();
        let common = common_prefix(&key, topic);
        let Some(next) = topic.get(common).copied() else {
            let middle = self.split(above, below, Bytes::copy_from_slice(topic));
            return middle;
        };
        let middle = self.split(above, below, key.slice(..common));
        self.add_child(middle, next, Bytes::copy_from_slice(topic))
    }

    /// Gives a node without subscribers a key of its own.
    fn set_key(&mut self, id: NodeId, topic: &[u8]) {
        if let Some(node) = self.nodes.get_mut(index(id))
            && node.subscribers.is_empty()
        {
            node.key = Bytes::copy_from_slice(topic);
        }
    }

    /// Puts a node with this key between two.
    fn split(&mut self, above: NodeId, below: NodeId, key: Bytes) -> NodeId {
        let len = key.len();
        let octet_at = |this: &Self, id: NodeId, at: usize| {
            let node = this.nodes.get(index(id));
            node.and_then(|node| node.key.get(at).copied())
        };
        let from = self
            .nodes
            .get(index(above))
            .map_or(0, |node| node.key.len());
        let octet = octet_at(self, below, from).unwrap_or_default();
        let next = octet_at(self, below, len).unwrap_or_default();
        let middle = self.new_node(Node {
            key,
            parent: above,
            children: vec![(next, below)],
            subscribers: Vec::new(),
        });
        if let Some(node) = self.nodes.get_mut(index(below)) {
            node.parent = middle;
        }
        if let Some(node) = self.nodes.get_mut(index(above)) {
            node.set_child(octet, middle);
        }
        middle
    }

    fn add_child(&mut self, parent: NodeId, octet: u8, key: Bytes) -> NodeId {
        let child = self.new_node(Node {
            key,
            parent,
            ..Node::default()
        });
        if let Some(node) = self.nodes.get_mut(index(parent)) {
            node.set_child(octet, child);
        }
        child
    }

    fn new_node(&mut self, node: Node) -> NodeId {
        if let Some(id) = self.free.pop()
            && let Some(place) = self.nodes.get_mut(index(id))
        {
            *place = node;
            return id;
        }
        self.nodes.push(node);
        NodeId::try_from(self.nodes.len() - 1).unwrap_or(NodeId::MAX)
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

    /// Takes a node out if it neither has subscribers nor is a place where topics branch; lets go of a key that is no
    /// topic any more.
    fn tidy(&mut self, id: NodeId, parent: NodeId, gone: &Bytes) {
        let Some(node) = self.nodes.get(index(id)) else {
            return;
        };
        if !node.subscribers.is_empty() {
            return;
        }
        let octet = self
            .nodes
            .get(index(parent))
            .and_then(|above| node.key.get(above.key.len()).copied())
            .unwrap_or_default();
        match node.children[..] {
            [] => {
                if let Some(above) = self.nodes.get_mut(index(parent)) {
                    above.remove_child(octet);
                }
                self.free_node(id);
            }
            [(_, below)] => {
                if let Some(above) = self.nodes.get_mut(index(parent)) {
                    above.set_child(octet, below);
                }
                if let Some(below) = self.nodes.get_mut(index(below)) {
                    below.parent = parent;
                }
                self.free_node(id);
            }
            [(_, below), ..] if node.key.as_ptr() == gone.as_ptr() => {
                let len = node.key.len();
                let alive = self
                    .nodes
                    .get(index(below))
                    .map(|node| node.key.slice(..len));
                if let Some(node) = self.nodes.get_mut(index(id)) {
                    node.key = alive.unwrap_or_default();
                }
            }
            _ => {}
        }
    }

    fn free_node(&mut self, id: NodeId) {
        if let Some(node) = self.nodes.get_mut(index(id)) {
            *node = Node::default();
            self.free.push(id);
        }
    }
}

impl Node {
    fn child(&self, octet: u8) -> Option<NodeId> {
        let place = self.place(octet).ok()?;
        self.children.get(place).map(|(_, child)| *child)
    }

    fn set_child(&mut self, octet: u8, child: NodeId) {
        match self.place(octet) {
            Ok(place) => {
                if let Some(entry) = self.children.get_mut(place) {
                    entry.1 = child;
                }
            }
            Err(place) => self.children.insert(place, (octet, child)),
        }
    }

    fn remove_child(&mut self, octet: u8) {
        if let Ok(place) = self.place(octet) {
            self.children.remove(place);
        }
    }

    fn place(&self, octet: u8) -> Result<usize, usize> {
        self.children.binary_search_by_key(&octet, |child| child.0)
    }
}

fn common_prefix(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

const fn index(number: u32) -> usize {
    number as usize
}

#[cfg(any(test, fuzzing))]
pub(crate) mod model;
#[cfg(test)]
mod tests;
