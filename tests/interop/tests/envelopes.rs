//! Envelopes: the routing ids and the delimiter before a request, which its reply carries back.

use std::thread;

use privateer_core::{
    DealerSocket, Frame, Message, Peer, RepSocket, ReqSocket, RouterSocket, RoutingId, SocketType,
};
use privateer_interop::{Libzmq, Python, Pyzmq, disconnected, message, soon};

/// K03
#[tokio::test]
async fn a_rep_returns_an_envelope_of_up_to_ten_ids() {
    let rep = RepSocket::new().unwrap();
    let endpoint = rep.bind("tcp://127.0.0.1:*").await.unwrap().to_string();
    let dealer = Libzmq::new(SocketType::Dealer);
    dealer.connect(&endpoint).await;
    for ids in 0..=10_u8 {
        let envelope: Vec<Vec<u8>> = (1..=ids)
            .map(|id| vec![id; usize::from(id)])
            .chain([vec![]])
            .collect();
        let with = |body: [&str; 2]| message(envelope.iter().cloned().chain(body.map(Into::into)));
        dealer.send(&with(["re", "quest"])).await;
        assert_eq!(soon(rep.recv()).await.unwrap(), message(["re", "quest"]));
        rep.send(message(["re", "ply"])).await.unwrap();
        assert_eq!(dealer.recv().await, with(["re", "ply"]));
    }
}

/// K03
#[tokio::test]
async fn a_request_without_delimiter_is_dropped() {
    let rep = RepSocket::new().unwrap();
    let endpoint = rep.bind("tcp://127.0.0.1:*").await.unwrap().to_string();
    let dealer = Libzmq::new(SocketType::Dealer);
    dealer.connect(&endpoint).await;
    dealer.send(["no delimiter", "here"]).await;
    dealer.send(["id", "", "request"]).await;
    assert_eq!(soon(rep.recv()).await.unwrap(), message(["request"]));
    assert_eq!(rep.stats().dropped_no_delimiter, 1);
}

/// K03
#[tokio::test]
async fn a_reply_to_a_requester_that_was_killed_is_dropped_and_counted() {
    let Some(python) = Python::ready() else {
        return;
    };
    let rep = RepSocket::new().unwrap();
    let mut monitor = rep.monitor();
    let endpoint = rep.bind("tcp://127.0.0.1:*").await.unwrap().to_string();
    let mut killed = Pyzmq::new(&python, SocketType::Req);
    killed.connect(&endpoint).await;
    killed.send(["request"]).await;
    soon(rep.recv()).await.unwrap();
    killed.process().kill().await;
    disconnected(&mut monitor).await;
    rep.send("reply").await.unwrap();
    assert_eq!(rep.stats().dropped_unroutable, 1);

    let next = Libzmq::new(SocketType::Req);
    next.connect(&endpoint).await;
    next.send(["next request"]).await;
    assert_eq!(soon(rep.recv()).await.unwrap(), message(["next request"]));
    rep.send("reply").await.unwrap();
    assert_eq!(next.recv().await, message(["reply"]));
}

/// K03: our REQ and REP with two ROUTER–DEALER proxies of libzmq between them.
#[tokio::test]
async fn requests_pass_the_proxies_of_libzmq() {
    let rep = RepSocket::new().unwrap();
    let behind = rep.bind("tcp://127.0.0.1:*").await.unwrap().to_string();
    let (inner, middle) = Proxy::start(&behind);
    let (outer, front) = Proxy::start(&middle);
    let req = ReqSocket::new().unwrap();
    req.connect(&*front).unwrap();
    for number in 0..10 {
        let request = message([number.to_string(), String::new()]);
        req.send(request.clone()).await.unwrap();
        assert_eq!(soon(rep.recv()).await.unwrap(), request);
        rep.send("reply").await.unwrap();
        assert_eq!(soon(req.recv()).await.unwrap(), message(["reply"]));
    }
    drop((outer, inner));
}

/// K03: libzmq's REQ and REP with a ROUTER and a DEALER of ours between them.
#[tokio::test]
async fn requests_of_libzmq_pass_our_router_and_dealer() {
    let rep = Libzmq::new(SocketType::Rep);
    let (router, dealer) = (RouterSocket::new().unwrap(), DealerSocket::new().unwrap());
    dealer
        .connect(&*rep.bind("tcp://127.0.0.1:*").await)
        .unwrap();
    rep.echo(None).await;
    let endpoint = router.bind("tcp://127.0.0.1:*").await.unwrap().to_string();
    let clients = [Libzmq::new(SocketType::Req), Libzmq::new(SocketType::Req)];
    for (index, client) in clients.iter().enumerate() {
        client.connect(&endpoint).await;
        client.send([index.to_string()]).await;
    }
    for _ in &clients {
        let (peer, request) = soon(router.recv()).await.unwrap();
        dealer.send(forth(&peer, request)).await.unwrap();
    }
    for _ in &clients {
        let (id, reply) = soon(dealer.recv()).await.unwrap().split_first();
        router
            .send(&RoutingId::from_frame(id), reply.unwrap())
            .await
            .unwrap();
    }
    for (index, client) in clients.iter().enumerate() {
        assert_eq!(client.recv().await, message([index.to_string()]));
    }
}

/// A message with the id of its sender before it, as libzmq's ROUTER hands it out.
fn forth(peer: &Peer, message: Message) -> Message {
    let id: Frame = peer.routing_id().as_frame().clone();
    Message::from_frames([id].into_iter().chain(message).collect()).unwrap()
}

/// A ROUTER–DEALER proxy of libzmq; it ends when this is dropped.
struct Proxy {
    control: zmq::Socket,
}

impl Proxy {
    /// A proxy before `behind`, and the endpoint where it takes requests.
    fn start(behind: &str) -> (Self, String) {
        let context = zmq::Context::new();
        let socket = |kind| {
            let socket = context.socket(kind).unwrap();
            socket.set_linger(0).unwrap();
            socket
        };
        let (mut frontend, mut backend) = (socket(zmq::ROUTER), socket(zmq::DEALER));
        frontend.bind("tcp://127.0.0.1:*").unwrap();
        backend.connect(behind).unwrap();
        let (control, mut controlled) = (socket(zmq::PAIR), socket(zmq::PAIR));
        control.bind("inproc://control").unwrap();
        controlled.connect("inproc://control").unwrap();
        let endpoint = frontend.get_last_endpoint().unwrap().unwrap();
        thread::spawn(move || zmq::proxy_steerable(&mut frontend, &mut backend, &mut controlled));
        (Self { control }, endpoint)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.control.send("TERMINATE", 0).unwrap();
    }
}
