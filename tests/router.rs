//! ROUTER: names of peers, whom a message goes to, and how a connection can be held back.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

use std::collections::HashSet;
use std::num::NonZeroUsize;
use std::time::Duration;

use privateer::core::{
    DealerSocket, DisconnectReason, DropReason, HandshakeFailure, Linger, Message, PushSocket,
    RecvError, RouterSocket, RoutingId, SendErrorKind, SocketOptions,
};
use tokio::time::timeout;

mod support;
use support::sockets::{
    Linked, Socket, Transport, eager, link, message, number, scale, soon, texts, within,
};

/// K05: a peer without a name gets one of five bytes, the first of them zero, and no two get the same.
#[tokio::test]
async fn generated_ids_have_five_bytes_and_are_unique() {
    let router = RouterSocket::usual();
    let inproc = Transport::Inproc.place();
    let local = router.bind_to(&inproc.endpoint).await;
    let remote = router.bind_to("tcp://127.0.0.1:*").await;
    let mut watch = router.watch();
    let mut dealers = Vec::new();
    let mut ids = HashSet::new();
    for i in 0..1_000 * scale() {
        let dealer = DealerSocket::usual();
        dealer.connect_to(if i % 20 == 0 { &remote } else { &local });
        let peer = watch.connected().await;
        let id = peer.routing_id().as_bytes();
        assert_eq!((id.len(), id[0]), (5, 0));
        assert!(
            ids.insert(id.to_vec()),
            "{peer:?} has an id that was given before"
        );
        dealers.push(dealer);
    }
    assert_eq!(router.peers().len(), dealers.len());
}

/// K05: the id that a peer chose is its name, and known before it has sent anything.
#[tokio::test]
async fn a_peer_is_known_by_the_id_that_it_chose() {
    for transport in Transport::KINDS {
        let (router, dealer) = (RouterSocket::usual(), named("worker-7"));
        let _linked = link(&router, &dealer, transport).await;
        assert_eq!(*router.first_peer().routing_id(), id("worker-7"));
        router.send(&id("worker-7"), "to you").await.unwrap();
        assert_eq!(soon(dealer.recv()).await.unwrap()[0], "to you");
    }
}

/// K06: a message for nobody comes back in the error, whichever way it is addressed.
#[tokio::test]
async fn an_unroutable_message_comes_back() {
    for transport in Transport::KINDS {
        let (router, dealer) = (RouterSocket::usual(), named("gone"));
        let _linked = link(&router, &dealer, transport).await;
        let gone = router.first_peer();
        let mut watch = router.watch();
        dealer.end(Linger::Discard).await;
        watch.disconnected().await;

        let lost = message(["a", "b"]);
        let errors = [
            router.send(&id("gone"), lost.clone()).await.unwrap_err(),
            router.send(gone.id(), lost.clone()).await.unwrap_err(),
            router.send(&gone, lost.clone()).await.unwrap_err(),
            router.try_send(&gone, lost.clone()).unwrap_err(),
        ];
        for error in errors {
            assert_eq!(error.kind(), SendErrorKind::Unroutable);
            assert!(!error.would_block());
            assert_eq!(error.into_message(), lost);
        }
        assert!(router.ready(&gone).await.is_err());
        assert!(router.send_if_idle(&gone, "heartbeat").is_err());
        assert!(router.pause(gone.id()).is_err());
        assert_eq!(router.stats().dropped_unroutable, 0);
    }
}

/// K06: a message for a full peer comes back from `try_send`; `send` and `ready` wait for room.
#[tokio::test]
async fn a_message_for_a_full_peer_comes_back_or_waits() {
    let (router, dealer) = (narrow_router(SocketOptions::new()), narrow_dealer());
    let _linked = link(&router, &dealer, Transport::Inproc).await;
    let peer = router.first_peer();
    // Over inproc the marks of both sides add up.
    router.try_send(&peer, "1").unwrap();
    router.try_send(&peer, "2").unwrap();
    let full = router.try_send(&peer, "3").unwrap_err();
    assert!(full.would_block());
    assert_eq!(full.into_message(), Message::from("3"));

    let wait = async { tokio::join!(router.send(&peer, "3"), router.ready(&peer)) };
    let recv = async {
        for expected in 1..=3 {
            assert_eq!(number(&dealer.recv().await.unwrap()), expected);
        }
    };
    let ((sent, ready), ()) = soon(async { tokio::join!(wait, recv) }).await;
    sent.unwrap();
    ready.unwrap();
}

/// K06: who waits for room learns that the peer is gone.
#[tokio::test]
async fn waiting_for_room_ends_with_the_peer() {
    for transport in [Transport::Inproc, Transport::Tcp] {
        let (router, dealer) = (narrow_router(SocketOptions::new()), narrow_dealer());
        let _linked = link(&router, &dealer, transport).await;
        let peer = router.first_peer();
        // Over tcp the kernel takes some first.
        while timeout(Duration::from_millis(100), router.ready(&peer))
            .await
            .is_ok()
        {
            router.try_send(&peer, vec![0; 1_000_000]).unwrap();
        }
        let (sent, ready, _) = soon(async {
            tokio::join!(
                router.send(&peer, "x"),
                router.ready(&peer),
                dealer.end(Linger::Discard)
            )
        })
        .await;
        assert_eq!(
            sent.unwrap_err().kind(),
            SendErrorKind::Unroutable,
            "{transport:?}"
        );
        assert!(ready.is_err());
    }
}

/// K06: without `router_mandatory` nothing fails or waits; what is dropped is counted, by reason.
#[tokio::test]
async fn drops_are_counted_if_not_mandatory() {
    let router = narrow_router(SocketOptions::new().router_mandatory(false));
    let dealer = narrow_dealer();
    let _linked = link(&router, &dealer, Transport::Inproc).await;
    let mut watch = router.watch();
    let peer = router.first_peer();
    for _ in 0..5 {
        router.send(&peer, "some fit").await.unwrap();
    }
    router.send(&id("nobody"), "lost").await.unwrap();
    let stats = router.stats();
    assert_eq!((stats.dropped_full, stats.dropped_unroutable), (3, 1));
    assert_eq!(watch.dropped().await, DropReason::Full);
}

/// K07: a second peer of the same id is refused, which an event tells; the first one stays.
#[tokio::test]
async fn a_duplicate_id_is_refused() {
    for transport in Transport::KINDS {
        let (router, first, second) = (RouterSocket::usual(), named("twin"), named("twin"));
        let Linked { endpoint, .. } = &link(&router, &first, transport).await;
        let mut watch = router.watch();
        second.connect_to(endpoint);
        assert_eq!(
            watch.handshake_failed().await,
            HandshakeFailure::DuplicateRoutingId
        );
        router.send(&id("twin"), "still you").await.unwrap();
        assert_eq!(soon(first.recv()).await.unwrap()[0], "still you");
        assert_eq!(router.peers().len(), 1);
    }
}

/// K07: the newcomer gets the id when it is free, which libzmq does not do.
#[tokio::test]
async fn a_refused_duplicate_gets_in_once_the_id_is_free() {
    for transport in Transport::RECONNECTING {
        let (router, first) = (RouterSocket::usual(), named("twin"));
        let second = DealerSocket::with(eager().routing_id(id("twin")));
        let Linked { endpoint, .. } = &link(&router, &first, transport).await;
        let mut watch = router.watch();
        second.connect_to(endpoint);
        watch.handshake_failed().await;
        first.end(Linger::Discard).await;
        watch.connected().await;
        router.send(&id("twin"), "now you").await.unwrap();
        assert_eq!(soon(second.recv()).await.unwrap()[0], "now you");
    }
}

/// K07: with handover the newcomer takes the id, and the old connection is closed at once, not left to starve.
#[tokio::test]
async fn handover_closes_the_old_connection() {
    for transport in Transport::KINDS {
        let router = RouterSocket::with(SocketOptions::new().router_handover());
        let (first, second) = (named("heir"), named("heir"));
        let Linked { endpoint, .. } = &link(&router, &first, transport).await;
        first.send("before").await.unwrap();
        let old = router.first_peer();
        let (mut watch, mut lost) = (router.watch(), first.watch());
        second.connect_to(endpoint);
        let new = watch.connected().await;
        assert_ne!(new, old);
        // 100 ms are promised.
        let (gone, reason) = within(Duration::from_millis(300), lost.disconnected()).await;
        assert_eq!(
            (gone.endpoint(), reason),
            (endpoint, DisconnectReason::ClosedByPeer)
        );
        first.end(Linger::Discard).await;

        second.send("after").await.unwrap();
        let received = [
            soon(router.recv()).await.unwrap(),
            soon(router.recv()).await.unwrap(),
        ];
        let said: HashSet<_> = received
            .map(|(peer, m)| (peer.id(), texts(&m).concat()))
            .into();
        assert_eq!(
            said,
            [(old.id(), "before".into()), (new.id(), "after".into())].into()
        );
        router.send(&id("heir"), "yours").await.unwrap();
        assert_eq!(soon(second.recv()).await.unwrap()[0], "yours");
        assert!(router.try_send(&old, "not yours").is_err());
    }
}

/// Peers that call themselves alike are told apart, if the router names them all; only its own choice counts.
#[tokio::test]
async fn a_router_that_names_all_tells_namesakes_apart() {
    for transport in Transport::KINDS {
        let router = RouterSocket::with(SocketOptions::new().router_names_all());
        let (first, second) = (named("twin"), named("twin"));
        let Linked { endpoint, .. } = &link(&router, &first, transport).await;
        let mut watch = router.watch();
        second.connect_to(endpoint);
        watch.connected().await;
        for twin in [&first, &second] {
            twin.send("who am I?").await.unwrap();
            let (peer, _) = soon(router.recv()).await.unwrap();
            assert_eq!(peer.routing_id().as_bytes()[0], 0);
            router.send(&peer, "yourself").await.unwrap();
            assert_eq!(soon(twin.recv()).await.unwrap()[0], "yourself");
        }
        assert_eq!(router.peers().len(), 2);
        let error = router.try_send(&id("twin"), "whoever").unwrap_err();
        assert_eq!(error.kind(), SendErrorKind::Unroutable);
    }
}

/// A `PeerId` or `Peer` is one connection, a chosen `RoutingId` is whoever has it now.
#[tokio::test]
async fn ids_outlive_connections_and_peers_do_not() {
    for transport in Transport::KINDS {
        let (router, dealer) = (RouterSocket::usual(), named("back"));
        let Linked { endpoint, .. } = &link(&router, &dealer, transport).await;
        let old = router.first_peer();
        let mut watch = router.watch();
        let _report = soon(dealer.disconnect(endpoint)).await.unwrap();
        watch.disconnected().await;
        dealer.connect_to(endpoint);
        let new = watch.connected().await;
        assert_eq!(old.routing_id(), new.routing_id());
        assert!(router.try_send(&old, "lost").is_err());
        assert!(router.try_send(old.id(), "lost").is_err());
        router.try_send(&new, "1").unwrap();
        router.try_send(new.id(), "2").unwrap();
        router.try_send(old.routing_id(), "3").unwrap();
        for expected in 1..=3 {
            assert_eq!(number(&soon(dealer.recv()).await.unwrap()), expected);
        }
    }
}

/// A ROUTER that connects learns the peer's id anew at every connection.
#[tokio::test]
async fn a_connecting_router_learns_the_id_at_each_connection() {
    for transport in Transport::RECONNECTING {
        let place = transport.place();
        let router = RouterSocket::with(eager());
        let mut watch = router.watch();
        router.try_connect_to(&place.endpoint).unwrap();
        for name in ["first", "second"] {
            let server = RouterSocket::with(SocketOptions::new().routing_id(id(name)));
            server.bind_to(&place.endpoint).await;
            assert_eq!(*watch.connected().await.routing_id(), id(name));
            router.send(&id(name), "hello").await.unwrap();
            assert_eq!(soon(server.recv()).await.unwrap().1[0], "hello");
            server.end(Linger::Discard).await;
            watch.disconnected().await;
            assert!(router.try_send(&id(name), "gone").is_err());
        }
    }
}

/// ROUTER has no reply path to types that it does not talk to.
#[tokio::test]
async fn nothing_is_there_when_nobody_is() {
    let router = RouterSocket::usual();
    assert_eq!(router.try_recv().unwrap_err(), RecvError::Empty);
    assert!(router.try_recv_event().unwrap_err().would_block());
    assert!(router.ready(&id("nobody")).await.is_err());
    let push = PushSocket::usual();
    assert!(push.try_send("nobody").unwrap_err().would_block());
}

fn id(name: &str) -> RoutingId {
    RoutingId::new(name).unwrap()
}

fn named(name: &str) -> DealerSocket {
    DealerSocket::with(SocketOptions::new().routing_id(id(name)))
}

/// A ROUTER whose own share of a pipe is one message.
fn narrow_router(options: SocketOptions) -> RouterSocket {
    RouterSocket::with(options.send_hwm(NonZeroUsize::new(1)))
}

fn narrow_dealer() -> DealerSocket {
    DealerSocket::with(SocketOptions::new().recv_hwm(NonZeroUsize::new(1)))
}
