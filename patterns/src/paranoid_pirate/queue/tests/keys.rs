//! Calls with keys that are asked for more than once.

use super::*;
use crate::idempotency::IdempotencyKey;

/// A request of one frame with a number and a key before the empty frame.
fn keyed(number: u8, call: u64) -> Message {
    let key = IdempotencyKey::new(7, call).write();
    let frames = [
        Frame::from([number]),
        key,
        Frame::empty(),
        Frame::from("Hi"),
    ];
    Message::from(frames)
}

impl Scene {
    fn asks(&mut self, client: PeerKey, request: &Message) {
        self.queue.request(self.now, client, request.clone());
        self.drain();
    }
}

/// F-8: a repeat waits for the answer of the first; each gets it in its own envelope.
#[test]
fn a_repeat_in_flight_joins_the_first() {
    let mut scene = Scene::default();
    scene.ready(WORKER);
    scene.ready(OTHER_WORKER);
    scene.asks(CLIENT, &keyed(1, 5));
    scene.asks(CLIENT, &keyed(2, 5));
    scene.asks(OTHER_CLIENT, &keyed(3, 5));
    scene.asks(OTHER_CLIENT, &keyed(4, 6));
    let given = scene.only(WORKER);
    let other = scene.only(OTHER_WORKER);
    scene.echo(WORKER, &given);
    assert_eq!(scene.replies(CLIENT), [keyed(1, 5), keyed(2, 5)]);
    assert_eq!(scene.replies(OTHER_CLIENT), [keyed(3, 5)]);
    scene.echo(OTHER_WORKER, &other);
    assert_eq!(scene.replies(OTHER_CLIENT), [keyed(4, 6)]);
    let stats = scene.queue.stats();
    assert_eq!((stats.requests, stats.replies, stats.repeated), (4, 4, 2));
}

/// F-8: one that was answered is answered again without a worker, for as long as the reply is kept.
#[test]
fn a_repeat_after_the_reply_gets_it_again() {
    let cache = ReplyCacheOptions::default().ttl(ms(5000));
    let mut scene = Scene::new(QueueOptions::default().reply_cache(cache));
    scene.up(WORKER, ours(1));
    scene.ready(WORKER);
    scene.asks(CLIENT, &keyed(1, 5));
    let given = scene.only(WORKER);
    scene.echo(WORKER, &given);
    scene.asks(CLIENT, &keyed(2, 5));
    assert_eq!(scene.replies(CLIENT), [keyed(1, 5), keyed(2, 5)]);
    assert_eq!(scene.given(WORKER), []);
    scene.advance_with_heartbeats(5, WORKER);
    scene.asks(CLIENT, &keyed(3, 5));
    scene.only(WORKER);
}

/// With `at_most_once` a call whose worker died is given to nobody, not even when it is asked for again.
#[test]
fn a_dead_letter_is_not_worked_on_again() {
    let mut scene = Scene::new(QueueOptions::default().at_most_once());
    scene.ready(WORKER);
    scene.ready(OTHER_WORKER);
    scene.asks(CLIENT, &keyed(1, 5));
    scene.only(WORKER);
    scene.down(WORKER);
    scene.asks(CLIENT, &keyed(2, 5));
    assert_eq!(scene.given(OTHER_WORKER), []);
    assert_eq!(scene.replies(CLIENT), []);
    let stats = scene.queue.stats();
    assert_eq!(stats.dropped(DropReason::AttemptsExhausted), 1);
    assert_eq!(stats.dropped(DropReason::DeadBefore), 1);
    assert_eq!((stats.in_flight, stats.waiting), (0, 0));
}

/// One that is given to another worker keeps those who joined it.
#[test]
fn repeats_outlive_the_worker() {
    let mut scene = Scene::default();
    scene.ready(WORKER);
    scene.asks(CLIENT, &keyed(1, 5));
    scene.asks(CLIENT, &keyed(2, 5));
    scene.down(WORKER);
    scene.ready(OTHER_WORKER);
    let given = scene.only(OTHER_WORKER);
    scene.echo(OTHER_WORKER, &given);
    assert_eq!(scene.replies(CLIENT), [keyed(1, 5), keyed(2, 5)]);
}

/// F-3: who asks for the same call without end is forgotten, the oldest first, and counted.
#[test]
fn repeats_that_wait_are_bounded() {
    let mut scene = Scene::default();
    scene.ready(WORKER);
    for number in 0..100 {
        scene.asks(CLIENT, &keyed(number, 5));
    }
    let given = scene.only(WORKER);
    scene.echo(WORKER, &given);
    let expected: Vec<_> = (92..100).map(|number| keyed(number, 5)).collect();
    assert_eq!(scene.replies(CLIENT), expected);
    let stats = scene.queue.stats();
    assert_eq!(stats.replies + stats.dropped(DropReason::Repeated), 100);
}

/// What waited in vain may be asked for again.
#[test]
fn an_expired_call_is_new_when_it_comes_again() {
    let mut scene = Scene::default();
    scene.ready(WORKER);
    scene.asks(CLIENT, &keyed(1, 5));
    scene.only(WORKER);
    scene.down(WORKER);
    scene.advance(ms(30_000));
    assert_eq!(scene.queue.stats().dropped(DropReason::Expired), 1);
    scene.ready(OTHER_WORKER);
    scene.asks(CLIENT, &keyed(2, 5));
    scene.only(OTHER_WORKER);
}

/// F-3: nor do their envelopes fill the memory uncounted, whatever they have beside the key.
#[test]
fn repeats_that_wait_count_as_bytes_that_wait() {
    let large = [0; 10_000];
    let options = QueueOptions::default().waiting_bytes(3 * large.len());
    let mut scene = Scene::new(options);
    let asked = |call| {
        let key = IdempotencyKey::new(7, call).write();
        let frames = [&large, b"".as_slice(), b"one", b"two"].map(Frame::from);
        let [envelope, delimiter, one, two] = frames;
        Message::from([envelope, key, delimiter, one, two])
    };
    let ours_is_busy = PeerKey(3);
    scene.up(ours_is_busy, ours(1));
    scene.ready(ours_is_busy);
    scene.asks(CLIENT, &asked(1));
    scene.ready(WORKER);
    for _ in 0..3 {
        assert!(scene.queue.wants_requests());
        scene.asks(CLIENT, &asked(2));
    }
    assert!(!scene.queue.wants_requests());
    for _ in 3..100 {
        scene.asks(CLIENT, &asked(2));
    }
    let most = scene.queue.stats().waiting_bytes;
    assert!((8 * large.len()..9 * large.len()).contains(&most), "{most}");
    scene.advance_with_heartbeats(30, ours_is_busy);
    let stats = scene.queue.stats();
    assert_eq!((stats.waiting, stats.waiting_bytes), (0, 0));
}
