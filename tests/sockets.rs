//! Every legal pair of socket types talks over every transport, every other pair is refused.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

use privateer::core::{
    ConnectError, DealerSocket, Endpoint, Frame, HandshakeError, HandshakeFailure, Linger, Message,
    PairSocket, Peer, PubSocket, PullSocket, PushSocket, RepSocket, ReqSocket, RouterSocket,
    SocketType, SubSocket, XpubSocket, XsubSocket,
};

mod support;
use support::sockets::{Socket, Transport, Watch, message, soon};

/// Who speaks first, who hears it, and whether the second answers.
const LEGAL: [(SocketType, SocketType, bool); 13] = [
    (SocketType::Pair, SocketType::Pair, true),
    (SocketType::Push, SocketType::Pull, false),
    (SocketType::Dealer, SocketType::Dealer, true),
    (SocketType::Dealer, SocketType::Router, true),
    (SocketType::Router, SocketType::Dealer, true),
    (SocketType::Router, SocketType::Router, true),
    (SocketType::Dealer, SocketType::Rep, true),
    (SocketType::Req, SocketType::Router, true),
    (SocketType::Req, SocketType::Rep, true),
    (SocketType::Pub, SocketType::Sub, false),
    (SocketType::Pub, SocketType::Xsub, false),
    (SocketType::Xpub, SocketType::Sub, false),
    (SocketType::Xpub, SocketType::Xsub, false),
];

const TYPES: [SocketType; 11] = [
    SocketType::Pair,
    SocketType::Push,
    SocketType::Pull,
    SocketType::Dealer,
    SocketType::Router,
    SocketType::Req,
    SocketType::Rep,
    SocketType::Pub,
    SocketType::Sub,
    SocketType::Xpub,
    SocketType::Xsub,
];

/// Who is there first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    BindFirst,
    ConnectFirst,
}

/// §2.1, §2.4: each legal pair exchanges messages, whoever binds, over every transport.
#[tokio::test]
async fn every_legal_pair_exchanges_messages_bind_first() {
    for transport in Transport::ALL {
        exchange_between_all(transport, Order::BindFirst).await;
    }
}

/// §4.3: the same, with a connect before the bind.
#[tokio::test]
async fn every_legal_pair_exchanges_messages_connect_first() {
    for transport in Transport::KNOWN {
        exchange_between_all(transport, Order::ConnectFirst).await;
    }
}

async fn exchange_between_all(transport: Transport, order: Order) {
    for (first, second, answers) in LEGAL {
        for first_binds in [true, false] {
            eprintln!(
                "{first} to {second} over {transport:?}, {order:?}, first binds: {first_binds}"
            );
            let (a, b) = (Any::new(first), Any::new(second));
            let (binder, connector) = if first_binds { (&a, &b) } else { (&b, &a) };
            meet(binder, connector, transport, order).await;
            soon(async { tokio::join!(a.begin(), b.begin()) }).await;
            for message in messages() {
                exchange((&a, first), (&b, second), answers, message).await;
            }
            assert_eq!((a.close().await, b.close().await), (0, 0));
        }
    }
}

/// Single, multipart, with empty frames in all places, inline and not, and 1 MiB.
fn messages() -> Vec<Message> {
    let megabyte = || Frame::from(vec![0xA5; 1024 * 1024]);
    vec![
        message(["one"]),
        message([""]),
        message(["a", "b", "c"]),
        message(["", "a", "", "", "b", ""]),
        Message::from(vec![7; 300]),
        [
            Frame::from(vec![1; 9_000]),
            Frame::empty(),
            Frame::from(vec![2; 70_000]),
        ]
        .into(),
        megabyte().into(),
        [Frame::from("head"), megabyte(), Frame::from("tail")].into(),
    ]
}

async fn meet(binder: &Any, connector: &Any, transport: Transport, order: Order) {
    let place = transport.place();
    let (mut bound, mut connected) = (binder.watch(), connector.watch());
    match order {
        Order::BindFirst => {
            let endpoint = binder.bind(&place.endpoint).await;
            connector.connect(&endpoint.to_string()).unwrap();
        }
        Order::ConnectFirst => {
            connector.connect(&place.endpoint).unwrap();
            binder.bind(&place.endpoint).await;
        }
    }
    let (theirs, ours) = (bound.connected().await, connected.connected().await);
    assert_eq!(theirs.socket_type(), connector.socket_type());
    assert_eq!(ours.socket_type(), binder.socket_type());
}

/// One message forth, and perhaps the same back.
async fn exchange(
    (a, first): (&Any, SocketType),
    (b, second): (&Any, SocketType),
    answers: bool,
    message: Message,
) {
    // What applications write and read themselves: the delimiter, if only one of the two does it for them.
    let a_delimits = (first, second) == (SocketType::Dealer, SocketType::Rep);
    let b_delimits = (first, second) == (SocketType::Req, SocketType::Router);
    soon(a.send(None, envelope(a_delimits, &message))).await;
    let (peer, received) = soon(b.recv()).await;
    assert_eq!(received, envelope(b_delimits, &message));
    if answers {
        soon(b.send(peer, received)).await;
        let (_, answer) = soon(a.recv()).await;
        assert_eq!(answer, envelope(a_delimits, &message));
    }
}

fn envelope(delimited: bool, message: &Message) -> Message {
    let delimiter = delimited.then(Frame::empty);
    let frames = delimiter
        .into_iter()
        .chain(message.frames().iter().cloned())
        .collect();
    Message::from_frames(frames).unwrap()
}

/// §2.3: over tcp and ipc both sides learn that the types do not fit.
#[tokio::test]
async fn every_other_pair_is_refused_with_an_event_on_both_sides() {
    for transport in [Transport::Tcp, Transport::IpcPath] {
        for (ours, theirs) in illegal() {
            let (binder, connector) = (Any::new(ours), Any::new(theirs));
            let (mut bound, mut connected) = (binder.watch(), connector.watch());
            let place = transport.place();
            let endpoint = binder.bind(&place.endpoint).await;
            connector.connect(&endpoint.to_string()).unwrap();
            assert_eq!(bound.handshake_failed().await, mismatch(ours, theirs));
            assert_eq!(connected.handshake_failed().await, mismatch(theirs, ours));
            connector.close().await;
            binder.close().await;
        }
    }
}

/// §4.16: over inproc the type is checked at connect, which libzmq does not do.
#[tokio::test]
async fn inproc_refuses_every_other_pair_at_connect() {
    for (ours, theirs) in illegal() {
        let (binder, connector) = (Any::new(ours), Any::new(theirs));
        let place = Transport::Inproc.place();
        let endpoint = binder.bind(&place.endpoint).await;
        let refused = connector.connect(&place.endpoint).unwrap_err();
        assert_eq!(
            refused,
            ConnectError::Incompatible {
                endpoint,
                ours: theirs,
                theirs: ours
            }
        );
    }
}

/// §4.16: with a connect before the bind both sides learn it by an event.
#[tokio::test]
async fn inproc_refuses_every_other_pair_at_bind() {
    for (ours, theirs) in illegal() {
        let (binder, connector) = (Any::new(ours), Any::new(theirs));
        let (mut bound, mut connected) = (binder.watch(), connector.watch());
        let place = Transport::Inproc.place();
        connector.connect(&place.endpoint).unwrap();
        binder.bind(&place.endpoint).await;
        for failure in [
            bound.handshake_failed().await,
            connected.handshake_failed().await,
        ] {
            let expected = [mismatch(ours, theirs), mismatch(theirs, ours)];
            assert!(expected.contains(&failure), "{failure:?}");
        }
    }
}

fn illegal() -> impl Iterator<Item = (SocketType, SocketType)> {
    let pairs = TYPES.into_iter().flat_map(|a| TYPES.map(|b| (a, b)));
    let legal = |a, b| {
        LEGAL
            .iter()
            .any(|(first, second, _)| (*first, *second) == (a, b))
    };
    pairs.filter(move |(a, b)| !legal(*a, *b) && !legal(*b, *a))
}

fn mismatch(local: SocketType, peer: SocketType) -> HandshakeFailure {
    HandshakeFailure::Protocol(HandshakeError::SocketType { local, peer })
}

/// A socket of any type.
enum Any {
    Pair(PairSocket),
    Push(PushSocket),
    Pull(PullSocket),
    Dealer(DealerSocket),
    Router(RouterSocket),
    Req(ReqSocket),
    Rep(RepSocket),
    Pub(PubSocket),
    Sub(SubSocket),
    Xpub(XpubSocket),
    Xsub(XsubSocket),
}

macro_rules! each {
    ($any:expr, $socket:ident => $body:expr) => {
        match $any {
            Any::Pair($socket) => $body,
            Any::Push($socket) => $body,
            Any::Pull($socket) => $body,
            Any::Dealer($socket) => $body,
            Any::Router($socket) => $body,
            Any::Req($socket) => $body,
            Any::Rep($socket) => $body,
            Any::Pub($socket) => $body,
            Any::Sub($socket) => $body,
            Any::Xpub($socket) => $body,
            Any::Xsub($socket) => $body,
        }
    };
}

impl Any {
    fn new(socket_type: SocketType) -> Self {
        match socket_type {
            SocketType::Pair => Self::Pair(Socket::usual()),
            SocketType::Push => Self::Push(Socket::usual()),
            SocketType::Pull => Self::Pull(Socket::usual()),
            SocketType::Dealer => Self::Dealer(Socket::usual()),
            SocketType::Router => Self::Router(Socket::usual()),
            SocketType::Req => Self::Req(Socket::usual()),
            SocketType::Rep => Self::Rep(Socket::usual()),
            SocketType::Pub => Self::Pub(Socket::usual()),
            SocketType::Sub => Self::Sub(Socket::usual()),
            SocketType::Xpub => Self::Xpub(Socket::usual()),
            SocketType::Xsub => Self::Xsub(Socket::usual()),
            other => panic!("{other} is not tested here"),
        }
    }

    fn socket_type(&self) -> SocketType {
        match self {
            Self::Pair(_) => SocketType::Pair,
            Self::Push(_) => SocketType::Push,
            Self::Pull(_) => SocketType::Pull,
            Self::Dealer(_) => SocketType::Dealer,
            Self::Router(_) => SocketType::Router,
            Self::Req(_) => SocketType::Req,
            Self::Rep(_) => SocketType::Rep,
            Self::Pub(_) => SocketType::Pub,
            Self::Sub(_) => SocketType::Sub,
            Self::Xpub(_) => SocketType::Xpub,
            Self::Xsub(_) => SocketType::Xsub,
        }
    }

    async fn bind(&self, endpoint: &str) -> Endpoint {
        each!(self, socket => socket.bind_to(endpoint).await)
    }

    fn connect(&self, endpoint: &str) -> Result<(), ConnectError> {
        each!(self, socket => socket.try_connect_to(endpoint))
    }

    fn watch(&self) -> Watch {
        each!(self, socket => socket.watch())
    }

    async fn close(self) -> u64 {
        each!(self, socket => socket.end(Linger::Forever).await)
    }

    /// Subscribes, or waits until somebody has.
    async fn begin(&self) {
        match self {
            Self::Sub(socket) => socket.subscribe("").unwrap(),
            Self::Xsub(socket) => socket.subscribe("").unwrap(),
            Self::Pub(socket) => socket.wait_for("", 1).await,
            Self::Xpub(socket) => {
                socket.wait_for("", 1).await;
                assert_eq!(socket.recv().await.unwrap(), message(["\x01"]));
            }
            _ => {}
        }
    }

    /// To `peer`, which a ROUTER needs; to its first one if there is none.
    async fn send(&self, peer: Option<Peer>, message: Message) {
        match self {
            Self::Pair(socket) => socket.send(message).await.unwrap(),
            Self::Push(socket) => socket.send(message).await.unwrap(),
            Self::Dealer(socket) => socket.send(message).await.unwrap(),
            Self::Router(socket) => {
                let peer = peer.unwrap_or_else(|| socket.first_peer());
                socket.send(&peer, message).await.unwrap();
            }
            Self::Req(socket) => socket.send(message).await.unwrap(),
            Self::Rep(socket) => socket.send(message).await.unwrap(),
            Self::Pub(socket) => socket.send(message).await.unwrap(),
            Self::Xpub(socket) => socket.send(message).await.unwrap(),
            Self::Pull(_) | Self::Sub(_) | Self::Xsub(_) => panic!("it does not send"),
        }
    }

    async fn recv(&self) -> (Option<Peer>, Message) {
        match self {
            Self::Pair(socket) => (None, socket.recv().await.unwrap()),
            Self::Pull(socket) => (None, socket.recv().await.unwrap()),
            Self::Dealer(socket) => (None, socket.recv().await.unwrap()),
            Self::Router(socket) => {
                let (peer, message) = socket.recv().await.unwrap();
                (Some(peer), message)
            }
            Self::Req(socket) => (None, socket.recv().await.unwrap()),
            Self::Rep(socket) => (None, socket.recv().await.unwrap()),
            Self::Sub(socket) => (None, socket.recv().await.unwrap()),
            Self::Xsub(socket) => (None, socket.recv().await.unwrap()),
            Self::Push(_) | Self::Pub(_) | Self::Xpub(_) => panic!("it does not receive"),
        }
    }
}
