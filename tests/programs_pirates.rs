//! The programs of the Pirates, as processes: `lpserver`, `lpclient`, `spqueue`, `spworker`, `ppqueue`, `ppworker`.
#![expect(clippy::unwrap_used, reason = "a test that fails panics")]

mod support;

use privateer::core::ReqSocket;
use privateer::paranoid_pirate::Queue;
use serde_json::Value;
use support::process::{Ended, Process};
use support::sockets::{soon, until};

/// An endpoint with a free port.
const ANY: &str = "tcp://127.0.0.1:*";

fn json(line: &str) -> Value {
    serde_json::from_str(line).unwrap()
}

#[tokio::test]
async fn a_client_is_answered_by_a_server() {
    let mut server = Process::start("lpserver", &["--endpoint", ANY, "--json"]);
    let endpoint = server.listening().await;
    let arguments = ["--endpoint", &endpoint, "--requests", "3"];
    let lines = Process::run("lpclient", &arguments).await.well();
    assert_eq!(
        lines,
        ["replied OK (1)", "replied OK (2)", "replied OK (3)"]
    );
    server.signal("TERM");
    let counted = json(&server.end().await.well()[0]);
    assert_eq!(
        (&counted["requests"], &counted["replies"]),
        (&3.into(), &3.into())
    );
}

/// LP-2: what the guide's `lpclient` sends is answered with the same number.
#[tokio::test]
async fn the_guides_client_is_answered() {
    let mut server = Process::start("lpserver", &["--endpoint", ANY]);
    let endpoint = server.listening().await;
    let client = ReqSocket::new().unwrap();
    client.connect(&*endpoint).unwrap();
    assert_eq!(soon(client.request("1")).await.unwrap()[0], "1");
}

/// LP-1: one server crashes with a request in hand, another is stalled, a third answers.
#[tokio::test]
async fn a_client_of_several_servers_survives_their_faults() {
    let start = |arguments: &[&str]| {
        let all: Vec<&str> = ["--endpoint", ANY]
            .iter()
            .chain(arguments)
            .copied()
            .collect();
        Process::start("lpserver", &all)
    };
    let mut crashing = start(&["--crash-after", "1"]);
    let mut stalled = start(&["--stall", "600000"]);
    let mut well = start(&[]);
    let endpoints = [
        crashing.listening().await,
        stalled.listening().await,
        well.listening().await,
    ];
    let mut arguments = vec!["--requests", "6", "--timeout", "500", "--json"];
    for endpoint in &endpoints {
        arguments.extend(["--endpoint", endpoint]);
    }
    let counted = json(&Process::run("lpclient", &arguments).await.well()[0]);
    assert_eq!(
        (&counted["succeeded"], &counted["failed"]),
        (&6.into(), &0.into())
    );
    assert!(counted["retried"].as_u64().unwrap() >= 2, "{counted}");
    assert_eq!(crashing.end().await.code, Some(1));
}

/// LP-1: no server at all is told as that.
#[tokio::test]
async fn a_client_without_a_server_says_so() {
    let place = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("tcp://{}", place.local_addr().unwrap());
    drop(place);
    let arguments = ["--endpoint", &endpoint, "--timeout", "50"];
    let Ended { code, errors, .. } = Process::run("lpclient", &arguments).await;
    assert_eq!(code, Some(1));
    assert!(errors.contains("no server is connected"), "{errors}");
}

/// SP-1, SP-3, PP-1: workers of both kinds behind either queue.
#[tokio::test]
async fn both_queues_serve_both_kinds_of_workers() {
    for queue in ["spqueue", "ppqueue"] {
        let arguments = ["--frontend", ANY, "--backend", ANY, "--json"];
        let mut queue = Process::start(queue, &arguments);
        let (front, back) = (queue.listening().await, queue.listening().await);
        for worker in ["spworker", "ppworker"] {
            let worker = Process::start(worker, &["--backend", &back, "--json"]);
            let arguments = ["--endpoint", &front, "--requests", "20", "--json"];
            let counted = json(&Process::run("lpclient", &arguments).await.well()[0]);
            assert_eq!(counted["succeeded"], 20);
            worker.signal("TERM");
            let counted = json(&worker.end().await.well()[0]);
            assert!(counted["replies"].as_u64().unwrap() >= 20, "{counted}");
        }
        queue.signal("TERM");
        let counted = json(&queue.end().await.well()[0]);
        assert!(counted["replies"].as_u64().unwrap() >= 40, "{counted}");
    }
}

/// LB-5, U1: a worker that is killed with a request in hand: another answers it, though its client asked once.
#[tokio::test]
async fn a_killed_workers_request_is_answered_by_another() {
    let queue = soon(Queue::bind(ANY, ANY)).await.unwrap();
    let (front, back) = (queue.frontend().clone(), queue.backend().to_string());
    let handle = queue.handle();
    tokio::spawn(queue.run());
    let dying = Process::start("ppworker", &["--backend", &back, "--delay", "600000"]);
    let client = ReqSocket::new().unwrap();
    client.connect(&front).unwrap();
    client.send("Hi").await.unwrap();
    until(|| handle.stats().in_flight == 1).await;
    dying.signal("KILL");
    let _heir = Process::start("ppworker", &["--backend", &back]);
    assert_eq!(soon(client.recv()).await.unwrap()[0], "Hi");
    let stats = handle.stats();
    assert_eq!((stats.requests, stats.redispatched), (1, 1));
}

#[tokio::test]
async fn unusable_endpoints_are_told_with_a_remedy() {
    for (program, option) in [
        ("lpserver", "--endpoint"),
        ("lpclient", "--endpoint"),
        ("spqueue", "--frontend"),
        ("ppqueue", "--backend"),
        ("spworker", "--backend"),
        ("ppworker", "--backend"),
    ] {
        let Ended { code, errors, .. } = Process::run(program, &[option, "nowhere"]).await;
        assert_eq!(
            (code, errors.lines().count()),
            (Some(2), 1),
            "{program}: {errors}"
        );
    }
}
