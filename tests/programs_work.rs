//! The programs that share work out: `taskvent`, `taskwork`, `tasksink` and `lbbroker`.
#![expect(clippy::unwrap_used, reason = "a test that fails panics")]

mod support;

use std::collections::HashSet;

use privateer::core::{DealerSocket, Frame, Message, ReqSocket, SocketOptions};
use serde_json::Value;
use support::process::{Ended, Process};

/// An endpoint with a free port.
const ANY: &str = "tcp://127.0.0.1:*";

fn json(line: &str) -> Value {
    serde_json::from_str(line).unwrap()
}

#[tokio::test]
async fn a_batch_of_tasks_is_done_by_all_workers() {
    let mut sink = Process::start("tasksink", &["--sink", ANY, "--tasks", "30", "--json"]);
    let results = sink.listening().await;
    let arguments = ["--vent", ANY, "--sink", &results, "--tasks", "30", "--json"];
    let mut vent = Process::start("taskvent", &arguments);
    let tasks = vent.listening().await;
    let workers = [1, 2].map(|_| {
        Process::start(
            "taskwork",
            &["--vent", &tasks, "--sink", &results, "--json"],
        )
    });
    let counted = json(&vent.end().await.well()[0]);
    let cost = counted["cost_ms"].as_u64().unwrap();
    assert_eq!(counted["tasks"], 30);
    let elapsed = json(&sink.end().await.well()[0]);
    assert_eq!(elapsed["tasks"], 30);
    assert!(elapsed["elapsed_ms"].as_u64().unwrap() >= cost / 2);
    let mut done = 0;
    for worker in workers {
        worker.signal("TERM");
        done += worker.end().await.well().len();
    }
    assert_eq!(done, 30);
}

#[tokio::test]
async fn a_sink_that_is_stopped_early_says_so() {
    let mut sink = Process::start("tasksink", &["--sink", ANY]);
    sink.listening().await;
    sink.signal("INT");
    let Ended { code, errors, .. } = sink.end().await;
    assert_eq!(code, Some(1));
    assert!(errors.contains("before all results were here"), "{errors}");
}

/// A worker of the guide: READY first, then each request back with its address. As a REQ of libzmq, it puts no number
/// before what it says.
async fn worker(endpoint: &str) -> ReqSocket {
    let worker = ReqSocket::with_options(SocketOptions::new().req_lockstep()).unwrap();
    worker.connect(endpoint).unwrap();
    worker.send("READY").await.unwrap();
    worker
}

async fn next_request(worker: &ReqSocket) -> (Frame, Message) {
    let mut frames = worker.recv().await.unwrap().into_frames().into_iter();
    let client = frames.next().unwrap();
    assert!(frames.next().unwrap().is_empty());
    (client, Message::from_frames(frames.collect()).unwrap())
}

async fn reply(worker: &ReqSocket, client: Frame, text: &str) {
    let message = [client, Frame::empty(), Frame::from(text)];
    worker.send(message).await.unwrap();
}

#[tokio::test]
async fn the_worker_that_waited_longest_is_next() {
    let mut broker = Process::start("lbbroker", &["--frontend", ANY, "--backend", ANY]);
    let (front, back) = (broker.listening().await, broker.listening().await);
    let first = worker(&back).await;
    let client = ReqSocket::new().unwrap();
    client.connect(&*front).unwrap();
    let (answer, ()) = tokio::join!(client.request("one"), async {
        let (client, request) = next_request(&first).await;
        assert_eq!(request[0], "one");
        reply(&first, client, "1").await;
    });
    assert_eq!(answer.unwrap()[0], "1");
    // The first is ready again, and before the second.
    let second = worker(&back).await;
    let clients = ["two", "three"].map(|request| {
        let dealer = DealerSocket::new().unwrap();
        dealer.connect(&*front).unwrap();
        (
            dealer,
            Message::from([Frame::empty(), Frame::from(request)]),
        )
    });
    let mut asked = HashSet::new();
    for (dealer, request) in &clients {
        dealer.send(request.clone()).await.unwrap();
    }
    for worker in [&first, &second] {
        let (client, request) = next_request(worker).await;
        asked.insert(request[0].to_vec());
        reply(worker, client, "done").await;
    }
    assert_eq!(asked, HashSet::from([b"two".to_vec(), b"three".to_vec()]));
    for (dealer, _) in clients {
        assert_eq!(dealer.recv().await.unwrap()[1], "done");
    }
    broker.signal("TERM");
    broker.end().await.well();
}

#[tokio::test]
async fn a_worker_that_is_gone_gets_nothing() {
    let mut broker = Process::start("lbbroker", &["--frontend", ANY, "--backend", ANY]);
    let (front, back) = (broker.listening().await, broker.listening().await);
    let gone = worker(&back).await;
    // Its READY is taken when it has served a request.
    let client = ReqSocket::new().unwrap();
    client.connect(&*front).unwrap();
    let (answer, ()) = tokio::join!(client.request("one"), async {
        let (client, _) = next_request(&gone).await;
        reply(&gone, client, "1").await;
    });
    answer.unwrap();
    let _report = gone.close().await;
    let heir = worker(&back).await;
    let (answer, ()) = tokio::join!(client.request("two"), async {
        let (client, _) = next_request(&heir).await;
        reply(&heir, client, "2").await;
    });
    assert_eq!(answer.unwrap()[0], "2");
    broker.signal("TERM");
    broker.end().await.well();
}
