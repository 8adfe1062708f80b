//! STREAM: raw octets, of peers that know nothing of ZeroMQ (K17).
#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

mod support;

use std::num::NonZeroUsize;
use std::time::Duration;

use privateer::core::{
    BindError, ConnectError, DisconnectReason, EndpointError, Frame, Linger, Message, Peer,
    PeerEvent, RoutingId, SendErrorKind, SocketOptions, SocketType, StreamSocket,
};
use support::sockets::{Socket, Transport, eager, link, message, soon, until};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

const KINDS: [Transport; 2] = [Transport::Tcp, Transport::IpcPath];

fn empty() -> Message {
    Message::from(Frame::empty())
}

/// A body whose bytes tell their place.
fn body(len: usize) -> Vec<u8> {
    (0..=250_u8).cycle().take(len).collect()
}

/// A server, and a TCP client that it has been told of.
async fn served(options: SocketOptions) -> (StreamSocket, TcpStream, Peer) {
    let server = StreamSocket::with(options);
    let endpoint = soon(server.bind("tcp://127.0.0.1:*")).await.unwrap();
    let address = endpoint.to_string();
    let address = address.strip_prefix("tcp://").unwrap();
    let mut watch = server.watch();
    let client = TcpStream::connect(address).await.unwrap();
    let peer = watch.connected().await;
    (server, client, peer)
}

/// So many octets of one peer, in however many pieces.
async fn octets(socket: &StreamSocket, from: &Peer, len: usize) -> Vec<u8> {
    let mut octets = Vec::new();
    while octets.len() < len {
        let (peer, piece) = soon(socket.recv()).await.unwrap();
        assert_eq!((&peer, piece.len()), (from, 1));
        assert!(!piece[0].is_empty(), "the connection is lost");
        octets.extend_from_slice(&piece[0]);
    }
    octets
}

/// K17: an empty message when a connection is there and when it is lost; what is between is what was sent.
#[tokio::test]
async fn octets_come_and_go_as_they_are() {
    let (server, mut client, peer) = served(SocketOptions::new()).await;
    assert_eq!(peer.socket_type(), SocketType::Stream);
    let id = peer.routing_id().as_bytes();
    assert_eq!((id.len(), id[0]), (5, 0));
    assert_eq!(soon(server.recv()).await.unwrap(), (peer.clone(), empty()));
    client.write_all(b"GET / HTTP/1.0\r\n\r\n").await.unwrap();
    assert_eq!(octets(&server, &peer, 18).await, b"GET / HTTP/1.0\r\n\r\n");
    server
        .send(&peer, message(["HTTP/1.0 ", "", "200"]))
        .await
        .unwrap();
    server.send(peer.routing_id(), " OK\r\n").await.unwrap();
    let mut received = [0; 17];
    soon(client.read_exact(&mut received)).await.unwrap();
    assert_eq!(&received, b"HTTP/1.0 200 OK\r\n");
    client.write_all(b"last").await.unwrap();
    drop(client);
    assert_eq!(octets(&server, &peer, 4).await, b"last");
    assert_eq!(soon(server.recv()).await.unwrap(), (peer.clone(), empty()));
    let error = server.send(&peer, "nobody").await.unwrap_err();
    assert_eq!(error.kind(), SendErrorKind::Unroutable);
}

/// K17: without `stream_notify` only octets are received; events tell of connections in any case.
#[tokio::test]
async fn notifications_can_be_left_out() {
    let (server, mut client, peer) = served(SocketOptions::new().stream_notify(false)).await;
    client.write_all(b"x").await.unwrap();
    drop(client);
    let mut told = Vec::new();
    for _ in 0..3 {
        told.push(match soon(server.recv_event()).await.unwrap() {
            PeerEvent::Up(up) => format!("up {}", up == peer),
            PeerEvent::Message(_, octets) => format!("{}", octets[0] == "x"),
            PeerEvent::Down(down) => format!("down {}", down == peer),
            other => panic!("{other:?}"),
        });
    }
    assert_eq!(told, ["up true", "true", "down true"]);
}

/// K17: an empty message closes the connection behind all that was sent, however slowly that is read.
#[tokio::test]
async fn an_empty_message_closes_behind_all_that_was_sent() {
    let (server, mut client, peer) = served(SocketOptions::new()).await;
    let mut watch = server.watch();
    let sent = body(3_000_000);
    server.send(&peer, sent.clone()).await.unwrap();
    server.send(&peer, "end").await.unwrap();
    server.send(&peer, "").await.unwrap();
    let mut received = Vec::new();
    soon(client.read_to_end(&mut received)).await.unwrap();
    assert!(received == [sent, b"end".to_vec()].concat());
    // Nobody takes more, before the connection has ended and after.
    let error = server.send(&peer, "too late").await.unwrap_err();
    assert_eq!(error.kind(), SendErrorKind::Unroutable);
    drop(client);
    let ended = watch.disconnected().await;
    assert_eq!(ended, (peer.clone(), DisconnectReason::ClosedHere));
    // Who closed it is not told.
    assert_eq!(soon(server.recv()).await.unwrap(), (peer, empty()));
    assert!(server.try_recv().is_err());
    assert_eq!(server.counts().queued, 0);
}

/// K17: a peer that does not close its side is waited for no longer than a second.
#[tokio::test]
async fn who_does_not_close_is_left() {
    let (server, client, peer) = served(SocketOptions::new()).await;
    let mut watch = server.watch();
    server.send(&peer, "").await.unwrap();
    let ended = watch.disconnected().await;
    assert_eq!(ended, (peer, DisconnectReason::ClosedHere));
    drop(client);
}

/// K17: large pieces both ways; one message has 64 KiB at most.
#[tokio::test]
async fn pieces_are_large_and_bounded() {
    let (server, client, peer) = served(SocketOptions::new()).await;
    assert_eq!(soon(server.recv()).await.unwrap().1, empty());
    let sent = body(5_000_000);
    let (mut reader, mut writer) = client.into_split();
    let echoed = tokio::spawn(async move {
        let mut octets = vec![0; 5_000_000];
        reader.read_exact(&mut octets).await.unwrap();
        octets
    });
    let writing = {
        let sent = sent.clone();
        tokio::spawn(async move {
            writer.write_all(&sent).await.unwrap();
            writer
        })
    };
    let (mut len, mut largest) = (0, 0);
    while len < sent.len() {
        let (from, piece) = soon(server.recv()).await.unwrap();
        assert_eq!(from, peer);
        len += piece[0].len();
        largest = largest.max(piece[0].len());
        server.send(&peer, piece).await.unwrap();
    }
    assert!((8_193..=65_536).contains(&largest), "{largest}");
    assert!(soon(echoed).await.unwrap() == sent);
    drop(soon(writing).await.unwrap());
}

/// Who is not read is not read from: marks hold for raw octets as for messages.
#[tokio::test]
async fn marks_hold_octets_up() {
    let options = SocketOptions::new().recv_hwm(NonZeroUsize::new(2));
    let (server, mut client, peer) = served(options.send_hwm(NonZeroUsize::new(2))).await;
    let piece = body(100_000);
    let mut written = 0;
    while tokio::time::timeout(Duration::from_millis(200), client.write_all(&piece))
        .await
        .is_ok()
    {
        written += piece.len();
        assert!(written < 1 << 30, "somebody takes everything");
    }
    assert!(server.counts().received <= 3);
    let refused = (0..).find_map(|_| server.try_send(&peer, body(1 << 20)).err());
    assert!(refused.unwrap().would_block());
}

/// K17, CONNECT: it connects, too, has a name for whom it connected to if it wants one, and comes back when that is lost.
#[tokio::test]
async fn it_connects_and_comes_back() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("tcp://{}", listener.local_addr().unwrap());
    let client = StreamSocket::with(eager());
    let name = RoutingId::new("server").unwrap();
    client.connect_as(&*endpoint, name.clone()).unwrap();
    let early = client.try_send(&name, "early").unwrap_err();
    assert_eq!(early.kind(), SendErrorKind::Unroutable);
    for _ in 0..2 {
        let (mut server, _) = soon(listener.accept()).await.unwrap();
        let (peer, connected) = soon(client.recv()).await.unwrap();
        assert_eq!((peer.routing_id(), connected), (&name, empty()));
        client.send(&name, "question").await.unwrap();
        let mut question = [0; 8];
        soon(server.read_exact(&mut question)).await.unwrap();
        assert_eq!(&question, b"question");
        server.write_all(b"answer").await.unwrap();
        assert_eq!(octets(&client, &peer, 6).await, b"answer");
        drop(server);
        assert_eq!(soon(client.recv()).await.unwrap(), (peer, empty()));
    }
    // Once it is closed on purpose, it stays so.
    let (server, _) = soon(listener.accept()).await.unwrap();
    soon(client.recv()).await.unwrap();
    client.send(&name, "").await.unwrap();
    drop(server);
    until(|| client.connect_as(&*endpoint, name.clone()).is_ok()).await;
}

/// Two of them talk to each other, over tcp and over ipc.
#[tokio::test]
async fn two_of_them_talk() {
    for transport in KINDS {
        let (server, client) = (StreamSocket::usual(), StreamSocket::usual());
        let _linked = link(&server, &client, transport).await;
        let (there, connected) = soon(client.recv()).await.unwrap();
        assert_eq!(connected, empty());
        let (here, connected) = soon(server.recv()).await.unwrap();
        assert_eq!(connected, empty());
        client.send(&there, "there").await.unwrap();
        assert_eq!(octets(&server, &here, 5).await, b"there");
        server.send(&here, "back").await.unwrap();
        assert_eq!(octets(&client, &there, 4).await, b"back");
        client.send(&there, "all of it").await.unwrap();
        assert_eq!(client.end(Linger::For(Duration::from_secs(5))).await, 0);
        assert_eq!(octets(&server, &here, 9).await, b"all of it");
        assert_eq!(soon(server.recv()).await.unwrap(), (here, empty()));
    }
}

/// Inproc has no octets.
#[tokio::test]
async fn it_is_for_the_world_outside() {
    let socket = StreamSocket::usual();
    let bound = socket.bind("inproc://raw").await;
    assert!(matches!(
        bound,
        Err(BindError::Endpoint(EndpointError::NotForStream))
    ));
    let connected = socket.connect("inproc://raw");
    assert_eq!(
        connected,
        Err(ConnectError::Endpoint(EndpointError::NotForStream))
    );
}
