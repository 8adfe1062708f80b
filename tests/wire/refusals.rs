//! Peers that speak ZMTP and cannot be talked to: each is told what RFC 37 has for it, and each is reported.

use std::time::Duration;

use privateer::core::{
    DealerSocket, Frame, HandshakeError, HandshakeFailure, MalformedHandshake, PairSocket,
    PullSocket, PushSocket, RepSocket, ReqSocket, RouterSocket, SocketOptions, SocketType,
};

use crate::support::raw_peer::{
    COMMAND, MORE, RawListener, RawPeer, command, frame, greeting, long_header, message, ready,
    ready_with,
};
use crate::support::sockets::{Watch, soon};

/// The ERROR that a peer of the wrong type gets.
const INVALID_SOCKET_TYPE: &[u8] = b"\x04\x1A\x05ERROR\x13Invalid socket type";

/// The types of peers that a socket of ours may meet.
const TYPES: [SocketType; 11] = [
    SocketType::Pair,
    SocketType::Pub,
    SocketType::Sub,
    SocketType::Req,
    SocketType::Rep,
    SocketType::Dealer,
    SocketType::Router,
    SocketType::Pull,
    SocketType::Push,
    SocketType::Xpub,
    SocketType::Xsub,
];

/// Lets a peer of each type connect to a socket of this one.
macro_rules! meet_all {
    ($socket:ident, $local:expr) => {{
        let socket = $socket::new().unwrap();
        let endpoint = socket.bind("tcp://127.0.0.1:*").await.unwrap();
        let mut watch = Watch(socket.monitor());
        for theirs in TYPES {
            let mut peer = RawPeer::connect_as(&endpoint, theirs.as_str()).await;
            if $local.compatible_with(theirs) {
                assert_eq!(watch.connected().await.socket_type(), theirs);
                peer.end().await;
                watch.disconnected().await;
            } else {
                peer.expect(INVALID_SOCKET_TYPE).await;
                peer.expect_end().await;
                let error = HandshakeError::SocketType {
                    local: $local,
                    peer: theirs,
                };
                assert_eq!(
                    watch.handshake_failed().await,
                    HandshakeFailure::Protocol(error)
                );
            }
        }
    }};
}

/// W06, and W04's table seen from one side: who may not talk to us gets ERROR, then the end (RFC 37, Socket-Type).
#[tokio::test]
async fn every_illegal_pair_is_refused_with_an_error() {
    meet_all!(PairSocket, SocketType::Pair);
    meet_all!(PushSocket, SocketType::Push);
    meet_all!(PullSocket, SocketType::Pull);
    meet_all!(ReqSocket, SocketType::Req);
    meet_all!(RepSocket, SocketType::Rep);
    meet_all!(DealerSocket, SocketType::Dealer);
    meet_all!(RouterSocket, SocketType::Router);
}

/// What becomes of a peer that connects to a PULL and says `octets` behind its greeting; it hears `answer` and the end.
async fn refused(octets: &[u8], answer: &[u8]) -> HandshakeError {
    let pull = PullSocket::new().unwrap();
    let endpoint = pull.bind("tcp://127.0.0.1:*").await.unwrap();
    let mut watch = Watch(pull.monitor());
    let mut peer = RawPeer::connect(&endpoint).await;
    peer.send(&greeting()).await;
    peer.expect_greeting().await;
    peer.expect(&ready("PULL")).await;
    peer.send(octets).await;
    peer.expect(answer).await;
    peer.expect_end().await;
    match watch.handshake_failed().await {
        HandshakeFailure::Protocol(error) => error,
        other => panic!("{other:?}"),
    }
}

/// W06.
#[tokio::test]
async fn an_unknown_or_missing_socket_type_is_refused_with_an_error() {
    let found = Frame::from("BUS");
    assert_eq!(
        refused(&ready("BUS"), INVALID_SOCKET_TYPE).await,
        HandshakeError::UnknownSocketType { found }
    );
    // Values are compared letter by letter (RFC 37: names of properties are not).
    let found = Frame::from("push");
    assert_eq!(
        refused(&ready("push"), INVALID_SOCKET_TYPE).await,
        HandshakeError::UnknownSocketType { found }
    );
    for ready in [ready_with(&[]), ready_with(&[("Identity", b"PUSH")])] {
        assert_eq!(
            refused(&ready, INVALID_SOCKET_TYPE).await,
            HandshakeError::MissingSocketType
        );
    }
}

/// RFC 37, Error Handling: who breaks the grammar is closed without a word; it may try again.
#[tokio::test]
async fn what_is_no_ready_is_closed_and_reported() {
    use MalformedHandshake as Malformed;
    let huge = i64::MAX as u64;
    let cases: &[(&str, Vec<u8>, Malformed)] = &[
        ("a message", message([b"early"]), Malformed::Message),
        (
            "ready as a message",
            frame(0, &ready("PUSH")[2..]),
            Malformed::Message,
        ),
        (
            "reserved flag",
            b"\x84\0".to_vec(),
            Malformed::ReservedFlags { flags: 0x84 },
        ),
        (
            "2^63 - 1",
            long_header(COMMAND, huge),
            Malformed::TooLong { len: huge },
        ),
        (
            "over 64 KiB",
            long_header(COMMAND, 65537),
            Malformed::TooLong { len: 65537 },
        ),
        ("no name", frame(COMMAND, b""), Malformed::Command),
        (
            "name overrun",
            frame(COMMAND, b"\x06READY"),
            Malformed::Command,
        ),
        (
            "ping",
            command("PING", b"\0\0"),
            Malformed::UnexpectedCommand,
        ),
        (
            "subscription",
            command("SUBSCRIBE", b"a"),
            Malformed::UnexpectedCommand,
        ),
        (
            "curve's",
            command("HELLO", &[0; 194]),
            Malformed::UnexpectedCommand,
        ),
        (
            "error without reason",
            command("ERROR", b""),
            Malformed::Command,
        ),
    ];
    for (what, octets, malformed) in cases {
        let error = refused(octets, b"").await;
        assert_eq!(error, HandshakeError::Malformed(*malformed), "{what}");
    }
}

/// As above; libzmq refuses one octet too many as well.
#[tokio::test]
async fn malformed_metadata_is_closed_and_reported() {
    let cases: [(&str, &[u8]); 6] = [
        ("value overrun", b"\x0BSocket-Type\0\0\0\x05PUSH"),
        ("one octet left", b"\x0BSocket-Type\0\0\0\x04PUSH\0"),
        ("name overrun", b"\x0BSocket"),
        ("no name", b"\0\0\0\0\x01x"),
        ("2^31 octets", b"\x01a\x80\0\0\0"),
        ("name is no text", b"\x02\xFF\xFE\0\0\0\0"),
    ];
    for (what, metadata) in cases {
        let error = refused(&command("READY", metadata), b"").await;
        let expected = HandshakeError::Malformed(MalformedHandshake::Metadata);
        assert_eq!(error, expected, "{what}");
    }
}

/// MORE on a command means nothing, as with libzmq.
#[tokio::test]
async fn more_on_ready_is_ignored() {
    let pull = PullSocket::new().unwrap();
    let endpoint = pull.bind("tcp://127.0.0.1:*").await.unwrap();
    let mut peer = RawPeer::connect(&endpoint).await;
    peer.shake_hands(&frame(COMMAND | MORE, &ready("PUSH")[2..]))
        .await;
    peer.send(&message([b"on"])).await;
    assert_eq!(soon(pull.recv()).await.unwrap()[0], "on");
}

/// W06: libzmq closes in silence what it does not want to talk to; that is reported, and tried again.
#[tokio::test]
async fn a_silent_close_is_reported_and_tried_again() {
    let listener = RawListener::bind().await;
    let options = SocketOptions::new().reconnect_interval(Duration::from_millis(1));
    let push = PushSocket::with_options(options).unwrap();
    let mut watch = Watch(push.monitor());
    push.connect(listener.endpoint()).unwrap();
    soon(push.send("kept")).await.unwrap();

    let mut peer = listener.accept().await;
    peer.send(&greeting()).await;
    peer.expect_greeting().await;
    peer.expect(&ready("PUSH")).await;
    drop(peer);
    assert_eq!(
        watch.handshake_failed().await,
        HandshakeFailure::ClosedByPeer
    );
    watch.retrying().await;

    // The right one has come to the address meanwhile.
    let mut peer = listener.accept().await;
    peer.shake_hands(&ready("PULL")).await;
    peer.expect(&message([b"kept"])).await;
}

/// W06: an accepted peer that closes during the handshake is reported too.
#[tokio::test]
async fn a_peer_that_closes_during_the_handshake_is_reported() {
    let pull = PullSocket::new().unwrap();
    let endpoint = pull.bind("tcp://127.0.0.1:*").await.unwrap();
    let mut watch = Watch(pull.monitor());
    let whole = [greeting(), ready("PUSH")].concat();
    for said in [0, 5, 11, 63, 64, whole.len() - 1] {
        let mut peer = RawPeer::connect(&endpoint).await;
        peer.send(&whole[..said]).await;
        peer.end().await;
        assert_eq!(
            watch.handshake_failed().await,
            HandshakeFailure::ClosedByPeer,
            "after {said}"
        );
        peer.drain().await;
    }
    assert_eq!(pull.stats().handshakes_failed, 6);
}

/// A peer that refuses us says why; we report it and try again.
#[tokio::test]
async fn an_error_of_the_peer_is_reported_and_tried_again() {
    let listener = RawListener::bind().await;
    let options = SocketOptions::new().reconnect_interval(Duration::from_millis(1));
    let push = PushSocket::with_options(options).unwrap();
    let mut watch = Watch(push.monitor());
    push.connect(listener.endpoint()).unwrap();
    let mut peer = listener.accept().await;
    peer.send(&[greeting(), command("ERROR", b"\x03no!")].concat())
        .await;
    let reason = Frame::from("no!");
    assert_eq!(
        watch.handshake_failed().await,
        HandshakeFailure::Protocol(HandshakeError::Refused { reason })
    );
    watch.retrying().await;
    listener.accept().await.shake_hands(&ready("PULL")).await;
    watch.connected().await;
}

/// What a connecting socket meets is refused as what a bound one meets.
#[tokio::test]
async fn a_connecting_socket_refuses_an_illegal_pair_and_tries_again() {
    let listener = RawListener::bind().await;
    let options = SocketOptions::new().reconnect_interval(Duration::from_millis(1));
    let push = PushSocket::with_options(options).unwrap();
    let mut watch = Watch(push.monitor());
    push.connect(listener.endpoint()).unwrap();
    let mut peer = listener.accept().await;
    peer.shake_hands(&ready("PUSH")).await;
    peer.expect(INVALID_SOCKET_TYPE).await;
    peer.expect_end().await;
    let error = HandshakeError::SocketType {
        local: SocketType::Push,
        peer: SocketType::Push,
    };
    assert_eq!(
        watch.handshake_failed().await,
        HandshakeFailure::Protocol(error)
    );
    watch.retrying().await;
    listener.accept().await.shake_hands(&ready("PULL")).await;
    watch.connected().await;
}

/// RFC 37: what begins with zero is for ids that a ROUTER gives; K05.
#[tokio::test]
async fn a_routing_id_with_a_leading_zero_is_refused() {
    let router = RouterSocket::new().unwrap();
    let endpoint = router.bind("tcp://127.0.0.1:*").await.unwrap();
    let mut watch = Watch(router.monitor());
    let theirs = |id: &[u8]| ready_with(&[("Socket-Type", b"DEALER"), ("Identity", id)]);
    for id in [&b"\0abc"[..], &[b'x'; 256]] {
        let mut peer = RawPeer::connect(&endpoint).await;
        peer.send(&[greeting(), theirs(id)].concat()).await;
        peer.expect_greeting().await;
        peer.expect_end().await;
        let failure = watch.handshake_failed().await;
        let HandshakeFailure::Protocol(HandshakeError::Malformed(malformed)) = failure else {
            panic!("{failure:?}");
        };
        assert!(matches!(malformed, MalformedHandshake::RoutingId(_)));
    }
}
