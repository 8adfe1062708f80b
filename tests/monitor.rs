//! Monitors: what each situation is told as, to whom, and in which order.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use privateer::core::{
    ConnectFailure, DealerSocket, Direction, DisconnectReason, FailureClass, HandshakeFailure,
    Lagged, Linger, Monitor, PairSocket, PeerId, PullSocket, PushSocket, RepSocket, ReqSocket,
    RouterSocket, RoutingId, SocketEvent,
};

mod support;
use support::raw_peer::{RawListener, RawPeer, command, greeting};
use support::sockets::{Socket, Transport, Watch, eager, soon, until};

/// How many events a monitor holds.
const HELD: u64 = 1024;

/// The names of libzmq for events, as the documentation has them.
fn name(event: &SocketEvent) -> &'static str {
    match event {
        SocketEvent::Listening { .. } => "LISTENING",
        SocketEvent::BindFailed { .. } => "BIND_FAILED",
        SocketEvent::Closed { .. } => "CLOSED",
        SocketEvent::Accepted { .. } => "ACCEPTED",
        SocketEvent::AcceptFailed { .. } => "ACCEPT_FAILED",
        SocketEvent::Connecting { .. } => "CONNECT_DELAYED",
        SocketEvent::Dialled { .. } => "CONNECTED",
        SocketEvent::Connected { .. } => "HANDSHAKE_SUCCEEDED",
        SocketEvent::HandshakeFailed { .. } => "HANDSHAKE_FAILED",
        SocketEvent::Disconnected { .. } => "DISCONNECTED",
        SocketEvent::Retrying { .. } => "CONNECT_RETRIED",
        other => panic!("{other:?}"),
    }
}

/// The events that come until one of this name, which is the last.
async fn events_to(watch: &mut Watch, last: &str) -> Vec<SocketEvent> {
    let mut events: Vec<SocketEvent> = Vec::new();
    while events.last().map(name) != Some(last) {
        events.push(soon(watch.0.next()).await.unwrap().unwrap());
    }
    events
}

fn names(events: &[SocketEvent]) -> Vec<&'static str> {
    events.iter().map(name).collect()
}

fn ids(events: &[SocketEvent]) -> Vec<PeerId> {
    events.iter().filter_map(SocketEvent::connection).collect()
}

/// R07: the events of one connection come in order, and have its number, its direction and its endpoint; libzmq's order.
#[tokio::test]
async fn the_events_of_a_connection_come_in_order() {
    for transport in Transport::RECONNECTING {
        let place = transport.place();
        let id = RoutingId::new(&b"client"[..]).unwrap();
        let (router, dealer) = (
            RouterSocket::usual(),
            DealerSocket::with(eager().routing_id(id.clone())),
        );
        let (mut bound, mut connected) = (router.watch(), dealer.watch());
        let endpoint = router.bind_to(&place.endpoint).await;
        dealer.connect_to(&endpoint);
        let there = events_to(&mut bound, "HANDSHAKE_SUCCEEDED").await;
        router.end(Linger::Discard).await;
        let ended = events_to(&mut bound, "DISCONNECTED").await;
        let ours = events_to(&mut connected, "CONNECT_RETRIED").await;

        assert_eq!(
            names(&there),
            ["LISTENING", "ACCEPTED", "HANDSHAKE_SUCCEEDED"]
        );
        assert_eq!(names(&ended), ["CLOSED", "DISCONNECTED"]);
        let expected = [
            "CONNECT_DELAYED",
            "CONNECTED",
            "HANDSHAKE_SUCCEEDED",
            "DISCONNECTED",
            "CONNECT_RETRIED",
        ];
        assert_eq!(names(&ours), expected);
        // Each has one number throughout.
        let theirs = [ids(&there), ids(&ended)].concat();
        for numbers in [&theirs, &ids(&ours)] {
            assert!(numbers.iter().all(|number| *number == numbers[0]));
        }
        assert_eq!((theirs.len(), ids(&ours).len()), (3, 5));
        let (
            SocketEvent::Accepted { connection: here },
            SocketEvent::Dialled { connection: there },
        ) = (&there[1], &ours[1])
        else {
            panic!("{there:?} {ours:?}");
        };
        assert_eq!(here.direction(), Direction::Accepted);
        assert_eq!(there.direction(), Direction::Connected);
        assert_eq!((here.endpoint(), there.endpoint()), (&endpoint, &endpoint));
        if transport == Transport::Tcp {
            assert!(here.remote_address().is_some() && here.local_address().is_some());
            assert_eq!(here.remote_address(), there.local_address());
            assert_eq!(here.local_address(), there.remote_address());
        }
        let SocketEvent::Disconnected { peer, reason } = &ended[1] else {
            panic!("{ended:?}");
        };
        assert_eq!(
            (peer.routing_id(), reason),
            (&id, &DisconnectReason::ClosedHere)
        );
        let SocketEvent::Retrying { failure, after, .. } = &ours[4] else {
            panic!("{ours:?}");
        };
        assert_eq!(failure.class(), FailureClass::Lost);
        assert!(*after <= Duration::from_millis(10));
    }
}

/// R07: all that libzmq tells of listeners is told: LISTENING, BIND_FAILED, CLOSED, and MONITOR_STOPPED as the end.
/// CLOSE_FAILED has nothing that it could tell of; ACCEPT_FAILED is where descriptors are wanting: core/tests/descriptors.rs.
#[tokio::test]
async fn what_becomes_of_a_listener_is_told() {
    for transport in Transport::KNOWN {
        let place = transport.place();
        let (first, second) = (PullSocket::usual(), PullSocket::usual());
        let mut watch = second.watch();
        let endpoint = first.bind_to(&place.endpoint).await;
        assert!(soon(second.bind(&endpoint)).await.is_err());
        let event = soon(watch.0.next()).await.unwrap().unwrap();
        let SocketEvent::BindFailed { endpoint: of, .. } = &event else {
            panic!("{event:?}");
        };
        assert_eq!(*of, endpoint);
        assert_eq!(event.connection(), None);
        first.end(Linger::Discard).await;
        second.bind_to(&place.endpoint).await;
        soon(second.unbind(&endpoint)).await.unwrap();
        second.end(Linger::Discard).await;
        let rest = events_to(&mut watch, "CLOSED").await;
        assert_eq!(names(&rest), ["LISTENING", "CLOSED"]);
        assert!(soon(watch.0.next()).await.unwrap().is_none());
    }
}

/// R07: a handshake that fails is told with its reason, on either side: what libzmq calls NO_DETAIL, PROTOCOL and AUTH.
#[tokio::test]
async fn how_a_handshake_failed_is_told() {
    let pull = PullSocket::usual();
    let mut watch = pull.watch();
    let endpoint = pull.bind_to("tcp://127.0.0.1:*").await;
    for (octets, is_protocol) in [(&b""[..], false), (b"GET / HTTP/1.1\r\n\r\n", true)] {
        let mut peer = RawPeer::connect(&endpoint).await;
        peer.send(octets).await;
        peer.end().await;
        let events = events_to(&mut watch, "HANDSHAKE_FAILED").await;
        let [.., SocketEvent::Accepted { connection }, failed] = &events[..] else {
            panic!("{events:?}");
        };
        let SocketEvent::HandshakeFailed {
            connection: of,
            reason,
        } = failed
        else {
            panic!("{failed:?}");
        };
        assert_eq!(connection.id(), of.id());
        assert_eq!(
            matches!(reason, HandshakeFailure::Protocol(_)),
            is_protocol,
            "{reason}"
        );
        assert_eq!(reason.class(), FailureClass::Handshake);
    }
    let denying = RawListener::bind().await;
    let push = PushSocket::with(eager());
    let mut watch = push.watch();
    push.try_connect_to(&denying.endpoint()).unwrap();
    let mut peer = denying.accept().await;
    peer.send(&greeting()).await;
    peer.send(&command("ERROR", b"\x03400")).await;
    let events = events_to(&mut watch, "CONNECT_RETRIED").await;
    let expected = [
        "CONNECT_DELAYED",
        "CONNECTED",
        "HANDSHAKE_FAILED",
        "CONNECT_RETRIED",
    ];
    assert_eq!(names(&events), expected);
    let Some(SocketEvent::Retrying { failure, .. }) = events.last() else {
        panic!("{events:?}");
    };
    assert!(matches!(failure, ConnectFailure::Handshake(_)));
    assert_eq!(failure.class(), FailureClass::Denied);
}

/// R07: of a try that comes to nothing the beginning is told, and the wait for the next.
#[tokio::test]
async fn a_try_that_comes_to_nothing_is_told() {
    let push = PushSocket::with(eager());
    let mut watch = push.watch();
    let nobody = Transport::Tcp.place();
    push.try_connect_to(&nobody.endpoint).unwrap();
    let mut last = None;
    for _ in 0..3 {
        let events = events_to(&mut watch, "CONNECT_RETRIED").await;
        assert_eq!(names(&events), ["CONNECT_DELAYED", "CONNECT_RETRIED"]);
        let numbers = ids(&events);
        assert_eq!(numbers[0], numbers[1]);
        assert_ne!(last.replace(numbers[0]), Some(numbers[0]));
        let Some(SocketEvent::Retrying { failure, .. }) = events.last() else {
            panic!("{events:?}");
        };
        assert_eq!(
            *failure,
            ConnectFailure::Io(io::ErrorKind::ConnectionRefused)
        );
    }
}

/// R07: any number of monitors hear the same in the same order, each from when it began; times do not go back.
#[tokio::test]
async fn several_monitors_hear_the_same() {
    let pair = PairSocket::usual();
    let mut monitors: Vec<_> = (0..5).map(|_| pair.monitor()).collect();
    for number in 0..20 {
        let endpoint = pair.bind_to(&format!("inproc://heard-{number}")).await;
        soon(pair.unbind(&endpoint)).await.unwrap();
    }
    let mut late = pair.monitor();
    pair.bind_to("inproc://heard-late").await;
    pair.end(Linger::Discard).await;
    let mut heard = Vec::new();
    for monitor in &mut monitors {
        let mut events = Vec::new();
        let mut last = None;
        while let Some(timed) = soon(monitor.next_timed()).await.unwrap() {
            assert!(last.replace(timed.at).is_none_or(|last| last <= timed.at));
            events.push(format!("{:?}", timed.event));
        }
        heard.push(events);
    }
    assert_eq!(heard[0].len(), 42);
    assert!(heard.iter().all(|events| *events == heard[0]));
    let mut rest = Vec::new();
    while let Some(event) = soon(late.next()).await.unwrap() {
        rest.push(format!("{event:?}"));
    }
    assert_eq!(rest, heard[0][40..]);
}

/// R07: who reads too slowly is told how many events it has lost, exactly, and goes on with the oldest that is left;
/// others lose nothing by it.
#[tokio::test]
async fn a_slow_monitor_is_told_what_it_lost() {
    const CYCLES: u64 = 700;
    let pair = PairSocket::usual();
    let (mut slow, mut quick) = (pair.monitor(), pair.monitor());
    for number in 0..CYCLES {
        let endpoint = pair.bind_to(&format!("inproc://lost-{number}")).await;
        soon(pair.unbind(&endpoint)).await.unwrap();
        for _ in 0..2 {
            soon(quick.next()).await.unwrap().unwrap();
        }
    }
    assert_eq!(lost(&mut slow).await, 2 * CYCLES - HELD);
    for number in (CYCLES - HELD / 2)..CYCLES {
        let endpoint = format!("inproc://lost-{number}");
        let listening = soon(slow.next()).await.unwrap().unwrap();
        assert!(
            matches!(&listening, SocketEvent::Listening { endpoint: of } if of.to_string() == endpoint),
            "{listening:?}"
        );
        let closed = soon(slow.next()).await.unwrap().unwrap();
        assert!(
            matches!(&closed, SocketEvent::Closed { endpoint: of } if of.to_string() == endpoint)
        );
    }
}

async fn lost(monitor: &mut Monitor) -> u64 {
    let Lagged(lost) = soon(monitor.next()).await.unwrap_err();
    lost
}

/// R07: a monitor that nobody reads delays nothing: through 10,000 strangers who come and go, messages pass and new
/// peers are let in.
#[tokio::test]
async fn a_monitor_that_nobody_reads_delays_nothing() {
    const STRANGERS: u64 = 10_000;
    let rep = RepSocket::usual();
    let mut unread = rep.monitor();
    let endpoint = rep.bind_to("tcp://127.0.0.1:*").await;
    let address = endpoint.to_string();
    let address = address.strip_prefix("tcp://").unwrap().to_owned();
    let strangers = tokio::task::spawn_blocking(move || {
        for _ in 0..STRANGERS {
            let mut stranger = TcpStream::connect(&address).unwrap();
            stranger.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
            // The next comes when this one is sent away, however that ends for it.
            let _reset = stranger.read_to_end(&mut Vec::new());
        }
    });
    let req = ReqSocket::usual();
    req.connect_to(&endpoint);
    let mut served = 0_u64;
    while !strangers.is_finished() {
        // From time to time somebody new.
        let guest = ReqSocket::usual();
        guest.connect_to(&endpoint);
        for client in [&guest, &req] {
            let asked = client.request("ping");
            let (reply, ()) = soon(async {
                tokio::join!(asked, async {
                    rep.recv().await.unwrap();
                    rep.send("pong").await.unwrap();
                })
            })
            .await;
            assert_eq!(reply.unwrap()[0], "pong");
            served += 1;
        }
        guest.end(Linger::Discard).await;
    }
    soon(strangers).await.unwrap();
    assert!(served > 10, "{served}");
    until(|| rep.stats().handshakes_failed == STRANGERS).await;
    assert!(lost(&mut unread).await >= 2 * STRANGERS - HELD);
}
