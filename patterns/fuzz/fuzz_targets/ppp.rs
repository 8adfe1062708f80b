//! Clients and workers that send anything to a queue, in any order: nothing panics, nothing is kept when they are gone, and
//! the counters explain every request.
//!
//! Run it with `cargo fuzz run -s none ppp` in `patterns/`.
#![no_main]

use std::num::NonZeroU16;
use std::time::{Duration, Instant};

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use privateer::core::{Frame, Message};
use privateer::lazy_pirate::ReplyCacheOptions;
use privateer::majordomo::PeerFacts;
use privateer::paranoid_pirate::protocol::{Framing, FromWorker, ToWorker};
use privateer::paranoid_pirate::queue::{DropReason, Output, PeerKey, QueueMachine, QueueOptions};

/// What one of four workers, one of four clients, or the clock does.
#[derive(Arbitrary, Debug)]
enum Step {
    Up(u8, Option<u8>),
    Down(u8),
    /// A worker says anything.
    Says(u8, Vec<Piece>),
    Ready(u8, bool),
    Heartbeat(u8),
    Goodbye(u8),
    /// A worker answers the request that it got last.
    Reply(u8, bool, Vec<Piece>),
    /// A client asks for anything.
    Asks(u8, Vec<Piece>),
    /// A client asks for a call with a key, once more or for the first time.
    Calls(u8, u8, u8),
    Wait(u16),
    /// The clock jumps, and the queue is told late.
    Pause(u8),
    /// From now on this client takes no replies, or does.
    Full(u8, bool),
    Drain,
}

/// A frame that is often almost right.
#[derive(Arbitrary, Debug)]
enum Piece {
    Empty,
    Control(u8),
    Key(u8),
    /// The address of the last request to any worker.
    Address,
    Bytes(Vec<u8>),
}

const PEERS: u8 = 4;

struct Scene {
    queue: QueueMachine,
    now: Instant,
    full: [bool; PEERS as usize],
    addresses: [Message; PEERS as usize],
    last_address: Message,
}

impl Scene {
    fn message(&self, pieces: Vec<Piece>) -> Message {
        let frames = pieces.into_iter().flat_map(|piece| match piece {
            Piece::Empty => vec![Frame::empty()],
            Piece::Control(control) => vec![Frame::from([control % 4])],
            Piece::Key(call) => vec![key_frame(call)],
            Piece::Address => self.last_address.frames().to_vec(),
            Piece::Bytes(bytes) => vec![Frame::from(bytes)],
        });
        Message::from_frames(frames.collect()).unwrap_or_else(|| Message::from(Frame::empty()))
    }

    fn says(&mut self, worker: u8, is_simple: bool, said: FromWorker) {
        let framing = match is_simple {
            true => Framing::Simple,
            false => Framing::Paranoid,
        };
        if let Some(message) = said.into_message(framing) {
            self.queue.worker_message(self.now, key(worker), message);
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Up(worker, capacity) => {
                let facts = capacity.and_then(|capacity| NonZeroU16::new(capacity.into()));
                let facts = facts.map_or_else(PeerFacts::default, PeerFacts::privateer);
                self.queue.worker_up(self.now, key(worker), facts);
            }
            Step::Down(worker) => self.queue.worker_down(self.now, key(worker)),
            Step::Says(worker, pieces) => {
                let message = self.message(pieces);
                self.queue.worker_message(self.now, key(worker), message);
            }
            Step::Ready(worker, is_simple) => self.says(worker, is_simple, FromWorker::Ready),
            Step::Heartbeat(worker) => self.says(worker, false, FromWorker::Heartbeat),
            Step::Goodbye(worker) => self.says(worker, false, FromWorker::Goodbye),
            Step::Reply(worker, is_simple, pieces) => {
                let address = self.addresses[usize::from(worker % PEERS)].clone();
                let body = self.message(pieces);
                self.says(worker, is_simple, FromWorker::Reply { address, body });
            }
            Step::Asks(client, pieces) => {
                let message = self.message(pieces);
                self.queue.request(self.now, key(client), message);
            }
            Step::Calls(client, number, call) => {
                let frames = [
                    [number].into(),
                    key_frame(call),
                    Frame::empty(),
                    "Hi".into(),
                ];
                self.queue
                    .request(self.now, key(client), Message::from(frames));
            }
            Step::Wait(millis) => self.wait(Duration::from_millis(millis.into())),
            Step::Pause(seconds) => {
                self.now += Duration::from_secs(seconds.into());
                self.queue.handle_timeout(self.now);
            }
            Step::Full(client, is_full) => self.full[usize::from(client % PEERS)] = is_full,
            Step::Drain => self.queue.drain(),
        }
        self.drain();
    }

    fn wait(&mut self, by: Duration) {
        let end = self.now + by;
        while let Some(due) = self.queue.next_timeout().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.queue.handle_timeout(self.now);
            self.drain();
        }
        self.now = end;
    }

    fn drain(&mut self) {
        while let Some(output) = self.queue.poll_output() {
            match output {
                Output::ToClient { to, .. } if self.full[index(to)] => {
                    self.queue.reply_refused(to, DropReason::ClientFull);
                }
                Output::ToWorker { to, message } => {
                    let read = [Framing::Simple, Framing::Paranoid]
                        .map(|framing| ToWorker::read(message.clone(), framing, 1024));
                    for read in read {
                        if let Ok(ToWorker::Request { address, .. }) = read {
                            self.last_address = address.clone();
                            self.addresses[index(to)] = address;
                        }
                    }
                }
                _ => {}
            }
        }
    }

    /// Everybody goes, and what waits expires.
    fn end(&mut self) {
        for worker in 0..PEERS {
            self.step(Step::Down(worker));
        }
        self.wait(Duration::from_secs(40));
        // Late after a pause, nobody is judged for an interval.
        self.wait(Duration::from_secs(40));
        let stats = self.queue.stats();
        assert_eq!((stats.workers, stats.in_flight, stats.waiting), (0, 0, 0));
        let unanswered: u64 = [
            DropReason::Expired,
            DropReason::AttemptsExhausted,
            DropReason::NoCapableWorker,
            DropReason::DeadBefore,
            DropReason::ClientFull,
            DropReason::Repeated,
        ]
        .map(|reason| stats.dropped(reason))
        .iter()
        .sum();
        assert_eq!(stats.requests, stats.replies + unanswered, "{stats:?}");
    }
}

fn key(peer: u8) -> PeerKey {
    PeerKey(u64::from(peer % PEERS))
}

fn index(peer: PeerKey) -> usize {
    usize::try_from(peer.0).unwrap_or(0)
}

/// As a Lazy Pirate writes it.
fn key_frame(call: u8) -> Frame {
    let mut key = *b"\0PK1the key of one ?";
    key[19] = call % 4;
    Frame::from(key)
}

fuzz_target!(|steps: Vec<Step>| {
    let cache = ReplyCacheOptions::default().calls(2).octets(30);
    let mut scene = Scene {
        queue: QueueMachine::new(QueueOptions::default().reply_cache(cache), 7),
        now: Instant::now(),
        full: [false; PEERS as usize],
        addresses: [const { Frame::empty() }; PEERS as usize].map(Message::from),
        last_address: Message::from(Frame::empty()),
    };
    for step in steps {
        scene.step(step);
    }
    scene.end();
});
