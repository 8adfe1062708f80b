//! Our worker and messages that are no commands of a broker.

use std::collections::VecDeque;

use privateer::Worker;
use privateer::majordomo::protocol::{BrokerCommand, MAX_FRAMES, Malformed, WorkerCommand};
use privateer::majordomo::worker::WorkerEvent;

use crate::hub::{echo, patient_worker};
use crate::raw::{RawBroker, W_REPLY, W_REQUEST};
use crate::salad::Salad;
use crate::support::sockets::{scale, soon};

/// Messages that are malformed, and in which way.
fn malformed() -> Vec<(String, Malformed)> {
    let worker = "∅ · 4d4450573031";
    vec![
        ("78".into(), Malformed::NoDelimiter),
        ("∅".into(), Malformed::NoHeader),
        (worker.into(), Malformed::NoCommand),
        ("∅ · 4d4450433031".into(), Malformed::OtherHeader),
        (
            "∅ · 4d4450433031 · 6563686f · 4869".into(),
            Malformed::OtherHeader,
        ),
        (
            "∅ · 4d4450573032 · 02 · 00 · ∅ · 4869".into(),
            Malformed::OtherHeader,
        ),
        ("∅ · 48545450".into(), Malformed::UnknownHeader),
        (
            format!("00 · {worker} · 02 · 00 · ∅ · 4869"),
            Malformed::WorkerEnvelope,
        ),
        (format!("{worker} · 09"), Malformed::UnknownCommand),
        (
            format!("{worker} · 01 · 6563686f"),
            Malformed::UnknownCommand,
        ),
        (
            format!("{worker} · 03 · 00 · ∅ · 4869"),
            Malformed::UnknownCommand,
        ),
        (format!("{worker} · ∅"), Malformed::UnknownCommand),
        (format!("{worker} · 02"), Malformed::NoAddress),
        (format!("{worker} · 02 · 00"), Malformed::NoAddress),
        (
            format!("{worker} · 02 · 00 · 01 · ∅ · 4869"),
            Malformed::NoAddress,
        ),
        (format!("{worker} · 02 · 00 · ∅"), Malformed::NoBody),
        (
            format!("{worker} · 02 · 00 · ∅{}", " · 4869".repeat(MAX_FRAMES)),
            Malformed::TooManyFrames,
        ),
    ]
}

/// MD-7: each of them counts once and is told, and the next request is answered.
#[tokio::test]
async fn a_malformed_command_is_counted_and_told() {
    let broker = RawBroker::bind().await;
    let worker = Worker::connect(&broker.endpoint, echo("echo"))
        .unwrap()
        .options(patient_worker());
    let (handle, mut events) = (worker.handle(), worker.handle().events());
    let running = tokio::spawn(worker.run());
    let (peer, _ready) = broker.recv().await;
    assert_eq!(
        soon(events.next()).await.unwrap(),
        Some(WorkerEvent::Registered)
    );
    for (message, kind) in malformed() {
        broker.send(&peer, &message);
        let event = soon(events.next()).await.unwrap();
        assert_eq!(event, Some(WorkerEvent::Malformed(kind)), "{message}");
        broker.send(&peer, W_REQUEST);
        assert_eq!(broker.recv().await.1, W_REPLY);
    }
    handle.stop();
    let stats = soon(running).await.unwrap().unwrap();
    for kind in Malformed::ALL {
        let expected = malformed()
            .iter()
            .filter(|(_, other)| *other == kind)
            .count();
        assert_eq!(stats.malformed(kind), expected as u64, "{kind:?}");
    }
    assert_eq!(
        (stats.replies, stats.reconnects),
        (malformed().len() as u64, 0)
    );
}

/// MD-7: frames at random; what is a request among them is answered, each with its address.
#[tokio::test]
async fn random_frames_do_not_stop_a_worker() {
    let broker = RawBroker::bind().await;
    let options = patient_worker().max_waiting(usize::MAX);
    let worker = Worker::connect(&broker.endpoint, echo("echo"))
        .unwrap()
        .options(options);
    let handle = worker.handle();
    let running = tokio::spawn(worker.run());
    let (peer, _ready) = broker.recv().await;

    let mut salad = Salad::new(7);
    let (mut expected, mut requests) = ([0; Malformed::KINDS], VecDeque::new());
    for _ in 0..10_000 * scale() {
        let message = salad.message();
        match BrokerCommand::read(message.clone(), MAX_FRAMES) {
            // After that one the rest is not read.
            Ok(BrokerCommand::Disconnect) => continue,
            Ok(BrokerCommand::Heartbeat) => {}
            Ok(BrokerCommand::Request { address, body }) => {
                requests.push_back(WorkerCommand::Reply { address, body }.into_message());
            }
            Err(kind) => expected[kind as usize] += 1,
        }
        soon(broker.router.send(&peer, message)).await.unwrap();
    }
    assert!(
        requests.len() > 10,
        "the salad has {} requests",
        requests.len()
    );
    for reply in &requests {
        assert_eq!(soon(broker.router.recv()).await.unwrap().1, *reply);
    }
    broker.send(&peer, W_REQUEST);
    assert_eq!(broker.recv().await.1, W_REPLY);
    handle.stop();
    let stats = soon(running).await.unwrap().unwrap();
    for kind in Malformed::ALL {
        assert_eq!(stats.malformed(kind), expected[kind as usize], "{kind:?}");
    }
    assert_eq!(
        (stats.requests, stats.reconnects),
        (requests.len() as u64 + 1, 0)
    );
}
