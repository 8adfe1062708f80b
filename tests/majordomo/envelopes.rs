//! Clients that send frames before the delimiter, as `ZMQ_REQ_CORRELATE` and chains of ROUTERs do.

use crate::hub::{Hub, echo};
use crate::raw::{REQUEST, Raw};

/// 7.4-11, LB-8: up to seven frames come back as they are, in front of each client's own reply.
#[tokio::test]
async fn an_envelope_comes_back_untouched() {
    let hub = Hub::start().await;
    hub.worker(echo("echo"));
    let client = Raw::connect(&hub.endpoint).await;
    let seven = "01 · 02 · 03 · 04 · 05 · 06 · 07";
    // The number of a correlated REQ, an id of a ROUTER, what looks like a header, and the longest.
    for envelope in [
        "00000001",
        "006b8b4567",
        "4d4450433031",
        "4d4450573031 · 01",
        seven,
        &"ab".repeat(1000),
    ] {
        let request = format!("{envelope} · {REQUEST}");
        client.send(&request);
        assert_eq!(client.recv().await, request);
    }
    hub.stop().await;
}

/// 7.4-11: requests with and without an envelope may follow each other on one connection.
#[tokio::test]
async fn each_reply_has_the_envelope_of_its_request() {
    let hub = Hub::start().await;
    let client = Raw::connect(&hub.endpoint).await;
    let requests = [
        REQUEST.into(),
        format!("01 · {REQUEST}"),
        REQUEST.into(),
        format!("02 · {REQUEST}"),
    ];
    for request in &requests {
        client.send(request);
    }
    // A worker of capacity 1 answers in order.
    hub.worker(echo("echo"));
    for request in &requests {
        assert_eq!(client.recv().await, *request);
    }
    hub.stop().await;
}

/// RFC 8 through an envelope.
#[tokio::test]
async fn the_brokers_own_replies_have_the_envelope_too() {
    let hub = Hub::start().await;
    let client = Raw::connect(&hub.endpoint).await;
    client.send("00000001 · aa · ∅ · 4d4450433031 · 6d6d692e6e6f7065 · 00");
    assert_eq!(
        client.recv().await,
        "00000001 · aa · ∅ · 4d4450433031 · 6d6d692e6e6f7065 · 353031"
    );
    hub.stop().await;
}
