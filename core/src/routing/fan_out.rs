//! [`FanOut`]: outgoing messages to all that asked for them.
//!
//! ```text
//! send ──► send lock ──► who asked (subscribers) ──► encoded once ──► a pipe for each
//!                              ▲                          │  ▲
//! sessions ── a peer's SUBSCRIBE, CANCEL                  └ batch: what follows for the same peers
//! ```
//!
//! Locks are taken in this order: send, subscribers, pipe. The send lock makes one order of messages at all peers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use tokio::sync::Notify;

use super::Coop;
use super::batch::Batch;
use super::subscribers::{Outcome, Subscribers, Untold, tell};
use super::subscriptions::Subscriber;
use crate::conflated::Conflate;
use crate::encoded::{Encoded, is_small};
use crate::error::SendErrorKind;
use crate::message::Message;
use crate::options::{Manual, PubSubOptions};
use crate::peer::{Gong, Link, PeerId};
use crate::pipe::{Pipe, Refused};
use crate::socket::core::Core;
use crate::sync::Mutex;
use crate::zmtp::traffic::PeerMisbehaved;

/// Outgoing messages to all that asked for them, or to all.
#[derive(Debug, Default)]
pub(crate) struct FanOut {
    sending: Mutex<Sending>,
    subscribers: Mutex<Subscribers>,
    /// A batch takes messages: who finds its pipe empty looks whether there are any.
    has_batch: AtomicBool,
    /// Rings when a pipe has room, or somebody who was waited for may not be meant any more.
    pub(crate) gong: Arc<Gong>,
    /// Subscriptions have changed.
    changed: Notify,
    /// A message has made a pipe full: before the next one, sessions should get to run.
    is_tight: AtomicBool,
    coop: Coop,
}

/// What the send lock guards.
#[derive(Debug, Default)]
struct Sending {
    closed: bool,
    encoded: Encoded,
    chosen: Vec<Subscriber>,
    batch: Batch,
    /// The next message is for this peer alone.
    only: Option<PeerId>,
}

/// Whether a peer wants a topic or does not any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    Subscribe,
    Cancel,
}

/// What a peer's wish came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// The peer has the topic, and had not, or the other way round.
    Changed,
    /// It is as it was.
    Repeated,
}

/// Whom a message goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum To {
    /// Those who asked for it.
    Subscribers,
    /// All peers.
    All,
}

impl FanOut {
    /// Publishes a message, and waits while one who asked for it has no room, if nothing is to be dropped.
    ///
    /// Cancel safe: dropped before it is ready, it has sent nothing.
    pub(crate) async fn send(&self, core: &Core, to: To, message: &Message) -> Result<(), Refused> {
        self.give_way().await;
        match self.try_send(core, to, message) {
            Err(Refused::Full) => {}
            done => return done,
        }
        loop {
            let mut room = std::pin::pin!(self.gong.0.notified());
            room.as_mut().enable();
            match self.try_send(core, to, message) {
                Err(Refused::Full) => room.await,
                done => return done,
            }
        }
    }

    /// Lets other tasks run from time to time, and when a pipe has become full.
    pub(crate) async fn give_way(&self) {
        self.coop.proceed().await;
        if self.take_tight() {
            // The session of the pipe that is full now may only have had no time yet.
            tokio::task::yield_now().await;
        }
    }

    /// Whether a message has made a pipe full since this was asked last: then sessions should get to run.
    pub(crate) fn take_tight(&self) -> bool {
        self.is_tight.load(Ordering::Relaxed) && self.is_tight.swap(false, Ordering::Relaxed)
    }

    /// Publishes a message to all that it is for, or refuses it; what one of them has no room for is dropped for it
    /// alone, unless nothing is to be dropped.
    pub(crate) fn try_send(&self, core: &Core, to: To, message: &Message) -> Result<(), Refused> {
        let mut untold = Untold::new();
        let sent = {
            let mut sending = self.sending.lock();
            if sending.closed {
                return Err(Refused::Closed);
            }
            let mut subscribers = self.subscribers.lock();
            if sending.batch.take(to, message, subscribers.in_force()) {
                if sending.batch.is_full() {
                    self.end_batch(core, (&mut *sending, &mut *subscribers), &mut untold);
                }
                Ok(())
            } else {
                self.end_batch(core, (&mut *sending, &mut *subscribers), &mut untold);
                self.publish(
                    core,
                    (to, message),
                    (&mut *sending, &mut *subscribers),
                    &mut untold,
                )
            }
        };
        tell(core, &untold);
        sent
    }

    /// Publishes a message at once, and opens a batch for those that follow if that is of use.
    fn publish(
        &self,
        core: &Core,
        (to, message): (To, &Message),
        (sending, subscribers): (&mut Sending, &mut Subscribers),
        untold: &mut Untold,
    ) -> Result<(), Refused> {
        subscribers.choose(to, sending.only, message, &mut sending.chosen);
        let chosen = &sending.chosen[..];
        let no_drop = to == To::Subscribers && core.options.pubsub.no_drop;
        if no_drop && subscribers.is_one_full(chosen) {
            return Err(Refused::Full);
        }
        let batches = chosen.len() > 1
            && !no_drop
            && sending.only.is_none()
            && subscribers.have_sessions()
            && core.conflate() == Conflate::Off
            && is_small(message);
        sending.only = None;
        // Before a pipe has the message: whose session takes it is to see that there may be more.
        self.has_batch.store(batches, Ordering::Release);
        let outcome = subscribers.publish(core, &mut sending.encoded, message, (chosen, untold));
        self.note(outcome);
        if chosen.is_empty() {
            core.counters.unmatched.add(1);
        }
        if batches && outcome.taken > 0 && outcome.room > 0 {
            let limit = outcome.room.min(core.live.send().per_segment());
            sending
                .batch
                .open((to, message), subscribers.in_force(), chosen, limit);
        } else {
            self.has_batch.store(false, Ordering::Release);
        }
        Ok(())
    }

    /// Puts what is in the batch into the pipes; tells whether that was anything.
    ///
    /// Who reads a pipe and finds it empty calls it before it waits, and whoever wants to know what is in the pipes.
    pub(crate) fn flush(&self, core: &Core) -> bool {
        if !self.has_batch.load(Ordering::Acquire) {
            return false;
        }
        let mut untold = Untold::new();
        let flushed = {
            let mut sending = self.sending.lock();
            let mut subscribers = self.subscribers.lock();
            self.end_batch(core, (&mut *sending, &mut *subscribers), &mut untold)
        };
        tell(core, &untold);
        flushed
    }

    /// Finishes pipes behind all that was sent before.
    pub(crate) fn finish(&self, core: &Core, pipes: &[Arc<Pipe>]) {
        let mut untold = Untold::new();
        {
            let mut sending = self.sending.lock();
            let mut subscribers = self.subscribers.lock();
            self.end_batch(core, (&mut *sending, &mut *subscribers), &mut untold);
            // Under the send lock, so that no batch begins in between.
            pipes.iter().for_each(|pipe| pipe.finish());
        }
        tell(core, &untold);
    }

    fn end_batch(
        &self,
        core: &Core,
        (sending, subscribers): (&mut Sending, &mut Subscribers),
        untold: &mut Untold,
    ) -> bool {
        let messages = sending.batch.close();
        let has_any = messages.is_some();
        if let Some(messages) = messages {
            self.note(subscribers.publish_batch(core, &messages, untold));
            sending.batch.recycle(messages);
        }
        // After the pipes have what was in it: who sees none is woken by its pipe.
        self.has_batch.store(false, Ordering::Release);
        has_any
    }

    fn note(&self, outcome: Outcome) {
        if outcome.is_tight() {
            self.is_tight.store(true, Ordering::Relaxed);
        }
    }

    /// Sends a message to one peer alone, whatever it asked for.
    pub(crate) fn send_to(
        &self,
        core: &Core,
        link: &Link,
        message: &Message,
    ) -> Result<(), SendErrorKind> {
        self.flush(core);
        let sending = self.sending.lock();
        if sending.closed {
            return Err(SendErrorKind::Closed);
        }
        let gone = SendErrorKind::PeerGone { peer: link.id };
        if !self.subscribers.lock().has(link) {
            // Its pipe may go on with another connection.
            return Err(gone);
        }
        let sent = link.outbound.publish(&[], message);
        sent.map_err(|refused| match refused {
            Refused::Full => SendErrorKind::Full,
            Refused::Closed => gone,
        })
    }

    /// Waits until so many peers would get a message with this first frame, or the socket is closed.
    ///
    /// Cancel safe: dropped before it is ready, nothing has changed.
    pub(crate) async fn wait_for(&self, topic: &[u8], peers: usize) {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            if self.matching(topic) >= peers || self.sending.lock().closed {
                return;
            }
            changed.await;
        }
    }

    /// How many peers would get a message with this first frame.
    fn matching(&self, topic: &[u8]) -> usize {
        let mut chosen = Vec::new();
        self.subscribers
            .lock()
            .choose_subscribers(topic, &mut chosen);
        chosen.len()
    }

    /// How many different topics were asked for and are in force.
    pub(crate) fn topics(&self) -> usize {
        self.subscribers.lock().in_force().0.topics()
    }

    /// A new peer, which has asked for nothing.
    pub(crate) fn add(&self, link: &Arc<Link>) {
        self.subscribers.lock().add(link);
    }

    /// The end of a peer; returns what it had asked for, and how many messages were dropped for it of which nobody was
    /// told.
    pub(crate) fn remove(&self, core: &Core, link: &Link) -> (Vec<Bytes>, u64) {
        let mut untold = Untold::new();
        let gone = {
            let mut sending = self.sending.lock();
            let mut subscribers = self.subscribers.lock();
            // Under the send lock, so that no batch for it begins in between.
            self.end_batch(core, (&mut *sending, &mut *subscribers), &mut untold);
            sending.only.take_if(|only| *only == link.id);
            subscribers.remove(link, &core.options.pubsub)
        };
        tell(core, &untold);
        self.tell_changed();
        gone
    }

    /// What a peer wants; none if it is gone, an error if it wants too much.
    pub(crate) fn ask(
        &self,
        link: &Link,
        ask: (Ask, &[u8]),
        options: &PubSubOptions,
    ) -> Result<Option<Asked>, PeerMisbehaved> {
        let asked = self.subscribers.lock().ask(link, ask, options)?;
        if asked.is_some() {
            self.tell_changed();
        }
        Ok(asked)
    }

    /// Puts subscriptions of a peer in force, or ends them, whatever it asked for.
    pub(crate) fn decide<T: AsRef<[u8]>>(
        &self,
        link: &Link,
        ask: Ask,
        topics: impl IntoIterator<Item = T>,
        options: &PubSubOptions,
    ) {
        {
            let mut sending = self.sending.lock();
            if !self.subscribers.lock().decide(link, ask, topics) {
                return;
            }
            if options.xpub_manual == Manual::LastValue && ask == Ask::Subscribe {
                sending.only = Some(link.id);
            }
        }
        self.tell_changed();
    }

    fn tell_changed(&self) {
        self.changed.notify_waiters();
        // Whoever was waited for may not be one of those any more that a message is for.
        self.gong.0.notify_waiters();
    }

    /// Nothing is sent after this; everybody who waits is woken.
    pub(crate) fn close(&self, core: &Core) {
        self.sending.lock().closed = true;
        self.flush(core);
        self.gong.0.notify_waiters();
        self.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests;
