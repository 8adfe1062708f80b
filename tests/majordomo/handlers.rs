//! Handlers that are slow, that panic, or that work side by side.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use privateer::core::Message;
use privateer::majordomo::broker::{BrokerEvent, Departure};
use privateer::majordomo::worker::WorkerOptions;
use privateer::{Service, Worker};
use tokio::sync::Semaphore;
use tokio::task::{JoinSet, spawn_blocking};

use crate::hub::{Hub, check, echo, patient, with_capacity};
use crate::raw::{HEARTBEAT, READY, REQUEST, Raw, RawBroker, W_REPLY, W_REQUEST, w_reply};
use crate::support::sockets::{soon, until};

/// Short enough for a test, long beside what a busy machine takes to schedule.
const INTERVAL: Duration = Duration::from_millis(100);

/// A worker is presumed dead after three intervals; a handler takes longer than twice that.
const LONG: usize = 8;

/// A service `echo` that blocks a thread until it is told to go on.
fn blocking() -> (Service, mpsc::Sender<()>) {
    let (go_on, gate) = mpsc::channel();
    let gate = Arc::new(Mutex::new(gate));
    let service = Service::frames("echo", move |request| {
        let gate = Arc::clone(&gate);
        async move {
            // The sender may be gone, when the test has failed.
            let _told = spawn_blocking(move || gate.lock().unwrap().recv())
                .await
                .unwrap();
            request
        }
    });
    (service, go_on)
}

/// Another worker, which counts the time by the heartbeats that the broker sends it.
async fn clock(hub: &Hub, intervals: usize) {
    let worker = Raw::connect(&hub.endpoint).await;
    worker.send(&READY.replace("6563686f", "636c6f636b"));
    for _ in 0..intervals {
        assert_eq!(worker.recv().await, HEARTBEAT);
        worker.send(HEARTBEAT);
    }
    worker.cut().await;
}

/// F-16: heartbeats go on while a handler blocks its thread.
#[tokio::test]
async fn a_busy_worker_sends_heartbeats() {
    let broker = RawBroker::bind().await;
    let (service, go_on) = blocking();
    let options = WorkerOptions::default().heartbeat_interval(INTERVAL);
    let worker = Worker::connect(&broker.endpoint, service)
        .unwrap()
        .options(options);
    tokio::spawn(worker.run());
    let (peer, ready) = broker.recv().await;
    assert_eq!(ready, READY);
    broker.send(&peer, W_REQUEST);
    // The broker sends none to a busy worker, as the guide's: it is not presumed dead for that.
    for _ in 0..LONG {
        assert_eq!(broker.recv().await, (peer.clone(), HEARTBEAT.into()));
    }
    go_on.send(()).unwrap();
    let mut next = broker.recv().await.1;
    while next == HEARTBEAT {
        next = broker.recv().await.1;
    }
    assert_eq!(next, W_REPLY);
}

/// F-16, promise 5: a handler that is busy for longer than a worker may be silent is not a dead worker.
#[tokio::test]
async fn a_busy_worker_is_not_presumed_dead() {
    let hub = Hub::with(patient().heartbeat_interval(INTERVAL)).await;
    let (service, go_on) = blocking();
    hub.worker_with(
        service,
        WorkerOptions::default().heartbeat_interval(INTERVAL),
    );
    let client = hub.client();
    tokio::join!(check(&client, "slow"), async {
        until(|| hub.stats().in_flight == 1).await;
        clock(&hub, LONG).await;
        go_on.send(()).unwrap();
    });
    let stats = hub.stop().await;
    assert_eq!(
        (stats.expired_workers, stats.redispatched, stats.replies),
        (0, 0, 1)
    );
}

/// 7.4-4: neither is a reference worker, which sends no heartbeats while it works.
#[tokio::test]
async fn a_busy_reference_worker_is_not_presumed_dead() {
    let hub = Hub::with(patient().heartbeat_interval(INTERVAL)).await;
    let (worker, client) = (
        Raw::worker(&hub.endpoint).await,
        Raw::connect(&hub.endpoint).await,
    );
    client.send(REQUEST);
    let address = worker.request().await;
    clock(&hub, LONG).await;
    worker.send(&w_reply(&address));
    assert_eq!(client.recv().await, REQUEST);
    let stats = hub.stop().await;
    assert_eq!((stats.expired_workers, stats.redispatched), (0, 0));
}

/// HB: an idle one that is silent is; its service is gone with it.
#[tokio::test]
async fn a_silent_idle_worker_is_presumed_dead() {
    let mut hub = Hub::with(patient().heartbeat_interval(INTERVAL)).await;
    let _silent = Raw::worker(&hub.endpoint).await;
    hub.expect(|event| {
        matches!(
            event,
            BrokerEvent::WorkerLost {
                departure: Departure::Expired,
                ..
            }
        )
    })
    .await;
    let stats = hub.stop().await;
    assert_eq!((stats.expired_workers, stats.services), (1, 0));
}

/// A frames handler that panics has no way to tell its caller: the request goes to another worker.
#[tokio::test]
async fn the_request_of_a_panicking_handler_goes_to_another_worker() {
    let mut hub = Hub::start().await;
    let panics = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&panics);
    let bad = Service::frames("echo", move |request: Message| {
        counter.fetch_add(1, Ordering::Relaxed);
        async move {
            if request[0] == "poison" {
                panic!("on purpose")
            } else {
                request
            }
        }
    });
    let bad = hub.worker(bad);
    hub.workers(1).await;
    let client = hub.client();
    tokio::join!(check(&client, "poison"), async {
        hub.expect(|event| matches!(event, BrokerEvent::Redispatched { .. }))
            .await;
        hub.worker(echo("echo"));
    });
    let attempts = panics.load(Ordering::Relaxed);
    assert!((1..5).contains(&attempts), "{attempts}");
    // The one that panicked comes back.
    hub.workers(2).await;
    assert!(!bad.is_finished());
    check(&client, "one").await;
    check(&client, "two").await;
    assert_eq!(hub.stop().await.redispatched, attempts as u64);
}

/// 7.5: a worker of ours works on as many requests at a time as it said, and on no more.
#[tokio::test]
async fn a_worker_works_on_as_many_requests_as_its_capacity() {
    const CAPACITY: usize = 4;
    let hub = Hub::start().await;
    let (gate, busy) = (Arc::new(Semaphore::new(0)), Arc::new(AtomicUsize::new(0)));
    let service = Service::frames("echo", {
        let (gate, busy) = (Arc::clone(&gate), Arc::clone(&busy));
        move |request| {
            let (gate, busy) = (Arc::clone(&gate), Arc::clone(&busy));
            async move {
                busy.fetch_add(1, Ordering::Relaxed);
                gate.acquire().await.unwrap().forget();
                busy.fetch_sub(1, Ordering::Relaxed);
                request
            }
        }
    });
    hub.worker_with(service, with_capacity(CAPACITY as u16));
    let client = hub.client();
    let mut calls = JoinSet::new();
    for call in 0..10 {
        let client = client.clone();
        calls.spawn(async move { check(&client, call.to_string()).await });
    }
    until(|| (hub.stats().in_flight, hub.stats().queued) == (CAPACITY, 6)).await;
    until(|| busy.load(Ordering::Relaxed) == CAPACITY).await;
    // The oldest ones first, and one more for each that is done.
    gate.add_permits(1);
    until(|| (hub.stats().in_flight, hub.stats().queued) == (CAPACITY, 5)).await;
    assert!(busy.load(Ordering::Relaxed) <= CAPACITY);
    gate.add_permits(9);
    soon(calls.join_all()).await;
    assert_eq!(hub.stop().await.replies, 10);
}
