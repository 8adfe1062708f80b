//! Who is received from: peers arrive, are paused, go on, and depart.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::task::{Wake, Waker};

use super::fair_queue::{Arrivals, Inbox};
use super::leftovers::CONNECTIONS_MAX;
use super::receive::Receive;
use super::source::Source;
use crate::peer::Link;

impl Inbox {
    /// A waker for the reader's side of `link`'s pipe.
    pub(crate) fn waker(self: &Arc<Self>, link: &Weak<Link>) -> Waker {
        Waker::from(Arc::new(Readable {
            inbox: Arc::downgrade(self),
            link: Weak::clone(link),
        }))
    }

    /// Adds a peer to those that may have something to receive.
    pub(crate) fn arrive(&self, link: Arc<Link>) {
        self.tell(|arrivals| arrivals.readable.push(link));
    }

    /// Lets what a peer left be received whose connection has ended and whose pipe is finished: ends its pause, and
    /// forgets it if there is nothing. `tells` is whether the owner wants to know of it.
    pub(crate) fn depart(&self, link: &Arc<Link>, tells: bool) {
        if link.inbound.is_paused() {
            self.tell(|arrivals| arrivals.gone.push(Arc::clone(link)));
        }
        if link.inbound.counts().queued == 0 {
            self.forget(link, tells);
        } else if !link.is_inproc() {
            self.leftovers.add(Arc::clone(link));
        }
    }

    /// Nobody need be told of a peer who came and went without a word and was not looked at meanwhile; the owner of a
    /// socket that tells of peers is, as long as it listens.
    fn forget(&self, link: &Arc<Link>, tells: bool) {
        let mut arrivals = self.arrivals.lock();
        let waiting = &mut arrivals.readable;
        if tells && (waiting.len() <= CONNECTIONS_MAX || link.announced.load(Ordering::Relaxed)) {
            return;
        }
        if let Some(index) = waiting.iter().rposition(|other| Arc::ptr_eq(other, link)) {
            waiting.remove(index);
        }
    }

    fn tell(&self, what: impl FnOnce(&mut Arrivals)) {
        {
            let mut arrivals = self.arrivals.lock();
            what(&mut arrivals);
            self.has_arrivals.store(true, Ordering::Release);
        }
        self.readable.notify_one();
    }

    /// Hands out nothing more of this peer until it is resumed or gone; false if it is gone already.
    pub(crate) fn pause(&self, link: &Link) -> bool {
        let mut receive = self.receive.lock();
        if receive.paused.contains(&link.id) {
            return true;
        }
        // Either this finds that the connection has ended, or `depart` finds the pause.
        if !link.inbound.set_paused(true) {
            link.inbound.set_paused(false);
            return false;
        }
        let active = receive
            .active
            .iter()
            .position(|source| source.link.id == link.id);
        match active {
            Some(index) => receive.park(index),
            None => receive.pause(link),
        }
        true
    }

    /// Takes [`pause`](Self::pause) back.
    pub(crate) fn resume(&self, link: &Link) {
        self.receive.lock().resume(link);
        self.readable.notify_one();
    }

    /// How many peers wait to be looked at.
    #[cfg(test)]
    pub(crate) fn arrived(&self) -> usize {
        self.arrivals.lock().readable.len()
    }

    /// How many peers are paused, and how many of these wait with something to receive.
    #[cfg(test)]
    pub(crate) fn paused(&self) -> (usize, usize) {
        let receive = self.receive.lock();
        (receive.paused.len(), receive.parked.len())
    }

    pub(super) fn admit(&self, receive: &mut Receive) {
        let mut arrivals = self.arrivals.lock();
        self.has_arrivals.store(false, Ordering::Relaxed);
        let Arrivals { readable, gone } = &mut *arrivals;
        for link in readable.drain(..) {
            let paused = receive.paused.contains(&link.id);
            let source = Source::new(link, receive.spare.pop().unwrap_or_default());
            if paused {
                receive.parked.push(source);
            } else {
                receive.active.push_back(source);
            }
        }
        for link in gone.drain(..) {
            receive.resume(&link);
        }
    }
}

impl Receive {
    /// Pauses the peer of an active source.
    pub(super) fn park(&mut self, index: usize) {
        if index == 0 {
            // The next one has a turn of its own.
            self.in_a_row = 0;
        }
        if let Some(source) = self.active.remove(index) {
            self.pause(&source.link);
            self.parked.push(source);
        }
    }

    fn pause(&mut self, link: &Link) {
        self.paused.push(link.id);
        link.inbound.set_paused(true);
    }

    fn resume(&mut self, link: &Link) {
        self.paused.retain(|id| *id != link.id);
        let mut parked = self.parked.iter();
        if let Some(index) = parked.position(|source| source.link.id == link.id) {
            let source = self.parked.swap_remove(index);
            self.active.push_back(source);
        }
        link.inbound.set_paused(false);
    }
}

/// Wakes the reader of one pipe: the inbox of its socket.
struct Readable {
    inbox: Weak<Inbox>,
    link: Weak<Link>,
}

impl Wake for Readable {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if let (Some(inbox), Some(link)) = (self.inbox.upgrade(), self.link.upgrade()) {
            inbox.arrive(link);
        }
    }
}
