//! Clients that send too much or read too little.

use super::*;

fn pauses(scene: &mut Scene) -> Vec<bool> {
    let mut pauses = Vec::new();
    scene.outputs.retain(|output| match output {
        Output::Pause(CLIENT) => {
            pauses.push(true);
            false
        }
        Output::Resume(CLIENT) => {
            pauses.push(false);
            false
        }
        _ => true,
    });
    pauses
}

#[test]
fn a_client_beyond_its_bytes_is_paused_until_half_is_left_and_loses_nothing() {
    let mut scene = Scene::new(BrokerOptions::default().client_bytes(10_000));
    let body = "x".repeat(1000);
    for sent in 1..=10 {
        scene.request(CLIENT, "echo", &body);
        assert_eq!(
            pauses(&mut scene),
            if sent == 8 { vec![true] } else { vec![] }
        );
    }
    scene.request(OTHER_CLIENT, "echo", "small");
    scene.ready(WORKER, "echo");
    for answered in 1..=10 {
        let (address, _) = scene.request_at(WORKER);
        scene.reply(WORKER, &address, "Ho");
        assert_eq!(
            pauses(&mut scene),
            if answered == 7 { vec![false] } else { vec![] }
        );
    }
    assert_eq!(scene.replies(CLIENT).len(), 10);
    scene.request_at(WORKER);
}

#[test]
fn a_client_that_is_a_worker_is_never_paused() {
    let mut scene = Scene::new(BrokerOptions::default().client_bytes(1000));
    for _ in 0..5 {
        scene.request(CLIENT, "echo", "Hi");
    }
    assert_eq!(pauses(&mut scene), [true]);
    scene.ready(CLIENT, "other");
    assert_eq!(pauses(&mut scene), [false]);
    scene.request(CLIENT, "echo", "Hi");
    assert_eq!(pauses(&mut scene), []);
    assert_eq!(scene.broker.stats().dropped(DropReason::ClientBytes), 1);
}

/// A client whose pipe takes `room` more messages.
fn replies_with_room(scene: &mut Scene, mut room: usize) -> Vec<Message> {
    let mut taken = Vec::new();
    while let Some(output) = scene.broker.poll_output() {
        match output {
            Output::Send {
                to: CLIENT,
                message,
            } if room == 0 => {
                scene.broker.handle_full(CLIENT, message);
            }
            Output::Send {
                to: CLIENT,
                message,
            } => {
                room -= 1;
                taken.push(
                    ClientMessage::read(message, MAX_FRAMES)
                        .unwrap()
                        .body
                        .unwrap(),
                );
            }
            other => scene.outputs.push(other),
        }
    }
    taken
}

fn question(number: usize) -> Message {
    let message = ClientMessage {
        envelope: None,
        service: Frame::from("echo"),
        body: Some(Message::from(number.to_string())),
    };
    message.into_message()
}

/// Asks and answers `count` questions, for which the client has `room`.
fn echo(scene: &mut Scene, numbers: std::ops::Range<usize>, mut room: usize) -> Vec<Message> {
    let mut taken = Vec::new();
    for number in numbers {
        scene
            .broker
            .handle_message(scene.now, CLIENT, question(number));
        taken.extend(replies_with_room(scene, room));
        let (address, body) = scene.request_at(WORKER);
        let reply = WorkerCommand::Reply { address, body };
        scene
            .broker
            .handle_message(scene.now, WORKER, reply.into_message());
        let now_taken = replies_with_room(scene, room);
        room -= now_taken.len();
        taken.extend(now_taken);
    }
    taken
}

#[test]
fn replies_that_a_full_pipe_refuses_are_parked_in_order() {
    let mut scene = Scene::default();
    scene.ready(WORKER, "echo");
    let mut taken = echo(&mut scene, 0..10, 3);
    assert_eq!(scene.broker.stats().parked, 7);
    for room in [2, 0, 4] {
        scene.broker.handle_writable(CLIENT);
        taken.extend(replies_with_room(&mut scene, room));
    }
    assert_eq!(scene.broker.stats().parked, 1);
    // A reply that comes while others are parked waits behind them.
    taken.extend(echo(&mut scene, 10..12, 9));
    assert_eq!(scene.broker.stats().parked, 3);
    scene.broker.handle_writable(CLIENT);
    taken.extend(replies_with_room(&mut scene, 9));
    let expected: Vec<_> = (0..12)
        .map(|number| Message::from(number.to_string()))
        .collect();
    assert_eq!(taken, expected);
    taken = echo(&mut scene, 12..13, 9);
    assert_eq!(taken, [Message::from("12")]);
}

/// AM-3: memory is bounded, and other clients are not affected.
#[test]
fn parked_replies_count_against_the_clients_bytes() {
    let mut scene = Scene::new(BrokerOptions::default().client_bytes(4000));
    scene.ready(WORKER, "echo");
    assert_eq!(echo(&mut scene, 0..11, 0), []);
    assert_eq!(pauses(&mut scene), [true]);
    scene.request(OTHER_CLIENT, "echo", "Hi");
    let (address, _) = scene.request_at(WORKER);
    scene.reply(WORKER, &address, "Ho");
    assert_eq!(scene.replies(OTHER_CLIENT).len(), 1);
    scene.broker.handle_writable(CLIENT);
    assert_eq!(replies_with_room(&mut scene, 100).len(), 11);
    assert_eq!(pauses(&mut scene), [false]);
}

#[test]
fn parked_replies_of_a_client_that_is_gone_are_counted() {
    let mut scene = Scene::default();
    scene.ready(WORKER, "echo");
    echo(&mut scene, 0..4, 0);
    scene.down(CLIENT);
    let stats = scene.broker.stats();
    assert_eq!(
        (stats.parked, stats.dropped(DropReason::ClientGone)),
        (0, 4)
    );
    assert_eq!(scene.broker.mute, 0);
}

#[test]
fn a_parked_request_is_not_sent_to_a_worker_that_is_lost() {
    let mut scene = Scene::default();
    scene.up(WORKER, ours(1));
    scene.ready(WORKER, "echo");
    scene.broker.handle_message(scene.now, CLIENT, question(1));
    let Some(Output::Send {
        to: WORKER,
        message,
    }) = scene.broker.poll_output()
    else {
        panic!("not sent");
    };
    scene.broker.handle_full(WORKER, message);
    scene.drain();
    scene.advance(ms(7500));
    assert_eq!(scene.heartbeats(WORKER), 0, "nothing is due to a full pipe");
    scene.broker.handle_writable(WORKER);
    scene.drain();
    assert_eq!(scene.sent(WORKER), []);
    assert_eq!(
        (scene.broker.stats().parked, scene.broker.stats().queued),
        (0, 1)
    );
    scene.ready(OTHER_WORKER, "echo");
    scene.request_at(OTHER_WORKER);
}
