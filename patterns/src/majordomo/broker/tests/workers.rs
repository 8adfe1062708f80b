//! What the broker does with workers.

use super::*;

#[test]
fn a_request_goes_to_the_worker_and_its_reply_to_the_client() {
    let mut scene = Scene::default();
    scene.ready(WORKER, "echo");
    scene.request(CLIENT, "echo", "Hi");
    let (address, body) = scene.request_at(WORKER);
    assert_eq!(body, Message::from("Hi"));
    assert!(!address.is_empty() && address.len() <= 38);
    scene.reply(WORKER, &address, "Ho");
    let reply = ClientMessage {
        envelope: None,
        service: Frame::from("echo"),
        body: Some(Message::from("Ho")),
    };
    assert_eq!(scene.sent(CLIENT), [reply.into_message()]);
    let stats = scene.broker.stats();
    assert_eq!((stats.requests, stats.replies), (1, 1));
    assert_eq!((stats.queued, stats.in_flight), (0, 0));
}

#[test]
fn the_least_recently_used_worker_gets_the_request() {
    let mut scene = Scene::default();
    scene.ready(WORKER, "echo");
    scene.ready(OTHER_WORKER, "echo");
    for worker in [WORKER, OTHER_WORKER, WORKER, OTHER_WORKER] {
        scene.request(CLIENT, "echo", "Hi");
        let (address, _) = scene.request_at(worker);
        scene.reply(worker, &address, "Ho");
    }
    assert_eq!(scene.replies(CLIENT).len(), 4);
}

#[test]
fn a_worker_gets_as_many_requests_as_it_announced() {
    let mut scene = Scene::default();
    let worker = PeerKey(3);
    scene.up(worker, ours(3));
    scene.ready(worker, "echo");
    scene.ready(WORKER, "other");
    for _ in 0..5 {
        scene.request(CLIENT, "echo", "Hi");
        scene.request(CLIENT, "other", "Hi");
    }
    let commands = scene.commands(worker);
    assert_eq!(commands.len(), 3);
    assert_eq!(scene.commands(WORKER).len(), 1);
    let BrokerCommand::Request { address, .. } = &commands[1] else {
        panic!("not a request");
    };
    scene.reply(worker, address, "second first");
    assert_eq!(scene.commands(worker).len(), 1);
    assert_eq!(scene.broker.stats().in_flight, 4);
}

/// MD-5: killed in the middle of a request.
#[test]
fn a_request_of_a_lost_worker_goes_to_the_next_at_once_and_first() {
    let mut scene = Scene::default();
    scene.ready(WORKER, "echo");
    for body in ["first", "second"] {
        scene.request(CLIENT, "echo", body);
    }
    scene.down(WORKER);
    scene.ready(OTHER_WORKER, "echo");
    let (address, body) = scene.request_at(OTHER_WORKER);
    assert_eq!(body, Message::from("first"));
    scene.reply(OTHER_WORKER, &address, "Ho");
    assert_eq!(scene.replies(CLIENT).len(), 1);
    assert_eq!(scene.request_at(OTHER_WORKER).1, Message::from("second"));
    assert_eq!(scene.broker.stats().redispatched, 1);
}

/// MD-5, SIGSTOP of a reference worker: it is given up at the processing deadline, and its late REPLY is discarded.
#[test]
fn a_busy_stranger_is_judged_by_the_processing_deadline_only() {
    let mut scene = Scene::default();
    scene.ready(WORKER, "echo");
    scene.request(CLIENT, "echo", "Hi");
    let (late, _) = scene.request_at(WORKER);
    scene.advance(Duration::from_secs(895));
    assert_eq!(scene.broker.stats().workers, 1);
    scene.ready(OTHER_WORKER, "echo");
    scene.advance_with_heartbeats(Duration::from_secs(6), OTHER_WORKER);
    assert_eq!(scene.broker.stats().workers, 1);
    let (address, _) = scene.request_at(OTHER_WORKER);

    scene.reply(WORKER, &late, "late");
    assert_eq!(scene.replies(CLIENT), []);
    assert_eq!(scene.commands(WORKER), [BrokerCommand::Disconnect]);
    assert_eq!(scene.broker.stats().late_replies, 1);
    scene.reply(OTHER_WORKER, &address, "in time");
    assert_eq!(scene.replies(CLIENT), [Message::from("in time")]);
}

/// MD-6: a reference worker that is busy for 60 seconds is not given up, even if a heartbeat crossed the request.
#[test]
fn a_heartbeat_that_crossed_the_request_proves_nothing() {
    let mut scene = Scene::default();
    scene.ready(WORKER, "echo");
    scene.advance(ms(2400));
    scene.request(CLIENT, "echo", "Hi");
    scene.advance(ms(50));
    scene.command(WORKER, WorkerCommand::Heartbeat);
    let (address, _) = scene.request_at(WORKER);
    scene.advance(Duration::from_secs(60));
    scene.reply(WORKER, &address, "Ho");
    assert_eq!(scene.replies(CLIENT), [Message::from("Ho")]);
}

#[test]
fn a_stranger_that_heartbeats_while_busy_is_judged_by_that() {
    let mut scene = Scene::default();
    scene.ready(WORKER, "echo");
    scene.request(CLIENT, "echo", "Hi");
    scene.advance_with_heartbeats(ms(10_000), WORKER);
    scene.advance(ms(7400));
    assert_eq!(scene.broker.stats().workers, 1);
    scene.advance(ms(200));
    assert_eq!(scene.broker.stats().workers, 0);
    assert_eq!(scene.broker.stats().queued, 1);
}

/// MD-5, SIGSTOP of our own worker.
#[test]
fn our_busy_worker_is_given_up_after_three_silent_intervals() {
    let mut scene = Scene::default();
    let worker = PeerKey(3);
    scene.up(worker, ours(1));
    scene.ready(worker, "echo");
    scene.request(CLIENT, "echo", "Hi");
    scene.advance_with_heartbeats(Duration::from_secs(60), worker);
    scene.ready(WORKER, "echo");
    scene.advance(ms(7000));
    assert_eq!(scene.sent(WORKER), []);
    scene.command(WORKER, WorkerCommand::Heartbeat);
    scene.advance(ms(500));
    assert_eq!(scene.request_at(WORKER).1, Message::from("Hi"));
}

/// MD-9: one that lives and 999 that died.
#[test]
fn all_dead_workers_are_removed_whoever_lives() {
    let mut scene = Scene::default();
    for key in 100..1100 {
        scene.up(PeerKey(key), PeerFacts::default());
        scene.ready(PeerKey(key), "echo");
    }
    scene.advance_with_heartbeats(ms(7500), PeerKey(600));
    assert_eq!(scene.broker.stats().workers, 1);
    assert_eq!(scene.status("echo"), Message::from("200"));
    scene.request(CLIENT, "echo", "Hi");
    scene.request_at(PeerKey(600));
}

#[test]
fn every_worker_gets_a_heartbeat_each_interval_unless_it_got_something_else() {
    let mut scene = Scene::default();
    scene.ready(WORKER, "echo");
    scene.ready(OTHER_WORKER, "other");
    scene.advance(ms(2000));
    scene.request(CLIENT, "echo", "Hi");
    scene.advance(ms(500));
    assert_eq!(
        (scene.heartbeats(WORKER), scene.heartbeats(OTHER_WORKER)),
        (0, 1)
    );
    scene.advance(ms(2000));
    assert_eq!(
        (scene.heartbeats(WORKER), scene.heartbeats(OTHER_WORKER)),
        (1, 0)
    );
    scene.advance(ms(2500));
    assert_eq!(
        (scene.heartbeats(WORKER), scene.heartbeats(OTHER_WORKER)),
        (1, 1)
    );
}

/// MD-8, without a request.
#[test]
fn an_unsolicited_reply_is_answered_with_disconnect() {
    let mut scene = Scene::default();
    scene.ready(WORKER, "echo");
    scene.reply(WORKER, &Frame::from("a client"), "surprise");
    assert_eq!(scene.commands(WORKER), [BrokerCommand::Disconnect]);
    assert_eq!(scene.broker.stats().workers, 0);
    assert_eq!(scene.broker.stats().dropped(DropReason::Unasked), 1);
}

/// MD-8, the second reply to one request; and 7.4-6: it does not queue the worker twice.
#[test]
fn a_duplicate_reply_is_answered_with_disconnect() {
    let mut scene = Scene::default();
    scene.ready(WORKER, "echo");
    scene.request(CLIENT, "echo", "Hi");
    let (address, _) = scene.request_at(WORKER);
    scene.reply(WORKER, &address, "once");
    scene.reply(WORKER, &address, "twice");
    assert_eq!(scene.commands(WORKER), [BrokerCommand::Disconnect]);
    assert_eq!(scene.replies(CLIENT), [Message::from("once")]);
    scene.request(CLIENT, "echo", "Hi");
    assert_eq!(scene.sent(WORKER), []);
}

/// MD-8 and MD-12: the reply to a request of a broker that was restarted.
#[test]
fn a_reply_of_another_epoch_is_answered_with_disconnect() {
    let mut former = Scene {
        broker: BrokerMachine::new(BrokerOptions::default(), 6),
        ..Scene::default()
    };
    for peer in [WORKER, CLIENT] {
        former.up(peer, PeerFacts::default());
    }
    former.ready(WORKER, "echo");
    former.request(CLIENT, "echo", "before");
    let (stale, _) = former.request_at(WORKER);

    let mut scene = Scene::default();
    scene.ready(WORKER, "echo");
    scene.request(CLIENT, "echo", "after");
    let (address, _) = scene.request_at(WORKER);
    assert_ne!(address, stale);
    scene.reply(WORKER, &stale, "stale");
    assert_eq!(scene.commands(WORKER), [BrokerCommand::Disconnect]);
    assert_eq!(scene.replies(CLIENT), []);
    assert_eq!(scene.broker.stats().queued, 1);
}

/// MD-8: the token of a request that another worker has.
#[test]
fn a_reply_with_the_token_of_another_worker_is_answered_with_disconnect() {
    let mut scene = Scene::default();
    scene.ready(WORKER, "echo");
    scene.ready(OTHER_WORKER, "echo");
    scene.request(CLIENT, "echo", "one");
    scene.request(OTHER_CLIENT, "echo", "two");
    let (address, _) = scene.request_at(WORKER);
    scene.request_at(OTHER_WORKER);
    scene.reply(OTHER_WORKER, &address, "forged");
    assert_eq!(scene.commands(OTHER_WORKER), [BrokerCommand::Disconnect]);
    assert_eq!(scene.replies(CLIENT), []);
    scene.reply(WORKER, &address, "true");
    assert_eq!(scene.replies(CLIENT), [Message::from("true")]);
    assert_eq!(scene.request_at(WORKER).1, Message::from("two"));
}

/// RFC 7: valid but unexpected commands.
#[test]
fn a_second_ready_and_commands_without_ready_are_answered_with_disconnect() {
    let mut scene = Scene::default();
    scene.command(WORKER, WorkerCommand::Heartbeat);
    assert_eq!(scene.commands(WORKER), [BrokerCommand::Disconnect]);
    scene.reply(WORKER, &Frame::from("x"), "y");
    assert_eq!(scene.commands(WORKER), [BrokerCommand::Disconnect]);
    scene.ready(OTHER_WORKER, "echo");
    scene.ready(OTHER_WORKER, "echo");
    assert_eq!(scene.commands(OTHER_WORKER), [BrokerCommand::Disconnect]);
    assert_eq!(scene.broker.stats().dismissals, 3);
    assert_eq!(scene.broker.stats().services, 0);
}

/// RFC 7: after DISCONNECT of a worker nothing more is sent to it; MD-14: what it had goes to another.
#[test]
fn a_worker_that_left_gets_nothing_more() {
    let mut scene = Scene::default();
    scene.ready(WORKER, "echo");
    scene.request(CLIENT, "echo", "Hi");
    scene.command(WORKER, WorkerCommand::Disconnect);
    scene.ready(OTHER_WORKER, "echo");
    assert_eq!(scene.request_at(OTHER_WORKER).1, Message::from("Hi"));
    scene.sent(WORKER);
    scene.command(WORKER, WorkerCommand::Heartbeat);
    scene.reply(WORKER, &Frame::from("x"), "y");
    scene.advance(Duration::from_secs(10));
    assert_eq!(scene.sent(WORKER), []);
    assert_eq!(scene.heartbeats(WORKER), 0);
}

/// MM-3, and 7.4-7: the name of the service counts, not that of the worker.
#[test]
fn reserved_services_cannot_be_offered() {
    let mut scene = Scene::default();
    scene.ready(WORKER, "mmi.x");
    assert_eq!(scene.commands(WORKER), [BrokerCommand::Disconnect]);
    scene.ready(OTHER_WORKER, "x.mmi.y");
    assert_eq!(scene.commands(OTHER_WORKER), []);
    assert_eq!(scene.broker.stats().workers, 1);
}

/// F-9: a request that kills every worker ends as a dead letter.
#[test]
fn a_request_is_given_to_five_workers_and_no_more() {
    let mut scene = Scene::default();
    scene.request(CLIENT, "echo", "poison");
    for key in 100..105 {
        scene.up(PeerKey(key), PeerFacts::default());
        scene.ready(PeerKey(key), "echo");
        scene.request_at(PeerKey(key));
        scene.events();
        scene.down(PeerKey(key));
    }
    let letter = BrokerEvent::RequestDropped {
        client: Some(CLIENT),
        service: Frame::from("echo"),
        reason: DropReason::AttemptsExhausted,
        attempts: 5,
        body: Message::from("poison"),
    };
    assert!(scene.events().contains(&letter));
    assert_eq!(scene.broker.stats().services, 0);
}

#[test]
fn a_service_may_be_at_most_once() {
    let options = BrokerOptions::default().service("pay", ServiceOptions::default().at_most_once());
    let mut scene = Scene::new(options);
    for service in ["pay", "echo"] {
        scene.ready(WORKER, service);
        scene.request(CLIENT, service, "Hi");
        scene.down(WORKER);
        scene.up(WORKER, PeerFacts::default());
    }
    let stats = scene.broker.stats();
    assert_eq!(
        (stats.dropped(DropReason::AttemptsExhausted), stats.queued),
        (1, 1)
    );
}

/// F-1: the broker was stopped for a minute; what its workers sent in that time is read first.
#[test]
fn after_a_pause_of_the_clock_sockets_are_read_before_anybody_is_judged() {
    let mut scene = Scene::default();
    scene.ready(WORKER, "echo");
    scene.ready(OTHER_WORKER, "echo");
    scene.now += Duration::from_secs(60);
    scene.broker.handle_timeout(scene.now);
    scene.drain();
    assert!(matches!(
        scene.events().last(),
        Some(BrokerEvent::ClockPaused { .. })
    ));
    assert_eq!(scene.broker.stats().workers, 2);
    scene.command(WORKER, WorkerCommand::Heartbeat);
    scene.advance(ms(2500));
    assert_eq!(scene.broker.stats().workers, 1);
    assert_eq!(scene.broker.stats().clock_pauses, 1);
}

#[test]
fn workers_are_dismissed_at_the_end() {
    let mut scene = Scene::default();
    scene.ready(WORKER, "echo");
    scene.ready(OTHER_WORKER, "echo");
    scene.request(CLIENT, "echo", "Hi");
    scene.sent(WORKER);
    scene.broker.dismiss_workers(scene.now);
    scene.drain();
    for worker in [WORKER, OTHER_WORKER] {
        assert_eq!(scene.commands(worker), [BrokerCommand::Disconnect]);
    }
    assert_eq!(scene.broker.stats().workers, 0);
}

/// MD-7: everything that crashes reference brokers, from a stranger and from a registered worker.
#[test]
fn malformed_messages_are_counted_and_do_no_harm() {
    let mut scene = Scene::default();
    scene.ready(WORKER, "echo");
    let messages: [(&[&str], Malformed); 6] = [
        (&["x"], Malformed::NoDelimiter),
        (&["", "MDPC01"], Malformed::NoService),
        (&["", "MDPC01", "echo"], Malformed::NoBody),
        (&["", "MDPW01"], Malformed::NoCommand),
        (&["", "MDPW01", "\x01"], Malformed::NoService),
        (&["", "MDPW01", "\x09"], Malformed::UnknownCommand),
    ];
    for (frames, kind) in messages {
        let frames = frames.iter().map(|&frame| Frame::from(frame)).collect();
        let message = Message::from_frames(frames).unwrap();
        let before = scene.broker.stats().malformed(kind);
        scene.receive(CLIENT, message.clone());
        scene.receive(WORKER, message);
        assert_eq!(scene.broker.stats().malformed(kind), before + 2);
    }
    scene.request(CLIENT, "echo", "Hi");
    let (address, _) = scene.request_at(WORKER);
    scene.reply(WORKER, &address, "Ho");
    assert_eq!(scene.replies(CLIENT), [Message::from("Ho")]);
}
