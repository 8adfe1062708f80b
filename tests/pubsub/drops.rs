//! What slow subscribers lose, and what is told of it.

use super::*;

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

/// What waits for all subscribers together goes out to the one that is disconnected, too.
#[tokio::test]
async fn a_disconnect_loses_nothing_that_was_sent_before() {
    let publisher = PubSocket::usual();
    let subscribe = async || {
        let subscriber = SubSocket::usual();
        subscriber.subscribe("").unwrap();
        let endpoint = subscriber.bind_to("tcp://127.0.0.1:*").await;
        publisher.connect_to(&endpoint);
        (subscriber, endpoint)
    };
    let ((left, endpoint), (kept, _)) = (subscribe().await, subscribe().await);
    soon(publisher.wait_for("", 2)).await;
    for count in 0..5 {
        publisher.try_send(count.to_string()).unwrap();
    }
    let report = soon(publisher.disconnect(endpoint)).await.unwrap();
    assert_eq!(report.unsent, 0);
    for subscriber in [&left, &kept] {
        for count in 0..5 {
            assert_eq!(number(&soon(subscriber.recv()).await.unwrap()), count);
        }
    }
    assert_eq!(publisher.stats().sent, 10);
}
