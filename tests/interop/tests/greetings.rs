//! The first and the last message of a connection, and names that a ROUTER gives.
//!
//! pyzmq's libzmq has no drafts: it hears our hello and probe, and its end is what our disconnect and hiccup messages
//! stand for.

use privateer_core::{
    DealerSocket, Frame, Message, PushSocket, ReqSocket, RouterNotify, RouterSocket, RoutingId,
    SocketOptions, SocketType,
};
use privateer_interop::{Python, Pyzmq, connected, message, soon};
use tempfile::TempDir;

fn id(name: &str) -> RoutingId {
    RoutingId::new(name.to_owned()).unwrap()
}

fn named(name: &str) -> SocketOptions {
    SocketOptions::new().routing_id(id(name))
}

fn empty() -> Message {
    Message::from(Frame::empty())
}

/// An endpoint over tcp and one over ipc, and what has to live as long.
fn endpoints() -> (TempDir, [String; 2]) {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("socket");
    let ipc = format!("ipc://{}", path.display());
    (directory, ["tcp://127.0.0.1:*".into(), ipc])
}

/// K09, PROBE_ROUTER: each type of ours tells their ROUTER who is there, which can send first.
#[tokio::test]
async fn their_router_is_probed_by_ours() {
    let Some(python) = Python::ready() else {
        return;
    };
    let (_directory, endpoints) = endpoints();
    for endpoint in endpoints {
        let theirs = Pyzmq::new(&python, SocketType::Router);
        let endpoint = theirs.bind(&endpoint).await;
        let dealer = DealerSocket::with_options(named("dealer").probe_router()).unwrap();
        dealer.connect(&*endpoint).unwrap();
        assert_eq!(theirs.recv().await, message(["dealer", ""]));
        theirs.send(["dealer", "first"]).await;
        assert_eq!(soon(dealer.recv()).await.unwrap(), message(["first"]));

        let req = ReqSocket::with_options(named("req").probe_router()).unwrap();
        req.connect(&*endpoint).unwrap();
        assert_eq!(theirs.recv().await, message(["req", ""]));
        req.send("question").await.unwrap();
        assert_eq!(theirs.recv().await, message(["req", "", "question"]));

        let router = RouterSocket::with_options(named("router").probe_router()).unwrap();
        router.connect(&*endpoint).unwrap();
        assert_eq!(theirs.recv().await, message(["router", ""]));
        theirs.send(["router", "first"]).await;
        assert_eq!(soon(router.recv()).await.unwrap().1, message(["first"]));
    }
}

/// K09, PROBE_ROUTER: and ours by each type of theirs.
#[tokio::test]
async fn our_router_is_probed_by_theirs() {
    let Some(python) = Python::ready() else {
        return;
    };
    let (_directory, endpoints) = endpoints();
    for endpoint in endpoints {
        let router = RouterSocket::new().unwrap();
        let endpoint = router.bind(&*endpoint).await.unwrap().to_string();
        for kind in [SocketType::Req, SocketType::Dealer, SocketType::Router] {
            let theirs = Pyzmq::new(&python, kind);
            theirs.set("ROUTING_ID", kind.as_str()).await;
            theirs.set("PROBE_ROUTER", 1).await;
            theirs.connect(&endpoint).await;
            let (peer, probe) = soon(router.recv()).await.unwrap();
            assert_eq!(peer.routing_id(), &id(kind.as_str()));
            assert_eq!(probe, empty());
        }
    }
}

/// K09, CONNECT_ROUTING_ID: our ROUTER sends by the name that it gave, before theirs is bound.
#[tokio::test]
async fn our_router_names_those_whom_it_connects_to() {
    let Some(python) = Python::ready() else {
        return;
    };
    for kind in [SocketType::Dealer, SocketType::Router] {
        let (directory, _) = endpoints();
        let endpoint = format!("ipc://{}", directory.path().join("late").display());
        let router = RouterSocket::with_options(named("ours")).unwrap();
        router.connect_as(&*endpoint, id("server")).unwrap();
        router.send(&id("server"), "early").await.unwrap();
        let theirs = Pyzmq::new(&python, kind);
        theirs.bind(&endpoint).await;
        let heard = theirs.recv().await;
        assert_eq!(*heard.frames().last().unwrap(), "early");
        let mut reply = vec!["reply"];
        if kind == SocketType::Router {
            reply.insert(0, "ours");
        }
        theirs.send(reply).await;
        let (peer, reply) = soon(router.recv()).await.unwrap();
        assert_eq!(peer.routing_id(), &id("server"));
        assert_eq!(reply, message(["reply"]));
    }
}

/// K09, CONNECT_ROUTING_ID: their ROUTER does the same with ours.
#[tokio::test]
async fn their_router_names_those_whom_it_connects_to() {
    let Some(python) = Python::ready() else {
        return;
    };
    let (_directory, endpoints) = endpoints();
    for endpoint in endpoints {
        let theirs = Pyzmq::new(&python, SocketType::Router);
        theirs.set("ROUTING_ID", "theirs").await;
        let dealer = DealerSocket::new().unwrap();
        let at = dealer.bind(&*endpoint).await.unwrap().to_string();
        theirs.set("CONNECT_ROUTING_ID", "dealer").await;
        theirs.connect(&at).await;
        theirs.send(["dealer", "early"]).await;
        assert_eq!(soon(dealer.recv()).await.unwrap(), message(["early"]));
        dealer.send("reply").await.unwrap();
        assert_eq!(theirs.recv().await, message(["dealer", "reply"]));

        let router = RouterSocket::new().unwrap();
        let at = router.bind("tcp://127.0.0.1:*").await.unwrap().to_string();
        theirs.set("CONNECT_ROUTING_ID", "router").await;
        theirs.connect(&at).await;
        theirs.send(["router", "early"]).await;
        let (peer, early) = soon(router.recv()).await.unwrap();
        assert_eq!(peer.routing_id(), &id("theirs"));
        assert_eq!(early, message(["early"]));
    }
}

/// K09, HELLO_MSG: whoever of theirs connects is greeted, and is served what was queued behind that.
#[tokio::test]
async fn theirs_hear_our_hello_first() {
    let Some(python) = Python::ready() else {
        return;
    };
    let hello = || SocketOptions::new().hello_message(message(["hello", "you"]));
    let (_directory, endpoints) = endpoints();
    for endpoint in endpoints {
        let push = PushSocket::with_options(hello()).unwrap();
        let theirs = Pyzmq::new(&python, SocketType::Pull);
        push.connect(&*theirs.bind(&endpoint).await).unwrap();
        push.send("queued").await.unwrap();
        assert_eq!(theirs.recv().await, message(["hello", "you"]));
        assert_eq!(theirs.recv().await, message(["queued"]));

        let router = RouterSocket::with_options(hello()).unwrap();
        let at = router.bind("tcp://127.0.0.1:*").await.unwrap().to_string();
        for _ in 0..2 {
            let theirs = Pyzmq::new(&python, SocketType::Dealer);
            theirs.connect(&at).await;
            assert_eq!(theirs.recv().await, message(["hello", "you"]));
        }
    }
}

/// K09, ROUTER_NOTIFY and DISCONNECT_MSG: a peer of theirs is there, and is killed.
#[tokio::test]
async fn a_killed_peer_leaves_a_last_message() {
    let Some(python) = Python::ready() else {
        return;
    };
    let (_directory, endpoints) = endpoints();
    for endpoint in endpoints {
        let options = SocketOptions::new()
            .router_notify(RouterNotify::Both)
            .disconnect_message("gone");
        let router = RouterSocket::with_options(options).unwrap();
        let endpoint = router.bind(&*endpoint).await.unwrap().to_string();
        let mut theirs = Pyzmq::new(&python, SocketType::Dealer);
        theirs.set("ROUTING_ID", "client").await;
        theirs.connect(&endpoint).await;
        theirs.send(["hello"]).await;
        for expected in [empty(), message(["hello"])] {
            let (peer, received) = soon(router.recv()).await.unwrap();
            assert_eq!(peer.routing_id(), &id("client"));
            assert_eq!(received, expected);
        }
        theirs.process().kill().await;
        for expected in [message(["gone"]), empty()] {
            let (peer, received) = soon(router.recv()).await.unwrap();
            assert_eq!(peer.routing_id(), &id("client"));
            assert_eq!(received, expected);
        }
    }
}

/// K09, HICCUP_MSG: a server of theirs is killed.
#[tokio::test]
async fn a_killed_server_leaves_a_hiccup_message() {
    let Some(python) = Python::ready() else {
        return;
    };
    let (_directory, endpoints) = endpoints();
    for endpoint in endpoints {
        let options = SocketOptions::new().hiccup_message("hiccup");
        let dealer = DealerSocket::with_options(options).unwrap();
        let mut monitor = dealer.monitor();
        let mut theirs = Pyzmq::new(&python, SocketType::Dealer);
        dealer.connect(&*theirs.bind(&endpoint).await).unwrap();
        connected(&mut monitor).await;
        theirs.send(["last"]).await;
        assert_eq!(soon(dealer.recv()).await.unwrap(), message(["last"]));
        theirs.process().kill().await;
        assert_eq!(soon(dealer.recv()).await.unwrap(), message(["hiccup"]));
    }
}
