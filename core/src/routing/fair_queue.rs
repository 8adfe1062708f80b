//! [`Inbox`]: what a socket receives, one message from each peer in turn.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

use super::leftovers::Leftovers;
use super::receive::Receive;
use super::source::Offered;
use super::{Coop, PER_UNIT};
use crate::message::Message;
use crate::parcel::Parcel;
use crate::peer::Link;
use crate::pipe::Taken;
use crate::sync::Mutex;

/// What a socket receives, fair-queued: one whole message from each readable peer in turn, and [`CROWD_TURN`](super::receive::CROWD_TURN) of
/// them while the readable peers are a [`CROWD`](super::receive::CROWD).
///
/// One lock is taken once per received message and never by a session; sessions only add to the list of peers that
/// became readable.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    pub(super) receive: Mutex<Receive>,
    pub(super) arrivals: Mutex<Arrivals>,
    pub(super) has_arrivals: AtomicBool,
    pub(crate) leftovers: Leftovers,
    pub(super) readable: Notify,
    closed: AtomicBool,
    /// Tells of that, apart from `readable`, whose wake-ups are for those who receive.
    ended: Notify,
    coop: Coop,
}

/// What sessions tell.
#[derive(Debug, Default)]
pub(super) struct Arrivals {
    /// Peers whose pipe was empty and is not any more.
    pub(super) readable: Vec<Arc<Link>>,
    /// Peers that are gone while they are paused.
    pub(super) gone: Vec<Arc<Link>>,
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
    /// Hands the next deliveries to `accept` until it makes something of one; none if nothing is there.
    ///
    /// `accept` runs under the receive lock: it must not end a connection, since that may count what this inbox has not
    /// received, nor call the inbox in any other way. It hands out what is to be ended.
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
                Taken::Empty => receive.drop_first(),
                Taken::Finished => {
                    self.leftovers.received();
                    let link = receive.pop_first().map(|source| source.link);
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
                    receive.turn();
                }
                Some(Offered::Refused) => return Passed::Refused,
                Some(Offered::Later) => receive.park(0),
                None => match source.refill() {
                    Taken::Some => {}
                    Taken::Empty => receive.drop_first(),
                    Taken::Finished => {
                        self.leftovers.received();
                        receive.drop_first();
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
            None => self.wait(|| Ok(()), accept).await,
        }
    }

    /// As [`next`](Self::next), as long as `check` finds nothing wrong; who changes that [tells](Self::recheck).
    pub(crate) async fn next_while<T, E: From<Closed>>(
        &self,
        check: impl Fn() -> Result<(), E>,
        accept: impl FnMut(&Arc<Link>, Delivery) -> Option<T>,
    ) -> Result<T, E> {
        self.coop.proceed().await;
        self.wait(check, accept).await
    }

    async fn wait<T, E: From<Closed>>(
        &self,
        check: impl Fn() -> Result<(), E>,
        mut accept: impl FnMut(&Arc<Link>, Delivery) -> Option<T>,
    ) -> Result<T, E> {
        loop {
            // Not enabled before: of several wake-ups one is kept, and who gets that passes it on if there is more.
            let readable = self.readable.notified();
            if let Some(accepted) = self.try_next(&mut accept) {
                if self.has_next(true) {
                    // For those who wait beside this one. Else a permit would be left, and make the next one look twice.
                    self.readable.notify_one();
                }
                return Ok(accepted);
            }
            check()?;
            if self.is_closed() {
                return Err(Closed.into());
            }
            readable.await;
        }
    }

    /// Whether nothing was left of any peer when somebody last looked, and nothing has come since.
    pub(crate) fn is_drained(&self) -> bool {
        !self.has_arrivals.load(Ordering::Acquire) && self.receive.lock().active.is_empty()
    }

    /// Lets everybody who waits check again whether there is reason to.
    pub(crate) fn recheck(&self) {
        self.readable.notify_waiters();
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
                Taken::Some => {
                    source.put_back();
                    return true;
                }
                Taken::Finished if with_peers => return true,
                Taken::Empty => receive.drop_first(),
                Taken::Finished => {
                    self.leftovers.received();
                    receive.drop_first();
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
        self.ended.notify_waiters();
    }

    /// Waits until the socket is closed.
    pub(crate) async fn until_closed(&self) {
        let mut ended = std::pin::pin!(self.ended.notified());
        ended.as_mut().enable();
        if !self.is_closed() {
            ended.await;
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
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
}

#[cfg(test)]
mod tests;
