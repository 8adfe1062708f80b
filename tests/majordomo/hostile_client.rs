//! Our client and messages that are no replies.

use privateer::Client;
use privateer::core::SocketOptions;
use privateer::majordomo::client::ClientEvent;
use privateer::majordomo::protocol::{ClientMessage, MAX_FRAMES, Malformed};
use privateer::majordomo::{PROPERTY, PeerFacts};

use crate::hub::no_limit;
use crate::raw::{DISCONNECT, REQUEST, RawBroker, W_REQUEST, text};
use crate::salad::Salad;
use crate::support::sockets::{scale, soon};

/// Messages that are malformed, and in which way.
fn malformed() -> Vec<(String, Malformed)> {
    let client = "∅ · 4d4450433031";
    vec![
        ("78".into(), Malformed::NoDelimiter),
        ("∅".into(), Malformed::NoHeader),
        (client.into(), Malformed::NoService),
        (format!("{client} · ∅ · 4869"), Malformed::ServiceName),
        (
            "∅ · 4d4450433032 · 03 · 6563686f · 4869".into(),
            Malformed::OtherHeader,
        ),
        (W_REQUEST.into(), Malformed::OtherHeader),
        (DISCONNECT.into(), Malformed::OtherHeader),
        ("∅ · 48545450".into(), Malformed::UnknownHeader),
        (
            format!("{client}{}", " · 4869".repeat(MAX_FRAMES)),
            Malformed::TooManyFrames,
        ),
    ]
}

/// Messages that are replies, but to no call on the connection to a stranger.
fn unasked() -> Vec<String> {
    vec![
        "∅ · 4d4450433031 · 6563686f".into(),
        "∅ · 4d4450433031 · 4563686f · 4869".into(),
        format!("00000001 · {REQUEST}"),
        format!("{} · {REQUEST}", "00".repeat(16)),
    ]
}

/// MD-7: each of them counts once and is told, and the call goes on until its reply is there.
#[tokio::test]
async fn a_malformed_reply_is_counted_and_told() {
    let broker = RawBroker::bind().await;
    let client = Client::connect(&broker.endpoint)
        .unwrap()
        .call_options(no_limit());
    let mut events = client.events();
    let (reply, ()) = tokio::join!(soon(client.request("echo", "Hi")), async {
        let (peer, _request) = broker.recv().await;
        for (message, expected) in malformed() {
            broker.send(&peer, &message);
            match soon(events.next()).await.unwrap() {
                Some(ClientEvent::Malformed { kind, .. }) => {
                    assert_eq!(kind, expected, "{message}")
                }
                other => panic!("{message}: {other:?}"),
            }
        }
        for message in unasked() {
            broker.send(&peer, &message);
            let event = soon(events.next()).await.unwrap();
            assert!(
                matches!(event, Some(ClientEvent::ReplyDropped { .. })),
                "{message}: {event:?}"
            );
        }
        broker.send(&peer, REQUEST);
    });
    assert_eq!(reply.unwrap()[0], "Hi");
    let stats = client.stats();
    for kind in Malformed::ALL {
        let expected = malformed()
            .iter()
            .filter(|(_, other)| *other == kind)
            .count();
        assert_eq!(stats.malformed(kind), expected as u64, "{kind:?}");
    }
    assert_eq!(
        (stats.late_replies, stats.replies),
        (unasked().len() as u64, 1)
    );
}

/// 7.4-6, AM-5: from a broker that returns envelopes, a reply counts once, and only for the call whose envelope it has.
#[tokio::test]
async fn an_envelope_that_no_call_has_is_dropped() {
    let broker = RawBroker::with(privateer_options()).await;
    let client = Client::connect(&broker.endpoint)
        .unwrap()
        .call_options(no_limit());
    let (one, two, ()) = tokio::join!(
        soon(client.request("echo", "1")),
        soon(client.request("echo", "2")),
        async {
            let (peer, first) = broker.recv().await;
            let (_, second) = broker.recv().await;
            broker.send(&peer, "∅ · 4d4450433031 · 6563686f · 31");
            broker.send(
                &peer,
                &format!("{} · ∅ · 4d4450433031 · 6563686f · 31", "ff".repeat(16)),
            );
            broker.send(&peer, &format!("00 · {first}"));
            // In another order, and the one that comes first comes twice.
            broker.send(&peer, &second);
            broker.send(&peer, &second);
            broker.send(&peer, &first);
        }
    );
    assert_eq!(
        (&one.unwrap()[0], &two.unwrap()[0]),
        (&"1".into(), &"2".into())
    );
    let stats = client.stats();
    assert_eq!((stats.replies, stats.late_replies, stats.lanes), (2, 4, 1));
}

/// MD-7: frames at random; the call is answered by its reply and by nothing else.
#[tokio::test]
async fn random_frames_do_not_answer_a_call() {
    let broker = RawBroker::bind().await;
    let client = Client::connect(&broker.endpoint)
        .unwrap()
        .call_options(no_limit());
    let mut expected = [0; Malformed::KINDS];
    let mut dropped = 0;
    let (reply, ()) = tokio::join!(client.request("echo", "Hi"), async {
        let (peer, request) = broker.recv().await;
        let mut salad = Salad::new(11);
        for _ in 0..10_000 * scale() {
            let message = salad.message();
            match ClientMessage::read(message.clone(), MAX_FRAMES) {
                // A stranger's reply to this very service is taken for what it is.
                Ok(reply) if reply.service == "echo" && reply.envelope.is_none() => continue,
                Ok(_) => dropped += 1,
                Err(kind) => expected[kind as usize] += 1,
            }
            soon(broker.router.send(&peer, message)).await.unwrap();
        }
        broker.send(&peer, &request);
    });
    assert_eq!(text(&reply.unwrap()), "4869");
    let stats = client.stats();
    for kind in Malformed::ALL {
        assert_eq!(stats.malformed(kind), expected[kind as usize], "{kind:?}");
    }
    assert_eq!((stats.late_replies, stats.replies), (dropped, 1));
}

/// Options of a socket that announces a broker of ours.
fn privateer_options() -> SocketOptions {
    let facts = PeerFacts::privateer(std::num::NonZeroU16::MIN);
    SocketOptions::new()
        .property(PROPERTY, facts.property())
        .unwrap()
}
