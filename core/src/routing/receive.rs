//! [`Receive`]: whose turn it is to be received from.

use std::collections::VecDeque;

use super::source::Source;
use crate::decode::Decoder;

/// The peers that are received from, and those that are paused.
#[derive(Debug, Default)]
pub(super) struct Receive {
    /// The first is received from next.
    pub(super) active: VecDeque<Source>,
    /// Messages of the first active peer that were taken in its turn, in a crowd.
    pub(super) in_a_row: usize,
    /// Sources of peers that are paused.
    pub(super) parked: Vec<Source>,
    pub(super) paused: Vec<crate::PeerId>,
    /// Decoders of peers that have nothing more, for those that have something next.
    pub(super) spare: Vec<Decoder>,
}

/// How many: few peers run out and have something again in turn.
const SPARE: usize = 8;

/// From how many readable peers on a turn is longer than one message.
///
/// With one message a turn, each of 10,000 peers had one reply waiting whenever its session came to write, so that every
/// reply cost a system call of its own: five times the CPU time of a message.
pub(super) const CROWD: usize = 64;

/// Messages of a turn then.
pub(super) const CROWD_TURN: usize = 16;

impl Receive {
    /// A message of the first peer was taken: the next one has its turn, in a crowd after a few more.
    #[inline]
    pub(super) fn turn(&mut self) {
        let peers = self.active.len();
        if peers > 1 {
            self.in_a_row += 1;
            if peers < CROWD || self.in_a_row >= CROWD_TURN {
                self.in_a_row = 0;
                self.active.rotate_left(1);
            }
        }
    }

    /// Takes the first peer out, which has nothing more: the next one has a turn of its own.
    pub(super) fn pop_first(&mut self) -> Option<Source> {
        self.in_a_row = 0;
        self.active.pop_front()
    }

    /// As [`pop_first`](Self::pop_first); what its decoder has reserved is used again.
    pub(super) fn drop_first(&mut self) {
        if let Some(source) = self.pop_first()
            && self.spare.len() < SPARE
        {
            self.spare.push(source.decoder.cleared());
        }
    }
}
