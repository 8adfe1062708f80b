//! REQ and REP: the lockstep, who a reply belongs to, envelopes.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

use privateer::core::{
    DealerSocket, DisconnectReason, DropReason, Frame, Linger, Message, PeerMisbehaved, RecvError,
    RepSocket, ReqSocket, RouterSocket, SendErrorKind, SocketOptions,
};

mod support;
use support::sockets::{
    Linked, Socket, Transport, eager, link, message, number, soon, texts, until,
};

/// K01: in lockstep a second request, or a reply to nothing, is an error that tells what to do instead.
#[tokio::test]
async fn lockstep_errors_name_the_remedy() {
    let req = ReqSocket::with(SocketOptions::new().req_lockstep());
    let rep = RepSocket::usual();
    assert_eq!(req.recv().await.unwrap_err(), RecvError::NoRequest);
    assert_eq!(req.try_recv().unwrap_err(), RecvError::NoRequest);
    assert!(RecvError::NoRequest.to_string().contains("send one first"));
    let _linked = link(&rep, &req, Transport::Tcp).await;

    req.send("one").await.unwrap();
    let refused = req.send("two").await.unwrap_err();
    assert_eq!(refused.kind(), SendErrorKind::RequestOutstanding);
    assert!(
        refused.to_string().contains("receive its reply first"),
        "{refused}"
    );
    assert_eq!(refused.into_message(), Message::from("two"));

    let refused = rep.send("early").await.unwrap_err();
    assert_eq!(refused.kind(), SendErrorKind::NoRequest);
    assert!(
        refused.to_string().contains("receive one first"),
        "{refused}"
    );
    assert_eq!(refused.into_message(), Message::from("early"));
    soon(rep.recv()).await.unwrap();
    assert_eq!(rep.recv().await.unwrap_err(), RecvError::ReplyOwed);
    assert_eq!(rep.try_recv().unwrap_err(), RecvError::ReplyOwed);
    assert!(
        RecvError::ReplyOwed
            .to_string()
            .contains("before the next request")
    );

    rep.send("reply").await.unwrap();
    assert_eq!(soon(req.recv()).await.unwrap()[0], "reply");
    req.send("two").await.unwrap();
}

/// K01: by default a new request abandons the one before, whose late reply is dropped, counted and told of.
#[tokio::test]
async fn a_late_reply_is_not_taken_for_the_next_one() {
    for transport in Transport::KINDS {
        let (req, rep) = (ReqSocket::usual(), RepSocket::usual());
        let _linked = link(&rep, &req, transport).await;
        let mut watch = req.watch();
        req.send("one").await.unwrap();
        req.send("two").await.unwrap();
        for _ in 0..2 {
            let request = soon(rep.recv()).await.unwrap();
            rep.send(request).await.unwrap();
        }
        assert_eq!(soon(req.recv()).await.unwrap()[0], "two");
        assert_eq!(watch.dropped().await, DropReason::UnexpectedReply);
        assert_eq!(req.stats().dropped_unexpected_reply, 1);
        assert_eq!(req.try_recv().unwrap_err(), RecvError::NoRequest);
    }
}

/// K01, §2.4: a correlation id of four bytes goes before the delimiter, one higher with each request.
#[tokio::test]
async fn requests_carry_a_correlation_id_to_peers_that_return_it() {
    let router = RouterSocket::with(SocketOptions::new().property("X-Privateer", "1").unwrap());
    let req = ReqSocket::usual();
    let _linked = link(&router, &req, Transport::Tcp).await;
    req.send("one").await.unwrap();
    req.send("two").await.unwrap();
    let (peer, first) = soon(router.recv()).await.unwrap();
    let (_, second) = soon(router.recv()).await.unwrap();
    let ids = [&first, &second].map(|m| u32::from_ne_bytes(m[0].as_slice().try_into().unwrap()));
    assert_eq!(ids[0].wrapping_add(1), ids[1]);
    assert_eq!(
        (first.len(), &first[1], &first[2]),
        (3, &Frame::empty(), &Frame::from("one"))
    );

    // In the wrong order: the second reply is the one that is waited for.
    router.send(&peer, first).await.unwrap();
    router.send(&peer, second).await.unwrap();
    assert_eq!(soon(req.recv()).await.unwrap()[0], "two");
}

/// K01: a ROUTER that is not known to return correlation ids gets plain requests.
#[tokio::test]
async fn other_routers_get_plain_requests() {
    let (router, req) = (RouterSocket::usual(), ReqSocket::usual());
    let _linked = link(&router, &req, Transport::Tcp).await;
    req.send(message(["a", "b"])).await.unwrap();
    let (peer, request) = soon(router.recv()).await.unwrap();
    assert_eq!(texts(&request), ["", "a", "b"]);
    router.send(&peer, message(["", "c", "d"])).await.unwrap();
    assert_eq!(texts(&soon(req.recv()).await.unwrap()), ["c", "d"]);
}

/// K01: where nothing tells replies apart, abandoning a request starts its connection anew.
#[tokio::test]
async fn an_abandoned_plain_request_resets_its_connection() {
    for transport in Transport::KINDS {
        let (router, req) = (RouterSocket::usual(), ReqSocket::with(eager()));
        let _linked = link(&router, &req, transport).await;
        let mut watch = req.watch();
        req.send("one").await.unwrap();
        let (old, _) = soon(router.recv()).await.unwrap();
        req.send("two").await.unwrap();
        assert_eq!(
            watch.disconnected().await.1,
            DisconnectReason::RequestAbandoned
        );
        let (new, request) = soon(router.recv()).await.unwrap();
        assert_ne!(old, new);
        assert_eq!(texts(&request), ["", "two"]);
        // The late reply has nowhere to go.
        until(|| router.try_send(&old, message(["", "late"])).is_err()).await;
        router.send(&new, message(["", "in time"])).await.unwrap();
        assert_eq!(
            soon(req.recv()).await.unwrap()[0],
            "in time",
            "{transport:?}"
        );
    }
}

/// K01: only the peer that was asked may reply.
#[tokio::test]
async fn a_reply_from_the_wrong_peer_is_dropped() {
    for transport in Transport::KINDS {
        let (one, two, req) = (
            RouterSocket::usual(),
            RouterSocket::usual(),
            ReqSocket::usual(),
        );
        let _one = link(&one, &req, transport).await;
        let _two = link(&two, &req, transport).await;
        let mut watch = req.watch();
        req.send("question").await.unwrap();
        let asked_one = tokio::select! {
            _ = one.recv() => true,
            _ = two.recv() => false,
        };
        let (asked, other) = if asked_one {
            (&one, &two)
        } else {
            (&two, &one)
        };
        let reply = async {
            let wrong = message(["", "wrong"]);
            other.send(&other.first_peer(), wrong).await.unwrap();
            assert_eq!(watch.dropped().await, DropReason::UnexpectedReply);
            asked
                .send(&asked.first_peer(), message(["", "right"]))
                .await
                .unwrap();
        };
        let (received, ()) = soon(async { tokio::join!(req.recv(), reply) }).await;
        assert_eq!(received.unwrap()[0], "right");
    }
}

/// K01: a reply without the delimiter ends the connection; the request goes again.
#[tokio::test]
async fn a_malformed_reply_closes_the_peer() {
    for transport in Transport::KINDS {
        let (router, req) = (RouterSocket::usual(), ReqSocket::with(eager()));
        let _linked = link(&router, &req, transport).await;
        let mut watch = req.watch();
        let serve = async {
            let (peer, _) = router.recv().await.unwrap();
            router.send(&peer, "no delimiter").await.unwrap();
            let (_, reason) = watch.disconnected().await;
            assert_eq!(
                reason,
                DisconnectReason::Misbehaved(PeerMisbehaved::NoDelimiter)
            );
            let (peer, request) = router.recv().await.unwrap();
            router.send(&peer, request).await.unwrap();
        };
        let (reply, ()) = soon(async { tokio::join!(req.request("again"), serve) }).await;
        assert_eq!(reply.unwrap()[0], "again", "{transport:?}");
        assert_eq!(req.stats().misbehaved, 1);
    }
}

/// K01: a request that found its peer's pipe full goes out when there is room.
#[tokio::test]
async fn a_request_waits_for_room() {
    let narrow = || SocketOptions::new().send_hwm(std::num::NonZeroUsize::new(1));
    let peer = SocketOptions::new().property("X-Privateer", "1").unwrap();
    let router = RouterSocket::with(peer.recv_hwm(std::num::NonZeroUsize::new(1)));
    let req = ReqSocket::with(narrow());
    let _linked = link(&router, &req, Transport::Inproc).await;
    for i in 0..4 {
        // The first two fill the pipe.
        req.send(i.to_string()).await.unwrap();
    }
    let last = async {
        loop {
            let (_, request) = router.recv().await.unwrap();
            if request[2] == "3" {
                return;
            }
        }
    };
    soon(last).await;
}

/// K01: tasks that share a REQ take turns, and each gets the reply to its own request.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_requests_take_turns() {
    let (req, rep) = (ReqSocket::usual(), RepSocket::usual());
    let _linked = link(&rep, &req, Transport::Tcp).await;
    tokio::spawn(async move {
        while let Ok(request) = rep.recv().await {
            rep.send(request).await.unwrap();
        }
    });
    let req = std::sync::Arc::new(req);
    let tasks: Vec<_> = (0..8_u64)
        .map(|task| {
            let req = std::sync::Arc::clone(&req);
            tokio::spawn(async move {
                for i in 0..100 {
                    let id = task * 1000 + i;
                    let reply = soon(req.request(id.to_string())).await.unwrap();
                    assert_eq!(number(&reply), id);
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
}

/// K03: an envelope of any number of ids comes back before the reply.
#[tokio::test]
async fn envelopes_of_0_to_10_ids_round_trip() {
    for transport in Transport::KINDS {
        let (dealer, rep) = (DealerSocket::usual(), RepSocket::usual());
        let _linked = link(&rep, &dealer, transport).await;
        for count in 0..=10 {
            let ids: Vec<Frame> = (0..count).map(|i| Frame::from(format!("id-{i}"))).collect();
            let enveloped = |body: [&str; 2]| {
                let mut frames = ids.clone();
                frames.push(Frame::empty());
                frames.extend(body.map(Frame::from));
                Message::from_frames(frames).unwrap()
            };
            dealer.send(enveloped(["a", ""])).await.unwrap();
            assert_eq!(texts(&soon(rep.recv()).await.unwrap()), ["a", ""]);
            rep.send(message(["b", "c"])).await.unwrap();
            assert_eq!(soon(dealer.recv()).await.unwrap(), enveloped(["b", "c"]));
        }
    }
}

/// K03: a request without the delimiter, or with nothing behind it, is dropped, counted and told of.
#[tokio::test]
async fn a_request_without_delimiter_is_dropped() {
    let (dealer, rep) = (DealerSocket::usual(), RepSocket::usual());
    let _linked = link(&rep, &dealer, Transport::Tcp).await;
    let mut watch = rep.watch();
    dealer.send(message(["no", "delimiter"])).await.unwrap();
    dealer.send(message(["no body", ""])).await.unwrap();
    dealer.send(message(["", "whole"])).await.unwrap();
    assert_eq!(texts(&soon(rep.recv()).await.unwrap()), ["whole"]);
    assert_eq!(watch.dropped().await, DropReason::NoDelimiter);
    assert_eq!(watch.dropped().await, DropReason::NoDelimiter);
    assert_eq!(rep.stats().dropped_no_delimiter, 2);
}

/// K03: the reply to a requester that is gone is dropped and counted, and the next request is served.
#[tokio::test]
async fn a_reply_to_a_dead_requester_is_dropped() {
    for transport in Transport::KINDS {
        let (dead, alive, rep) = (ReqSocket::usual(), ReqSocket::usual(), RepSocket::usual());
        let Linked { endpoint, .. } = &link(&rep, &dead, transport).await;
        let mut watch = rep.watch();
        dead.send("will not wait").await.unwrap();
        soon(rep.recv()).await.unwrap();
        dead.end(Linger::Discard).await;
        watch.disconnected().await;
        rep.send("too late").await.unwrap();
        assert_eq!(watch.dropped().await, DropReason::Unroutable);
        assert_eq!(rep.stats().dropped_unroutable, 1);

        alive.connect_to(endpoint);
        alive.send("next").await.unwrap();
        assert_eq!(soon(rep.recv()).await.unwrap()[0], "next");
    }
}

/// K03: two tasks that receive from one REP do not take two requests and lose the first one's requester.
#[tokio::test]
async fn concurrent_receivers_of_a_rep_lose_no_request() {
    let (one, two, rep) = (ReqSocket::usual(), ReqSocket::usual(), RepSocket::usual());
    let Linked { endpoint, .. } = &link(&rep, &one, Transport::Inproc).await;
    two.connect_to(endpoint);
    let ask = async {
        one.send("one").await.unwrap();
        two.send("two").await.unwrap();
    };
    let (first, second, ()) = soon(async { tokio::join!(rep.recv(), rep.recv(), ask) }).await;
    let taken = [first, second];
    assert!(taken.contains(&Err(RecvError::ReplyOwed)), "{taken:?}");
    assert_eq!(taken.iter().filter(|result| result.is_ok()).count(), 1);
    rep.send("reply").await.unwrap();
    soon(rep.recv()).await.unwrap();
    rep.send("reply").await.unwrap();
    soon(one.recv()).await.unwrap();
    soon(two.recv()).await.unwrap();
}

/// K04: a DEALER sends to its peers in turn.
#[tokio::test]
async fn dealer_sends_round_robin() {
    for transport in Transport::KINDS {
        let dealer = DealerSocket::usual();
        let peers = [(); 3].map(|()| DealerSocket::usual());
        let mut linked = Vec::new();
        for peer in &peers {
            linked.push(link(peer, &dealer, transport).await);
        }
        for i in 0..30 {
            dealer.send(i.to_string()).await.unwrap();
        }
        for peer in &peers {
            let first = number(&soon(peer.recv()).await.unwrap());
            for round in 1..10 {
                assert_eq!(number(&soon(peer.recv()).await.unwrap()), first + 3 * round);
            }
        }
    }
}

/// K04: a DEALER receives from its peers in turn.
#[tokio::test]
async fn dealer_receives_fair_queued() {
    for transport in Transport::KINDS {
        let dealer = DealerSocket::usual();
        let peers = [(); 3].map(|()| DealerSocket::usual());
        let Linked { endpoint, .. } = &link(&dealer, &peers[0], transport).await;
        peers[1].connect_to(endpoint);
        peers[2].connect_to(endpoint);
        for (name, peer) in ["a", "b", "c"].into_iter().zip(&peers) {
            for _ in 0..10 {
                peer.send(name).await.unwrap();
            }
        }
        until(|| dealer.stats().received == 30).await;
        for _ in 0..10 {
            let mut round = Vec::new();
            for _ in 0..3 {
                round.push(texts(&soon(dealer.recv()).await.unwrap()).concat());
            }
            round.sort();
            assert_eq!(round, ["a", "b", "c"]);
        }
    }
}
