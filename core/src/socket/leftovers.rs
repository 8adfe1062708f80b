//! [`Leftovers`]: what lost connections left comes before what the next connection of the same peer brings.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use crate::endpoint::Endpoint;
use crate::peer::{Direction, Link};
use crate::routing_id::RoutingId;

/// Lost connections of which something is left to receive.
///
/// Who connects without a name, and to whom this socket does not connect, is another peer when it comes back.
#[derive(Debug, Default)]
pub(crate) struct Leftovers(HashMap<Whose, Weak<Link>>);

/// How a peer is known again.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Whose {
    /// There is only one.
    TheOne,
    /// It is where this socket connects to.
    At(Endpoint),
    /// It has chosen a routing id.
    Named(RoutingId),
}

impl Whose {
    pub(crate) fn of(link: &Link, single_peer: bool) -> Option<Self> {
        match link.direction {
            _ if single_peer => Some(Self::TheOne),
            Direction::Connected => Some(Self::At(link.endpoint.clone())),
            Direction::Accepted => link.facts.routing_id.clone().map(Self::Named),
        }
    }
}

impl Leftovers {
    /// Remembers a connection that is lost, if something of it is left.
    pub(crate) fn keep(&mut self, whose: Option<Whose>, link: &Arc<Link>) {
        if link.inbound.counts().queued == 0 {
            return;
        }
        if self.0.len() == self.0.capacity() {
            self.0.retain(|_, link| link.strong_count() > 0);
        }
        if let Some(whose) = whose {
            self.0.insert(whose, Arc::downgrade(link));
        }
    }

    /// The lost connection that a new one of the same peer comes after.
    pub(crate) fn take(&mut self, whose: Option<&Whose>) -> Option<Arc<Link>> {
        self.0.remove(whose?)?.upgrade()
    }
}
