//! XSUB and XPUB proxies with foreign publishers and subscribers, in a chain with libzmq's own (R09, K11, K13).

use std::cell::Cell;
use std::sync::Arc;

use privateer_core::{Proxy, ProxyHandle, ProxyReport, SocketType, XpubSocket, XsubSocket};
use privateer_faults::scale;
use privateer_interop::{Foreign, Library, Program, Python, Pyzmq, Role, message, soon, until};
use serde_json::json;
use tokio::task::JoinHandle;

type Report = ProxyReport<Arc<XsubSocket>, Arc<XpubSocket>>;

/// A forwarder of ours that runs, and where publishers and subscribers connect to.
struct Forwarder {
    frontend: Arc<XsubSocket>,
    backend: Arc<XpubSocket>,
    front: String,
    back: String,
    handle: ProxyHandle,
    running: JoinHandle<Report>,
}

impl Forwarder {
    async fn start() -> Self {
        let frontend = Arc::new(XsubSocket::new().unwrap());
        let backend = Arc::new(XpubSocket::new().unwrap());
        let bound = frontend.bind("tcp://127.0.0.1:*").await;
        let front = bound.unwrap().to_string();
        let back = backend.bind("tcp://127.0.0.1:*").await.unwrap().to_string();
        let proxy = Proxy::xsub_xpub(Arc::clone(&frontend), Arc::clone(&backend));
        let (handle, running) = (proxy.handle(), tokio::spawn(proxy.run()));
        Self {
            frontend,
            backend,
            front,
            back,
            handle,
            running,
        }
    }

    fn topics(&self) -> [usize; 2] {
        [self.frontend.topics_count(), self.backend.topics_count()]
    }

    async fn stop(self) -> Report {
        self.handle.stop();
        soon(self.running).await.unwrap()
    }
}

/// R09: foreign publishers and subscribers of every type on the two sides, whoever connects.
#[tokio::test]
async fn foreign_publishers_and_subscribers_meet_at_our_forwarder() {
    for library in Library::all() {
        for publishes in [SocketType::Pub, SocketType::Xpub] {
            for subscribes in [SocketType::Sub, SocketType::Xsub] {
                for role in [Role::Bind, Role::Connect] {
                    meet(&library, [publishes, subscribes], role).await;
                }
            }
        }
    }
}

async fn meet(library: &Library, [publishes, subscribes]: [SocketType; 2], role: Role) {
    let proxy = Forwarder::start().await;
    let (theirs, hears) = (library.socket(publishes), library.socket(subscribes));
    if role == Role::Connect {
        theirs.attach(role, &proxy.front).await;
        hears.attach(role, &proxy.back).await;
    } else {
        let at = theirs.attach(role, "tcp://127.0.0.1:*").await;
        proxy.frontend.connect(&*at).unwrap();
        let at = hears.attach(role, "tcp://127.0.0.1:*").await;
        proxy.backend.connect(&*at).unwrap();
    }
    hears.subscribe(subscribes, b"a").await;
    hears.attend(until(|| proxy.topics() == [1, 1])).await;
    if publishes == SocketType::Xpub {
        assert_eq!(theirs.recv().await, message(["\u{1}a"]));
    } else {
        theirs.attend(proxy.frontend.subscribed(1)).await;
    }
    theirs.send(["b"]).await;
    theirs.send(["abc", "", "body"]).await;
    assert_eq!(hears.recv().await, message(["abc", "", "body"]));
    hears.unsubscribe(subscribes, b"a").await;
    hears.attend(until(|| proxy.topics() == [0, 0])).await;
    let stats = proxy.stop().await.stats;
    // To begin and to end; whether what nobody wants comes, is for theirs to say.
    assert_eq!(stats.backend.received.messages, 2, "{library:?}");
    assert_eq!(stats.backend.sent, stats.frontend.received);
}

/// K13: three hops, ours, libzmq's own proxy, ours, with a publisher and many subscribers of pyzmq's at the ends; at each
/// of our hops just the topics that are wanted, and each subscriber hears just what it wants. 1,000 subscribers with
/// `PRIVATEER_SCALE` from 10 on, 100 otherwise.
#[tokio::test]
async fn sets_are_exact_along_a_chain_with_libzmqs_proxy_under_churn() {
    let Some(python) = Python::ready() else {
        return;
    };
    let subscribers = 100 * scale().clamp(1, 10);
    let mut middle = Program::start(&python, "proxy.py", &["news"]);
    let (middle_front, middle_back) = (middle.listening().await, middle.listening().await);
    let (first, last) = (Forwarder::start().await, Forwarder::start().await);
    first.backend.connect(&*middle_front).unwrap();
    last.frontend.connect(&*middle_back).unwrap();
    let publisher = Pyzmq::new(&python, SocketType::Xpub);
    publisher.set("SNDHWM", 0).await;
    publisher.connect(&first.front).await;
    let publisher = Foreign::Pyzmq(publisher);
    let mut churn = Program::start(&python, "churn.py", &[&last.back]);
    for round in 0..3 {
        churn.tell(&json!({"come": [subscribers, round]})).await;
        let come = soon(churn.value()).await.unwrap();
        let (staying, totals) = (come[0].as_u64().unwrap(), come[1].as_array().unwrap());
        let wanted = totals.iter().filter(|count| **count != 0).count();
        // The end is what each of them has asked for last.
        let staying = usize::try_from(staying).unwrap();
        soon(last.backend.wait_for([255], staying)).await;
        // All of them want the end, too.
        let exact = || [first.topics(), last.topics()] == [[wanted + 1; 2]; 2];
        until(exact).await;
        // The last hop: it hears of its subscribers when it is asked for something.
        publisher.attend(first.frontend.subscribed(1)).await;
        for topic in (0..50).chain([255_u8]) {
            publisher.send([[topic]]).await;
        }
        churn.tell(&json!({"hear": 255})).await;
        assert_eq!(soon(churn.value()).await.unwrap(), true);
        churn.tell(&json!({"go": null})).await;
        assert!(soon(churn.value()).await.unwrap().is_null());
        until(|| [first.topics(), last.topics()] == [[0; 2]; 2]).await;
    }
    assert_eq!(first.stop().await.stats.dropped, 0);
    assert_eq!(last.stop().await.stats.dropped, 0);
}

/// K11: pyzmq's subscriber of 10,000 topics and its publisher, when our proxy between them is another one.
#[tokio::test]
async fn ten_thousand_topics_of_theirs_survive_a_restart_of_our_proxy() {
    const TOPICS: usize = 10_000;
    let Some(python) = Python::ready() else {
        return;
    };
    let (theirs, hears) = (
        Pyzmq::new(&python, SocketType::Pub),
        Pyzmq::new(&python, SocketType::Sub),
    );
    for (socket, option) in [(&theirs, "RCVHWM"), (&hears, "SNDHWM")] {
        // A mark would drop subscriptions.
        socket.set(option, 0).await;
    }
    for topic in 0..TOPICS {
        hears.set("SUBSCRIBE", format!("{topic}.")).await;
    }
    let mut at = None::<[String; 2]>;
    for _ in 0..2 {
        let frontend = Arc::new(XsubSocket::new().unwrap());
        let backend = Arc::new(XpubSocket::new().unwrap());
        let [front, back] = at
            .clone()
            .unwrap_or_else(|| [(); 2].map(|()| privateer_interop::vacant()));
        frontend.bind(&*front).await.unwrap();
        backend.bind(&*back).await.unwrap();
        if at.is_none() {
            theirs.connect(&front).await;
            hears.connect(&back).await;
            at = Some([front, back]);
        }
        let proxy = Proxy::xsub_xpub(Arc::clone(&frontend), Arc::clone(&backend));
        let (handle, running) = (proxy.handle(), tokio::spawn(proxy.run()));
        let ready = async {
            until(|| frontend.topics_count() == TOPICS).await;
            soon(frontend.subscribed(1)).await
        };
        // They take notice of connections when they are asked for something.
        let is_ready = Cell::new(false);
        let attend = async {
            while !is_ready.get() {
                hears.look().await;
                theirs.look().await;
            }
        };
        let told = async {
            let subscribed = ready.await;
            is_ready.set(true);
            subscribed
        };
        let (subscribed, ()) = tokio::join!(told, attend);
        assert_eq!(subscribed.confirmed.len(), 1);
        for topic in [0, 4_711, TOPICS - 1] {
            theirs.send([format!("{topic}.")]).await;
            theirs.send([topic.to_string()]).await;
            assert_eq!(hears.recv().await, message([format!("{topic}.")]));
        }
        handle.stop();
        drop(soon(running).await.unwrap());
        let _report = soon(Arc::into_inner(frontend).unwrap().close()).await;
        let _report = soon(Arc::into_inner(backend).unwrap().close()).await;
    }
}
