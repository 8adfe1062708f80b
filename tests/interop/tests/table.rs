//! Every legal pair of socket types, with libzmq and pyzmq on the other side, either side bound, over tcp and ipc.
//!
//! The other side sends back what it receives, so each message goes both ways.

use std::sync::atomic::{AtomicUsize, Ordering};

use privateer_core::{
    DealerSocket, Endpoint, Frame, Message, PairSocket, Peer, PeerEvent, PullSocket, PushSocket,
    RepSocket, ReqSocket, RouterSocket, SocketOptions, SocketType,
};
use privateer_interop::{Foreign, Library, Python, Role, body, message, soon};

use SocketType::{Dealer, Pair, Pull, Push, Rep, Req, Router};

/// Our type and theirs. PUSH to their PULL, which pushes on to our PULL, is one conversation.
const PAIRS: [(SocketType, SocketType); 12] = [
    (Pair, Pair),
    (Push, Pull),
    (Dealer, Router),
    (Router, Dealer),
    (Dealer, Dealer),
    (Router, Router),
    (Req, Rep),
    (Rep, Req),
    (Req, Router),
    (Router, Req),
    (Dealer, Rep),
    (Rep, Dealer),
];

/// A frame that only large tests send.
const HUGE: usize = 100 * 1024 * 1024;

/// W04, W10, K03
#[tokio::test]
async fn every_pair_of_types_exchanges_messages_with_libzmq() {
    table(&Library::Libzmq).await;
}

/// W04, W10, K03
#[tokio::test]
async fn every_pair_of_types_exchanges_messages_with_pyzmq() {
    let Some(python) = Python::ready() else {
        return;
    };
    table(&Library::Pyzmq(python)).await;
}

/// W10
#[tokio::test]
async fn a_frame_of_100_mib_passes_both_ways() {
    for library in Library::all() {
        let messages = [Message::from(body(HUGE))];
        converse(
            &library,
            (Dealer, Router),
            Role::Bind,
            "tcp://127.0.0.1:*",
            &messages,
        )
        .await;
    }
}

async fn table(library: &Library) {
    let directory = tempfile::tempdir().unwrap();
    let messages = messages();
    for pair in PAIRS {
        for role in [Role::Bind, Role::Connect] {
            for transport in ["tcp", "ipc", "ipc-abstract"] {
                let endpoint = match transport {
                    "tcp" => "tcp://127.0.0.1:*".to_owned(),
                    "ipc" => format!("ipc://{}/{}", directory.path().display(), unique()),
                    _ => format!(
                        "ipc://@privateer-interop-{}-{}",
                        std::process::id(),
                        unique()
                    ),
                };
                converse(library, pair, role, &endpoint, &messages).await;
            }
        }
    }
}

/// What passes both ways in each conversation.
fn messages() -> Vec<Message> {
    let sizes = [0, 1, 255, 256, 65_535, 65_536, 1024 * 1024];
    let mut messages: Vec<Message> = sizes.map(|len| Message::from(body(len))).into();
    messages.push(message(["a", "b", "c"]));
    messages.push(message(["", "after an empty frame"]));
    messages.push(message(["before an empty frame", ""]));
    messages.push(message(["", "", ""]));
    messages.push(message([body(65_536), body(0), body(255), body(256)]));
    messages
}

/// One connection with an echo, and all messages over it.
async fn converse(
    library: &Library,
    (ours, theirs): (SocketType, SocketType),
    role: Role,
    endpoint: &str,
    messages: &[Message],
) {
    let speaker = Speaker::new(ours, theirs);
    let echo = library.socket(theirs);
    join(&speaker, &echo, role, endpoint).await;
    let first: Option<&[&str]> = match (theirs, ours) {
        (Req, _) => Some(&["begin"]),
        (Dealer, Rep) => Some(&["", "begin"]),
        _ => None,
    };
    if let Speaker::Push { pull, .. } = &speaker {
        // A second connection, from their PUSH to our PULL, the same way round.
        let second = if endpoint.starts_with("tcp") {
            endpoint.to_owned()
        } else {
            format!("{endpoint}-back")
        };
        if role == Role::Bind {
            let endpoint = pull.bind(&*second).await.unwrap();
            echo.forward(Role::Connect, &endpoint.to_string()).await;
        } else {
            pull.connect(&*echo.forward(Role::Bind, &second).await)
                .unwrap();
        }
    } else {
        echo.echo(first).await;
    }
    let peer = speaker.peer().await;
    if first.is_some() {
        assert_eq!(soon(speaker.recv()).await, message(["begin"]));
    }
    for message in messages {
        soon(speaker.send(peer.as_ref(), message.clone())).await;
        let echoed = soon(speaker.recv()).await;
        assert!(
            echoed == *message,
            "{ours} {role:?} with {theirs} over {endpoint}: {} bytes",
            message.byte_len()
        );
    }
}

async fn join(ours: &Speaker, theirs: &Foreign, role: Role, endpoint: &str) {
    match role {
        Role::Bind => {
            let endpoint = ours.bind(endpoint).await;
            theirs.attach(Role::Connect, &endpoint.to_string()).await;
        }
        Role::Connect => ours.connect(&theirs.attach(Role::Bind, endpoint).await),
    }
}

/// Our side of a conversation, which knows what an envelope its peer needs.
enum Speaker {
    Pair(PairSocket),
    Push {
        push: PushSocket,
        pull: PullSocket,
    },
    /// `envelope` is whether each message begins with an empty frame.
    Dealer {
        dealer: DealerSocket,
        envelope: bool,
    },
    Router {
        router: RouterSocket,
        envelope: bool,
    },
    Req(ReqSocket),
    Rep(RepSocket),
}

impl Speaker {
    fn new(kind: SocketType, peer: SocketType) -> Self {
        let options = || SocketOptions::new().max_message_size(None);
        match kind {
            Pair => Self::Pair(PairSocket::with_options(options()).unwrap()),
            Push => Self::Push {
                push: PushSocket::with_options(options()).unwrap(),
                pull: PullSocket::with_options(options()).unwrap(),
            },
            Dealer => Self::Dealer {
                dealer: DealerSocket::with_options(options()).unwrap(),
                envelope: peer == Rep,
            },
            Router => Self::Router {
                router: RouterSocket::with_options(options()).unwrap(),
                envelope: peer == Req,
            },
            Req => Self::Req(ReqSocket::with_options(options()).unwrap()),
            Rep => Self::Rep(RepSocket::with_options(options()).unwrap()),
            other => panic!("{other} is not in the table"),
        }
    }

    async fn bind(&self, endpoint: &str) -> Endpoint {
        match self {
            Self::Pair(socket) => socket.bind(endpoint).await,
            Self::Push { push, .. } => push.bind(endpoint).await,
            Self::Dealer { dealer, .. } => dealer.bind(endpoint).await,
            Self::Router { router, .. } => router.bind(endpoint).await,
            Self::Req(socket) => socket.bind(endpoint).await,
            Self::Rep(socket) => socket.bind(endpoint).await,
        }
        .unwrap()
    }

    fn connect(&self, endpoint: &str) {
        match self {
            Self::Pair(socket) => socket.connect(endpoint),
            Self::Push { push, .. } => push.connect(endpoint),
            Self::Dealer { dealer, .. } => dealer.connect(endpoint),
            Self::Router { router, .. } => router.connect(endpoint),
            Self::Req(socket) => socket.connect(endpoint),
            Self::Rep(socket) => socket.connect(endpoint),
        }
        .unwrap();
    }

    /// Whom a ROUTER talks to: the first peer that is there.
    async fn peer(&self) -> Option<Peer> {
        let Self::Router { router, .. } = self else {
            return None;
        };
        match soon(router.recv_event()).await.unwrap() {
            PeerEvent::Up(peer) => Some(peer),
            other => panic!("before a peer came {other:?}"),
        }
    }

    async fn send(&self, peer: Option<&Peer>, message: Message) {
        match self {
            Self::Pair(socket) => socket.send(message).await,
            Self::Push { push, .. } => push.send(message).await,
            Self::Dealer { dealer, envelope } => dealer.send(wrap(message, *envelope)).await,
            Self::Router { router, envelope } => {
                router.send(peer.unwrap(), wrap(message, *envelope)).await
            }
            Self::Req(socket) => socket.send(message).await,
            Self::Rep(socket) => socket.send(message).await,
        }
        .unwrap();
    }

    async fn recv(&self) -> Message {
        match self {
            Self::Pair(socket) => socket.recv().await,
            Self::Push { pull, .. } => pull.recv().await,
            Self::Dealer { dealer, envelope } => dealer
                .recv()
                .await
                .map(|message| unwrap(message, *envelope)),
            Self::Router { router, envelope } => router
                .recv()
                .await
                .map(|(_, message)| unwrap(message, *envelope)),
            Self::Req(socket) => socket.recv().await,
            Self::Rep(socket) => socket.recv().await,
        }
        .unwrap()
    }
}

/// Puts the empty delimiter before a message.
fn wrap(message: Message, envelope: bool) -> Message {
    if !envelope {
        return message;
    }
    let frames = [Frame::empty()].into_iter().chain(message);
    Message::from_frames(frames.collect()).unwrap()
}

/// Takes it off.
fn unwrap(message: Message, envelope: bool) -> Message {
    if !envelope {
        return message;
    }
    let (delimiter, body) = message.split_first();
    assert!(delimiter.is_empty());
    body.unwrap()
}

fn unique() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
