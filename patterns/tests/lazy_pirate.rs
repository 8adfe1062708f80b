//! Replies that a Lazy Pirate's server drops, each by its reason.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test fails by a panic"
)]

use std::sync::Arc;
use std::time::Duration;

use privateer::core::{DealerSocket, Frame, Linger, Message};
use privateer::lazy_pirate::{LazyPirateServer, ServerHandle, ServerStats};
use tokio::sync::Semaphore;

async fn within<T>(event: impl Future<Output = T>) -> T {
    let limit = Duration::from_secs(20);
    tokio::time::timeout(limit, event).await.expect("in time")
}

/// Waits until the counters are so.
async fn until(server: &ServerHandle, are_so: impl Fn(ServerStats) -> bool) {
    within(async {
        while !are_so(server.stats()) {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

/// An echo that answers as many requests as there are permits, and a client of it.
async fn gated_echo(endpoint: &str) -> (ServerHandle, Arc<Semaphore>, DealerSocket) {
    let gate = Arc::new(Semaphore::new(0));
    let opened = Arc::clone(&gate);
    let server = LazyPirateServer::bind(endpoint, move |request: Message| {
        let gate = Arc::clone(&opened);
        async move {
            gate.acquire().await.expect("it is open").forget();
            request
        }
    });
    let server = within(server).await.unwrap();
    let client = DealerSocket::new().unwrap();
    client.connect(server.endpoint()).unwrap();
    let handle = server.handle();
    tokio::spawn(server.run());
    (handle, gate, client)
}

fn request() -> Message {
    Message::from([Frame::empty(), Frame::from("Hi")])
}

#[tokio::test]
async fn a_reply_whose_client_is_gone_is_counted_as_such() {
    let (server, gate, client) = gated_echo("inproc://client-gone").await;
    client.send(request()).await.unwrap();
    until(&server, |stats| stats.in_hand == 1).await;
    let _unsent = within(client.close_with(Linger::Discard)).await;
    gate.add_permits(1);
    until(&server, |stats| stats.in_hand == 0).await;
    let stats = server.stats();
    assert_eq!((stats.client_gone, stats.replies), (1, 0));
    assert_eq!((stats.client_full, stats.forgotten), (0, 0));
}

#[tokio::test]
async fn a_reply_that_its_client_does_not_take_is_counted_as_such() {
    const REQUESTS: usize = 3000;
    let (server, gate, client) = gated_echo("inproc://client-full").await;
    gate.add_permits(REQUESTS);
    for _ in 0..REQUESTS {
        within(client.send(request())).await.unwrap();
    }
    until(&server, |stats| {
        stats.requests == REQUESTS as u64 && stats.in_hand == 0
    })
    .await;
    let stats = server.stats();
    assert!(stats.client_full > 0);
    assert_eq!(stats.replies + stats.client_full, REQUESTS as u64);
    assert_eq!((stats.client_gone, stats.forgotten), (0, 0));
}

#[tokio::test]
async fn a_repeat_that_too_many_follow_is_forgotten() {
    let (server, gate, client) = gated_echo("inproc://forgotten").await;
    let asked = |number: u8| {
        let key = Frame::from(*b"\0PK1sixteen octets!!");
        Message::from([
            Frame::from([number]),
            key,
            Frame::empty(),
            Frame::from("Hi"),
        ])
    };
    for number in 0..10 {
        client.send(asked(number)).await.unwrap();
    }
    until(&server, |stats| stats.requests == 10).await;
    gate.add_permits(1);
    // The oldest are forgotten.
    for number in 2..10 {
        assert_eq!(within(client.recv()).await.unwrap(), asked(number));
    }
    let stats = server.stats();
    assert_eq!((stats.forgotten, stats.repeated, stats.replies), (2, 9, 8));
    assert_eq!((stats.client_gone, stats.client_full), (0, 0));
}
