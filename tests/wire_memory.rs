//! What a header merely claims costs nothing. In a program of its own, since it measures the memory of the process.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

use privateer::core::{
    DisconnectReason, Endpoint, HandshakeError, HandshakeFailure, MalformedHandshake,
    PeerMisbehaved, PullSocket, SocketOptions,
};

use support::raw_peer::{COMMAND, MORE, RawPeer, greeting, long_header, message};
use support::sockets::{Watch, soon};

mod support;

const MIB: usize = 1 << 20;
/// The largest size that RFC 37 allows.
const HUGE: u64 = i64::MAX as u64;

/// Private memory of this process in bytes, also what is only reserved.
fn memory() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let data = status.lines().find_map(|line| line.strip_prefix("VmData:"));
    let kib: usize = data
        .unwrap()
        .trim()
        .strip_suffix(" kB")
        .unwrap()
        .parse()
        .unwrap();
    kib * 1024
}

/// A PULL with one good peer, to which others connect.
struct Scene {
    pull: PullSocket,
    endpoint: Endpoint,
    watch: Watch,
    good: RawPeer,
}

impl Scene {
    async fn new(options: SocketOptions) -> Self {
        let pull = PullSocket::with_options(options).unwrap();
        let endpoint = pull.bind("tcp://127.0.0.1:*").await.unwrap();
        let mut watch = Watch(pull.monitor());
        let good = RawPeer::connect_as(&endpoint, "PUSH").await;
        watch.connected().await;
        Self {
            pull,
            endpoint,
            watch,
            good,
        }
    }

    /// Others are not disturbed. By when they are served, the socket has read what came before.
    async fn serve_the_good_one(&mut self) {
        for _ in 0..100 {
            self.good.send(&message([b"good"])).await;
            assert_eq!(soon(self.pull.recv()).await.unwrap()[0], "good");
        }
    }

    /// What a peer that says `octets` costs, while it is there.
    async fn cost_of(&mut self, octets: &[u8]) -> (RawPeer, usize) {
        let mut peer = RawPeer::connect_as(&self.endpoint, "PUSH").await;
        self.watch.connected().await;
        self.serve_the_good_one().await;
        let before = memory();
        peer.send(octets).await;
        self.serve_the_good_one().await;
        (peer, memory().saturating_sub(before))
    }
}

/// A claim over the limit: closed at once, with the reason.
async fn claims_over_the_limit() {
    let mut scene = Scene::new(SocketOptions::new()).await;
    let too_large = PeerMisbehaved::FrameTooLarge {
        size: HUGE,
        limit: 64 << 20,
    };
    let command_too_large = PeerMisbehaved::CommandTooLarge { size: HUGE };
    for (flags, fault) in [
        (0, too_large),
        (MORE, too_large),
        (COMMAND, command_too_large),
    ] {
        let (mut peer, cost) = scene.cost_of(&long_header(flags, HUGE)).await;
        peer.expect_end().await;
        let reason = scene.watch.disconnected().await.1;
        assert_eq!(reason, DisconnectReason::Misbehaved(fault));
        assert!(cost < MIB, "{cost} bytes for {fault}");
    }
}

/// A claim within the limit, or with no limit: waited for, in memory that grows with what arrives.
async fn claims_within_the_limit() {
    let unlimited = SocketOptions::new().max_message_size(None);
    for (options, size) in [(SocketOptions::new(), 64 << 20), (unlimited, HUGE)] {
        let mut scene = Scene::new(options).await;
        for flags in [0, MORE] {
            let claim = long_header(flags, size);
            for octets in [claim.clone(), [&claim[..], &[0; 1000]].concat()] {
                let (mut peer, cost) = scene.cost_of(&octets).await;
                assert!(peer.hears_nothing());
                assert!(cost < MIB, "{cost} bytes for a claim of {size}");
                peer.end().await;
                peer.expect_end().await;
                let reason = scene.watch.disconnected().await.1;
                assert_eq!(reason, DisconnectReason::ClosedByPeer);
            }
        }
    }
}

/// The same in the handshake, where a command has a limit of its own.
async fn claims_in_the_handshake() {
    let mut scene = Scene::new(SocketOptions::new().max_message_size(None)).await;
    let before = memory();
    let mut peer = RawPeer::connect(&scene.endpoint).await;
    peer.send(&[greeting(), long_header(COMMAND, HUGE)].concat())
        .await;
    peer.drain().await;
    let error = HandshakeError::Malformed(MalformedHandshake::TooLong { len: HUGE });
    assert_eq!(
        scene.watch.handshake_failed().await,
        HandshakeFailure::Protocol(error)
    );
    scene.serve_the_good_one().await;
    let cost = memory().saturating_sub(before);
    assert!(cost < MIB, "{cost} bytes in the handshake");
}

/// W11: a header that claims 2^63 - 1 bytes takes less than 1 MiB. One test, so that nothing else takes memory meanwhile.
#[tokio::test]
async fn a_header_costs_no_more_than_a_first_buffer() {
    claims_over_the_limit().await;
    claims_within_the_limit().await;
    claims_in_the_handshake().await;
}
