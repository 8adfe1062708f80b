//! [`Reader`]: what one connection reads, on its way into the pipe.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::Waker;

use crate::monitor::DropReason;
use crate::pipe::{Limits, Pipe};
use crate::segment::Segment;
use crate::socket::counters::Counters;
use crate::zmtp::traffic::Traffic;

/// From the stream to the inbound pipe.
pub(crate) struct Reader {
    pub(super) traffic: Traffic,
    inbound: Arc<Pipe>,
    /// What may wait in the pipe at most, beyond which not even subscriptions are read.
    most: Limits,
    counters: Arc<Counters>,
    /// Scratch for segments between the two.
    segments: VecDeque<Segment>,
}

impl Reader {
    pub(crate) fn new(
        traffic: Traffic,
        inbound: Arc<Pipe>,
        most: Limits,
        counters: Arc<Counters>,
    ) -> Self {
        Self {
            traffic,
            inbound,
            most,
            counters,
            segments: VecDeque::new(),
        }
    }

    /// Moves whole messages into the pipe; tells whether all that are here had room.
    pub(super) fn publish(&mut self, waker: &Waker) -> bool {
        while self.traffic.has_messages() {
            let take = |room, into: &mut _| self.traffic.take(room, into);
            let Some(discarded) = self.inbound.fill(&mut self.segments, waker, take) else {
                return false;
            };
            self.count_discarded(discarded);
        }
        true
    }

    /// Whether so many subscriptions wait for the socket's owner that no more are to come.
    pub(super) fn is_over(&self, waker: &Waker) -> bool {
        let has_limit = self.most.messages.is_some() || self.most.bytes.is_some();
        has_limit && self.inbound.holds(self.most, waker)
    }

    fn count_discarded(&self, messages: usize) {
        if messages > 0 {
            self.counters
                .dropped(DropReason::NoReceiver, messages as u64);
        }
    }
}

impl Drop for Reader {
    /// What was received stays readable, however the connection ends: what had no room yet, one read buffer at most, goes
    /// past the marks, so that the peer need not wait until somebody receives.
    fn drop(&mut self) {
        if self.traffic.has_messages() {
            self.traffic.take(usize::MAX, &mut self.segments);
            let discarded = self.inbound.append(&mut self.segments);
            self.count_discarded(discarded);
        }
    }
}
