//! Tests of the worker, on virtual time: the queue is played by hand.

use std::time::Instant;

use super::*;
use crate::majordomo::PeerFacts;
use crate::majordomo::worker::{Output, RequestKey, WorkerMachine};

struct Scene {
    worker: WorkerMachine,
    now: Instant,
    outputs: Vec<Output>,
}

impl Scene {
    fn new(framing: Framing, options: WorkerOptions, queue: PeerFacts) -> Self {
        let mut scene = Self {
            worker: WorkerMachine::speaking(Dialect::Pirate(framing), options, 1),
            now: Instant::now(),
            outputs: Vec::new(),
        };
        scene.worker.connected(scene.now, queue);
        scene.drain();
        scene
    }

    fn drain(&mut self) {
        let worker = &mut self.worker;
        self.outputs
            .extend(std::iter::from_fn(|| worker.poll_output()));
    }

    fn receive(&mut self, frames: &[&[u8]]) {
        self.worker.handle_message(self.now, frames_of(frames));
        self.drain();
    }

    fn advance(&mut self, by: Duration) {
        let end = self.now + by;
        while let Some(due) = self.worker.next_timeout().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.worker.handle_timeout(self.now);
            self.drain();
        }
        self.now = end;
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

    fn sent(&mut self) -> Vec<Message> {
        self.take(|output| match output {
            Output::Send(message) => Some(message.clone()),
            _ => None,
        })
    }

    fn beats(&mut self) -> usize {
        self.take(|output| matches!(output, Output::SendIfIdle(_)).then_some(()))
            .len()
    }

    fn requests(&mut self) -> Vec<(RequestKey, Message)> {
        self.take(|output| match output {
            Output::Request { key, body } => Some((*key, body.clone())),
            _ => None,
        })
    }

    fn delays(&mut self) -> Vec<Duration> {
        self.take(|output| match output {
            Output::Reconnect { delay } => Some(*delay),
            _ => None,
        })
    }
}

fn frames_of(frames: &[&[u8]]) -> Message {
    Message::from_frames(frames.iter().map(|frame| Frame::from(*frame)).collect()).unwrap()
}

fn options() -> WorkerOptions {
    WorkerOptions::default().heartbeat_interval(INTERVAL)
}

fn ours() -> PeerFacts {
    PeerFacts::privateer(NonZeroU16::MIN)
}

/// The frames of the guide's workers, answers included.
#[test]
fn a_worker_speaks_as_the_guides_do() {
    for (framing, before) in [
        (Framing::Paranoid, &[] as &[&[u8]]),
        (Framing::Simple, &[b""]),
    ] {
        let mut scene = Scene::new(framing, options(), PeerFacts::default());
        let ready: Vec<&[u8]> = [before, &[b"\x01"]].concat();
        assert_eq!(scene.sent(), [frames_of(&ready)]);
        let request: Vec<&[u8]> = [before, &[b"\0\x6b", b"", b"Hi"]].concat();
        scene.receive(&request);
        let (key, body) = scene.requests().remove(0);
        assert_eq!(body, Message::from("Hi"));
        scene.worker.reply(scene.now, key, Message::from("Ho"));
        scene.drain();
        let reply: Vec<&[u8]> = [before, &[b"\0\x6b", b"", b"Ho"]].concat();
        assert_eq!(scene.sent(), [frames_of(&reply)]);
    }
}

/// PP-2: ten seconds busy for a queue of the guide: no heartbeat, which it would take for READY, and no new connection
/// although it sends none to busy workers.
#[test]
fn a_full_worker_is_silent_towards_a_strange_queue_and_does_not_judge_it() {
    let mut scene = Scene::new(Framing::Paranoid, options(), PeerFacts::default());
    scene.receive(&[b"a", b"", b"Hi"]);
    scene.advance(Duration::from_secs(10));
    assert_eq!((scene.beats(), scene.delays()), (0, vec![]));
    let (key, _) = scene.requests().remove(0);
    scene.worker.reply(scene.now, key, Message::from("Ho"));
    scene.drain();
    scene.advance(Duration::from_millis(2500));
    assert!(scene.beats() >= 2);
    scene.advance(Duration::from_millis(1000));
    assert_eq!(
        scene.delays().len(),
        1,
        "idle, it is to be told that the queue lives"
    );
}

/// A queue of ours expects heartbeats of busy workers, and sends them some.
#[test]
fn a_full_worker_beats_to_a_queue_of_ours_and_judges_it() {
    let mut scene = Scene::new(Framing::Paranoid, options(), ours());
    scene.receive(&[b"a", b"", b"Hi"]);
    for _ in 0..10 {
        scene.advance(Duration::from_secs(1));
        scene.receive(&[b"\x02"]);
    }
    assert!((9..=11).contains(&scene.beats()));
    scene.advance(Duration::from_secs(4));
    assert_eq!(scene.delays().len(), 1);
}

/// A heartbeat can cross the request: the guide's queue then gives one more, which waits.
#[test]
fn requests_beyond_the_capacity_wait() {
    let mut scene = Scene::new(Framing::Paranoid, options(), PeerFacts::default());
    scene.receive(&[b"a", b"", b"one"]);
    scene.receive(&[b"b", b"", b"two"]);
    let (key, _) = scene.requests().remove(0);
    assert_eq!(scene.worker.stats().waiting, 1);
    scene.worker.reply(scene.now, key, Message::from("Ho"));
    scene.drain();
    assert_eq!(scene.requests().remove(0).1, Message::from("two"));
}

/// PP-7: 1, 2, 4, 8, 16, 32, 32 seconds, each cut to between half and all of it; a message starts it again.
#[test]
fn delays_double_as_the_guides_do() {
    let second = Duration::from_secs(1);
    let options = options().reconnect_delay(second, 32 * second);
    let mut scene = Scene::new(Framing::Paranoid, options, PeerFacts::default());
    for full in [1, 2, 4, 8, 16, 32, 32] {
        scene.advance(4 * second);
        let delay = scene.delays().remove(0);
        assert!(
            delay >= second * full / 2 && delay <= second * full,
            "{delay:?} of {full}"
        );
        scene.worker.connected(scene.now, PeerFacts::default());
        scene.drain();
    }
    scene.receive(&[b"\x02"]);
    scene.advance(4 * second);
    assert!(scene.delays().remove(0) <= second);
}

/// A Simple worker neither sends nor expects heartbeats: the connection alone counts.
#[test]
fn a_simple_worker_has_no_heartbeats() {
    let mut scene = Scene::new(Framing::Simple, options(), ours());
    scene.advance(Duration::from_secs(3600));
    assert_eq!((scene.beats(), scene.delays()), (0, vec![]));
    scene.worker.disconnected();
    scene.drain();
    assert_eq!(scene.delays().len(), 1);
}

/// A queue of ours is told before the last answers, so that it gives nothing more.
#[test]
fn a_worker_that_stops_says_goodbye_to_its_own_kind_only() {
    for (queue, expected) in [(ours(), 1), (PeerFacts::default(), 0)] {
        let mut scene = Scene::new(Framing::Paranoid, options(), queue);
        scene.receive(&[b"a", b"", b"Hi"]);
        let (key, _) = scene.requests().remove(0);
        scene.sent();
        scene.worker.stop(scene.now);
        scene.drain();
        let said = scene.sent();
        assert_eq!(said, vec![Message::from(&[3]); expected]);
        scene.worker.reply(scene.now, key, Message::from("Ho"));
        scene.drain();
        assert_eq!(scene.sent(), [frames_of(&[b"a", b"", b"Ho"])]);
        assert!(scene.outputs.contains(&Output::Stopped));
    }
}

/// U9.
#[test]
fn malformed_messages_are_dropped_and_counted() {
    let mut scene = Scene::new(Framing::Paranoid, options(), PeerFacts::default());
    for frames in [
        &[b"\x04".as_slice()] as &[&[u8]],
        &[b"a", b"b"],
        &[b"a", b""],
        &[b"", b"a", b"", b"Hi"],
    ] {
        scene.receive(frames);
    }
    assert_eq!(
        (scene.requests(), scene.worker.stats().requests),
        (vec![], 0)
    );
}
