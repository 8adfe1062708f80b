//! Many who connect and say nothing. A program of its own, for its limit of descriptors.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use privateer_core::{DealerSocket, HandshakeFailure, Monitor, RouterSocket, SocketEvent};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::time::timeout;

const SOON: Duration = Duration::from_secs(20);
/// Handshakes that one address may have under way in a socket.
const CROWDED: usize = 768;
/// Descriptors for both sides of these, and for the rest.
const DESCRIPTORS: u64 = 2000;

/// R10: one address that connects and says nothing does not keep others out, and has room again when it has gone.
#[tokio::test]
async fn one_address_does_not_keep_others_out() {
    let limit = getrlimit(Resource::Nofile);
    let enough = Rlimit {
        current: limit.current.map(|current| current.max(DESCRIPTORS)),
        ..limit
    };
    if setrlimit(Resource::Nofile, enough).is_err() {
        // Where standard error is closed, nobody reads it.
        let _closed = writeln!(
            std::io::stderr(),
            "NOT TESTED: a flood of connections, for want of {DESCRIPTORS} descriptors"
        );
        return;
    }
    let router = RouterSocket::new().unwrap();
    let endpoint = router.bind("tcp://127.0.0.1:*").await.unwrap().to_string();
    let address = endpoint.strip_prefix("tcp://").unwrap();
    let mut monitor = router.monitor();
    let mut silent = Vec::new();
    for _ in 0..CROWDED {
        silent.push(TcpStream::connect(address).unwrap());
        let accepted = event(&mut monitor).await;
        assert!(matches!(accepted, SocketEvent::Accepted { .. }));
    }
    for _ in 0..3 {
        let mut refused = TcpStream::connect(address).unwrap();
        let accepted = event(&mut monitor).await;
        assert!(matches!(accepted, SocketEvent::Accepted { .. }));
        let SocketEvent::HandshakeFailed { reason, .. } = event(&mut monitor).await else {
            panic!("it is not refused");
        };
        assert_eq!(reason, HandshakeFailure::TooManyConnections);
        assert_eq!(refused.read(&mut [0; 64]).unwrap(), 0);
    }
    let other = DealerSocket::new().unwrap();
    other
        .connect(&*format!("tcp://127.0.0.2:*;{address}"))
        .unwrap();
    other.send("let in").await.unwrap();
    let (_, message) = timeout(SOON, router.recv()).await.unwrap().unwrap();
    assert_eq!(message[0], "let in");

    drop(silent);
    let same = DealerSocket::new().unwrap();
    same.connect(&*endpoint).unwrap();
    same.send("let in again").await.unwrap();
    let (_, message) = timeout(SOON, router.recv()).await.unwrap().unwrap();
    assert_eq!(message[0], "let in again");
}

async fn event(monitor: &mut Monitor) -> SocketEvent {
    let event = timeout(SOON, monitor.next()).await.unwrap();
    event.unwrap().unwrap()
}
