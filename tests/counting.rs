//! What a socket counts explains every message: where it is, or why it is not there any more (data path, rule 17).

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

use std::time::Duration;

use privateer::core::{
    DealerSocket, DropReason, Linger, PairSocket, Peer, PullSocket, PushSocket, RouterSocket,
    RoutingId, SocketEvent, SocketOptions, SocketStats,
};

mod support;
use support::sockets::{Linked, Socket, Transport, Watch, eager, link, number, soon, until};

/// What waits over inproc is what the other socket has not received, whether its credit has returned or not.
#[tokio::test]
async fn what_is_received_over_inproc_is_not_queued() {
    let (push, pull) = (PushSocket::usual(), PullSocket::usual());
    let _linked = link(&pull, &push, Transport::Inproc).await;
    for i in 0..1200 {
        push.try_send(i.to_string()).unwrap();
    }
    let peer = push.first_peer();
    for received in 1..=1200 {
        pull.try_recv().unwrap();
        assert_eq!(peer.queued(), 1200 - received);
        assert_eq!(push.stats().queued, 1200 - received as u64);
    }
    assert!(pull.try_recv().is_err());
    assert_eq!((peer.queued(), push.stats().sent), (0, 1200));
}

/// Over inproc nothing is lost that the other socket can still receive.
#[tokio::test]
async fn what_can_still_be_received_over_inproc_is_not_lost() {
    for bound in [true, false] {
        let (push, pull) = (PushSocket::usual(), PullSocket::usual());
        let (binder, connector) = (Transport::Inproc.place(), Transport::Inproc.place());
        let endpoint = if bound {
            pull.try_connect_to(&binder.endpoint).unwrap();
            push.bind_to(&binder.endpoint).await;
            &binder.endpoint
        } else {
            push.try_connect_to(&connector.endpoint).unwrap();
            pull.bind_to(&connector.endpoint).await;
            &connector.endpoint
        };
        for i in 0..10 {
            push.try_send(i.to_string()).unwrap();
        }
        for i in 0..3 {
            assert_eq!(number(&pull.try_recv().unwrap()), i);
        }
        let mut watch = push.watch();
        if bound {
            assert_eq!(soon(pull.disconnect(&**endpoint)).await.unwrap().unsent, 0);
        } else {
            assert_eq!(soon(push.disconnect(&**endpoint)).await.unwrap().unsent, 0);
        }
        watch.disconnected().await;
        assert_eq!(explained(push.stats()), (10, 0, 0, 0));
        for i in 3..10 {
            assert_eq!(number(&pull.try_recv().unwrap()), i);
        }
    }
}

/// Over inproc what a socket that closes has not received is lost, all of it and no more, and an event tells.
#[tokio::test]
async fn what_nobody_received_over_inproc_is_lost() {
    let (router, dealer) = (RouterSocket::usual(), DealerSocket::usual());
    let _linked = link(&router, &dealer, Transport::Inproc).await;
    let peer = router.first_peer();
    for i in 0..10 {
        router.try_send(&peer, i.to_string()).unwrap();
        dealer.try_send(i.to_string()).unwrap();
    }
    for _ in 0..3 {
        dealer.try_recv().unwrap();
    }
    let mut watch = router.watch();
    dealer.end(Linger::Discard).await;
    let dropped = dropped(&mut watch).await;
    assert_eq!(dropped, (Some(peer), DropReason::ConnectionLost, 7));
    assert_eq!(explained(router.stats()), (10, 0, 7, 0));
    assert_eq!(router.stats().received, 10);
    for i in 0..10 {
        assert_eq!(number(&router.try_recv().unwrap().1), i);
    }
}

/// A peer whose routing id is taken over can still receive what was sent to it.
#[tokio::test]
async fn a_displaced_inproc_peer_loses_nothing() {
    let router = RouterSocket::with(SocketOptions::new().router_handover());
    let named = || SocketOptions::new().routing_id(RoutingId::new("name").unwrap());
    let (old, new) = (DealerSocket::with(named()), DealerSocket::with(named()));
    let Linked { endpoint, .. } = &link(&router, &old, Transport::Inproc).await;
    router
        .try_send(&router.first_peer(), "to the old one")
        .unwrap();
    new.connect_to(endpoint);
    assert_eq!(explained(router.stats()), (1, 0, 0, 0));
    assert_eq!(old.try_recv().unwrap()[0], "to the old one");
}

/// Over a network: what was sent arrives, is queued, or is lost with its connection.
#[tokio::test]
async fn what_is_lost_with_a_connection_is_counted() {
    for transport in [Transport::Tcp, Transport::IpcPath] {
        let (router, dealer) = (RouterSocket::usual(), DealerSocket::usual());
        let _linked = link(&router, &dealer, transport).await;
        let peer = router.first_peer();
        let mut sent = 0;
        while router.try_send(&peer, vec![0; 20_000]).is_ok() {
            sent += 1;
            tokio::task::yield_now().await;
        }
        let waiting = peer.queued() as u64;
        assert!(waiting > 0);
        assert_eq!(explained(router.stats()), (sent, waiting, 0, 0));
        let mut watch = router.watch();
        dealer.end(Linger::Discard).await;
        let (of, reason, lost) = dropped(&mut watch).await;
        assert_eq!((of, reason), (Some(peer), DropReason::ConnectionLost));
        assert_eq!(explained(router.stats()), (sent, 0, lost, 0));
    }
}

/// What `disconnect` reports as unsent is counted, and what it has sent stays counted.
#[tokio::test]
async fn what_disconnect_leaves_unsent_is_counted() {
    for transport in Transport::KNOWN {
        let place = transport.place();
        let push = PushSocket::with(eager().linger(Linger::Discard));
        let mut watch = push.watch();
        push.try_connect_to(&place.endpoint).unwrap();
        let pull = PullSocket::usual();
        pull.bind_to(&place.endpoint).await;
        push.send("arrives").await.unwrap();
        soon(pull.recv()).await.unwrap();
        pull.end(Linger::Discard).await;
        watch.disconnected().await;
        if transport == Transport::Inproc {
            push.try_connect_to(&place.endpoint).unwrap();
        }
        for i in 0..5 {
            push.send(i.to_string()).await.unwrap();
        }
        assert_eq!(explained(push.stats()), (6, 5, 0, 0), "{transport:?}");
        let report = soon(push.disconnect(&*place.endpoint)).await.unwrap();
        assert_eq!(report.unsent, 5);
        let dropped = dropped(&mut watch).await;
        assert_eq!(dropped, (None, DropReason::LingerOver, 5));
        assert_eq!(explained(push.stats()), (6, 0, 0, 5), "{transport:?}");
    }
}

/// While `disconnect` waits, what waits with it is counted once.
#[tokio::test]
async fn what_waits_with_a_disconnect_is_counted() {
    for transport in Transport::KNOWN {
        let place = transport.place();
        let push = PushSocket::with(eager().linger(Linger::For(Duration::from_secs(15))));
        push.try_connect_to(&place.endpoint).unwrap();
        for i in 0..5 {
            push.send(i.to_string()).await.unwrap();
        }
        let pull = PullSocket::usual();
        let meanwhile = async {
            assert_eq!(explained(push.stats()), (5, 5, 0, 0), "{transport:?}");
            pull.bind_to(&place.endpoint).await;
        };
        let (report, ()) =
            soon(async { tokio::join!(push.disconnect(&*place.endpoint), meanwhile) }).await;
        assert_eq!(report.unwrap().unsent, 0);
        assert_eq!(explained(push.stats()).0, 5);
        for i in 0..5 {
            assert_eq!(number(&soon(pull.recv()).await.unwrap()), i);
        }
        assert_eq!(explained(push.stats()), (5, 0, 0, 0), "{transport:?}");
    }
}

/// The queue of a PAIR is counted, whoever has it.
#[tokio::test]
async fn the_queue_of_a_pair_is_counted() {
    for transport in Transport::KNOWN {
        let (one, other) = (transport.place(), transport.place());
        let pair = PairSocket::with(eager());
        pair.try_connect_to(&one.endpoint).unwrap();
        pair.try_connect_to(&other.endpoint).unwrap();
        for i in 0..5 {
            pair.send(i.to_string()).await.unwrap();
        }
        assert_eq!(explained(pair.stats()), (5, 5, 0, 0), "{transport:?}");
        let peer = PairSocket::usual();
        peer.bind_to(&other.endpoint).await;
        for i in 0..5 {
            assert_eq!(number(&soon(peer.recv()).await.unwrap()), i);
        }
        until(|| pair.stats().queued == 0).await;
        let mut watch = pair.watch();
        peer.end(Linger::Discard).await;
        watch.disconnected().await;
        for i in 0..5 {
            pair.send(i.to_string()).await.unwrap();
        }
        assert_eq!(explained(pair.stats()), (10, 5, 0, 0), "{transport:?}");
        assert_eq!(pair.end(Linger::Discard).await, 5);
    }
}

/// What was accepted for sending, and of that what waits, what was lost with connections, and what time did not allow.
const fn explained(stats: SocketStats) -> (u64, u64, u64, u64) {
    (
        stats.sent,
        stats.queued,
        stats.dropped_connection_lost,
        stats.dropped_linger_over,
    )
}

async fn dropped(watch: &mut Watch) -> (Option<Peer>, DropReason, u64) {
    let dropped = watch.find(|event| match event {
        SocketEvent::Dropped {
            peer,
            reason,
            messages,
        } => Some((peer, reason, messages)),
        _ => None,
    });
    dropped.await
}
