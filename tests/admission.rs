//! Who is let in, and who is put out.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

use std::num::NonZeroUsize;
use std::os::unix::fs::MetadataExt as _;
use std::sync::{Arc, Mutex};

use privateer::core::{
    DealerSocket, Direction, DisconnectReason, HandshakeFailure, Linger, PullSocket, PushSocket,
    RouterSocket, SocketOptions, Unroutable,
};

mod support;
use support::raw_peer::RawPeer;
use support::sockets::{Socket, Transport, eager, link, number, soon};

/// R10: a peer can be put out; what it sent stays, others stay, and who put it out is told why it is gone.
#[tokio::test]
async fn a_peer_can_be_put_out() {
    for transport in Transport::KNOWN {
        let place = transport.place();
        let (router, other) = (RouterSocket::usual(), DealerSocket::usual());
        let endpoint = router.bind_to(&place.endpoint).await;
        let mut watch = router.watch();
        other.connect_to(&endpoint);
        let stays = watch.connected().await;
        let dealer = DealerSocket::with(eager());
        dealer.connect_to(&endpoint);
        let goes = watch.connected().await;
        for i in 0..3 {
            dealer.send(i.to_string()).await.unwrap();
        }
        for i in 0..3 {
            let (from, message) = soon(router.recv()).await.unwrap();
            assert_eq!((from, number(&message)), (goes.clone(), i));
        }
        assert_eq!(router.peers(), [stays.clone(), goes.clone()]);
        router.disconnect_peer(&goes).unwrap();
        let (gone, reason) = watch.disconnected().await;
        assert_eq!((&gone, reason), (&goes, DisconnectReason::Dismissed));
        assert_eq!(router.disconnect_peer(&goes), Err(Unroutable));
        assert_eq!(dealer.disconnect_peer(&stays), Err(Unroutable));
        other.send("still there").await.unwrap();
        loop {
            let (from, message) = soon(router.recv()).await.unwrap();
            if from == stays {
                assert_eq!(message[0], "still there");
                break;
            }
        }
        if transport != Transport::Inproc {
            // It may come again, as after any loss.
            let back = watch.connected().await;
            assert_ne!(back.id(), goes.id());
        }
    }
}

/// R10: what waits for an endpoint goes out when it is connected again, though this side put its peer out.
#[tokio::test]
async fn an_endpoint_whose_peer_is_put_out_connects_again() {
    for transport in Transport::RECONNECTING {
        let (pull, push) = (PullSocket::usual(), PushSocket::with(eager()));
        let _linked = link(&pull, &push, transport).await;
        for i in 0..5 {
            let mut watch = push.watch();
            push.disconnect_peer(&push.first_peer()).unwrap();
            assert_eq!(watch.disconnected().await.1, DisconnectReason::Dismissed);
            push.send(i.to_string()).await.unwrap();
            assert_eq!(number(&soon(pull.recv()).await.unwrap()), i);
        }
    }
}

/// R10: the hook knows the address before anything is said; who is not let in hears nothing.
#[tokio::test]
async fn the_hook_decides_by_address_before_anything_is_said() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let options = SocketOptions::new().accept_hook({
        let seen = Arc::clone(&seen);
        move |incoming| {
            let mut seen = seen.lock().unwrap();
            seen.push(incoming.clone());
            seen.len() % 2 == 0
        }
    });
    let pull = PullSocket::with(options);
    let endpoint = pull.bind_to("tcp://127.0.0.1:*").await;
    let mut watch = pull.watch();
    for round in 1..=3 {
        let mut refused = RawPeer::connect(&endpoint).await;
        refused.expect_end().await;
        assert_eq!(watch.handshake_failed().await, HandshakeFailure::Refused);
        let mut admitted = RawPeer::connect_as(&endpoint, "PUSH").await;
        let peer = watch.connected().await;
        assert_eq!(pull.stats().handshakes_failed_refused, round);
        let incoming = seen.lock().unwrap().last().unwrap().clone();
        assert!(incoming.ip.unwrap().is_loopback());
        assert_eq!((incoming.uid, incoming.gid), (None, None));
        assert_eq!(incoming.connection.id(), peer.id());
        assert_eq!(incoming.connection.direction(), Direction::Accepted);
        assert_eq!(incoming.connection.endpoint(), &endpoint);
        assert_eq!(incoming.connection.remote_address(), peer.remote_address());
        admitted.end().await;
        watch.disconnected().await;
    }
}

/// R10: over ipc it knows the user and the group.
#[tokio::test]
async fn the_hook_knows_the_user_over_ipc() {
    let ours = std::fs::metadata("/proc/self").unwrap();
    let us = (Some(ours.uid()), Some(ours.gid()));
    for admits in [true, false] {
        let options = SocketOptions::new().accept_hook(move |incoming| {
            assert_eq!((incoming.uid, incoming.gid), us);
            assert_eq!(incoming.ip, None);
            admits
        });
        let (pull, push) = (PullSocket::with(options), PushSocket::with(eager()));
        let mut watch = pull.watch();
        push.connect_to(&pull.bind_to("ipc://*").await);
        if admits {
            watch.connected().await;
        } else {
            assert_eq!(watch.handshake_failed().await, HandshakeFailure::Refused);
        }
    }
}

/// R10: an address has as many connections as the limit says, whether they speak or not; when one is gone there is room.
#[tokio::test]
async fn an_address_has_no_more_connections_than_the_limit() {
    let options = SocketOptions::new().max_connections_per_address(NonZeroUsize::new(2));
    let pull = PullSocket::with(options);
    let endpoint = pull.bind_to("tcp://127.0.0.1:*").await;
    let mut watch = pull.watch();
    let silent = RawPeer::connect(&endpoint).await;
    watch.accepted().await;
    let push = PushSocket::usual();
    push.connect_to(&endpoint);
    watch.connected().await;
    for _ in 0..3 {
        let mut third = RawPeer::connect(&endpoint).await;
        third.expect_end().await;
        assert_eq!(
            watch.handshake_failed().await,
            HandshakeFailure::TooManyConnections
        );
    }
    drop(silent);
    assert_eq!(
        watch.handshake_failed().await,
        HandshakeFailure::ClosedByPeer
    );
    let late = PushSocket::with(eager());
    late.connect_to(&endpoint);
    watch.connected().await;
    assert_eq!(pull.peers().len(), 2);
    push.end(Linger::Discard).await;
    watch.disconnected().await;
    let last = PushSocket::with(eager());
    last.connect_to(&endpoint);
    let peer = watch.connected().await;
    assert_eq!(pull.peers().last(), Some(&peer));
    drop((late, last));
}
