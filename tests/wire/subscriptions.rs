//! Subscriptions as they are on the wire: commands in ZMTP 3.1, messages in 3.0, both heard from anyone.

use privateer::core::{Message, SubSocket, XpubSocket, XsubSocket};

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
