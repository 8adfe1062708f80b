//! What the owner of a socket does in the place of a session's task, which does not get to run meanwhile.

use std::future::{Future, poll_fn};
use std::num::NonZeroUsize;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use crate::io::memory::MemoryStream;
use crate::io::session::tests::{lost, options, raw_peer};
use crate::{
    Context, DisconnectReason, PullSocket, PushSocket, RepSocket, ReqSocket, SendErrorKind,
    SocketEvent, SocketOptions, SocketType,
};

/// What a future comes to the first time that it is polled, when no other task has run.
async fn at_once<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(value) => Poll::Ready(Some(value)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

/// What has arrived at a peer by now.
async fn arrived(peer: &mut MemoryStream) -> Vec<u8> {
    let mut octets = vec![0; 64 * 1024];
    let read = at_once(peer.read(&mut octets)).await;
    octets.truncate(read.map_or(0, Result::unwrap));
    octets
}

fn small(context: &Context) -> SocketOptions {
    options(context).send_hwm(NonZeroUsize::new(4))
}

async fn rep(context: &Context) -> (RepSocket, MemoryStream) {
    let rep = RepSocket::with_options(options(context)).unwrap();
    rep.bind("memory://there").await.unwrap();
    (rep, raw_peer(context, SocketType::Dealer).await)
}

#[tokio::test]
async fn a_request_and_a_reply_are_written_where_they_are_sent() {
    let context = Context::new();
    let req = ReqSocket::with_options(options(&context)).unwrap();
    req.bind("memory://there").await.unwrap();
    let mut peer = raw_peer(&context, SocketType::Router).await;
    req.try_send("?").unwrap();
    assert_eq!(arrived(&mut peer).await, b"\x01\0\0\x01?");
    drop(req);

    let context = Context::new();
    let (rep, mut peer) = rep(&context).await;
    let request = async {
        peer.write_all(b"\x01\0\0\x01?").await.unwrap();
    };
    let (_, request) = tokio::join!(request, rep.recv());
    rep.try_send(request.unwrap()).unwrap();
    assert_eq!(arrived(&mut peer).await, b"\x01\0\0\x01?");
}

/// A REP that has several requests of a peer answers them in one piece.
#[tokio::test]
async fn replies_that_follow_each_other_are_written_together() {
    const REQUESTS: usize = 100;
    let context = Context::new();
    let (rep, mut peer) = rep(&context).await;
    peer.write_all(&b"\x01\0\0\x01?".repeat(REQUESTS))
        .await
        .unwrap();
    for _ in 0..REQUESTS {
        let request = rep.recv().await.unwrap();
        rep.send(request).await.unwrap();
    }
    let mut octets = Vec::new();
    let mut pieces = 0;
    while octets.len() < REQUESTS * 5 {
        octets.extend(arrived(&mut peer).await);
        pieces += 1;
        tokio::task::yield_now().await;
    }
    assert!(pieces <= 10, "{pieces} pieces");
}

/// A full pipe is no reason to wait as long as the connection takes more.
#[tokio::test]
async fn who_would_have_to_wait_writes() {
    const MESSAGES: usize = 1000;
    let context = Context::new();
    let push = PushSocket::with_options(small(&context)).unwrap();
    push.bind("memory://there").await.unwrap();
    let mut peer = raw_peer(&context, SocketType::Pull).await;
    push.send("first").await.unwrap();
    let all = async {
        for _ in 0..MESSAGES {
            push.send("next").await.unwrap();
        }
    };
    // Tokio lets a task do so much at once.
    let all = tokio::task::coop::unconstrained(all);
    assert!(at_once(all).await.is_some(), "it waits");
    let mut octets = vec![0; 7 + MESSAGES * 6];
    peer.read_exact(&mut octets).await.unwrap();
    assert!(octets.ends_with(b"\0\x04next"));
    assert_eq!(push.close().await.unsent, 0);
}

/// The end of a connection that the owner comes upon is told once, and nothing that waits is lost by it.
#[tokio::test]
async fn who_works_may_find_the_end() {
    let context = Context::new();
    let network = context.network();
    let push = PushSocket::with_options(small(&context)).unwrap();
    let mut monitor = push.monitor();
    let pull = PullSocket::with_options(options(&context)).unwrap();
    pull.bind("memory://there").await.unwrap();
    push.connect("memory://there").unwrap();
    while !matches!(
        monitor.next().await.unwrap().unwrap(),
        SocketEvent::Connected { .. }
    ) {}
    network.cut();
    for number in 0..4 {
        push.try_send(number.to_string()).unwrap();
    }
    assert!(at_once(push.send("4")).await.is_none(), "there is room");
    assert!(matches!(
        timeout(Duration::from_secs(10), lost(&mut monitor)).await,
        Ok(DisconnectReason::Io(_) | DisconnectReason::ClosedByPeer)
    ));
    for number in 0..4 {
        let message = timeout(Duration::from_secs(10), pull.recv()).await;
        assert_eq!(message.unwrap().unwrap()[0], *number.to_string());
    }
    assert_eq!(push.stats().peers, 1);
}

/// What is sent to a peer after it was dismissed goes out on the next connection, not on the one that ends.
#[tokio::test]
async fn nothing_is_written_to_who_is_dismissed() {
    let context = Context::new();
    let push = PushSocket::with_options(small(&context)).unwrap();
    push.bind("memory://there").await.unwrap();
    let mut peer = raw_peer(&context, SocketType::Pull).await;
    push.send("first").await.unwrap();
    assert_eq!(push.peers().len(), 1);
    push.disconnect_peer(&push.peers()[0]).unwrap();
    let refused = loop {
        match at_once(push.send("late")).await {
            Some(sent) => sent.unwrap(),
            None => break push.try_send("late").unwrap_err(),
        }
    };
    assert_eq!(refused.kind(), SendErrorKind::Full);
    let mut octets = Vec::new();
    let _closed = peer.read_to_end(&mut octets).await;
    assert!(octets.is_empty(), "{octets:?}");
}
