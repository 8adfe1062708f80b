//! [`Ahead`]: what was read before its owner took it. PURE.
#![deny(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation
)]

use std::collections::VecDeque;

use privateer_core::Message;

/// Things that wait for their owner, and how many octets they have.
#[derive(Debug)]
pub(super) struct Ahead<T> {
    waiting: VecDeque<(T, usize)>,
    octets: usize,
}

/// So many are read ahead at the most, while their owner waits to send something.
const MOST: usize = 1000;
/// So many octets of them at the most, and one message.
const MOST_OCTETS: usize = 64 << 20;

impl<T> Ahead<T> {
    pub(super) const fn new() -> Self {
        Self {
            waiting: VecDeque::new(),
            octets: 0,
        }
    }

    pub(super) fn push(&mut self, thing: T, octets: usize) {
        self.octets = self.octets.saturating_add(octets);
        self.waiting.push_back((thing, octets));
    }

    pub(super) fn pop(&mut self) -> Option<T> {
        let (thing, octets) = self.waiting.pop_front()?;
        self.octets -= octets;
        Some(thing)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Whether no more is to be read, whatever its owner waits for.
    pub(super) fn is_full(&self) -> bool {
        self.waiting.len() >= MOST || self.octets >= MOST_OCTETS
    }
}

/// How many octets the frames of a message have.
pub(super) fn octets(message: &Message) -> usize {
    message.frames().iter().map(|frame| frame.len()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_ahead_is_bounded_in_number_and_in_octets() {
        for octets in [0, MOST_OCTETS / 10] {
            let mut ahead = Ahead::new();
            let most = (0..).take_while(|number| {
                let has_room = !ahead.is_full();
                ahead.push(*number, octets);
                has_room
            });
            let most = most.count();
            assert_eq!(most, if octets == 0 { MOST } else { 11 });
            let taken: Vec<_> = std::iter::from_fn(|| ahead.pop()).collect();
            assert!(taken.into_iter().eq(0..=most) && ahead.is_empty());
            assert_eq!(ahead.octets, 0);
        }
    }
}
