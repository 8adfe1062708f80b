//! Requests that wait for a worker: until it comes, until their time is over, or until their client is gone.

use std::num::NonZeroU32;
use std::time::Duration;

use privateer::core::SocketOptions;
use privateer::majordomo::broker::{BrokerEvent, DropReason, ServiceOptions};

use crate::hub::scaled;
use crate::hub::{Hub, check, echo, patient};
use crate::raw::{READY, REQUEST, Raw, hex, message, w_reply};
use crate::support::sockets::{scale, soon, until, within};

/// 7.3: a request waits for the first worker of its service.
#[tokio::test]
async fn a_request_waits_for_a_worker() {
    let hub = Hub::start().await;
    let client = hub.client();
    tokio::join!(check(&client, "early"), async {
        until(|| hub.stats().queued == 1).await;
        hub.worker(echo("echo"));
    });
    assert_eq!(hub.stop().await.replies, 1);
}

/// MD-10: one that waited for too long is dropped, counted and told, with its service.
#[tokio::test]
async fn a_request_to_an_absent_service_expires() {
    let service = ServiceOptions::default().queue_ttl(Duration::from_millis(20));
    let mut hub = Hub::with(patient().default_service(service)).await;
    let client = Raw::connect(&hub.endpoint).await;
    client.send(REQUEST);
    let event = hub
        .expect(|event| matches!(event, BrokerEvent::RequestDropped { .. }))
        .await;
    let BrokerEvent::RequestDropped {
        service,
        reason,
        attempts,
        body,
        client: Some(_),
    } = event
    else {
        panic!("{event:?}");
    };
    assert_eq!((reason, attempts), (DropReason::Expired, 0));
    assert_eq!((&service, &body[0]), (&"echo".into(), &"Hi".into()));
    let stats = hub.stop().await;
    assert_eq!(
        (
            stats.dropped(DropReason::Expired),
            stats.queued,
            stats.services
        ),
        (1, 0, 0)
    );
}

/// MD-10: however many there are, what is held is bounded, and every one is accounted for.
#[tokio::test]
async fn requests_to_absent_services_are_bounded_and_counted() {
    const SERVICES: usize = 10;
    const QUEUED: usize = 100;
    let requests = 10_000 * scale();
    let service = ServiceOptions::default()
        .queue_ttl(Duration::from_millis(50))
        .max_queued(QUEUED);
    let hub = Hub::with(patient().max_services(SERVICES).default_service(service)).await;
    let Raw(client) = Raw::with(SocketOptions::new(), &hub.endpoint).await;
    let sending = async {
        for request in 0..requests {
            let name = hex(format!("absent-{}", request % 50).as_bytes());
            client
                .send(message(&format!("∅ · 4d4450433031 · {name} · 4869")))
                .await
                .unwrap();
            let stats = hub.stats();
            assert!(
                stats.services <= SERVICES && stats.queued <= SERVICES * QUEUED,
                "{stats:?}"
            );
        }
    };
    within(scaled(Duration::from_secs(30)), sending).await;
    until(|| hub.stats().requests == requests as u64 && hub.stats().queued == 0).await;
    let stats = hub.stats();
    let reasons = [
        DropReason::Expired,
        DropReason::QueueFull,
        DropReason::TooManyServices,
    ];
    let dropped = reasons.map(|reason| stats.dropped(reason));
    assert_eq!(dropped.iter().sum::<u64>(), requests as u64, "{dropped:?}");
    assert_eq!((stats.services, stats.in_flight, stats.parked), (0, 0, 0));
    hub.stop().await;
}

/// MD-11: what a client asked that is gone never reaches a worker.
#[tokio::test]
async fn queued_requests_of_a_client_that_is_gone_are_dropped() {
    let requests = 1000 * scale();
    let hub = Hub::start().await;
    let client = Raw::connect(&hub.endpoint).await;
    for _ in 0..requests {
        client.send(REQUEST);
    }
    until(|| hub.stats().queued == requests).await;
    client.cut().await;
    until(|| hub.stats().queued == 0).await;
    let worker = Raw::worker(&hub.endpoint).await;
    hub.workers(1).await;
    let other = Raw::connect(&hub.endpoint).await;
    other.send("∅ · 4d4450433031 · 6563686f · 7468656e");
    assert!(worker.recv().await.ends_with(" · ∅ · 7468656e"));
    let stats = hub.stats();
    assert_eq!(stats.dropped(DropReason::ClientGone), requests as u64);
}

/// MD-11: the reply to a client that is gone is dropped and counted; its worker goes on.
#[tokio::test]
async fn the_reply_to_a_client_that_is_gone_is_dropped() {
    let mut hub = Hub::start().await;
    let (worker, client) = (
        Raw::worker(&hub.endpoint).await,
        Raw::connect(&hub.endpoint).await,
    );
    let waits = "∅ · 4d4450433031 · 77616974 · 4869";
    client.send(waits);
    client.send(REQUEST);
    let address = worker.request().await;
    client.cut().await;
    // The other request was for a service without workers: its end tells that the broker knows.
    hub.expect(|event| {
        matches!(
            event,
            BrokerEvent::RequestDropped {
                reason: DropReason::ClientGone,
                ..
            }
        )
    })
    .await;
    worker.send(&w_reply(&address));
    hub.expect(|event| {
        matches!(
            event,
            BrokerEvent::ReplyDropped {
                reason: DropReason::ClientGone,
                ..
            }
        )
    })
    .await;
    let other = Raw::connect(&hub.endpoint).await;
    other.send(REQUEST);
    worker.send(&w_reply(&worker.request().await));
    assert_eq!(other.recv().await, REQUEST);
    assert_eq!(hub.stop().await.dismissals, 0);
}

/// 7.4-1: a request that loses its workers is a dead letter after as many attempts as its service allows.
#[tokio::test]
async fn a_request_that_kills_its_workers_becomes_a_dead_letter() {
    let service = ServiceOptions::default().attempts(NonZeroU32::new(3).unwrap());
    let mut hub = Hub::with(patient().default_service(service)).await;
    let client = Raw::connect(&hub.endpoint).await;
    client.send(REQUEST);
    for _ in 0..3 {
        let worker = Raw::connect(&hub.endpoint).await;
        worker.send(READY);
        worker.request().await;
        worker.cut().await;
    }
    let event = hub
        .expect(|event| matches!(event, BrokerEvent::RequestDropped { .. }))
        .await;
    let BrokerEvent::RequestDropped {
        reason, attempts, ..
    } = event
    else {
        panic!("{event:?}")
    };
    assert_eq!((reason, attempts), (DropReason::AttemptsExhausted, 3));
    let stats = soon(hub.stop()).await;
    assert_eq!(
        (stats.redispatched, stats.queued, stats.in_flight),
        (2, 0, 0)
    );
}

/// Architecture, 5: `at_most_once` never gives a request to a second worker.
#[tokio::test]
async fn at_most_once_is_one_attempt() {
    let options = patient().service("echo", ServiceOptions::default().at_most_once());
    let mut hub = Hub::with(options).await;
    let (worker, client) = (
        Raw::worker(&hub.endpoint).await,
        Raw::connect(&hub.endpoint).await,
    );
    client.send(REQUEST);
    worker.request().await;
    worker.cut().await;
    hub.expect(|event| {
        matches!(
            event,
            BrokerEvent::RequestDropped {
                reason: DropReason::AttemptsExhausted,
                attempts: 1,
                ..
            }
        )
    })
    .await;
    assert_eq!(hub.stop().await.redispatched, 0);
}
