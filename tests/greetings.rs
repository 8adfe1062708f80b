//! The first and the last message of a connection, and names for those whom a ROUTER connects to.
#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

mod support;

use std::num::NonZeroUsize;

use privateer::core::{
    ConnectError, DealerSocket, Frame, Linger, Message, PeerEvent, RepSocket, ReqSocket,
    RouterNotify, RouterSocket, RoutingId, SendErrorKind, SocketOptions,
};
use support::sockets::{Socket, Transport, eager, link, message, soon, until};

fn id(name: &str) -> RoutingId {
    RoutingId::new(name.to_owned()).unwrap()
}

fn empty() -> Message {
    Message::from(Frame::empty())
}

/// What is received next.
async fn next(router: &RouterSocket) -> Message {
    soon(router.recv()).await.unwrap().1
}

/// K09, HELLO_MSG and PROBE_ROUTER: both precede what is queued, on each connection, also on those that come later.
#[tokio::test]
async fn hello_and_probe_precede_what_is_queued_on_each_connection() {
    for transport in Transport::KINDS {
        let place = transport.place();
        let options = eager().inproc_reattach().probe_router();
        let dealer = DealerSocket::with(options.hello_message(message(["hello", "you"])));
        dealer.try_connect_to(&place.endpoint).unwrap();
        dealer.send("queued").await.unwrap();
        for queued in ["queued", "meanwhile"] {
            let router = RouterSocket::usual();
            let mut watch = dealer.watch();
            router.bind_to(&place.endpoint).await;
            assert_eq!(next(&router).await, message(["hello", "you"]));
            assert_eq!(next(&router).await, empty(), "{transport:?}");
            assert_eq!(next(&router).await, message([queued]));
            router.end(Linger::Discard).await;
            watch.disconnected().await;
            dealer.send("meanwhile").await.unwrap();
        }
    }
}

/// K09, PROBE_ROUTER: each of the types that have it tells a ROUTER that it is there, whichever side connects.
#[tokio::test]
async fn a_probe_tells_a_router_who_is_there() {
    async fn check(prober: impl Socket, transport: Transport) {
        let router = RouterSocket::usual();
        let _linked = link(&router, &prober, transport).await;
        let (peer, probe) = soon(router.recv()).await.unwrap();
        assert_eq!((peer, probe), (router.first_peer(), empty()));
        prober.end(Linger::Discard).await;
    }
    let probing = || SocketOptions::new().probe_router();
    for transport in Transport::KINDS {
        check(ReqSocket::with(probing()), transport).await;
        check(DealerSocket::with(probing()), transport).await;
        check(RouterSocket::with(probing()), transport).await;

        let (binder, connector) = (RouterSocket::with(probing()), RouterSocket::usual());
        let _linked = link(&binder, &connector, transport).await;
        assert_eq!(next(&connector).await, empty());
    }
}

/// K09, PROBE_ROUTER: nobody else could tell it from a message.
#[tokio::test]
async fn only_routers_are_probed() {
    for transport in Transport::KINDS {
        let dealer = DealerSocket::with(SocketOptions::new().probe_router());
        let rep = RepSocket::usual();
        let _linked = link(&rep, &dealer, transport).await;
        dealer.send(message(["", "question"])).await.unwrap();
        assert_eq!(soon(rep.recv()).await.unwrap(), message(["question"]));
        assert_eq!(rep.counts().dropped_no_delimiter, 0);
    }
}

/// K09, ROUTER_NOTIFY: an empty message before all others of a peer and one behind them, as they were asked for.
#[tokio::test]
async fn a_router_is_notified_of_peers_in_order_with_their_messages() {
    for transport in Transport::KINDS {
        for (notify, first, last) in [
            (RouterNotify::Off, false, false),
            (RouterNotify::Connects, true, false),
            (RouterNotify::Disconnects, false, true),
            (RouterNotify::Both, true, true),
        ] {
            let router = RouterSocket::with(SocketOptions::new().router_notify(notify));
            let dealer = DealerSocket::usual();
            let _linked = link(&router, &dealer, transport).await;
            dealer.send("first").await.unwrap();
            dealer.send(message(["", "second"])).await.unwrap();
            dealer.end(Linger::Forever).await;
            let mut expected = vec![message(["first"]), message(["", "second"])];
            if first {
                expected.insert(0, empty());
            }
            expected.extend(last.then(empty));
            let mut received = Vec::new();
            loop {
                match soon(router.recv_event()).await.unwrap() {
                    PeerEvent::Message(_, message) => received.push(message),
                    PeerEvent::Down(_) => break,
                    _ => {}
                }
            }
            assert_eq!(received, expected, "{transport:?} {notify:?}");
        }
    }
}

/// K09, DISCONNECT_MSG: in the name of a peer that had connected and is gone, behind its last message; not of one that
/// this side closed.
#[tokio::test]
async fn a_disconnect_message_stands_for_a_peer_that_is_gone() {
    for transport in Transport::KINDS {
        let options = SocketOptions::new().disconnect_message(message(["", "gone"]));
        let router = RouterSocket::with(options);
        let dealer = DealerSocket::with(SocketOptions::new().routing_id(id("client")));
        let _linked = link(&router, &dealer, transport).await;
        dealer.send("last").await.unwrap();
        dealer.end(Linger::Forever).await;
        assert_eq!(next(&router).await, message(["last"]));
        let (peer, gone) = soon(router.recv()).await.unwrap();
        assert_eq!(peer.routing_id(), &id("client"));
        assert_eq!(gone, message(["", "gone"]), "{transport:?}");

        // The other way round it had not connected to the router.
        let place = transport.place();
        let dealer = DealerSocket::usual();
        let endpoint = dealer.bind_to(&place.endpoint).await;
        let mut watch = router.watch();
        router.connect_to(&endpoint);
        watch.connected().await;
        dealer.end(Linger::Discard).await;
        watch.disconnected().await;
        assert!(router.try_recv().is_err(), "{transport:?}");
    }
}

/// K09, HICCUP_MSG: each time that a connection is lost which this side had made, behind all that came by it; not when
/// this side ends it.
#[tokio::test]
async fn a_hiccup_message_stands_for_a_lost_connection() {
    for transport in Transport::KINDS {
        let place = transport.place();
        let dealer = DealerSocket::with(eager().inproc_reattach().hiccup_message("hiccup"));
        dealer.try_connect_to(&place.endpoint).unwrap();
        for round in ["one", "two"] {
            let router = RouterSocket::usual();
            let mut watch = router.watch();
            router.bind_to(&place.endpoint).await;
            let peer = watch.connected().await;
            router.send(&peer, round).await.unwrap();
            router.end(Linger::Forever).await;
            for expected in [round, "hiccup"] {
                let received = soon(dealer.recv()).await.unwrap();
                assert_eq!(received, message([expected]), "{transport:?}");
            }
        }
        let router = RouterSocket::usual();
        let mut watch = dealer.watch();
        let endpoint = router.bind_to(&place.endpoint).await;
        watch.connected().await;
        let _report = soon(dealer.disconnect(&endpoint)).await.unwrap();
        watch.disconnected().await;
        assert!(dealer.try_recv().is_err(), "{transport:?}");
    }
}

/// K09, CONNECT_ROUTING_ID: a ROUTER sends by the name that it gave, before anybody is there and to each who comes.
#[tokio::test]
async fn a_name_for_an_endpoint_can_be_sent_to_at_once() {
    for transport in Transport::KINDS {
        let place = transport.place();
        let router = RouterSocket::with(eager().inproc_reattach());
        router.connect_as(&*place.endpoint, id("server")).unwrap();
        router.send(&id("server"), "early").await.unwrap();
        // What it calls itself does not count.
        let server = || DealerSocket::with(SocketOptions::new().routing_id(id("other")));
        for expected in ["early", "meanwhile"] {
            let dealer = server();
            let mut watch = router.watch();
            dealer.bind_to(&place.endpoint).await;
            assert_eq!(soon(dealer.recv()).await.unwrap(), message([expected]));
            let peer = watch.connected().await;
            dealer.send("reply").await.unwrap();
            let (from, reply) = soon(router.recv()).await.unwrap();
            assert_eq!((from, reply), (peer.clone(), message(["reply"])));
            assert_eq!(peer.routing_id(), &id("server"), "{transport:?}");
            dealer.end(Linger::Discard).await;
            watch.disconnected().await;
            let stale = router.try_send(&peer, "nobody").unwrap_err();
            assert_eq!(stale.kind(), SendErrorKind::Unroutable);
            router.send(&id("server"), "meanwhile").await.unwrap();
        }
    }
}

/// K09, CONNECT_ROUTING_ID: with `immediate` nothing waits for a peer that is not there.
#[tokio::test]
async fn a_name_takes_nothing_early_with_immediate() {
    for transport in Transport::KINDS {
        let place = transport.place();
        let router = RouterSocket::with(eager().immediate());
        router.connect_as(&*place.endpoint, id("server")).unwrap();
        let early = router.send(&id("server"), "early").await.unwrap_err();
        assert_eq!(early.kind(), SendErrorKind::Unroutable);
        let mut watch = router.watch();
        let dealer = DealerSocket::usual();
        dealer.bind_to(&place.endpoint).await;
        watch.connected().await;
        router.send(&id("server"), "now").await.unwrap();
        assert_eq!(soon(dealer.recv()).await.unwrap(), message(["now"]));
    }
}

/// K09, CONNECT_ROUTING_ID: a name that is taken is an error, where libzmq ends the process; it is free when the endpoint
/// is.
#[tokio::test]
async fn a_name_belongs_to_one_endpoint_until_that_is_disconnected() {
    for transport in Transport::KINDS {
        let router = RouterSocket::usual();
        let taken = |name| ConnectError::RoutingIdTaken {
            routing_id: id(name),
        };
        let (place, other) = (transport.place(), transport.place());
        router.connect_as(&*place.endpoint, id("one")).unwrap();
        let again = router.connect_as(&*other.endpoint, id("one"));
        assert_eq!(again, Err(taken("one")));

        // A peer's own name is taken as well, and a peer cannot take one.
        let named = |name| DealerSocket::with(SocketOptions::new().routing_id(id(name)));
        let dealer = named("two");
        let linked = link(&router, &dealer, transport).await;
        let own = router.connect_as(&*other.endpoint, id("two"));
        assert_eq!(own, Err(taken("two")));
        let mut watch = router.watch();
        let thief = named("one");
        thief.connect_to(&linked.endpoint);
        watch.handshake_failed().await;

        let _report = soon(router.disconnect(&*place.endpoint)).await.unwrap();
        let gone = router.try_send(&id("one"), "nobody").unwrap_err();
        assert_eq!(gone.kind(), SendErrorKind::Unroutable);
        drop(thief);
        until(|| router.connect_as(&*other.endpoint, id("one")).is_ok()).await;
    }
}

/// K09, CONNECT_ROUTING_ID: what waits for a name is bounded as any queue, and whoever waits goes on when the peer is
/// there.
#[tokio::test]
async fn a_name_has_a_mark_as_any_peer() {
    for transport in Transport::KINDS {
        let place = transport.place();
        let router = RouterSocket::with(SocketOptions::new().send_hwm(NonZeroUsize::new(2)));
        router.connect_as(&*place.endpoint, id("server")).unwrap();
        for _ in 0..2 {
            router.try_send(&id("server"), "early").unwrap();
        }
        let full = router.try_send(&id("server"), "late").unwrap_err();
        assert!(full.would_block());
        let server = id("server");
        let send = router.send(&server, "late");
        let receive = async {
            let dealer = DealerSocket::usual();
            dealer.bind_to(&place.endpoint).await;
            for expected in ["early", "early", "late"] {
                assert_eq!(dealer.recv().await.unwrap(), message([expected]));
            }
        };
        let (sent, ()) = soon(async { tokio::join!(send, receive) }).await;
        sent.unwrap();
    }
}
