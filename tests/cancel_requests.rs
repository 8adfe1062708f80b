//! Requests and replies whose futures are dropped: whose turn it is, and whose reply is whose.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

use std::num::NonZeroUsize;
use std::time::Duration;

use privateer::core::{
    DealerSocket, RecvError, RepSocket, ReqSocket, SendErrorKind, SocketOptions,
};
use tokio::time::timeout;

mod support;
use support::sockets::{Socket, Transport, eager, link, message, number, poll_times, soon, texts};

/// R01: a `request` that was dropped is abandoned; the next one gets its own reply.
#[tokio::test]
async fn dropped_requests_do_not_mix_replies_up() {
    for transport in Transport::KINDS {
        let (req, rep) = (ReqSocket::usual(), RepSocket::usual());
        let _linked = link(&rep, &req, transport).await;
        let server = tokio::spawn(async move {
            while let Ok(request) = rep.recv().await {
                tokio::task::yield_now().await;
                rep.send(request).await.unwrap();
            }
        });
        let mut answered = 0;
        for i in 0..2_000 {
            let done = poll_times(i as usize % 9, req.request(i.to_string())).await;
            if let Some(reply) = done {
                assert_eq!(number(&reply.unwrap()), i);
                answered += 1;
            }
        }
        assert!(answered > 0, "{transport:?}");
        let reply = soon(req.request("9999")).await.unwrap();
        assert_eq!(number(&reply), 9999);
        assert_eq!(req.recv().await.unwrap_err(), RecvError::NoRequest);
        server.abort();
    }
}

/// R01: in lockstep, too, though nothing but the connection tells the replies apart.
#[tokio::test]
async fn dropped_lockstep_requests_do_not_mix_replies_up() {
    for transport in Transport::KINDS {
        let (req, rep) = (ReqSocket::with(eager().req_lockstep()), RepSocket::usual());
        let _linked = link(&rep, &req, transport).await;
        let server = tokio::spawn(async move {
            while let Ok(request) = rep.recv().await {
                tokio::task::yield_now().await;
                rep.send(request).await.unwrap();
            }
        });
        for i in 0..200 {
            let done = poll_times(i as usize % 9, req.request(i.to_string())).await;
            if let Some(reply) = done {
                assert_eq!(number(&reply.unwrap()), i);
            }
        }
        let reply = soon(req.request("9999")).await.unwrap();
        assert_eq!(number(&reply), 9999);
        server.abort();
    }
}

/// R01: dropping REQ's `recv` leaves the request waiting for its reply.
#[tokio::test]
async fn a_dropped_reply_is_still_waited_for() {
    for transport in Transport::KINDS {
        let (req, rep) = (ReqSocket::with(eager().req_lockstep()), RepSocket::usual());
        let _linked = link(&rep, &req, transport).await;
        for i in 0..10 {
            req.send(i.to_string()).await.unwrap();
            assert!(poll_times(i % 4, req.recv()).await.is_none());
            let refused = req.send("another").await.unwrap_err();
            assert_eq!(refused.kind(), SendErrorKind::RequestOutstanding);
            assert!(poll_times(0, rep.recv()).await.is_none());
            let request = soon(rep.recv()).await.unwrap();
            rep.send(request).await.unwrap();
            assert_eq!(number(&soon(req.recv()).await.unwrap()), i as u64);
        }
    }
}

/// R01: dropping REQ's `send` while there is no peer has sent nothing.
#[tokio::test]
async fn a_dropped_request_without_peer_is_not_kept() {
    let (req, rep) = (ReqSocket::usual(), RepSocket::usual());
    let place = Transport::Inproc.place();
    let endpoint = req.bind_to(&place.endpoint).await;
    for times in 0..4 {
        assert!(poll_times(times, req.send("dropped")).await.is_none());
        assert_eq!(req.recv().await.unwrap_err(), RecvError::NoRequest);
    }
    let mut send = Box::pin(req.send("kept"));
    assert!(timeout(Duration::ZERO, &mut send).await.is_err());
    rep.connect_to(&endpoint);
    soon(send).await.unwrap();
    assert_eq!(soon(rep.recv()).await.unwrap()[0], "kept");
}

/// R01: a reply whose `send` was dropped is still owed.
#[tokio::test]
async fn a_dropped_reply_is_still_owed() {
    let (rep, dealer) = (RepSocket::with(marks(1)), DealerSocket::with(marks(1)));
    let _linked = link(&rep, &dealer, Transport::Inproc).await;
    for i in 0..3 {
        dealer.send(message(["", "request"])).await.unwrap();
        soon(rep.recv()).await.unwrap();
        if i < 2 {
            rep.send(i.to_string()).await.unwrap();
            continue;
        }
        // The dealer does not receive, and its pipe is full.
        for times in 0..5 {
            assert!(poll_times(times, rep.send("dropped")).await.is_none());
            assert_eq!(rep.recv().await.unwrap_err(), RecvError::ReplyOwed);
        }
    }
    let mut send = Box::pin(rep.send("2"));
    assert!(timeout(Duration::ZERO, &mut send).await.is_err());
    for i in 0..2 {
        assert_eq!(texts(&dealer.try_recv().unwrap()), ["", &i.to_string()]);
    }
    soon(send).await.unwrap();
    assert_eq!(texts(&dealer.try_recv().unwrap()), ["", "2"]);
}

fn marks(messages: usize) -> SocketOptions {
    let messages = NonZeroUsize::new(messages);
    SocketOptions::new().send_hwm(messages).recv_hwm(messages)
}
