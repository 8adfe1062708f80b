//! K20: a later message takes the place of an earlier one that waits: of all, or of its topic; always whole.

mod support;

use std::num::NonZeroUsize;

use privateer::core::{
    Conflate, DealerSocket, Frame, Linger, Message, PubSocket, PullSocket, PushSocket,
    RouterSocket, SocketOptions, SubSocket,
};
use support::sockets::{Socket, Transport, eager, link, message, soon, texts, until};

const MANY: usize = 100;

fn conflating(conflate: Conflate) -> SocketOptions {
    SocketOptions::new().conflate(conflate)
}

fn last() -> SocketOptions {
    conflating(Conflate::Last)
}

/// A message of two frames.
fn numbered(number: usize) -> Message {
    message([&number.to_string(), "body"])
}

/// K20, out: the last whole message of those that wait for a peer goes to it, whatever the mark.
#[tokio::test]
async fn the_last_whole_message_is_sent() {
    for transport in Transport::KINDS {
        let place = transport.place();
        let options = last().send_hwm(NonZeroUsize::new(2));
        let push = PushSocket::with(options);
        push.try_connect_to(&place.endpoint).unwrap();
        for i in 0..MANY {
            push.try_send(numbered(i)).unwrap();
        }
        assert_eq!((push.counts().queued, push.counts().conflated), (1, 99));
        let pull = PullSocket::usual();
        pull.bind_to(&place.endpoint).await;
        let received = soon(pull.recv()).await.unwrap();
        assert_eq!(received, numbered(MANY - 1), "{transport:?}");
        push.try_send("end").unwrap();
        assert_eq!(soon(pull.recv()).await.unwrap(), message(["end"]));
        assert_eq!(push.counts().sent, MANY as u64 + 1);
    }
}

/// K20, in: the last whole message of those that came is received, and the sender is never held up.
#[tokio::test]
async fn the_last_whole_message_is_received() {
    for transport in Transport::KINDS {
        let pull = PullSocket::with(last().recv_hwm(NonZeroUsize::new(2)));
        let push = PushSocket::usual();
        let _linked = link(&pull, &push, transport).await;
        for i in 0..MANY {
            soon(push.send(numbered(i))).await.unwrap();
        }
        until(|| pull.counts().received == MANY as u64).await;
        let received = soon(pull.recv()).await.unwrap();
        assert_eq!(received, numbered(MANY - 1), "{transport:?}");
        assert!(pull.try_recv().is_err());
        assert_eq!(pull.counts().conflated, MANY as u64 - 1);
    }
}

/// K20: large frames are whole, too.
#[tokio::test]
async fn large_messages_are_kept_whole() {
    for transport in Transport::KINDS {
        for (out, into) in [
            (last(), SocketOptions::new()),
            (SocketOptions::new(), last()),
        ] {
            let (push, pull) = (PushSocket::with(out), PullSocket::with(into));
            let _linked = link(&pull, &push, transport).await;
            let large = |i: u8| Message::from([Frame::from(vec![i; 300_000]), "end".into()]);
            for i in 0..10 {
                soon(push.send(large(i))).await.unwrap();
            }
            let mut received = soon(pull.recv()).await.unwrap();
            while received != large(9) {
                let first = received[0][0];
                assert_eq!(received, large(first), "{transport:?}");
                received = soon(pull.recv()).await.unwrap();
                assert!(received[0][0] > first);
            }
        }
    }
}

/// K20, with a round-robin type: each peer has the last message of its share.
#[tokio::test]
async fn each_peer_of_a_round_robin_has_a_last_message_of_its_own() {
    for transport in Transport::KINDS {
        let places = [transport.place(), transport.place()];
        let dealer = DealerSocket::with(last());
        for place in &places {
            dealer.try_connect_to(&place.endpoint).unwrap();
        }
        for i in 0..MANY {
            dealer.try_send(numbered(i)).unwrap();
        }
        for (place, expected) in places.iter().zip([MANY - 2, MANY - 1]) {
            let router = RouterSocket::usual();
            router.bind_to(&place.endpoint).await;
            let (_, received) = soon(router.recv()).await.unwrap();
            assert_eq!(received, numbered(expected), "{transport:?}");
            assert!(router.try_recv().is_err());
        }
    }
}

/// K20, with a fan-out type: each subscriber has the last message that is for it.
#[tokio::test]
async fn each_subscriber_has_a_last_message_of_its_own() {
    for transport in Transport::KINDS {
        let publisher = PubSocket::with(last());
        let (all, odd) = (SubSocket::usual(), SubSocket::usual());
        let linked = link(&publisher, &all, transport).await;
        odd.connect_to(&linked.endpoint);
        all.subscribe("").unwrap();
        odd.subscribe("odd").unwrap();
        soon(publisher.wait_for("odd", 2)).await;
        // No session has its turn meanwhile.
        for i in 0..MANY {
            let topic = if i % 2 == 1 { "odd" } else { "even" };
            let sent = message([topic, &i.to_string()]);
            publisher.try_send(sent).unwrap();
        }
        publisher.try_send("even").unwrap();
        assert_eq!(soon(all.recv()).await.unwrap(), message(["even"]));
        let received = soon(odd.recv()).await.unwrap();
        assert_eq!(texts(&received), ["odd", "99"], "{transport:?}");
        assert_eq!(publisher.counts().conflated, 100 + 49);
        assert_eq!(publisher.counts().dropped_full, 0);
    }
}

/// K20, with a subscriber that is slow: it hears the news and nothing old.
#[tokio::test]
async fn a_slow_subscriber_hears_the_last_of_each_publisher() {
    for transport in Transport::KINDS {
        let subscriber = SubSocket::with(last());
        subscriber.subscribe("").unwrap();
        let place = transport.place();
        let endpoint = subscriber.bind_to(&place.endpoint).await;
        let publishers = [PubSocket::usual(), PubSocket::usual()];
        for (number, publisher) in publishers.iter().enumerate() {
            publisher.connect_to(&endpoint);
            soon(publisher.wait_for("", 1)).await;
            for i in 0..MANY {
                publisher.send(numbered(number * MANY + i)).await.unwrap();
            }
        }
        until(|| subscriber.counts().received == 2 * MANY as u64).await;
        let mut received = Vec::new();
        for _ in &publishers {
            received.push(soon(subscriber.recv()).await.unwrap());
        }
        received.sort_by_key(|message| message[0].len());
        assert_eq!(received, [numbered(99), numbered(199)], "{transport:?}");
        assert!(subscriber.try_recv().is_err());
    }
}

/// K20, by topic: the last message of each is kept, in the order of those; on either side.
#[tokio::test]
async fn the_last_message_of_each_topic_is_kept() {
    let by_topic = || conflating(Conflate::LastOfTopic);
    for transport in Transport::KINDS {
        for (out, into) in [
            (by_topic(), SocketOptions::new()),
            (SocketOptions::new(), by_topic()),
        ] {
            let (publisher, subscriber) = (PubSocket::with(out), SubSocket::with(into));
            let _linked = link(&publisher, &subscriber, transport).await;
            subscriber.subscribe("").unwrap();
            soon(publisher.wait_for("", 1)).await;
            for (i, topic) in ["a", "b", "c", "a", "b", "a"].iter().enumerate() {
                let sent = message([topic, &i.to_string(), "body"]);
                publisher.try_send(sent).unwrap();
            }
            let done = || publisher.counts().conflated + subscriber.counts().conflated >= 3;
            until(done).await;
            for expected in [["c", "2"], ["b", "4"], ["a", "5"]] {
                let received = soon(subscriber.recv()).await.unwrap();
                assert_eq!(texts(&received)[..2], expected, "{transport:?}");
                assert_eq!(received.len(), 3);
            }
        }
    }
}

/// K20, by topic: a mark counts the topics that wait, and a message of one of these takes no room.
#[tokio::test]
async fn a_mark_counts_topics() {
    for transport in Transport::KINDS {
        let place = transport.place();
        let options = conflating(Conflate::LastOfTopic).send_hwm(NonZeroUsize::new(2));
        let push = PushSocket::with(options);
        push.try_connect_to(&place.endpoint).unwrap();
        for i in 0..MANY {
            for topic in ["a", "b"] {
                push.try_send(message([topic, &i.to_string()])).unwrap();
            }
            assert!(push.try_send("c").unwrap_err().would_block());
        }
        let pull = PullSocket::usual();
        pull.bind_to(&place.endpoint).await;
        for expected in [["a", "99"], ["b", "99"]] {
            let received = soon(pull.recv()).await.unwrap();
            assert_eq!(texts(&received), expected, "{transport:?}");
        }
        soon(push.send("c")).await.unwrap();
        assert_eq!(soon(pull.recv()).await.unwrap(), message(["c"]));
    }
}

/// K20: to wait until there is something does not keep a message from being replaced.
#[tokio::test]
async fn what_is_only_looked_at_can_still_be_replaced() {
    for transport in Transport::KINDS {
        let (push, pull) = (PushSocket::usual(), PullSocket::with(last()));
        let _linked = link(&pull, &push, transport).await;
        for i in 0..3 {
            push.send(numbered(i)).await.unwrap();
            until(|| pull.counts().received == i as u64 + 1).await;
            soon(pull.recv_ready()).await;
        }
        assert_eq!(soon(pull.recv()).await.unwrap(), numbered(2));
        assert!(pull.try_recv().is_err());
    }
}

/// K20: what waits is the last message also after the connection was lost and is there again.
#[tokio::test]
async fn the_last_message_survives_a_restart_of_the_receiver() {
    for transport in Transport::RECONNECTING {
        let place = transport.place();
        let push = PushSocket::with(eager().conflate(Conflate::Last));
        push.try_connect_to(&place.endpoint).unwrap();
        for round in 0..3 {
            push.send(numbered(round)).await.unwrap();
            push.send(numbered(round + 10)).await.unwrap();
            let pull = PullSocket::usual();
            let mut watch = push.watch();
            pull.bind_to(&place.endpoint).await;
            let received = soon(pull.recv()).await.unwrap();
            assert_eq!(received, numbered(round + 10), "{transport:?}");
            pull.end(Linger::Discard).await;
            watch.disconnected().await;
        }
    }
}

/// K20: it is not for types whose messages belong together.
#[tokio::test]
async fn other_types_keep_all_messages() {
    for transport in Transport::KINDS {
        let (router, dealer) = (RouterSocket::with(last()), DealerSocket::usual());
        let _linked = link(&router, &dealer, transport).await;
        let peer = router.first_peer();
        for i in 0..MANY {
            router.try_send(&peer, numbered(i)).unwrap();
            dealer.try_send(numbered(i)).unwrap();
        }
        for i in 0..MANY {
            assert_eq!(soon(dealer.recv()).await.unwrap(), numbered(i));
            assert_eq!(soon(router.recv()).await.unwrap().1, numbered(i));
        }
    }
}
