//! Lines of Majordomo's contract (`book/src/majordomo.md`) that need sockets, handlers or callers.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test fails by a panic"
)]

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use privateer::core::{Endpoint, Message};
use privateer::majordomo::client::{CallOptions, ClientEvent};
use privateer::{Broker, CallError, Client, Service, Worker};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// Long beside anything that happens here.
const DEADLINE: Duration = Duration::from_secs(20);

async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, future)
        .await
        .expect("it happens in time")
}

async fn broker() -> Endpoint {
    let broker = Broker::bind("tcp://127.0.0.1:*").await.unwrap();
    let endpoint = broker.endpoints()[0].clone();
    tokio::spawn(broker.run());
    endpoint
}

fn work(broker: &Endpoint, service: Service) {
    tokio::spawn(Worker::connect(broker, service).unwrap().run());
}

/// An echo that tells what it is asked.
fn telling_echo() -> (Service, mpsc::UnboundedReceiver<Message>) {
    let (tell, told) = mpsc::unbounded_channel();
    let echo = Service::frames("echo", move |request| {
        tell.send(request.clone()).unwrap();
        async move { request }
    });
    (echo, told)
}

#[tokio::test]
async fn a_request_whose_handler_of_frames_panics_is_given_out_again() {
    let broker = broker().await;
    let times = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&times);
    let echo = Service::frames("echo", move |request| {
        let is_first = counted.fetch_add(1, Ordering::Relaxed) == 0;
        async move {
            assert!(!is_first, "on purpose");
            request
        }
    });
    work(&broker, echo);
    let client = Client::connect(&broker).unwrap();
    assert_eq!(within(client.request("echo", "Hi")).await.unwrap()[0], "Hi");
    assert_eq!(times.load(Ordering::Relaxed), 2);
    client.close().await;
}

#[tokio::test]
async fn one_worker_does_the_requests_of_a_client_in_the_order_of_its_calls() {
    let broker = broker().await;
    let client = Client::connect(&broker).unwrap();
    let mut calls = JoinSet::new();
    for number in 0..100_u8 {
        let client = client.clone();
        calls.spawn(async move { client.request("echo", vec![number]).await });
    }
    let (echo, mut told) = telling_echo();
    work(&broker, echo);
    for number in 0..100_u8 {
        assert_eq!(within(told.recv()).await.unwrap()[0], [number]);
    }
    while let Some(call) = within(calls.join_next()).await {
        call.unwrap().unwrap();
    }
    client.close().await;
}

#[tokio::test]
async fn a_call_that_timed_out_may_still_be_done() {
    let broker = broker().await;
    let options = CallOptions::default()
        .attempts(NonZeroU32::MIN)
        .attempt_timeout(Some(Duration::from_millis(500)));
    let client = Client::connect(&broker).unwrap().call_options(options);
    let mut events = client.events();
    // Without a worker there is no answer, but the broker has the request.
    let outcome = within(client.request("echo", "Hi")).await;
    assert!(matches!(outcome, Err(CallError::TimedOut { attempts: 1 })));
    let (echo, mut told) = telling_echo();
    work(&broker, echo);
    assert_eq!(within(told.recv()).await.unwrap()[0], "Hi");
    let event = within(events.next()).await.unwrap();
    assert!(
        matches!(event, Some(ClientEvent::ReplyDropped { .. })),
        "{event:?}"
    );
    client.close().await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_call_waits_for_a_broker_that_is_not_there_yet() {
    let path = std::env::temp_dir().join(format!("privateer-contract-{}", std::process::id()));
    let endpoint = format!("ipc://{}", path.display());
    let client = Client::connect(endpoint.as_str()).unwrap();
    let (echo, _told) = telling_echo();
    work(&endpoint.parse().unwrap(), echo);
    let calling = client.clone();
    let call = tokio::spawn(async move { calling.request("echo", "Hi").await });
    let broker = within(Broker::bind(endpoint.as_str())).await.unwrap();
    let handle = broker.handle();
    let running = tokio::spawn(broker.run());
    assert_eq!(within(call).await.unwrap().unwrap()[0], "Hi");
    client.close().await;
    // Removes the file.
    handle.stop();
    within(running).await.unwrap();
}
