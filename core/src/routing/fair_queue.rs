//! [`Inbox`]: what a socket receives, one message from each peer in turn.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Wake, Waker};

use tokio::sync::Notify;

use super::leftovers::{CONNECTIONS_MAX, Leftovers};
use super::source::{Offered, Source};
use super::{Coop, PER_UNIT};
use crate::message::Message;
use crate::parcel::Parcel;
use crate::peer::Link;
use crate::pipe::Taken;
use crate::sync::Mutex;

/// What a socket receives, fair-queued: one whole message from each readable peer in turn.
///
/// One lock is taken once per received message and never by a session; sessions only add to the list of peers that
/// became readable.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    receive: Mutex<Receive>,
    arrivals: Mutex<Arrivals>,
    has_arrivals: AtomicBool,
    pub(crate) leftovers: Leftovers,
    readable: Notify,
    closed: AtomicBool,
    coop: Coop,
}

/// What sessions tell.
#[derive(Debug, Default)]
struct Arrivals {
    /// Peers whose pipe was empty and is not any more.
    readable: Vec<Arc<Link>>,
    /// Peers that are gone while they are paused.
    gone: Vec<Arc<Link>>,
}

#[derive(Debug, Default)]
struct Receive {
    active: VecDeque<Source>,
    /// Sources of peers that are paused.
    parked: Vec<Source>,
    paused: Vec<crate::PeerId>,
}

/// What comes next from a peer.
#[derive(Debug)]
pub(crate) enum Delivery {
    /// The connection is there, and nothing of it was delivered before.
    Up,
    Message(Message),
    /// The connection is lost, and this is all that there was.
    Down,
}

/// How far [`Inbox::pass_on`] came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Passed {
    /// Nothing is left.
    All,
    /// As many as were asked for; there may be more.
    Most,
    /// The next one was refused.
    Refused,
}

/// The socket is closed and nothing is left to receive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Closed;

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

    /// Hands the next deliveries to `accept` until it makes something of one; none if nothing is there.
    #[inline]
    pub(crate) fn try_next<T>(
        &self,
        accept: &mut impl FnMut(&Arc<Link>, Delivery) -> Option<T>,
    ) -> Option<T> {
        let mut receive = self.receive.lock();
        // What happens nearly always, short enough to become part of the caller: then no message moves in memory.
        if !self.has_arrivals.load(Ordering::Acquire)
            && let Some(source) = receive.active.front_mut()
            && !source.is_new
            && let Some(frame) = source.decoder.next_small()
        {
            source.count();
            let accepted = accept(&source.link, Delivery::Message(frame.into()));
            receive.turn();
            if accepted.is_some() {
                return accepted;
            }
        }
        self.search(&mut receive, accept)
    }

    /// As [`try_next`](Self::try_next), whatever it takes.
    #[inline(never)]
    fn search<T>(
        &self,
        receive: &mut Receive,
        accept: &mut impl FnMut(&Arc<Link>, Delivery) -> Option<T>,
    ) -> Option<T> {
        loop {
            if self.has_arrivals.load(Ordering::Acquire) {
                self.admit(receive);
            }
            let source = receive.active.front_mut()?;
            if std::mem::take(&mut source.is_new)
                && let Some(accepted) = accept(&source.link, Delivery::Up)
            {
                return Some(accepted);
            }
            if let Some(message) = source.decoder.next() {
                source.count();
                let accepted = accept(&source.link, Delivery::Message(message));
                receive.turn();
                if accepted.is_some() {
                    return accepted;
                }
                continue;
            }
            match source.refill() {
                Taken::Some => {}
                Taken::Empty => drop(receive.active.pop_front()),
                Taken::Finished => {
                    self.leftovers.received();
                    let link = receive.active.pop_front().map(|source| source.link);
                    let accepted = link.and_then(|link| accept(&link, Delivery::Down));
                    if accepted.is_some() {
                        return accepted;
                    }
                }
            }
        }
    }

    /// Offers messages to `pass`, one from each peer in turn, until it takes no more, none is left, or it took `most`.
    ///
    /// What it does not take is the next message of its peer, as before: nothing is ever in between.
    pub(crate) fn pass_on(
        &self,
        most: usize,
        pass: &mut impl FnMut(&Arc<Link>, &Parcel<'_>) -> Offered,
    ) -> Passed {
        let mut receive = self.receive.lock();
        let mut passed = 0;
        while passed < most {
            if self.has_arrivals.load(Ordering::Acquire) {
                self.admit(&mut receive);
            }
            let Some(source) = receive.active.front_mut() else {
                return Passed::All;
            };
            match source.offer(pass) {
                Some(Offered::Taken) => {
                    source.is_new = false;
                    source.count();
                    passed += 1;
                    if receive.active.len() > 1 {
                        receive.active.rotate_left(1);
                    }
                }
                Some(Offered::Refused) => return Passed::Refused,
                Some(Offered::Later) => receive.park(0),
                None => match source.refill() {
                    Taken::Some => {}
                    Taken::Empty => drop(receive.active.pop_front()),
                    Taken::Finished => {
                        self.leftovers.received();
                        drop(receive.active.pop_front());
                    }
                },
            }
        }
        Passed::Most
    }

    /// Tells one of those who wait that a peer became readable.
    pub(crate) const fn readable(&self) -> &Notify {
        &self.readable
    }

    /// As [`try_next`](Self::try_next), waiting for something to arrive.
    ///
    /// Cancel safe: dropped before it is ready, it has taken nothing.
    pub(crate) async fn next<T>(
        &self,
        mut accept: impl FnMut(&Arc<Link>, Delivery) -> Option<T>,
    ) -> Result<T, Closed> {
        self.coop.proceed().await;
        match self.try_next(&mut accept) {
            Some(accepted) => Ok(accepted),
            None => self.wait(accept).await,
        }
    }

    async fn wait<T>(
        &self,
        mut accept: impl FnMut(&Arc<Link>, Delivery) -> Option<T>,
    ) -> Result<T, Closed> {
        loop {
            let mut readable = std::pin::pin!(self.readable.notified());
            readable.as_mut().enable();
            if let Some(accepted) = self.try_next(&mut accept) {
                // There may be more than one for those who wait beside this one.
                self.readable.notify_one();
                return Ok(accepted);
            }
            if self.is_closed() {
                return Err(Closed);
            }
            readable.await;
        }
    }

    /// Waits until there is something to receive, and leaves it there. That a peer came or went counts only `with_peers`,
    /// and is forgotten otherwise.
    ///
    /// Cancel safe: dropped before it is ready, it passes the wake on.
    pub(crate) async fn ready(&self, with_peers: bool) {
        self.coop.proceed().await;
        loop {
            let mut readable = std::pin::pin!(self.readable.notified());
            readable.as_mut().enable();
            if self.has_next(with_peers) || self.is_closed() {
                // Those who wait beside this one may want it.
                self.readable.notify_one();
                return;
            }
            readable.await;
        }
    }

    fn has_next(&self, with_peers: bool) -> bool {
        let mut receive = self.receive.lock();
        loop {
            if self.has_arrivals.load(Ordering::Acquire) {
                self.admit(&mut receive);
            }
            let Some(source) = receive.active.front_mut() else {
                return false;
            };
            if source.decoder.has_next() || (source.is_new && with_peers) {
                return true;
            }
            source.is_new = false;
            match source.refill() {
                Taken::Some => return true,
                Taken::Finished if with_peers => return true,
                Taken::Empty => drop(receive.active.pop_front()),
                Taken::Finished => {
                    self.leftovers.received();
                    drop(receive.active.pop_front());
                }
            }
        }
    }

    /// As [`next`](Self::next), of messages that `wanted` makes something of; the others are gone.
    ///
    /// It gives way to other tasks after so many that are not wanted.
    pub(crate) async fn next_wanted<T>(
        &self,
        wanted: impl Fn(&Arc<Link>, Message) -> Option<T>,
    ) -> Result<T, Closed> {
        let mut examined = 0;
        let mut accept = |link: &Arc<Link>, delivery| {
            let Delivery::Message(message) = delivery else {
                return None;
            };
            if let Some(found) = wanted(link, message) {
                return Some(Some(found));
            }
            examined += 1;
            (examined % PER_UNIT == 0).then_some(None)
        };
        loop {
            if let Some(found) = self.next(&mut accept).await? {
                return Ok(found);
            }
            tokio::task::coop::consume_budget().await;
        }
    }

    /// As [`next_wanted`](Self::next_wanted); none if nothing of that is there.
    pub(crate) fn try_next_wanted<T>(
        &self,
        wanted: impl Fn(&Arc<Link>, Message) -> Option<T>,
    ) -> Option<T> {
        self.try_next(&mut |link, delivery| match delivery {
            Delivery::Message(message) => wanted(link, message),
            Delivery::Up | Delivery::Down => None,
        })
    }

    /// Wakes everybody who waits; what is there can still be received.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.readable.notify_waiters();
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
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

    /// How many messages of this peer wait, here or in its pipe.
    pub(crate) fn unread(&self, link: &Link) -> usize {
        let receive = self.receive.lock();
        let sources = receive.active.iter().chain(&receive.parked);
        let received = sources
            .filter(|source| source.link.id == link.id)
            .map(|source| source.received);
        // Those handed out whose credit has not returned count in the pipe.
        let waiting = link.inbound.counts().queued;
        waiting.saturating_sub(received.sum())
    }

    fn admit(&self, receive: &mut Receive) {
        let mut arrivals = self.arrivals.lock();
        self.has_arrivals.store(false, Ordering::Relaxed);
        let Arrivals { readable, gone } = &mut *arrivals;
        for link in readable.drain(..) {
            let paused = receive.paused.contains(&link.id);
            let source = Source::new(link);
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
    fn park(&mut self, index: usize) {
        if let Some(source) = self.active.remove(index) {
            self.pause(&source.link);
            self.parked.push(source);
        }
    }

    fn pause(&mut self, link: &Link) {
        self.paused.push(link.id);
        link.inbound.set_paused(true);
    }

    /// The peer that had its turn is the last one now.
    #[inline]
    fn turn(&mut self) {
        if self.active.len() > 1 {
            self.active.rotate_left(1);
        }
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
