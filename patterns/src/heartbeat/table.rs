//! [`Heartbeats`]: the lives of many links. PURE.
#![deny(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation
)]

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::time::{Duration, Instant};

use super::{Heartbeat, HeartbeatOptions, Pauses};
use crate::timers::Timers;

/// When to beat on each of many links, and which of their peers are presumed dead.
///
/// After each [`handle_timeout`](Self::handle_timeout) call [`poll`](Self::poll) until it gives nothing, then wait for the
/// next input or for [`next_timeout`](Self::next_timeout). What is received and sent takes constant time however many
/// links there are; a heartbeat takes the logarithm of their number.
///
/// # Example
/// ```
/// use std::time::{Duration, Instant};
///
/// use privateer::heartbeat::{Beat, HeartbeatOptions, Heartbeats};
///
/// let (now, second) = (Instant::now(), Duration::from_secs(1));
/// let mut links = Heartbeats::new(HeartbeatOptions::default(), 7);
/// links.up(now, "peer", None);
/// links.handle_timeout(now + second);
/// assert_eq!(links.poll(), Some(Beat::Send("peer")));
/// links.heard(now + second, "peer");
/// links.handle_timeout(now + 2 * second);
/// assert_eq!(links.poll(), Some(Beat::Send("peer")));
/// links.handle_timeout(now + 3 * second);
/// links.handle_timeout(now + 4 * second);
/// assert_eq!([links.poll(), links.poll()], [Some(Beat::Send("peer")), Some(Beat::Dead("peer"))]);
/// ```
#[derive(Debug)]
pub struct Heartbeats<K> {
    options: HeartbeatOptions,
    links: HashMap<K, Link>,
    pub(super) timers: Timers<K>,
    pauses: Pauses,
    beats: VecDeque<Beat<K>>,
    seed: u64,
}

/// What has to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beat<K> {
    /// Send a heartbeat to this peer if nothing waits in its pipe; otherwise forget it, since what waits says as much.
    Send(K),
    /// This peer was silent for too long, and is forgotten here.
    Dead(K),
    /// This process did not run for so long, so nobody is judged before another interval has passed.
    Paused(Duration),
}

#[derive(Debug)]
struct Link {
    heartbeat: Heartbeat,
    /// Which of its entries among the timers is meant.
    armed: Instant,
}

impl<K: Copy + Eq + Hash> Heartbeats<K> {
    /// No links yet. `seed` decides how early each link beats, see [`Heartbeat::new`].
    #[must_use]
    pub fn new(options: HeartbeatOptions, seed: u64) -> Self {
        Self {
            pauses: Pauses::new(options.interval),
            options,
            links: HashMap::new(),
            timers: Timers::new(),
            beats: VecDeque::new(),
            seed,
        }
    }

    /// There is a link to this peer, which announced this interval, or none. A former one of the same key is forgotten.
    pub fn up(&mut self, now: Instant, peer: K, announced: Option<Duration>) {
        self.seed = self.seed.wrapping_add(1);
        let heartbeat = Heartbeat::new(now, &self.options, announced, self.seed);
        let armed = heartbeat.beat_due().min(heartbeat.expires());
        let link = Link { heartbeat, armed };
        self.links.insert(peer, link);
        self.arm(armed, peer);
    }

    /// The link to this peer is gone.
    pub fn down(&mut self, peer: K) {
        self.links.remove(&peer);
    }

    /// Anything was received from this peer.
    pub fn heard(&mut self, now: Instant, peer: K) {
        if let Some(link) = self.links.get_mut(&peer) {
            link.heartbeat.heard(now);
        }
    }

    /// Anything was sent to this peer.
    pub fn sent(&mut self, now: Instant, peer: K) {
        if let Some(link) = self.links.get_mut(&peer) {
            link.heartbeat.sent(now);
        }
    }

    /// Nothing was read until now, for lack of room: nobody is judged before another interval has passed.
    pub fn hold(&mut self, now: Instant) {
        self.pauses.hold(now);
    }

    /// Whether there is a link to this peer.
    #[must_use]
    pub fn contains(&self, peer: K) -> bool {
        self.links.contains_key(&peer)
    }

    /// The time of [`next_timeout`](Self::next_timeout) has come; too early does no harm.
    pub fn handle_timeout(&mut self, now: Instant) {
        let late = self.next_timeout();
        let late = late.and_then(|due| self.pauses.woken(now, due));
        self.beats.extend(late.map(Beat::Paused));
        while let Some((due, peer)) = self.timers.pop(now) {
            self.link_due(now, peer, due);
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) has to be called next.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// What has to be done next, if anything.
    #[must_use]
    pub fn poll(&mut self) -> Option<Beat<K>> {
        self.beats.pop_front()
    }

    fn link_due(&mut self, now: Instant, peer: K, due: Instant) {
        let link = self.links.get_mut(&peer);
        let Some(link) = link.filter(|link| link.armed == due) else {
            return;
        };
        let verdict = self.pauses.judge_at(link.heartbeat.expires());
        if verdict <= now {
            self.links.remove(&peer);
            self.beats.push_back(Beat::Dead(peer));
            return;
        }
        if link.heartbeat.beat_due() <= now {
            link.heartbeat.sent(now);
            self.beats.push_back(Beat::Send(peer));
        }
        link.armed = link.heartbeat.beat_due().min(verdict);
        let armed = link.armed;
        self.arm(armed, peer);
    }

    fn arm(&mut self, due: Instant, peer: K) {
        self.timers.arm(due, peer);
        // Links that come and go leave their entries behind: these must not pile up.
        const SLACK: usize = 64;
        if self.timers.len() > 2 * self.links.len() + SLACK {
            let links = &self.links;
            self.timers
                .retain(|due, peer| links.get(peer).is_some_and(|link| link.armed == due));
        }
    }
}
