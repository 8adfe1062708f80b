//! ROUTER: peers that come and go in order with their messages, and how one is held back.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

use std::num::NonZeroUsize;
use std::time::Duration;

use privateer::core::{
    DealerSocket, Linger, PeerEvent, PeerId, RecvError, RouterSocket, SocketOptions,
};
use tokio::time::timeout;

mod support;
use support::sockets::{Linked, Socket, Transport, link, number, scale, soon, until};

/// That a peer is there, all that it sent, that it is gone: in this order, each once.
#[tokio::test]
async fn peers_come_and_go_in_order_with_their_messages() {
    for transport in Transport::ALL {
        let (router, dealer) = (RouterSocket::usual(), DealerSocket::usual());
        let _linked = link(&router, &dealer, transport).await;
        let mut watch = router.watch();
        let send = async {
            for i in 0..2_500 {
                dealer.send(i.to_string()).await.unwrap();
            }
        };
        let recv = async {
            for _ in 0..1_200 {
                router.recv().await.unwrap();
            }
        };
        soon(async { tokio::join!(send, recv) }).await;
        // More is under way than the marks take.
        assert_eq!(dealer.end(Linger::Forever).await, 0);
        let mut last = None;
        let down = loop {
            match soon(router.recv_event()).await.unwrap() {
                PeerEvent::Message(_, message) => last = Some(number(&message)),
                PeerEvent::Down(peer) => break peer,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(last, Some(2_499), "{transport:?}");
        assert_eq!(watch.disconnected().await.0, down);
        assert_eq!(router.try_recv_event().unwrap_err(), RecvError::Empty);
    }
}

/// A DEALER is told the same way.
#[tokio::test]
async fn dealer_is_told_of_peers_in_order_too() {
    for transport in Transport::ALL {
        let (dealer, other) = (DealerSocket::usual(), DealerSocket::usual());
        let _linked = link(&dealer, &other, transport).await;
        other.send("hello").await.unwrap();
        assert_eq!(other.end(Linger::Forever).await, 0);
        let up = soon(dealer.recv_event()).await.unwrap();
        let message = soon(dealer.recv_event()).await.unwrap();
        let down = soon(dealer.recv_event()).await.unwrap();
        assert!(
            matches!(
                (&up, &message, &down),
                (PeerEvent::Up(a), PeerEvent::Message(b, _), PeerEvent::Down(c)) if a == b && b == c
            ),
            "{up:?} {message:?} {down:?}"
        );
    }
}

/// That a peer is gone is told once, whatever the two sides do at the same time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_peer_goes_once() {
    for transport in [Transport::Inproc, Transport::Tcp] {
        let router = RouterSocket::usual();
        let place = transport.place();
        let endpoint = router.bind_to(&place.endpoint).await;
        let peers = 500 * scale();
        let clients = tokio::spawn(async move {
            for _ in 0..peers {
                let dealer = DealerSocket::usual();
                let mut watch = dealer.watch();
                dealer.connect_to(&endpoint);
                watch.connected().await;
                dealer.send("x").await.unwrap();
                dealer.end(Linger::Forever).await;
            }
        });
        let mut open: Vec<PeerId> = Vec::new();
        let mut gone = 0;
        while gone < peers {
            match soon(router.recv_event()).await.unwrap() {
                PeerEvent::Up(peer) => open.push(peer.id()),
                PeerEvent::Message(peer, _) => assert!(open.contains(&peer.id())),
                PeerEvent::Down(peer) => {
                    let index = open.iter().position(|id| *id == peer.id()).unwrap();
                    open.swap_remove(index);
                    gone += 1;
                }
                other => panic!("{other:?}"),
            }
        }
        clients.await.unwrap();
        assert_eq!(router.try_recv_event().unwrap_err(), RecvError::Empty);
        assert_eq!(router.stats().peers, 0);
    }
}

/// Nothing of a paused peer is handed out until it is resumed; others are not held up.
#[tokio::test]
async fn a_paused_peer_waits_and_others_do_not() {
    for transport in Transport::KINDS {
        let (router, paused, other) = (
            RouterSocket::usual(),
            DealerSocket::usual(),
            DealerSocket::usual(),
        );
        let Linked { endpoint, .. } = &link(&router, &paused, transport).await;
        let peer = router.first_peer();
        paused.send("0").await.unwrap();
        assert_eq!(number(&soon(router.recv()).await.unwrap().1), 0);
        router.pause(&peer).unwrap();
        let mut sent = 0;
        for i in 1..=10 {
            // Over inproc there is no buffer between the two: the pipe is closed to the sender.
            sent += u64::from(paused.try_send(i.to_string()).is_ok());
        }
        other.connect_to(endpoint);
        other.send("other").await.unwrap();
        assert_eq!(soon(router.recv()).await.unwrap().1[0], "other");
        assert_eq!(router.try_recv().unwrap_err(), RecvError::Empty);

        router.resume(&peer).unwrap();
        for expected in 1..=sent {
            assert_eq!(number(&soon(router.recv()).await.unwrap().1), expected);
        }
        paused.send("99").await.unwrap();
        assert_eq!(number(&soon(router.recv()).await.unwrap().1), 99);
    }
}

/// A paused peer is not read, so that what it sends waits on its side.
#[tokio::test]
async fn a_paused_peer_is_not_read() {
    for transport in [Transport::Tcp, Transport::IpcPath, Transport::Inproc] {
        let router = RouterSocket::usual();
        let dealer = DealerSocket::with(SocketOptions::new().send_hwm(NonZeroUsize::new(10)));
        let _linked = link(&router, &dealer, transport).await;
        let peer = router.first_peer();
        router.pause(&peer).unwrap();
        let megabyte = vec![1; 1024 * 1024];
        let mut sent: usize = 0;
        // The kernel takes some; in the end the pipe stays full.
        while timeout(Duration::from_millis(200), dealer.send(megabyte.clone()))
            .await
            .is_ok()
        {
            sent += 1;
            assert!(sent < 40, "a paused peer is read on");
        }
        assert!(router.stats().received <= 1, "{:?}", router.stats());
        router.resume(&peer).unwrap();
        for _ in 0..sent {
            assert_eq!(
                soon(router.recv()).await.unwrap().1[0].len(),
                megabyte.len()
            );
        }
    }
}

/// `send_if_idle` sends only to a peer for which nothing waits.
#[tokio::test]
async fn send_if_idle_adds_nothing_to_what_waits() {
    let (router, dealer) = (RouterSocket::usual(), DealerSocket::usual());
    let _linked = link(&router, &dealer, Transport::Inproc).await;
    let peer = router.first_peer();
    assert_eq!(router.send_if_idle(&peer, "1"), Ok(true));
    assert_eq!(router.send_if_idle(&peer, "2"), Ok(false));
    assert_eq!(number(&soon(dealer.recv()).await.unwrap()), 1);
    assert_eq!(dealer.try_recv().unwrap_err(), RecvError::Empty);
    assert_eq!(router.send_if_idle(&peer, "3"), Ok(true));
}

/// A peer that holds its sender back is not idle, and not gone either.
#[tokio::test]
async fn send_if_idle_to_a_peer_that_has_paused_us_sends_nothing() {
    let (pausing, router) = (RouterSocket::usual(), RouterSocket::usual());
    let _linked = link(&pausing, &router, Transport::Inproc).await;
    pausing.pause(&pausing.first_peer()).unwrap();
    assert_eq!(router.send_if_idle(&router.first_peer(), "1"), Ok(false));
    pausing.resume(&pausing.first_peer()).unwrap();
    assert_eq!(router.send_if_idle(&router.first_peer(), "1"), Ok(true));
}

/// Over tcp a peer is idle again once the kernel has the last message.
#[tokio::test]
async fn a_peer_is_idle_again_once_everything_is_written() {
    let (router, dealer) = (RouterSocket::usual(), DealerSocket::usual());
    let _linked = link(&router, &dealer, Transport::Tcp).await;
    let peer = router.first_peer();
    router.send(&peer, "1").await.unwrap();
    until(|| router.send_if_idle(&peer, "2") == Ok(true)).await;
    assert_eq!(number(&soon(dealer.recv()).await.unwrap()), 1);
    assert_eq!(number(&soon(dealer.recv()).await.unwrap()), 2);
}

/// A peer that goes while it is paused is handed out to the end all the same: what it sent, and that it is gone.
#[tokio::test]
async fn a_paused_peer_that_goes_is_heard_to_the_end() {
    for transport in Transport::KINDS {
        for received in [0, 2] {
            let (router, dealer) = (RouterSocket::usual(), DealerSocket::usual());
            let _linked = link(&router, &dealer, transport).await;
            let peer = router.first_peer();
            let event = soon(router.recv_event()).await.unwrap();
            assert!(matches!(event, PeerEvent::Up(up) if up == peer));
            for i in 0..5 {
                dealer.send(i.to_string()).await.unwrap();
            }
            until(|| router.stats().received == 5).await;
            for i in 0..received {
                assert_eq!(number(&router.try_recv().unwrap().1), i);
            }
            router.pause(&peer).unwrap();
            assert!(router.try_recv().is_err());
            dealer.end(Linger::Discard).await;
            for i in received..5 {
                let event = soon(router.recv_event()).await.unwrap();
                assert!(
                    matches!(&event, PeerEvent::Message(_, m) if number(m) == i),
                    "{event:?}"
                );
            }
            let event = soon(router.recv_event()).await.unwrap();
            assert!(matches!(event, PeerEvent::Down(down) if down == peer));
            assert!(router.pause(&peer).is_err());
            assert!(router.pause(peer.id()).is_err());
            assert!(router.try_recv_event().is_err());
        }
    }
}
