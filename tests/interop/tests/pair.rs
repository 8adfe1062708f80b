//! PAIR: one peer and no other.

use privateer_core::{HandshakeFailure, PairSocket, SocketEvent, SocketType};
use privateer_interop::{Python, Pyzmq, connected, disconnected, event, message, soon};

/// K16
#[tokio::test]
async fn a_second_peer_is_refused_until_the_first_is_gone() {
    let Some(python) = Python::ready() else {
        return;
    };
    let ours = PairSocket::new().unwrap();
    let mut monitor = ours.monitor();
    let endpoint = ours.bind("tcp://127.0.0.1:*").await.unwrap().to_string();
    let mut first = Pyzmq::new(&python, SocketType::Pair);
    first.connect(&endpoint).await;
    connected(&mut monitor).await;
    let second = Pyzmq::new(&python, SocketType::Pair);
    second.connect(&endpoint).await;
    let reason = event(&mut monitor, |event| match event {
        SocketEvent::HandshakeFailed { reason, .. } => Some(reason),
        _ => None,
    });
    assert_eq!(reason.await, HandshakeFailure::PairOccupied);
    ours.send("to the first").await.unwrap();
    assert_eq!(first.recv().await, message(["to the first"]));

    first.process().kill().await;
    disconnected(&mut monitor).await;
    connected(&mut monitor).await;
    ours.send("to the second").await.unwrap();
    assert_eq!(second.recv().await, message(["to the second"]));
    second.send(["from the second"]).await;
    assert_eq!(
        soon(ours.recv()).await.unwrap(),
        message(["from the second"])
    );
}

/// K16: libzmq shakes hands with the second and then neither reads its connection nor closes it.
#[tokio::test]
async fn a_second_pair_of_ours_takes_nothing_from_the_first() {
    let Some(python) = Python::ready() else {
        return;
    };
    let theirs = Pyzmq::new(&python, SocketType::Pair);
    let endpoint = theirs.bind("tcp://127.0.0.1:*").await;
    let first = PairSocket::new().unwrap();
    let mut monitor = first.monitor();
    first.connect(&*endpoint).unwrap();
    connected(&mut monitor).await;
    first.send("first").await.unwrap();
    assert_eq!(theirs.recv().await, message(["first"]));

    let second = PairSocket::new().unwrap();
    let mut monitor = second.monitor();
    second.connect(&*endpoint).unwrap();
    connected(&mut monitor).await;
    second.send("second").await.unwrap();
    theirs.send(["to the first"]).await;
    assert_eq!(soon(first.recv()).await.unwrap(), message(["to the first"]));
    first.send("first again").await.unwrap();
    assert_eq!(theirs.recv().await, message(["first again"]));
    assert!(theirs.has_nothing().await);
    assert!(second.try_recv().is_err());

    // Only whoever connects after the first is gone is its successor.
    theirs.monitor().await;
    assert_eq!(first.close().await.unsent, 0);
    theirs.event("DISCONNECTED").await;
    // libzmq's socket learns of it when it is asked.
    assert!(theirs.has_nothing().await);
    let third = PairSocket::new().unwrap();
    third.connect(&*endpoint).unwrap();
    third.send("third").await.unwrap();
    assert_eq!(theirs.recv().await, message(["third"]));
}
