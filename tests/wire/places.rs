//! Who is refused a place among the peers learns it before our READY, and so loses nothing of what it has to say.

use privateer::core::{
    DealerSocket, HandshakeFailure, Linger, PairSocket, RepSocket, RouterSocket, RoutingId,
    SocketOptions,
};

use super::support::raw_peer::{COMMAND, RawListener, RawPeer, greeting, ready, ready_with};
use super::support::sockets::{Socket, eager, number, soon};

/// K16: a PAIR that has its peer says no READY to another one, and no ERROR, which would keep libzmq from coming back.
#[tokio::test]
async fn an_occupied_pair_says_no_ready() {
    let pair = PairSocket::usual();
    let endpoint = pair.bind_to("tcp://127.0.0.1:*").await;
    let mut watch = pair.watch();
    let _first = RawPeer::connect_as(&endpoint, "PAIR").await;
    watch.connected().await;
    expect_refusal(&endpoint, &ready("PAIR")).await;
    assert_eq!(
        watch.handshake_failed().await,
        HandshakeFailure::PairOccupied
    );
}

/// K07: the same for a routing id that is taken, at a ROUTER and at a REP.
#[tokio::test]
async fn a_duplicate_routing_id_is_refused_before_ready() {
    let named = |kind: &str| ready_with(&[("Socket-Type", kind.as_bytes()), ("Identity", b"same")]);
    let (router, rep) = (RouterSocket::usual(), RepSocket::usual());
    let cases = [
        (
            router.bind_to("tcp://127.0.0.1:*").await,
            router.watch(),
            named("DEALER"),
        ),
        (
            rep.bind_to("tcp://127.0.0.1:*").await,
            rep.watch(),
            named("REQ"),
        ),
    ];
    for (endpoint, mut watch, ready) in cases {
        let mut first = RawPeer::connect(&endpoint).await;
        first.shake_hands(&ready).await;
        watch.connected().await;
        expect_refusal(&endpoint, &ready).await;
        assert_eq!(
            watch.handshake_failed().await,
            HandshakeFailure::DuplicateRoutingId
        );
    }
}

async fn expect_refusal(endpoint: &privateer::core::Endpoint, ready: &[u8]) {
    let mut peer = RawPeer::connect(endpoint).await;
    peer.send(&[&greeting(), ready].concat()).await;
    peer.expect_greeting().await;
    peer.expect_end().await;
}

/// Whoever may be refused has to say READY first; to others, and from connectors, READY comes at once.
#[tokio::test]
async fn ready_waits_only_where_a_peer_may_be_refused() {
    let router = RouterSocket::usual();
    let endpoint = router.bind_to("tcp://127.0.0.1:*").await;
    let mut waits = RawPeer::connect(&endpoint).await;
    waits.send(&greeting()).await;
    waits.expect_greeting().await;
    let mut other = RawPeer::connect_as(&endpoint, "DEALER").await;
    assert!(waits.hears_nothing());
    waits.send(&ready("DEALER")).await;
    assert_eq!(waits.frame().await.0, COMMAND);
    other.end().await;

    let router = RouterSocket::with(SocketOptions::new().router_handover());
    let endpoint = router.bind_to("tcp://127.0.0.1:*").await;
    let mut at_once = RawPeer::connect(&endpoint).await;
    at_once.send(&greeting()).await;
    at_once.expect_greeting().await;
    assert_eq!(at_once.frame().await.0, COMMAND);

    let listener = RawListener::bind().await;
    let pair = PairSocket::usual();
    pair.connect(listener.endpoint()).unwrap();
    let mut at_once = listener.accept().await;
    at_once.send(&greeting()).await;
    at_once.expect_greeting().await;
    assert_eq!(at_once.frame().await.0, COMMAND);
}

/// A place that was taken for a peer whose handshake then fails is free again.
#[tokio::test]
async fn a_place_that_nobody_came_for_is_free_again() {
    let listener = RawListener::bind().await;
    let pair = PairSocket::with(eager());
    let mut watch = pair.watch();
    pair.connect(listener.endpoint()).unwrap();
    let endpoint = pair.bind_to("tcp://127.0.0.1:*").await;
    let mut silent = listener.accept().await;
    silent.send(&greeting()).await;
    silent.expect_greeting().await;
    assert_eq!(silent.frame().await.0, COMMAND);
    // The connection that is not established yet has the place.
    expect_refusal(&endpoint, &ready("PAIR")).await;
    assert_eq!(
        watch.handshake_failed().await,
        HandshakeFailure::PairOccupied
    );
    drop(silent);
    assert_eq!(
        watch.handshake_failed().await,
        HandshakeFailure::ClosedByPeer
    );
    drop(listener);
    let _peer = RawPeer::connect_as(&endpoint, "PAIR").await;
    watch.connected().await;
}

/// What a connected endpoint holds is not lost to somebody who refuses it again and again.
#[tokio::test]
async fn a_refused_client_loses_nothing() {
    let named = || eager().routing_id(RoutingId::new("same").unwrap());
    let router = RouterSocket::usual();
    let endpoint = router.bind_to("tcp://127.0.0.1:*").await;
    let mut watch = router.watch();
    let first = DealerSocket::with(named());
    first.connect_to(&endpoint);
    watch.connected().await;
    let second = DealerSocket::with(named());
    second.connect_to(&endpoint);
    for i in 0..100 {
        second.send(i.to_string()).await.unwrap();
    }
    for _ in 0..3 {
        watch.handshake_failed().await;
    }
    first.end(Linger::Discard).await;
    for i in 0..100 {
        assert_eq!(number(&soon(router.recv()).await.unwrap().1), i);
    }
    assert_eq!(second.stats().queued, 0);
}
