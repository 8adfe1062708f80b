//! W25: what published security advisories of libzmq are about, as far as it is on the wire without CURVE, is no matter
//! here.

use std::num::NonZeroUsize;

use privateer::core::{
    DisconnectReason, HandshakeError, HandshakeFailure, PubSocket, PullSocket, PushSocket,
    SendErrorKind, SocketOptions, SubSocket, XpubSocket,
};

use crate::support::raw_peer::{
    RawListener, RawPeer, command, greeting, long_header, message, ready,
};
use crate::support::sockets::{Watch, eager, number, soon, until};

/// CVE-2019-6250: a size near 2^64, added to the address of a buffer, pointed before it.
#[tokio::test]
async fn sizes_near_the_end_of_the_range_are_refused() {
    let pull = PullSocket::new().unwrap();
    let endpoint = pull.bind("tcp://127.0.0.1:*").await.unwrap();
    let mut watch = Watch(pull.monitor());
    let sizes = [u64::MAX, u64::MAX - 8, 1 << 63, i64::MAX as u64];
    for size in sizes {
        let mut peer = RawPeer::connect_as(&endpoint, "PUSH").await;
        // With what was to be written there.
        peer.send_anyway(&[&long_header(0, size)[..], &[0x41; 256]].concat())
            .await;
        peer.drain().await;
        let reason = watch.disconnected().await.1;
        assert!(
            matches!(reason, DisconnectReason::Misbehaved(_)),
            "{size:#x}: {reason:?}"
        );
    }
    let mut good = RawPeer::connect_as(&endpoint, "PUSH").await;
    good.send(&message([b"good"])).await;
    assert_eq!(soon(pull.recv()).await.unwrap()[0], "good");
}

/// CVE-2020-15166: who connected and had not shaken hands was a peer already, got its turn of the messages, and with
/// nothing read in the end all that was sent waited for it.
#[tokio::test]
async fn who_has_not_shaken_hands_gets_nothing() {
    let push = PushSocket::new().unwrap();
    let endpoint = push.bind("tcp://127.0.0.1:*").await.unwrap();
    let mut silent = Vec::new();
    for _ in 0..20 {
        silent.push(RawPeer::connect(&endpoint).await);
        let mut greets = RawPeer::connect(&endpoint).await;
        greets.send(&greeting()).await;
        greets.expect_greeting().await;
        silent.push(greets);
    }
    assert_eq!(push.peers().len(), 0);
    let refused = push.try_send("to nobody").unwrap_err();
    assert_eq!(refused.kind(), SendErrorKind::Full);
    let pull = PullSocket::new().unwrap();
    pull.connect(&endpoint).unwrap();
    for count in 0..1_000 {
        soon(push.send(count.to_string())).await.unwrap();
        assert_eq!(number(&soon(pull.recv()).await.unwrap()), count);
    }
    assert_eq!(push.peers().len(), 1);
}

/// CVE-2021-20234: a client that connected to hostile servers kept something of each connection.
#[tokio::test]
async fn servers_that_hang_up_leave_nothing_behind() {
    let listener = RawListener::bind().await;
    let subscriber = SubSocket::with_options(eager()).unwrap();
    for topic in 0..100 {
        subscriber.subscribe(format!("topic {topic}")).unwrap();
    }
    subscriber.connect(listener.endpoint()).unwrap();
    for connection in 0..60 {
        let mut server = listener.accept().await;
        match connection % 3 {
            0 => {}
            1 => server.send(&greeting()[..11]).await,
            // It has shaken hands, and goes with all subscriptions unread.
            _ => drop(server.shake_hands(&ready("PUB")).await),
        }
    }
    until(|| subscriber.peers().is_empty()).await;
    let stats = subscriber.stats();
    assert_eq!((stats.peers, stats.queued), (0, 0));
    let mut good = listener.accept().await;
    good.shake_hands(&ready("PUB")).await;
    good.send(&message([b"topic 7"])).await;
    assert_eq!(soon(subscriber.recv()).await.unwrap()[0], "topic 7");
}

/// CVE-2021-20235: a frame of ZMTP 1.0 with a size of eight octets overran a fixed buffer.
#[tokio::test]
async fn frames_of_the_first_version_are_no_greeting() {
    let pull = PullSocket::new().unwrap();
    let endpoint = pull.bind("tcp://127.0.0.1:*").await.unwrap();
    let mut watch = Watch(pull.monitor());
    for size in [1_u64 << 32, i64::MAX as u64, u64::MAX] {
        let mut peer = RawPeer::connect(&endpoint).await;
        let header = [&[0xFF][..], &size.to_be_bytes(), &[0]].concat();
        peer.send_anyway(&[&header[..], &[0x41; 8192]].concat())
            .await;
        peer.drain().await;
        let failure = HandshakeFailure::Protocol(HandshakeError::NotZmtp);
        assert_eq!(watch.handshake_failed().await, failure);
    }
}

/// CVE-2021-20236: one frame for each octet of a topic was on the stack while it was removed, so a long one overran it.
#[tokio::test]
async fn topics_may_be_as_deep_as_they_are_long() {
    let options = SocketOptions::new()
        .max_topics(None)
        .max_topic_bytes(None)
        .recv_hwm(None);
    let publisher = XpubSocket::with_options(options).unwrap();
    let endpoint = publisher.bind("tcp://127.0.0.1:*").await.unwrap();
    let mut watch = Watch(publisher.monitor());
    let deep = vec![b'a'; 64 * 1024];
    let lengths = (1..3_000).chain([deep.len()]);
    let mut peer = RawPeer::connect_as(&endpoint, "SUB").await;
    for length in lengths.clone() {
        peer.send(&command("SUBSCRIBE", &deep[..length])).await;
    }
    until(|| publisher.topics_count() == 3_000).await;
    // Some by its own wish, the others by the end of the connection.
    for length in lengths.step_by(2) {
        peer.send(&command("CANCEL", &deep[..length])).await;
    }
    until(|| publisher.topics_count() == 1_500).await;
    drop(peer);
    watch.disconnected().await;
    assert_eq!(publisher.topics_count(), 0);
}

/// CVE-2021-20237: what a client sent to a PUB was kept.
#[tokio::test]
async fn a_publisher_keeps_nothing_that_clients_send() {
    let hwm = NonZeroUsize::new(10);
    let publisher = PubSocket::with_options(SocketOptions::new().recv_hwm(hwm)).unwrap();
    let endpoint = publisher.bind("tcp://127.0.0.1:*").await.unwrap();
    let mut peer = RawPeer::connect_as(&endpoint, "SUB").await;
    let body = [b'x'; 10_000];
    for _ in 0..1_000 {
        peer.send(&message([&body, &body])).await;
    }
    peer.send(&command("SUBSCRIBE", b"")).await;
    soon(publisher.wait_for("", 1)).await;
    let stats = publisher.stats();
    assert_eq!((stats.dropped_no_receiver, stats.queued), (1_000, 0));
}
