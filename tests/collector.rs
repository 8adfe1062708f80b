//! The collector: a SUB to publishers and a PULL to those who push, on one endpoint.

mod support;

use privateer::core::{
    CollectorSocket, HandshakeError, HandshakeFailure, Linger, PubSocket, PullSocket, PushSocket,
    SocketOptions, SocketType, XpubSocket,
};
use support::sockets::{Socket, Transport, eager, link, message, soon, until};

/// What it receives is what publishers were asked for, and all that is pushed.
#[tokio::test]
async fn it_is_a_sub_to_publishers_and_a_pull_to_those_who_push() {
    for transport in Transport::KINDS {
        let collector = CollectorSocket::usual();
        collector.subscribe("yes").unwrap();
        let (push, publisher, xpub) =
            (PushSocket::usual(), PubSocket::usual(), XpubSocket::usual());
        let linked = link(&collector, &push, transport).await;
        publisher.connect_to(&linked.endpoint);
        xpub.connect_to(&linked.endpoint);
        soon(publisher.wait_for("yes", 1)).await;
        soon(xpub.wait_for("yes", 1)).await;
        assert_eq!(push.first_peer().socket_type(), SocketType::Pull);
        assert_eq!(publisher.first_peer().socket_type(), SocketType::Sub);
        assert_eq!(xpub.first_peer().socket_type(), SocketType::Sub);

        push.send(message(["no", "body"])).await.unwrap();
        let (peer, received) = soon(collector.recv_from()).await.unwrap();
        assert_eq!(received, message(["no", "body"]), "{transport:?}");
        assert_eq!(peer.socket_type(), SocketType::Push);
        for text in ["no", "yes, we do"] {
            publisher.send(text).await.unwrap();
            xpub.send(text).await.unwrap();
        }
        for _ in 0..2 {
            let received = soon(collector.recv()).await.unwrap();
            assert_eq!(received, message(["yes, we do"]), "{transport:?}");
        }
        assert!(collector.try_recv().is_err());
        assert_eq!(
            (publisher.counts().unmatched, xpub.counts().unmatched),
            (1, 1)
        );
    }
}

/// It may also be the one that connects; its subscriptions are told again to a publisher that comes back.
#[tokio::test]
async fn it_connects_as_either_and_comes_back() {
    for transport in Transport::RECONNECTING {
        let (first, second) = (transport.place(), transport.place());
        let collector = CollectorSocket::with(eager());
        collector.subscribe("a").unwrap();
        collector.try_connect_to(&first.endpoint).unwrap();
        collector.try_connect_to(&second.endpoint).unwrap();
        let push = PushSocket::usual();
        push.bind_to(&second.endpoint).await;
        push.send("pushed").await.unwrap();
        let received = soon(collector.recv()).await.unwrap();
        assert_eq!(received, message(["pushed"]));
        for _ in 0..2 {
            let publisher = PubSocket::usual();
            publisher.bind_to(&first.endpoint).await;
            soon(publisher.wait_for("a", 1)).await;
            publisher.send("abc").await.unwrap();
            let received = soon(collector.recv()).await.unwrap();
            assert_eq!(received, message(["abc"]), "{transport:?}");
            publisher.end(Linger::Discard).await;
        }
    }
}

/// The barrier is for publishers: who pushes has nothing to hear of.
#[tokio::test]
async fn its_barrier_counts_publishers() {
    for transport in Transport::KINDS {
        let collector = CollectorSocket::usual();
        let push = PushSocket::usual();
        let linked = link(&collector, &push, transport).await;
        let publisher = PubSocket::usual();
        publisher.connect_to(&linked.endpoint);
        until(|| collector.peers().len() == 2).await;
        collector.subscribe("").unwrap();
        let subscribed = soon(collector.subscribed(1)).await;
        assert_eq!(subscribed.confirmed.len(), 1);
        assert_eq!(subscribed.confirmed[0].socket_type(), SocketType::Pub);
        publisher.send("first").await.unwrap();
        let received = soon(collector.recv()).await.unwrap();
        assert_eq!(received, message(["first"]), "{transport:?}");
    }
}

/// Nobody else may be its peer.
#[tokio::test]
async fn others_are_refused() {
    for transport in [Transport::Tcp, Transport::IpcPath] {
        let place = transport.place();
        let collector = CollectorSocket::usual();
        let mut watch = collector.watch();
        let endpoint = collector.bind_to(&place.endpoint).await;
        let pull = PullSocket::with(SocketOptions::new());
        pull.connect_to(&endpoint);
        let expected = HandshakeError::SocketType {
            local: SocketType::Collector,
            peer: SocketType::Pull,
        };
        let reason = watch.handshake_failed().await;
        assert_eq!(reason, HandshakeFailure::Protocol(expected));
    }
}
