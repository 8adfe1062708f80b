//! Peers that break the protocol after the handshake: closed with the reason in the event; nobody else is disturbed.

use std::num::NonZeroU64;

use privateer::core::{
    DisconnectReason, Endpoint, Message, PeerMisbehaved, PullSocket, SocketOptions,
};

use crate::support::raw_peer::{COMMAND, MORE, RawPeer, frame, long_header, message};
use crate::support::sockets::{Watch, soon};

/// A PULL with one good peer, to which bad ones connect.
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
        let good = RawPeer::connect_as(&endpoint, "PUSH").await;
        let mut watch = Watch(pull.monitor());
        if pull.stats().connected == 0 {
            watch.connected().await;
        }
        Self {
            pull,
            endpoint,
            watch,
            good,
        }
    }

    /// Why a peer is closed that says `octets`. What it said before counts; what it says after does not.
    async fn closed_for(&mut self, octets: &[u8]) -> PeerMisbehaved {
        let mut bad = RawPeer::connect_as(&self.endpoint, "PUSH").await;
        bad.send_anyway(&[&message([b"before"]), octets, &message([b"after"])].concat())
            .await;
        bad.expect_end().await;
        let DisconnectReason::Misbehaved(fault) = self.watch.disconnected().await.1 else {
            panic!("closed for another reason");
        };
        assert_eq!(
            soon(self.pull.recv()).await.unwrap(),
            Message::from("before")
        );
        self.good.send(&message([b"good"])).await;
        assert_eq!(soon(self.pull.recv()).await.unwrap(), Message::from("good"));
        assert!(self.pull.try_recv().is_err());
        fault
    }
}

fn limited(size: u64) -> SocketOptions {
    SocketOptions::new().max_message_size(NonZeroU64::new(size))
}

/// "Bits 7-3 ... must be zero" (RFC 37, Framing). libzmq delivers such a frame.
#[tokio::test]
async fn reserved_flag_bits_close_the_connection() {
    let mut scene = Scene::new(SocketOptions::new()).await;
    for bit in 3..8 {
        for others in [0, MORE, COMMAND] {
            let flags = 1 << bit | others;
            let fault = scene.closed_for(&[flags, 2, b'z', b'z']).await;
            assert_eq!(fault, PeerMisbehaved::ReservedFlags { flags });
        }
    }
    assert_eq!(scene.pull.stats().misbehaved, 15);
}

/// The limit is one of frames; the header is enough to see it passed.
#[tokio::test]
async fn a_frame_over_the_limit_closes_the_connection() {
    let mut scene = Scene::new(limited(100)).await;
    let limit = 100;
    for (octets, size) in [
        (frame(0, &[7; 101]), 101),
        (frame(MORE, &[7; 101]), 101),
        (long_header(0, 101), 101),
        (long_header(0, i64::MAX as u64), i64::MAX as u64),
        (long_header(0, u64::MAX), u64::MAX),
    ] {
        let fault = scene.closed_for(&octets).await;
        assert_eq!(fault, PeerMisbehaved::FrameTooLarge { size, limit });
    }
    // Exactly the limit is no fault.
    scene.good.send(&message([&[7; 100], &[8; 100]])).await;
    assert_eq!(soon(scene.pull.recv()).await.unwrap().byte_len(), 200);
}

/// All frames of a message together may have four times the limit, and 65,536 may be in it.
#[tokio::test]
async fn a_message_over_the_limits_closes_the_connection() {
    let mut scene = Scene::new(limited(100)).await;
    let four = frame(MORE, &[7; 100]).repeat(4);
    let fault = scene.closed_for(&[four, frame(0, b"x")].concat()).await;
    assert_eq!(fault, PeerMisbehaved::MessageTooLarge { limit: 400 });

    let limit = 64 * 1024;
    let fault = scene.closed_for(&frame(MORE, b"").repeat(limit + 1)).await;
    assert_eq!(fault, PeerMisbehaved::TooManyFrames { limit });
}

/// Commands have a limit of their own, whatever the limit of messages.
#[tokio::test]
async fn a_command_over_its_limit_closes_the_connection() {
    for options in [
        limited(1 << 20),
        SocketOptions::new().max_message_size(None),
    ] {
        let mut scene = Scene::new(options).await;
        for size in [128 * 1024 + 1, i64::MAX as u64, u64::MAX] {
            let fault = scene.closed_for(&long_header(COMMAND, size)).await;
            assert_eq!(fault, PeerMisbehaved::CommandTooLarge { size });
        }
    }
}

/// RFC 37, Framing: a size of 2^63 and above cannot be, also without any limit.
#[tokio::test]
async fn a_size_of_64_bits_closes_the_connection() {
    let mut scene = Scene::new(SocketOptions::new().max_message_size(None)).await;
    for size in [1 << 63, u64::MAX] {
        let fault = scene.closed_for(&long_header(0, size)).await;
        assert_eq!(
            fault,
            PeerMisbehaved::FrameTooLarge {
                size,
                limit: i64::MAX as u64
            }
        );
    }
}

/// A stream that ends in a frame ends like any other; there is no fault in it, and no message.
#[tokio::test]
async fn a_truncated_command_is_just_the_end() {
    let mut scene = Scene::new(SocketOptions::new()).await;
    let cut: [&[u8]; 5] = [
        b"\x04",
        b"\x04\x05",
        b"\x04\x05\x04FO",
        b"\x06\0\0\0",
        b"\x04\x07\x04PING\0",
    ];
    for octets in cut {
        let mut peer = RawPeer::connect_as(&scene.endpoint, "PUSH").await;
        peer.send(octets).await;
        peer.end().await;
        peer.expect_end().await;
        assert_eq!(
            scene.watch.disconnected().await.1,
            DisconnectReason::ClosedByPeer
        );
    }
    assert_eq!(scene.pull.stats().misbehaved, 0);
    assert_eq!(scene.pull.stats().commands_ignored, 0);
}
