//! How calls end: answered, tried again, given up.

use super::*;

/// LP-4: a server that is stalled for three timeouts gets exactly three sends, with pauses between that differ: at random
/// between nothing and 100 ms, then between nothing and 200 ms.
#[test]
fn a_stalled_server_gets_exactly_three_tries_spaced_with_jitter() {
    for is_ours in [true, false] {
        let mut pauses = [Vec::new(), Vec::new()];
        for seed in 0..100 {
            let mut scene = Scene::new(1, LazyPirateOptions::default());
            scene.client = LazyPirateMachine::new(1, LazyPirateOptions::default(), seed);
            scene.outputs.clear();
            scene.drain();
            let call = scene.call("1");
            let start = scene.now;
            let mut at = Vec::new();
            while scene.now - start < ms(7500) {
                scene.connect(is_ours);
                at.extend(scene.sent().iter().map(|_| scene.now));
                scene.step(start + ms(7500));
            }
            let outcome = Outcome::TimedOut { tries: 3 };
            assert_eq!(scene.finished(), [(call, outcome)]);
            let [first, second, third] = <[_; 3]>::try_from(at).unwrap();
            assert_eq!(first, start);
            pauses[0].push(second - first - ms(2500));
            pauses[1].push(third - second - ms(2500));
        }
        for (pauses, longest) in pauses.iter().zip([100, 200]) {
            let tenths = |pause: &Duration| pause.as_millis() * 10 / longest;
            assert!(pauses.iter().all(|pause| pause.as_millis() <= longest));
            let found: std::collections::HashSet<_> = pauses.iter().map(tenths).collect();
            assert!((0..10).all(|tenth| found.contains(&tenth)), "{pauses:?}");
        }
    }
}

/// LP-1: whatever happens, a call ends within tries × timeout.
#[test]
fn every_call_ends_within_tries_times_timeout() {
    let mut random = fastrand::Rng::with_seed(17);
    for _ in 0..200 {
        let mut scene = Scene::new(2, LazyPirateOptions::default());
        let call = scene.call("1");
        let start = scene.now;
        let mut lanes = Vec::new();
        while scene.now - start < ms(7500) {
            lanes.extend(scene.opened());
            match random.u8(0..4) {
                0 => lanes
                    .iter()
                    .for_each(|(_, lane)| scene.up(*lane, random.bool())),
                1 if !lanes.is_empty() => {
                    let (_, lane) = lanes.swap_remove(random.usize(0..lanes.len()));
                    scene.down(lane);
                }
                _ => {}
            }
            scene.advance(ms(random.u64(1..900)));
        }
        let [(ended, _)] = <[_; 1]>::try_from(scene.finished()).unwrap();
        assert_eq!(ended, call);
        assert_eq!(scene.client.stats().in_flight, 0);
        assert!(scene.client.tries.is_empty());
    }
}

/// LP-3: the reply to the first try comes during the second: it counts once, and the other is dropped.
#[test]
fn a_late_reply_to_an_earlier_try_counts_once() {
    let mut scene = Scene::new(1, LazyPirateOptions::default());
    let call = scene.call("1");
    scene.connect(true);
    scene.advance(ms(2700));
    let sent = scene.sent();
    assert_eq!(sent.len(), 2);
    let frames = [&sent[0].1, &sent[1].1].map(Message::frames);
    assert_ne!(frames[0][0], frames[1][0], "each has a number of its own");
    assert_eq!(frames[0][1..], frames[1][1..], "both have the call's key");
    scene.echo(&sent[0]);
    assert_eq!(scene.finished(), [(call, reply("1"))]);
    scene.echo(&sent[1]);
    scene.echo(&sent[0]);
    assert_eq!(scene.finished(), []);
    assert_eq!(
        (
            scene.client.stats().replies,
            scene.client.stats().late_replies
        ),
        (1, 2)
    );
}

/// A stranger's late reply would answer the next call: its connection is closed with the try, as in the guide.
#[test]
fn a_try_to_a_stranger_takes_its_connection_with_it() {
    let mut scene = Scene::new(1, LazyPirateOptions::default());
    scene.call("1");
    let lane = scene.connect(false)[0].1;
    let first = scene.sent();
    assert_eq!(
        first[0].1,
        Message::from([Frame::empty(), Frame::from("1")])
    );
    scene.advance(ms(2500));
    assert_eq!(scene.closed(), [lane]);
    scene.echo(&first[0]);
    assert_eq!(scene.finished(), []);
    scene.connect(false);
    scene.advance(ms(110));
    let again = scene.sent();
    scene.echo(&again[0]);
    assert_eq!(scene.finished().len(), 1);
    assert_eq!(scene.client.stats().lanes, 1);
}

/// A request that could not be sent uses no try up, and its caller is told that nobody was there.
#[test]
fn not_connected_and_timed_out_are_told_apart() {
    let mut scene = Scene::new(1, LazyPirateOptions::default());
    let lonely = scene.call("1");
    scene.advance(ms(7500));
    assert_eq!(scene.finished(), [(lonely, Outcome::NotConnected)]);

    let late = scene.call("2");
    scene.advance(ms(5000));
    scene.connect(true);
    scene.advance(ms(2500));
    assert_eq!(scene.finished(), [(late, Outcome::TimedOut { tries: 1 })]);

    let limit = LazyPirateOptions::default().within(ms(60_000));
    let mut scene = Scene::new(1, limit);
    let patient = scene.call("3");
    scene.advance(ms(50_000));
    scene.connect(true);
    scene.advance(ms(9000));
    assert_eq!(
        scene.finished(),
        [(patient, Outcome::TimedOut { tries: 3 })]
    );
}

#[test]
fn a_server_that_had_its_share_of_retries_gets_no_more() {
    let options = LazyPirateOptions::default();
    let mut scene = Scene::new(1, options.clone());
    scene.client = LazyPirateMachine::new(1, options.budget(10, 1), 1);
    scene.drain();
    scene.connect(true);
    scene.call("1");
    scene.call("2");
    scene.advance(ms(7500));
    let outcomes = scene.finished();
    let tries = |tries| {
        outcomes
            .iter()
            .any(|(_, outcome)| *outcome == Outcome::Refused { tries })
    };
    assert!(tries(1) && tries(2), "{outcomes:?}");
    assert_eq!(scene.client.stats().budget_spent, 2);
}

/// LP-6, F-5: cancelled at once, and the slot is free.
#[test]
fn a_cancelled_call_ends_at_once_and_its_reply_is_dropped() {
    for is_ours in [true, false] {
        let mut scene = Scene::new(1, LazyPirateOptions::default());
        let call = scene.call("1");
        scene.connect(is_ours);
        let sent = scene.sent();
        scene.client.cancel(scene.now, call);
        scene.client.cancel(scene.now, call);
        scene.drain();
        assert_eq!(scene.finished(), [(call, Outcome::Cancelled)]);
        scene.echo(&sent[0]);
        assert_eq!(scene.finished(), []);
        assert_eq!(
            (
                scene.client.stats().in_flight,
                scene.client.stats().cancelled
            ),
            (0, 1)
        );
    }
}

/// U8, U9: replayed, foreign and broken replies answer nothing.
#[test]
fn strange_replies_are_dropped_and_the_call_goes_on() {
    let mut scene = Scene::new(1, LazyPirateOptions::default());
    let lane = scene.connect(true)[0].1;
    let call = scene.call("1");
    let sent = scene.sent();
    let other = [Frame::from(&[9, 9, 9, 9]), Frame::empty(), Frame::from("x")];
    for message in [
        Message::from("x"),
        Message::from([Frame::empty(), Frame::from("x")]),
        other.into(),
        Message::from_frames(vec![Frame::from("x"); 3000]).unwrap(),
    ] {
        scene.echo(&(lane, message));
    }
    assert_eq!(scene.finished(), []);
    let stats = scene.client.stats();
    assert_eq!((stats.malformed, stats.late_replies), (2, 2));
    scene.echo(&sent[0]);
    assert_eq!(scene.finished(), [(call, reply("1"))]);
}

/// F-1: what came while the program was stopped is read before calls are given up.
#[test]
fn after_a_pause_of_the_clock_replies_are_read_first() {
    let tries = NonZeroU32::MIN;
    let mut scene = Scene::new(1, LazyPirateOptions::default().tries(tries));
    let calls = [scene.call("1"), scene.call("2")];
    scene.connect(true);
    let sent = scene.sent();
    scene.now += Duration::from_secs(60);
    scene.client.handle_timeout(scene.now);
    scene.drain();
    assert_eq!(scene.finished(), []);
    scene.echo(&sent[0]);
    assert_eq!(scene.finished(), [(calls[0], reply("1"))]);
    scene.advance(ms(100));
    assert_eq!(
        scene.finished(),
        [(calls[1], Outcome::TimedOut { tries: 1 })]
    );
}

#[test]
fn calls_that_ended_leave_nothing_behind() {
    let mut scene = Scene::new(2, LazyPirateOptions::default());
    scene.connect(true);
    for _ in 0..10_000 {
        scene.call("1");
        let sent = scene.sent();
        sent.iter().for_each(|request| scene.echo(request));
        scene.outputs.clear();
    }
    assert!(scene.client.timers.len() < 100 && scene.client.tries.is_empty());
}

/// F-8: no two calls have the same key, of one client or of two.
#[test]
fn each_call_has_a_key_of_its_own() {
    let mut keys = std::collections::HashSet::new();
    for seed in 0..2 {
        let mut client = LazyPirateMachine::new(1, LazyPirateOptions::default(), seed);
        let Some(Output::OpenLane { lane, .. }) = client.poll_output() else {
            panic!("no connection is opened");
        };
        let now = Instant::now();
        client.lane_up(now, lane, true);
        for _ in 0..10 {
            client.call(now, None, Message::from("Hi"));
        }
        for output in std::iter::from_fn(|| client.poll_output()) {
            if let Output::Send { message, .. } = output {
                keys.insert(message.frames()[1].clone());
            }
        }
    }
    assert_eq!(keys.len(), 20);
}

/// A deadline that has passed ends the call unsent.
#[test]
fn a_call_whose_time_is_over_is_not_sent() {
    let mut scene = Scene::new(1, LazyPirateOptions::default());
    let over = scene.call_until(Some(scene.now), "Hi");
    assert_eq!(scene.finished(), [(over, Outcome::NotConnected)]);
    let waits = scene.call_until(Some(scene.now + ms(100)), "Ho");
    // Its connection is there before the timer has told.
    scene.now += ms(150);
    scene.connect(true);
    scene.advance(ms(0));
    assert_eq!(scene.finished(), [(waits, Outcome::TimedOut { tries: 0 })]);
    let over = scene.call_until(Some(scene.now), "Hi");
    assert_eq!(scene.finished(), [(over, Outcome::TimedOut { tries: 0 })]);
    assert_eq!(scene.sent(), []);
    assert_eq!(scene.client.next_timeout(), None);
}
