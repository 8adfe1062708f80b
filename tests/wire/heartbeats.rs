//! Heartbeats of our own: when they are sent, to whom, and what counts as life (RFC 37, Connection Heartbeating).

use std::io;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use privateer::core::{DisconnectReason, PullSocket, PushSocket, SocketOptions};
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::support::raw_peer::{RawPeer, command, greeting, long_header, message, ready};
use crate::support::sockets::{Watch, soon};

const INTERVAL: Duration = Duration::from_millis(20);

/// A PING as we write it: no TTL, no context.
const PING: &[u8] = b"\x04\x07\x04PING\0\0";

fn options(timeout: Duration) -> SocketOptions {
    SocketOptions::new()
        .heartbeat_interval(Some(INTERVAL))
        .heartbeat_timeout(timeout)
}

/// Long enough for a peer that answers on a busy machine.
const PATIENT: Duration = Duration::from_secs(20);

/// A PING with this TTL.
fn ping(tenths: u16) -> Vec<u8> {
    command("PING", &tenths.to_be_bytes())
}

async fn bound(options: SocketOptions) -> (PullSocket, privateer::core::Endpoint) {
    let pull = PullSocket::with_options(options).unwrap();
    let endpoint = pull.bind("tcp://127.0.0.1:*").await.unwrap();
    (pull, endpoint)
}

/// A peer that is silent is asked, and each answer is life.
#[tokio::test]
async fn a_silent_peer_is_asked_and_lives_by_its_answers() {
    let (pull, endpoint) = bound(options(PATIENT)).await;
    let mut peer = RawPeer::connect_as(&endpoint, "PUSH").await;
    for _ in 0..5 {
        peer.expect(PING).await;
        peer.send(&command("PONG", b"")).await;
    }
    assert_eq!(pull.stats().peers, 1);
    assert_eq!(pull.stats().commands_ignored, 0);
}

/// Any octet that arrives is life, also of a message that is not complete for long: it is asked again, not given up.
#[tokio::test]
async fn any_octet_is_life() {
    let (pull, endpoint) = bound(options(PATIENT)).await;
    let mut peer = RawPeer::connect_as(&endpoint, "PUSH").await;
    peer.send(&long_header(0, 5)).await;
    for octet in b"slow!" {
        // The next PING comes only after something was heard since the last.
        peer.expect(PING).await;
        peer.send(&[*octet]).await;
    }
    assert_eq!(soon(pull.recv()).await.unwrap()[0], "slow!");
}

#[tokio::test]
async fn a_peer_that_does_not_answer_is_given_up() {
    let (pull, endpoint) = bound(options(INTERVAL)).await;
    let mut watch = Watch(pull.monitor());
    let mut peer = RawPeer::connect_as(&endpoint, "PUSH").await;
    assert_eq!(
        watch.disconnected().await.1,
        DisconnectReason::HeartbeatTimeout
    );
    peer.expect(PING).await;
    peer.expect_end().await;
}

/// Who has switched heartbeats off is never asked for them, and answers. Nor are peers asked that speak ZMTP 3.0, of
/// which some close the connection at a PING.
#[tokio::test]
async fn without_heartbeats_and_to_3_0_peers_no_ping_is_sent() {
    let (off, off_endpoint) = bound(SocketOptions::new().heartbeat_interval(None)).await;
    let (on, on_endpoint) = bound(options(PATIENT)).await;
    let mut unasked = RawPeer::connect_as(&off_endpoint, "PUSH").await;
    let mut old = RawPeer::connect(&on_endpoint).await;
    let mut greeting = greeting();
    greeting[11] = 0;
    old.send(&greeting).await;
    old.expect_greeting().await;
    old.send(&ready("PUSH")).await;
    old.expect(&ready("PULL")).await;

    // Meanwhile a peer that is asked was asked five times.
    let mut asked = RawPeer::connect_as(&on_endpoint, "PUSH").await;
    for _ in 0..5 {
        asked.expect(PING).await;
        asked.send(&command("PONG", b"")).await;
    }
    for (peer, socket) in [(&mut unasked, &off), (&mut old, &on)] {
        assert!(peer.hears_nothing());
        peer.send(&[command("PING", b"\0\0hi"), message([b"lives"])].concat())
            .await;
        peer.expect(&command("PONG", b"hi")).await;
        assert_eq!(soon(socket.recv()).await.unwrap()[0], "lives");
    }
}

/// Whoever is not read, since nobody receives, is not given up: its answers are behind what waits.
#[tokio::test]
async fn a_peer_that_is_not_read_is_not_given_up() {
    const MESSAGES: usize = 600;
    let options = options(INTERVAL).recv_hwm(std::num::NonZeroUsize::new(1));
    let (pull, endpoint) = bound(options).await;
    let mut watch = Watch(pull.monitor());
    let mut waiting = RawPeer::connect_as(&endpoint, "PUSH").await;
    // More than a read buffer, so that reading stops.
    waiting.send(&message([&[7; 1024]]).repeat(MESSAGES)).await;
    let waits = watch.connected().await;
    // Others are silent meanwhile, and given up, one after the other.
    for _ in 0..3 {
        let _raw = RawPeer::connect_as(&endpoint, "PUSH").await;
        let silent = watch.connected().await;
        let (lost, reason) = watch.disconnected().await;
        assert_eq!(
            (lost.id(), reason),
            (silent.id(), DisconnectReason::HeartbeatTimeout)
        );
    }
    let peers: Vec<_> = pull.peers().iter().map(privateer::core::Peer::id).collect();
    assert_eq!(peers, [waits.id()]);
    waiting.expect(PING).await;
    for _ in 0..MESSAGES {
        assert_eq!(soon(pull.recv()).await.unwrap()[0].len(), 1024);
    }
}

/// Our timeout runs from when the PING was written: a peer that is still busy with what we sent before is not given up.
#[tokio::test]
async fn a_peer_that_has_not_got_the_ping_is_not_given_up() {
    const LARGE: usize = 32 << 20;
    let push = PushSocket::with_options(options(INTERVAL)).unwrap();
    let endpoint = push.bind("tcp://127.0.0.1:*").await.unwrap();
    let mut watch = Watch(push.monitor());
    let mut busy = RawPeer::connect_as(&endpoint, "PULL").await;
    let waits = watch.connected().await;
    // More than the kernel takes, in one message, so that the PING has to wait.
    soon(push.send(vec![7; LARGE])).await.unwrap();
    for _ in 0..3 {
        let _raw = RawPeer::connect_as(&endpoint, "PULL").await;
        let silent = watch.connected().await;
        let (lost, reason) = watch.disconnected().await;
        assert_eq!(
            (lost.id(), reason),
            (silent.id(), DisconnectReason::HeartbeatTimeout)
        );
    }
    busy.expect(&long_header(0, LARGE as u64)).await;
    busy.read(LARGE).await;
    busy.expect(PING).await;
    assert_eq!(watch.disconnected().await.0.id(), waits.id());
}

/// W15: the TTL that is sent has whole tenths of a second, and at most 655 of them: libzmq 4.3.5 misreads more.
#[tokio::test]
async fn a_ping_announces_the_time_to_live_that_libzmq_understands() {
    let seconds = Duration::from_secs_f64;
    for (ttl, tenths) in [
        (seconds(0.099), 0),
        (seconds(0.1), 1),
        (seconds(1.999), 19),
        (seconds(65.5), 655),
        (seconds(65.6), 655),
        (seconds(6553.5), 655),
        (Duration::MAX, 655),
    ] {
        let (_pull, endpoint) = bound(options(PATIENT).heartbeat_ttl(Some(ttl))).await;
        let mut peer = RawPeer::connect_as(&endpoint, "PUSH").await;
        peer.expect(&ping(tenths)).await;
    }
}

/// W15: what is announced shorter than it was asked for is told.
#[test]
fn a_time_to_live_that_is_cut_is_told() {
    let told = |ttl| {
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone());
        let listening = subscriber.finish().set_default();
        let _options = SocketOptions::new().heartbeat_ttl(Some(ttl));
        drop(listening);
        let octets = log.0.lock().unwrap().clone();
        String::from_utf8(octets).unwrap()
    };
    let longest = Duration::from_millis(65_500);
    assert_eq!(told(longest), "");
    let text = told(longest + Duration::from_millis(1));
    assert!(
        text.contains("WARN") && text.contains("announced=65.5s"),
        "{text}"
    );
}

/// What is logged.
#[derive(Clone, Debug, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// W14: whoever announces how long it may be silent is given up after that time.
#[tokio::test]
async fn a_peer_is_given_up_when_its_own_time_is_over() {
    let (pull, endpoint) = bound(SocketOptions::new()).await;
    let mut watch = Watch(pull.monitor());
    let mut peer = RawPeer::connect_as(&endpoint, "PUSH").await;
    peer.send(&ping(5)).await;
    let begun = Instant::now();
    peer.expect(&command("PONG", b"")).await;
    assert_eq!(
        watch.disconnected().await.1,
        DisconnectReason::TimeToLiveExpired
    );
    assert!(begun.elapsed() >= Duration::from_millis(500));
    peer.expect_end().await;
}
