//! Commands in traffic: served, ignored and counted, or too bad to go on; never a message, never in one.

use privateer::core::{
    DisconnectReason, Frame, Message, PeerMisbehaved, PullSocket, PushSocket, SocketOptions,
};

use crate::support::raw_peer::{
    COMMAND, MORE, RawPeer, command, frame, long_frame, message, ready,
};
use crate::support::sockets::{Watch, soon};

/// W08: the connection lives, the application sees nothing of it, the socket counts it.
#[tokio::test]
async fn commands_of_no_use_are_ignored_and_counted() {
    let pull = PullSocket::new().unwrap();
    let endpoint = pull.bind("tcp://127.0.0.1:*").await.unwrap();
    let mut peer = RawPeer::connect_as(&endpoint, "PUSH").await;
    let ignored = [
        // libzmq's answer to it is measured: it stays.
        b"\x04\x05\x04FOOO".to_vec(),
        command("UNKNOWN", &[0xFF; 300]),
        frame(COMMAND, b""),
        frame(COMMAND, b"\0"),
        frame(COMMAND, b"\xFFname longer than the body"),
        long_frame(COMMAND, b"\x04FOOO"),
        frame(COMMAND | MORE, b"\x04FOOO"),
        // Of use to others, or at another time.
        command("SUBSCRIBE", b"topic"),
        command("CANCEL", b"topic"),
        command("JOIN", b"group"),
        command("LEAVE", b"group"),
        command("ERROR", b"\x03bad"),
        command("ERROR", b"\xFFbad"),
        command("ping", b"\0\0"),
        ready("PUSH"),
        command("UNKNOWN", &vec![0; 128 * 1024 - 8]),
    ];
    for (count, ignored) in (1..).zip(&ignored) {
        peer.send(&[&message([b"before"]), &ignored[..], &message([b"after"])].concat())
            .await;
        assert_eq!(soon(pull.recv()).await.unwrap(), Message::from("before"));
        assert_eq!(soon(pull.recv()).await.unwrap(), Message::from("after"));
        assert_eq!(pull.stats().commands_ignored, count);
    }
    // A PONG that nobody asked for is no fault, and nothing to count.
    peer.send(&[command("PONG", b"stray"), message([b"end"])].concat())
        .await;
    assert_eq!(soon(pull.recv()).await.unwrap(), Message::from("end"));
    assert_eq!(pull.stats().commands_ignored, ignored.len() as u64);
    assert!(peer.hears_nothing());
}

/// W13: PONG has the context of the PING, of which 16 octets count; it is answered with heartbeats of our own or not.
#[tokio::test]
async fn a_ping_is_answered_with_its_context() {
    let pull = PullSocket::new().unwrap();
    let endpoint = pull.bind("tcp://127.0.0.1:*").await.unwrap();
    let mut peer = RawPeer::connect_as(&endpoint, "PUSH").await;
    let ping = |context: &[u8]| command("PING", &[b"\0\x0A", context].concat());
    for len in [0, 1, 7, 16] {
        let context = &b"0123456789abcdef"[..len];
        peer.send(&ping(context)).await;
        peer.expect(&command("PONG", context)).await;
    }
    for len in [17, 255, 5000] {
        peer.send(&ping(&vec![b'c'; len])).await;
        peer.expect(&command("PONG", &[b'c'; 16])).await;
    }
    // As libzmq writes its own, octet by octet.
    peer.send(b"\x04\x07\x04PING\0\0").await;
    peer.expect(b"\x04\x05\x04PONG").await;
}

/// W13: without TTL it is no PING; libzmq would answer it with 16 octets of its memory.
#[tokio::test]
async fn a_short_ping_closes_the_connection() {
    let pull = PullSocket::new().unwrap();
    let endpoint = pull.bind("tcp://127.0.0.1:*").await.unwrap();
    let mut watch = Watch(pull.monitor());
    for ttl in [&b""[..], b"\0"] {
        let mut peer = RawPeer::connect_as(&endpoint, "PUSH").await;
        peer.send(&command("PING", ttl)).await;
        peer.expect_end().await;
        let fault = PeerMisbehaved::ShortPing;
        assert_eq!(
            watch.disconnected().await.1,
            DisconnectReason::Misbehaved(fault)
        );
    }
    assert_eq!(pull.stats().misbehaved, 2);
}

/// W09: libzmq's heartbeat takes the next output slot, also between the frames of one message.
#[tokio::test]
async fn a_ping_between_the_frames_of_a_message_does_not_disturb_it() {
    let pull = PullSocket::new().unwrap();
    let endpoint = pull.bind("tcp://127.0.0.1:*").await.unwrap();
    let mut peer = RawPeer::connect_as(&endpoint, "PUSH").await;
    let ping = command("PING", b"\0\0now");
    let large = vec![b'l'; 100_000];
    for body in [&b"small"[..], &large] {
        let frames = [frame(MORE, b"first"), frame(MORE, body), frame(0, b"last")];
        let [first, middle, last] = &frames;
        // In one write, and with a pause at each command.
        peer.send(
            &[first, &ping, middle, &ping, last]
                .map(|piece| &piece[..])
                .concat(),
        )
        .await;
        peer.expect(&command("PONG", b"now").repeat(2)).await;
        for piece in [first, middle] {
            peer.send(piece).await;
            peer.send(&ping).await;
            peer.expect(&command("PONG", b"now")).await;
        }
        peer.send(last).await;
        for _ in 0..2 {
            let message = soon(pull.recv()).await.unwrap();
            let expected: Message = [
                Frame::from("first"),
                Frame::copy_from_slice(body),
                Frame::from("last"),
            ]
            .into();
            assert!(message == expected);
        }
    }
}

/// Our PONG goes between messages, however long one takes (RFC 37, Formal Grammar).
#[tokio::test]
async fn a_pong_does_not_stand_between_the_frames_of_our_message() {
    const FRAMES: usize = 8;
    let push = PushSocket::new().unwrap();
    let endpoint = push.bind("tcp://127.0.0.1:*").await.unwrap();
    let mut peer = RawPeer::connect_as(&endpoint, "PULL").await;
    // More than the kernel takes, so that it is half written when the PING comes.
    let frames = vec![Frame::from(vec![b'x'; 2 << 20]); FRAMES];
    let large = Message::from_frames(frames).unwrap();
    for _ in 0..2 {
        soon(push.send(large.clone())).await.unwrap();
    }
    assert_eq!(peer.frame().await.0, MORE);
    peer.send(&command("PING", b"\0\0")).await;
    let mut seen = vec![MORE];
    while seen.last() != Some(&COMMAND) {
        seen.push(peer.frame().await.0);
    }
    let before = seen.split_last().unwrap().1;
    assert_eq!(before.len() % FRAMES, 0, "{seen:?}");
    assert!(
        before
            .chunks(FRAMES)
            .all(|message| message[FRAMES - 1] == 0)
    );
}

/// A PING with no context.
const PING: &[u8] = b"\x04\x07\x04PING\0\0";

/// Sends PINGs and hears nothing, until no more are taken; returns how many octets of them were.
///
/// Meanwhile a good peer's messages are received, so that there is time for more.
async fn ask_until_stuck(deaf: &RawPeer, good: &mut RawPeer, pull: &PullSocket) -> usize {
    let pings = PING.repeat(10_000);
    let (mut sent, mut refused) = (0, 0);
    while refused < 100 {
        let written = deaf.try_send(&pings[sent % PING.len()..]);
        sent += written;
        refused = if written == 0 { refused + 1 } else { 0 };
        assert!(sent < 1 << 30, "it is read on and on");
        good.send(&message([b"good"])).await;
        soon(pull.recv()).await.unwrap();
    }
    sent
}

/// A peer that asks and does not listen is read no further, and served when it listens again; others are not held up.
#[tokio::test]
async fn pongs_that_nobody_reads_do_not_pile_up() {
    let pull = PullSocket::new().unwrap();
    let endpoint = pull.bind("tcp://127.0.0.1:*").await.unwrap();
    let mut deaf = RawPeer::connect_as(&endpoint, "PUSH").await;
    let mut good = RawPeer::connect_as(&endpoint, "PUSH").await;
    let sent = ask_until_stuck(&deaf, &mut good, &pull).await;
    let whole = sent / PING.len();
    assert!(deaf.read(whole * 7).await == command("PONG", b"").repeat(whole));
    deaf.send(&PING[sent % PING.len()..]).await;
    deaf.expect(&command("PONG", b"")).await;
}

/// Such a peer is noticed when it goes, also without heartbeats.
#[tokio::test]
async fn a_peer_that_does_not_listen_is_missed_when_it_goes() {
    let options = SocketOptions::new().heartbeat_interval(None);
    let pull = PullSocket::with_options(options).unwrap();
    let endpoint = pull.bind("tcp://127.0.0.1:*").await.unwrap();
    let mut watch = Watch(pull.monitor());
    let deaf = RawPeer::connect_as(&endpoint, "PUSH").await;
    let mut good = RawPeer::connect_as(&endpoint, "PUSH").await;
    ask_until_stuck(&deaf, &mut good, &pull).await;
    drop(deaf);
    watch.disconnected().await;
    assert_eq!(pull.stats().peers, 1);
}
