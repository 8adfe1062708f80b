//! Who is next: the table of what differs by socket type, and the queues that it names.
//!
//! | type | peers | incoming | outgoing | mute state |
//! |---|---|---|---|---|
//! | PAIR | PAIR, one | the one peer | the one peer | wait |
//! | PUSH | PULL | none | round-robin | wait |
//! | PULL | PUSH | fair-queued | none | |
//! | DEALER | REP, DEALER, ROUTER | fair-queued | round-robin | wait |
//! | ROUTER | REQ, DEALER, ROUTER | fair-queued | by routing id | error with the message |
//! | REQ | REP, ROUTER | from the peer asked | round-robin, the request is kept | wait |
//! | REP | REQ, DEALER | fair-queued | back to who asked | drop, counted |
//! | PUB | SUB, XSUB | none | to all that asked for it | drop for that peer, counted |
//! | XPUB | SUB, XSUB | fair-queued, also subscriptions | to all that asked for it | drop for that peer, counted |
//! | SUB | PUB, XPUB | fair-queued, what was asked for | none | |
//! | XSUB | PUB, XPUB | fair-queued | to all | drop for that peer, counted |
//! | STREAM | anyone, without ZMTP | fair-queued | by routing id | error with the message |
//! | collector | PUB, XPUB, PUSH | fair-queued, of publishers what was asked for | none | |

mod attendance;
pub(crate) mod batch;
pub(crate) mod fair_queue;
pub(crate) mod fan_out;
pub(crate) mod interest;
pub(crate) mod leftovers;
mod receive;
pub(crate) mod round_robin;
pub(crate) mod source;
pub(crate) mod subscribers;
pub(crate) mod subscriptions;

use std::sync::atomic::{AtomicU32, Ordering};

use crate::socket_type::SocketType;

/// What differs by socket type.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Traits {
    /// Whether outgoing messages go round-robin over pipes.
    pub(crate) round_robin: bool,
    /// Whether a pipe of a connected endpoint takes messages before the connection is there.
    pub(crate) queues_early: bool,
    /// Whether peers are addressed by routing id, so that two cannot have the same.
    pub(crate) addressed: bool,
    /// Whether there can be one peer only.
    pub(crate) single_peer: bool,
    /// Whether there is anybody who receives.
    pub(crate) receives: bool,
    /// Whether the owner is told that peers come and go.
    pub(crate) tells_peers: bool,
    /// Whether messages go to more than one peer.
    pub(crate) fans_out: bool,
    /// Whether peers subscribe.
    pub(crate) publishes: bool,
    /// Whether the owner is told of that.
    pub(crate) tells_subscriptions: bool,
    /// Whether it subscribes to what its peers publish; then it lingers only if it is told to.
    pub(crate) subscribes: bool,
    /// Whether a new peer gets the hello message.
    pub(crate) greets: bool,
    /// Whether a new peer that is a ROUTER can get an empty message.
    pub(crate) probes: bool,
    /// Whether the owner can be told of peers that come and go by messages.
    pub(crate) notifies: bool,
    /// Whether the owner can be told by a message that a connection that was made is lost.
    pub(crate) hiccups: bool,
    /// Whether a later message can take the place of an earlier one.
    pub(crate) conflates: bool,
    /// Whether what it is depends on the peer, so that it waits for the peer's READY before it says its own.
    pub(crate) adapts: bool,
    /// Whether requests and replies alternate.
    pub(crate) alternates: bool,
    /// Whether peers speak no ZMTP.
    pub(crate) raw: bool,
}

/// What most types have.
const NONE: Traits = Traits {
    round_robin: false,
    queues_early: false,
    addressed: false,
    single_peer: false,
    receives: true,
    tells_peers: false,
    fans_out: false,
    publishes: false,
    tells_subscriptions: false,
    subscribes: false,
    greets: false,
    probes: false,
    notifies: false,
    hiccups: false,
    conflates: false,
    adapts: false,
    alternates: false,
    raw: false,
};

const PUSH: Traits = Traits {
    round_robin: true,
    queues_early: true,
    receives: false,
    greets: true,
    conflates: true,
    ..NONE
};

const PULL: Traits = Traits {
    conflates: true,
    ..NONE
};

const PAIR: Traits = Traits {
    round_robin: true,
    queues_early: true,
    single_peer: true,
    greets: true,
    ..NONE
};

const REQ: Traits = Traits {
    probes: true,
    alternates: true,
    ..NONE
};

const REP: Traits = Traits {
    addressed: true,
    alternates: true,
    ..NONE
};

const DEALER: Traits = Traits {
    tells_peers: true,
    round_robin: true,
    queues_early: true,
    greets: true,
    probes: true,
    hiccups: true,
    conflates: true,
    ..NONE
};

const ROUTER: Traits = Traits {
    tells_peers: true,
    addressed: true,
    greets: true,
    probes: true,
    notifies: true,
    ..NONE
};

const PUB: Traits = Traits {
    receives: false,
    fans_out: true,
    publishes: true,
    conflates: true,
    ..NONE
};

const XPUB: Traits = Traits {
    fans_out: true,
    publishes: true,
    tells_subscriptions: true,
    ..NONE
};

const SUB: Traits = Traits {
    subscribes: true,
    conflates: true,
    ..NONE
};

const XSUB: Traits = Traits {
    fans_out: true,
    subscribes: true,
    ..NONE
};

const STREAM: Traits = Traits {
    tells_peers: true,
    addressed: true,
    raw: true,
    ..NONE
};

const COLLECTOR: Traits = Traits {
    subscribes: true,
    adapts: true,
    ..NONE
};

/// The table.
pub(crate) const fn traits(socket_type: SocketType) -> Traits {
    match socket_type {
        SocketType::Push => PUSH,
        SocketType::Pull => PULL,
        SocketType::Pair => PAIR,
        SocketType::Req => REQ,
        SocketType::Rep => REP,
        SocketType::Dealer => DEALER,
        SocketType::Router => ROUTER,
        SocketType::Pub => PUB,
        SocketType::Xpub => XPUB,
        SocketType::Sub => SUB,
        SocketType::Xsub => XSUB,
        SocketType::Stream => STREAM,
        SocketType::Collector => COLLECTOR,
    }
}

/// Operations for which one unit of Tokio's cooperative budget is spent.
pub(crate) const PER_UNIT: u32 = 32;

/// Lets a loop that never has to wait give way to other tasks from time to time.
#[derive(Debug, Default)]
pub(crate) struct Coop(AtomicU32);

impl Coop {
    /// Counts one operation. Call it before anything is taken: it may wait.
    #[inline]
    pub(crate) async fn proceed(&self) {
        // Not an atomic addition: a count lost between two tasks does no harm, and this is cheaper.
        let operations = self.0.load(Ordering::Relaxed).wrapping_add(1);
        self.0.store(operations, Ordering::Relaxed);
        if operations.is_multiple_of(PER_UNIT) {
            tokio::task::coop::consume_budget().await;
        }
    }
}
