//! [`FanOut`]: outgoing messages to all that asked for them.
//!
//! ```text
//! send ──► send lock ──► who asked (subscriptions) ──► encoded once ──► a pipe for each
//!                              ▲
//! sessions ── a peer's SUBSCRIBE, CANCEL
//! ```
//!
//! Locks are taken in this order: send, subscriptions, pipe. The send lock makes one order of messages at all peers.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use tokio::sync::Notify;

use super::Coop;
use super::subscriptions::{Inserted, Removed, Subscriber, Subscriptions};
use crate::encoded::Encoded;
use crate::message::Message;
use crate::monitor::DropReason;
use crate::options::{Manual, PubSubOptions};
use crate::peer::{Bell, Link, PeerId};
use crate::pipe::Refused;
use crate::socket::core::Core;
use crate::sync::Mutex;
use crate::zmtp::traffic::PeerMisbehaved;

/// Outgoing messages to all that asked for them, or to all.
#[derive(Debug, Default)]
pub(crate) struct FanOut {
    sending: Mutex<Sending>,
    table: Mutex<Table>,
    /// Rings when a pipe has room.
    pub(crate) bell: Arc<Bell>,
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
    /// The next message is for this peer alone.
    only: Option<PeerId>,
}

/// Who is there, and who asked for what.
#[derive(Debug, Default)]
struct Table {
    subscriptions: Subscriptions,
    /// What was asked for, if the owner decides what is in force.
    requested: Subscriptions,
    subscribers: Vec<Option<Place>>,
    free: Vec<Subscriber>,
    by_peer: HashMap<PeerId, Subscriber>,
    /// Of the fan-out that is under way.
    generation: u64,
}

#[derive(Debug)]
struct Place {
    link: Arc<Link>,
    /// The fan-out for which it was last chosen, so that it is chosen once for each.
    chosen_for: u64,
    /// Messages that were dropped for it since there was room last.
    run: u64,
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
            let mut room = std::pin::pin!(self.bell.0.notified());
            room.as_mut().enable();
            match self.try_send(core, to, message) {
                Err(Refused::Full) => room.await,
                done => {
                    // There may be room for those who wait beside this one.
                    self.bell.0.notify_one();
                    return done;
                }
            }
        }
    }

    /// Lets other tasks run from time to time, and when a pipe has become full.
    pub(crate) async fn give_way(&self) {
        self.coop.proceed().await;
        if self.is_tight.load(Ordering::Relaxed) {
            self.is_tight.store(false, Ordering::Relaxed);
            // The session of the pipe that is full now may only have had no time yet.
            tokio::task::yield_now().await;
        }
    }

    /// Publishes a message to all that it is for, or refuses it; what one of them has no room for is dropped for it
    /// alone, unless nothing is to be dropped.
    pub(crate) fn try_send(&self, core: &Core, to: To, message: &Message) -> Result<(), Refused> {
        let mut told = Vec::new();
        let sent = {
            let mut sending = self.sending.lock();
            let sending = &mut *sending;
            if sending.closed {
                return Err(Refused::Closed);
            }
            let mut table = self.table.lock();
            table.choose(to, sending.only, message, &mut sending.chosen);
            let no_drop = to == To::Subscribers && core.options.pubsub.no_drop;
            if no_drop && table.is_one_full(&sending.chosen) {
                Err(Refused::Full)
            } else {
                sending.only = None;
                let chosen = (&sending.chosen[..], &mut told);
                if table.publish(core, &mut sending.encoded, message, chosen) {
                    self.is_tight.store(true, Ordering::Relaxed);
                }
                Ok(sending.chosen.len())
            }
        };
        for (link, messages) in &told {
            core.tell_dropped(Some(link), DropReason::Full, *messages);
        }
        if sent? == 0 {
            core.counters.unmatched.add(1);
        }
        Ok(())
    }

    /// Sends a message to one peer alone, whatever it asked for.
    pub(crate) fn send_to(&self, link: &Link, message: &Message) -> Result<(), Refused> {
        let sending = self.sending.lock();
        if sending.closed {
            return Err(Refused::Closed);
        }
        link.outbound.publish(&[], message)
    }

    /// Waits until so many peers would get a message with this first frame.
    ///
    /// Cancel safe: dropped before it is ready, nothing has changed.
    pub(crate) async fn wait_for(&self, topic: &[u8], peers: usize) {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            if self.matching(topic) >= peers {
                return;
            }
            changed.await;
        }
    }

    /// How many peers would get a message with this first frame.
    fn matching(&self, topic: &[u8]) -> usize {
        let mut table = self.table.lock();
        let mut chosen = Vec::new();
        table.choose_subscribers(topic, &mut chosen);
        chosen.len()
    }

    /// How many different topics were asked for and are in force.
    pub(crate) fn topics(&self) -> usize {
        self.table.lock().subscriptions.topics()
    }

    /// A new peer, which has asked for nothing.
    pub(crate) fn add(&self, link: &Arc<Link>) {
        let mut table = self.table.lock();
        let place = Place {
            link: Arc::clone(link),
            chosen_for: 0,
            run: 0,
        };
        let subscriber = table.free.pop().unwrap_or_else(|| {
            table.subscribers.push(None);
            Subscriber::try_from(table.subscribers.len() - 1).unwrap_or(Subscriber::MAX)
        });
        if let Some(free) = table.subscribers.get_mut(subscriber as usize) {
            *free = Some(place);
        }
        table.by_peer.insert(link.id, subscriber);
    }

    /// The end of a peer; returns what it had asked for, and how many messages were dropped for it of which nobody was
    /// told.
    pub(crate) fn remove(&self, link: &Link, options: &PubSubOptions) -> (Vec<Bytes>, u64) {
        let mut dropped = 0;
        let topics = {
            let mut table = self.table.lock();
            let Some(subscriber) = table.by_peer.remove(&link.id) else {
                return (Vec::new(), 0);
            };
            if let Some(place) = table.subscribers.get_mut(subscriber as usize)
                && let Some(mut place) = place.take()
            {
                dropped = place.end_run().map_or(0, |(_, messages)| messages);
            }
            table.free.push(subscriber);
            let in_force = table.subscriptions.remove_all(subscriber);
            match options.xpub_manual {
                Manual::Off => in_force,
                _ => table.requested.remove_all(subscriber),
            }
        };
        self.tell_changed();
        let topics = topics.into_iter().map(|(topic, _)| topic);
        (topics.collect(), dropped)
    }

    /// What a peer wants; none if it is gone, an error if it wants too much.
    pub(crate) fn ask(
        &self,
        link: &Link,
        (ask, topic): (Ask, &[u8]),
        options: &PubSubOptions,
    ) -> Result<Option<Asked>, PeerMisbehaved> {
        let asked = {
            let mut table = self.table.lock();
            let Some(&subscriber) = table.by_peer.get(&link.id) else {
                return Ok(None);
            };
            let topics = match options.xpub_manual {
                Manual::Off => &mut table.subscriptions,
                _ => &mut table.requested,
            };
            let asked = change(topics, subscriber, ask, topic);
            if !link.is_inproc() {
                check_limits(topics.held(subscriber), options)?;
            }
            asked
        };
        self.tell_changed();
        Ok(Some(asked))
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
            let mut table = self.table.lock();
            let Some(&subscriber) = table.by_peer.get(&link.id) else {
                return;
            };
            for topic in topics {
                change(&mut table.subscriptions, subscriber, ask, topic.as_ref());
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
        self.bell.0.notify_one();
    }

    /// Nothing is sent after this; everybody who waits is woken.
    pub(crate) fn close(&self) {
        self.sending.lock().closed = true;
        self.bell.0.notify_waiters();
    }
}

fn change(topics: &mut Subscriptions, subscriber: Subscriber, ask: Ask, topic: &[u8]) -> Asked {
    let is_new = match ask {
        Ask::Subscribe => topics.insert(topic, subscriber) != Inserted::Again,
        Ask::Cancel => topics.remove(topic, subscriber) != Removed::Unknown,
    };
    if is_new {
        Asked::Changed
    } else {
        Asked::Repeated
    }
}

fn check_limits(
    (topics, bytes): (usize, usize),
    options: &PubSubOptions,
) -> Result<(), PeerMisbehaved> {
    if let Some(limit) = options.max_topics.map(usize::from)
        && topics > limit
    {
        return Err(PeerMisbehaved::TooManyTopics { limit });
    }
    if let Some(limit) = options.max_topic_bytes.map(usize::from)
        && bytes > limit
    {
        return Err(PeerMisbehaved::TopicsTooLarge { limit });
    }
    Ok(())
}

impl Place {
    /// There is room again; gives how many messages were dropped that nobody was told of, if there are any.
    fn end_run(&mut self) -> Option<(Arc<Link>, u64)> {
        // Of the first one somebody was.
        let messages = std::mem::take(&mut self.run).saturating_sub(1);
        (messages > 0).then(|| (Arc::clone(&self.link), messages))
    }
}

impl Table {
    /// Whom a message is for, each once.
    fn choose(
        &mut self,
        to: To,
        only: Option<PeerId>,
        message: &Message,
        chosen: &mut Vec<Subscriber>,
    ) {
        chosen.clear();
        match to {
            To::All => chosen.extend(self.by_peer.values()),
            To::Subscribers => {
                let topic = message.frames().first().map(AsRef::as_ref);
                self.choose_subscribers(topic.unwrap_or_default(), chosen);
            }
        }
        if let Some(only) = only {
            let only = self.by_peer.get(&only);
            chosen.retain(|subscriber| Some(subscriber) == only);
        }
    }

    fn choose_subscribers(&mut self, topic: &[u8], chosen: &mut Vec<Subscriber>) {
        self.generation += 1;
        let generation = self.generation;
        let places = &mut self.subscribers;
        self.subscriptions.matching(topic, |subscriber| {
            if let Some(Some(place)) = places.get_mut(subscriber as usize)
                && place.chosen_for != generation
            {
                place.chosen_for = generation;
                chosen.push(subscriber);
            }
        });
    }

    fn is_one_full(&self, chosen: &[Subscriber]) -> bool {
        let is_full = |subscriber: &Subscriber| {
            let place = self.subscribers.get(*subscriber as usize);
            place
                .and_then(Option::as_ref)
                .is_some_and(|place| place.link.outbound.has_room() == Err(Refused::Full))
        };
        chosen.iter().any(is_full)
    }

    /// Puts the message into the pipes of all that are chosen; tells whether that has made one full. Those for which
    /// dropping begins or ends go to `told`, with the number of messages that nobody was told of.
    fn publish(
        &mut self,
        core: &Core,
        encoded: &mut Encoded,
        message: &Message,
        (chosen, told): (&[Subscriber], &mut Vec<(Arc<Link>, u64)>),
    ) -> bool {
        // One alone needs no copy to share.
        let is_shared = chosen.len() > 1;
        if is_shared {
            encoded.encode(message);
        }
        let mut is_tight = false;
        for subscriber in chosen {
            let Some(Some(place)) = self.subscribers.get_mut(*subscriber as usize) else {
                continue;
            };
            let pipe = &place.link.outbound;
            let published = if is_shared {
                pipe.publish_encoded(encoded)
            } else {
                pipe.publish_alone(message)
            };
            match published {
                Ok(has_room) => {
                    is_tight |= !has_room;
                    if place.run > 0 {
                        told.extend(place.end_run());
                    }
                }
                Err(Refused::Full) => {
                    core.counters.dropped(DropReason::Full, 1);
                    place.link.dropped.add(1);
                    place.run += 1;
                    if place.run == 1 {
                        told.push((Arc::clone(&place.link), 1));
                    }
                }
                // Its connection has just ended.
                Err(Refused::Closed) => {}
            }
        }
        encoded.clear();
        is_tight
    }
}
