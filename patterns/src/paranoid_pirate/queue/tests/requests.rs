//! Requests on their way to workers, and replies on their way back.

use super::*;

/// SP-3, LB-1: a REQ worker with either READY and a worker of RFC 6 on one side, least recently used first.
#[test]
fn workers_of_both_framings_share_the_requests() {
    let mut scene = Scene::default();
    let lb = PeerKey(3);
    scene.up(lb, PeerFacts::default());
    scene.says(WORKER, &[b"", b"\x01"]);
    scene.ready(OTHER_WORKER);
    scene.says(lb, &[b"", b"READY"]);
    for _ in 0..2 {
        for worker in [WORKER, OTHER_WORKER, lb] {
            scene.request(CLIENT, "Hi");
            let given = scene.only(worker);
            assert_eq!(given.len(), if worker == OTHER_WORKER { 3 } else { 4 });
            scene.echo(worker, &given);
            assert_eq!(scene.replies(CLIENT), [frames_of(&[b"", b"Hi"])]);
        }
    }
    let stats = scene.queue.stats();
    assert_eq!((stats.requests, stats.replies, stats.idle), (6, 6, 3));
}

/// LB-1: the workers of the guide's `lbbroker` read an address into a string of C, and send that back.
#[test]
fn a_simple_worker_may_take_an_address_for_a_string() {
    let mut scene = Scene::default();
    scene.says(WORKER, &[b"", b"READY"]);
    scene.request_of(CLIENT, &[b"\0binary", b"", b"Hi"]);
    let given = scene.only(WORKER);
    let address = &given[1];
    assert!(address.iter().all(u8::is_ascii_graphic), "{address:?}");
    assert!(address.len() < 255);
    scene.says(WORKER, &[b"", address, b"", b"OK"]);
    let reply = frames_of(&[b"\0binary", b"", b"OK"]);
    assert_eq!(scene.replies(CLIENT), [reply]);
}

/// LB-3, LB-8, LP-7: whatever stands before the empty frame comes back: names that begin with 01, the number of a REQ
/// that correlates, the addresses of another queue before this one.
#[test]
fn an_envelope_comes_back_untouched_and_no_worker_sees_it() {
    for ready in [&[b"\x01".as_slice()] as &[&[u8]], &[b"", b"\x01"]] {
        let mut scene = Scene::default();
        scene.says(WORKER, ready);
        for envelope in [
            &[] as &[&[u8]],
            &[b"\x01abc"],
            &[b"\x07\0\0\0"],
            &[b"one", b"two", b"three"],
        ] {
            let frames: Vec<&[u8]> = [envelope, &[b"", b"Hi"]].concat();
            scene.request_of(CLIENT, &frames);
            let given = scene.only(WORKER);
            assert_eq!(given.len(), 2 + ready.len());
            scene.echo(WORKER, &given);
            assert_eq!(scene.replies(CLIENT), [frames_of(&frames)]);
        }
    }
}

/// LB-7: with no worker idle nothing is asked for, so what comes waits in the clients' connections.
#[test]
fn requests_are_wanted_only_while_a_worker_is_idle() {
    let mut scene = Scene::default();
    assert!(!scene.queue.wants_requests());
    scene.up(PeerKey(3), ours(2));
    scene.ready(PeerKey(3));
    for number in 0..2 {
        assert!(scene.queue.wants_requests(), "{number}");
        scene.request(CLIENT, "Hi");
    }
    assert!(!scene.queue.wants_requests());
    let given = scene.given(PeerKey(3));
    scene.echo(PeerKey(3), &given[1]);
    assert!(scene.queue.wants_requests());
    scene.queue.drain();
    assert!(!scene.queue.wants_requests(), "it is being stopped");
}

/// LB-5: killed in the middle of a request.
#[test]
fn a_request_of_a_lost_worker_goes_to_another_once() {
    let mut scene = Scene::default();
    scene.ready(WORKER);
    scene.request(CLIENT, "Hi");
    let first = scene.only(WORKER);
    scene.down(WORKER);
    assert_eq!(scene.queue.stats().waiting, 1);
    assert!(!scene.queue.wants_requests());
    scene.ready(OTHER_WORKER);
    let again = scene.only(OTHER_WORKER);
    assert_eq!(read(&again).1, read(&first).1);
    scene.echo(OTHER_WORKER, &again);
    assert_eq!(scene.replies(CLIENT).len(), 1);
    let stats = scene.queue.stats();
    assert_eq!(
        (stats.redispatched, stats.waiting, stats.in_flight),
        (1, 0, 0)
    );
}

/// F-9.
#[test]
fn a_request_that_loses_all_its_workers_is_a_dead_letter() {
    for (options, attempts) in [
        (
            QueueOptions::default().attempts(NonZeroU32::new(3).unwrap()),
            3,
        ),
        (QueueOptions::default().at_most_once(), 1),
    ] {
        let mut scene = Scene::new(options);
        scene.ready(WORKER);
        scene.request(CLIENT, "poison");
        for attempt in 1..=attempts {
            assert_eq!(scene.given(WORKER).len(), 1, "{attempt}");
            scene.down(WORKER);
            scene.up(WORKER, PeerFacts::default());
            scene.ready(WORKER);
        }
        assert_eq!(scene.given(WORKER), []);
        let dropped = QueueEvent::RequestDropped {
            client: CLIENT,
            reason: DropReason::AttemptsExhausted,
            attempts,
            body: Message::from("poison"),
        };
        assert!(scene.events().contains(&dropped));
        assert_eq!(
            scene.queue.stats().dropped(DropReason::AttemptsExhausted),
            1
        );
    }
}

/// F-4.
#[test]
fn a_request_waits_for_another_worker_no_longer_than_it_may() {
    let mut scene = Scene::default();
    scene.ready(WORKER);
    scene.request(CLIENT, "Hi");
    scene.down(WORKER);
    scene.advance(ms(29_999));
    assert_eq!(scene.queue.stats().waiting, 1);
    scene.advance(ms(1));
    let stats = scene.queue.stats();
    assert_eq!((stats.waiting, stats.dropped(DropReason::Expired)), (0, 1));
    scene.ready(OTHER_WORKER);
    assert_eq!(scene.given(OTHER_WORKER), []);
    assert!(scene.queue.wants_requests());
}

/// What waits for a worker that takes several frames, while another is idle, is bounded in number and in bytes.
#[test]
fn requests_of_several_frames_that_wait_are_bounded() {
    let large = [b'x'; 10_000];
    for (body, options, most) in [
        (b"one".as_slice(), QueueOptions::default(), 1000),
        (&large, QueueOptions::default().waiting_bytes(30_000), 3),
        (&large, QueueOptions::default().waiting_bytes(0), 1),
    ] {
        let mut scene = Scene::new(options);
        let ours_is_busy = PeerKey(3);
        scene.up(ours_is_busy, ours(1));
        scene.ready(ours_is_busy);
        scene.request_of(CLIENT, &[b"", b"first", b"two"]);
        let first = scene.only(ours_is_busy);
        scene.ready(WORKER);
        let mut waiting = 0;
        while scene.queue.wants_requests() {
            scene.request_of(CLIENT, &[b"", body, b"two"]);
            waiting += 1;
        }
        let stats = scene.queue.stats();
        assert_eq!((waiting, stats.waiting), (most, most));
        assert!(stats.waiting_bytes >= most * body.len());
        // As soon as there are fewer, more is read; what has waited too long no longer counts.
        scene.echo(ours_is_busy, &first);
        assert_eq!(scene.given(ours_is_busy).len(), 1);
        assert!(scene.queue.wants_requests());
        scene.advance_with_heartbeats(30, ours_is_busy);
        let stats = scene.queue.stats();
        assert_eq!((stats.waiting, stats.waiting_bytes), (0, 0));
    }
}

/// PP-3: the guide's worker takes exactly three frames; requests of more go to others, or nowhere.
#[test]
fn a_strange_paranoid_worker_never_gets_more_than_three_frames() {
    let mut scene = Scene::default();
    scene.ready(WORKER);
    let many: &[&[u8]] = &[b"", b"one", b"two"];
    scene.request_of(CLIENT, many);
    let refused = DropReason::NoCapableWorker;
    assert_eq!(scene.queue.stats().dropped(refused), 1);
    scene.says(OTHER_WORKER, &[b"", b"\x01"]);
    scene.request_of(CLIENT, many);
    let simple = scene.only(OTHER_WORKER);
    assert_eq!(simple.len(), 5);
    // The Simple worker is busy: the next such request waits, and does not stand in the way of others.
    scene.request_of(CLIENT, many);
    scene.request(OTHER_CLIENT, "Hi");
    assert_eq!(scene.only(WORKER).len(), 3);
    scene.up(PeerKey(3), ours(1));
    scene.ready(PeerKey(3));
    assert_eq!(scene.only(PeerKey(3)).len(), 4);
    scene.echo(OTHER_WORKER, &simple);
    assert_eq!(scene.replies(CLIENT), [frames_of(many)]);
}

#[test]
fn a_reply_that_cannot_be_delivered_is_counted() {
    let mut scene = Scene::default();
    scene.ready(WORKER);
    scene.request(CLIENT, "Hi");
    let given = scene.only(WORKER);
    scene.echo(WORKER, &given);
    scene.queue.reply_refused(CLIENT, DropReason::ClientGone);
    let stats = scene.queue.stats();
    assert_eq!(
        (stats.replies, stats.dropped(DropReason::ClientGone)),
        (0, 1)
    );
}

/// U9.
#[test]
fn malformed_requests_are_dropped_and_counted() {
    let mut scene = Scene::default();
    scene.ready(WORKER);
    for frames in [&[b"Hi".as_slice()] as &[&[u8]], &[b""], &[b"a", b"b"]] {
        scene.request_of(CLIENT, frames);
    }
    let many = vec![b"".as_slice(); MAX_FRAMES + 1];
    scene.request_of(CLIENT, &many);
    assert_eq!(scene.given(WORKER), []);
    let stats = scene.queue.stats();
    assert_eq!(stats.malformed(Malformed::NoDelimiter), 2);
    assert_eq!(stats.malformed(Malformed::NoBody), 1);
    assert_eq!(stats.malformed(Malformed::TooManyFrames), 1);
    assert_eq!((stats.requests, stats.idle), (0, 1));
}
