//! The programs of `examples/` do what their page says, as processes of their own.
#![expect(clippy::unwrap_used, reason = "a test that fails panics")]

mod support;

use privateer::core::{Frame, RouterSocket};
use privateer::{Broker, BrokerHandle, Client, Service, Worker};
use serde_json::Value;
use support::process::{Ended, Process};
use support::sockets::{soon, until};
use tokio::sync::mpsc;

/// An endpoint with a free port.
const ANY: &str = "tcp://127.0.0.1:*";

fn json(line: &str) -> Value {
    serde_json::from_str(line).unwrap()
}

/// A Majordomo broker in this process, to watch what the programs do.
async fn broker() -> (BrokerHandle, String) {
    let broker = Broker::bind(ANY).await.unwrap();
    let (handle, endpoint) = (broker.handle(), broker.endpoints()[0].to_string());
    tokio::spawn(broker.run());
    (handle, endpoint)
}

#[tokio::test]
async fn hello_world_is_answered_ten_times() {
    let mut server = Process::start("hwserver", &["--endpoint", ANY]);
    let endpoint = server.listening().await;
    let replies = Process::run("hwclient", &["--endpoint", &endpoint])
        .await
        .well();
    let expected: Vec<_> = (0..10)
        .map(|number| format!("Received World {number}"))
        .collect();
    assert_eq!(replies, expected);
    let replies = Process::run("hwclient", &["--endpoint", &endpoint, "--json"])
        .await
        .well();
    assert_eq!(
        json(&replies[9]),
        serde_json::json!({ "request": 9, "received": "World" })
    );
    server.signal("TERM");
    assert_eq!(server.end().await.well(), ["Received Hello"; 20]);
}

#[tokio::test]
async fn majordomo_answers_every_call() {
    let mut broker = Process::start("mdbroker", &["--bind", ANY, "--bind", ANY, "--json"]);
    let (front, back) = (broker.listening().await, broker.listening().await);
    let workers = ["1", "64"].map(|capacity| {
        let arguments = [
            "--broker",
            &*back,
            "--capacity",
            capacity,
            "--service",
            "parrot",
        ];
        Process::start("mdworker", &arguments)
    });
    let to_parrot = ["--broker", &*front, "--service", "parrot"];
    let many = [
        &to_parrot[..],
        &["--requests", "600", "--in-flight", "16", "--json"],
    ]
    .concat();
    let report = Process::run("mdclient", &many).await.well();
    let report = json(report.last().unwrap());
    for (key, expected) in [
        ("requests", 600),
        ("succeeded", 600),
        ("failed", 0),
        ("retried", 0),
    ] {
        assert_eq!(report[key], expected, "{key}");
    }
    assert!(report["rate"].as_f64().unwrap() > 0.0);
    let percentiles = ["p50_us", "p99_us", "max_us"].map(|key| report[key].as_u64().unwrap());
    assert!(
        percentiles.is_sorted() && percentiles[0] > 0,
        "{percentiles:?}"
    );
    let one = [&to_parrot[..], &["--body", "polly"]].concat();
    let lines = Process::run("mdclient", &one).await.well();
    assert_eq!(
        lines[..2],
        ["polly", "1 requests, 1 succeeded, 0 failed, 0 retried"]
    );
    for worker in workers {
        worker.signal("TERM");
        worker.end().await.well();
    }
    broker.signal("INT");
    let counted = json(&broker.end().await.well()[0]);
    assert_eq!(
        counted,
        serde_json::json!({ "requests": 601, "replies": 601 })
    );
}

#[tokio::test]
async fn a_call_that_nobody_answers_fails() {
    let (_broker, endpoint) = broker().await;
    let arguments = [
        "--broker",
        &*endpoint,
        "--timeout",
        "20",
        "--retries",
        "2",
        "--json",
    ];
    let Ended {
        code,
        lines,
        errors,
    } = Process::run("mdclient", &arguments).await;
    assert_eq!(code, Some(1));
    let report = json(&lines[0]);
    assert_eq!(
        (&report["failed"], &report["succeeded"]),
        (&1.into(), &0.into())
    );
    assert!(
        errors.contains("no reply in time after 2 attempts"),
        "{errors}"
    );
}

#[tokio::test]
async fn mmi_tells_what_the_broker_answers() {
    let (handle, endpoint) = broker().await;
    let ask = ["--broker", &*endpoint, "service", "echo"];
    let unknown = Process::run("mmi", &ask).await;
    assert_eq!(
        (unknown.code, unknown.lines),
        (Some(1), vec!["mmi.service echo: 404".to_owned()])
    );
    let _worker = Process::start("mdworker", &["--broker", &endpoint]);
    until(|| handle.stats().workers == 1).await;
    assert_eq!(
        Process::run("mmi", &ask).await.well(),
        ["mmi.service echo: 200"]
    );
    let as_json = [&ask[..], &["--json"]].concat();
    let expected =
        serde_json::json!({ "question": "mmi.service", "about": "echo", "status": "200" });
    assert_eq!(
        json(&Process::run("mmi", &as_json).await.well()[0]),
        expected
    );
}

#[tokio::test]
async fn mmi_names_the_question_that_a_broker_does_not_know() {
    let broker = RouterSocket::new().unwrap();
    let endpoint = broker.bind(ANY).await.unwrap().to_string();
    for question in ["services", "workers", "stats", "queue", "drain"] {
        let asking = Process::start("mmi", &["--broker", &endpoint, question]);
        let (peer, asked) = soon(broker.recv()).await.unwrap();
        // ∅, MDPC01, service, body
        let [empty, protocol, service, _] = asked.frames() else {
            panic!("{asked:?}")
        };
        let answer = [empty, protocol, service, &Frame::from("501")].map(Frame::clone);
        soon(broker.send(&peer, answer)).await.unwrap();
        let Ended { code, errors, .. } = asking.end().await;
        let expected = format!("error: this broker does not know mmi.{question}\n");
        assert_eq!((code, errors), (Some(1), expected));
    }
}

#[tokio::test]
async fn what_is_wrong_is_told_in_one_line_with_the_remedy() {
    for (name, arguments, remedy) in [
        (
            "hwserver",
            &["--endpoint", "5555"][..],
            "begin it with tcp://",
        ),
        (
            "hwserver",
            &["--endpoint", "tcp://192.0.2.1:5555"],
            "an address of this machine",
        ),
        (
            "hwclient",
            &["--endpoint", "tcp://*:5555"],
            "tcp://localhost:5555",
        ),
        ("hwclient", &["--requests"], "--help"),
        (
            "mdbroker",
            &["--bind", "udp://*:5555"],
            "known are tcp, ipc",
        ),
        ("mdbroker", &["--liveness", "0"], "--liveness"),
        ("mdbroker", &["--heartbeat", "0"], "1.."),
        (
            "mdworker",
            &["--broker", "tcp://127.0.0.1:*"],
            "write the port",
        ),
        ("mdworker", &["--service", "mmi.mine"], "choose another"),
        ("mdworker", &["--service", ""], "1 to 255 bytes"),
        ("mdworker", &["--capacity", "65536"], "--capacity"),
        ("mdclient", &["--service", ""], "1 to 255 bytes"),
        ("mdclient", &["--request", "5"], "--requests"),
        ("mdclient", &["--in-flight", "0"], "1.."),
        ("mmi", &["service"], "<NAME>"),
        ("mmi", &["--broker", "inproc://"], "inproc://workers"),
        ("quickstart", &["--calls", "0"], "1.."),
    ] {
        let Ended {
            code,
            lines,
            errors,
        } = Process::run(name, arguments).await;
        assert_eq!(
            (code, lines.len(), errors.lines().count()),
            (Some(2), 0, 1),
            "{name} {errors}"
        );
        assert!(
            errors.contains(remedy),
            "{name} {arguments:?} says {errors}"
        );
    }
}

#[tokio::test]
async fn a_port_that_is_taken_ends_a_program_with_2() {
    let mut first = Process::start("hwserver", &["--endpoint", ANY]);
    let endpoint = first.listening().await;
    for (name, option) in [("hwserver", "--endpoint"), ("mdbroker", "--bind")] {
        let Ended { code, errors, .. } = Process::run(name, &[option, &endpoint]).await;
        assert_eq!(code, Some(2), "{name}");
        assert!(
            errors.contains("is in use; stop whoever listens there"),
            "{errors}"
        );
    }
}

#[tokio::test]
async fn a_stopped_broker_lets_what_is_in_flight_be_answered() {
    let mut broker = Process::start("mdbroker", &["--bind", ANY]);
    let endpoint = broker.listening().await;
    let (taken, mut in_hand) = mpsc::unbounded_channel();
    let (go_on, may_go_on) = tokio::sync::watch::channel(false);
    let slow = Service::frames("slow", move |request| {
        let (taken, mut may_go_on) = (taken.clone(), may_go_on.clone());
        async move {
            taken.send(()).unwrap();
            may_go_on.wait_for(|go| *go).await.unwrap();
            request
        }
    });
    tokio::spawn(Worker::connect(&*endpoint, slow).unwrap().run());
    let client = Client::connect(&*endpoint).unwrap();
    let call = tokio::spawn(async move { client.request("slow", "still there?").await });
    soon(in_hand.recv()).await;
    broker.signal("TERM");
    let address = endpoint.strip_prefix("tcp://").unwrap();
    until(|| std::net::TcpStream::connect(address).is_err()).await;
    go_on.send(true).unwrap();
    assert_eq!(soon(call).await.unwrap().unwrap()[0], "still there?");
    assert_eq!(broker.end().await.well(), ["1 requests, 1 replies"]);
}

#[tokio::test]
async fn a_stopped_worker_answers_what_it_has_in_hand() {
    let (handle, endpoint) = broker().await;
    let client = Client::connect(&*endpoint).unwrap();
    let call = tokio::spawn(async move { client.request("echo", "still there?").await });
    let mut overtaken = 0;
    loop {
        let worker = Process::start("mdworker", &["--broker", &endpoint, "--delay", "300"]);
        until(|| handle.stats().in_flight == 1).await;
        worker.signal("TERM");
        let told = worker.end().await.well();
        if told == ["1 requests, 1 replies"] {
            break;
        }
        // The signal has overtaken the request, which is for the next worker then.
        assert_eq!(told, ["0 requests, 0 replies"]);
        overtaken += 1;
        assert!(overtaken < 5, "it takes nothing in hand");
        until(|| handle.stats().in_flight == 0).await;
    }
    assert_eq!(soon(call).await.unwrap().unwrap()[0], "still there?");
    assert_eq!(handle.stats().redispatched, overtaken);
}

#[tokio::test]
async fn a_second_signal_ends_a_program_at_once() {
    let (handle, endpoint) = broker().await;
    let mut worker = Process::start("mdworker", &["--broker", &endpoint, "--delay", "600000"]);
    let client = Client::connect(&*endpoint).unwrap();
    tokio::spawn(async move { client.request("echo", "for ever").await });
    until(|| handle.stats().in_flight == 1).await;
    // Two that come at the same time are one.
    until(|| {
        worker.signal("TERM");
        worker.has_ended()
    })
    .await;
    assert_eq!(worker.end().await.code, Some(1));
}

#[tokio::test]
async fn a_stopped_client_reports_what_it_did() {
    let (handle, endpoint) = broker().await;
    let _worker = Process::start("mdworker", &["--broker", &endpoint]);
    let arguments = [
        "--broker",
        &*endpoint,
        "--requests",
        "1000000000",
        "--in-flight",
        "4",
        "--json",
    ];
    let client = Process::start("mdclient", &arguments);
    until(|| handle.stats().replies > 100).await;
    client.signal("INT");
    let report = json(&client.end().await.well()[0]);
    assert_eq!(report["requests"], report["succeeded"]);
    assert_eq!(report["succeeded"], handle.stats().replies);
}

#[tokio::test]
async fn quickstart_loses_no_call() {
    let lines = Process::run("quickstart", &["--calls", "200"]).await.well();
    assert_eq!(
        lines
            .iter()
            .filter(|line| line.ends_with("kill -9"))
            .count(),
        2,
        "{lines:?}"
    );
    let report = lines.last().unwrap();
    assert!(
        report.starts_with("calls 200, succeeded 200, lost 0, retried "),
        "{report}"
    );
    let lines = Process::run("quickstart", &["--calls", "3", "--json"])
        .await
        .well();
    assert_eq!(json(lines.last().unwrap())["succeeded"], 3);
}

#[tokio::test]
#[cfg(target_os = "linux")]
async fn quickstart_leaves_no_process_behind() {
    let mut quickstart = Process::start("quickstart", &["--calls", "100000000"]);
    let mut children = Vec::new();
    for _ in 0..5 {
        let line = quickstart.line().await;
        let id = line
            .split_once("process ")
            .unwrap()
            .1
            .split(',')
            .next()
            .unwrap();
        children.push(format!("/proc/{id}/cmdline"));
    }
    quickstart.signal("KILL");
    quickstart.end().await;
    // What is dead but still listed has an empty command line.
    let is_gone = |child: &String| std::fs::read(child).map_or(true, |line| line.is_empty());
    until(|| children.iter().all(is_gone)).await;
}
