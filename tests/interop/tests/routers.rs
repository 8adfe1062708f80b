//! ROUTER: routing ids on both sides, peers that are not there, have no room, or have the same id.

use std::collections::HashSet;
use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use privateer_core::{
    DealerSocket, DisconnectReason, Frame, HandshakeError, HandshakeFailure, InvalidRoutingId,
    MalformedHandshake, Message, Peer, ReqSocket, RouterSocket, RoutingId, SendError,
    SendErrorKind, SocketEvent, SocketOptions, SocketType,
};
use privateer_interop::{
    Libzmq, Python, Pyzmq, body, connected, disconnected, event, message, soon, within,
};

/// Far more messages of 1 MiB than the buffers of two processes and their kernel hold.
const MANY: usize = 200;
const MIB: usize = 1024 * 1024;

/// K05
#[tokio::test]
async fn libzmqs_router_addresses_us_by_the_ids_that_we_choose() {
    for name in [b"ours".to_vec(), vec![255; 255]] {
        let options = || SocketOptions::new().routing_id(RoutingId::new(name.clone()).unwrap());
        let theirs = Libzmq::new(SocketType::Router);
        let endpoint = theirs.bind("tcp://127.0.0.1:*").await;
        let dealer = DealerSocket::with_options(options()).unwrap();
        dealer.connect(&*endpoint).unwrap();
        dealer.send("dealer").await.unwrap();
        assert_eq!(theirs.recv().await, message([&name[..], b"dealer"]));
        theirs.send([&name[..], b"to the dealer"]).await;
        assert_eq!(
            soon(dealer.recv()).await.unwrap(),
            message(["to the dealer"])
        );
        drop(dealer);

        let theirs = Libzmq::new(SocketType::Router);
        let req = ReqSocket::with_options(options()).unwrap();
        req.connect(&*theirs.bind("tcp://127.0.0.1:*").await)
            .unwrap();
        req.send("req").await.unwrap();
        assert_eq!(theirs.recv().await, message([&name[..], b"", b"req"]));

        let theirs = Libzmq::new(SocketType::Router);
        let router = RouterSocket::with_options(options()).unwrap();
        let mut monitor = router.monitor();
        router
            .connect(&*theirs.bind("tcp://127.0.0.1:*").await)
            .unwrap();
        let peer = connected(&mut monitor).await;
        router.send(&peer, "router").await.unwrap();
        assert_eq!(theirs.recv().await, message([&name[..], b"router"]));
    }
}

/// K05
#[tokio::test]
async fn libzmqs_router_gives_us_an_id_if_we_have_none() {
    let theirs = Libzmq::new(SocketType::Router);
    let dealer = DealerSocket::new().unwrap();
    dealer
        .connect(&*theirs.bind("tcp://127.0.0.1:*").await)
        .unwrap();
    dealer.send("hello").await.unwrap();
    let id = theirs.recv().await[0].clone();
    assert_eq!((id.len(), id[0]), (5, 0));
    theirs.send([&*id, b"welcome"]).await;
    assert_eq!(soon(dealer.recv()).await.unwrap(), message(["welcome"]));
}

/// K05
#[tokio::test]
async fn our_router_uses_the_ids_of_its_peers_and_gives_unique_ones_to_the_others() {
    let router = RouterSocket::new().unwrap();
    let endpoint = router.bind("tcp://127.0.0.1:*").await.unwrap().to_string();
    let named = Libzmq::new(SocketType::Dealer);
    named
        .run(|socket| socket.set_identity(&[255; 255]).unwrap())
        .await;
    named.connect(&endpoint).await;
    named.send(["named"]).await;
    let (peer, _) = soon(router.recv()).await.unwrap();
    assert_eq!(peer.routing_id().as_bytes(), [255; 255]);
    router.send(peer.routing_id(), "by name").await.unwrap();
    assert_eq!(named.recv().await, message(["by name"]));

    let mut unnamed = Vec::new();
    let mut ids = HashSet::new();
    for number in 0..50 {
        let dealer = Libzmq::new(SocketType::Dealer);
        dealer.connect(&endpoint).await;
        dealer.send([number.to_string()]).await;
        let (peer, _) = soon(router.recv()).await.unwrap();
        let id = peer.routing_id().clone();
        assert_eq!((id.as_bytes().len(), id.as_bytes()[0]), (5, 0));
        assert!(ids.insert(id.clone()));
        unnamed.push((dealer, id));
    }
    for (dealer, id) in &unnamed {
        router
            .send(id, Message::from(id.as_frame().clone()))
            .await
            .unwrap();
        assert_eq!(dealer.recv().await, Message::from(id.as_frame().clone()));
    }
}

/// K05: ids that begin with zero are those that ROUTERs give.
#[tokio::test]
async fn an_id_that_begins_with_zero_is_refused() {
    let router = RouterSocket::new().unwrap();
    let mut monitor = router.monitor();
    let endpoint = router.bind("tcp://127.0.0.1:*").await.unwrap().to_string();
    let dealer = Libzmq::new(SocketType::Dealer);
    dealer
        .run(|socket| socket.set_identity(&[0, 1, 2, 3, 4]).unwrap())
        .await;
    dealer.connect(&endpoint).await;
    let reason = event(&mut monitor, |event| match event {
        SocketEvent::HandshakeFailed { reason, .. } => Some(reason),
        _ => None,
    });
    let fault = MalformedHandshake::RoutingId(InvalidRoutingId::LeadingZero);
    assert_eq!(
        reason.await,
        HandshakeFailure::Protocol(HandshakeError::Malformed(fault))
    );
}

/// K09: PROBE_ROUTER of libzmq, and the hello message of ours.
#[tokio::test]
async fn the_first_message_of_a_connection_tells_the_router_who_is_there() {
    let router = RouterSocket::new().unwrap();
    let endpoint = router.bind("tcp://127.0.0.1:*").await.unwrap().to_string();
    let dealer = Libzmq::new(SocketType::Dealer);
    dealer
        .run(|socket| socket.set_probe_router(true).unwrap())
        .await;
    dealer.connect(&endpoint).await;
    let (peer, probe) = soon(router.recv()).await.unwrap();
    assert_eq!(probe, Message::from(Frame::empty()));
    router.send(&peer, "welcome").await.unwrap();
    assert_eq!(dealer.recv().await, message(["welcome"]));

    let theirs = Libzmq::new(SocketType::Router);
    let options = SocketOptions::new().hello_message(Frame::empty());
    let ours = DealerSocket::with_options(options).unwrap();
    ours.connect(&*theirs.bind("tcp://127.0.0.1:*").await)
        .unwrap();
    ours.send("after the hello").await.unwrap();
    assert_eq!(theirs.recv().await.frames()[1..], [Frame::empty()]);
    assert_eq!(theirs.recv().await[1], "after the hello");
}

/// K06
#[tokio::test]
async fn a_message_for_a_peer_that_is_not_there_is_given_back_or_counted() {
    let Some(python) = Python::ready() else {
        return;
    };
    for mandatory in [true, false] {
        let router =
            RouterSocket::with_options(SocketOptions::new().router_mandatory(mandatory)).unwrap();
        let mut monitor = router.monitor();
        let endpoint = router.bind("tcp://127.0.0.1:*").await.unwrap();
        let mut theirs = Pyzmq::new(&python, SocketType::Dealer);
        theirs.connect(&endpoint.to_string()).await;
        let peer = connected(&mut monitor).await;
        theirs.process().kill().await;
        disconnected(&mut monitor).await;

        let nobody = RoutingId::new("nobody").unwrap();
        let sent = message(["to", "nobody"]);
        let results = [
            router.send(&nobody, sent.clone()).await,
            router.send(peer.routing_id(), sent.clone()).await,
            router.send(&peer, sent.clone()).await,
        ];
        let errors: Vec<SendError> = results.into_iter().filter_map(Result::err).collect();
        let (given_back, counted) = if mandatory { (3, 0) } else { (0, 3) };
        assert_eq!(errors.len(), given_back);
        for error in errors {
            assert_eq!(error.kind(), SendErrorKind::Unroutable);
            assert_eq!(error.into_message(), sent);
        }
        assert_eq!(router.stats().dropped_unroutable, counted);
    }
}

/// K06
#[tokio::test]
async fn a_message_for_a_peer_without_room_is_given_back_or_counted() {
    let Some(python) = Python::ready() else {
        return;
    };
    for mandatory in [true, false] {
        let options = SocketOptions::new()
            .send_hwm(NonZeroUsize::new(10))
            .router_mandatory(mandatory);
        let router = RouterSocket::with_options(options).unwrap();
        let mut monitor = router.monitor();
        let endpoint = router.bind("tcp://127.0.0.1:*").await.unwrap();
        let mut theirs = Pyzmq::new(&python, SocketType::Dealer);
        theirs.connect(&endpoint.to_string()).await;
        let peer = connected(&mut monitor).await;
        theirs.process().stop();

        let sent = Message::from(body(MIB));
        let refused = (0..MANY).find_map(|_| router.try_send(&peer, sent.clone()).err());
        assert_eq!(refused.is_some(), mandatory);
        if let Some(error) = refused {
            assert!(error.would_block());
            assert_eq!(error.into_message(), sent);
        }
        assert_eq!(router.stats().dropped_full > 0, !mandatory);
        assert_eq!(router.stats().dropped_unroutable, 0);
    }
}

/// K06: the other way round, libzmq's ROUTER_MANDATORY notices that we do not receive.
#[tokio::test]
async fn libzmqs_router_is_held_up_by_a_dealer_that_does_not_receive() {
    let theirs = Libzmq::new(SocketType::Router);
    let prepare = |socket: &zmq::Socket| {
        socket.set_router_mandatory(true)?;
        socket.set_sndhwm(10)?;
        socket.set_sndtimeo(200)
    };
    theirs.run(prepare).await.unwrap();
    let dealer =
        DealerSocket::with_options(SocketOptions::new().recv_hwm(NonZeroUsize::new(10))).unwrap();
    dealer
        .connect(&*theirs.bind("tcp://127.0.0.1:*").await)
        .unwrap();
    dealer.send("hello").await.unwrap();
    let id = theirs.recv().await[0].to_vec();
    let fill = move |socket: &zmq::Socket| {
        let body = body(MIB);
        let sent = |_: &usize| socket.send_multipart([&id, &body], 0) == Ok(());
        (0..MANY).take_while(sent).count()
    };
    let sent = theirs.run(fill).await;
    assert!(sent < MANY);
    for _ in 0..sent {
        assert_eq!(soon(dealer.recv()).await.unwrap().byte_len(), MIB);
    }
}

/// K07
#[tokio::test]
async fn a_newcomer_with_the_id_of_a_peer_is_refused_until_that_is_gone() {
    let router = RouterSocket::new().unwrap();
    let mut monitor = router.monitor();
    let endpoint = router.bind("tcp://127.0.0.1:*").await.unwrap().to_string();
    let first = namesake(&endpoint).await;
    let peer = connected(&mut monitor).await;
    let second = namesake(&endpoint).await;
    let reason = event(&mut monitor, |event| match event {
        SocketEvent::HandshakeFailed { reason, .. } => Some(reason),
        _ => None,
    });
    assert_eq!(reason.await, HandshakeFailure::DuplicateRoutingId);
    router
        .send(peer.routing_id(), "to the first")
        .await
        .unwrap();
    assert_eq!(first.recv().await, message(["to the first"]));

    drop(first);
    let newcomer = connected(&mut monitor).await;
    assert_eq!(newcomer.routing_id(), peer.routing_id());
    router
        .send(peer.routing_id(), "to the second")
        .await
        .unwrap();
    assert_eq!(second.recv().await, message(["to the second"]));
}

/// K07
#[tokio::test]
async fn with_handover_a_newcomer_takes_the_id_and_the_old_connection_is_closed() {
    let Some(python) = Python::ready() else {
        return;
    };
    let router = RouterSocket::with_options(SocketOptions::new().router_handover()).unwrap();
    let mut monitor = router.monitor();
    let endpoint = router.bind("tcp://127.0.0.1:*").await.unwrap().to_string();
    let first = Pyzmq::new(&python, SocketType::Dealer);
    first.set("ROUTING_ID", "namesake").await;
    // It would come back and take the id over in turn.
    first.set("RECONNECT_IVL", -1).await;
    first.monitor().await;
    first.connect(&endpoint).await;
    let old = connected(&mut monitor).await;
    let second = namesake(&endpoint).await;
    let (lost, reason) = disconnected(&mut monitor).await;
    assert_eq!((&lost, reason), (&old, DisconnectReason::HandedOver));
    first.event("DISCONNECTED").await;

    router
        .send(old.routing_id(), "to the newcomer")
        .await
        .unwrap();
    assert_eq!(second.recv().await, message(["to the newcomer"]));
    second.send(["from the newcomer"]).await;
    let (peer, received) = soon(router.recv()).await.unwrap();
    assert_eq!(
        (peer.routing_id(), received),
        (old.routing_id(), message(["from the newcomer"]))
    );
    assert_ne!(peer, old);
}

/// K08: sooner than a heartbeat would tell that the old one is dead, and with handover whether that is known or not.
#[tokio::test]
async fn the_id_of_a_killed_peer_can_be_used_again() {
    let Some(python) = Python::ready() else {
        return;
    };
    for handover in [false, true] {
        let timeout = Duration::from_secs(10);
        let mut options = SocketOptions::new().heartbeat_timeout(timeout);
        if handover {
            options = options.router_handover();
        }
        let router = RouterSocket::with_options(options).unwrap();
        let endpoint = router.bind("tcp://127.0.0.1:*").await.unwrap().to_string();
        let mut old = None::<(Pyzmq, Peer)>;
        for _ in 0..3 {
            let theirs = Pyzmq::new(&python, SocketType::Dealer);
            theirs.set("ROUTING_ID", "namesake").await;
            let killed = Instant::now();
            if let Some((mut old, _)) = old.take() {
                old.process().kill().await;
            }
            theirs.connect(&endpoint).await;
            theirs.send(["hello"]).await;
            let (peer, _) = within(timeout, router.recv()).await.unwrap();
            assert_eq!(peer.routing_id().as_bytes(), b"namesake");
            router.send(peer.routing_id(), "welcome").await.unwrap();
            assert_eq!(theirs.recv().await, message(["welcome"]));
            assert!(killed.elapsed() < timeout);
            old = Some((theirs, peer));
        }
    }
}

/// K08, at once with handover: the old client is stopped, not killed, so that nothing tells that it will not come back.
#[tokio::test]
async fn with_handover_an_id_is_taken_from_a_client_that_is_silent() {
    let Some(python) = Python::ready() else {
        return;
    };
    let router = RouterSocket::with_options(SocketOptions::new().router_handover()).unwrap();
    let mut monitor = router.monitor();
    let endpoint = router.bind("tcp://127.0.0.1:*").await.unwrap().to_string();
    let mut old = namesake_of(&python, &endpoint).await;
    let first = connected(&mut monitor).await;
    old.process().stop();
    let new = namesake_of(&python, &endpoint).await;
    let second = connected(&mut monitor).await;
    assert_eq!(first.routing_id(), second.routing_id());
    router.send(second.routing_id(), "welcome").await.unwrap();
    assert_eq!(new.recv().await, message(["welcome"]));
    assert_eq!(
        disconnected(&mut monitor).await,
        (first, DisconnectReason::HandedOver)
    );
    old.process().kill().await;
}

async fn namesake_of(python: &Python, endpoint: &str) -> Pyzmq {
    let dealer = Pyzmq::new(python, SocketType::Dealer);
    dealer.set("ROUTING_ID", "namesake").await;
    dealer.connect(endpoint).await;
    dealer
}

async fn namesake(endpoint: &str) -> Libzmq {
    let dealer = Libzmq::new(SocketType::Dealer);
    dealer
        .run(|socket| socket.set_identity(b"namesake").unwrap())
        .await;
    dealer.connect(endpoint).await;
    dealer
}
