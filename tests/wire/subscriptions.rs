//! Subscriptions as they are on the wire: commands in ZMTP 3.1, messages in 3.0, both heard from anyone.

use privateer::core::{
    DisconnectReason, Message, PeerMisbehaved, PubSocket, SocketOptions, SubSocket, XpubSocket,
    XsubSocket,
};

use crate::support::raw_peer::{
    COMMAND, MORE, RawListener, RawPeer, command, frame, greeting, message, ready,
};
use crate::support::sockets::{Watch, message as texts, soon};

/// The greeting of a peer that speaks ZMTP 3.0.
fn greeting_3_0() -> Vec<u8> {
    let mut greeting = greeting();
    greeting[11] = 0;
    greeting
}

/// A PUB that our socket connects to, up to and including READY.
async fn accept_as_pub(listener: &RawListener, greeting: &[u8]) -> RawPeer {
    let mut peer = listener.accept().await;
    peer.send(greeting).await;
    peer.expect_greeting().await;
    peer.send(&ready("PUB")).await;
    assert_eq!(peer.frame().await.0, COMMAND);
    peer
}

/// Topics around the lengths at which headers change.
fn topics() -> Vec<Vec<u8>> {
    [0, 1, 244, 245, 246, 247, 248, 254, 255, 256, 65_536]
        .map(|len| vec![b't'; len])
        .into()
}

/// W20, W21: SUBSCRIBE and CANCEL, octet by octet as libzmq writes them.
#[tokio::test]
async fn a_peer_of_3_1_gets_commands() {
    let listener = RawListener::bind().await;
    let sub = SubSocket::new().unwrap();
    sub.connect(listener.endpoint()).unwrap();
    let mut peer = accept_as_pub(&listener, &greeting()).await;
    sub.subscribe("A").unwrap();
    peer.expect(b"\x04\x0B\x09SUBSCRIBEA").await;
    sub.unsubscribe("A");
    peer.expect(b"\x04\x08\x06CANCELA").await;
    for topic in topics() {
        sub.subscribe(&topic).unwrap();
        peer.expect(&command("SUBSCRIBE", &topic)).await;
        sub.unsubscribe(&topic);
        peer.expect(&command("CANCEL", &topic)).await;
    }
}

/// W20, W21: messages that begin with 1 or 0; at 255 octets of topic libzmq 4.3.5 forgets the flag of a long size.
#[tokio::test]
async fn a_peer_of_3_0_gets_messages() {
    let listener = RawListener::bind().await;
    let sub = SubSocket::new().unwrap();
    sub.connect(listener.endpoint()).unwrap();
    let mut peer = accept_as_pub(&listener, &greeting_3_0()).await;
    sub.subscribe("A").unwrap();
    peer.expect(b"\x00\x02\x01A").await;
    sub.unsubscribe("A");
    peer.expect(b"\x00\x02\x00A").await;
    for topic in topics() {
        sub.subscribe(&topic).unwrap();
        peer.expect(&frame(0, &[b"\x01", &topic[..]].concat()))
            .await;
        sub.unsubscribe(&topic);
        peer.expect(&frame(0, &[b"\x00", &topic[..]].concat()))
            .await;
    }
}

/// §1.6: each topic once and in order on a new connection; a repeated subscription is told, an unsubscription only if
/// it is the last.
#[tokio::test]
async fn subscriptions_are_counted_and_replayed_once_each() {
    for version in [greeting(), greeting_3_0()] {
        let told = |octet: u8, topic: &str| match (version[11], octet) {
            (0, _) => frame(0, &[&[octet], topic.as_bytes()].concat()),
            (_, 1) => command("SUBSCRIBE", topic.as_bytes()),
            (_, _) => command("CANCEL", topic.as_bytes()),
        };
        let listener = RawListener::bind().await;
        let sub = SubSocket::new().unwrap();
        for topic in ["A", "A", "", "B"] {
            sub.subscribe(topic).unwrap();
        }
        assert!(!sub.unsubscribe("C"));
        assert!(sub.unsubscribe("B"));
        assert_eq!(sub.topics_count(), 2);
        sub.connect(listener.endpoint()).unwrap();
        let mut peer = accept_as_pub(&listener, &version).await;
        peer.expect(&[told(1, ""), told(1, "A")].concat()).await;
        sub.subscribe("").unwrap();
        assert!(sub.unsubscribe("A"));
        assert!(sub.unsubscribe("A"));
        assert!(!sub.unsubscribe("A"));
        peer.expect(&[told(1, ""), told(0, "A")].concat()).await;
        drop(peer);
        let mut peer = accept_as_pub(&listener, &version).await;
        peer.expect(&told(1, "")).await;
    }
}

/// K14: the barrier is a PING with a context, behind all subscriptions, and another when that is answered; a peer of 3.0
/// is not asked.
#[tokio::test]
async fn the_barrier_is_a_ping_behind_the_subscriptions() {
    let listeners = [RawListener::bind().await, RawListener::bind().await];
    let sub = SubSocket::new().unwrap();
    for listener in &listeners {
        sub.connect(listener.endpoint()).unwrap();
    }
    let mut new = accept_as_pub(&listeners[0], &greeting()).await;
    let mut old = accept_as_pub(&listeners[1], &greeting_3_0()).await;
    sub.subscribe("A").unwrap();
    let hear = async {
        old.expect(b"\x00\x02\x01A").await;
        new.expect(&command("SUBSCRIBE", b"A")).await;
        let mut contexts = Vec::new();
        for _ in 0..2 {
            let (flags, body) = new.frame().await;
            assert_eq!((flags, &body[..7]), (COMMAND, &b"\x04PING\0\0"[..]));
            new.send(&command("PONG", &body[7..])).await;
            contexts.push(body[7..].to_vec());
        }
        assert_ne!(contexts[0], contexts[1]);
    };
    let (subscribed, ()) = soon(async { tokio::join!(sub.subscribed(2), hear) }).await;
    assert_eq!((subscribed.confirmed.len(), subscribed.told.len()), (1, 1));
    assert!(old.hears_nothing());
}

/// W20: an XPUB shows what comes in either form from a peer of either version as a message.
#[tokio::test]
async fn both_forms_are_heard_from_anyone() {
    for version in [greeting(), greeting_3_0()] {
        let xpub = XpubSocket::new().unwrap();
        let endpoint = xpub.bind("tcp://127.0.0.1:*").await.unwrap();
        let mut peer = RawPeer::connect(&endpoint).await;
        peer.send(&version).await;
        peer.expect_greeting().await;
        peer.send(&ready("SUB")).await;
        assert_eq!(peer.frame().await.0, COMMAND);
        for topic in topics() {
            let (on, off) = (
                [b"\x01", &topic[..]].concat(),
                [b"\x00", &topic[..]].concat(),
            );
            for (form, shown) in [
                (command("SUBSCRIBE", &topic), &on),
                (frame(0, &off), &off),
                (frame(0, &on), &on),
                (command("CANCEL", &topic), &off),
            ] {
                peer.send(&form).await;
                assert!(soon(xpub.recv()).await.unwrap() == Message::from(&shown[..]));
            }
            peer.send(&command("SUBSCRIBE", &topic)).await;
            soon(xpub.recv()).await.unwrap();
            assert_eq!(xpub.topics_count(), 1);
            xpub.send(&topic[..]).await.unwrap();
            peer.expect(&message([&topic])).await;
            peer.send(&command("CANCEL", &topic)).await;
            soon(xpub.recv()).await.unwrap();
        }
    }
}

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

/// §1.6, §4.10: what an XSUB sends: subscriptions in the peer's form, messages as they are; a subscription comes no later
/// than what is sent after it.
#[tokio::test]
async fn an_xsub_sends_subscriptions_and_messages() {
    let listener = RawListener::bind().await;
    let xsub = XsubSocket::new().unwrap();
    let mut watch = Watch(xsub.monitor());
    xsub.connect(listener.endpoint()).unwrap();
    let mut peer = accept_as_pub(&listener, &greeting()).await;
    watch.connected().await;
    for message in [
        texts(["\x01A"]),
        texts(["one"]),
        texts(["\x01B", "\0A", "two", "\x01no"]),
    ] {
        xsub.send(message).await.unwrap();
    }
    xsub.send("\0unknown").await.unwrap();
    xsub.send("").await.unwrap();
    let mut seen = Vec::new();
    while seen.last() != Some(&(0, Vec::new())) {
        seen.push(peer.frame().await);
    }
    let place = |frame: (u8, &[u8])| {
        let found = |seen: &(u8, Vec<u8>)| (seen.0, &seen.1[..]) == frame;
        seen.iter().position(found).unwrap()
    };
    let order = |frames: &[(u8, &[u8])]| {
        let places: Vec<_> = frames.iter().map(|frame| place(*frame)).collect();
        assert!(places.is_sorted(), "{seen:?}");
    };
    let [on_a, on_b] = [b"A", b"B"].map(|topic| [b"\x09SUBSCRIBE", &topic[..]].concat());
    order(&[(0, b"one"), (MORE, b"two"), (0, b"\x01no"), (0, b"")]);
    order(&[(COMMAND, &on_a), (0, b"one")]);
    order(&[
        (COMMAND, &on_a),
        (COMMAND, &on_b),
        (COMMAND, b"\x06CANCELA"),
        (MORE, b"two"),
    ]);
    assert_eq!(seen.len(), 7);
}
