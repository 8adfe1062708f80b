//! Processes that are asked to end: they finish what they have, and nobody sees an error.

use std::time::Duration;

use privateer::majordomo::broker::Departure;
use privateer_faults::{Process, scale, soon, until, within};
use serde_json::json;

use crate::hub::{Hub, patient_client};
use crate::load::Load;

fn worker(broker: &str, delay: &str) -> Process {
    Process::example(
        "mdworker",
        &["--broker", broker, "--delay", delay, "--json"],
    )
}

/// MD-14: SIGTERM with a request in hand.
#[tokio::test]
async fn a_worker_that_is_terminated_finishes_its_call() {
    let mut hub = Hub::with_liveness(100).await;
    let client = hub.client();
    let mut worker = worker(&hub.endpoint.to_string(), "500");
    let (reply, ()) = tokio::join!(soon(client.request("echo", "hello")), async {
        until(|| hub.stats().in_flight == 1).await;
        worker.terminate();
    });
    assert_eq!(reply.unwrap()[0], "hello");
    assert_eq!(soon(hub.loss()).await, Departure::Left);
    assert_eq!(
        soon(worker.report()).await,
        json!({ "requests": 1, "replies": 1 })
    );
    assert_eq!(hub.stats().redispatched, 0);
}

/// MD-14: workers are replaced one after the other under load.
#[tokio::test]
async fn workers_are_replaced_without_an_error() {
    let (_broker, endpoint) = Process::broker("tcp://127.0.0.1:*", &[]).await;
    let place = endpoint.to_string();
    let mut workers = [worker(&place, "1"), worker(&place, "1")];
    let arguments = [
        "--broker",
        &place,
        "--requests",
        "1000",
        "--in-flight",
        "8",
        "--json",
    ];
    let mut mdclient = Process::example("mdclient", &arguments);
    let client = patient_client(&endpoint);
    let load = Load::start(&client, 4);
    for turn in 0..6 * scale() {
        load.progress(100).await;
        let leaving = &mut workers[turn % 2];
        leaving.terminate();
        let report = soon(leaving.report()).await;
        assert_eq!(report["requests"], report["replies"], "{report}");
        *leaving = worker(&place, "1");
    }
    let stats = load.end().await;
    assert_eq!((stats.resent, stats.late_replies), (0, 0));
    let report = within(Duration::from_secs(60), mdclient.report()).await;
    assert_eq!(
        (&report["failed"], &report["retried"]),
        (&json!(0), &json!(0)),
        "{report}"
    );
}

/// MD-14: a broker that is terminated lets what is in flight be answered.
#[tokio::test]
async fn a_broker_that_is_terminated_lets_its_requests_be_answered() {
    let (mut broker, endpoint) = Process::broker("tcp://127.0.0.1:*", &["--json"]).await;
    let mut puppet = crate::hub::puppet(&endpoint, &[]).await;
    let client = patient_client(&endpoint);
    let (reply, ()) = tokio::join!(soon(client.request("echo", "hello")), async {
        soon(puppet.expect("begins hello")).await;
        broker.terminate();
        puppet.tell("").await;
    });
    assert_eq!(reply.unwrap()[0], "hello");
    soon(puppet.expect("event Dismissed")).await;
    assert_eq!(
        soon(broker.report()).await,
        json!({ "requests": 1, "replies": 1 })
    );
}

/// The second SIGTERM ends a program at once.
#[tokio::test]
async fn a_second_signal_ends_a_program_at_once() {
    let hub = Hub::with_liveness(100).await;
    let client = hub.client();
    let mut worker = worker(&hub.endpoint.to_string(), "600000");
    let call = tokio::spawn(async move { client.request("echo", "hello").await });
    until(|| hub.stats().in_flight == 1).await;
    worker.terminate();
    worker.terminate();
    let ended = async {
        while !worker.has_ended() {
            worker.terminate();
            tokio::task::yield_now().await;
        }
    };
    soon(ended).await;
    call.abort();
}
