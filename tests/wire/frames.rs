//! Messages in traffic: every form of a frame, in and out, whole or not at all.

use std::num::{NonZeroU64, NonZeroUsize};

use privateer::core::{
    DealerSocket, DisconnectReason, Endpoint, Frame, Message, PullSocket, PushSocket, SocketOptions,
};

use crate::support::raw_peer::{
    LONG, MORE, RawPeer, frame, greeting, long_frame, long_header, message, ready,
};
use crate::support::sockets::{Watch, soon};

/// On both sides of where a header changes, and beyond what is copied or read at once.
const SIZES: [usize; 9] = [0, 1, 255, 256, 8192, 8193, 65535, 65536, 300_000];

/// Octets that show if some are lost or moved.
fn body(len: usize) -> Vec<u8> {
    (0..=250).cycle().take(len).collect()
}

async fn bound_pull(options: SocketOptions) -> (PullSocket, Endpoint) {
    let pull = PullSocket::with_options(options).unwrap();
    let endpoint = pull.bind("tcp://127.0.0.1:*").await.unwrap();
    (pull, endpoint)
}

/// W10: a long header may stand before a small body, as libzmq accepts it.
#[tokio::test]
async fn frames_of_all_sizes_and_both_headers_are_received() {
    let (pull, endpoint) = bound_pull(SocketOptions::new()).await;
    let mut peer = RawPeer::connect_as(&endpoint, "PUSH").await;
    for size in SIZES {
        let body = body(size);
        for encode in [frame, long_frame] {
            peer.send(&encode(0, &body)).await;
            assert!(
                soon(pull.recv()).await.unwrap() == Message::from(body.clone()),
                "{size}"
            );
            // As the first and as the last frame of several.
            let several = [encode(MORE, &body), encode(MORE, b"|"), encode(0, &body)].concat();
            peer.send(&several).await;
            let message = soon(pull.recv()).await.unwrap();
            assert_eq!(message.len(), 3);
            assert!(message[0] == body[..] && message[2] == body[..], "{size}");
        }
    }
}

/// W10: the shortest header that holds the size, each message in one piece.
#[tokio::test]
async fn frames_of_all_sizes_are_sent_with_the_shortest_header() {
    let push = PushSocket::new().unwrap();
    let endpoint = push.bind("tcp://127.0.0.1:*").await.unwrap();
    let mut peer = RawPeer::connect_as(&endpoint, "PULL").await;
    for size in SIZES {
        let body = body(size);
        let frames: [Frame; 3] = [body.clone().into(), "|".into(), body.clone().into()];
        soon(push.send(frames)).await.unwrap();
        soon(push.send(body.clone())).await.unwrap();
        peer.expect(&message([&body, b"|", &body])).await;
        peer.expect(&message([&body])).await;
    }
    assert_eq!(message([&[0; 255]])[..2], [0, 255]);
    assert_eq!(message([&[0; 256]])[..9], [LONG, 0, 0, 0, 0, 0, 0, 1, 0]);
}

/// W10: 100 MiB in one frame, both ways.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frame_of_100_mib_crosses() {
    const SIZE: usize = 100 << 20;
    let options = SocketOptions::new().max_message_size(NonZeroU64::new(SIZE as u64));
    let dealer = DealerSocket::with_options(options).unwrap();
    let endpoint = dealer.bind("tcp://127.0.0.1:*").await.unwrap();
    let mut peer = RawPeer::connect_as(&endpoint, "DEALER").await;
    let body = body(SIZE);

    let sending = async {
        peer.send(&long_header(0, SIZE as u64)).await;
        peer.send(&body).await;
    };
    let (message, ()) = tokio::join!(soon(dealer.recv()), sending);
    let message = message.unwrap();
    assert!(message[0] == body[..]);

    soon(dealer.send(message)).await.unwrap();
    peer.expect(&long_header(0, SIZE as u64)).await;
    assert!(peer.read(SIZE).await == body);
}

/// However small the pieces, and whatever they cut through.
#[tokio::test]
async fn messages_may_come_octet_by_octet() {
    let (pull, endpoint) = bound_pull(SocketOptions::new()).await;
    let mut peer = RawPeer::connect_as(&endpoint, "PUSH").await;
    let octets = [
        message([b"a", b"", b"c"]),
        long_frame(0, b"long"),
        message([b""]),
    ]
    .concat();
    for octet in octets {
        peer.send(&[octet]).await;
    }
    let abc: Message = [Frame::from("a"), Frame::empty(), Frame::from("c")].into();
    assert_eq!(soon(pull.recv()).await.unwrap(), abc);
    assert_eq!(soon(pull.recv()).await.unwrap()[0], "long");
    assert_eq!(soon(pull.recv()).await.unwrap()[0], "");
}

/// Nothing has to follow READY for what came with it to be received, also if the messages are large or many.
#[tokio::test]
async fn messages_behind_ready_are_received() {
    let (pull, endpoint) = bound_pull(SocketOptions::new()).await;
    for count in [1, 2, 100] {
        let mut peer = RawPeer::connect(&endpoint).await;
        let early = message([&body(50), b"end"]).repeat(count);
        peer.send(&[greeting(), ready("PUSH"), early].concat())
            .await;
        for _ in 0..count {
            assert_eq!(soon(pull.recv()).await.unwrap()[1], "end");
        }
    }
}

/// Many small messages in one write, and one that is cut by its end.
#[tokio::test]
async fn many_messages_in_one_write_are_received_in_order() {
    let (pull, endpoint) = bound_pull(SocketOptions::new()).await;
    let mut peer = RawPeer::connect_as(&endpoint, "PUSH").await;
    let numbers = 0..20_000_u32;
    let octets: Vec<u8> = numbers
        .clone()
        .flat_map(|n| message([&n.to_be_bytes()]))
        .collect();
    let (first, second) = octets.split_at(77_777);
    let sending = async {
        peer.send(first).await;
        peer.send(second).await;
    };
    let receiving = async {
        for number in numbers {
            assert_eq!(soon(pull.recv()).await.unwrap()[0], number.to_be_bytes());
        }
    };
    tokio::join!(sending, receiving);
}

/// A message is received whole or not at all: what was begun goes with its connection.
#[tokio::test]
async fn half_a_message_is_discarded_with_its_connection() {
    let (pull, endpoint) = bound_pull(SocketOptions::new()).await;
    let mut watch = Watch(pull.monitor());
    let large = frame(MORE, &body(100_000));
    let halves: [&[u8]; 6] = [
        b"\x01",
        b"\x01\x05",
        b"\x01\x05ha",
        b"\x01\x04half",
        b"\x01\x04half\x00",
        &large,
    ];
    for half in halves {
        let mut peer = RawPeer::connect_as(&endpoint, "PUSH").await;
        peer.send(half).await;
        peer.end().await;
        peer.expect_end().await;
        assert_eq!(watch.disconnected().await.1, DisconnectReason::ClosedByPeer);
        assert!(pull.try_recv().unwrap_err().would_block());
    }
    let mut peer = RawPeer::connect_as(&endpoint, "PUSH").await;
    peer.send(&message([b"whole"])).await;
    assert_eq!(soon(pull.recv()).await.unwrap(), Message::from("whole"));
}

/// What came before the end can still be received, also what had to wait for room.
#[tokio::test]
async fn what_came_before_the_end_is_received() {
    let options = SocketOptions::new().recv_hwm(NonZeroUsize::new(1));
    let (pull, endpoint) = bound_pull(options).await;
    let mut peer = RawPeer::connect_as(&endpoint, "PUSH").await;
    for number in 0..100_u8 {
        peer.send(&message([&[number]])).await;
    }
    drop(peer);
    for number in 0..100_u8 {
        assert_eq!(soon(pull.recv()).await.unwrap()[0], [number]);
    }
}
