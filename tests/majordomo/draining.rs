//! Orderly ends of workers and brokers: what is in hand is finished, and no client sees an error.

use std::sync::Arc;
use std::time::Duration;

use privateer::core::DealerSocket;
use privateer::majordomo::broker::{BrokerEvent, Departure};
use privateer::majordomo::worker::{WorkerEvent, WorkerStats};
use privateer::{Broker, Service, Worker, WorkerError, WorkerHandle};
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};

use crate::hub::{Hub, check, echo, patient, patient_worker, with_capacity};
use crate::raw::{DISCONNECT, REQUEST, Raw, w_reply};
use crate::support::sockets::{poll_times, scale, soon, until};

/// Holds back what a service answers.
struct Gate {
    arrived: Semaphore,
    permits: Semaphore,
}

impl Gate {
    /// Waits until a request is in the hands of the service.
    async fn arrival(&self) {
        soon(self.arrived.acquire()).await.unwrap().forget();
    }
}

/// A service `echo`, each of whose answers needs a permit.
fn gated() -> (Service, Arc<Gate>) {
    let gate = Arc::new(Gate {
        arrived: Semaphore::new(0),
        permits: Semaphore::new(0),
    });
    let passed = Arc::clone(&gate);
    let service = Service::frames("echo", move |request| {
        let gate = Arc::clone(&passed);
        async move {
            gate.arrived.add_permits(1);
            gate.permits.acquire().await.unwrap().forget();
            request
        }
    });
    (service, gate)
}

type Running = JoinHandle<Result<WorkerStats, WorkerError>>;

fn run(worker: Worker) -> (WorkerHandle, Running) {
    (worker.handle(), tokio::spawn(worker.run()))
}

fn worker(hub: &Hub, service: Service) -> Worker {
    Worker::connect(&hub.endpoint, service)
        .unwrap()
        .options(patient_worker())
}

/// MD-14: a worker that is stopped finishes its call, says DISCONNECT, and leaves the rest to others.
#[tokio::test]
async fn a_stopped_worker_finishes_its_call() {
    let mut hub = Hub::start().await;
    let (service, gate) = gated();
    let (handle, running) = run(worker(&hub, service));
    let client = hub.client();
    let mut calls = JoinSet::new();
    for call in 0..3 {
        let client = client.clone();
        calls.spawn(async move { check(&client, call.to_string()).await });
    }
    until(|| (hub.stats().in_flight, hub.stats().queued) == (1, 2)).await;
    gate.arrival().await;
    handle.stop();
    gate.permits.add_permits(1);
    hub.expect(|event| {
        matches!(
            event,
            BrokerEvent::WorkerLost {
                departure: Departure::Left,
                ..
            }
        )
    })
    .await;
    let stats = soon(running).await.unwrap().unwrap();
    assert_eq!((stats.requests, stats.replies, stats.abandoned), (1, 1, 0));
    until(|| (hub.stats().in_flight, hub.stats().queued) == (0, 2)).await;
    hub.worker(echo("echo"));
    soon(calls.join_all()).await;
    let stats = client.stats();
    assert_eq!((stats.replies, stats.resent, stats.timed_out), (3, 0, 0));
    hub.stop().await;
}

/// MD-14: workers are replaced one by one under load, and no client sees an error.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_are_replaced_without_an_error() {
    let replacements = 20 * scale();
    let hub = Hub::start().await;
    let start = || {
        run(Worker::connect(&hub.endpoint, echo("echo"))
            .unwrap()
            .options(with_capacity(4)))
    };
    let mut workers = std::collections::VecDeque::from([start(), start(), start()]);
    let client = hub.client();
    let done = Arc::new(Semaphore::new(0));
    let mut callers = JoinSet::new();
    for caller in 0..16 {
        let (client, done) = (client.clone(), Arc::clone(&done));
        callers.spawn(async move {
            let mut call = 0;
            while done.available_permits() == 0 {
                check(&client, format!("{caller}:{call}")).await;
                call += 1;
            }
        });
    }
    for _ in 0..replacements {
        let before = client.stats().replies;
        until(|| client.stats().replies > before + 100).await;
        workers.push_back(start());
        let (handle, running) = workers.pop_front().unwrap();
        handle.stop();
        let stats = soon(running).await.unwrap().unwrap();
        assert_eq!(
            (stats.requests, stats.abandoned, stats.reconnects),
            (stats.replies, 0, 0)
        );
    }
    done.add_permits(1);
    soon(callers.join_all()).await;
    let stats = client.stats();
    assert_eq!(
        (stats.replies, stats.resent, stats.late_replies),
        (stats.calls, 0, 0)
    );
    assert_eq!(hub.stop().await.late_replies, 0);
}

/// F-10: a worker does not wait for its handlers longer than its limit; what they had in hand goes to others.
#[tokio::test]
async fn the_drain_of_a_worker_has_a_limit() {
    let mut hub = Hub::start().await;
    let (service, gate) = gated();
    let (handle, running) = run(worker(&hub, service).drain(Duration::from_millis(20)));
    let client = hub.client();
    tokio::join!(check(&client, "stuck"), async {
        gate.arrival().await;
        handle.stop();
        let stats = soon(running).await.unwrap().unwrap();
        assert_eq!((stats.replies, stats.in_hand), (0, 1));
        hub.expect(|event| matches!(event, BrokerEvent::Redispatched { .. }))
            .await;
        hub.worker(echo("echo"));
    });
    hub.stop().await;
}

/// A worker that has no broker is stopped all the same.
#[tokio::test]
async fn a_worker_without_a_broker_stops() {
    let free = DealerSocket::new().unwrap();
    let endpoint = soon(free.bind("tcp://127.0.0.1:*")).await.unwrap();
    soon(free.unbind(&endpoint)).await.unwrap();
    let (handle, running) = run(Worker::connect(&endpoint, echo("echo")).unwrap());
    handle.stop();
    assert_eq!(soon(running).await.unwrap().unwrap().requests, 0);
}

/// MD-14: a broker that is stopped accepts nobody new, lets what it has be answered, and dismisses its workers.
#[tokio::test]
async fn a_stopped_broker_lets_its_requests_be_answered() {
    let hub = Hub::start().await;
    let (raw, client) = (
        Raw::worker(&hub.endpoint).await,
        Raw::connect(&hub.endpoint).await,
    );
    let ours = worker(
        &hub,
        Service::frames("other", |request| async move { request }),
    );
    let mut of_ours = ours.handle().events();
    tokio::spawn(ours.run());
    hub.workers(2).await;
    client.send(REQUEST);
    client.send(REQUEST);
    let address = raw.request().await;
    until(|| hub.stats().queued == 1).await;
    hub.handle.stop();
    refused(&hub).await;
    raw.send(&w_reply(&address));
    assert_eq!(client.recv().await, REQUEST);
    raw.send(&w_reply(&raw.request().await));
    assert_eq!(client.recv().await, REQUEST);
    assert_eq!(raw.recv().await, DISCONNECT);
    soon(hub.handle.ended()).await;
    assert_eq!(
        soon(of_ours.next()).await.unwrap(),
        Some(WorkerEvent::Registered)
    );
    assert_eq!(
        soon(of_ours.next()).await.unwrap(),
        Some(WorkerEvent::Dismissed)
    );
    let stats = hub.stop().await;
    assert_eq!(
        (stats.replies, stats.workers, stats.queued, stats.in_flight),
        (2, 0, 0, 0)
    );
}

/// Waits until nobody can connect any more.
async fn refused(hub: &Hub) {
    let address = hub.endpoint.to_string();
    let address = address.strip_prefix("tcp://").unwrap();
    soon(async { while tokio::net::TcpStream::connect(address).await.is_ok() {} }).await;
}

/// F-10, MD-12: a broker does not wait for its workers longer than its limit; our client sends its call again, to the
/// next broker at the same place.
#[tokio::test]
async fn a_call_outlives_its_broker() {
    let broker = Broker::with_options(patient())
        .unwrap()
        .drain(Duration::from_millis(20));
    let hub = Hub::run(broker, "tcp://127.0.0.1:*").await;
    let (service, gate) = gated();
    let (handle, running) = run(worker(&hub, service));
    let client = hub.client();
    let endpoint = hub.endpoint.to_string();
    let ((), next) = tokio::join!(check(&client, "patient"), async {
        gate.arrival().await;
        let stats = hub.stop().await;
        assert_eq!((stats.replies, stats.workers), (0, 0));
        // The first answer is that to the old broker.
        gate.permits.add_permits(2);
        Hub::run(Broker::with_options(patient()).unwrap(), &endpoint).await
    });
    let stats = client.stats();
    assert_eq!((stats.replies, stats.resent), (1, 1));
    handle.stop();
    let stats = soon(running).await.unwrap().unwrap();
    assert_eq!(
        (
            stats.requests,
            stats.replies,
            stats.abandoned,
            stats.late_replies
        ),
        (2, 1, 1, 1)
    );
    assert_eq!(next.stop().await.replies, 1);
}

/// Who waits for the end of a broker is told as well if it never ran, or if its future was dropped.
#[tokio::test]
async fn a_broker_that_is_dropped_has_ended() {
    for polls in [None, Some(0), Some(1)] {
        let broker = Broker::bind("tcp://127.0.0.1:*").await.unwrap();
        let handle = broker.handle();
        match polls {
            Some(polls) => assert!(poll_times(polls, broker.run()).await.is_none()),
            None => drop(broker),
        }
        soon(handle.ended()).await;
    }
}
