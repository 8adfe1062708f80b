//! The broker is killed and comes back, or is stopped for a while: workers and clients go on.

use std::time::Duration;

use privateer_faults::{Process, SLACK, scale, soon, within};
use serde_json::json;

use crate::hub::{HEARTBEAT, INTERVAL, LIVENESS, patient_client, puppet};
use crate::load::Load;

/// How soon workers are back at a broker that is there again.
const BACK: Duration = Duration::from_secs(2);

/// MD-12: kill -9 and restart under load. Our workers are back within two seconds, and every call is answered: those of a
/// client in this process, which are the clock, and those of `mdclient`.
#[tokio::test]
async fn every_call_outlives_its_broker() {
    let (kills, calls) = (3 * scale(), 5000 * scale());
    let (mut broker, endpoint) = Process::broker("tcp://127.0.0.1:*", &[]).await;
    let place = endpoint.to_string();
    let mut workers = Vec::new();
    for _ in 0..3 {
        workers.push(puppet(&endpoint, &["--delay", "2", "--capacity", "2"]).await);
    }
    let requests = calls.to_string();
    let arguments = [
        "--broker",
        &place,
        "--requests",
        &requests,
        "--in-flight",
        "8",
        "--json",
    ];
    let mut mdclient = Process::example("mdclient", &arguments);
    let client = patient_client(&endpoint);
    let load = Load::start(&client, 8);
    for _ in 0..kills {
        load.progress(200).await;
        assert!(!mdclient.has_ended(), "{calls} calls were too few");
        broker.kill().await;
        for worker in &mut workers {
            soon(worker.expect("event ConnectionLost")).await;
        }
        (broker, _) = Process::broker(&place, &[]).await;
        for worker in &mut workers {
            within(SLACK * BACK, worker.expect("event Registered")).await;
        }
    }
    load.progress(200).await;
    let stats = load.end().await;
    assert!(stats.resent > 0, "nothing was in flight: {stats:?}");
    assert_eq!(stats.late_replies, 0);

    let report = within(Duration::from_secs(120), mdclient.report()).await;
    let expected = [("requests", calls), ("succeeded", calls), ("failed", 0)];
    for (name, expected) in expected {
        assert_eq!(report[name], json!(expected), "{report}");
    }
    assert!(report["retried"].as_u64().unwrap() > 0, "{report}");
    let slowest = Duration::from_micros(report["max_us"].as_u64().unwrap());
    assert!(slowest <= SLACK * BACK, "{report}");
}

/// U2: a broker that is stopped for longer than its workers wait is given up; when it goes on, they come back, and it
/// judges nobody by what it slept through.
#[tokio::test]
async fn a_stopped_broker_is_given_up_and_found_again() {
    let (broker, endpoint) = Process::broker("tcp://127.0.0.1:*", &HEARTBEAT).await;
    let mut workers = Vec::new();
    for _ in 0..3 {
        workers.push(puppet(&endpoint, &[&["--delay", "0"], &HEARTBEAT[..]].concat()).await);
    }
    let client = patient_client(&endpoint);
    let load = Load::start(&client, 4);
    for _ in 0..2 * scale() {
        load.progress(100).await;
        broker.stop();
        for worker in &mut workers {
            within(SLACK * LIVENESS * INTERVAL, gives_up(worker)).await;
        }
        broker.resume();
        for worker in &mut workers {
            within(SLACK * BACK, worker.expect("event Registered")).await;
        }
        load.progress(100).await;
    }
    load.end().await;
}

/// Waits until a worker gives its broker up: it hears no heartbeats, or no answer to a PING.
async fn gives_up(worker: &mut Process) {
    while !["event BrokerSilent", "event ConnectionLost"].contains(&&*worker.line().await) {}
}

/// MD-12, 7.4-12: what a worker answers to the next broker was not asked by it, and is dropped by the worker itself.
#[tokio::test]
async fn a_request_of_a_killed_broker_is_answered_by_the_next() {
    let (mut broker, endpoint) = Process::broker("tcp://127.0.0.1:*", &[]).await;
    let mut worker = puppet(&endpoint, &[]).await;
    let client = patient_client(&endpoint);
    let call = tokio::spawn({
        let client = client.clone();
        async move { client.request("echo", "hello").await }
    });
    soon(worker.expect("begins hello")).await;
    broker.kill().await;
    soon(worker.expect("event ConnectionLost")).await;
    worker.tell("").await;
    soon(worker.expect("event ReplyDropped(RequestKey(0))")).await;
    let (_broker, _) = Process::broker(&endpoint.to_string(), &[]).await;
    soon(worker.expect("begins hello")).await;
    worker.tell("").await;
    assert_eq!(soon(call).await.unwrap().unwrap()[0], "hello");
    assert_eq!((client.stats().resent, client.stats().replies), (1, 1));
}

/// The job that the project is for, in one command: a worker and the broker are killed, and no call is lost.
#[tokio::test]
async fn the_quickstart_loses_no_call() {
    let calls = 300 * scale();
    let mut quickstart = Process::example("quickstart", &["--calls", &calls.to_string(), "--json"]);
    let report = within(Duration::from_secs(60), quickstart.report()).await;
    let expected = [("calls", calls), ("succeeded", calls), ("lost", 0)];
    for (name, expected) in expected {
        assert_eq!(report[name], json!(expected), "{report}");
    }
}
