//! PUB and SUB: who gets what, what is lost and counted, what a reconnect brings back.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

use std::num::NonZeroUsize;
use std::time::Duration;

use privateer::core::{
    Context, DropReason, Frame, Linger, Message, Peer, PubSocket, RecvError, SocketEvent,
    SocketOptions, SubSocket, XpubSocket, XsubSocket,
};

#[path = "pubsub/convergence.rs"]
mod convergence;
#[path = "pubsub/drops.rs"]
mod drops;
mod support;
use support::sockets::{
    Socket, Transport, Watch, eager, link, message, number, poll_times, scale, soon, until, within,
};

/// RFC 29: a prefix of the first frame, octet by octet; the empty one matches all, an empty frame too.
#[tokio::test]
async fn a_subscriber_gets_what_begins_with_its_topics() {
    for transport in Transport::KINDS {
        let publisher = PubSocket::usual();
        let place = transport.place();
        let endpoint = publisher.bind_to(&place.endpoint).await;
        let subscribe = |topics: &[&str]| {
            let subscriber = SubSocket::usual();
            for topic in topics {
                subscriber.subscribe(topic).unwrap();
            }
            subscriber.connect_to(&endpoint);
            subscriber
        };
        let (all, some, none) = (
            subscribe(&[""]),
            subscribe(&["A", "AB", "\u{e9}"]),
            subscribe(&[]),
        );
        soon(publisher.wait_for("", 1)).await;
        soon(publisher.wait_for("AB", 2)).await;
        soon(publisher.wait_for("\u{e9}", 2)).await;
        let sent = [
            message([""]),
            message(["AB"]),
            message(["B", "A"]),
            message(["A"]),
            message(["a"]),
            message(["", "A"]),
            message(["\u{e9}t\u{e9}"]),
            message(["ABC", "", "end"]),
        ];
        for message in &sent {
            publisher.send(message.clone()).await.unwrap();
        }
        for expected in &sent {
            assert_eq!(soon(all.recv()).await.unwrap(), *expected);
        }
        for expected in [1, 3, 6, 7] {
            // Once, although it begins with two of its topics.
            assert_eq!(soon(some.recv()).await.unwrap(), sent[expected]);
        }
        assert_eq!(none.try_recv(), Err(RecvError::Empty));
        assert_eq!(some.try_recv(), Err(RecvError::Empty));
        assert_eq!(publisher.stats().sent, 8 + 4);
        assert_eq!(publisher.topics_count(), 4);
    }
}

/// §2.1: nobody there, nobody subscribed: nothing waits, the message is counted.
#[tokio::test]
async fn what_nobody_wants_is_gone() {
    let publisher = PubSocket::usual();
    publisher.send("to nobody").await.unwrap();
    let subscriber = SubSocket::usual();
    let _linked = link(&publisher, &subscriber, Transport::Tcp).await;
    publisher.send("to nobody").await.unwrap();
    publisher.try_send("to nobody").unwrap();
    assert_eq!(publisher.stats().unmatched, 3);
    subscriber.subscribe("to").unwrap();
    soon(publisher.wait_for("to", 1)).await;
    publisher.send("to you").await.unwrap();
    assert_eq!(soon(subscriber.recv()).await.unwrap(), message(["to you"]));
    assert_eq!(publisher.stats().unmatched, 3);
}

/// Rule 11: a SUB hands out nothing that it has unsubscribed from, whatever its publisher still sends.
#[tokio::test]
async fn a_sub_filters_what_it_no_longer_wants() {
    for transport in Transport::KINDS {
        let (publisher, subscriber) = (PubSocket::usual(), SubSocket::usual());
        for topic in ["A", "B"] {
            subscriber.subscribe(topic).unwrap();
        }
        let _linked = link(&publisher, &subscriber, transport).await;
        soon(publisher.wait_for("B", 1)).await;
        soon(publisher.wait_for("A", 1)).await;
        for number in 0..200 {
            publisher.send(format!("A{number}")).await.unwrap();
        }
        publisher.send("B").await.unwrap();
        until(|| subscriber.stats().received == 201).await;
        subscriber.unsubscribe("A");
        assert_eq!(soon(subscriber.recv()).await.unwrap(), message(["B"]));
        soon(async {
            while publisher.topics_count() > 1 {
                tokio::task::yield_now().await;
            }
        })
        .await;
        publisher.send("A").await.unwrap();
        assert_eq!(publisher.stats().unmatched, 1);
    }
}

/// Rule 10: what goes to many is the same for all of them, whether it is copied or shared, large or in many frames.
#[tokio::test]
async fn all_subscribers_get_the_same() {
    for transport in Transport::KINDS {
        let publisher = PubSocket::usual();
        let place = transport.place();
        let endpoint = publisher.bind_to(&place.endpoint).await;
        let subscribers: Vec<_> = (0..5)
            .map(|_| {
                let subscriber = SubSocket::usual();
                subscriber.subscribe("").unwrap();
                subscriber.connect_to(&endpoint);
                subscriber
            })
            .collect();
        soon(publisher.wait_for("", 5)).await;
        let sizes = [0, 1, 38, 39, 255, 256, 257, 8_192, 8_193, 65_536, 1_000_000];
        let frame = |len: usize| Frame::from((0..=250_u8).cycle().take(len).collect::<Vec<_>>());
        let mut messages: Vec<Message> = sizes.iter().map(|len| frame(*len).into()).collect();
        for (a, b) in sizes.iter().zip(sizes.iter().rev()) {
            messages.push([frame(*a), Frame::empty(), frame(*b), frame(300)].into());
        }
        let sending = async {
            for message in &messages {
                publisher.send(message.clone()).await.unwrap();
            }
        };
        let receiving = async {
            for subscriber in &subscribers {
                for message in &messages {
                    assert!(subscriber.recv().await.unwrap() == *message);
                }
            }
        };
        soon(async { tokio::join!(sending, receiving) }).await;
        assert_eq!(publisher.stats().dropped_full, 0);
    }
}

/// Rule 10: several that send at once, one order at all subscribers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_subscribers_get_one_order() {
    let publisher = std::sync::Arc::new(PubSocket::with(no_marks()));
    let endpoint = publisher.bind_to("tcp://127.0.0.1:*").await;
    let mut readers = Vec::new();
    for _ in 0..4 {
        let subscriber = SubSocket::with(no_marks());
        subscriber.subscribe("").unwrap();
        subscriber.connect_to(&endpoint);
        readers.push(tokio::spawn(async move {
            let mut seen = Vec::new();
            while seen.len() < 4_000 {
                seen.push(soon(subscriber.recv()).await.unwrap());
            }
            seen
        }));
    }
    soon(publisher.wait_for("", 4)).await;
    let senders: Vec<_> = (0..4)
        .map(|sender| {
            let publisher = std::sync::Arc::clone(&publisher);
            tokio::spawn(async move {
                for count in 0..1_000 {
                    publisher.send(format!("{sender}.{count}")).await.unwrap();
                }
            })
        })
        .collect();
    for sender in senders {
        soon(sender).await.unwrap();
    }
    let mut orders = Vec::new();
    for reader in readers {
        orders.push(soon(reader).await.unwrap());
    }
    assert!(orders.iter().all(|order| *order == orders[0]));
}

/// A subscriber may bind and publishers connect; each publisher hears of all subscriptions.
#[tokio::test]
async fn one_subscriber_many_publishers() {
    for transport in Transport::KINDS {
        let subscriber = SubSocket::usual();
        subscriber.subscribe("a").unwrap();
        let place = transport.place();
        let endpoint = subscriber.bind_to(&place.endpoint).await;
        let publishers: Vec<_> = (0..10)
            .map(|_| {
                let publisher = PubSocket::usual();
                publisher.connect_to(&endpoint);
                publisher
            })
            .collect();
        subscriber.subscribe("b").unwrap();
        for (index, publisher) in publishers.iter().enumerate() {
            soon(publisher.wait_for("b", 1)).await;
            publisher.send(format!("b{index}")).await.unwrap();
        }
        let mut from = Vec::<Peer>::new();
        for _ in &publishers {
            let (peer, _) = soon(subscriber.recv_from()).await.unwrap();
            assert!(!from.contains(&peer));
            from.push(peer);
        }
    }
}

/// §4.2: what a PUB has queued goes out when it is closed.
#[tokio::test]
async fn a_publisher_lingers() {
    let (publisher, subscriber) = (PubSocket::usual(), SubSocket::with(no_marks()));
    subscriber.subscribe("").unwrap();
    let _linked = link(&subscriber, &publisher, Transport::Tcp).await;
    soon(publisher.wait_for("", 1)).await;
    for count in 0..1_000 {
        publisher.try_send(count.to_string()).unwrap();
    }
    assert_eq!(publisher.end(Linger::Forever).await, 0);
    for count in 0..1_000 {
        assert_eq!(number(&soon(subscriber.recv()).await.unwrap()), count);
    }
}

/// §4.2: SUB and XSUB do not linger unless they are told to: a silent publisher does not hold them up.
#[tokio::test(start_paused = true)]
async fn a_subscriber_does_not_linger() {
    const SECOND: Duration = Duration::from_secs(1);
    let context = Context::new();
    let options = || SocketOptions::new().context(&context);
    let publisher = PubSocket::with(options());
    publisher.bind_to("memory://news").await;
    for (options, expected) in [
        (options(), Duration::ZERO),
        (options().linger(Linger::For(SECOND)), SECOND),
    ] {
        let (sub, xsub) = (SubSocket::with(options.clone()), XsubSocket::with(options));
        sub.try_connect_to("memory://news").unwrap();
        xsub.try_connect_to("memory://news").unwrap();
        sub.subscribed(1).await;
        xsub.subscribed(1).await;
        context.network().stall();
        sub.subscribe("never arrives").unwrap();
        xsub.subscribe("never arrives").unwrap();
        tokio::time::sleep(Duration::from_millis(1)).await;
        let begun = tokio::time::Instant::now();
        assert_eq!(sub.close().await.unsent, 0);
        assert_eq!(begun.elapsed(), expected);
        assert_eq!(xsub.close().await.unsent, 0);
        assert_eq!(begun.elapsed(), expected * 2);
        context.network().heal();
    }
}

fn marks(hwm: usize) -> SocketOptions {
    let hwm = NonZeroUsize::new(hwm);
    SocketOptions::new().send_hwm(hwm).recv_hwm(hwm)
}

fn no_marks() -> SocketOptions {
    SocketOptions::new().send_hwm(None).recv_hwm(None)
}
