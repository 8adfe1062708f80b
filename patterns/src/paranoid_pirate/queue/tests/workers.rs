//! Workers: how they become idle, how they are judged, and what of theirs is dropped.

use std::collections::HashMap;

use super::*;
use crate::heartbeat::{Heartbeat, HeartbeatOptions};

/// LB-6.
#[test]
fn ready_said_twice_makes_one_place() {
    let mut scene = Scene::default();
    for _ in 0..3 {
        scene.ready(WORKER);
    }
    scene.request(CLIENT, "Hi");
    assert!(!scene.queue.wants_requests());
    scene.ready(WORKER);
    assert!(!scene.queue.wants_requests(), "it is busy");
    let stats = scene.queue.stats();
    assert_eq!((stats.workers, stats.idle, stats.repeated_ready), (1, 0, 3));
    assert_eq!(scene.given(WORKER).len(), 1);
}

/// PP-4: busy for 60 seconds and beating: exactly one request for each unit of capacity.
#[test]
fn a_busy_worker_that_beats_gets_no_more_than_its_capacity() {
    for (facts, capacity) in [(PeerFacts::default(), 1), (ours(1), 1), (ours(3), 3)] {
        let mut scene = Scene::default();
        scene.up(WORKER, facts);
        scene.ready(WORKER);
        for _ in 0..60 {
            while scene.queue.wants_requests() {
                scene.request(CLIENT, "Hi");
            }
            scene.advance_with_heartbeats(1, WORKER);
        }
        assert_eq!(scene.given(WORKER).len(), capacity);
        assert_eq!(scene.queue.stats().workers, 1);
    }
}

/// PP-8: a heartbeat that crosses the request on the way does not make its sender idle.
#[test]
fn a_heartbeat_that_crosses_a_request_does_not_double_book() {
    let mut scene = Scene::default();
    scene.ready(WORKER);
    scene.request(CLIENT, "Hi");
    scene.beats(WORKER);
    assert!(!scene.queue.wants_requests());
    let given = scene.only(WORKER);
    scene.echo(WORKER, &given);
    scene.beats(WORKER);
    scene.request(CLIENT, "Ho");
    assert_eq!(scene.given(WORKER).len(), 1);
    assert!(!scene.queue.wants_requests());
}

/// PP-5: silent while busy, its request goes to another once; its late reply is dropped, and makes it idle.
#[test]
fn a_late_reply_is_dropped_and_its_worker_is_idle_again() {
    let mut scene = Scene::default();
    for worker in [WORKER, OTHER_WORKER] {
        scene.up(worker, ours(1));
    }
    scene.ready(WORKER);
    scene.request(CLIENT, "Hi");
    let late = scene.only(WORKER);
    scene.ready(OTHER_WORKER);
    scene.advance_with_heartbeats(4, OTHER_WORKER);
    let again = scene.only(OTHER_WORKER);
    let lost = QueueEvent::WorkerLost {
        worker: WORKER,
        departure: Departure::Expired,
        in_hand: 1,
    };
    assert!(scene.events().contains(&lost));
    scene.echo(WORKER, &late);
    assert_eq!(scene.replies(CLIENT), []);
    assert_eq!(scene.queue.stats().dropped(DropReason::Late), 1);
    assert!(scene.queue.wants_requests());
    scene.echo(OTHER_WORKER, &again);
    assert_eq!(scene.replies(CLIENT).len(), 1);
    assert_eq!(scene.queue.stats().redispatched, 1);
    scene.echo(OTHER_WORKER, &again);
    assert_eq!(
        scene.replies(CLIENT),
        [],
        "U8: a reply that is repeated answers nothing"
    );
}

/// A worker of others sends no heartbeats while it works: only the processing deadline judges it, and its connection.
#[test]
fn a_busy_stranger_is_judged_by_the_processing_deadline_only() {
    for ready in [&[b"\x01".as_slice()] as &[&[u8]], &[b"", b"\x01"]] {
        let options = QueueOptions::default().processing_deadline(ms(60_000));
        let mut scene = Scene::new(options);
        scene.says(WORKER, ready);
        scene.request(CLIENT, "Hi");
        scene.advance(ms(59_999));
        assert_eq!(scene.queue.stats().in_flight, 1);
        scene.advance(ms(1));
        assert_eq!(scene.queue.stats().workers, 0);
        let events = scene.events();
        let overdue = |event: &QueueEvent| {
            matches!(
                event,
                QueueEvent::WorkerLost {
                    departure: Departure::Overdue,
                    ..
                }
            )
        };
        assert!(events.iter().any(overdue), "{events:?}");
    }
}

/// HB-2: an idle worker of RFC 6 that is silent is gone within three to four intervals; a Simple one says nothing at all.
#[test]
fn idle_workers_are_judged_by_what_they_can_say() {
    let mut scene = Scene::default();
    scene.ready(WORKER);
    scene.says(OTHER_WORKER, &[b"", b"\x01"]);
    scene.advance(ms(2999));
    assert_eq!(scene.queue.stats().workers, 2);
    scene.advance(ms(1001));
    assert_eq!(scene.queue.stats().workers, 1);
    scene.advance(Duration::from_secs(3600));
    assert_eq!(scene.queue.stats().idle, 1);
    assert_eq!(scene.heartbeats(OTHER_WORKER), 0);
}

/// PP-9: idle workers cost one step for each heartbeat that is sent, and nothing grows by those that come in.
#[test]
fn ten_thousand_idle_workers_cost_a_step_for_each_heartbeat() {
    const WORKERS: u64 = 10_000;
    const SECONDS: u64 = 10;
    let mut scene = Scene::default();
    let start = scene.now;
    let workers: Vec<_> = (0..WORKERS).map(|key| PeerKey(100 + key)).collect();
    for worker in &workers {
        scene.up(*worker, PeerFacts::default());
        scene.ready(*worker);
    }
    scene.outputs.clear();
    let mut steps = 0;
    for second in 1..=SECONDS {
        let end = start + ms(1000 * second);
        while let Some(due) = scene.queue.next_timeout().filter(|due| *due <= end) {
            scene.now = due;
            scene.queue.handle_timeout(due);
            steps += 1;
        }
        scene.now = end;
        scene.drain();
        let sent = scene.outputs.len();
        workers.iter().for_each(|worker| scene.beats(*worker));
        assert_eq!(scene.outputs.len(), sent, "what comes in is noted, no more");
        assert_eq!(scene.queue.timers.len(), workers.len());
    }
    let mut sent: HashMap<PeerKey, usize> = HashMap::new();
    for output in &scene.outputs {
        assert!(matches!(output, Output::Beat { .. }), "{output:?}");
        if let Output::Beat { to, .. } = output {
            *sent.entry(*to).or_default() += 1;
        }
    }
    assert!(steps <= scene.outputs.len(), "no step without a heartbeat");
    for (number, worker) in (1..).zip(&workers) {
        let options = HeartbeatOptions::default();
        let mut link = Heartbeat::new(start, &options, None, EPOCH ^ number);
        let mut due = 0;
        while link.beat_due() <= scene.now {
            link.sent(link.beat_due());
            due += 1;
        }
        assert_eq!(sent.get(worker), Some(&due));
    }
}

/// HB-3.
#[test]
fn a_worker_is_judged_in_its_own_interval() {
    let mut scene = Scene::default();
    scene.up(WORKER, ours(1).with_heartbeat(ms(4000)));
    scene.ready(WORKER);
    for _ in 0..5 {
        scene.advance(ms(4000));
        scene.beats(WORKER);
    }
    assert_eq!(scene.queue.stats().workers, 1);
    assert!(
        (19..=23).contains(&scene.heartbeats(WORKER)),
        "ours is a second"
    );
    scene.advance(ms(12_000));
    assert_eq!(scene.queue.stats().workers, 0);
}

/// HB-5, U2: this process was stopped; what workers sent meanwhile is not read yet.
#[test]
fn after_a_pause_of_the_queue_nobody_is_judged_at_once() {
    let mut scene = Scene::default();
    scene.ready(WORKER);
    scene.advance(ms(500));
    scene.now += Duration::from_secs(15);
    scene.queue.handle_timeout(scene.now);
    scene.drain();
    assert_eq!(scene.queue.stats().workers, 1);
    assert_eq!(scene.queue.stats().clock_pauses, 1);
    scene.beats(WORKER);
    scene.advance(ms(1500));
    assert_eq!(scene.queue.stats().workers, 1);
}

/// RFC 6 demands READY first; whoever needs it otherwise can have it.
#[test]
fn a_heartbeat_of_nobody_registers_only_if_asked_for() {
    let mut scene = Scene::default();
    scene.beats(WORKER);
    assert_eq!(scene.queue.stats().workers, 0);
    assert_eq!(scene.queue.stats().strange_heartbeats, 1);
    let mut scene = Scene::new(QueueOptions::default().heartbeat_registers());
    scene.beats(WORKER);
    assert_eq!(scene.queue.stats().idle, 1);
}

#[test]
fn a_worker_that_says_goodbye_finishes_and_gets_no_more() {
    let mut scene = Scene::default();
    scene.up(WORKER, ours(2));
    scene.ready(WORKER);
    scene.request(CLIENT, "Hi");
    scene.says(WORKER, &[b"\x03"]);
    assert!(!scene.queue.wants_requests());
    let given = scene.only(WORKER);
    scene.echo(WORKER, &given);
    assert_eq!(scene.replies(CLIENT).len(), 1);
    assert_eq!(scene.queue.stats().workers, 0);
    let stats = scene.queue.stats();
    assert_eq!(stats.redispatched, 0);
}

/// An answer that was not asked for costs a worker its place, and what it had in hand goes to others.
#[test]
fn an_unasked_reply_is_dropped() {
    let mut scene = Scene::default();
    scene.says(WORKER, &[b"client", b"", b"Hi"]);
    assert_eq!(scene.queue.stats().dropped(DropReason::Unasked), 1);
    scene.ready(WORKER);
    scene.request(CLIENT, "Hi");
    scene.says(WORKER, &[b"client", b"", b"Hi"]);
    assert_eq!(scene.queue.stats().dropped(DropReason::Unasked), 2);
    assert_eq!(scene.queue.stats().workers, 0);
    scene.ready(OTHER_WORKER);
    assert_eq!(scene.given(OTHER_WORKER).len(), 1);
    let said = FromWorker::read(frames_of(&[b"client", b"", b"Hi"]), MAX_FRAMES);
    assert!(matches!(said, Ok((_, FromWorker::Reply { .. }))));
}

/// U9, U12: whatever comes and goes, nothing stays.
#[test]
fn workers_that_come_and_go_leave_nothing_behind() {
    let mut random = fastrand::Rng::with_seed(3);
    let mut scene = Scene::default();
    for key in 100..20_000 {
        let worker = PeerKey(key);
        scene.up(worker, ours(1 + random.u16(0..3)));
        let noise: Vec<Vec<u8>> = (0..random.usize(1..5))
            .map(|_| (0..random.usize(0..3)).map(|_| random.u8(0..4)).collect())
            .collect();
        let noise: Vec<&[u8]> = noise.iter().map(Vec::as_slice).collect();
        scene.says(worker, &noise);
        scene.ready(worker);
        if scene.queue.wants_requests() {
            scene.request(CLIENT, "Hi");
        }
        scene.down(worker);
        scene.advance(ms(10));
        scene.outputs.clear();
    }
    scene.advance(Duration::from_secs(60));
    let stats = scene.queue.stats();
    assert_eq!((stats.workers, stats.idle), (0, 0));
    assert_eq!((stats.in_flight, stats.waiting), (0, 0));
    assert!(scene.queue.timers.len() < 200);
    assert_eq!(scene.queue.capable, 0);
}

/// A worker that had several requests when it was given up answers them all late: none is held against it.
#[test]
fn late_replies_of_a_worker_with_capacity_are_dropped() {
    let mut scene = Scene::default();
    scene.up(WORKER, ours(2));
    scene.ready(WORKER);
    scene.request(CLIENT, "1");
    scene.request(CLIENT, "2");
    let given = scene.given(WORKER);
    scene.up(OTHER_WORKER, ours(2));
    scene.ready(OTHER_WORKER);
    scene.advance_with_heartbeats(4, OTHER_WORKER);
    assert_eq!(scene.given(OTHER_WORKER).len(), 2);
    scene.echo(WORKER, &given[0]);
    scene.echo(WORKER, &given[1]);
    let stats = scene.queue.stats();
    assert_eq!(stats.dropped(DropReason::Late), 2);
    assert_eq!((stats.workers, stats.dropped(DropReason::Unasked)), (2, 0));
}
