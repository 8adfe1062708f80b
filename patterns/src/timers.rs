//! What is due when. PURE.
#![deny(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation
)]

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::time::{Duration, Instant};

/// Keys with the time when each is due, the earliest first.
///
/// Nothing is taken out early: who arms a key for another time remembers which entry is meant, and ignores the others
/// when they come up. So moving a deadline back, as each heartbeat does, costs nothing here.
#[derive(Debug)]
pub(super) struct Timers<K>(BinaryHeap<Entry<K>>);

#[derive(Debug)]
struct Entry<K> {
    due: Instant,
    key: K,
}

impl<K> Timers<K> {
    pub(super) const fn new() -> Self {
        Self(BinaryHeap::new())
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn arm(&mut self, due: Instant, key: K) {
        self.0.push(Entry { due, key });
    }

    /// When the earliest entry is due.
    pub(super) fn next(&self) -> Option<Instant> {
        self.0.peek().map(|entry| entry.due)
    }

    /// Takes the earliest entry if it is due.
    pub(super) fn pop(&mut self, now: Instant) -> Option<(Instant, K)> {
        if self.next()? > now {
            return None;
        }
        self.0.pop().map(|entry| (entry.due, entry.key))
    }

    /// Drops the entries that nobody means any more.
    pub(super) fn retain(&mut self, mut is_meant: impl FnMut(Instant, &K) -> bool) {
        self.0.retain(|entry| is_meant(entry.due, &entry.key));
    }
}

/// `start` plus `delay`; a delay of more than a hundred years is taken as a hundred years.
pub(super) fn after(start: Instant, delay: Duration) -> Instant {
    const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 3600);
    start.checked_add(delay.min(LONGEST)).unwrap_or(start)
}

impl<K> Ord for Entry<K> {
    /// The heap gives the greatest first: the earliest has to be that.
    fn cmp(&self, other: &Self) -> Ordering {
        other.due.cmp(&self.due)
    }
}

impl<K> PartialOrd for Entry<K> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<K> PartialEq for Entry<K> {
    fn eq(&self, other: &Self) -> bool {
        self.due == other.due
    }
}

impl<K> Eq for Entry<K> {}
