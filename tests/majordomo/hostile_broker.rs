//! Our broker and messages that are none of the protocol.

use std::collections::HashSet;

use privateer::majordomo::broker::{BrokerEvent, BrokerStats, DropReason, Misbehaviour};
use privateer::majordomo::protocol::{MAX_FRAMES, Malformed, ToBroker, WorkerCommand, is_reserved};

use crate::hub::scaled;
use crate::hub::{Bystander, Hub, echo};
use crate::raw::{DISCONNECT, Raw, hex};
use crate::salad::Salad;
use crate::support::sockets::{scale, until, within};

/// Messages that are malformed, and in which way. The first six end the guide's `mdbroker`.
fn malformed() -> Vec<(String, Malformed)> {
    let (client, worker) = ("∅ · 4d4450433031", "∅ · 4d4450573031");
    let long = "6c".repeat(256);
    vec![
        ("78".into(), Malformed::NoDelimiter),
        (client.into(), Malformed::NoService),
        (format!("{client} · 6563686f"), Malformed::NoBody),
        (worker.into(), Malformed::NoCommand),
        (format!("{worker} · 01"), Malformed::NoService),
        (format!("{worker} · 09"), Malformed::UnknownCommand),
        ("∅".into(), Malformed::NoHeader),
        ("01 · 02 · ∅".into(), Malformed::NoHeader),
        (
            format!("{}{client} · 6563686f · 4869", "00 · ".repeat(8)),
            Malformed::NoDelimiter,
        ),
        (
            "∅ · 4d4450433032 · 01 · 6563686f · 4869".into(),
            Malformed::OtherHeader,
        ),
        (
            "∅ · 4d4450573058 · 01 · 6563686f".into(),
            Malformed::OtherHeader,
        ),
        ("∅ · 48545450".into(), Malformed::UnknownHeader),
        (
            "∅ · ∅ · 4d4450433031 · 6563686f · 4869".into(),
            Malformed::UnknownHeader,
        ),
        (
            format!("07 · {worker} · 01 · 6563686f"),
            Malformed::WorkerEnvelope,
        ),
        (format!("{worker} · ∅"), Malformed::UnknownCommand),
        (
            format!("{worker} · 02 · 00 · ∅ · 4869"),
            Malformed::UnknownCommand,
        ),
        (
            format!("{worker} · 0104 · 6563686f"),
            Malformed::UnknownCommand,
        ),
        (format!("{worker} · 01 · ∅"), Malformed::ServiceName),
        (format!("{worker} · 01 · {long}"), Malformed::ServiceName),
        (format!("{client} · ∅ · 4869"), Malformed::ServiceName),
        (format!("{client} · {long} · 4869"), Malformed::ServiceName),
        (format!("{worker} · 03"), Malformed::NoAddress),
        (format!("{worker} · 03 · 00"), Malformed::NoAddress),
        (
            format!("{worker} · 03 · 00 · 00 · 4869"),
            Malformed::NoAddress,
        ),
        (format!("{worker} · 03 · 00 · ∅"), Malformed::NoBody),
        (
            format!("{client} · 6563686f{}", " · ∅".repeat(MAX_FRAMES - 2)),
            Malformed::TooManyFrames,
        ),
    ]
}

/// MD-7: each message of 7.4-5 and its kin counts once, is told, and harms nobody.
#[tokio::test]
async fn a_malformed_message_is_counted_and_told() {
    let mut hub = Hub::start().await;
    hub.worker(echo("echo"));
    let bystander = Bystander::of(&hub);
    let raw = Raw::connect(&hub.endpoint).await;
    let mut kinds = HashSet::new();
    for (count, (message, expected)) in malformed().into_iter().enumerate() {
        let before = hub.stats().malformed(expected);
        raw.send(&message);
        let kind = hub.find(|event| match event {
            BrokerEvent::Malformed { kind, .. } => Some(kind),
            _ => None,
        });
        assert_eq!(kind.await, expected, "{message}");
        let stats = hub.stats();
        assert_eq!(stats.malformed(expected), before + 1, "{message}");
        assert_eq!(all_malformed(&stats), count as u64 + 1);
        kinds.insert(expected);
    }
    assert_eq!(kinds.len(), Malformed::KINDS, "each kind has its message");
    assert!(bystander.stop().await > 0);
    let stats = hub.stop().await;
    assert_eq!((stats.redispatched, stats.dismissals), (0, 0));
}

/// MD-7: the pair of messages that ends the guide's `mdbroker` by a segmentation fault.
#[tokio::test]
async fn a_reply_after_an_unknown_command_is_dismissed() {
    let mut hub = Hub::start().await;
    hub.worker(echo("echo"));
    let bystander = Bystander::of(&hub);
    let raw = Raw::connect(&hub.endpoint).await;
    raw.send("∅ · 4d4450573031 · 09");
    raw.send("∅ · 4d4450573031 · 03 · 006b8b4567 · ∅ · 4869");
    hub.expect(|event| {
        matches!(
            event,
            BrokerEvent::Dismissed {
                misbehaviour: Misbehaviour::NotRegistered,
                ..
            }
        )
    })
    .await;
    assert_eq!(raw.recv().await, DISCONNECT);
    bystander.stop().await;
    let stats = hub.stop().await;
    assert_eq!(
        (
            stats.malformed(Malformed::UnknownCommand),
            stats.dropped(DropReason::Unasked)
        ),
        (1, 1)
    );
    assert_eq!(stats.dismissals, 1);
}

/// MD-7: frames at random from several peers at once; the counters explain every message.
#[tokio::test]
async fn random_frames_harm_nobody() {
    const PEERS: u64 = 4;
    let messages = 3000 * scale();
    let hub = Hub::start().await;
    hub.worker(echo("echo"));
    let bystander = Bystander::of(&hub);
    let mut expected = [0; Malformed::KINDS];
    let mut peers = Vec::new();
    for seed in 0..PEERS {
        let peer = Raw::connect(&hub.endpoint).await;
        let mut salad = Salad::new(seed);
        for _ in 0..messages {
            let message = salad.message();
            match ToBroker::read(message.clone(), MAX_FRAMES) {
                // This one would be a worker that does not answer its requests.
                Ok(ToBroker::Worker(WorkerCommand::Ready { service })) if service == "echo" => {
                    continue;
                }
                // Only the broker itself can be asked without a body.
                Ok(ToBroker::Client(request))
                    if request.body.is_none() && !is_reserved(&request.service) =>
                {
                    expected[Malformed::NoBody as usize] += 1;
                }
                Ok(_) => {}
                Err(kind) => expected[kind as usize] += 1,
            }
            peer.0.send(message).await.unwrap();
        }
        peers.push(peer);
    }
    let end = format!("∅ · 4d4450433031 · {}", hex(b"mmi.end"));
    for peer in &peers {
        peer.send(&end);
        let answer = format!("{end} · 353031");
        within(scaled(std::time::Duration::from_secs(20)), async {
            while peer.recv().await != answer {}
        })
        .await;
    }
    let stats = hub.stats();
    for kind in Malformed::ALL {
        assert_eq!(stats.malformed(kind), expected[kind as usize], "{kind:?}");
        assert!(stats.malformed(kind) > 0, "the salad has no {kind:?}");
    }
    for peer in peers {
        peer.cut().await;
    }
    until(|| {
        matches!(
            hub.stats(),
            BrokerStats {
                workers: 1,
                services: 1,
                queued: 0,
                parked: 0,
                ..
            }
        )
    })
    .await;
    assert!(bystander.stop().await > 0);
    hub.stop().await;
}

fn all_malformed(stats: &BrokerStats) -> u64 {
    Malformed::ALL
        .into_iter()
        .map(|kind| stats.malformed(kind))
        .sum()
}
