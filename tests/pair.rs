//! PAIR: one peer and no other, and what becomes of messages that have none yet.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

use std::time::Duration;

use privateer::core::{CloseReport, HandshakeFailure, Linger, PairSocket};

mod support;
use support::sockets::{Linked, Socket, Transport, eager, link, number, soon};

/// K16: a second peer is refused, which an event tells; the first one stays.
#[tokio::test]
async fn pair_refuses_a_second_peer() {
    for transport in Transport::KINDS {
        let (pair, first, second) = (
            PairSocket::usual(),
            PairSocket::usual(),
            PairSocket::usual(),
        );
        let Linked { endpoint, .. } = &link(&pair, &first, transport).await;
        let mut watch = pair.watch();
        second.connect_to(endpoint);
        assert_eq!(
            watch.handshake_failed().await,
            HandshakeFailure::PairOccupied
        );
        pair.send("yours").await.unwrap();
        assert_eq!(soon(first.recv()).await.unwrap()[0], "yours");
        first.send("mine").await.unwrap();
        assert_eq!(soon(pair.recv()).await.unwrap()[0], "mine");
    }
}

/// K16: once the first peer is gone, another one may come, and one that was refused gets in by itself.
#[tokio::test]
async fn pair_accepts_a_new_peer_after_the_first() {
    for transport in Transport::KINDS {
        let (pair, first) = (PairSocket::usual(), PairSocket::usual());
        let second = PairSocket::with(eager());
        let Linked { endpoint, .. } = &link(&pair, &first, transport).await;
        let mut watch = pair.watch();
        second.connect_to(endpoint);
        second.send("early").await.unwrap();
        watch.handshake_failed().await;
        first.end(Linger::Discard).await;
        watch.disconnected().await;
        watch.connected().await;
        assert_eq!(soon(pair.recv()).await.unwrap()[0], "early");
        pair.send("welcome").await.unwrap();
        assert_eq!(soon(second.recv()).await.unwrap()[0], "welcome");
    }
}

/// K16: what is queued for a connected endpoint waits for it, whoever else knocks.
#[tokio::test]
async fn pair_keeps_its_queue_over_a_reconnect() {
    for transport in Transport::RECONNECTING {
        let place = transport.place();
        let pair = PairSocket::with(eager());
        let mut watch = pair.watch();
        pair.try_connect_to(&place.endpoint).unwrap();
        for life in ["one", "two"] {
            pair.send(life).await.unwrap();
            let server = PairSocket::usual();
            server.bind_to(&place.endpoint).await;
            assert_eq!(soon(server.recv()).await.unwrap()[0], *life);
            server.send(life).await.unwrap();
            assert_eq!(soon(pair.recv()).await.unwrap()[0], *life);
            server.end(Linger::Forever).await;
            watch.disconnected().await;
        }
    }
}

/// K16: of two connected endpoints only the one with the peer gets messages, the early ones included.
#[tokio::test]
async fn pair_sends_to_its_peer_alone() {
    for transport in Transport::KNOWN {
        for absent_first in [true, false] {
            let (absent, present) = (transport.place(), transport.place());
            let pair = PairSocket::with(eager());
            if absent_first {
                pair.try_connect_to(&absent.endpoint).unwrap();
            }
            pair.try_connect_to(&present.endpoint).unwrap();
            if !absent_first {
                pair.try_connect_to(&absent.endpoint).unwrap();
            }
            send(&pair, 0..10).await;
            let peer = PairSocket::usual();
            peer.bind_to(&present.endpoint).await;
            send(&pair, 10..20).await;
            expect(&peer, 0..20).await;
            assert_eq!(pair.end(Linger::Discard).await, 0, "{transport:?}");
        }
    }
}

/// K16: the same if it is bound, too: what was sent early goes to whoever comes, also if a peer was there meanwhile.
#[tokio::test]
async fn what_a_pair_sent_early_goes_to_whoever_comes() {
    for transport in Transport::KNOWN {
        for connected in Transport::KNOWN {
            let (absent, place) = (connected.place(), transport.place());
            let pair = PairSocket::with(eager());
            let mut watch = pair.watch();
            pair.bind_to(&place.endpoint).await;
            assert!(pair.try_send("nobody").unwrap_err().would_block());
            pair.try_connect_to(&absent.endpoint).unwrap();
            for turn in 0..2 {
                send(&pair, 0..10).await;
                let peer = PairSocket::usual();
                peer.try_connect_to(&place.endpoint).unwrap();
                send(&pair, 10..20).await;
                expect(&peer, 0..20).await;
                peer.end(Linger::Discard).await;
                watch.disconnected().await;
                assert_eq!(pair.stats().queued, 0, "{transport:?} {connected:?} {turn}");
            }
            send(&pair, 0..5).await;
            let late = PairSocket::usual();
            late.bind_to(&absent.endpoint).await;
            expect(&late, 0..5).await;
            send(&late, 0..1).await;
            expect(&pair, 0..1).await;
        }
    }
}

/// K16: a socket that keeps connected keeps what it sends, whatever the connection; one that is only bound does not.
#[tokio::test]
async fn an_endpoint_connected_later_shares_the_peer() {
    for transport in Transport::KINDS {
        let (absent, place) = (transport.place(), transport.place());
        let (pair, first) = (PairSocket::with(eager()), PairSocket::usual());
        let mut watch = pair.watch();
        pair.bind_to(&place.endpoint).await;
        first.try_connect_to(&place.endpoint).unwrap();
        watch.connected().await;
        pair.try_connect_to(&absent.endpoint).unwrap();
        send(&pair, 0..10).await;
        expect(&first, 0..10).await;
        first.end(Linger::Discard).await;
        watch.disconnected().await;
        send(&pair, 0..10).await;
        let second = PairSocket::usual();
        second.bind_to(&absent.endpoint).await;
        expect(&second, 0..10).await;
    }
}

/// K16: a socket with a peer does not disturb others that it is connected to, and turns to them when that one is gone.
#[tokio::test]
async fn a_pair_turns_to_the_next_when_its_peer_is_gone() {
    for transport in Transport::KNOWN {
        let places = [transport.place(), transport.place()];
        let servers = [PairSocket::usual(), PairSocket::usual()];
        let mut watches = servers.each_ref().map(Socket::watch);
        for (server, place) in servers.iter().zip(&places) {
            server.bind_to(&place.endpoint).await;
        }
        let pair = PairSocket::with(eager());
        let mut watch = pair.watch();
        pair.try_connect_to(&places[0].endpoint).unwrap();
        watch.connected().await;
        pair.try_connect_to(&places[1].endpoint).unwrap();
        assert_eq!(
            watch.handshake_failed().await,
            HandshakeFailure::PairOccupied
        );
        assert!(servers[1].peers().is_empty());
        send(&pair, 0..10).await;
        let [first, second] = servers;
        expect(&first, 0..10).await;
        first.end(Linger::Discard).await;
        watches[1].connected().await;
        send(&pair, 10..20).await;
        expect(&second, 10..20).await;
    }
}

/// K16: what is left when one of two endpoints is disconnected belongs to the other; the last one takes it along.
#[tokio::test]
async fn disconnect_leaves_messages_to_the_other_endpoint() {
    for transport in Transport::KNOWN {
        let (one, other) = (transport.place(), transport.place());
        let pair = PairSocket::with(eager().linger(Linger::Discard));
        pair.try_connect_to(&one.endpoint).unwrap();
        pair.try_connect_to(&other.endpoint).unwrap();
        send(&pair, 0..5).await;
        let report = soon(pair.disconnect(&*one.endpoint)).await.unwrap();
        assert_eq!(report, CloseReport { unsent: 0 }, "{transport:?}");
        assert_eq!(pair.stats().queued, 5);
        let report = soon(pair.disconnect(&*other.endpoint)).await.unwrap();
        assert_eq!(report, CloseReport { unsent: 5 }, "{transport:?}");
        assert!(pair.try_send("nowhere").unwrap_err().would_block());

        pair.try_connect_to(&one.endpoint).unwrap();
        send(&pair, 5..10).await;
        let peer = PairSocket::usual();
        peer.bind_to(&one.endpoint).await;
        expect(&peer, 5..10).await;
    }
}

/// Q09: what is queued for the peer goes to it within the linger time, and what is sent meanwhile to the next.
#[tokio::test]
async fn disconnect_of_the_peer_drains_to_it() {
    for transport in Transport::KNOWN {
        let (one, other) = (transport.place(), transport.place());
        let pair = PairSocket::with(eager().linger(Linger::For(Duration::from_secs(15))));
        pair.try_connect_to(&one.endpoint).unwrap();
        send(&pair, 0..10).await;
        let disconnecting = async {
            let disconnect = soon(pair.disconnect(&*one.endpoint));
            let next = async {
                pair.try_connect_to(&other.endpoint).unwrap();
                send(&pair, 10..20).await;
            };
            tokio::join!(disconnect, next).0.unwrap()
        };
        let peer = async {
            let peer = PairSocket::usual();
            peer.bind_to(&one.endpoint).await;
            expect(&peer, 0..10).await;
            peer
        };
        let (report, peer) = tokio::join!(disconnecting, peer);
        assert_eq!(report.unsent, 0, "{transport:?}");
        let next = PairSocket::usual();
        next.bind_to(&other.endpoint).await;
        expect(&next, 10..20).await;
        assert!(peer.try_recv().is_err());
    }
}

/// Q05: `close` gives everything to whichever endpoint has a peer.
#[tokio::test]
async fn close_drains_to_any_peer() {
    for transport in Transport::KNOWN {
        let (absent, place) = (transport.place(), transport.place());
        let pair = PairSocket::with(eager());
        pair.try_connect_to(&absent.endpoint).unwrap();
        pair.try_connect_to(&place.endpoint).unwrap();
        send(&pair, 0..10).await;
        let closing = tokio::spawn(pair.end(Linger::Forever));
        let peer = PairSocket::usual();
        peer.bind_to(&place.endpoint).await;
        expect(&peer, 0..10).await;
        assert_eq!(soon(closing).await.unwrap(), 0, "{transport:?}");
    }
}

/// Data path, rule 7: without a connected endpoint, and with `immediate`, a queue dies with its connection.
#[tokio::test]
async fn the_queue_of_a_bound_or_immediate_pair_dies_with_its_connection() {
    for bound in [true, false] {
        let options = eager().immediate();
        let (pair, peer) = (PairSocket::with(options), PairSocket::usual());
        let place = Transport::Tcp.place();
        let mut watch = pair.watch();
        let (binder, connector) = if bound {
            (&pair, &peer)
        } else {
            (&peer, &pair)
        };
        binder.bind_to(&place.endpoint).await;
        connector.try_connect_to(&place.endpoint).unwrap();
        watch.connected().await;
        let mut sent = 0;
        while pair.try_send(vec![0; 100_000]).is_ok() {
            sent += 1;
            tokio::task::yield_now().await;
        }
        let queued = pair.stats().queued;
        assert!(queued > 0);
        peer.end(Linger::Discard).await;
        watch.disconnected().await;
        assert!(pair.try_send("nobody").unwrap_err().would_block());
        let stats = pair.stats();
        assert_eq!((stats.sent, stats.queued), (sent, 0));
        assert!(stats.dropped_connection_lost > 0);
    }
}

async fn send(pair: &PairSocket, numbers: std::ops::Range<u64>) {
    for i in numbers {
        soon(pair.send(i.to_string())).await.unwrap();
    }
}

async fn expect(pair: &PairSocket, numbers: std::ops::Range<u64>) {
    for i in numbers {
        assert_eq!(number(&soon(pair.recv()).await.unwrap()), i);
    }
}
