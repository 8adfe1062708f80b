//! Which call is sent on which connection.

use std::collections::HashSet;

use super::*;

#[test]
fn nothing_is_sent_before_the_broker_is_known() {
    let mut scene = Scene::default();
    for body in ["one", "two", "three"] {
        scene.call(body);
    }
    assert_eq!((scene.opened().len(), scene.sent().len()), (1, 0));
}

/// AM-5: replies in any order, and twice, find their calls.
#[test]
fn calls_share_one_connection_to_a_broker_of_ours() {
    let mut scene = Scene::default();
    let calls: Vec<_> = ["one", "two", "three"].map(|body| scene.call(body)).into();
    let lane = scene.first_lane(ours());
    let sent = scene.sent();
    assert!(
        sent.iter()
            .all(|(on, request)| *on == lane && request.envelope.is_some())
    );
    for index in [2, 0, 2, 1, 0] {
        scene.echo(sent[index].clone());
    }
    let expected = [
        (calls[2], replied("three")),
        (calls[0], replied("one")),
        (calls[1], replied("two")),
    ];
    assert_eq!(scene.finished(), expected);
    assert_eq!(scene.client.stats().late_replies, 2);
    assert_eq!(scene.opened(), []);
}

#[test]
fn each_call_has_a_connection_of_its_own_to_a_stranger() {
    let mut scene = Scene::default();
    let calls: Vec<_> = ["one", "two", "three"].map(|body| scene.call(body)).into();
    scene.first_lane(PeerFacts::default());
    for lane in scene.opened() {
        scene.lane_up(lane, PeerFacts::default());
    }
    let sent = scene.sent();
    let lanes: HashSet<_> = sent.iter().map(|(lane, _)| *lane).collect();
    assert_eq!((sent.len(), lanes.len()), (3, 3));
    assert!(sent.iter().all(|(_, request)| request.envelope.is_none()));
    scene.echo(sent[1].clone());
    assert_eq!(scene.finished(), [(calls[1], replied("two"))]);
    scene.call("four");
    assert_eq!(
        only(scene.sent()).0,
        sent[1].0,
        "the free connection is used again"
    );
    assert_eq!(scene.opened(), []);
}

#[test]
fn the_number_of_connections_is_limited() {
    let options = ClientOptions::default().max_lanes(NonZeroUsize::new(2).unwrap());
    let mut scene = Scene::new(options);
    for _ in 0..5 {
        scene.call("x");
    }
    scene.first_lane(PeerFacts::default());
    let other = only(scene.opened());
    scene.lane_up(other, PeerFacts::default());
    assert_eq!((scene.opened(), scene.sent().len()), (vec![], 2));
    assert_eq!(scene.client.stats().waiting, 3);
}

/// MD-12 and AM-4: what was unanswered is sent again on the next connection, in order.
#[test]
fn unanswered_calls_are_sent_again_after_a_reconnect() {
    let mut scene = Scene::default();
    for body in ["one", "two", "three"] {
        scene.call(body);
    }
    let lane = scene.first_lane(ours());
    let sent = scene.sent();
    scene.echo(sent[1].clone());
    scene.lane_down(lane);
    assert_eq!(scene.closed(), [lane]);
    scene.call("four");
    assert_eq!(scene.sent(), []);
    let next = scene.first_lane(ours());
    let again = scene.sent();
    assert!(again.iter().all(|(lane, _)| *lane == next));
    assert_eq!((&again[0].1, &again[1].1), (&sent[0].1, &sent[2].1));
    assert_eq!(again.len(), 3);
    again.into_iter().for_each(|request| scene.echo(request));
    assert_eq!(scene.finished().len(), 4);
    assert_eq!(scene.client.stats().resent, 2);
}

#[test]
fn a_lane_to_a_stranger_that_ends_gives_its_call_back() {
    let mut scene = Scene::default();
    scene.call("Hi");
    let lane = scene.first_lane(PeerFacts::default());
    let sent = only(scene.sent());
    scene.lane_down(lane);
    assert_eq!(scene.closed(), [lane]);
    scene.first_lane(PeerFacts::default());
    assert_eq!(only(scene.sent()).1, sent.1);
}

#[test]
fn a_connection_that_ends_without_a_reply_is_replaced_after_a_delay() {
    let delays = |scene: &mut Scene| {
        scene.outputs(|output| match output {
            Output::OpenLane { lane, delay } => Some((*lane, *delay)),
            _ => None,
        })
    };
    let mut scene = Scene::default();
    scene.client.open(scene.now);
    scene.drain();
    for (echoed, delay) in [
        (false, ms(0)),
        (true, ms(250)),
        (true, ms(0)),
        (false, ms(0)),
    ] {
        let (lane, given) = only(delays(&mut scene));
        assert_eq!(given, delay);
        scene.lane_up(lane, ours());
        scene.call("Hi");
        for request in scene.sent().into_iter().filter(|_| echoed) {
            scene.echo(request);
        }
        scene.lane_down(lane);
    }
    assert_eq!(only(delays(&mut scene)).1, ms(250));
}

#[test]
fn when_a_stranger_becomes_one_of_ours_one_connection_stays() {
    let mut scene = Scene::default();
    for body in ["one", "two", "three"] {
        scene.call(body);
    }
    let first = scene.first_lane(PeerFacts::default());
    let others = scene.opened();
    scene.lane_up(others[0], PeerFacts::default());
    assert_eq!(scene.sent().len(), 2);
    scene.lane_down(first);
    let next = scene.opened()[0];
    scene.closed();
    scene.lane_up(next, ours());
    assert_eq!(scene.closed(), others);
    assert_eq!(scene.sent().len(), 3);
    // And back again.
    scene.lane_down(next);
    scene.first_lane(PeerFacts::default());
    assert_eq!((scene.sent().len(), scene.opened().len()), (1, 2));
}
