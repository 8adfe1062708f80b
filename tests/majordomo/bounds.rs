//! Clients that send much before they read: the broker bounds what it holds, and loses nothing.

use std::sync::Arc;
use std::time::Duration;

use privateer::Broker;
use privateer::core::Message;

use crate::hub::{Bystander, Hub, check, echo, patient, with_capacity};
use crate::raw::Raw;
use crate::support::sockets::{soon, until, within};

/// How many requests the client sends before it reads a reply.
const REQUESTS: usize = 100_000;

/// What the broker holds for a client before it stops reading from it.
const CLIENT_BYTES: usize = 1 << 20;

/// Together more than what kernel buffers and pipes hold on the way.
const BODY: usize = 512;

/// 9.4, AM-1, AM-3: the guide's broker answers some 64,000 of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_reads_late_gets_every_reply() {
    for endpoint in ["tcp://127.0.0.1:*", "ipc://*"] {
        let (hub, client) = flood(endpoint).await;
        for number in 0..REQUESTS {
            client.0.try_send(request(number)).unwrap();
        }
        assert_reading_pauses(&hub).await;
        read_all(&hub, &client).await;
        hub.stop().await;
    }
}

/// The same over inproc, where a client that is not read from cannot send.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_in_the_same_process_waits_until_it_is_read_from() {
    let (hub, client) = flood("inproc://flood").await;
    let client = Arc::new(client);
    let sending = tokio::spawn({
        let client = Arc::clone(&client);
        async move {
            for number in 0..REQUESTS {
                client.0.send(request(number)).await.unwrap();
            }
        }
    });
    assert_reading_pauses(&hub).await;
    assert!(!sending.is_finished());
    read_all(&hub, &client).await;
    soon(sending).await.unwrap();
    hub.stop().await;
}

/// A broker with a small bound, a quick worker, and a client.
async fn flood(endpoint: &str) -> (Hub, Raw) {
    let broker = Broker::with_options(patient().client_bytes(CLIENT_BYTES)).unwrap();
    let hub = Hub::run(broker, endpoint).await;
    hub.worker_with(echo("echo"), with_capacity(64));
    let client = Raw::connect(&hub.endpoint).await;
    (hub, client)
}

/// Reads the replies to all requests, while others go on to be served.
async fn read_all(hub: &Hub, client: &Raw) {
    let bystander = Bystander::of(hub);
    let mut answered = vec![false; REQUESTS];
    let reading = async {
        for _ in 0..REQUESTS {
            let number = number(&client.0.recv().await.unwrap());
            assert!(
                !std::mem::replace(&mut answered[number], true),
                "{number} came twice"
            );
        }
    };
    within(Duration::from_secs(120), reading).await;
    assert!(bystander.stop().await > 0);
    let stats = hub.stats();
    assert_eq!((stats.queued, stats.in_flight, stats.parked), (0, 0, 0));
    assert_eq!((stats.requests, stats.redispatched), (stats.replies, 0));
}

/// Waits until the broker does not read from the client any more, long before it has read everything.
async fn assert_reading_pauses(hub: &Hub) {
    let other = hub.client();
    loop {
        until(|| hub.stats().parked > 0 && hub.stats().in_flight == 0).await;
        let before = hub.stats();
        // While others are served, nothing more comes from that client.
        for call in 0..100 {
            check(&other, call.to_string()).await;
        }
        let after = hub.stats();
        if after.requests == before.requests + 100 {
            assert!(before.requests < REQUESTS as u64, "never paused");
            let most = CLIENT_BYTES + (256 << 10);
            assert!(
                after.parked * BODY <= most,
                "{} replies are held",
                after.parked
            );
            return;
        }
    }
}

fn request(number: usize) -> Message {
    let body = format!("{number:BODY$}");
    ["", "MDPC01", "echo", &body]
        .map(privateer::core::Frame::from)
        .into()
}

fn number(reply: &Message) -> usize {
    assert_eq!(reply.len(), 4);
    std::str::from_utf8(&reply[3])
        .unwrap()
        .trim_start()
        .parse()
        .unwrap()
}
