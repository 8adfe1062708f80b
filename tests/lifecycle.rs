//! Bind, connect, unbind, disconnect, and connecting again.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

use std::io;
use std::time::Duration;

use privateer::core::{
    BindError, ConnectError, DealerSocket, DisconnectReason, EndpointError, EndpointNotFound,
    FailureClass, Linger, NoRuntime, PairSocket, PullSocket, PushSocket, RepSocket, ReqSocket,
    RouterSocket, SocketEvent, SocketOptions, SocketType,
};

mod support;
use support::sockets::{Linked, Socket, Transport, eager, link, message, number, soon, texts};

/// Q08: the address is free when `unbind` returns; connections that were accepted live on.
#[tokio::test]
async fn unbind_frees_the_address_and_keeps_peers() {
    for transport in Transport::KNOWN {
        let (dealer, client) = (DealerSocket::usual(), DealerSocket::usual());
        let Linked { endpoint, .. } = &link(&dealer, &client, transport).await;
        for _ in 0..20 {
            soon(dealer.unbind(endpoint)).await.unwrap();
            let next = PairSocket::usual();
            next.bind_to(&endpoint.to_string()).await;
            soon(next.unbind(endpoint)).await.unwrap();
            dealer.bind_to(&endpoint.to_string()).await;
        }
        soon(dealer.unbind(endpoint)).await.unwrap();
        dealer.send("still there").await.unwrap();
        assert_eq!(soon(client.recv()).await.unwrap()[0], "still there");
        client.send("so am I").await.unwrap();
        assert_eq!(soon(dealer.recv()).await.unwrap()[0], "so am I");
        let unknown = soon(dealer.unbind(endpoint)).await.unwrap_err();
        assert_eq!(
            unknown,
            EndpointNotFound::NotFound {
                endpoint: endpoint.clone()
            }
        );
        assert!(unknown.to_string().contains("bind returns the name to use"));
    }
}

/// §3.5: a socket knows its type.
#[tokio::test]
async fn sockets_tell_their_type() {
    macro_rules! assert_types {
        ($($socket:ident: $kind:ident,)*) => {
            $(assert_eq!($socket::usual().socket_type(), SocketType::$kind);)*
        };
    }
    assert_types! {
        PairSocket: Pair, PushSocket: Push, PullSocket: Pull, DealerSocket: Dealer, RouterSocket: Router,
        ReqSocket: Req, RepSocket: Rep,
    }
}

/// What was sent stays counted when the endpoint that it went to is gone.
#[tokio::test]
async fn what_was_sent_stays_counted() {
    for transport in Transport::KINDS {
        let (push, pull) = (PushSocket::usual(), PullSocket::usual());
        let Linked { endpoint, .. } = &link(&pull, &push, transport).await;
        let (pair, other) = (PairSocket::usual(), PairSocket::usual());
        let pairs = link(&other, &pair, transport).await;
        for _ in 0..3 {
            push.send("12345678").await.unwrap();
            pair.send("12345678").await.unwrap();
            soon(pull.recv()).await.unwrap();
            soon(other.recv()).await.unwrap();
        }
        assert_eq!(soon(push.disconnect(endpoint)).await.unwrap().unsent, 0);
        assert_eq!(
            soon(pair.disconnect(&pairs.endpoint)).await.unwrap().unsent,
            0
        );
        for stats in [push.counts(), pair.counts()] {
            assert_eq!((stats.sent, stats.sent_bytes), (3, 30), "{transport:?}");
        }
    }
}

/// Q08: an endpoint with wildcards can be unbound as it was written, or as it was resolved.
#[tokio::test]
async fn unbind_takes_the_wildcard_or_the_resolved_endpoint() {
    for wildcard in [
        "tcp://127.0.0.1:*",
        "tcp://127.0.0.1:0",
        "tcp://*:*",
        "ipc://*",
    ] {
        let pull = PullSocket::usual();
        let resolved = pull.bind_to(wildcard).await;
        assert!(!resolved.to_string().contains('*'), "{resolved}");
        soon(pull.unbind(wildcard)).await.unwrap();
        let again = pull.bind_to(wildcard).await;
        soon(pull.unbind(&again)).await.unwrap();
        assert!(soon(pull.unbind(wildcard)).await.is_err());
        // Nobody is there any more.
        let push = PushSocket::with(eager());
        let mut watch = push.watch();
        let reachable = resolved.to_string().replace("0.0.0.0", "127.0.0.1");
        push.try_connect_to(&reachable).unwrap();
        let failure = watch.retrying().await;
        assert_eq!(failure.class(), FailureClass::Refused);
    }
}

/// §4.13: `bind` tells where it listens, by return value and by event.
#[tokio::test]
async fn bind_tells_where_it_listens() {
    for transport in Transport::ALL {
        let pull = PullSocket::usual();
        let mut watch = pull.watch();
        let place = transport.place();
        let endpoint = pull.bind_to(&place.endpoint).await;
        let event = soon(watch.0.next()).await.unwrap().unwrap();
        assert!(matches!(event, SocketEvent::Listening { endpoint: told } if told == endpoint));
    }
}

/// Q10, case 1: without `immediate`, messages go to endpoints that are not connected, too.
#[tokio::test]
async fn round_robin_counts_endpoints_that_are_not_connected() {
    for transport in Transport::RECONNECTING {
        let (push, pull) = (PushSocket::with(eager()), PullSocket::usual());
        let nobody = transport.place();
        push.try_connect_to(&nobody.endpoint).unwrap();
        let _linked = link(&pull, &push, transport).await;
        for i in 0..10 {
            push.send(i.to_string()).await.unwrap();
        }
        for _ in 0..5 {
            soon(pull.recv()).await.unwrap();
        }
        assert_eq!(push.end(Linger::Discard).await, 5);
        assert!(pull.try_recv().is_err());
    }
}

/// Q10, case 2: with it, all go to the one that is.
#[tokio::test]
async fn immediate_sends_to_established_connections_only() {
    for transport in Transport::KINDS {
        let (push, pull) = (PushSocket::with(eager().immediate()), PullSocket::usual());
        let nobody = transport.place();
        push.try_connect_to(&nobody.endpoint).unwrap();
        assert!(push.try_send("nobody").unwrap_err().would_block());
        let _linked = link(&pull, &push, transport).await;
        for i in 0..10 {
            push.send(i.to_string()).await.unwrap();
        }
        for i in 0..10 {
            assert_eq!(number(&soon(pull.recv()).await.unwrap()), i);
        }
        assert_eq!(push.end(Linger::Discard).await, 0);
    }
}

/// Q10, case 3: with it, sending waits while the connection is lost, and what was queued for it is gone.
#[tokio::test]
async fn immediate_waits_for_the_next_connection() {
    for transport in Transport::RECONNECTING {
        let place = transport.place();
        let push = PushSocket::with(eager().immediate());
        let pull = PullSocket::usual();
        let mut watch = push.watch();
        let endpoint = pull.bind_to(&place.endpoint).await;
        push.connect_to(&endpoint);
        watch.connected().await;
        push.send("received").await.unwrap();
        soon(pull.recv()).await.unwrap();
        pull.end(Linger::Discard).await;
        watch.disconnected().await;
        assert!(push.try_send("nobody").unwrap_err().would_block());

        let next = PullSocket::usual();
        let bind = next.bind_to(&place.endpoint);
        let (sent, _) = soon(async { tokio::join!(push.send("next"), bind) }).await;
        sent.unwrap();
        assert_eq!(soon(next.recv()).await.unwrap()[0], "next");
    }
}

/// The hello message is the first on every connection, before what is queued.
#[tokio::test]
async fn the_hello_message_comes_first_on_every_connection() {
    for transport in Transport::KNOWN {
        let place = transport.place();
        let hello = message(["hello", "you"]);
        let dealer = DealerSocket::with(eager().inproc_reattach().hello_message(hello.clone()));
        dealer.try_connect_to(&place.endpoint).unwrap();
        dealer.send("queued").await.unwrap();
        for queued in ["queued", "meanwhile"] {
            let router = RouterSocket::usual();
            let mut watch = dealer.watch();
            router.bind_to(&place.endpoint).await;
            assert_eq!(soon(router.recv()).await.unwrap().1, hello, "{transport:?}");
            assert_eq!(soon(router.recv()).await.unwrap().1[0], queued);
            router.end(Linger::Discard).await;
            watch.disconnected().await;
            dealer.send("meanwhile").await.unwrap();
        }
    }
}

/// A bound socket greets everybody who connects.
#[tokio::test]
async fn a_bound_socket_greets_each_peer() {
    for transport in Transport::KINDS {
        let router = RouterSocket::with(SocketOptions::new().hello_message("welcome"));
        let place = transport.place();
        let endpoint = router.bind_to(&place.endpoint).await;
        for _ in 0..3 {
            let dealer = DealerSocket::usual();
            dealer.connect_to(&endpoint);
            assert_eq!(soon(dealer.recv()).await.unwrap()[0], "welcome");
        }
    }
}

/// §4.3: what is queued while the server is away goes out when it is back, in order, nothing twice.
#[tokio::test]
async fn queued_messages_survive_a_restart_of_the_server() {
    for transport in Transport::KNOWN {
        let place = transport.place();
        let push = PushSocket::with(eager().inproc_reattach());
        push.try_connect_to(&place.endpoint).unwrap();
        let mut next = 0;
        for _ in 0..10 {
            let first = next;
            for _ in 0..50 {
                push.send(message([&next.to_string(), "", "body"]))
                    .await
                    .unwrap();
                next += 1;
            }
            let mut watch = push.watch();
            let pull = PullSocket::usual();
            pull.bind_to(&place.endpoint).await;
            for i in first..next {
                assert_eq!(
                    texts(&soon(pull.recv()).await.unwrap()),
                    [&i.to_string(), "", "body"]
                );
            }
            pull.end(Linger::Discard).await;
            watch.disconnected().await;
        }
    }
}

/// §4.3: DEALER connects to one endpoint once, PUSH as often as it is told.
#[tokio::test]
async fn connecting_twice_makes_one_or_two_connections() {
    for transport in Transport::KINDS {
        for (dealer_peers, twice) in [(1, true), (1, false)] {
            let (router, dealer) = (RouterSocket::usual(), DealerSocket::usual());
            let Linked { endpoint, .. } = &link(&router, &dealer, transport).await;
            if twice {
                dealer.connect_to(endpoint);
            }
            assert_eq!(dealer.peers().len(), dealer_peers);
        }
        let (pull, push) = (PullSocket::usual(), PushSocket::usual());
        let Linked { endpoint, .. } = &link(&pull, &push, transport).await;
        let mut watch = pull.watch();
        push.connect_to(endpoint);
        watch.connected().await;
        // Disconnecting takes back both.
        let _report = soon(push.disconnect(endpoint)).await.unwrap();
        for _ in 0..2 {
            assert_eq!(watch.disconnected().await.1, DisconnectReason::ClosedByPeer);
        }
        let again = soon(push.disconnect(endpoint)).await.unwrap_err();
        assert!(matches!(again, EndpointNotFound::NotFound { .. }));
    }
}

/// §4.3: text that is no endpoint is an error at once, and says what to write instead.
#[tokio::test]
async fn bad_endpoints_name_the_remedy() {
    let (pull, push) = (PullSocket::usual(), PushSocket::usual());
    let connect = [
        ("127.0.0.1:5555", "begin it with tcp://"),
        ("http://host:80", "known are tcp, ipc, inproc"),
        ("tcp://host", "write host:port"),
        ("tcp://host:port", "write a number from 1 to 65535"),
        ("tcp://host:99999", "write a number from 1 to 65535"),
        ("tcp://a host:1", "without spaces"),
        ("tcp://*:5555", "name one"),
        ("tcp://host:*", "write the port that the peer is bound to"),
        ("tcp://host:0", "write the port that the peer is bound to"),
        ("ipc://*", "write the path that the peer is bound to"),
        ("ipc://", "needs a path"),
        ("inproc://", "a name, as in inproc://workers"),
    ];
    for (text, remedy) in connect {
        let ConnectError::Endpoint(error) = push.connect(text).unwrap_err() else {
            panic!("{text}")
        };
        assert!(error.to_string().contains(remedy), "{text}: {error}");
    }
    let too_long = format!("ipc:///{}", "x".repeat(107));
    for text in ["tcp://host", "tcp://127.0.0.1:1;127.0.0.1:2", &too_long] {
        assert!(
            matches!(pull.bind(text).await, Err(BindError::Endpoint(_))),
            "{text}"
        );
    }
    let unbound = pull.unbind("tcp://host").await.unwrap_err();
    assert!(matches!(
        unbound,
        EndpointNotFound::Endpoint(EndpointError::MissingPort { .. })
    ));
}

/// An address that somebody listens on is an error that names it.
#[tokio::test]
async fn a_taken_address_is_an_error() {
    for transport in Transport::KNOWN {
        let (first, second) = (PullSocket::usual(), PullSocket::usual());
        let place = transport.place();
        let endpoint = first.bind_to(&place.endpoint).await;
        let error = second.bind(&endpoint).await.unwrap_err();
        assert!(
            matches!(&error, BindError::InUse { endpoint: taken } if *taken == endpoint),
            "{error}"
        );
        assert!(error.to_string().contains(&endpoint.to_string()));
        // Not even the same socket can.
        assert!(matches!(
            first.bind(&endpoint).await,
            Err(BindError::InUse { .. })
        ));
        soon(first.unbind(&endpoint)).await.unwrap();
        second.bind_to(&endpoint.to_string()).await;
    }
    let pull = PullSocket::usual();
    let error = pull.bind("ipc:///nowhere/at/all").await.unwrap_err();
    assert!(
        matches!(&error, BindError::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
    );
    // An address of a network that is for documentation only.
    let error = pull.bind("tcp://192.0.2.1:*").await.unwrap_err();
    assert!(matches!(error, BindError::Io { .. }), "{error}");
}

/// Without a runtime a socket cannot be made; with the handle of one it can.
#[test]
fn a_socket_needs_a_runtime() {
    let error = PushSocket::new().unwrap_err();
    assert_eq!(error, NoRuntime::Absent);
    assert!(error.to_string().contains("SocketOptions::runtime"));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let options = || SocketOptions::new().runtime(runtime.handle().clone());
    let (pull, push) = (PullSocket::with(options()), PushSocket::with(options()));
    let received = runtime.block_on(async {
        let endpoint = pull.bind_to("tcp://127.0.0.1:*").await;
        push.connect_to(&endpoint);
        push.send("1").await.unwrap();
        soon(pull.recv()).await.unwrap()
    });
    assert_eq!(received[0], "1");
    drop((pull, push));
}

/// §4.3: a server that is not there is no error, and each try is told of.
#[tokio::test]
async fn an_absent_server_is_tried_again() {
    for transport in Transport::RECONNECTING {
        let place = transport.place();
        let push = PushSocket::with(eager());
        let mut watch = push.watch();
        push.try_connect_to(&place.endpoint).unwrap();
        for _ in 0..5 {
            let failure = watch.retrying().await;
            assert_eq!(failure.class(), FailureClass::Refused);
        }
        let pull = PullSocket::usual();
        pull.bind_to(&place.endpoint).await;
        watch.connected().await;
        let _report = soon(push.close_with(Linger::For(Duration::from_secs(5)))).await;
    }
}
