//! REQ and servers that die: the request goes again, and none is lost.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

use privateer::core::{DisconnectReason, Linger, RepSocket, ReqSocket};

mod support;
use support::sockets::{Socket, Transport, eager, link, number, scale, soon};

/// K02: a request that its server did not answer goes to the server that comes after it.
#[tokio::test]
async fn a_request_goes_again_when_its_server_dies() {
    for transport in Transport::KNOWN {
        let place = transport.place();
        let req = ReqSocket::with(eager().inproc_reattach());
        let dying = RepSocket::usual();
        let endpoint = dying.bind_to(&place.endpoint).await;
        req.connect_to(&endpoint);
        let serve = async {
            assert_eq!(dying.recv().await.unwrap()[0], "question");
            dying.end(Linger::Discard).await;
            let next = RepSocket::usual();
            next.bind_to(&place.endpoint).await;
            assert_eq!(next.recv().await.unwrap()[0], "question");
            next.send("answer").await.unwrap();
            next
        };
        let (reply, _next) = soon(async { tokio::join!(req.request("question"), serve) }).await;
        assert_eq!(reply.unwrap()[0], "answer", "{transport:?}");
    }
}

/// K02: a request that its server did not answer goes to another one.
#[tokio::test]
async fn a_request_goes_to_another_server_when_its_own_dies() {
    for transport in Transport::KINDS {
        let (one, two, req) = (RepSocket::usual(), RepSocket::usual(), ReqSocket::usual());
        let _one = link(&one, &req, transport).await;
        let _two = link(&two, &req, transport).await;
        req.send("question").await.unwrap();
        let first_asked = tokio::select! {
            _ = one.recv() => true,
            _ = two.recv() => false,
        };
        let (asked, other) = if first_asked { (one, two) } else { (two, one) };
        asked.end(Linger::Discard).await;
        assert_eq!(soon(other.recv()).await.unwrap()[0], "question");
        other.send("answer").await.unwrap();
        assert_eq!(
            soon(req.recv()).await.unwrap()[0],
            "answer",
            "{transport:?}"
        );
    }
}

/// K02: a reply that is here counts, even if its server is gone since.
#[tokio::test]
async fn a_reply_survives_its_server() {
    for transport in Transport::KINDS {
        let (rep, req) = (RepSocket::usual(), ReqSocket::usual());
        let _linked = link(&rep, &req, transport).await;
        let mut watch = req.watch();
        req.send("question").await.unwrap();
        soon(rep.recv()).await.unwrap();
        rep.send("last words").await.unwrap();
        assert_eq!(rep.end(Linger::Forever).await, 0);
        assert_eq!(watch.disconnected().await.1, DisconnectReason::ClosedByPeer);
        assert_eq!(
            soon(req.recv()).await.unwrap()[0],
            "last words",
            "{transport:?}"
        );
    }
}

/// K02: 10,000 requests through a server that is closed and bound again all the time; each gets its own reply.
#[tokio::test]
async fn a_flapping_server_loses_no_request() {
    let requests = 10_000 * scale() as u64;
    let place = Transport::Tcp.place();
    let endpoint = place.endpoint.clone();
    let server = tokio::spawn(async move {
        for life in 0_u64.. {
            serve_one_life(&endpoint, life).await;
        }
    });
    let req = ReqSocket::with(eager());
    req.try_connect_to(&place.endpoint).unwrap();
    for i in 0..requests {
        let reply = soon(req.request(i.to_string())).await.unwrap();
        assert_eq!(number(&reply), i);
    }
    assert!(
        req.stats().connected > requests / 200,
        "the server did not flap: {:?}",
        req.stats()
    );
    server.abort();
}

/// Serves some requests; every second life ends with one that is not answered.
async fn serve_one_life(endpoint: &str, life: u64) {
    let rep = RepSocket::usual();
    rep.bind_to(endpoint).await;
    for _ in 0..(life * 37) % 150 {
        let request = rep.recv().await.unwrap();
        rep.send(request).await.unwrap();
    }
    if life.is_multiple_of(2) {
        rep.recv().await.unwrap();
    }
    let linger = if life.is_multiple_of(3) {
        Linger::Discard
    } else {
        Linger::Forever
    };
    rep.end(linger).await;
}
