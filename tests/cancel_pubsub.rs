//! Futures of publish-subscribe that are dropped at any point: nothing is lost, nothing comes twice, nothing is stuck.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

use std::num::NonZeroUsize;
use std::time::Duration;

use privateer::core::{
    Frame, Message, PubSocket, SocketOptions, SubSocket, XpubSocket, XsubSocket,
};
use tokio::time::timeout;

mod support;
use support::sockets::{Socket, Transport, eager, link, message, number, poll_times, soon};

fn marks(hwm: usize) -> SocketOptions {
    let hwm = NonZeroUsize::new(hwm);
    SocketOptions::new().send_hwm(hwm).recv_hwm(hwm)
}

async fn subscriber(
    publisher: &PubSocket,
    transport: Transport,
    options: SocketOptions,
) -> SubSocket {
    let subscriber = SubSocket::with(options);
    subscriber.subscribe("").unwrap();
    let before = publisher.peers().len();
    let _linked = link(&subscriber, publisher, transport).await;
    soon(publisher.wait_for("", before + 1)).await;
    subscriber
}

/// R01: where nothing is dropped, a `send` that was dropped has sent nothing to anybody, one that was ready once to all.
#[tokio::test]
async fn dropped_sends_have_sent_to_nobody() {
    for transport in Transport::KINDS {
        let publisher = PubSocket::with(marks(2).no_drop());
        let a = subscriber(&publisher, transport, marks(2)).await;
        let b = subscriber(&publisher, transport, SocketOptions::new()).await;
        let mut accepted = Vec::new();
        let (mut from_a, mut from_b) = (Vec::new(), Vec::new());
        for i in 0..2_000_u64 {
            // With a body that the kernel cannot take in without end.
            let body = [Frame::from(i.to_string()), Frame::from(vec![0; 100_000])];
            if let Some(sent) = poll_times(i as usize % 6, publisher.send(body)).await {
                sent.unwrap();
                accepted.push(i);
            }
            if i % 4 == 0 {
                from_a.extend(a.try_recv().map(|message| number(&message)));
            }
            from_b.extend(b.try_recv().map(|message| number(&message)));
        }
        assert!(
            accepted.len() > 100 && accepted.len() < 1_800,
            "{transport:?}"
        );
        accepted.push(9999);
        let receive = async |sub: &SubSocket, received: &mut Vec<u64>| {
            while received.last() != Some(&9999) {
                received.push(number(&sub.recv().await.unwrap()));
            }
        };
        soon(async {
            tokio::join!(
                async { publisher.send("9999").await.unwrap() },
                receive(&a, &mut from_a),
                receive(&b, &mut from_b)
            )
        })
        .await;
        assert_eq!((&from_a, &from_b), (&accepted, &accepted), "{transport:?}");
    }
}

/// R01: a `recv` that was dropped has received nothing that is wanted, also if it was passing over what is not.
#[tokio::test]
async fn dropped_receives_lose_nothing() {
    for transport in Transport::KINDS {
        let (publisher, sub) = (XpubSocket::usual(), SubSocket::usual());
        let _linked = link(&publisher, &sub, transport).await;
        for topic in 0..10 {
            sub.subscribe(topic.to_string()).unwrap();
        }
        for topic in 0..10 {
            let told = loop {
                if let Some(told) = poll_times(topic % 4 + 1, publisher.recv()).await {
                    break told.unwrap();
                }
            };
            assert_eq!(told, Message::from(format!("\u{1}{topic}")));
        }
        // Not to be told to the publisher in time.
        for topic in 1..10 {
            sub.unsubscribe(topic.to_string());
        }
        let mut received = Vec::new();
        for i in 0..3_000 {
            publisher.send(format!("{}{i:04}", i % 10)).await.unwrap();
            let got = match i % 3 {
                0 => poll_times(i % 5, sub.recv_from())
                    .await
                    .map(|got| got.unwrap().1),
                _ => poll_times(i % 5, sub.recv()).await.map(Result::unwrap),
            };
            received.extend(got.map(|got| number(&got)));
        }
        while received.len() < 300 {
            received.push(number(&soon(sub.recv()).await.unwrap()));
        }
        assert!(
            received.into_iter().eq((0..3_000).step_by(10)),
            "{transport:?}"
        );
        assert!(sub.try_recv().is_err());
    }
}

/// R01: an XPUB's `recv_event` that was dropped has received nothing that would be told.
#[tokio::test]
async fn dropped_receives_of_events_lose_none() {
    for transport in Transport::KINDS {
        let (publisher, xsub) = (XpubSocket::usual(), XsubSocket::usual());
        let _linked = link(&publisher, &xsub, transport).await;
        let mut told = 0;
        for i in 0..1_000_usize {
            xsub.subscribe(i.to_string()).unwrap();
            told += usize::from(poll_times(i % 5, publisher.recv_event()).await.is_some());
        }
        while told < 1_000 {
            soon(publisher.recv_event()).await.unwrap();
            told += 1;
        }
        assert!(publisher.try_recv_event().is_err());
    }
}

/// R01: a wake-up that a dropped `send` got goes to the next who waits.
#[tokio::test]
async fn a_dropped_send_passes_its_wake_up_on() {
    let publisher = PubSocket::with(marks(1).no_drop());
    let sub = subscriber(&publisher, Transport::Inproc, marks(1)).await;
    publisher.try_send("1").unwrap();
    publisher.try_send("2").unwrap();
    let mut first = Box::pin(publisher.send("dropped"));
    let mut second = Box::pin(publisher.send("3"));
    assert!(timeout(Duration::ZERO, &mut first).await.is_err());
    assert!(timeout(Duration::ZERO, &mut second).await.is_err());
    // Wakes the first, which does not get to run.
    sub.try_recv().unwrap();
    drop(first);
    soon(second).await.unwrap();
    assert_eq!(number(&sub.try_recv().unwrap()), 2);
    assert_eq!(number(&sub.try_recv().unwrap()), 3);
}

/// R01: the same for `recv`.
#[tokio::test]
async fn a_dropped_recv_passes_its_wake_up_on() {
    for transport in Transport::KINDS {
        let publisher = PubSocket::usual();
        let sub = subscriber(&publisher, transport, SocketOptions::new()).await;
        let mut first = Box::pin(sub.recv());
        let mut second = Box::pin(sub.recv());
        assert!(timeout(Duration::ZERO, &mut first).await.is_err());
        assert!(timeout(Duration::ZERO, &mut second).await.is_err());
        publisher.send("1").await.unwrap();
        support::sockets::until(|| sub.stats().received == 1).await;
        drop(first);
        assert_eq!(number(&soon(second).await.unwrap()), 1);
    }
}

/// R01: waiting for subscribers or publishers changes nothing, and may be given up and begun again.
#[tokio::test]
async fn waits_that_are_dropped_change_nothing() {
    for transport in Transport::RECONNECTING {
        let place = transport.place();
        let sub = SubSocket::with(eager());
        sub.subscribe("a").unwrap();
        sub.try_connect_to(&place.endpoint).unwrap();
        for times in 0..5 {
            assert!(poll_times(times, sub.subscribed(1)).await.is_none());
        }
        let publisher = PubSocket::usual();
        let mut waiting = Box::pin(publisher.wait_for("a", 1));
        for times in 0..5 {
            assert!(
                poll_times(times, publisher.wait_for("a", 1))
                    .await
                    .is_none()
            );
        }
        assert!(poll_times(3, &mut waiting).await.is_none());
        publisher.bind_to(&place.endpoint).await;
        for times in 0..200 {
            let _maybe = poll_times(times % 7, sub.subscribed(1)).await;
            let _maybe = poll_times(times % 3, publisher.wait_for("a", 1)).await;
        }
        soon(waiting).await;
        assert_eq!(soon(sub.subscribed(1)).await.confirmed.len(), 1);
        publisher.send("a").await.unwrap();
        assert_eq!(soon(sub.recv()).await.unwrap(), message(["a"]));
    }
}

/// R01: an XSUB's `send` that was dropped has neither subscribed nor sent.
#[tokio::test]
async fn dropped_sends_have_not_subscribed() {
    let (publisher, xsub) = (XpubSocket::usual(), XsubSocket::usual());
    let _linked = link(&publisher, &xsub, Transport::Tcp).await;
    let mut expected = Vec::new();
    for i in 0..20_000_usize {
        let sent = message(["\u{1}A", "up"]);
        if poll_times(i % 2, xsub.send(sent)).await.is_some() {
            expected.push(i);
        }
        while publisher.try_recv().is_ok() {}
    }
    assert!(expected.len() >= 9_000);
    for _ in 1..expected.len() {
        assert!(xsub.unsubscribe("A"));
        assert_eq!(xsub.topics_count(), 1);
    }
    assert!(xsub.unsubscribe("A"));
    assert_eq!(xsub.topics_count(), 0);
}
