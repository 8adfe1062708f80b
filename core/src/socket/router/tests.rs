//! Tests of a ROUTER that need its inside.

use super::*;
use crate::{DealerSocket, PeerEvent, SocketOptions};

/// A ROUTER with these options and a DEALER that it has met over tcp.
async fn met(options: SocketOptions) -> (RouterSocket, DealerSocket, Peer) {
    let router = RouterSocket::with_options(options).unwrap();
    let endpoint = router.bind("tcp://127.0.0.1:*").await.unwrap();
    let dealer = DealerSocket::with_options(SocketOptions::new().recv_hwm(None)).unwrap();
    dealer.connect(&endpoint).unwrap();
    let event = router.recv_event().await;
    let Ok(PeerEvent::Up(peer)) = event else {
        panic!("{event:?}");
    };
    (router, dealer, peer)
}

/// Sessions get to run while one task does nothing but send to a peer without a mark.
#[tokio::test]
async fn a_tight_loop_of_sends_lets_sessions_run() {
    for mandatory in [true, false] {
        let options = SocketOptions::new().send_hwm(None);
        let (router, dealer, peer) = met(options.router_mandatory(mandatory)).await;
        let mut sent = 0;
        while dealer.try_recv().is_err() {
            router.send(&peer, "x").await.unwrap();
            sent += 1;
            assert!(sent < 1_000_000, "nothing was written");
        }
    }
}

/// The same of a task that does nothing but ask for room.
#[tokio::test]
async fn a_tight_loop_of_ready_lets_sessions_run() {
    let (router, dealer, peer) = met(SocketOptions::new().send_hwm(None)).await;
    router.try_send(&peer, "x").unwrap();
    let mut asked = 0;
    while dealer.try_recv().is_err() {
        router.ready(&peer).await.unwrap();
        asked += 1;
        assert!(asked < 1_000_000, "nothing was written");
    }
}

/// A ROUTER that drops what a peer has no room for lets the session of that peer run first.
#[tokio::test]
async fn a_full_pipe_gives_way_before_anything_is_dropped() {
    const MESSAGES: u64 = 2_000;
    let options = SocketOptions::new().send_hwm(std::num::NonZeroUsize::new(10));
    let (router, dealer, peer) = met(options.router_mandatory(false)).await;
    for _ in 0..MESSAGES {
        router.send(&peer, "x").await.unwrap();
    }
    let dropped = router.stats().dropped_full;
    assert!(dropped < MESSAGES / 10, "{dropped}");
    drop(dealer);
}

/// Peers that go while they are paused leave nothing behind, whether they had something to say or not.
#[tokio::test]
async fn paused_peers_that_go_are_forgotten() {
    let router = RouterSocket::new().unwrap();
    router.bind("inproc://paused-peers-that-go").await.unwrap();
    for sent in [0, 1, 2] {
        let dealer = DealerSocket::new().unwrap();
        dealer.connect("inproc://paused-peers-that-go").unwrap();
        for _ in 0..sent {
            dealer.try_send("x").unwrap();
        }
        let event = router.try_recv_event();
        let Ok(PeerEvent::Up(peer)) = event else {
            panic!("{event:?}");
        };
        router.pause(&peer).unwrap();
        router.pause(&peer).unwrap();
        assert!(router.try_recv_event().is_err());
        assert_eq!(router.core.inbox.paused().0, 1);
        let _report = dealer.close().await;
        for _ in 0..sent {
            assert!(matches!(
                router.try_recv_event(),
                Ok(PeerEvent::Message(..))
            ));
        }
        assert!(matches!(router.try_recv_event(), Ok(PeerEvent::Down(_))));
        assert!(router.pause(&peer).is_err());
        router.resume(&peer).unwrap();
        assert_eq!(router.core.inbox.paused(), (0, 0));
    }
}
