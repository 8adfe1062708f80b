//! What the broker does with clients, their requests and their questions.

use super::*;

#[test]
fn an_envelope_comes_back_untouched() {
    let mut scene = Scene::default();
    scene.ready(WORKER, "echo");
    let envelope = Message::from([Frame::from([1, 2, 3, 4]), Frame::from("route")]);
    let request = ClientMessage {
        envelope: Some(envelope.clone()),
        service: Frame::from("echo"),
        body: Some(Message::from([Frame::from("a"), Frame::empty()])),
    };
    scene.receive(CLIENT, request.clone().into_message());
    let (address, body) = scene.request_at(WORKER);
    assert_eq!(Some(&body), request.body.as_ref());
    scene.command(WORKER, WorkerCommand::Reply { address, body });
    assert_eq!(scene.sent(CLIENT), [request.into_message()]);
}

/// MD-10.
#[test]
fn a_request_that_no_worker_takes_expires() {
    let mut scene = Scene::default();
    scene.request(CLIENT, "absent", "one");
    scene.advance(ms(10_000));
    scene.request(CLIENT, "absent", "two");
    scene.advance(ms(19_999));
    assert_eq!(scene.broker.stats().queued, 2);
    scene.advance(ms(1));
    assert_eq!(scene.broker.stats().queued, 1);
    scene.advance(ms(10_000));
    let stats = scene.broker.stats();
    assert_eq!((stats.queued, stats.services), (0, 0));
    assert_eq!(stats.dropped(DropReason::Expired), 2);
    scene.ready(WORKER, "absent");
    assert_eq!(scene.sent(WORKER), []);
}

/// MD-10: memory stays flat at 1,000,000 requests to absent services, since clients are paused.
#[test]
fn requests_to_absent_services_are_bounded() {
    let mut scene = Scene::new(
        BrokerOptions::default()
            .client_bytes(1 << 20)
            .max_services(100),
    );
    let mut paused = false;
    for number in 0..1_000_000 {
        if !paused {
            scene.request(CLIENT, &format!("absent {}", number % 200), "Hi");
        } else {
            scene.advance(ms(100));
        }
        for output in scene.outputs.drain(..) {
            match output {
                Output::Pause(CLIENT) => paused = true,
                Output::Resume(CLIENT) => paused = false,
                _ => {}
            }
        }
        let stats = scene.broker.stats();
        assert!(stats.queued < 5000 && stats.services <= 100);
    }
    assert!(scene.broker.stats().dropped(DropReason::TooManyServices) > 0);
    assert!(scene.broker.stats().dropped(DropReason::Expired) > 0);
    assert!(scene.broker.timers.len() < 10_000);
}

/// MD-11.
#[test]
fn queued_requests_of_a_client_that_is_gone_are_dropped() {
    let mut scene = Scene::default();
    scene.request(CLIENT, "echo", "gone");
    scene.request(OTHER_CLIENT, "echo", "here");
    scene.down(CLIENT);
    assert_eq!(scene.broker.stats().dropped(DropReason::ClientGone), 1);
    scene.ready(WORKER, "echo");
    assert_eq!(scene.request_at(WORKER).1, Message::from("here"));
}

#[test]
fn the_reply_to_a_client_that_is_gone_is_dropped_and_the_worker_goes_on() {
    let mut scene = Scene::default();
    scene.ready(WORKER, "echo");
    scene.request(CLIENT, "echo", "Hi");
    let (address, _) = scene.request_at(WORKER);
    scene.down(CLIENT);
    // The same program, connected again.
    scene.up(CLIENT, PeerFacts::default());
    scene.reply(WORKER, &address, "Ho");
    assert_eq!(scene.sent(CLIENT), []);
    assert_eq!(scene.broker.stats().dropped(DropReason::ClientGone), 1);
    scene.request(CLIENT, "echo", "again");
    scene.request_at(WORKER);
}

#[test]
fn a_request_of_a_client_that_is_gone_is_not_given_to_another_worker() {
    let mut scene = Scene::default();
    scene.ready(WORKER, "echo");
    scene.request(CLIENT, "echo", "Hi");
    scene.down(CLIENT);
    scene.down(WORKER);
    let stats = scene.broker.stats();
    assert_eq!((stats.queued, stats.in_flight, stats.services), (0, 0, 0));
    assert_eq!(stats.dropped(DropReason::ClientGone), 1);
}

#[test]
fn a_full_queue_refuses_the_newest() {
    let mut scene = Scene::new(with_service(ServiceOptions::default().max_queued(2)));
    for body in ["one", "two", "three"] {
        scene.request(CLIENT, "echo", body);
    }
    assert_eq!(scene.broker.stats().dropped(DropReason::QueueFull), 1);
    scene.ready(WORKER, "echo");
    assert_eq!(scene.request_at(WORKER).1, Message::from("one"));
}

#[test]
fn the_number_of_services_is_limited() {
    let mut scene = Scene::new(BrokerOptions::default().max_services(1));
    scene.ready(WORKER, "one");
    scene.request(CLIENT, "two", "Hi");
    assert_eq!(scene.broker.stats().dropped(DropReason::TooManyServices), 1);
    scene.ready(OTHER_WORKER, "two");
    assert_eq!(scene.commands(OTHER_WORKER), [BrokerCommand::Disconnect]);
    scene.down(WORKER);
    scene.ready(OTHER_WORKER, "two");
    assert_eq!(scene.commands(OTHER_WORKER), []);
}

#[test]
fn a_peer_may_be_client_and_worker() {
    let mut scene = Scene::default();
    scene.ready(WORKER, "echo");
    scene.request(WORKER, "echo", "myself");
    let (address, body) = scene.request_at(WORKER);
    assert_eq!(body, Message::from("myself"));
    scene.reply(WORKER, &address, "Ho");
    assert_eq!(scene.replies(WORKER), [Message::from("Ho")]);
    scene.request(WORKER, "echo", "again");
    scene.down(WORKER);
    let stats = scene.broker.stats();
    assert_eq!((stats.queued, stats.in_flight, stats.services), (0, 0, 0));
}

/// MM-1 and MM-4.
#[test]
fn mmi_service_tells_whether_a_worker_lives() {
    let mut scene = Scene::default();
    assert_eq!(scene.status("echo"), Message::from("404"));
    scene.ready(WORKER, "echo");
    assert_eq!(scene.status("echo"), Message::from("200"));
    scene.request(CLIENT, "echo", "Hi");
    assert_eq!(scene.status("echo"), Message::from("200"));
    scene.down(WORKER);
    assert_eq!(scene.status("echo"), Message::from("404"));
    assert_eq!(scene.broker.stats().management, 4);
}

/// MM-2.
#[test]
fn unknown_questions_get_501() {
    let mut scene = Scene::default();
    for service in ["mmi.nope", "mmi."] {
        scene.request(CLIENT, service, "x");
        assert_eq!(scene.replies(CLIENT), [Message::from("501")]);
    }
    assert_eq!(scene.broker.stats().services, 0);
}

/// MM-5.
#[test]
fn questions_of_any_length_get_one_frame() {
    let mut scene = Scene::default();
    scene.ready(WORKER, "echo");
    for (len, status) in [(0, "404"), (1, "200"), (2, "200"), (100, "200")] {
        let question = ClientMessage {
            envelope: None,
            service: Frame::from("mmi.service"),
            body: Message::from_frames(vec![Frame::from("echo"); len]),
        };
        scene.receive(CLIENT, question.into_message());
        assert_eq!(scene.replies(CLIENT), [Message::from(status)]);
    }
}

/// MM-6.
#[test]
fn questions_are_answered_while_queues_are_full() {
    let options = with_service(ServiceOptions::default().max_queued(1));
    let mut scene = Scene::new(options.max_services(1).client_bytes(1));
    scene.request(CLIENT, "echo", "Hi");
    scene.request(CLIENT, "echo", "Hi");
    assert_eq!(scene.status("echo"), Message::from("404"));
}
