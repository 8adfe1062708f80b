//! `recv_ready` and `send_ready` wait for what `recv` and `send` would wait for, and leave it as it is.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

use std::num::NonZeroUsize;

use privateer::core::{DealerSocket, PeerEvent, PullSocket, PushSocket, SocketOptions};
use tokio::task::JoinSet;

mod support;
use support::sockets::{Socket, Transport, link, poll_times, soon};

/// More than enough for everything that is under way to have come.
const TIMES: usize = 50;

/// §3.5: ready as long as a message is there, and not before, whatever else has happened.
#[tokio::test]
async fn a_socket_is_ready_to_receive_while_a_message_is_there() {
    for transport in Transport::KINDS {
        let (pull, push) = (PullSocket::usual(), PushSocket::usual());
        assert!(poll_times(TIMES, pull.recv_ready()).await.is_none());
        let _place = link(&pull, &push, transport).await;
        // That a peer came is nothing to receive.
        assert!(poll_times(TIMES, pull.recv_ready()).await.is_none());
        for _ in 0..2 {
            push.send("a").await.unwrap();
            push.send("b").await.unwrap();
            for expected in ["a", "b"] {
                for _ in 0..3 {
                    soon(pull.recv_ready()).await;
                }
                assert_eq!(soon(pull.recv()).await.unwrap()[0], expected);
            }
            assert!(poll_times(TIMES, pull.recv_ready()).await.is_none());
        }
    }
}

/// §3.5: nor is that a peer went; what it left is.
#[tokio::test]
async fn what_a_lost_peer_left_is_there() {
    let (pull, push) = (PullSocket::usual(), PushSocket::usual());
    let mut watch = pull.watch();
    let _place = link(&pull, &push, Transport::Tcp).await;
    push.send("last").await.unwrap();
    assert_eq!(soon(push.close()).await.unsent, 0);
    watch.disconnected().await;
    soon(pull.recv_ready()).await;
    assert_eq!(pull.try_recv().unwrap()[0], "last");
    assert!(poll_times(TIMES, pull.recv_ready()).await.is_none());
}

/// §3.5: for those who are told of peers, a peer that comes or goes is something to receive.
#[tokio::test]
async fn a_socket_that_tells_of_peers_is_ready_for_them() {
    let (ours, theirs) = (DealerSocket::usual(), DealerSocket::usual());
    let mut watch = ours.watch();
    let _place = link(&ours, &theirs, Transport::Tcp).await;
    soon(ours.recv_ready()).await;
    assert!(matches!(ours.try_recv_event(), Ok(PeerEvent::Up(_))));
    assert!(poll_times(TIMES, ours.recv_ready()).await.is_none());
    theirs.send("last").await.unwrap();
    assert_eq!(soon(theirs.close()).await.unsent, 0);
    watch.disconnected().await;
    for _ in 0..2 {
        soon(ours.recv_ready()).await;
    }
    assert!(matches!(ours.try_recv_event(), Ok(PeerEvent::Message(..))));
    for _ in 0..2 {
        soon(ours.recv_ready()).await;
    }
    assert!(matches!(ours.try_recv_event(), Ok(PeerEvent::Down(_))));
    assert!(poll_times(TIMES, ours.recv_ready()).await.is_none());
}

/// §3.5: ready while a peer has room, and not before there is one.
#[tokio::test]
async fn a_socket_is_ready_to_send_while_a_peer_has_room() {
    let options = SocketOptions::new().send_hwm(NonZeroUsize::new(2));
    let push = PushSocket::with(options);
    assert!(poll_times(TIMES, push.send_ready()).await.is_none());
    let pull = PullSocket::with(SocketOptions::new().recv_hwm(NonZeroUsize::new(1)));
    let _place = link(&pull, &push, Transport::Inproc).await;
    for _ in 0..3 {
        let mut sent = 0;
        while poll_times(TIMES, push.send_ready()).await.is_some() {
            push.try_send("work").unwrap();
            sent += 1;
        }
        assert!(push.try_send("more").unwrap_err().would_block());
        assert!(sent > 0);
        for _ in 0..sent {
            soon(pull.recv()).await.unwrap();
        }
    }
}

/// §4.21: one message makes all ready that wait for it, those beside it too; one that is dropped keeps nobody waiting.
#[tokio::test]
async fn all_who_wait_are_told() {
    let (pull, push) = (PullSocket::usual(), PushSocket::usual());
    let _place = link(&pull, &push, Transport::Inproc).await;
    let pull = std::sync::Arc::new(pull);
    let mut waiting = JoinSet::new();
    for _ in 0..10 {
        let pull = std::sync::Arc::clone(&pull);
        waiting.spawn(async move { pull.recv_ready().await });
    }
    // Waits among the others, and is dropped with the wake in its hands.
    let mut dropped = Box::pin(pull.recv_ready());
    assert!(poll_times(TIMES, dropped.as_mut()).await.is_none());
    push.send("for all").await.unwrap();
    drop(dropped);
    while let Some(done) = soon(waiting.join_next()).await {
        done.unwrap();
    }
    assert_eq!(pull.try_recv().unwrap()[0], "for all");
}

/// A receiver is not kept waiting by somebody who only looks.
#[tokio::test]
async fn a_message_goes_to_the_receiver_beside_one_who_looks() {
    let (ours, theirs) = (DealerSocket::usual(), DealerSocket::usual());
    let _place = link(&ours, &theirs, Transport::Tcp).await;
    for _ in 0..100 {
        let both = async { tokio::join!(ours.recv_ready(), ours.recv()) };
        let sending = theirs.send("one");
        let (((), received), sent) = soon(async { tokio::join!(both, sending) }).await;
        sent.unwrap();
        assert_eq!(received.unwrap()[0], "one");
        assert!(poll_times(TIMES, ours.recv_ready()).await.is_none());
    }
}
