//! What is agreed before the first message: socket types and metadata.

use privateer_core::{
    DealerSocket, FailureClass, HandshakeError, HandshakeFailure, Monitor, PairSocket, PullSocket,
    PushSocket, ReconnectPolicy, RepSocket, ReqSocket, RouterSocket, SocketEvent, SocketOptions,
    SocketType,
};
use privateer_interop::{Libzmq, Python, Pyzmq, connected, event, message, soon};

/// Does something with a socket of ours and each type that must not be its peer.
macro_rules! illegal_pairs {
    ($refused:ident) => {
        $refused!(ReqSocket, [Req, Pull, Pub]);
        $refused!(RepSocket, [Rep, Router]);
        $refused!(DealerSocket, [Pub, Push]);
        $refused!(RouterSocket, [Rep, Pair]);
        $refused!(PushSocket, [Push, Sub]);
        $refused!(PullSocket, [Pull, Dealer]);
        $refused!(PairSocket, [Dealer, Router]);
    };
}

/// W06
#[tokio::test]
async fn a_binder_of_the_wrong_type_is_reported_and_tried_again() {
    let Some(python) = Python::ready() else {
        return;
    };
    macro_rules! refused {
        ($ours:ident, [$($theirs:ident),*]) => { $(
            let theirs = Pyzmq::new(&python, SocketType::$theirs);
            let ours = $ours::new().unwrap();
            let mut monitor = ours.monitor();
            ours.connect(&*theirs.bind("tcp://127.0.0.1:*").await).unwrap();
            for _ in 0..2 {
                refused(&mut monitor).await;
                event(&mut monitor, |event| matches!(event, SocketEvent::Retrying { .. }).then_some(())).await;
            }
            assert!(ours.peers().is_empty());
        )* };
    }
    illegal_pairs!(refused);
}

/// Q12: libzmq closes in silence, and a socket of ours that is to stop then says so.
#[tokio::test]
async fn a_binder_of_the_wrong_type_can_be_given_up() {
    let Some(python) = Python::ready() else {
        return;
    };
    let theirs = Pyzmq::new(&python, SocketType::Pub);
    let stop = ReconnectPolicy::Stop;
    let options = SocketOptions::new().reconnect_policy(FailureClass::Handshake, stop);
    let push = PushSocket::with_options(options).unwrap();
    let mut monitor = push.monitor();
    push.connect(&*theirs.bind("tcp://127.0.0.1:*").await)
        .unwrap();
    let given_up = event(&mut monitor, |event| match event {
        SocketEvent::GivenUp { failure, .. } => Some(failure),
        _ => None,
    });
    assert_eq!(given_up.await.class(), FailureClass::Handshake);
}

/// W06
#[tokio::test]
async fn a_connecter_of_the_wrong_type_is_refused_and_reported() {
    let Some(python) = Python::ready() else {
        return;
    };
    macro_rules! refused {
        ($ours:ident, [$($theirs:ident),*]) => { $(
            let theirs = Pyzmq::new(&python, SocketType::$theirs);
            let ours = $ours::new().unwrap();
            let mut monitor = ours.monitor();
            let endpoint = ours.bind("tcp://127.0.0.1:*").await.unwrap();
            theirs.monitor().await;
            theirs.connect(&endpoint.to_string()).await;
            refused(&mut monitor).await;
            theirs.event("DISCONNECTED").await;
            assert_eq!(ours.stats().connected, 0);
        )* };
    }
    illegal_pairs!(refused);
}

/// W06: whoever fits is served beside one who does not.
#[tokio::test]
async fn a_refused_connecter_does_no_harm_to_the_next() {
    let pull = PullSocket::new().unwrap();
    let mut monitor = pull.monitor();
    let endpoint = pull.bind("tcp://127.0.0.1:*").await.unwrap().to_string();
    let (wrong, right) = (Libzmq::new(SocketType::Req), Libzmq::new(SocketType::Push));
    wrong.connect(&endpoint).await;
    refused(&mut monitor).await;
    right.connect(&endpoint).await;
    right.send(["work"]).await;
    assert_eq!(soon(pull.recv()).await.unwrap(), message(["work"]));
}

/// W07
#[tokio::test]
async fn metadata_reaches_the_application_both_ways() {
    let Some(python) = Python::ready() else {
        return;
    };
    let options = SocketOptions::new()
        .property("X-Ours", "our value")
        .unwrap();
    let ours = DealerSocket::with_options(options).unwrap();
    let theirs = Pyzmq::new(&python, SocketType::Dealer);
    // ZMQ_METADATA, a draft that has a number only.
    theirs.set("95", "X-Theirs:their value").await;
    theirs
        .connect(&ours.bind("tcp://127.0.0.1:*").await.unwrap().to_string())
        .await;

    theirs.send(["to us"]).await;
    let (peer, _) = soon(ours.recv_from()).await.unwrap();
    assert_eq!(peer.property("X-Theirs"), Some(&b"their value"[..]));
    assert_eq!(peer.property("x-theirs"), Some(&b"their value"[..]));
    assert_eq!(peer.property("X-Ours"), None);
    ours.send("to them").await.unwrap();
    theirs.recv().await;
    assert_eq!(
        theirs.property("X-Ours").await.as_deref(),
        Some("our value")
    );
    assert_eq!(
        theirs.property("Socket-Type").await.as_deref(),
        Some("DEALER")
    );
    assert_eq!(theirs.property("X-Theirs").await, None);
}

/// W07
#[tokio::test]
async fn libzmq_reads_our_metadata() {
    let options = SocketOptions::new()
        .property("X-Ours", "our value")
        .unwrap();
    let push = PushSocket::with_options(options).unwrap();
    let pull = Libzmq::new(SocketType::Pull);
    push.connect(&*pull.bind("tcp://127.0.0.1:*").await)
        .unwrap();
    push.send("message").await.unwrap();
    let property = pull.run(|socket| {
        let mut message = socket.recv_msg(0).unwrap();
        message.gets("X-Ours").map(ToOwned::to_owned)
    });
    assert_eq!(property.await.as_deref(), Some("our value"));
}

/// W04: what libzmq says of itself is what we know of it.
#[tokio::test]
async fn a_peer_is_known_by_its_type_and_routing_id() {
    let router = RouterSocket::new().unwrap();
    let mut monitor = router.monitor();
    let endpoint = router.bind("tcp://127.0.0.1:*").await.unwrap().to_string();
    let dealer = Libzmq::new(SocketType::Dealer);
    dealer
        .run(|socket| socket.set_identity(b"their name").unwrap())
        .await;
    dealer.connect(&endpoint).await;
    let peer = connected(&mut monitor).await;
    assert_eq!(peer.socket_type(), SocketType::Dealer);
    assert_eq!(peer.routing_id().as_bytes(), b"their name");
}

/// The next failure of a handshake, whose reason has to be the socket types, or that libzmq closed first, as it does
/// without a word.
async fn refused(monitor: &mut Monitor) {
    let reason = event(monitor, |event| match event {
        SocketEvent::HandshakeFailed { reason, .. } => Some(reason),
        _ => None,
    });
    let reason = reason.await;
    let wrong_type = matches!(
        &reason,
        HandshakeFailure::Protocol(HandshakeError::SocketType { .. })
    );
    assert!(
        wrong_type || reason == HandshakeFailure::ClosedByPeer,
        "{reason:?}"
    );
}
