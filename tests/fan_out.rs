//! Messages that go to many: bursts for the same subscribers go into their pipes together, which nobody notices.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

use std::num::NonZeroUsize;

use privateer::core::{
    Frame, Linger, Peer, PubSocket, RecvError, SocketOptions, SubSocket, Verbosity, XpubEvent,
    XpubSocket,
};

mod support;
use support::sockets::{Socket, Transport, message, number, scale, soon};

fn mark(messages: usize) -> SocketOptions {
    let mark = NonZeroUsize::new(messages);
    SocketOptions::new().send_hwm(mark).recv_hwm(mark)
}

/// A publisher with this many subscribers of everything, each with the publisher's handle of it.
async fn audience(
    transport: Transport,
    options: SocketOptions,
    subscribers: usize,
) -> (PubSocket, Vec<(SubSocket, Peer)>) {
    let publisher = PubSocket::with(options);
    let place = transport.place();
    let endpoint = publisher.bind_to(&place.endpoint).await;
    let mut all = Vec::new();
    for count in 1..=subscribers {
        let subscriber = SubSocket::with(mark(usize::MAX));
        subscriber.subscribe("").unwrap();
        let mut watch = publisher.watch();
        subscriber.connect_to(&endpoint);
        let peer = watch.connected().await;
        soon(publisher.wait_for("", count)).await;
        all.push((subscriber, peer));
    }
    (publisher, all)
}

/// Everybody gets every message of a burst, in order, whether or not tasks run between.
async fn bursts_arrive(transport: Transport) {
    let (publisher, subscribers) = audience(transport, mark(usize::MAX), 4).await;
    let messages = 5_000 * scale() as u64;
    let sending = tokio::spawn(async move {
        for count in 0..messages {
            publisher.send(count.to_string()).await.unwrap();
            if fastrand::u8(..) < 8 {
                tokio::task::yield_now().await;
            }
        }
        publisher
    });
    let receiving = subscribers.into_iter().map(|(subscriber, _)| {
        tokio::spawn(async move {
            for count in 0..messages {
                assert_eq!(number(&soon(subscriber.recv()).await.unwrap()), count);
            }
        })
    });
    for receiver in receiving.collect::<Vec<_>>() {
        receiver.await.unwrap();
    }
    let stats = sending.await.unwrap().stats();
    assert_eq!((stats.sent, stats.dropped_full), (4 * messages, 0));
}

#[tokio::test]
async fn bursts_arrive_whole_and_in_order_on_one_thread() {
    for transport in Transport::KINDS {
        bursts_arrive(transport).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn bursts_arrive_whole_and_in_order_on_many_threads() {
    for transport in Transport::KINDS {
        bursts_arrive(transport).await;
    }
}

/// Messages of several audiences, in runs, with subscriptions that come and go: each gets what it asked for, in the order
/// in which it was sent.
#[tokio::test]
async fn audiences_do_not_mix() {
    let publisher = PubSocket::with(mark(usize::MAX));
    let endpoint = publisher.bind_to("tcp://127.0.0.1:*").await;
    let topics = ["a", "ab", "b", ""];
    let mut subscribers = Vec::new();
    for topic in topics {
        for _ in 0..2 {
            let subscriber = SubSocket::with(mark(usize::MAX));
            subscriber.subscribe(topic).unwrap();
            subscriber.connect_to(&endpoint);
            subscribers.push((topic, subscriber));
        }
    }
    soon(publisher.wait_for("ab", 6)).await;
    soon(publisher.wait_for("b", 4)).await;
    let mut sent = Vec::new();
    for run in 0..200 {
        let topic = ["a", "ab", "b", "c"][fastrand::usize(..4)];
        for count in 0..fastrand::usize(..20) {
            let text = format!("{topic} {run} {count}");
            publisher.try_send(text.clone()).unwrap();
            sent.push(text);
        }
        // One that comes and goes makes another audience of the same topic.
        if run % 10 == 0 {
            let passing = SubSocket::usual();
            passing.subscribe("ab").unwrap();
            passing.connect_to(&endpoint);
            soon(publisher.wait_for("ab", 7)).await;
            publisher.try_send("ab for all").unwrap();
            publisher.try_send("ab for all").unwrap();
            sent.extend(["ab for all"; 2].map(str::to_owned));
            for _ in 0..2 {
                assert_eq!(soon(passing.recv()).await.unwrap()[0], "ab for all");
            }
            let mut watch = publisher.watch();
            passing.end(Linger::Discard).await;
            watch.disconnected().await;
        }
    }
    for (topic, subscriber) in subscribers {
        for text in sent.iter().filter(|text| text.starts_with(topic)) {
            assert_eq!(soon(subscriber.recv()).await.unwrap()[0], **text);
        }
        assert_eq!(subscriber.try_recv(), Err(RecvError::Empty));
    }
}

/// K10, data-path rule 5: a burst fills each pipe to its mark, not a message more or less, and each one of the others is
/// counted for the peer and for the socket.
#[tokio::test]
async fn a_burst_fills_pipes_to_their_marks() {
    for hwm in [1, 2, 10, 1000] {
        let (publisher, subscribers) = audience(Transport::Tcp, mark(hwm), 3).await;
        // No session gets to run between.
        for count in 0..3 * hwm {
            publisher.try_send(count.to_string()).unwrap();
        }
        let dropped = 2 * hwm as u64;
        for (_, peer) in &subscribers {
            assert_eq!((peer.queued(), peer.dropped()), (hwm, dropped));
        }
        let stats = publisher.stats();
        assert_eq!(
            (stats.dropped_full, stats.sent),
            (3 * dropped, 3 * hwm as u64)
        );
        for (subscriber, _) in &subscribers {
            for count in 0..hwm as u64 {
                assert_eq!(number(&soon(subscriber.recv()).await.unwrap()), count);
            }
            assert_eq!(subscriber.try_recv(), Err(RecvError::Empty));
        }
    }
}

/// A sender that waits for nothing but its turn drops nothing for subscribers that keep up, with however small a mark.
#[tokio::test]
async fn who_keeps_up_loses_nothing() {
    let (publisher, subscribers) = audience(Transport::Tcp, mark(10), 3).await;
    for count in 0..1000 {
        soon(publisher.send(count.to_string())).await.unwrap();
        for (subscriber, peer) in &subscribers {
            assert_eq!(number(&soon(subscriber.recv()).await.unwrap()), count);
            assert_eq!(peer.dropped(), 0);
        }
    }
}

/// What waits for a session to run is counted at once.
#[tokio::test]
async fn what_is_sent_is_queued_at_once() {
    let (publisher, subscribers) = audience(Transport::Tcp, mark(100), 2).await;
    for count in 1..=5 {
        publisher.try_send("x").unwrap();
        assert_eq!(publisher.stats().queued, 2 * count);
        assert_eq!(subscribers[1].1.queued() as u64, count);
    }
}

/// Closing sends a burst to its end.
#[tokio::test]
async fn a_burst_before_the_end_is_sent() {
    let (publisher, subscribers) = audience(Transport::Tcp, mark(1000), 3).await;
    for count in 0..500 {
        publisher.try_send(count.to_string()).unwrap();
    }
    assert_eq!(publisher.end(Linger::Forever).await, 0);
    for (subscriber, _) in subscribers {
        for count in 0..500 {
            assert_eq!(number(&soon(subscriber.recv()).await.unwrap()), count);
        }
    }
}

/// What one peer alone is sent comes behind what all were sent before.
#[tokio::test]
async fn a_reply_comes_behind_a_burst() {
    let publisher = XpubSocket::with(SocketOptions::new().xpub_verbosity(Verbosity::Subscriptions));
    let endpoint = publisher.bind_to("tcp://127.0.0.1:*").await;
    let subscribers = [SubSocket::usual(), SubSocket::usual()];
    let mut requests = Vec::new();
    for subscriber in &subscribers {
        subscriber.subscribe("").unwrap();
        subscriber.connect_to(&endpoint);
        let XpubEvent::Subscribe(request) = soon(publisher.recv_event()).await.unwrap() else {
            panic!("no subscription");
        };
        requests.push(request);
    }
    for count in 0..10 {
        publisher.try_send(count.to_string()).unwrap();
    }
    requests[0].reply("alone").unwrap();
    publisher.try_send("end").unwrap();
    for (subscriber, is_told) in subscribers.iter().zip([true, false]) {
        for count in 0..10 {
            assert_eq!(number(&soon(subscriber.recv()).await.unwrap()), count);
        }
        if is_told {
            assert_eq!(soon(subscriber.recv()).await.unwrap()[0], "alone");
        }
        assert_eq!(soon(subscriber.recv()).await.unwrap()[0], "end");
    }
}

/// Small and large messages, of one frame and of several, keep their order and their frames.
#[tokio::test]
async fn large_messages_keep_their_place_in_a_burst() {
    let (publisher, subscribers) = audience(Transport::Tcp, mark(usize::MAX), 2).await;
    let body = |len: usize| Frame::from(vec![b'x'; len]);
    let sizes = [0, 1, 255, 256, 257, 8192, 8193, 100_000];
    let messages = || {
        let order = (0..100).map(move |count| sizes[count * 7 % sizes.len()]);
        order.map(move |len| [Frame::from(len.to_string()), body(len), body(len / 2)])
    };
    for parts in messages() {
        publisher.try_send(parts).unwrap();
    }
    for (subscriber, _) in subscribers {
        for parts in messages() {
            assert_eq!(soon(subscriber.recv()).await.unwrap().frames(), parts);
        }
    }
    let last = message(["the end"]);
    publisher.try_send(last).unwrap();
}
