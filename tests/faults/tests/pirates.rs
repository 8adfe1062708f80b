//! The Pirates while processes are killed, stopped and restarted, and links are black holes: the fault set U, as far as it
//! applies, in a 20-second form; `PRIVATEER_SCALE=15` makes it five minutes.
//!
//! Whatever fails, every call ends in an answer to what it asked, or in a typed error, within its limit.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use privateer::core::{Endpoint, Message};
use privateer::lazy_pirate::{LazyPirate, LazyPirateError, LazyPirateOptions};
use privateer_faults::{Link, Process, SLACK, scale, soon};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

/// Between heartbeats of queue and workers.
const INTERVAL: Duration = Duration::from_millis(200);
const HEARTBEAT: [&str; 2] = ["--heartbeat", "200"];
/// How long a worker or queue may be silent.
const EXPIRY: Duration = Duration::from_millis(600);
/// How long a call may take.
const LIMIT: Duration = Duration::from_secs(5);

/// Callers that call one time after the other, and what became of their calls.
struct Load {
    client: LazyPirate,
    callers: JoinSet<()>,
    done: Arc<AtomicBool>,
    failed: Arc<AtomicU64>,
}

impl Load {
    fn start(servers: &[Endpoint]) -> Self {
        let options = LazyPirateOptions::default()
            .timeout(Duration::from_secs(1))
            .within(LIMIT)
            .tries(10.try_into().unwrap())
            .budget(100, 1000);
        let client = LazyPirate::with_options(servers, options).unwrap();
        let (done, failed) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
        let mut callers = JoinSet::new();
        for caller in 0..4 {
            let (client, done, failed) = (client.clone(), Arc::clone(&done), Arc::clone(&failed));
            callers.spawn(async move {
                for call in 0_u64.. {
                    if done.load(Ordering::Relaxed) {
                        return;
                    }
                    let (asked, start) =
                        (Message::from(format!("{caller}:{call}")), Instant::now());
                    match client.request(asked.clone()).await {
                        Ok(reply) => assert_eq!(reply, asked),
                        Err(LazyPirateError::TimedOut { .. } | LazyPirateError::NotConnected) => {
                            failed.fetch_add(1, Ordering::Relaxed);
                        }
                        Err(error) => panic!("{error}"),
                    }
                    assert!(start.elapsed() < SLACK * LIMIT);
                }
            });
        }
        Self {
            client,
            callers,
            done,
            failed,
        }
    }

    /// Waits until so many more calls are answered.
    async fn progress(&self, calls: u64) {
        let goal = self.client.stats().replies + calls;
        privateer_faults::until(|| self.client.stats().replies >= goal).await;
    }

    /// Makes no more calls, waits for the last ones, and tells how many failed. The counters explain every call.
    async fn end(self) -> u64 {
        self.done.store(true, Ordering::Relaxed);
        soon(self.callers.join_all()).await;
        let (stats, failed) = (self.client.stats(), self.failed.load(Ordering::Relaxed));
        assert_eq!(stats.in_flight, 0);
        assert_eq!(stats.calls, stats.replies + failed);
        assert_eq!(failed, stats.timed_out + stats.not_connected);
        failed
    }
}

/// A queue, once it listens, and where for clients and for workers.
async fn queue(name: &str, [front, back]: [&str; 2]) -> (Process, [Endpoint; 2]) {
    let mut arguments = vec!["--frontend", front, "--backend", back, "--json"];
    if name == "ppqueue" {
        arguments.extend(HEARTBEAT);
    }
    let mut queue = Process::example(name, &arguments);
    let front = listening(&mut queue).await;
    let back = listening(&mut queue).await;
    (queue, [front, back])
}

async fn listening(process: &mut Process) -> Endpoint {
    let line = soon(process.line()).await;
    line.strip_prefix("listening on ").unwrap().parse().unwrap()
}

fn worker(name: &str, back: &Endpoint) -> Process {
    let back = back.to_string();
    let mut arguments = vec!["--backend", &back];
    if name == "ppworker" {
        arguments.extend(HEARTBEAT);
    }
    Process::example(name, &arguments)
}

const ANY: [&str; 2] = ["tcp://127.0.0.1:*"; 2];

/// PP-10, SP-5, LB-9 (U1, U2): workers are killed and stopped, for 1, 2 and 5 times the expiry of Paranoid ones; three at a
/// time serve, and calls go on.
#[tokio::test]
async fn workers_that_are_killed_and_stopped_cost_no_call() {
    for (queue_name, worker_name) in [("ppqueue", "ppworker"), ("spqueue", "spworker")] {
        let (mut running, [front, back]) = queue(queue_name, ANY).await;
        let mut workers: Vec<_> = (0..3).map(|_| worker(worker_name, &back)).collect();
        let load = Load::start(&[front]);
        load.progress(100).await;
        for _ in 0..scale() {
            for times in [1, 2, 5] {
                let mut killed = std::mem::replace(&mut workers[0], worker(worker_name, &back));
                killed.kill().await;
                load.progress(50).await;
                workers[1].stop();
                sleep(EXPIRY * times).await;
                workers[1].resume();
                load.progress(50).await;
            }
        }
        assert_eq!(load.end().await, 0);
        running.terminate();
        let report = soon(running.report()).await;
        assert!(report["replies"].as_u64().unwrap() >= 400, "{report}");
    }
}

/// SP-4, PP-6, PP-10 (U1, U2, U3): the queue is killed and comes back without state, and is stopped; workers come back.
#[tokio::test]
async fn a_queue_that_is_killed_and_stopped_is_found_again() {
    let (mut running, [front, back]) = queue("ppqueue", ANY).await;
    let _workers: Vec<_> = ["ppworker", "ppworker", "spworker"]
        .map(|name| worker(name, &back))
        .into();
    let places = [front.to_string(), back.to_string()];
    let load = Load::start(&[front]);
    load.progress(100).await;
    for _ in 0..scale() {
        for times in [1, 2, 5] {
            running.kill().await;
            let (again, _) = queue("ppqueue", [&places[0], &places[1]]).await;
            running = again;
            load.progress(50).await;
            running.stop();
            sleep(EXPIRY * times).await;
            running.resume();
            load.progress(50).await;
        }
    }
    load.end().await;
}

/// LP-8, LP-1 (U1, U3, U4, U6): two servers; one is killed and restarted, the link to the other is a black hole for longer
/// and for shorter than a try.
#[tokio::test]
async fn a_client_of_two_servers_survives_the_faults_of_both() {
    let serve = async |endpoint: &str| {
        let mut server = Process::example("lpserver", &["--endpoint", endpoint]);
        let endpoint = listening(&mut server).await;
        (server, endpoint)
    };
    let (mut killed, place) = serve("tcp://127.0.0.1:*").await;
    let (_other, behind) = serve("tcp://127.0.0.1:*").await;
    let link = Link::to(&behind).await;
    let load = Load::start(&[place.clone(), link.endpoint()]);
    load.progress(100).await;
    for _ in 0..scale() {
        for pause in [INTERVAL, Duration::from_millis(1500)] {
            killed.kill().await;
            load.progress(50).await;
            let (again, _) = serve(&place.to_string()).await;
            killed = again;
            load.progress(50).await;
            link.black_hole();
            sleep(pause).await;
            link.heal();
            load.progress(50).await;
            link.cut();
            load.progress(50).await;
        }
    }
    assert_eq!(load.end().await, 0);
}

/// U6, U7: the link to a worker is dead, or slow; what it had goes to another, and the queue stays small.
#[tokio::test]
async fn a_worker_behind_a_dead_link_is_given_up() {
    let (mut running, [front, back]) = queue("ppqueue", ANY).await;
    let link = Link::to(&back).await;
    let _far = worker("ppworker", &link.endpoint());
    let _near = worker("ppworker", &back);
    let load = Load::start(&[front]);
    load.progress(200).await;
    for _ in 0..scale() {
        link.black_hole();
        sleep(EXPIRY * 3).await;
        load.progress(100).await;
        link.heal();
        link.throttle(10_000);
        load.progress(100).await;
    }
    assert!(running.peak_memory() < 100 << 20);
    assert_eq!(load.end().await, 0);
    running.terminate();
    let report = soon(running.report()).await;
    assert!(report["redispatched"].as_u64().unwrap() > 0, "{report}");
}
