//! Tests of the queue, on virtual time: clients and workers are played by hand, and nothing sleeps.

mod keys;
mod requests;
mod workers;

use std::num::{NonZeroU16, NonZeroU32};
use std::time::{Duration, Instant};

use privateer_core::{Frame, Message};

use super::*;
use crate::idempotency::ReplyCacheOptions;
use crate::majordomo::PeerFacts;
use crate::paranoid_pirate::protocol::{Framing, FromWorker, MAX_FRAMES, Malformed, ToWorker};

/// What tells this queue from others at its address.
const EPOCH: u64 = 7;
const WORKER: PeerKey = PeerKey(1);
const OTHER_WORKER: PeerKey = PeerKey(2);
const CLIENT: PeerKey = PeerKey(11);
const OTHER_CLIENT: PeerKey = PeerKey(12);

/// A queue, the time, and what the queue did that was not looked at yet.
struct Scene {
    queue: QueueMachine,
    now: Instant,
    outputs: Vec<Output>,
}

impl Scene {
    /// A queue with these options and two workers of others, which did not say READY.
    fn new(options: QueueOptions) -> Self {
        let mut scene = Self {
            queue: QueueMachine::new(options, EPOCH),
            now: Instant::now(),
            outputs: Vec::new(),
        };
        for worker in [WORKER, OTHER_WORKER] {
            scene.up(worker, PeerFacts::default());
        }
        scene
    }

    fn drain(&mut self) {
        let queue = &mut self.queue;
        self.outputs
            .extend(std::iter::from_fn(|| queue.poll_output()));
    }

    fn up(&mut self, worker: PeerKey, facts: PeerFacts) {
        self.queue.worker_up(self.now, worker, facts);
        self.drain();
    }

    fn down(&mut self, worker: PeerKey) {
        self.queue.worker_down(self.now, worker);
        self.drain();
    }

    fn says(&mut self, worker: PeerKey, frames: &[&[u8]]) {
        self.queue
            .worker_message(self.now, worker, frames_of(frames));
        self.drain();
    }

    /// READY, as a worker of RFC 6 says it.
    fn ready(&mut self, worker: PeerKey) {
        self.says(worker, &[b"\x01"]);
    }

    fn beats(&mut self, worker: PeerKey) {
        self.says(worker, &[b"\x02"]);
    }

    /// Sends what was given to a worker back, as the guide's workers do.
    fn echo(&mut self, worker: PeerKey, request: &Message) {
        self.queue.worker_message(self.now, worker, request.clone());
        self.drain();
    }

    fn request(&mut self, client: PeerKey, body: &str) {
        self.request_of(client, &[b"", body.as_bytes()]);
    }

    fn request_of(&mut self, client: PeerKey, frames: &[&[u8]]) {
        self.queue.request(self.now, client, frames_of(frames));
        self.drain();
    }

    /// Lets time pass; the queue is called whenever it asked for it.
    fn advance(&mut self, by: Duration) {
        let end = self.now + by;
        while let Some(due) = self.queue.next_timeout().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.queue.handle_timeout(self.now);
            self.drain();
        }
        self.now = end;
    }

    /// Lets seconds pass while a worker sends heartbeats.
    fn advance_with_heartbeats(&mut self, seconds: u64, worker: PeerKey) {
        for _ in 0..seconds {
            self.advance(ms(1000));
            self.beats(worker);
        }
    }

    fn take<T>(&mut self, take: impl Fn(&Output) -> Option<T>) -> Vec<T> {
        let mut taken = Vec::new();
        self.outputs.retain(|output| match take(output) {
            Some(value) => {
                taken.push(value);
                false
            }
            None => true,
        });
        taken
    }

    /// What was given to a worker since it was last asked, heartbeats left out.
    fn given(&mut self, worker: PeerKey) -> Vec<Message> {
        self.take(|output| match output {
            Output::ToWorker { to, message } if *to == worker => Some(message.clone()),
            _ => None,
        })
    }

    /// The only request that was given to a worker.
    fn only(&mut self, worker: PeerKey) -> Message {
        let [given] = <[_; 1]>::try_from(self.given(worker)).unwrap();
        given
    }

    fn heartbeats(&mut self, worker: PeerKey) -> usize {
        let beats = self.take(|output| match output {
            Output::Beat { to, message } if *to == worker => Some(message.clone()),
            _ => None,
        });
        assert!(beats.iter().all(|beat| *beat == Message::from(&[2])));
        beats.len()
    }

    fn replies(&mut self, client: PeerKey) -> Vec<Message> {
        self.take(|output| match output {
            Output::ToClient { to, message } if *to == client => Some(message.clone()),
            _ => None,
        })
    }

    fn events(&mut self) -> Vec<QueueEvent> {
        self.take(|output| match output {
            Output::Event(event) => Some(event.clone()),
            _ => None,
        })
    }
}

impl Default for Scene {
    fn default() -> Self {
        Self::new(QueueOptions::default())
    }
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn ours(capacity: u16) -> PeerFacts {
    PeerFacts::privateer(NonZeroU16::new(capacity).unwrap())
}

fn frames_of(frames: &[&[u8]]) -> Message {
    Message::from_frames(frames.iter().map(|frame| Frame::from(*frame)).collect()).unwrap()
}

/// The request in what was given to a worker of RFC 6.
fn read(message: &Message) -> (Message, Message) {
    match ToWorker::read(message.clone(), Framing::Paranoid, MAX_FRAMES) {
        Ok(ToWorker::Request { address, body }) => (address, body),
        other => panic!("no request: {other:?}"),
    }
}

#[test]
fn reasons_are_numbered_from_zero() {
    for (index, reason) in DropReason::ALL.into_iter().enumerate() {
        assert_eq!(reason as usize, index);
    }
}
