//! Peers that are restarted: ours come back to theirs, and theirs to ours.

use std::time::Duration;

use privateer_core::{
    BindError, DealerSocket, Linger, PairSocket, PullSocket, PushSocket, RepSocket, ReqSocket,
    RouterSocket, RoutingId, SocketOptions, SocketType,
};
use privateer_interop::{Python, Pyzmq, connected, disconnected, message, soon, vacant};

/// The endpoints to try, by their number.
fn endpoints(directory: &tempfile::TempDir) -> [String; 3] {
    [
        vacant(),
        format!("ipc://{}/socket", directory.path().display()),
        format!("ipc://@privateer-reconnect-{}", directory.path().display()),
    ]
}

fn quick() -> SocketOptions {
    SocketOptions::new().reconnect_interval_max(Duration::from_millis(100))
}

/// Reconnect: a process of pyzmq is killed and started again.
#[tokio::test]
async fn our_sockets_come_back_to_a_restarted_peer() {
    let Some(python) = Python::ready() else {
        return;
    };
    macro_rules! comes_back {
        ($ours:ident, $theirs:ident) => {
            let directory = tempfile::tempdir().unwrap();
            for endpoint in endpoints(&directory) {
                let ours = $ours::with_options(quick()).unwrap();
                let mut monitor = ours.monitor();
                let mut theirs = Pyzmq::new(&python, SocketType::$theirs);
                let endpoint = theirs.bind(&endpoint).await;
                ours.connect(&*endpoint).unwrap();
                for round in ["before", "after"] {
                    connected(&mut monitor).await;
                    theirs.echo(None).await;
                    ours.send(round).await.unwrap();
                    assert_eq!(soon(ours.recv()).await.unwrap(), message([round]));
                    theirs.process().kill().await;
                    disconnected(&mut monitor).await;
                    theirs = Pyzmq::new(&python, SocketType::$theirs);
                    theirs.bind(&endpoint).await;
                }
            }
        };
    }
    comes_back!(PairSocket, Pair);
    comes_back!(DealerSocket, Dealer);
    comes_back!(DealerSocket, Router);
    comes_back!(ReqSocket, Rep);
}

/// Reconnect: what was sent meanwhile arrives, in order.
#[tokio::test]
async fn messages_wait_for_a_restarted_peer() {
    let Some(python) = Python::ready() else {
        return;
    };
    let mut theirs = Pyzmq::new(&python, SocketType::Pull);
    let endpoint = theirs.bind(&vacant()).await;
    let push = PushSocket::with_options(quick()).unwrap();
    let mut monitor = push.monitor();
    push.connect(&*endpoint).unwrap();
    connected(&mut monitor).await;
    theirs.process().kill().await;
    disconnected(&mut monitor).await;
    for number in 0..100 {
        push.send(number.to_string()).await.unwrap();
    }
    let theirs = Pyzmq::new(&python, SocketType::Pull);
    theirs.bind(&endpoint).await;
    for number in 0..100 {
        assert_eq!(theirs.recv().await, message([number.to_string()]));
    }
}

/// Reconnect: the other direction.
#[tokio::test]
async fn our_pull_comes_back_to_a_restarted_push() {
    let Some(python) = Python::ready() else {
        return;
    };
    let mut theirs = Pyzmq::new(&python, SocketType::Push);
    let endpoint = theirs.bind(&vacant()).await;
    let pull = PullSocket::with_options(quick()).unwrap();
    pull.connect(&*endpoint).unwrap();
    for round in ["first", "second", "third"] {
        theirs.send([round]).await;
        assert_eq!(soon(pull.recv()).await.unwrap(), message([round]));
        theirs.process().kill().await;
        theirs = Pyzmq::new(&python, SocketType::Push);
        theirs.bind(&endpoint).await;
    }
}

/// Reconnect: a routing id leads to whoever has it now.
#[tokio::test]
async fn our_router_finds_a_restarted_peer_by_its_routing_id() {
    let Some(python) = Python::ready() else {
        return;
    };
    let id = RoutingId::new("their name").unwrap();
    let router = RouterSocket::with_options(quick()).unwrap();
    let mut monitor = router.monitor();
    let endpoint = vacant();
    router.connect(&*endpoint).unwrap();
    for round in ["first", "second", "third"] {
        let mut theirs = Pyzmq::new(&python, SocketType::Router);
        theirs.set("ROUTING_ID", "their name").await;
        theirs.bind(&endpoint).await;
        connected(&mut monitor).await;
        router.send(&id, round).await.unwrap();
        let received = theirs.recv().await;
        assert_eq!(received[1], *round);
        theirs.send(&received).await;
        assert_eq!(soon(router.recv()).await.unwrap().1, message([round]));
        theirs.process().kill().await;
        disconnected(&mut monitor).await;
    }
}

/// Reconnect: a socket of ours is closed, and another is bound in its place.
#[tokio::test]
async fn their_sockets_come_back_to_ours() {
    let Some(python) = Python::ready() else {
        return;
    };
    macro_rules! comes_back {
        ($ours:ident, $theirs:ident, $first:expr) => {
            let directory = tempfile::tempdir().unwrap();
            for endpoint in endpoints(&directory) {
                let mut ours = $ours::new().unwrap();
                let endpoint = ours.bind(&*endpoint).await.unwrap();
                let theirs = Pyzmq::new(&python, SocketType::$theirs);
                theirs.monitor().await;
                theirs.connect(&endpoint.to_string()).await;
                for round in ["before", "after"] {
                    theirs.event("HANDSHAKE_SUCCEEDED").await;
                    theirs.send(&$first(round)).await;
                    assert_eq!(soon(ours.recv()).await.unwrap(), message([round]));
                    ours.send(round).await.unwrap();
                    assert_eq!(theirs.recv().await, $first(round));
                    // Its port is free when this returns.
                    assert_eq!(ours.close_with(Linger::Discard).await.unsent, 0);
                    ours = $ours::new().unwrap();
                    // A process that another test starts just now holds the closed listener until it runs its program.
                    let again = async {
                        while let Err(BindError::InUse { .. }) = ours.bind(&endpoint).await {
                            tokio::task::yield_now().await;
                        }
                    };
                    soon(again).await;
                }
            }
        };
    }
    let plain = |round: &str| message([round]);
    let delimited = |round: &str| message(["", round]);
    comes_back!(PairSocket, Pair, plain);
    comes_back!(DealerSocket, Dealer, plain);
    comes_back!(RepSocket, Req, plain);
    comes_back!(RepSocket, Dealer, delimited);
}
