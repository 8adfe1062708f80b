//! How calls of our client end: with a reply, in time without one, or because nobody waits any more.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use privateer::core::{DealerSocket, Endpoint, RouterSocket};
use privateer::majordomo::client::{CallOptions, ClientEvent};
use privateer::{CallError, Client, Service};
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

use crate::hub::{Hub, check, echo, no_limit};
use crate::raw::{Raw, RawBroker, w_reply};
use crate::support::sockets::{poll_times, soon, until};

/// As many calls of a client may be in flight at a time.
const WINDOW: usize = 256;

fn tries(attempts: u32) -> CallOptions {
    let attempts = NonZeroU32::new(attempts).unwrap();
    CallOptions::default()
        .attempts(attempts)
        .attempt_timeout(Some(Duration::from_millis(20)))
}

#[track_caller]
fn assert_timed_out(outcome: Result<privateer::core::Message, CallError>, expected: u32) {
    match outcome {
        Err(CallError::TimedOut { attempts }) => assert_eq!(attempts, expected),
        other => panic!("{other:?}"),
    }
}

/// A client whose connection stands.
async fn connected(hub: &Hub) -> Client {
    let client = hub.client();
    soon(client.request("mmi.service", "echo")).await.unwrap();
    client
}

/// LP-1: without a worker a call ends after its attempts, and says how many there were.
#[tokio::test]
async fn a_call_without_a_worker_times_out() {
    let hub = Hub::start().await;
    for attempts in [1, 2, 5] {
        let client = connected(&hub).await.call_options(tries(attempts));
        let mut events = client.events();
        let outcome = soon(client.request("echo", "Hi")).await;
        let text = outcome.as_ref().unwrap_err().to_string();
        assert!(
            text.contains(&format!("after {attempts} attempts")),
            "{text}"
        );
        assert_timed_out(outcome, attempts);
        for before in 1..attempts {
            match soon(events.next()).await.unwrap() {
                Some(ClientEvent::AttemptTimedOut { attempts, .. }) => assert_eq!(attempts, before),
                other => panic!("{other:?}"),
            }
        }
        let stats = client.stats();
        // Our broker keeps the request, so it is sent once.
        assert_eq!((stats.timed_out, stats.resent, stats.in_flight), (1, 0, 0));
    }
    hub.stop().await;
}

/// LP-1: without a broker, too; then no attempt was made.
#[tokio::test]
async fn a_call_without_a_broker_times_out() {
    let free = DealerSocket::new().unwrap();
    let endpoint: Endpoint = soon(free.bind("tcp://127.0.0.1:*")).await.unwrap();
    soon(free.unbind(&endpoint)).await.unwrap();
    let client = Client::connect(&endpoint).unwrap().call_options(tries(3));
    let outcome = soon(client.request("echo", "Hi")).await;
    let text = outcome.as_ref().unwrap_err().to_string();
    assert!(text.contains("could not be sent"), "{text}");
    assert_timed_out(outcome, 0);
    assert_eq!(client.stats().resent, 0);
}

/// F-4: a deadline ends a call whatever attempts are left; one that has passed ends it at once.
#[tokio::test]
async fn a_deadline_ends_a_call() {
    let hub = Hub::start().await;
    let until = |limit| no_limit().deadline(Some(Instant::now() + limit));
    for (limit, attempts) in [(20, 1), (0, 0)] {
        let options = until(Duration::from_millis(limit));
        let client = connected(&hub).await.call_options(options);
        assert_timed_out(soon(client.request("echo", "Hi")).await, attempts);
    }
}

/// F-4: also one that waits for its turn.
#[tokio::test]
async fn a_deadline_ends_a_call_that_waits_for_its_turn() {
    let hub = Hub::start().await;
    let client = hub.client().call_options(no_limit());
    let mut calls = JoinSet::new();
    for _ in 0..WINDOW {
        let client = client.clone();
        calls.spawn(async move { client.request("echo", "Hi").await });
    }
    until(|| hub.stats().queued == WINDOW).await;
    let deadline = Instant::now() + Duration::from_millis(20);
    let hurried = client.clone();
    let hurried = hurried.call_options(no_limit().deadline(Some(deadline)));
    assert_timed_out(soon(hurried.request("echo", "Hi")).await, 0);
    let stats = client.stats();
    assert_eq!((stats.timed_out, stats.in_flight), (1, WINDOW));
    hub.stop().await;
}

/// `close` ends all calls of all clones, and there are no more.
#[tokio::test]
async fn closing_a_client_ends_its_calls() {
    let hub = Hub::start().await;
    let client = hub.client();
    let mut calls = JoinSet::new();
    for _ in 0..2 * WINDOW {
        let client = client.clone();
        calls.spawn(async move { client.request("echo", "Hi").await });
    }
    until(|| hub.stats().queued == WINDOW).await;
    let clone = client.clone();
    soon(client.close()).await;
    for outcome in soon(calls.join_all()).await {
        assert!(matches!(outcome, Err(CallError::Closed)), "{outcome:?}");
    }
    let after = soon(clone.request("echo", "Hi")).await;
    assert!(matches!(after, Err(CallError::Closed)), "{after:?}");
    let stats = clone.stats();
    assert_eq!((stats.in_flight, stats.cancelled), (0, WINDOW as u64));
    // The broker sees it go.
    until(|| hub.stats().queued == 0).await;
    hub.stop().await;
}

/// Once `close` is ready there is no connection left, also while another has a clone.
#[tokio::test]
async fn closing_a_client_closes_its_connection() {
    let router = RouterSocket::new().unwrap();
    let endpoint = soon(router.bind("inproc://closing-a-client"))
        .await
        .unwrap();
    let client = Client::connect(&endpoint).unwrap();
    let (calling, clone) = (client.clone(), client.clone());
    let call = tokio::spawn(async move { calling.request("echo", "Hi").await });
    let _request = soon(router.recv()).await.unwrap();
    soon(client.close()).await;
    assert_eq!(router.peers(), []);
    assert!(matches!(soon(call).await.unwrap(), Err(CallError::Closed)));
    let stats = clone.stats();
    assert_eq!((stats.in_flight, stats.lanes), (0, 0));
}

/// Nor is any left if `close` is given up while it waits for the first of several.
#[tokio::test]
async fn a_close_that_is_given_up_closes_all_connections() {
    let broker = RawBroker::bind().await;
    let client = Client::connect(&broker.endpoint).unwrap();
    let mut calls = JoinSet::new();
    for _ in 0..2 {
        let client = client.clone();
        calls.spawn(async move { client.request("echo", "Hi").await });
        let _request = broker.recv().await;
    }
    assert_eq!(client.stats().lanes, 2);
    let clone = client.clone();
    assert!(poll_times(1, client.close()).await.is_none());
    until(|| broker.router.peers().is_empty()).await;
    assert_eq!(clone.stats().lanes, 0);
}

/// A name that is none is an error at once.
#[tokio::test]
async fn a_service_needs_a_name() {
    let hub = Hub::start().await;
    let client = hub.client();
    for name in [vec![], vec![b'x'; 256]] {
        let outcome = soon(client.request(name, "Hi")).await;
        assert!(matches!(outcome, Err(CallError::Name(_))), "{outcome:?}");
    }
    assert_eq!(client.stats().calls, 0);
    hub.stop().await;
}

/// F-5: a dropped call is given up: its place in the window is free, and its late reply reaches nobody.
#[tokio::test]
async fn a_dropped_call_is_cancelled() {
    let hub = Hub::start().await;
    let (worker, client) = (Raw::worker(&hub.endpoint).await, hub.client());
    let mut calls = JoinSet::new();
    for _ in 0..WINDOW {
        let client = client.clone();
        calls.spawn(async move { client.request("echo", "Hi").await });
    }
    let address = worker.request().await;
    until(|| hub.stats().queued == WINDOW - 1).await;
    soon(calls.shutdown()).await;
    let stats = client.stats();
    assert_eq!((stats.cancelled, stats.in_flight), (WINDOW as u64, 0));

    let mut events = client.events();
    worker.send(&w_reply(&address));
    let event = soon(events.next()).await.unwrap();
    assert!(
        matches!(event, Some(ClientEvent::ReplyDropped { .. })),
        "{event:?}"
    );
    assert_eq!(client.stats().late_replies, 1);
    // The broker was not told: the others are still worked on.
    tokio::join!(check(&client, "next"), async {
        for _ in 0..WINDOW {
            let request = worker.recv().await;
            worker.send(&request.replace(" · 02 · ", " · 03 · "));
        }
    });
    assert_eq!(client.stats().late_replies, WINDOW as u64);
    hub.stop().await;
}

/// F-5: a dropped call to a stranger takes its connection with it, so that the late reply answers nobody.
#[tokio::test]
async fn a_dropped_call_to_a_stranger_closes_its_connection() {
    let broker = RawBroker::bind().await;
    let client = Client::connect(&broker.endpoint)
        .unwrap()
        .call_options(no_limit());
    let first = tokio::spawn({
        let client = client.clone();
        async move { client.request("echo", "first").await }
    });
    let (peer, request) = broker.recv().await;
    first.abort();
    assert!(soon(first).await.is_err());
    // If it still finds the connection, the client does not.
    drop(broker.router.try_send(&peer, crate::raw::message(&request)));
    let (reply, ()) = tokio::join!(soon(client.request("echo", "second")), async {
        let (other, request) = broker.recv().await;
        assert_ne!(peer, other);
        broker.send(&other, &request);
    });
    assert_eq!(reply.unwrap()[0], "second");
    assert_eq!((client.stats().cancelled, client.stats().replies), (1, 1));
}

#[derive(Serialize, Deserialize)]
struct Divide {
    dividend: i64,
    divisor: i64,
}

/// The typed layer tells apart all that can go wrong.
#[tokio::test]
async fn a_typed_call_ends_in_a_typed_error() {
    let hub = Hub::start().await;
    let divide = |Divide { dividend, divisor }: Divide| async move {
        dividend.checked_div(divisor).ok_or("division by zero")
    };
    let panics = |(): ()| async {
        if true {
            panic!("on purpose")
        } else {
            Ok::<(), String>(())
        }
    };
    hub.worker(
        Service::new("calc")
            .method("divide", divide)
            .method("panics", panics),
    );
    hub.worker(echo("echo"));
    let client = hub.client();
    let call = async |method: &str, divisor| {
        soon(client.call::<_, i64>(
            method,
            &Divide {
                dividend: 42,
                divisor,
            },
        ))
        .await
    };
    assert_eq!(call("calc.divide", 2).await.unwrap(), 21);
    assert!(
        matches!(call("calc.divide", 0).await, Err(CallError::Failed { reason }) if reason == "division by zero")
    );
    assert!(
        matches!(call("calc.add", 2).await, Err(CallError::NoSuchMethod { method }) if method == "add")
    );
    assert!(
        matches!(call("calc", 2).await, Err(CallError::NoMethodNamed { call }) if call == "calc")
    );
    assert!(matches!(
        call("echo.divide", 2).await,
        Err(CallError::NotTyped)
    ));
    let wrong = soon(client.call::<_, i64>("calc.divide", "text")).await;
    assert!(
        matches!(wrong, Err(CallError::BadRequest { .. })),
        "{wrong:?}"
    );
    let wrong = soon(client.call::<_, String>(
        "calc.divide",
        &Divide {
            dividend: 1,
            divisor: 1,
        },
    ))
    .await;
    assert!(matches!(wrong, Err(CallError::Decode(_))), "{wrong:?}");
    let panicked = soon(client.call::<_, ()>("calc.panics", &())).await;
    assert!(matches!(panicked, Err(CallError::Panicked)), "{panicked:?}");
    assert_eq!(call("calc.divide", 3).await.unwrap(), 14);
    hub.stop().await;
}
