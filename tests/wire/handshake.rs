//! Greeting and READY: ours, octet by octet, and theirs, in any shape that is legal.

use privateer::core::{
    DealerSocket, PairSocket, PullSocket, PushSocket, RepSocket, ReqSocket, RouterSocket,
    RoutingId, SocketOptions,
};

use crate::support::raw_peer::{
    COMMAND, RawListener, RawPeer, greeting, message, ready, ready_with,
};
use crate::support::sockets::{Watch, soon};

/// W01: eleven octets at once, the other 53 after the peer's eleven.
#[tokio::test]
async fn our_greeting_is_exactly_this() {
    let pull = PullSocket::new().unwrap();
    let endpoint = pull.bind("tcp://127.0.0.1:*").await.unwrap();
    let mut peer = RawPeer::connect(&endpoint).await;
    peer.expect(b"\xFF\0\0\0\0\0\0\0\x01\x7F\x03").await;
    peer.send(&greeting()[..10]).await;
    peer.send(&greeting()[10..11]).await;
    peer.expect(b"\x01NULL\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0")
        .await;
    // As-server, and the filler.
    peer.expect(&[0; 32]).await;
    assert!(peer.hears_nothing(), "READY waits for the whole greeting");
}

/// W01: the padding is the routing id's length and one, which ZMTP 1.0 peers read.
#[tokio::test]
async fn our_greeting_tells_the_length_of_our_routing_id() {
    let listener = RawListener::bind().await;
    let options = SocketOptions::new().routing_id(RoutingId::new("abc").unwrap());
    let dealer = DealerSocket::with_options(options).unwrap();
    dealer.connect(listener.endpoint()).unwrap();
    let mut peer = listener.accept().await;
    peer.expect(b"\xFF\0\0\0\0\0\0\0\x04\x7F\x03").await;
}

/// What a peer may say to a PULL, in this many pieces, until its first message.
async fn say_in_pieces(peer: &mut RawPeer, style: &str) {
    let all = [greeting(), ready("PUSH"), message([b"first"])].concat();
    match style {
        "all at once" => peer.send(&all).await,
        "greeting at once" => {
            peer.send(&all[..64]).await;
            peer.send(&all[64..]).await;
        }
        "octet by octet" => {
            for octet in &all {
                peer.send(&[*octet]).await;
            }
        }
        "as libzmq" => {
            // Signature; then the revision for ours; then the rest for our revision.
            peer.send(&all[..10]).await;
            peer.expect(&greeting()[..11]).await;
            peer.send(&all[10..11]).await;
            peer.send(&all[11..64]).await;
            peer.expect(&greeting()[11..]).await;
            assert_eq!(peer.frame().await.0, COMMAND);
            peer.send(&all[64..]).await;
        }
        other => panic!("{other}"),
    }
}

const STYLES: [&str; 4] = [
    "all at once",
    "greeting at once",
    "octet by octet",
    "as libzmq",
];

/// W02: whatever the pieces, the handshake is complete and the message behind it arrives, with nothing to follow.
#[tokio::test]
async fn a_connecting_peer_may_speak_in_any_pieces() {
    let pull = PullSocket::new().unwrap();
    let endpoint = pull.bind("tcp://127.0.0.1:*").await.unwrap();
    for style in STYLES {
        let mut peer = RawPeer::connect(&endpoint).await;
        say_in_pieces(&mut peer, style).await;
        assert_eq!(soon(pull.recv()).await.unwrap()[0], "first", "{style}");
    }
}

/// W02.
#[tokio::test]
async fn an_accepting_peer_may_speak_in_any_pieces() {
    for style in STYLES {
        let listener = RawListener::bind().await;
        let pull = PullSocket::new().unwrap();
        pull.connect(listener.endpoint()).unwrap();
        let mut peer = listener.accept().await;
        say_in_pieces(&mut peer, style).await;
        assert_eq!(soon(pull.recv()).await.unwrap()[0], "first", "{style}");
    }
}

/// W03: everything about a greeting that is not ours to judge.
#[tokio::test]
async fn padding_filler_as_server_and_later_versions_are_accepted() {
    let pull = PullSocket::new().unwrap();
    let endpoint = pull.bind("tcp://127.0.0.1:*").await.unwrap();
    let changes: &[(&str, usize, &[u8])] = &[
        ("padding", 1, &[0xFF; 8]),
        ("signature end", 9, &[0x01]),
        ("major 2", 10, &[2]),
        ("major 4", 10, &[4]),
        ("major 9", 10, &[9]),
        ("minor 0", 11, &[0]),
        ("minor 7", 11, &[7]),
        ("version 4.0", 10, &[4, 0]),
        ("as-server 1", 32, &[1]),
        ("as-server 255", 32, &[255]),
        ("filler", 33, &[0xAA; 31]),
    ];
    for (what, at, octets) in changes {
        let mut peer = RawPeer::connect(&endpoint).await;
        let mut changed = greeting();
        changed[*at..at + octets.len()].copy_from_slice(octets);
        peer.send(&changed).await;
        peer.expect_greeting().await;
        peer.send(&ready("PUSH")).await;
        assert_eq!(peer.frame().await.0, COMMAND, "{what}");
        peer.send(&message([what.as_bytes()])).await;
        assert_eq!(soon(pull.recv()).await.unwrap()[0], **what);
    }
}

/// The first octets that a socket says behind its greeting, READY complete, to a socket of this type.
macro_rules! ready_of {
    ($socket:ident, $options:expr, $peer:literal) => {{
        let socket = $socket::with_options($options).unwrap();
        let endpoint = socket.bind("tcp://127.0.0.1:*").await.unwrap();
        let mut peer = RawPeer::connect(&endpoint).await;
        peer.send(&[greeting(), ready($peer)].concat()).await;
        peer.read(64).await;
        let header = peer.read(2).await;
        [header.clone(), peer.read(header[1].into()).await].concat()
    }};
}

/// W05: as libzmq 4.3.5 writes them: Identity exactly for REQ, DEALER, ROUTER, even if it is empty.
#[tokio::test]
async fn our_ready_is_libzmqs_for_every_type() {
    let none = SocketOptions::new;
    let len = |octets: &[u8]| u8::try_from(octets.len()).unwrap();
    let expected = |name: &str, identity: &[u8]| {
        let name = [&[len(name.as_bytes())], name.as_bytes()].concat();
        let body = [b"\x05READY\x0BSocket-Type\0\0\0", &name[..], identity].concat();
        [&[0x04, len(&body)], &body[..]].concat()
    };
    let empty = b"\x08Identity\0\0\0\0";
    assert_eq!(ready_of!(PairSocket, none(), "PAIR"), expected("PAIR", b""));
    assert_eq!(ready_of!(PushSocket, none(), "PULL"), expected("PUSH", b""));
    assert_eq!(ready_of!(PullSocket, none(), "PUSH"), expected("PULL", b""));
    assert_eq!(ready_of!(RepSocket, none(), "REQ"), expected("REP", b""));
    assert_eq!(ready_of!(ReqSocket, none(), "REP"), expected("REQ", empty));
    assert_eq!(
        ready_of!(DealerSocket, none(), "DEALER"),
        expected("DEALER", empty)
    );
    assert_eq!(
        ready_of!(RouterSocket, none(), "DEALER"),
        expected("ROUTER", empty)
    );
    // Measured: ROUTER's READY has 0x29 octets.
    assert_eq!(ready_of!(RouterSocket, none(), "DEALER")[..2], [0x04, 0x29]);

    let named = || none().routing_id(RoutingId::new("abc").unwrap());
    let abc = b"\x08Identity\0\0\0\x03abc";
    assert_eq!(
        ready_of!(DealerSocket, named(), "DEALER"),
        expected("DEALER", abc)
    );
    assert_eq!(ready_of!(ReqSocket, named(), "REP"), expected("REQ", abc));
    assert_eq!(
        ready_of!(RouterSocket, named(), "DEALER"),
        expected("ROUTER", abc)
    );
    assert_eq!(
        ready_of!(PushSocket, named(), "PULL"),
        expected("PUSH", b"")
    );
    assert_eq!(ready_of!(RepSocket, named(), "REQ"), expected("REP", b""));
}

/// W07: properties of ours stand behind Socket-Type and Identity.
#[tokio::test]
async fn our_properties_are_in_ready() {
    let options = SocketOptions::new().property("X-Unit", "m/s").unwrap();
    let ready = ready_of!(PushSocket, options, "PULL");
    assert_eq!(
        ready[2..],
        *b"\x05READY\x0BSocket-Type\0\0\0\x04PUSH\x06X-Unit\0\0\0\x03m/s"
    );
}

/// W07: names of properties come in any case; `X-` ones are the application's.
#[tokio::test]
async fn names_of_properties_match_in_any_case() {
    let router = RouterSocket::new().unwrap();
    let endpoint = router.bind("tcp://127.0.0.1:*").await.unwrap();
    let mut watch = Watch(router.monitor());
    let mut peer = RawPeer::connect(&endpoint).await;
    let theirs = ready_with(&[
        ("x-UNIT", b"km/h"),
        ("sOCKET-tYPE", b"DEALER"),
        ("IDENTITY", b"them"),
        ("Resource", b"ignored"),
        ("x-empty", b""),
    ]);
    peer.shake_hands(&theirs).await;
    let connected = watch.connected().await;
    assert_eq!(connected.routing_id().as_bytes(), b"them");
    assert_eq!(connected.socket_type().as_str(), "DEALER");
    assert_eq!(connected.property("X-Unit"), Some(&b"km/h"[..]));
    assert_eq!(connected.property("X-Empty"), Some(&b""[..]));
    assert_eq!(connected.property("X-Absent"), None);

    let id = RoutingId::new("them").unwrap();
    soon(router.send(&id, "to them")).await.unwrap();
    peer.expect(&message([b"to them"])).await;
}

/// W12: a small limit on messages is no limit on what the handshake needs.
#[tokio::test]
async fn the_message_limit_does_not_break_a_handshake() {
    let options = SocketOptions::new().max_message_size(std::num::NonZeroU64::new(1));
    let pull = PullSocket::with_options(options).unwrap();
    let endpoint = pull.bind("tcp://127.0.0.1:*").await.unwrap();
    let mut peer = RawPeer::connect(&endpoint).await;
    let large = vec![b'x'; 10_000];
    peer.shake_hands(&ready_with(&[
        ("Socket-Type", b"PUSH"),
        ("X-Large", &large),
    ]))
    .await;
    peer.send(&message([b"1"])).await;
    let (sender, message) = soon(pull.recv_from()).await.unwrap();
    assert_eq!(message[0], "1");
    assert_eq!(sender.property("X-Large"), Some(&large[..]));
}
