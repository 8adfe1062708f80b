//! Subscriptions that publishers hear: in order with messages, inside of them, and up to limits.

use privateer::core::{
    DisconnectReason, Message, PeerMisbehaved, PubSocket, SocketOptions, XpubSocket,
};

use crate::support::raw_peer::{MORE, RawPeer, command, frame, message};
use crate::support::sockets::{Watch, message as texts, soon};

/// Rule 8 of the data path: what a peer sends and what it subscribes to is received in one order, at any split.
#[tokio::test]
async fn subscriptions_and_messages_of_a_peer_are_received_in_order() {
    let script = [
        message([b"first"]),
        command("SUBSCRIBE", b"A"),
        message([b"x", b"y"]),
        // What stands behind a subscription in one message is a message of its own.
        message([b"\x01B", b"\x01C", b"for the two", b"\x01not a topic"]),
        // A command between the frames of a message goes before it.
        [frame(MORE, b"p"), command("CANCEL", b"A"), frame(0, b"q")].concat(),
        message([b""]),
        message([b"\x00B"]),
    ]
    .concat();
    let expected = [
        texts(["first"]),
        texts(["\x01A"]),
        texts(["x", "y"]),
        texts(["\x01B"]),
        texts(["\x01C"]),
        texts(["for the two", "\x01not a topic"]),
        texts(["\0A"]),
        texts(["p", "q"]),
        texts([""]),
        texts(["\0B"]),
        // The end of the connection ends what is left.
        texts(["\0C"]),
    ];
    for step in [1, 2, 3, 7, script.len()] {
        let xpub = XpubSocket::new().unwrap();
        let endpoint = xpub.bind("tcp://127.0.0.1:*").await.unwrap();
        let mut peer = RawPeer::connect_as(&endpoint, "XSUB").await;
        for piece in script.chunks(step) {
            peer.send(piece).await;
            tokio::task::yield_now().await;
        }
        drop(peer);
        for expected in &expected {
            assert_eq!(soon(xpub.recv()).await.unwrap(), *expected);
        }
    }
}

/// §4.10: without the option, content that looks like a subscription is one, and still content; the owner is told of it as
/// of any other, before the message, so that each end has its beginning.
#[tokio::test]
async fn subscriptions_anywhere_in_a_message_are_an_option() {
    let options = SocketOptions::new().only_first_subscribe(false);
    let xpub = XpubSocket::with_options(options).unwrap();
    let endpoint = xpub.bind("tcp://127.0.0.1:*").await.unwrap();
    let mut peer = RawPeer::connect_as(&endpoint, "XSUB").await;
    peer.send(&message([b"x", b"\x01A", b"y", b"\x01"])).await;
    for expected in [
        texts(["\x01A"]),
        texts(["\x01"]),
        texts(["x", "\x01A", "y", "\x01"]),
    ] {
        assert_eq!(soon(xpub.recv()).await.unwrap(), expected);
    }
    assert_eq!(xpub.topics_count(), 2);
    peer.send(&message([b"x", b"\x00A"])).await;
    assert_eq!(soon(xpub.recv()).await.unwrap(), texts(["\0A"]));
    assert_eq!(soon(xpub.recv()).await.unwrap(), texts(["x", "\0A"]));
    assert_eq!(xpub.topics_count(), 1);
}

/// A peer that hides a subscription in a message, or between its frames, or too many of them, and goes, does not end the
/// subscriptions of others: whoever listens to the owner hears of an end only where it heard of the beginning.
#[tokio::test]
async fn a_hidden_subscription_ends_no_other() {
    let hidden = |times: usize| {
        let frames = (0..times).map(|_| [frame(MORE, b"\x01A"), frame(MORE, b"\0A")].concat());
        [
            frame(MORE, b"x"),
            frames.collect::<Vec<_>>().concat(),
            frame(MORE, b"\x01A"),
        ]
        .concat()
    };
    let command = [frame(MORE, b"x"), command("SUBSCRIBE", b"A")].concat();
    let first = frame(MORE, b"\x01A");
    for octets in [hidden(0), hidden(40), command, first] {
        let options = SocketOptions::new().only_first_subscribe(false);
        let xpub = XpubSocket::with_options(options).unwrap();
        let endpoint = xpub.bind("tcp://127.0.0.1:*").await.unwrap();
        let mut watch = Watch(xpub.monitor());
        let mut good = RawPeer::connect_as(&endpoint, "SUB").await;
        good.send(&message([b"\x01A"])).await;
        assert_eq!(soon(xpub.recv()).await.unwrap(), texts(["\x01A"]));
        let mut bad = RawPeer::connect_as(&endpoint, "XSUB").await;
        bad.send(&octets).await;
        drop(bad);
        watch.disconnected().await;
        // Of all that the other one did nothing is left.
        good.send(&message([b"last"])).await;
        assert_eq!(soon(xpub.recv()).await.unwrap(), texts(["last"]));
        good.send(&message([b"\0A"])).await;
        assert_eq!(soon(xpub.recv()).await.unwrap(), texts(["\0A"]));
    }
}

/// A PUB has nobody who receives: what comes is dropped and counted, subscriptions are heard.
#[tokio::test]
async fn a_pub_discards_messages_and_counts_them() {
    let publisher = PubSocket::new().unwrap();
    let endpoint = publisher.bind("tcp://127.0.0.1:*").await.unwrap();
    let mut peer = RawPeer::connect_as(&endpoint, "XSUB").await;
    for _ in 0..3_000 {
        peer.send(&message([b"up", b"stream"])).await;
    }
    peer.send(&command("SUBSCRIBE", b"A")).await;
    soon(publisher.wait_for("A", 1)).await;
    assert_eq!(publisher.stats().dropped_no_receiver, 3_000);
    publisher.send("A").await.unwrap();
    peer.expect(&message([b"A"])).await;
}

/// §4.22: a peer may have so many topics, and of so many bytes, whether anybody receives or not.
#[tokio::test]
async fn a_peer_with_too_many_topics_is_disconnected() {
    let limit = |limit| std::num::NonZeroUsize::new(limit);
    let options = SocketOptions::new()
        .max_topics(limit(10))
        .max_topic_bytes(limit(1_000));
    let publisher = PubSocket::with_options(options).unwrap();
    let endpoint = publisher.bind("tcp://127.0.0.1:*").await.unwrap();
    let mut watch = Watch(publisher.monitor());
    let subscribe = |topic: &[u8]| command("SUBSCRIBE", topic);
    for (topics, fault) in [
        (
            (0..11_u8).map(|n| vec![n]).collect::<Vec<_>>(),
            PeerMisbehaved::TooManyTopics { limit: 10 },
        ),
        (
            vec![vec![1; 500], vec![2; 500], vec![3; 1]],
            PeerMisbehaved::TopicsTooLarge { limit: 1_000 },
        ),
    ] {
        let mut peer = RawPeer::connect_as(&endpoint, "SUB").await;
        let (last, good) = topics.split_last().unwrap();
        for topic in good {
            // What it has already, and what it gave up, does not count.
            peer.send(&subscribe(topic)).await;
            peer.send(&subscribe(topic)).await;
            peer.send(&command("CANCEL", topic)).await;
            peer.send(&subscribe(topic)).await;
        }
        soon(publisher.wait_for(good.last().unwrap(), 1)).await;
        peer.send(&subscribe(last)).await;
        peer.expect_end().await;
        let reason = watch.disconnected().await.1;
        assert_eq!(reason, DisconnectReason::Misbehaved(fault));
        assert_eq!(publisher.topics_count(), 0);
    }
    let mut peer = RawPeer::connect_as(&endpoint, "SUB").await;
    peer.send(&message([&[1; 128 * 1024 + 1]])).await;
    let reason = watch.disconnected().await.1;
    let fault = PeerMisbehaved::CommandTooLarge {
        size: 128 * 1024 + 1,
    };
    assert_eq!(reason, DisconnectReason::Misbehaved(fault));
}

/// Rule 8 of the data path: an XPUB that nobody receives from holds a bounded number of subscriptions, and loses none.
#[tokio::test]
async fn an_xpub_that_is_not_read_stops_reading() {
    let options = SocketOptions::new()
        .max_topics(std::num::NonZeroUsize::new(1_000))
        .recv_hwm(std::num::NonZeroUsize::new(10));
    let xpub = XpubSocket::with_options(options).unwrap();
    let endpoint = xpub.bind("tcp://127.0.0.1:*").await.unwrap();
    let peer = RawPeer::connect_as(&endpoint, "SUB").await;
    let (on, off) = (command("SUBSCRIBE", b"A"), command("CANCEL", b"A"));
    let round = [&on[..], &off].concat().repeat(1_000);
    let (mut sent, mut refused) = (0, 0);
    while refused < 100 {
        let written = peer.try_send(&round[sent % round.len()..]);
        refused = if written == 0 { refused + 1 } else { 0 };
        sent += written;
        tokio::task::yield_now().await;
        assert!(sent < 1 << 30, "it is read on and on");
    }
    // One read buffer, whose smallest commands are 11 octets, may pass the limit.
    let most = 1_010 + 256 * 1024 / 11;
    assert!(xpub.stats().received <= most, "{}", xpub.stats().received);
    let whole = sent / (on.len() + off.len());
    for _ in 0..whole {
        assert_eq!(soon(xpub.recv()).await.unwrap(), texts(["\x01A"]));
        assert_eq!(soon(xpub.recv()).await.unwrap(), texts(["\0A"]));
    }
}

/// RCVHWM holds messages of XSUB peers back, and with them the subscriptions behind them; not those before.
#[tokio::test]
async fn subscriptions_pass_the_mark_and_no_message_does() {
    let options = SocketOptions::new().recv_hwm(std::num::NonZeroUsize::new(2));
    let xpub = XpubSocket::with_options(options).unwrap();
    let endpoint = xpub.bind("tcp://127.0.0.1:*").await.unwrap();
    let mut peer = RawPeer::connect_as(&endpoint, "XSUB").await;
    let topics = (b'a'..=b'e').map(|topic| command("SUBSCRIBE", &[topic]));
    peer.send(&topics.collect::<Vec<_>>().concat()).await;
    peer.send(&message([b"m"]).repeat(3)).await;
    peer.send(&command("SUBSCRIBE", b"z")).await;
    // In force although not received.
    soon(xpub.wait_for("z", 1)).await;
    // Whether messages count that came before subscriptions were taken depends on how the octets arrived.
    assert!((5..=7).contains(&xpub.stats().received));
    for topic in b'a'..=b'e' {
        assert_eq!(soon(xpub.recv()).await.unwrap(), Message::from([1, topic]));
    }
    for _ in 0..3 {
        assert_eq!(soon(xpub.recv()).await.unwrap(), texts(["m"]));
    }
    assert_eq!(soon(xpub.recv()).await.unwrap(), texts(["\x01z"]));
}
