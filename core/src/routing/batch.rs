//! [`Batch`]: messages for one audience, which its pipes get together.
//!
//! ```text
//! send: first of a batch ──────────────────────► every pipe, whose session wakes
//!       the next ones, same audience ──► batch
//!                                          │  a session finds its pipe empty, the batch is full,
//!                                          ▼  or a message has another audience
//!                                        every pipe, by reference
//! ```
//!
//! A message that is in no pipe yet is never forgotten: whoever got the first of the batch looks here before it goes to
//! sleep.

use bytes::{Bytes, BytesMut};

use super::fan_out::To;
use super::subscriptions::{NodeId, Subscriber, Subscriptions};
use crate::encoded::{is_small, put_message};
use crate::message::Message;

/// A batch is full at this size, in bytes.
const BATCH_BYTES: usize = 64 * 1024;
/// A batch of less, in bytes, is copied out of the memory that it was put together in, of which a pipe would keep all.
const SHARED_BYTES: usize = BATCH_BYTES / 2;
/// More memory than this, in bytes, does not wait for the next batch.
const BATCH_MEMORY: usize = 4 * BATCH_BYTES;

/// Whom messages are for: equal ones are the same peers.
#[derive(Debug, Default)]
pub(crate) struct Audience {
    to_all: bool,
    /// What matches in the tree of subscriptions.
    nodes: Vec<NodeId>,
    /// Of peers and subscriptions.
    version: u64,
}

impl Audience {
    /// Becomes the audience of this message.
    fn set(&mut self, to: To, message: &Message, (subscriptions, version): (&Subscriptions, u64)) {
        self.to_all = to == To::All;
        self.version = version;
        self.nodes.clear();
        if !self.to_all {
            self.nodes.extend(subscriptions.nodes(topic(message)));
        }
    }

    fn is_of(
        &self,
        to: To,
        message: &Message,
        (subscriptions, version): (&Subscriptions, u64),
    ) -> bool {
        self.version == version
            && self.to_all == (to == To::All)
            && (self.to_all
                || subscriptions
                    .nodes(topic(message))
                    .eq(self.nodes.iter().copied()))
    }
}

/// The octets that subscriptions are about.
pub(crate) fn topic(message: &Message) -> &[u8] {
    message
        .frames()
        .first()
        .map(AsRef::as_ref)
        .unwrap_or_default()
}

/// Messages that all go to the same peers, and are in none of their pipes.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    audience: Audience,
    chosen: Vec<Subscriber>,
    octets: BytesMut,
    /// Where each message ends.
    ends: Vec<usize>,
    /// How many messages all have room for who had room for the first one; with none it takes no message.
    limit: usize,
}

/// What a batch has come to.
#[derive(Debug)]
pub(crate) struct Messages {
    pub(crate) octets: Bytes,
    /// Where each ends.
    pub(crate) ends: Vec<usize>,
    pub(crate) chosen: Vec<Subscriber>,
}

impl Batch {
    /// From now on it takes up to `limit` messages for these peers, who have got one.
    pub(crate) fn open(
        &mut self,
        (to, message): (To, &Message),
        table: (&Subscriptions, u64),
        chosen: &[Subscriber],
        limit: usize,
    ) {
        self.audience.set(to, message, table);
        self.chosen.clear();
        self.chosen.extend_from_slice(chosen);
        self.limit = limit;
    }

    /// Takes a message if it is for the same peers; tells whether it has.
    pub(crate) fn take(&mut self, to: To, message: &Message, table: (&Subscriptions, u64)) -> bool {
        if self.limit == 0 || !is_small(message) || !self.audience.is_of(to, message, table) {
            return false;
        }
        put_message(&mut self.octets, message);
        self.ends.push(self.octets.len());
        true
    }

    /// Whether it has to go into the pipes now.
    pub(crate) fn is_full(&self) -> bool {
        self.ends.len() >= self.limit || self.octets.len() >= BATCH_BYTES
    }

    /// Takes no more; gives what it has.
    pub(crate) fn close(&mut self) -> Option<Messages> {
        self.limit = 0;
        let chosen = std::mem::take(&mut self.chosen);
        if self.ends.is_empty() {
            self.chosen = chosen;
            return None;
        }
        let octets = if self.octets.len() < SHARED_BYTES {
            let octets = Bytes::copy_from_slice(&self.octets);
            self.octets.clear();
            octets
        } else {
            self.octets.split().freeze()
        };
        if self.octets.capacity() > BATCH_MEMORY {
            self.octets = BytesMut::new();
        }
        Some(Messages {
            octets,
            ends: std::mem::take(&mut self.ends),
            chosen,
        })
    }

    /// Gives memory back that [`close`](Self::close) has handed out.
    pub(crate) fn recycle(&mut self, mut messages: Messages) {
        messages.ends.clear();
        messages.chosen.clear();
        self.ends = messages.ends;
        self.chosen = messages.chosen;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A pipe that keeps a batch waiting keeps no more memory than that has, or little more.
    #[test]
    fn a_small_batch_is_copied_out_of_its_memory() {
        let table = Subscriptions::default();
        let message = Message::from(vec![7; 200]);
        for messages in [10, SHARED_BYTES / message[0].len()] {
            let mut batch = Batch::default();
            batch.open((To::All, &message), (&table, 0), &[1], usize::MAX);
            for _ in 0..messages {
                assert!(batch.take(To::All, &message, (&table, 0)));
            }
            let all = batch.octets.len();
            let memory = batch.octets.capacity();
            let closed = batch.close().unwrap();
            assert_eq!((closed.octets.len(), closed.ends.len()), (all, messages));
            assert_eq!(batch.octets.try_reclaim(memory), all < SHARED_BYTES);
            assert!(memory <= 2 * all || all < SHARED_BYTES);
        }
    }
}
