//! What the broker keeps of a service and of a worker. PURE.
#![deny(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation
)]

use std::time::Instant;

use privateer_core::Frame;

use super::request::PLACE;
use super::{PeerKey, ServiceOptions};
use crate::arena::{Arena, Id, Queue};
use crate::heartbeat::Heartbeat;

/// The link of the idle workers of a service.
pub(super) const IDLE: usize = 0;

pub(super) type Services = Arena<Service, 0>;
pub(super) type Workers = Arena<Worker, 1>;

/// A service: exists while it has workers or requests that wait.
#[derive(Debug)]
pub(super) struct Service {
    pub(super) name: Frame,
    pub(super) options: ServiceOptions,
    /// Requests that wait for their first worker, the oldest first.
    pub(super) fresh: Queue<PLACE>,
    /// Requests that lost their worker; they go first.
    pub(super) again: Queue<PLACE>,
    /// Workers with room for a request, the least recently used first.
    pub(super) idle: Queue<IDLE>,
    /// How many workers are registered, idle or not.
    pub(super) workers: usize,
    /// Which of its entries among the timers is meant.
    pub(super) armed: Option<Instant>,
}

/// A registered worker. It is among the idle ones of its service exactly while it has room for a request.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) peer: PeerKey,
    pub(super) service: Id<Service>,
    pub(super) capacity: usize,
    /// The requests that it works on, the oldest first.
    pub(super) in_hand: Queue<PLACE>,
    pub(super) link: Heartbeat,
    /// Whether it sends heartbeats while it works: it announced so, or did so. Reference workers cannot.
    pub(super) beats_while_busy: bool,
    /// Which of its entries among the timers is meant.
    pub(super) armed: Instant,
}

impl Service {
    pub(super) const fn new(name: Frame, options: ServiceOptions) -> Self {
        Self {
            name,
            options,
            fresh: Queue::new(),
            again: Queue::new(),
            idle: Queue::new(),
            workers: 0,
            armed: None,
        }
    }

    pub(super) const fn queued(&self) -> usize {
        self.fresh.len() + self.again.len()
    }

    pub(super) const fn is_unused(&self) -> bool {
        self.workers == 0 && self.queued() == 0
    }
}

impl Worker {
    pub(super) const fn has_room(&self) -> bool {
        self.in_hand.len() < self.capacity
    }

    /// Whether heartbeats are expected of it now; otherwise only the processing deadline counts.
    pub(super) const fn is_judged_by_heartbeats(&self) -> bool {
        self.beats_while_busy || self.in_hand.is_empty()
    }
}
