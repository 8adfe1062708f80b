//! What is no ZMTP at all, or too little of it: noticed, closed, reported; nobody else notices.

use std::time::Duration;

use privateer::core::{
    Frame, HandshakeError, HandshakeFailure, PullSocket, PushSocket, SocketOptions,
};

use crate::support::raw_peer::{RawListener, RawPeer, greeting, message, ready};
use crate::support::sockets::{Watch, soon, within};

/// Shorter than the default, so that a test can wait for it.
const LIMIT: Duration = Duration::from_secs(1);

fn impatient() -> SocketOptions {
    SocketOptions::new().handshake_timeout(LIMIT)
}

/// W24: another protocol is closed at its first octets, which show what it is.
#[tokio::test]
async fn other_protocols_are_closed_at_once() {
    let pull = PullSocket::new().unwrap();
    let endpoint = pull.bind("tcp://127.0.0.1:*").await.unwrap();
    let mut watch = Watch(pull.monitor());
    let tls = b"\x16\x03\x01\x02\x00\x01\x00\x01\xFC\x03\x03 a client hello";
    let zmtp_1 = b"\x01\0";
    let zmtp_1_with_id = b"\x04\0abc";
    let strangers: [&[u8]; 7] = [
        b"GET / HTTP/1.1\r\nHost: here\r\n\r\n",
        b"POST /upload HTTP/1.1\r\n\r\n",
        tls,
        b"SSH-2.0-OpenSSH_9.6\r\n",
        zmtp_1,
        zmtp_1_with_id,
        b"\0",
    ];
    for stranger in strangers {
        let mut peer = RawPeer::connect(&endpoint).await;
        peer.send_anyway(stranger).await;
        peer.drain().await;
        let failure = HandshakeFailure::Protocol(HandshakeError::NotZmtp);
        assert_eq!(watch.handshake_failed().await, failure);
    }
    let mut peer = RawPeer::connect_as(&endpoint, "PUSH").await;
    peer.send(&message([b"after them"])).await;
    assert_eq!(soon(pull.recv()).await.unwrap()[0], "after them");
}

/// W24, W23's refusal: older versions and other mechanisms are named in the event.
#[tokio::test]
async fn old_versions_and_other_mechanisms_are_refused() {
    let pull = PullSocket::new().unwrap();
    let endpoint = pull.bind("tcp://127.0.0.1:*").await.unwrap();
    let mut watch = Watch(pull.monitor());
    for revision in [0, 1] {
        let mut peer = RawPeer::connect(&endpoint).await;
        peer.send(&[&greeting()[..10], &[revision]].concat()).await;
        peer.drain().await;
        let failure = HandshakeFailure::Protocol(HandshakeError::TooOld { revision });
        assert_eq!(watch.handshake_failed().await, failure);
    }
    for name in ["CURVE", "PLAIN", "null"] {
        let mut theirs = greeting();
        theirs[12..32].fill(0);
        theirs[12..12 + name.len()].copy_from_slice(name.as_bytes());
        let mut peer = RawPeer::connect(&endpoint).await;
        peer.send(&theirs).await;
        peer.drain().await;
        let found = Frame::from(name);
        let failure = HandshakeFailure::Protocol(HandshakeError::Mechanism { found });
        assert_eq!(watch.handshake_failed().await, failure);
    }
}

/// W24: who says too little is closed at the limit, which runs from the connection to the last octet of READY.
#[tokio::test]
async fn half_a_handshake_is_closed_at_the_limit() {
    let pull = PullSocket::with_options(impatient()).unwrap();
    let endpoint = pull.bind("tcp://127.0.0.1:*").await.unwrap();
    let mut watch = Watch(pull.monitor());
    let whole = [greeting(), ready("PUSH")].concat();
    let mut peers = Vec::new();
    for said in [0, 1, 9, 10, 11, 12, 63, 64, 65, whole.len() - 1] {
        let mut peer = RawPeer::connect(&endpoint).await;
        peer.send(&whole[..said]).await;
        peers.push(peer);
    }
    for mut peer in peers {
        peer.drain().await;
        assert_eq!(watch.handshake_failed().await, HandshakeFailure::TimedOut);
    }
}

/// An octet now and then does not prolong it.
#[tokio::test]
async fn a_slow_handshake_is_closed_at_the_limit() {
    let pull = PullSocket::with_options(impatient()).unwrap();
    let endpoint = pull.bind("tcp://127.0.0.1:*").await.unwrap();
    let mut watch = Watch(pull.monitor());
    let mut peer = RawPeer::connect(&endpoint).await;
    let mut pace = tokio::time::interval(LIMIT / 8);
    let dripping = async {
        for octet in greeting() {
            pace.tick().await;
            peer.send_anyway(&[octet]).await;
        }
    };
    tokio::select! {
        failure = watch.handshake_failed() => assert_eq!(failure, HandshakeFailure::TimedOut),
        () = dripping => panic!("the greeting went through after {:?}", LIMIT * 8),
    }
}

/// W24: any octets at all. Those that begin as a greeting does get furthest.
#[tokio::test]
async fn random_octets_are_closed_within_the_limit() {
    const STRANGERS: usize = 100;
    let pull = PullSocket::with_options(impatient()).unwrap();
    let endpoint = pull.bind("tcp://127.0.0.1:*").await.unwrap();
    let mut watch = Watch(pull.monitor());
    let mut good = RawPeer::connect_as(&endpoint, "PUSH").await;
    let mut random = Random(7);
    let mut peers = Vec::new();
    for number in 0..STRANGERS {
        let octets: Vec<u8> = (0..random.next()).map(|_| random.next()).collect();
        let begin = [0, 11, 64][number % 3];
        let mut peer = RawPeer::connect(&endpoint).await;
        peer.send_anyway(&[&greeting()[..begin], &octets].concat())
            .await;
        peers.push(peer);
        good.send(&message([&[random.next()]])).await;
        soon(pull.recv()).await.unwrap();
    }
    for mut peer in peers {
        within(LIMIT * 3 + Duration::from_secs(10), peer.drain()).await;
        watch.handshake_failed().await;
    }
    assert_eq!(pull.stats().handshakes_failed, STRANGERS as u64);
    assert_eq!(pull.stats().peers, 1);
}

/// A server of another protocol is no peer to a connecting socket; it is tried again all the same.
#[tokio::test]
async fn a_connecting_socket_leaves_a_server_of_another_protocol() {
    let listener = RawListener::bind().await;
    let options = SocketOptions::new().reconnect_interval(Duration::from_millis(1));
    let push = PushSocket::with_options(options).unwrap();
    let mut watch = Watch(push.monitor());
    push.connect(listener.endpoint()).unwrap();
    let mut server = listener.accept().await;
    server
        .send_anyway(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        .await;
    server.drain().await;
    let failure = HandshakeFailure::Protocol(HandshakeError::NotZmtp);
    assert_eq!(watch.handshake_failed().await, failure);
    watch.retrying().await;
    listener.accept().await.shake_hands(&ready("PULL")).await;
    watch.connected().await;
}

/// Octets that are the same in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u8 {
        // Knuth's MMIX generator; the upper bits are the good ones.
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 56) as u8
    }
}
