//! How calls end: attempts, deadlines, strange replies.

use super::*;

/// Lazy Pirate: three attempts of 2.5 seconds, each on a connection of its own.
#[test]
fn an_attempt_to_a_stranger_is_repeated_on_another_connection() {
    let mut scene = Scene::default();
    let call = scene.call("Hi");
    let mut lane = scene.first_lane(PeerFacts::default());
    let mut first = only(scene.sent());
    for _ in 0..2 {
        scene.advance(ms(2500));
        assert_eq!(scene.closed(), [lane]);
        lane = scene.first_lane(PeerFacts::default());
        let again = only(scene.sent());
        assert_eq!(again, (lane, first.1.clone()));
        first = again;
    }
    scene.advance(ms(2499));
    assert_eq!(scene.finished(), []);
    scene.advance(ms(1));
    assert_eq!(
        scene.finished(),
        [(call, Outcome::TimedOut { attempts: 3 })]
    );
    assert_eq!(scene.closed(), [lane]);
    scene.echo(first);
    assert_eq!(scene.client.stats().late_replies, 1);
    assert_eq!(scene.client.next_timeout(), None);
}

/// 7.4-8: stale copies are not worked on.
#[test]
fn a_broker_of_ours_gets_a_request_once_on_one_connection() {
    let mut scene = Scene::default();
    let call = scene.call("Hi");
    scene.first_lane(ours());
    let sent = only(scene.sent());
    scene.advance(ms(6000));
    assert_eq!((scene.sent(), scene.closed()), (vec![], vec![]));
    scene.echo(sent);
    assert_eq!(scene.finished(), [(call, replied("Hi"))]);
    let call = scene.call("Ho");
    scene.advance(ms(7500));
    assert_eq!(
        scene.finished(),
        [(call, Outcome::TimedOut { attempts: 3 })]
    );
}

/// A request that could not be sent uses no attempt up; its call ends when all attempts together could have.
#[test]
fn a_call_that_waits_for_a_connection_uses_no_attempt_up() {
    let mut scene = Scene::default();
    let call = scene.call("Hi");
    scene.advance(ms(7499));
    assert_eq!(scene.finished(), []);
    scene.advance(ms(1));
    let unsent = Outcome::TimedOut { attempts: 0 };
    assert_eq!(scene.finished(), [(call, unsent)]);

    let call = scene.call("Ho");
    scene.advance(ms(5000));
    let lane = scene.first_lane(ours());
    assert_eq!(only(scene.sent()).0, lane);
    scene.advance(ms(2500));
    let sent_once = Outcome::TimedOut { attempts: 1 };
    assert_eq!(scene.finished(), [(call, sent_once)]);
}

/// F-6: a stranger that is merely slow is not buried under repeats.
#[test]
fn a_stranger_that_had_its_share_of_retries_gets_no_more() {
    for (broker, ends) in [
        (
            PeerFacts::default(),
            [1, 2].map(|attempts| Outcome::Refused { attempts }),
        ),
        // What is not sent again costs nothing.
        (
            ours(),
            [3, 3].map(|attempts| Outcome::TimedOut { attempts }),
        ),
    ] {
        let mut scene = Scene::new(ClientOptions::default().budget(10, 1));
        let calls = [scene.call("Hi"), scene.call("Ho")];
        scene.connect(broker);
        for _ in 0..3 {
            scene.advance(ms(2500));
            scene.connect(broker);
        }
        let mut outcomes = scene.finished();
        assert!(outcomes.iter().all(|(call, _)| calls.contains(call)));
        outcomes.sort_by_key(|(_, outcome)| format!("{outcome:?}"));
        assert_eq!(
            outcomes
                .into_iter()
                .map(|(_, outcome)| outcome)
                .collect::<Vec<_>>(),
            ends
        );
        let refused = u64::from(!broker.privateer) * 2;
        assert_eq!(scene.client.stats().budget_spent, refused);
    }
}

/// What is sent again after a lost connection is the same attempt, and takes none from the budget.
#[test]
fn a_lost_connection_uses_no_attempt_up() {
    for broker in [ours(), PeerFacts::default()] {
        let mut scene = Scene::new(ClientOptions::default().budget(0, 0));
        let call = scene.call("Hi");
        for _ in 0..5 {
            let lane = only(scene.connect(broker));
            assert_eq!(only(scene.sent()).0, lane);
            scene.advance(ms(1000));
            scene.lane_down(lane);
        }
        scene.advance(ms(2500));
        let attempts = 1;
        assert_eq!(scene.finished(), [(call, Outcome::TimedOut { attempts })]);
    }
}

/// F-5.
#[test]
fn a_cancelled_call_ends_at_once_and_its_reply_is_dropped() {
    let mut scene = Scene::default();
    let call = scene.call("Hi");
    scene.first_lane(ours());
    let sent = only(scene.sent());
    scene.client.cancel(scene.now, call);
    scene.client.cancel(scene.now, call);
    scene.drain();
    assert_eq!(scene.finished(), [(call, Outcome::Cancelled)]);
    scene.echo(sent);
    assert_eq!(
        (scene.finished(), scene.client.stats().late_replies),
        (vec![], 1)
    );

    let mut scene = Scene::default();
    let call = scene.call("Hi");
    let lane = scene.first_lane(PeerFacts::default());
    scene.client.cancel(scene.now, call);
    scene.drain();
    assert_eq!(
        scene.closed(),
        [lane],
        "its late reply would be that of another call"
    );
}

/// F-4.
#[test]
fn a_deadline_ends_a_call_whatever_attempts_are_left() {
    let mut scene = Scene::default();
    let deadline = Some(scene.now + ms(3000));
    let call = scene.call_with("Hi", CallOptions::default().deadline(deadline));
    let options = CallOptions::default().attempt_timeout(None);
    let patient = scene.call_with("Ho", options);
    let options = options.deadline(Some(scene.now + ms(60_000)));
    let later = scene.call_with("Hm", options);
    scene.first_lane(ours());
    scene.advance(ms(2999));
    assert_eq!(scene.finished(), []);
    scene.advance(ms(1));
    assert_eq!(
        scene.finished(),
        [(call, Outcome::TimedOut { attempts: 2 })]
    );
    scene.advance(ms(57_000));
    assert_eq!(
        scene.finished(),
        [(later, Outcome::TimedOut { attempts: 1 })]
    );
    scene.advance(Duration::from_secs(3600));
    scene.client.cancel(scene.now, patient);
    scene.drain();
    assert_eq!(scene.finished(), [(patient, Outcome::Cancelled)]);
}

#[test]
fn strange_replies_are_dropped_and_the_call_goes_on() {
    for broker in [ours(), PeerFacts::default()] {
        let mut scene = Scene::default();
        let call = scene.call("Hi");
        let lane = scene.first_lane(broker);
        let sent = only(scene.sent());
        let envelope = match broker.privateer {
            true => Some(Message::from("a strange id")),
            false => Some(Message::from("any")),
        };
        let other_service = ClientMessage {
            service: Frame::from("other"),
            ..sent.1.clone()
        };
        let no_body = ClientMessage {
            body: None,
            ..sent.1.clone()
        };
        let strange = ClientMessage {
            envelope,
            ..sent.1.clone()
        };
        for reply in [other_service, no_body, strange] {
            scene.echo((lane, reply));
        }
        scene
            .client
            .handle_message(scene.now, lane, Message::from("x"));
        scene.drain();
        assert_eq!(scene.client.stats().late_replies, 3);
        assert_eq!(scene.client.stats().malformed(Malformed::NoDelimiter), 1);
        scene.echo(sent);
        assert_eq!(scene.finished(), [(call, replied("Hi"))]);
    }
}

/// F-1: the replies that came while the program was stopped are read before calls are given up.
#[test]
fn after_a_pause_of_the_clock_replies_are_read_first() {
    let mut scene = Scene::default();
    let options = CallOptions::default().attempts(NonZeroU32::MIN);
    let (answered, lost) = (
        scene.call_with("Hi", options),
        scene.call_with("Ho", options),
    );
    scene.first_lane(ours());
    let sent = scene.sent();
    scene.now += Duration::from_secs(60);
    scene.client.handle_timeout(scene.now);
    scene.drain();
    assert_eq!(scene.finished(), []);
    scene.echo(sent[0].clone());
    assert_eq!(scene.finished(), [(answered, replied("Hi"))]);
    scene.advance(ms(100));
    assert_eq!(
        scene.finished(),
        [(lost, Outcome::TimedOut { attempts: 1 })]
    );
}

#[test]
fn timers_of_calls_that_ended_do_not_pile_up() {
    let mut scene = Scene::default();
    scene.call("first");
    scene.first_lane(ours());
    for _ in 0..10_000 {
        scene.call("x");
        let sent = scene.sent();
        sent.into_iter().for_each(|request| scene.echo(request));
        scene.outputs.clear();
    }
    assert!(scene.client.timers.len() < 100);
}

fn pauses(scene: &mut Scene) -> usize {
    let told = scene.outputs(|output| match output {
        Output::Event(ClientEvent::ClockPaused { late }) => Some(*late),
        _ => None,
    });
    told.len()
}

/// A deadline that has passed ends the call unsent, and is no sign that the clock paused.
#[test]
fn a_call_whose_time_is_over_is_not_sent() {
    let mut scene = Scene::default();
    let before = scene.now;
    scene.advance(ms(5000));
    let patient = scene.call("Hi");
    scene.first_lane(ours());
    let first = only(scene.sent());
    for deadline in [before, scene.now] {
        let options = CallOptions::default().deadline(Some(deadline));
        let over = scene.call_with("Ho", options);
        let unsent = Outcome::TimedOut { attempts: 0 };
        assert_eq!(scene.finished(), [(over, unsent)]);
    }
    let now = scene.now;
    scene.client.handle_timeout(now);
    scene.advance(ms(2500));
    assert_eq!((scene.sent(), pauses(&mut scene)), (vec![], 0));
    scene.echo(first);
    assert_eq!(scene.finished(), [(patient, replied("Hi"))]);
    assert_eq!(scene.client.stats().timed_out, 2);
}

/// Nor does a connection get what has waited too long for it, when it is there before the timer has told.
#[test]
fn a_call_that_has_waited_too_long_is_not_sent() {
    for broker in [ours(), PeerFacts::default()] {
        let mut scene = Scene::default();
        let options = CallOptions::default().deadline(Some(scene.now + ms(100)));
        let (over, patient) = (scene.call_with("Hi", options), scene.call("Ho"));
        scene.now += ms(150);
        let lane = scene.first_lane(broker);
        let unsent = Outcome::TimedOut { attempts: 0 };
        assert_eq!(scene.finished(), [(over, unsent)]);
        let sent = only(scene.sent());
        assert_eq!(sent.0, lane);
        scene.echo(sent);
        assert_eq!(scene.finished(), [(patient, replied("Ho"))]);
    }
}

/// A timer that is late neither begins an attempt after the deadline, nor takes one from the budget.
#[test]
fn a_late_timer_begins_no_attempt_after_the_deadline() {
    let mut scene = Scene::new(ClientOptions::default().budget(0, 1));
    let options = CallOptions::default().attempt_timeout(Some(ms(100)));
    let deadline = scene.now + ms(150);
    let call = scene.call_with("Hi", options.deadline(Some(deadline)));
    let lane = scene.first_lane(PeerFacts::default());
    scene.sent();
    scene.now += ms(200);
    scene.client.handle_timeout(scene.now);
    scene.drain();
    let sent_once = Outcome::TimedOut { attempts: 1 };
    assert_eq!(scene.finished(), [(call, sent_once)]);
    assert_eq!(scene.closed(), [lane]);
    assert_eq!(scene.client.budget.left(), 1);
}
