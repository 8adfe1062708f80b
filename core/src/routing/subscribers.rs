//! [`Subscribers`]: the peers of a fan-out, and who of them asked for what.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use super::batch::{Messages, topic};
use super::fan_out::{Ask, Asked, To};
use super::subscriptions::{Inserted, Removed, Subscriber, Subscriptions};
use crate::encoded::Encoded;
use crate::message::Message;
use crate::monitor::DropReason;
use crate::options::{Manual, PubSubOptions};
use crate::peer::{Link, PeerId};
use crate::pipe::{Published, Refused};
use crate::socket::core::Core;
use crate::zmtp::traffic::PeerMisbehaved;

/// Who is there, and who asked for what.
#[derive(Debug, Default)]
pub(crate) struct Subscribers {
    subscriptions: Subscriptions,
    /// What was asked for, if the owner decides what is in force.
    requested: Subscriptions,
    places: Vec<Option<Place>>,
    free: Vec<Subscriber>,
    /// In the order in which they came, which is the order of a message to all.
    by_peer: BTreeMap<PeerId, Subscriber>,
    /// Of the fan-out that is under way.
    generation: u64,
    /// Goes up with every change of peers and of subscriptions that are in force.
    version: u64,
    /// Peers without a session.
    inproc: usize,
}

#[derive(Debug)]
struct Place {
    link: Arc<Link>,
    /// The fan-out for which it was last chosen, so that it is chosen once for each.
    chosen_for: u64,
    /// Messages that were dropped for it since there was room last.
    run: u64,
}

/// Peers for which dropping begins or ends, with the number of messages that nobody was told of yet.
pub(crate) type Untold = Vec<(Arc<Link>, u64)>;

/// Tells monitors of what was dropped and is counted.
pub(crate) fn tell(core: &Core, untold: &Untold) {
    for (link, messages) in untold {
        core.tell_dropped(Some(link), DropReason::Full, *messages);
    }
}

/// What became of a message at all that it was for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outcome {
    /// How many peers have got it.
    pub(crate) taken: usize,
    /// How many more all of those have room for.
    pub(crate) room: usize,
}

impl Outcome {
    const NOBODY: Self = Self {
        taken: 0,
        room: usize::MAX,
    };

    /// Whether it has made a pipe full.
    pub(crate) const fn is_tight(self) -> bool {
        self.room == 0
    }
}

impl Subscribers {
    /// The subscriptions that are in force, and a number that changes with them and with the peers.
    pub(crate) const fn in_force(&self) -> (&Subscriptions, u64) {
        (&self.subscriptions, self.version)
    }

    /// Whether every peer has a session, which looks for more before it sleeps.
    pub(crate) const fn have_sessions(&self) -> bool {
        self.inproc == 0
    }

    /// A new peer, which has asked for nothing.
    pub(crate) fn add(&mut self, link: &Arc<Link>) {
        let place = Place {
            link: Arc::clone(link),
            chosen_for: 0,
            run: 0,
        };
        let subscriber = self.free.pop().unwrap_or_else(|| {
            self.places.push(None);
            Subscriber::try_from(self.places.len() - 1).unwrap_or(Subscriber::MAX)
        });
        if let Some(free) = self.places.get_mut(subscriber as usize) {
            *free = Some(place);
        }
        self.by_peer.insert(link.id, subscriber);
        self.version += 1;
        self.inproc += usize::from(link.is_inproc());
    }

    /// Whether a peer is there.
    pub(crate) fn has(&self, link: &Link) -> bool {
        self.by_peer.contains_key(&link.id)
    }

    /// The end of a peer; returns what it had asked for, and how many messages were dropped for it of which nobody was
    /// told.
    pub(crate) fn remove(&mut self, link: &Link, options: &PubSubOptions) -> (Vec<Bytes>, u64) {
        let Some(subscriber) = self.by_peer.remove(&link.id) else {
            return (Vec::new(), 0);
        };
        self.version += 1;
        self.inproc -= usize::from(link.is_inproc());
        let mut dropped = 0;
        if let Some(place) = self.places.get_mut(subscriber as usize)
            && let Some(mut place) = place.take()
        {
            dropped = place.end_run().map_or(0, |(_, messages)| messages);
        }
        self.free.push(subscriber);
        let in_force = self.subscriptions.remove_all(subscriber);
        let topics = match options.xpub_manual {
            Manual::Off => in_force,
            _ => self.requested.remove_all(subscriber),
        };
        let topics = topics.into_iter().map(|(topic, _)| topic);
        (topics.collect(), dropped)
    }

    /// What a peer wants; none if it is gone, an error if it wants too much.
    pub(crate) fn ask(
        &mut self,
        link: &Link,
        (ask, topic): (Ask, &[u8]),
        options: &PubSubOptions,
    ) -> Result<Option<Asked>, PeerMisbehaved> {
        let Some(&subscriber) = self.by_peer.get(&link.id) else {
            return Ok(None);
        };
        self.version += 1;
        let topics = match options.xpub_manual {
            Manual::Off => &mut self.subscriptions,
            _ => &mut self.requested,
        };
        let asked = change(topics, subscriber, ask, topic);
        if !link.is_inproc()
            && let Err(fault) = check_limits(topics.held(subscriber), options)
        {
            // The owner does not hear that it begins, and must not hear that it ends with the peer.
            topics.remove(topic, subscriber);
            return Err(fault);
        }
        Ok(Some(asked))
    }

    /// Puts subscriptions of a peer in force, or ends them, whatever it asked for; tells whether it is there.
    pub(crate) fn decide<T: AsRef<[u8]>>(
        &mut self,
        link: &Link,
        ask: Ask,
        topics: impl IntoIterator<Item = T>,
    ) -> bool {
        let Some(&subscriber) = self.by_peer.get(&link.id) else {
            return false;
        };
        self.version += 1;
        for topic in topics {
            change(&mut self.subscriptions, subscriber, ask, topic.as_ref());
        }
        true
    }

    /// Whom a message is for, each once.
    pub(crate) fn choose(
        &mut self,
        to: To,
        only: Option<PeerId>,
        message: &Message,
        chosen: &mut Vec<Subscriber>,
    ) {
        chosen.clear();
        match to {
            To::All => chosen.extend(self.by_peer.values()),
            To::Subscribers => self.choose_subscribers(topic(message), chosen),
        }
        if let Some(only) = only {
            let only = self.by_peer.get(&only);
            chosen.retain(|subscriber| Some(subscriber) == only);
        }
    }

    /// All that asked for this topic, each once.
    pub(crate) fn choose_subscribers(&mut self, topic: &[u8], chosen: &mut Vec<Subscriber>) {
        self.generation += 1;
        let generation = self.generation;
        let places = &mut self.places;
        self.subscriptions.matching(topic, |subscriber| {
            if let Some(Some(place)) = places.get_mut(subscriber as usize)
                && place.chosen_for != generation
            {
                place.chosen_for = generation;
                chosen.push(subscriber);
            }
        });
    }

    /// Whether one of these has no room.
    pub(crate) fn is_one_full(&self, chosen: &[Subscriber]) -> bool {
        let is_full = |subscriber: &Subscriber| {
            let place = self.places.get(*subscriber as usize);
            place
                .and_then(Option::as_ref)
                .is_some_and(|place| place.link.outbound.has_room() == Err(Refused::Full))
        };
        chosen.iter().any(is_full)
    }

    /// Puts a message into the pipes of all that are chosen.
    pub(crate) fn publish(
        &mut self,
        core: &Core,
        encoded: &mut Encoded,
        message: &Message,
        (chosen, untold): (&[Subscriber], &mut Untold),
    ) -> Outcome {
        // One alone needs no copy to share.
        let is_shared = chosen.len() > 1;
        if is_shared {
            encoded.encode(message);
        }
        let outcome = self.offer((chosen, untold), core, 1, |place| {
            let pipe = &place.link.outbound;
            if is_shared {
                pipe.publish_encoded(encoded)
            } else {
                pipe.publish_alone(message)
            }
        });
        encoded.clear();
        outcome
    }

    /// Puts the messages of a batch into the pipes of all that they are for.
    pub(crate) fn publish_batch(
        &mut self,
        core: &Core,
        batch: &Messages,
        untold: &mut Untold,
    ) -> Outcome {
        let offered = batch.ends.len();
        self.offer((&batch.chosen, untold), core, offered, |place| {
            let pipe = &place.link.outbound;
            pipe.publish_batch(&batch.octets, &batch.ends)
        })
    }

    /// Offers so many messages to all that are chosen, and counts what is dropped.
    fn offer(
        &mut self,
        (chosen, untold): (&[Subscriber], &mut Untold),
        core: &Core,
        offered: usize,
        publish: impl Fn(&Place) -> Result<Published, Refused>,
    ) -> Outcome {
        let mut outcome = Outcome::NOBODY;
        for subscriber in chosen {
            let Some(Some(place)) = self.places.get_mut(*subscriber as usize) else {
                continue;
            };
            let taken = match publish(place) {
                Ok(published) => {
                    if published.messages > 0 {
                        outcome.taken += 1;
                        outcome.room = outcome.room.min(published.room);
                    }
                    published.messages
                }
                Err(Refused::Full) => 0,
                // Its connection has just ended.
                Err(Refused::Closed) => continue,
            };
            if taken > 0 && place.run > 0 {
                untold.extend(place.end_run());
            }
            if taken < offered {
                place.drop_messages(core, (offered - taken) as u64, untold);
            }
        }
        outcome
    }
}

impl Place {
    /// There is no room for so many messages.
    fn drop_messages(&mut self, core: &Core, messages: u64, untold: &mut Untold) {
        core.counters.dropped(DropReason::Full, messages);
        self.link.dropped.add(messages);
        if self.run == 0 {
            untold.push((Arc::clone(&self.link), 1));
        }
        self.run += messages;
    }

    /// There is room again; gives how many messages were dropped that nobody was told of, if there are any.
    fn end_run(&mut self) -> Option<(Arc<Link>, u64)> {
        // Of the first one somebody was.
        let messages = std::mem::take(&mut self.run).saturating_sub(1);
        (messages > 0).then(|| (Arc::clone(&self.link), messages))
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
