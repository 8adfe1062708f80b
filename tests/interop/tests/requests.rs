//! REQ: correlated and relaxed requests, late and wrong replies, servers that die.

use std::time::Duration;

use privateer_core::{
    DisconnectReason, Frame, Message, PeerMisbehaved, RepSocket, ReqSocket, RouterSocket,
    RoutingId, SocketOptions, SocketType,
};
use privateer_interop::{
    DEADLINE, Libzmq, Program, Python, Pyzmq, connected, disconnected, message, soon, until,
    vacant, within,
};
use tokio::sync::watch;

/// Requests of one run, times `PRIVATEER_SCALE`; a tenth of them between two deaths of the server.
const REQUESTS: usize = 500;

/// K01
#[tokio::test]
async fn correlated_requests_of_pyzmq_are_answered_by_our_rep() {
    let Some(python) = Python::ready() else {
        return;
    };
    let rep = RepSocket::new().unwrap();
    let theirs = correlated(
        &python,
        &rep.bind("tcp://127.0.0.1:*").await.unwrap().to_string(),
    )
    .await;
    for number in 0..10 {
        let request = message([format!("request {number}"), "of two frames".to_owned()]);
        theirs.send(&request).await;
        assert_eq!(soon(rep.recv()).await.unwrap(), request);
        rep.send(request.clone()).await.unwrap();
        assert_eq!(theirs.recv().await, request);
    }
}

/// K01
#[tokio::test]
async fn correlated_requests_of_pyzmq_are_answered_by_our_router_with_their_envelope() {
    let Some(python) = Python::ready() else {
        return;
    };
    let router = RouterSocket::new().unwrap();
    let endpoint = router.bind("tcp://127.0.0.1:*").await.unwrap().to_string();
    let theirs = correlated(&python, &endpoint).await;
    let mut ids = Vec::new();
    for number in 0..10 {
        theirs.send([number.to_string()]).await;
        let (peer, request) = soon(router.recv()).await.unwrap();
        assert_eq!(request.len(), 3);
        assert_eq!((request[0].len(), request[1].len()), (4, 0));
        ids.push(u32::from_ne_bytes(request[0][..].try_into().unwrap()));
        router.send(&peer, request).await.unwrap();
        assert_eq!(theirs.recv().await, message([number.to_string()]));
    }
    assert!(
        ids.windows(2)
            .all(|pair| pair[1] == pair[0].wrapping_add(1)),
        "{ids:?}"
    );
}

/// K01
#[tokio::test]
async fn a_late_reply_of_our_router_is_no_reply_to_pyzmqs_next_request() {
    let Some(python) = Python::ready() else {
        return;
    };
    let router = RouterSocket::new().unwrap();
    let endpoint = router.bind("tcp://127.0.0.1:*").await.unwrap().to_string();
    let theirs = correlated(&python, &endpoint).await;
    theirs.send(["first"]).await;
    theirs.send(["second"]).await;
    let (peer, first) = soon(router.recv()).await.unwrap();
    let (_, second) = soon(router.recv()).await.unwrap();
    router.send(&peer, first).await.unwrap();
    router.send(&peer, second).await.unwrap();
    assert_eq!(theirs.recv().await, message(["second"]));
}

/// K01
#[tokio::test]
async fn our_requests_are_answered_by_a_rep_of_libzmq() {
    for options in [SocketOptions::new(), SocketOptions::new().req_lockstep()] {
        let rep = Libzmq::new(SocketType::Rep);
        let req = ReqSocket::with_options(options).unwrap();
        req.connect(&*rep.bind("tcp://127.0.0.1:*").await).unwrap();
        rep.echo(None).await;
        for number in 0..10 {
            let request = message([format!("request {number}"), String::new()]);
            assert_eq!(soon(req.request(request.clone())).await.unwrap(), request);
        }
    }
}

/// K01
#[tokio::test]
async fn our_requests_are_answered_by_a_router_of_libzmq() {
    let router = Libzmq::new(SocketType::Router);
    let req = ReqSocket::new().unwrap();
    req.connect(&*router.bind("tcp://127.0.0.1:*").await)
        .unwrap();
    for number in 0..10 {
        let request = number.to_string();
        req.send(request.clone()).await.unwrap();
        // Plain, since some ROUTER programs reject a frame before the delimiter.
        let received = router.recv().await;
        assert_eq!(
            received.frames()[1..],
            [Frame::empty(), Frame::from(request.clone())]
        );
        router.send(&received).await;
        assert_eq!(soon(req.recv()).await.unwrap(), message([request]));
    }
}

/// K01
#[tokio::test]
async fn a_late_reply_of_a_rep_is_dropped() {
    let Some(python) = Python::ready() else {
        return;
    };
    let rep = Pyzmq::new(&python, SocketType::Rep);
    let req = ReqSocket::new().unwrap();
    req.connect(&*rep.bind("tcp://127.0.0.1:*").await).unwrap();
    req.send("first").await.unwrap();
    assert_eq!(rep.recv().await, message(["first"]));
    req.send("second").await.unwrap();
    rep.send(["late"]).await;
    assert_eq!(rep.recv().await, message(["second"]));
    rep.send(["in time"]).await;
    assert_eq!(soon(req.recv()).await.unwrap(), message(["in time"]));
    assert_eq!(req.stats().dropped_unexpected_reply, 1);
}

/// K01: a ROUTER's reply carries nothing that tells which request it is for.
#[tokio::test]
async fn a_late_reply_of_a_router_cannot_arrive() {
    let Some(python) = Python::ready() else {
        return;
    };
    let router = Pyzmq::new(&python, SocketType::Router);
    let req = ReqSocket::new().unwrap();
    let mut monitor = req.monitor();
    req.connect(&*router.bind("tcp://127.0.0.1:*").await)
        .unwrap();
    req.send("first").await.unwrap();
    let first = router.recv().await;
    req.send("second").await.unwrap();
    let (_, reason) = disconnected(&mut monitor).await;
    assert_eq!(reason, DisconnectReason::RequestAbandoned);
    let second = router.recv().await;
    assert_eq!(second[2], "second");
    router.send([&*first[0], b"", b"late"]).await;
    router.send([&*second[0], b"", b"in time"]).await;
    assert_eq!(soon(req.recv()).await.unwrap(), message(["in time"]));
}

/// K01
#[tokio::test]
async fn a_reply_of_a_peer_that_was_not_asked_is_dropped() {
    let routers = [
        Libzmq::new(SocketType::Router),
        Libzmq::new(SocketType::Router),
    ];
    let id = RoutingId::new("asker").unwrap();
    let req = ReqSocket::with_options(SocketOptions::new().routing_id(id)).unwrap();
    let mut monitor = req.monitor();
    for router in &routers {
        req.connect(&*router.bind("tcp://127.0.0.1:*").await)
            .unwrap();
        connected(&mut monitor).await;
    }
    // One request for each, so that both know the asker.
    let mut asked = Vec::new();
    for _ in 0..2 {
        req.send("request").await.unwrap();
        let router = asked_of(&routers).await;
        routers[router].send(["asker", "", "reply"]).await;
        soon(req.recv()).await.unwrap();
        asked.push(router);
    }
    assert_ne!(asked[0], asked[1]);

    req.send("request").await.unwrap();
    let router = asked_of(&routers).await;
    let received = req.stats().received;
    routers[1 - router].send(["asker", "", "wrong"]).await;
    until(|| req.stats().received > received).await;
    routers[router].send(["asker", "", "right"]).await;
    assert_eq!(soon(req.recv()).await.unwrap(), message(["right"]));

    // It is looked at before the next one of the same peer, which is asked now.
    req.send("request").await.unwrap();
    assert_eq!(asked_of(&routers).await, 1 - router);
    routers[1 - router].send(["asker", "", "reply"]).await;
    assert_eq!(soon(req.recv()).await.unwrap(), message(["reply"]));
    assert_eq!(req.stats().dropped_unexpected_reply, 1);
}

/// K01
#[tokio::test]
async fn a_reply_without_delimiter_ends_the_connection() {
    let router = Libzmq::new(SocketType::Router);
    let req = ReqSocket::new().unwrap();
    let mut monitor = req.monitor();
    req.connect(&*router.bind("tcp://127.0.0.1:*").await)
        .unwrap();
    let requested = tokio::spawn(async move { req.request("request").await });
    let asked = router.recv().await;
    router.send([&*asked[0], b"no delimiter"]).await;
    let (_, reason) = disconnected(&mut monitor).await;
    assert_eq!(
        reason,
        DisconnectReason::Misbehaved(PeerMisbehaved::NoDelimiter)
    );
    // The request goes again, on another connection.
    let asked = router.recv().await;
    router.send(&asked).await;
    assert_eq!(
        soon(requested).await.unwrap().unwrap(),
        message(["request"])
    );
}

/// K02
#[tokio::test]
async fn a_request_goes_to_the_next_server_when_its_server_is_killed() {
    let Some(python) = Python::ready() else {
        return;
    };
    let req = ReqSocket::new().unwrap();
    let mut monitor = req.monitor();
    let mut server = Pyzmq::new(&python, SocketType::Rep);
    req.connect(&*server.bind("tcp://127.0.0.1:*").await)
        .unwrap();
    connected(&mut monitor).await;
    req.send("request").await.unwrap();
    assert_eq!(server.recv().await, message(["request"]));

    let next = Pyzmq::new(&python, SocketType::Rep);
    req.connect(&*next.bind("tcp://127.0.0.1:*").await).unwrap();
    connected(&mut monitor).await;
    server.process().kill().await;
    assert_eq!(next.recv().await, message(["request"]));
    next.send(["reply"]).await;
    assert_eq!(soon(req.recv()).await.unwrap(), message(["reply"]));
}

/// K02
#[tokio::test]
async fn all_requests_complete_while_their_server_dies_and_comes_back() {
    let Some(python) = Python::ready() else {
        return;
    };
    let mut server = Program::start(&python, "rep.py", &[&vacant()]);
    let endpoint = server.listening().await;
    let options = SocketOptions::new()
        .reconnect_interval(Duration::from_millis(5))
        .reconnect_interval_max(Duration::from_millis(50));
    let req = ReqSocket::with_options(options).unwrap();
    req.connect(&*endpoint).unwrap();

    let requests = REQUESTS * scale();
    let (answered, mut progress) = watch::channel(0);
    let client = tokio::spawn(async move {
        for number in 0..requests {
            let request = Message::from(number.to_string());
            assert_eq!(req.request(request.clone()).await.unwrap(), request);
            answered.send_replace(number + 1);
        }
        req.stats()
    });
    for death in 1..10 {
        let reached = |answered: &usize| *answered >= requests * death / 10;
        within(
            DEADLINE * u32::try_from(scale()).unwrap(),
            progress.wait_for(reached),
        )
        .await
        .unwrap();
        server.kill().await;
        server = Program::start(&python, "rep.py", &[&*endpoint]);
        assert_eq!(server.listening().await, endpoint);
    }
    let stats = within(DEADLINE, client).await.unwrap();
    assert_eq!(stats.connected, 10);
}

/// A REQ of pyzmq with ZMQ_REQ_CORRELATE and ZMQ_REQ_RELAXED.
async fn correlated(python: &Python, endpoint: &str) -> Pyzmq {
    let req = Pyzmq::new(python, SocketType::Req);
    req.set("REQ_CORRELATE", 1).await;
    req.set("REQ_RELAXED", 1).await;
    req.connect(endpoint).await;
    req
}

/// Which of two ROUTERs has the request.
async fn asked_of(routers: &[Libzmq; 2]) -> usize {
    let [first, second] = routers;
    let readable = |socket: &zmq::Socket| socket.poll(zmq::POLLIN, 20).unwrap() > 0;
    loop {
        for (index, router) in [first, second].into_iter().enumerate() {
            if router.run(readable).await {
                let request = router.recv().await;
                assert_eq!(request, message(["asker", "", "request"]));
                return index;
            }
        }
    }
}

/// How many times the usual amount of work is asked for.
fn scale() -> usize {
    std::env::var("PRIVATEER_SCALE").map_or(1, |scale| scale.parse().unwrap())
}
