//! Every message of RFC 7, version 0.1, and of RFC 8, as our roles send it.

use std::time::Duration;

use privateer::core::ReqSocket;
use privateer::majordomo::worker::WorkerOptions;
use privateer::{Client, Service, Worker};

use crate::hub::{Hub, echo, patient, patient_worker};
use crate::raw::{
    DISCONNECT, HEARTBEAT, MMI_404, READY, REQUEST, Raw, RawBroker, W_REPLY, W_REQUEST, message,
    w_reply,
};
use crate::support::sockets::soon;

/// MD-4: REQUEST and REPLY on both sides of our broker.
#[tokio::test]
async fn a_request_goes_through_the_broker_byte_for_byte() {
    let hub = Hub::start().await;
    let (worker, client) = (
        Raw::worker(&hub.endpoint).await,
        Raw::connect(&hub.endpoint).await,
    );
    client.send(REQUEST);
    let address = worker.request().await;
    worker.send(&w_reply(&address));
    assert_eq!(client.recv().await, REQUEST);
    hub.stop().await;
}

/// MD-4, 7.4-18: the address that a worker sees is a token of 28 bytes, and never the same twice.
#[tokio::test]
async fn the_address_names_the_request_and_nobody_else() {
    let hub = Hub::start().await;
    let (worker, client) = (
        Raw::worker(&hub.endpoint).await,
        Raw::connect(&hub.endpoint).await,
    );
    let mut addresses = Vec::new();
    for _ in 0..10 {
        client.send(REQUEST);
        let address = worker.request().await;
        worker.send(&w_reply(&address));
        client.recv().await;
        assert!(
            address.starts_with("00505631") && address.len() == 2 * 28,
            "{address}"
        );
        assert!(!addresses.contains(&address), "{address} was used twice");
        addresses.push(address);
    }
    hub.stop().await;
}

/// MD-4: what a REQ socket sends reaches a broker that is a stranger without an envelope.
#[tokio::test]
async fn a_req_socket_is_a_client() {
    let broker = RawBroker::bind().await;
    let req = ReqSocket::new().unwrap();
    req.connect(&broker.endpoint).unwrap();
    // The socket adds and takes away the empty frame.
    let request = message(REQUEST.trim_start_matches("∅ · "));
    let (reply, ()) = tokio::join!(soon(req.request(request.clone())), async {
        let (client, asked) = broker.recv().await;
        assert_eq!(asked, REQUEST);
        broker.send(&client, REQUEST);
    });
    assert_eq!(reply.unwrap(), request);

    let hub = Hub::start().await;
    hub.worker(echo("echo"));
    let req = ReqSocket::new().unwrap();
    req.connect(&hub.endpoint).unwrap();
    assert_eq!(soon(req.request(request.clone())).await.unwrap(), request);
    hub.stop().await;
}

/// MD-4: HEARTBEAT and DISCONNECT of our broker.
#[tokio::test]
async fn the_broker_sends_heartbeats_and_disconnects() {
    let hub = Hub::with(patient().heartbeat_interval(Duration::from_millis(50))).await;
    let worker = Raw::worker(&hub.endpoint).await;
    assert_eq!(worker.recv().await, HEARTBEAT);
    worker.send(READY);
    let mut next = worker.recv().await;
    while next == HEARTBEAT {
        next = worker.recv().await;
    }
    assert_eq!(next, DISCONNECT);
    hub.stop().await;
}

/// MD-4: READY, REPLY, HEARTBEAT and DISCONNECT of our worker.
#[tokio::test]
async fn a_worker_speaks_the_protocol_byte_for_byte() {
    let broker = RawBroker::bind().await;
    let options = WorkerOptions::default().heartbeat_interval(Duration::from_millis(50));
    let worker = Worker::connect(&broker.endpoint, echo("echo"))
        .unwrap()
        .options(options);
    let handle = worker.handle();
    let running = tokio::spawn(worker.run());
    let (peer, ready) = broker.recv().await;
    assert_eq!(ready, READY);
    broker.send(&peer, W_REQUEST);
    assert_eq!(skip_heartbeats(&broker).await, W_REPLY);
    assert_eq!(broker.recv().await.1, HEARTBEAT);
    handle.stop();
    assert_eq!(skip_heartbeats(&broker).await, DISCONNECT);
    let stats = soon(running).await.unwrap().unwrap();
    assert_eq!((stats.requests, stats.replies, stats.reconnects), (1, 1, 0));
}

/// MD-4: the address and the body come back as they are, whatever is in them.
#[tokio::test]
async fn a_worker_returns_address_and_body_untouched() {
    let broker = RawBroker::bind().await;
    let worker = Worker::connect(&broker.endpoint, echo("echo"))
        .unwrap()
        .options(patient_worker());
    tokio::spawn(worker.run());
    let (peer, _) = broker.recv().await;
    for address in ["00", &"00ff".repeat(31), "4d4450573031", &"aa".repeat(255)] {
        for body in [
            "∅",
            "4869 · ∅ · 03",
            "∅ · 4d4450573031 · 05",
            &"bb".repeat(100_000),
        ] {
            let frames = format!("{address} · ∅ · {body}");
            broker.send(&peer, &format!("∅ · 4d4450573031 · 02 · {frames}"));
            assert_eq!(
                broker.recv().await.1,
                format!("∅ · 4d4450573031 · 03 · {frames}")
            );
        }
    }
}

/// MD-4: REQUEST of our client to a broker that knows RFC 7 and no more.
#[tokio::test]
async fn a_client_asks_a_stranger_byte_for_byte() {
    let broker = RawBroker::bind().await;
    let client = Client::connect(&broker.endpoint).unwrap();
    let (reply, ()) = tokio::join!(soon(client.request("echo", "Hi")), async {
        let (peer, request) = broker.recv().await;
        assert_eq!(request, REQUEST);
        broker.send(&peer, REQUEST);
    });
    assert_eq!(reply.unwrap()[0], "Hi");
}

/// E-3: to a broker of ours the same client sends an envelope of one frame before the delimiter.
#[tokio::test]
async fn a_client_sends_an_envelope_to_brokers_of_ours_only() {
    let hub = Hub::start().await;
    let worker = Raw::worker(&hub.endpoint).await;
    let client = hub.client();
    let (reply, ()) = tokio::join!(soon(client.request("echo", "Hi")), async {
        // The worker sees nothing of it.
        let address = worker.request().await;
        worker.send(&w_reply(&address));
    });
    assert_eq!(reply.unwrap()[0], "Hi");
    hub.stop().await;
}

/// MD-4, MM-1: the broker's own reply.
#[tokio::test]
async fn the_broker_answers_for_itself_byte_for_byte() {
    let hub = Hub::start().await;
    let client = Raw::connect(&hub.endpoint).await;
    client.send("∅ · 4d4450433031 · 6d6d692e73657276696365 · 6563686f");
    assert_eq!(client.recv().await, MMI_404);
    hub.stop().await;
}

/// The next message that is no HEARTBEAT.
async fn skip_heartbeats(broker: &RawBroker) -> String {
    loop {
        let (_, next) = broker.recv().await;
        if next != HEARTBEAT {
            return next;
        }
    }
}

/// A service of frames may answer with other frames than it was asked with.
#[tokio::test]
async fn a_reply_has_the_frames_of_the_handler() {
    let hub = Hub::start().await;
    hub.worker(Service::frames("count", |request| async move {
        let frames = request.len().to_string();
        [frames.as_str(), "", "frames"]
            .map(privateer::core::Frame::from)
            .into()
    }));
    let client = Raw::connect(&hub.endpoint).await;
    client.send("∅ · 4d4450433031 · 636f756e74 · ∅ · ∅");
    assert_eq!(
        client.recv().await,
        "∅ · 4d4450433031 · 636f756e74 · 32 · ∅ · 6672616d6573"
    );
    hub.stop().await;
}
