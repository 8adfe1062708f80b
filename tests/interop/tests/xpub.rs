//! K12: what an XPUB's owner is told is what libzmq tells, whoever subscribes.

use privateer_core::{
    Manual, Message, SocketOptions, SocketType, Verbosity, XpubEvent, XpubSocket, XsubSocket,
};
use privateer_interop::{Foreign, Library, Python, Pyzmq, message, soon};

use SocketType::{Sub, Xpub, Xsub};

/// What subscribers do, each by its number.
#[derive(Clone, Copy, Debug)]
enum Step {
    Subscribe(usize, &'static str),
    Unsubscribe(usize, &'static str),
    Close(usize),
}

use Step::{Close, Subscribe, Unsubscribe};

/// As in libzmq's `test_xpub_verbose.cpp`, and the ends of connections.
const SCRIPT: [Step; 22] = [
    Unsubscribe(0, "A"),
    Subscribe(0, "A"),
    Subscribe(0, "B"),
    Subscribe(0, "A"),
    Subscribe(1, "A"),
    Subscribe(1, ""),
    Unsubscribe(0, "A"),
    Unsubscribe(0, "A"),
    Unsubscribe(0, "A"),
    Subscribe(0, "AB"),
    Unsubscribe(1, "A"),
    Unsubscribe(1, "A"),
    Subscribe(2, "B"),
    Subscribe(2, "C"),
    Close(0),
    Subscribe(1, "C"),
    Unsubscribe(2, "C"),
    Subscribe(1, "C"),
    Close(1),
    Unsubscribe(2, "B"),
    Subscribe(2, "B"),
    Close(2),
];

/// What marks the end of a step; in order it is behind all other topics.
const MARK: &str = "~";

enum Publisher {
    Ours(XpubSocket),
    Theirs(Box<Pyzmq>),
}

impl Publisher {
    async fn bind(&self) -> String {
        let endpoint = "tcp://127.0.0.1:*";
        match self {
            Self::Ours(xpub) => xpub.bind(endpoint).await.unwrap().to_string(),
            Self::Theirs(xpub) => xpub.bind(endpoint).await,
        }
    }

    async fn recv(&self) -> Message {
        match self {
            Self::Ours(xpub) => soon(xpub.recv()).await.unwrap(),
            Self::Theirs(xpub) => xpub.recv().await,
        }
    }

    /// All that it is told before this.
    async fn told_until(&self, last: &str) -> Vec<String> {
        let mut told = Vec::new();
        loop {
            let text = String::from_utf8(self.recv().await[0].to_vec()).unwrap();
            if text == last {
                return told;
            }
            told.push(text);
        }
    }
}

/// The subscribers of one run.
enum Subscriber {
    Ours(XsubSocket),
    Theirs(SocketType, Box<Foreign>),
}

impl Subscriber {
    async fn new(library: Option<(&Library, SocketType)>, endpoint: &str) -> Self {
        if let Some((library, kind)) = library {
            let socket = library.socket(kind);
            socket
                .attach(privateer_interop::Role::Connect, endpoint)
                .await;
            return Self::Theirs(kind, Box::new(socket));
        }
        let xsub = XsubSocket::new().unwrap();
        xsub.connect(endpoint).unwrap();
        Self::Ours(xsub)
    }

    async fn ask(&self, subscribe: bool, topic: &str) {
        match self {
            Self::Ours(xsub) if subscribe => xsub.subscribe(topic).unwrap(),
            Self::Ours(xsub) => {
                xsub.unsubscribe(topic);
            }
            Self::Theirs(kind, socket) if subscribe => {
                socket.subscribe(*kind, topic.as_bytes()).await
            }
            Self::Theirs(kind, socket) => socket.unsubscribe(*kind, topic.as_bytes()).await,
        }
    }
}

/// What the publisher is told at each step.
async fn run(publisher: &Publisher, library: Option<(&Library, SocketType)>) -> Vec<Vec<String>> {
    let endpoint = publisher.bind().await;
    let mut subscribers = Vec::new();
    for number in 0..3 {
        let subscriber = Subscriber::new(library, &endpoint).await;
        let mark = format!("{MARK}{number}");
        subscriber.ask(true, &mark).await;
        publisher.told_until(&format!("\u{1}{mark}")).await;
        subscribers.push(Some(subscriber));
    }
    let mut told = Vec::new();
    for (count, step) in SCRIPT.into_iter().enumerate() {
        let (Subscribe(number, _) | Unsubscribe(number, _) | Close(number)) = step;
        let subscriber = subscribers[number].take().unwrap();
        match step {
            Subscribe(_, topic) => subscriber.ask(true, topic).await,
            Unsubscribe(_, topic) => subscriber.ask(false, topic).await,
            Close(_) => {
                drop(subscriber);
                told.push(publisher.told_until(&format!("\0{MARK}{number}")).await);
                continue;
            }
        }
        // A topic of this step alone, which is told in any case.
        let mark = format!("!{count}");
        subscriber.ask(true, &mark).await;
        told.push(publisher.told_until(&format!("\u{1}{mark}")).await);
        subscriber.ask(false, &mark).await;
        publisher.told_until(&format!("\0{mark}")).await;
        subscribers[number] = Some(subscriber);
    }
    told
}

/// K12: `test_xpub_verbose.cpp`: with each verbosity the same as libzmq's XPUB is told.
#[tokio::test]
async fn an_xpub_tells_what_libzmqs_tells() {
    let Some(python) = Python::ready() else {
        return;
    };
    for (verbosity, option) in [
        (Verbosity::Changes, None),
        (Verbosity::Subscriptions, Some("XPUB_VERBOSE")),
        (Verbosity::All, Some("XPUB_VERBOSER")),
    ] {
        let theirs = async || {
            let xpub = Pyzmq::new(&python, Xpub);
            if let Some(option) = option {
                xpub.set(option, 1).await;
            }
            Publisher::Theirs(Box::new(xpub))
        };
        let ours = || {
            let options = SocketOptions::new().xpub_verbosity(verbosity);
            Publisher::Ours(XpubSocket::with_options(options).unwrap())
        };
        let library = Library::Pyzmq(python.clone());
        for kind in [Sub, Xsub] {
            let expected = run(&theirs().await, Some((&library, kind))).await;
            let told = run(&ours(), Some((&library, kind))).await;
            assert_eq!(told, expected, "{kind}, {verbosity:?}");
            assert_eq!(
                run(&ours(), None).await,
                expected,
                "our XSUB, {verbosity:?}"
            );
            let told = run(&theirs().await, None).await;
            assert_eq!(told, expected, "our XSUB, their XPUB, {verbosity:?}");
        }
    }
}

/// K12: `test_xpub_manual.cpp`: our owner decides for their subscribers, theirs for ours.
#[tokio::test]
async fn owners_decide_across_libraries() {
    for library in Library::all() {
        let options = SocketOptions::new().xpub_manual(Manual::On);
        let xpub = XpubSocket::with_options(options).unwrap();
        let endpoint = xpub.bind("tcp://127.0.0.1:*").await.unwrap();
        let sub = library.socket(Xsub);
        sub.attach(privateer_interop::Role::Connect, &endpoint.to_string())
            .await;
        sub.subscribe(Xsub, b"A").await;
        match soon(xpub.recv_event()).await.unwrap() {
            XpubEvent::Subscribe(request) => request.accept_as(["B"]),
            other => panic!("{other:?}"),
        }
        for topic in ["A", "B"] {
            xpub.send(topic).await.unwrap();
        }
        assert_eq!(sub.recv().await, message(["B"]));
        drop(sub);
        match soon(xpub.recv_event()).await.unwrap() {
            XpubEvent::Unsubscribe(request) => assert_eq!(request.topic(), b"A"),
            other => panic!("{other:?}"),
        }
        assert_eq!(xpub.topics_count(), 0);
    }
    let Some(python) = Python::ready() else {
        return;
    };
    let theirs = Pyzmq::new(&python, Xpub);
    theirs.set("XPUB_MANUAL", 1).await;
    let endpoint = theirs.bind("tcp://127.0.0.1:*").await;
    let xsub = XsubSocket::new().unwrap();
    xsub.connect(&*endpoint).unwrap();
    xsub.subscribe("A").unwrap();
    assert_eq!(theirs.recv().await, message(["\u{1}A"]));
    theirs.set("SUBSCRIBE", "B").await;
    for topic in ["A", "B"] {
        theirs.send([topic]).await;
    }
    assert_eq!(soon(xsub.recv()).await.unwrap(), message(["B"]));
    drop(xsub);
    assert_eq!(theirs.recv().await, message(["\0A"]));
}

/// K12: `test_xpub_welcome_msg.cpp` and `test_xpub_manual.cpp`, messages upstream.
#[tokio::test]
async fn welcomes_and_messages_upstream_cross_libraries() {
    for library in Library::all() {
        let options = SocketOptions::new().welcome_message("W");
        let xpub = XpubSocket::with_options(options).unwrap();
        let endpoint = xpub.bind("tcp://127.0.0.1:*").await.unwrap();
        let (sub, xsub) = (library.socket(Sub), library.socket(Xsub));
        sub.subscribe(Sub, b"W").await;
        for socket in [&sub, &xsub] {
            socket
                .attach(privateer_interop::Role::Connect, &endpoint.to_string())
                .await;
            assert_eq!(socket.recv().await, message(["W"]));
        }
        assert_eq!(soon(xpub.recv()).await.unwrap(), message(["\u{1}W"]));
        for frames in [&["up"][..], &["a", "", "\u{1}b"]] {
            xsub.send(frames).await;
            assert_eq!(soon(xpub.recv()).await.unwrap(), message(frames));
        }
    }
    let Some(python) = Python::ready() else {
        return;
    };
    let xpub = Pyzmq::new(&python, Xpub);
    xpub.set("XPUB_WELCOME_MSG", "W").await;
    let endpoint = xpub.bind("tcp://127.0.0.1:*").await;
    let theirs = Foreign::Pyzmq(xpub);
    let xsub = XsubSocket::new().unwrap();
    xsub.connect(&*endpoint).unwrap();
    assert_eq!(theirs.attend(xsub.recv()).await.unwrap(), message(["W"]));
    xsub.send(message(["up", "", "b"])).await.unwrap();
    assert_eq!(theirs.recv().await, message(["up", "", "b"]));
}

/// K12: `test_xpub_nodrop.cpp`: all arrive at their subscriber, however slow it is.
#[tokio::test]
async fn nothing_is_dropped_for_their_subscriber() {
    let Some(python) = Python::ready() else {
        return;
    };
    let options = SocketOptions::new()
        .send_hwm(std::num::NonZeroUsize::new(5))
        .no_drop();
    let xpub = XpubSocket::with_options(options).unwrap();
    let endpoint = xpub.bind("tcp://127.0.0.1:*").await.unwrap();
    let mut sub = Pyzmq::new(&python, Sub);
    sub.set("SUBSCRIBE", "").await;
    sub.connect(&endpoint.to_string()).await;
    soon(xpub.wait_for("", 1)).await;
    sub.process().stop();
    let mut sent = 0;
    while xpub.try_send(privateer_interop::body(1_000_000)).is_ok() {
        sent += 1;
        tokio::task::yield_now().await;
    }
    sub.process().resume();
    for _ in 0..20 {
        soon(xpub.send(privateer_interop::body(1_000_000)))
            .await
            .unwrap();
    }
    assert_eq!(sub.bodies(sent + 20).await.len(), sent + 20);
    assert_eq!(xpub.stats().dropped_full, 0);
}
