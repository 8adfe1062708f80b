//! PUB and SUB: who gets what, what is lost and counted, what a reconnect brings back.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

use std::num::NonZeroUsize;
use std::time::Duration;

use privateer::core::{
    Context, DropReason, Frame, Linger, Message, Peer, PubSocket, RecvError, SocketEvent,
    SocketOptions, SubSocket, XpubSocket, XsubSocket,
};

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

/// K10: a slow subscriber loses whole messages, exactly as many as are counted for it; others lose none.
#[tokio::test]
async fn a_slow_subscriber_alone_loses_whole_messages_and_they_are_counted() {
    let publisher = PubSocket::with(marks(10));
    let endpoint = publisher.bind_to("tcp://127.0.0.1:*").await;
    let connect = async |options| {
        let subscriber = SubSocket::with(options);
        subscriber.subscribe("").unwrap();
        let mut watch = publisher.watch();
        subscriber.connect_to(&endpoint);
        (subscriber, watch.connected().await)
    };
    let (slow, slow_peer) = connect(marks(10)).await;
    let (fast, fast_peer) = connect(SocketOptions::new()).await;
    soon(publisher.wait_for("", 2)).await;
    let mut watch = publisher.watch();
    // More than the kernel takes for the slow one.
    let body = Frame::from(vec![7; 100_000]);
    let messages = 1_000_u64;
    for count in 0..messages {
        let parts = [Frame::from(count.to_string()), body.clone(), body.clone()];
        publisher.send(parts).await.unwrap();
        assert_eq!(number(&soon(fast.recv()).await.unwrap()), count);
    }
    assert_eq!(watch.dropped().await, DropReason::Full);
    let dropped = slow_peer.dropped();
    assert!(dropped > 0 && dropped < messages, "{dropped}");
    assert_eq!(
        (fast_peer.dropped(), publisher.stats().dropped_full),
        (0, dropped)
    );
    assert_eq!(publisher.stats().sent, 2 * messages - dropped);
    let mut last = None;
    for _ in 0..messages - dropped {
        let message = soon(slow.recv()).await.unwrap();
        assert_eq!(
            (message.len(), message[1].len(), message[2].len()),
            (3, 100_000, 100_000)
        );
        let this = Some(number(&message));
        assert!(this > last);
        last = this;
    }
    assert_eq!(slow.try_recv(), Err(RecvError::Empty));
}

/// K10: over inproc the mark is that of both sides, and not a message more or less.
#[tokio::test]
async fn the_count_of_drops_is_exact_over_inproc() {
    let (publisher, subscriber) = (PubSocket::with(marks(3)), SubSocket::with(marks(4)));
    subscriber.subscribe("").unwrap();
    let _linked = link(&publisher, &subscriber, Transport::Inproc).await;
    for count in 0..20 {
        publisher.try_send(count.to_string()).unwrap();
    }
    assert_eq!(publisher.first_peer().dropped(), 13);
    for count in 0..7 {
        assert_eq!(number(&subscriber.try_recv().unwrap()), count);
    }
    assert!(subscriber.try_recv().is_err());
}

/// Of a run of drops the first is told at once, and the others when there is room again or the peer is gone: all of them.
#[tokio::test]
async fn runs_of_drops_are_told() {
    let (publisher, subscriber) = (PubSocket::with(marks(1)), SubSocket::with(marks(1)));
    subscriber.subscribe("").unwrap();
    let _linked = link(&publisher, &subscriber, Transport::Inproc).await;
    let mut watch = publisher.watch();
    for run in 0..3 {
        // One of them ended the last run.
        for _ in 0..if run == 0 { 10 } else { 9 } {
            publisher.try_send("x").unwrap();
        }
        assert_eq!(told_of(&mut watch).await, 1);
        assert!(poll_times(3, told_of(&mut watch)).await.is_none());
        while subscriber.try_recv().is_ok() {}
        if run < 2 {
            publisher.try_send("x").unwrap();
        } else {
            drop(subscriber);
            assert_eq!(told_of(&mut watch).await, 7);
            break;
        }
        assert_eq!(told_of(&mut watch).await, 7);
        assert_eq!(publisher.first_peer().dropped(), (run + 1) * 8);
    }
    assert_eq!(publisher.stats().dropped_full, 24);
}

/// How many messages the next event says are dropped because a pipe is full.
async fn told_of(watch: &mut Watch) -> u64 {
    watch
        .find(|event| match event {
            SocketEvent::Dropped {
                reason: DropReason::Full,
                messages,
                ..
            } => Some(messages),
            _ => None,
        })
        .await
}

/// A publisher in a tight loop on one thread lets its sessions write before it drops.
#[tokio::test]
async fn a_tight_loop_leaves_time_for_sessions() {
    let (publisher, subscriber) = (PubSocket::usual(), SubSocket::with(no_marks()));
    subscriber.subscribe("").unwrap();
    let _linked = link(&publisher, &subscriber, Transport::Tcp).await;
    soon(publisher.wait_for("", 1)).await;
    for count in 0..20_000 {
        publisher.send(count.to_string()).await.unwrap();
    }
    assert_eq!(publisher.stats().dropped_full, 0);
    for count in 0..20_000 {
        assert_eq!(number(&soon(subscriber.recv()).await.unwrap()), count);
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

/// K11: 10,000 topics are there again after the publisher was away, each once.
#[tokio::test]
async fn ten_thousand_topics_are_replayed_after_a_restart() {
    const TOPICS: usize = 10_000;
    for transport in Transport::RECONNECTING {
        let subscriber = SubSocket::with(eager());
        for topic in 0..TOPICS {
            subscriber.subscribe(format!("{topic:05}")).unwrap();
        }
        let place = transport.place();
        subscriber.try_connect_to(&place.endpoint).unwrap();
        for round in 0..3 {
            let publisher = XpubSocket::with(no_marks());
            publisher.bind_to(&place.endpoint).await;
            for topic in 0..TOPICS {
                let expected = Message::from(format!("\u{1}{topic:05}"));
                assert_eq!(soon(publisher.recv()).await.unwrap(), expected);
            }
            assert_eq!(publisher.topics_count(), TOPICS);
            for topic in [0, 1, TOPICS / 2, TOPICS - 1] {
                let sent = Message::from(format!("{topic:05} of round {round}"));
                publisher.send(sent.clone()).await.unwrap();
                assert_eq!(soon(subscriber.recv()).await.unwrap(), sent);
            }
            publisher.end(Linger::Discard).await;
        }
    }
}

/// K11, Q20: subscriptions that change while connections break at any octet are right in the end.
#[tokio::test(start_paused = true)]
async fn subscriptions_are_right_after_any_cut() {
    let context = Context::new();
    let options = || eager().context(&context);
    let publisher = XpubSocket::with(options().recv_hwm(None));
    publisher.bind_to("memory://news").await;
    let subscriber = XsubSocket::with(options());
    subscriber.try_connect_to("memory://news").unwrap();
    let seed = fastrand::u64(..);
    eprintln!("seed {seed}");
    fastrand::seed(seed);
    let (mut wanted, mut told) = (
        std::collections::BTreeSet::new(),
        std::collections::BTreeSet::new(),
    );
    for step in 0..2_000_usize * scale() {
        let topic = fastrand::usize(..50).to_string();
        if wanted.insert(topic.clone()) {
            subscriber.subscribe(&topic).unwrap();
        } else {
            wanted.remove(&topic);
            subscriber.unsubscribe(&topic);
        }
        match step % 17 {
            0 => context.network().cut_after(fastrand::usize(..200)),
            8 => context.network().split_at(fastrand::usize(1..20)),
            12 => tokio::time::sleep(Duration::from_millis(fastrand::u64(..30))).await,
            _ => {}
        }
        if step % 100 == 99 {
            let confirmed = within(Duration::from_secs(600), subscriber.subscribed(1));
            assert_eq!(confirmed.await.confirmed.len(), 1);
            while let Ok(event) = publisher.try_recv() {
                let text = std::str::from_utf8(&event[0]).unwrap();
                let (octet, topic) = text.split_at(1);
                let is_new = match octet {
                    "\u{1}" => told.insert(topic.to_owned()),
                    _ => told.remove(topic),
                };
                assert!(is_new, "{text:?} is told twice");
            }
            assert_eq!(told, wanted);
            assert_eq!(publisher.topics_count(), wanted.len());
        }
    }
}

/// K14: whoever waited for a subscriber, or for the publishers to know, loses no first message.
#[tokio::test]
async fn the_first_message_is_not_lost() {
    for transport in [Transport::Tcp, Transport::IpcPath, Transport::Inproc] {
        for run in 0..100 * scale() {
            let (publisher, subscriber) = (PubSocket::usual(), SubSocket::usual());
            let place = transport.place();
            let endpoint = publisher.bind_to(&place.endpoint).await;
            subscriber.connect_to(&endpoint);
            subscriber.subscribe("first").unwrap();
            if run % 2 == 0 {
                soon(publisher.wait_for("first of all", 1)).await;
            } else {
                let subscribed = soon(subscriber.subscribed(1)).await;
                assert_eq!(subscribed.confirmed.len(), 1);
            }
            publisher.send("first of all").await.unwrap();
            let received = soon(subscriber.recv()).await.unwrap();
            assert_eq!(received, message(["first of all"]));
        }
    }
}

/// K14: the barrier also holds for a publisher that comes while it waits, and for later subscriptions anew.
#[tokio::test]
async fn the_barrier_waits_for_publishers_that_are_not_there_yet() {
    for transport in Transport::KNOWN {
        let places = [transport.place(), transport.place()];
        let subscriber = SubSocket::with(eager());
        subscriber.subscribe("a").unwrap();
        for place in &places {
            subscriber.try_connect_to(&place.endpoint).unwrap();
        }
        let mut waiting = Box::pin(subscriber.subscribed(2));
        let first = PubSocket::usual();
        first.bind_to(&places[0].endpoint).await;
        soon(first.wait_for("a", 1)).await;
        assert!(poll_times(20, &mut waiting).await.is_none());
        let second = PubSocket::usual();
        second.bind_to(&places[1].endpoint).await;
        assert_eq!(soon(waiting).await.confirmed.len(), 2);
        for topic in ["b", "c"] {
            subscriber.subscribe(topic).unwrap();
            assert_eq!(soon(subscriber.subscribed(2)).await.confirmed.len(), 2);
            for publisher in [&first, &second] {
                publisher.send(topic).await.unwrap();
                assert_eq!(soon(subscriber.recv()).await.unwrap(), message([topic]));
            }
        }
        // Nobody is asked for: it is there at once.
        assert!(
            soon(SubSocket::usual().subscribed(0))
                .await
                .confirmed
                .is_empty()
        );
    }
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
