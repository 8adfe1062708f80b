//! [`PeerKey`], and what the broker knows of each connected peer. PURE.
#![deny(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation
)]

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};

use privateer_core::Message;

use super::request::OF_CLIENT;
use super::service::Worker;
use crate::arena::{Id, Queue};
use crate::majordomo::PeerFacts;

/// Names one connection of a peer; a peer that connects again gets another key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerKey(pub u64);

pub(super) type Peers = HashMap<PeerKey, Peer, BuildHasherDefault<KeyHasher>>;

/// A connected peer: a client, a worker, both or neither yet.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) facts: PeerFacts,
    pub(super) role: Role,
    /// The requests it made that are not answered yet.
    pub(super) requests: Queue<OF_CLIENT>,
    /// What those and the parked messages cost, in bytes.
    pub(super) held: usize,
    /// Whether the task was told not to read from it.
    pub(super) paused: bool,
    pub(super) flow: Flow,
    /// Messages that wait for room in its pipe, in order; none while the flow is open.
    pub(super) parked: VecDeque<Message>,
}

/// What a peer is as a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// It did not say READY, or was sent DISCONNECT.
    NoWorker,
    Worker(Id<Worker>),
    /// It was silent for too long, or worked for too long; its late replies are expected.
    PresumedDead,
    /// It sent DISCONNECT: nothing more is sent to it.
    Left,
}

/// Whether a peer takes what is sent to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    Open,
    /// Its pipe was full when last tried.
    Full,
    /// Its pipe has room again; the parked messages go first.
    Draining,
}

impl Peer {
    pub(super) const fn new(facts: PeerFacts) -> Self {
        Self {
            facts,
            role: Role::NoWorker,
            requests: Queue::new(),
            held: 0,
            paused: false,
            flow: Flow::Open,
            parked: VecDeque::new(),
        }
    }

    pub(super) const fn is_worker(&self) -> bool {
        matches!(self.role, Role::Worker(_))
    }

    /// Counts `cost` bytes that are held for this peer; true if reading from it has to stop now.
    ///
    /// A worker is always read from: its heartbeats and replies come by the same way.
    pub(super) const fn charge(&mut self, cost: usize, limit: usize) -> bool {
        self.held = self.held.saturating_add(cost);
        let pause = self.held > limit && !self.paused && !self.is_worker();
        self.paused |= pause;
        pause
    }

    /// Counts `cost` bytes that are no longer held; true if reading may go on now.
    pub(super) const fn release(&mut self, cost: usize, limit: usize) -> bool {
        self.held = self.held.saturating_sub(cost);
        let resume = self.paused && self.held <= limit / 2;
        self.paused &= !resume;
        resume
    }
}

/// Spreads keys that the program itself counts up, so they need no defence against chosen ones.
#[derive(Debug, Default)]
pub(super) struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(u64::from(byte));
        }
    }

    fn write_u64(&mut self, key: u64) {
        // The golden ratio spreads neighbours; the fold brings the high bits down, where the table looks too.
        let spread = (self.0 ^ key).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = spread ^ (spread >> 32);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
