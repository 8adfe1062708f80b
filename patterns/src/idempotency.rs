//! Keys of calls, and a memory of calls that recognises those that come again. PURE.
//!
//! ```text
//! request   number of the try (4) · key · ∅ · body         key: 00 'P' 'K' '1' · 16 octets of the call
//! ```
//!
//! The key is part of the envelope, which whoever answers sends back as it is, so that it disturbs nobody. No routing id of
//! libzmq looks like it.
#![deny(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation
)]

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use privateer_core::{Frame, Message};

use crate::timers::after;

/// Names one call of one client, the same in all its tries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct IdempotencyKey([u8; 16]);

const MAGIC: [u8; 4] = [0x00, b'P', b'K', b'1'];
const LEN: usize = 20;

impl IdempotencyKey {
    /// The key of a client's call with this number; `client` is random.
    pub(crate) fn new(client: u64, call: u64) -> Self {
        let mut key = [0; 16];
        let (first, second) = key.split_at_mut(8);
        first.copy_from_slice(&client.to_be_bytes());
        second.copy_from_slice(&call.to_be_bytes());
        Self(key)
    }

    /// The frame before the empty one.
    pub(crate) fn write(self) -> Frame {
        let mut frame = [0; LEN];
        let (magic, key) = frame.split_at_mut(MAGIC.len());
        magic.copy_from_slice(&MAGIC);
        key.copy_from_slice(&self.0);
        Frame::from(frame)
    }

    /// The key in the envelope of a request, if there is one.
    pub(crate) fn read(envelope: Option<&Message>) -> Option<Self> {
        let last = envelope?.frames().last()?;
        let key = last.strip_prefix(&MAGIC)?.try_into().ok()?;
        Some(Self(key))
    }
}

/// How many replies to calls with keys are kept, for callers that ask again.
///
/// What is kept no more is not recognised, and worked on again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplyCacheOptions {
    calls: usize,
    octets: usize,
    ttl: Duration,
}

impl ReplyCacheOptions {
    /// How many calls are remembered; with none, only those in hand are recognised.
    /// - Unit: calls    - Default: 10,000    - Range: any
    #[must_use]
    pub const fn calls(mut self, calls: usize) -> Self {
        self.calls = calls;
        self
    }

    /// How large their replies may be together.
    /// - Unit: octets    - Default: 16 MiB    - Range: any
    #[must_use]
    pub const fn octets(mut self, octets: usize) -> Self {
        self.octets = octets;
        self
    }

    /// How long a call is remembered after its end. Make it longer than callers try.
    /// - Default: 60 seconds    - Range: any
    #[must_use]
    pub const fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = ttl;
        self
    }
}

impl Default for ReplyCacheOptions {
    fn default() -> Self {
        Self {
            calls: 10_000,
            octets: 16 << 20,
            ttl: Duration::from_secs(60),
        }
    }
}

/// So many requests of one call wait for its reply.
const ROUTES: usize = 8;

/// Lets one more request of a call wait for its reply; gives the one that is forgotten for it, the oldest of too many.
pub(crate) fn join<R>(routes: &mut Vec<R>, route: R) -> Option<R> {
    routes.push(route);
    (routes.len() > ROUTES).then(|| routes.remove(0))
}

/// Calls with keys: those in hand, each with an `R` by which its owner knows it, and those that ended not long ago.
#[derive(Debug)]
pub(crate) struct Calls<R> {
    options: ReplyCacheOptions,
    known: HashMap<IdempotencyKey, Known<R>>,
    /// Calls that ended, the oldest first, and when each is forgotten.
    ended: VecDeque<(Instant, IdempotencyKey)>,
    /// The size of all replies.
    octets: usize,
}

#[derive(Debug)]
enum Known<R> {
    InHand(R),
    Answered(Message),
    Failed,
}

/// What is known of a call.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found<R> {
    /// It is new, or forgotten.
    New,
    /// It is worked on.
    InHand(R),
    /// This was the answer.
    Answered(Message),
    /// It ended without an answer, and must not be worked on again.
    Failed,
}

impl<R: Copy> Calls<R> {
    pub(crate) fn new(options: ReplyCacheOptions) -> Self {
        Self {
            options,
            known: HashMap::new(),
            ended: VecDeque::new(),
            octets: 0,
        }
    }

    pub(crate) fn find(&mut self, now: Instant, key: IdempotencyKey) -> Found<R> {
        self.trim(now);
        match self.known.get(&key) {
            None => Found::New,
            Some(Known::InHand(call)) => Found::InHand(*call),
            Some(Known::Answered(reply)) => Found::Answered(reply.clone()),
            Some(Known::Failed) => Found::Failed,
        }
    }

    /// A new call is worked on.
    pub(crate) fn begin(&mut self, key: IdempotencyKey, call: R) {
        self.known.insert(key, Known::InHand(call));
    }

    /// A call in hand is answered.
    pub(crate) fn answered(&mut self, now: Instant, key: IdempotencyKey, reply: &Message) {
        self.octets += size(reply);
        self.end(now, key, Known::Answered(reply.clone().detach()));
    }

    /// A call in hand ended without an answer, and is not worked on again.
    pub(crate) fn failed(&mut self, now: Instant, key: IdempotencyKey) {
        self.end(now, key, Known::Failed);
    }

    /// A call in hand ended, and may be worked on again.
    pub(crate) fn forget(&mut self, key: IdempotencyKey) {
        self.known.remove(&key);
    }

    fn end(&mut self, now: Instant, key: IdempotencyKey, how: Known<R>) {
        self.known.insert(key, how);
        self.ended.push_back((after(now, self.options.ttl), key));
        self.trim(now);
    }

    /// Forgets what is too old or too much.
    fn trim(&mut self, now: Instant) {
        while let Some((expires, key)) = self.ended.front() {
            let is_too_much =
                self.ended.len() > self.options.calls || self.octets > self.options.octets;
            if *expires > now && !is_too_much {
                return;
            }
            if let Some(Known::Answered(reply)) = self.known.remove(key) {
                self.octets -= size(&reply);
            }
            self.ended.pop_front();
        }
    }
}

/// What a reply holds in memory: an empty frame is something, too.
fn size(message: &Message) -> usize {
    let frames = message.frames().iter();
    frames.map(|frame| size_of::<Frame>() + frame.len()).sum()
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test begins at any time")]
mod tests {
    use super::*;

    fn key(call: u64) -> IdempotencyKey {
        IdempotencyKey::new(7, call)
    }

    fn answered(calls: &mut Calls<u8>, now: Instant, call: u64, reply: &str) {
        assert_eq!(calls.find(now, key(call)), Found::New);
        calls.begin(key(call), 1);
        calls.answered(now, key(call), &Message::from(reply));
    }

    #[test]
    fn a_key_is_read_as_it_was_written_and_nothing_else_is_a_key() {
        let number = Frame::from(1_u32.to_be_bytes());
        let envelope = Message::from([number.clone(), key(5).write()]);
        assert_eq!(IdempotencyKey::read(Some(&envelope)), Some(key(5)));
        assert_ne!(key(5), key(6));
        assert_ne!(key(5), IdempotencyKey::new(8, 5));
        // A routing id that libzmq made, one that a user made, and one of 16 octets.
        for other in [&[0, 1, 2, 3, 4][..], b"PK1", &[b'x'; 16], &[0; 20]] {
            let envelope = Message::from(Frame::from(other));
            assert_eq!(IdempotencyKey::read(Some(&envelope)), None, "{other:?}");
        }
        assert_eq!(IdempotencyKey::read(None), None);
    }

    #[test]
    fn calls_are_recognised_in_hand_and_after() {
        let now = Instant::now();
        let mut calls = Calls::new(ReplyCacheOptions::default());
        assert_eq!(calls.find(now, key(1)), Found::New);
        calls.begin(key(1), 9);
        assert_eq!(calls.find(now, key(1)), Found::InHand(9));
        calls.answered(now, key(1), &Message::from("x"));
        assert_eq!(calls.find(now, key(1)), Found::Answered(Message::from("x")));
        calls.begin(key(2), 9);
        calls.failed(now, key(2));
        assert_eq!(calls.find(now, key(2)), Found::Failed);
        calls.begin(key(3), 9);
        calls.forget(key(3));
        assert_eq!(calls.find(now, key(3)), Found::New);
    }

    #[test]
    fn what_is_too_old_or_too_much_is_forgotten_the_oldest_first() {
        let now = Instant::now();
        let minute = Duration::from_secs(60);
        let octets = 10 + 3 * size_of::<Frame>();
        let options = ReplyCacheOptions::default()
            .calls(3)
            .octets(octets)
            .ttl(minute);
        let mut calls = Calls::new(options);
        for call in 0..4 {
            answered(&mut calls, now, call, "x");
        }
        assert_eq!(calls.find(now, key(0)), Found::New);
        assert!(matches!(calls.find(now, key(1)), Found::Answered(_)));
        answered(&mut calls, now, 4, "nine octs");
        assert_eq!(calls.find(now, key(2)), Found::New);
        assert!(matches!(calls.find(now, key(3)), Found::Answered(_)));
        // One that is too large alone leaves nothing.
        answered(&mut calls, now, 5, &"x".repeat(octets));
        assert_eq!((calls.known.len(), calls.octets), (0, 0));
        answered(&mut calls, now, 6, "x");
        let late = now + minute;
        assert_eq!(calls.find(late, key(6)), Found::New);
        assert_eq!((calls.ended.len(), calls.octets), (0, 0));
    }
}
