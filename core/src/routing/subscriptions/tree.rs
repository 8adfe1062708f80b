//! PURE. The shape of the tree: the way down, and where topics branch.
#![deny(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation
)]

use bytes::Bytes;

use super::{Node, NodeId, ROOT, Subscriptions, index};

impl Subscriptions {
    /// The node of exactly this topic, if it has subscribers.
    pub(super) fn find(&self, topic: &[u8]) -> Option<NodeId> {
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
    pub(super) fn path(&self, octets: &[u8]) -> impl Iterator<Item = (NodeId, &Node)> {
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
    pub(super) fn make_node(&mut self, topic: &[u8]) -> NodeId {
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

    /// Takes a node out if it neither has subscribers nor is a place where topics branch; lets go of a key that is no
    /// topic any more.
    pub(super) fn tidy(&mut self, id: NodeId, parent: NodeId, gone: &Bytes) {
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
