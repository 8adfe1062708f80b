//! The Pirates on links that repeat, damage, swallow and cut: what calls take effect how often.
//!
//! `PRIVATEER_SCALE=15` makes it five minutes.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use privateer::core::{Endpoint, Message};
use privateer::lazy_pirate::{LazyPirate, LazyPirateError, LazyPirateOptions, LazyPirateServer};
use privateer::majordomo::worker::WorkerOptions;
use privateer::paranoid_pirate::queue::DropReason;
use privateer::paranoid_pirate::{PirateWorker, Queue, QueueHandle, QueueOptions};
use privateer_faults::{Direction, Link, SLACK, scale, soon, until};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep};

const ANY: &str = "tcp://127.0.0.1:*";
/// Between heartbeats of queue and workers.
const INTERVAL: Duration = Duration::from_millis(200);
/// How long a worker may be silent.
const EXPIRY: Duration = Duration::from_millis(600);
/// How long a try may take, and a call.
const TRY: Duration = Duration::from_millis(400);
const LIMIT: Duration = Duration::from_secs(6);

/// How often each request was worked on.
#[derive(Clone, Debug, Default)]
struct Effects(Arc<Mutex<HashMap<Message, u32>>>);

impl Effects {
    /// A handler that takes a moment, and sends back what it got.
    fn handler(&self) -> impl Fn(Message) -> Working + Send + Sync + 'static {
        let effects = self.clone();
        move |request| {
            *effects
                .0
                .lock()
                .unwrap()
                .entry(request.clone())
                .or_default() += 1;
            Box::pin(async move {
                sleep(Duration::from_millis(2)).await;
                request
            })
        }
    }

    fn of(&self, request: &Message) -> u32 {
        let effects = self.0.lock().unwrap();
        effects.get(request).copied().unwrap_or(0)
    }
}

type Working = std::pin::Pin<Box<dyn Future<Output = Message> + Send>>;

/// Callers that call one time after the other, and how each of their calls ended.
struct Load {
    client: LazyPirate,
    callers: JoinSet<Vec<(Message, Result<Message, LazyPirateError>)>>,
    done: Arc<AtomicBool>,
}

impl Load {
    fn start(server: &Endpoint) -> Self {
        let options = LazyPirateOptions::default()
            .timeout(TRY)
            .within(LIMIT)
            .tries(30.try_into().unwrap())
            .budget(100, 1000);
        let client = LazyPirate::with_options([server], options).unwrap();
        let done = Arc::<AtomicBool>::default();
        let mut callers = JoinSet::new();
        for caller in 0..4 {
            let (client, done) = (client.clone(), Arc::clone(&done));
            callers.spawn(async move {
                let mut ended = Vec::new();
                while !done.load(Ordering::Relaxed) {
                    let request = Message::from(format!("{caller}:{}", ended.len()));
                    let start = Instant::now();
                    let outcome = client.request(request.clone()).await;
                    assert!(start.elapsed() < SLACK * LIMIT);
                    ended.push((request, outcome));
                }
                ended
            });
        }
        Self {
            client,
            callers,
            done,
        }
    }

    /// Waits until so many more calls are answered.
    #[track_caller]
    fn progress(&self, calls: u64) -> impl Future<Output = ()> {
        let goal = self.client.stats().replies + calls;
        until(move || self.client.stats().replies >= goal)
    }

    /// Makes no more calls, and tells how all of them ended. The counters explain every call.
    async fn end(self) -> Vec<(Message, Result<Message, LazyPirateError>)> {
        self.done.store(true, Ordering::Relaxed);
        let ended: Vec<_> = soon(self.callers.join_all())
            .await
            .into_iter()
            .flatten()
            .collect();
        let stats = self.client.stats();
        let failed = stats.timed_out + stats.not_connected;
        assert_eq!(stats.calls, stats.replies + failed);
        assert_eq!((stats.in_flight, ended.len() as u64), (0, stats.calls));
        ended
    }
}

/// Everything that a link can do that leaves octets as they are; calls go on after each.
async fn break_in_all_ways(link: &Link, load: &Load) {
    load.progress(20).await;
    link.cut();
    load.progress(20).await;
    for direction in [Direction::ToServer, Direction::ToClient] {
        link.deafen(direction);
        sleep(EXPIRY).await;
        link.heal();
        load.progress(20).await;
    }
    link.black_hole();
    sleep(EXPIRY).await;
    link.cut();
    load.progress(20).await;
    link.throttle(10_000);
    load.progress(5).await;
    link.heal();
    link.refuse();
    link.cut();
    sleep(INTERVAL).await;
    link.heal();
    load.progress(20).await;
}

async fn server(effects: &Effects) -> (Endpoint, JoinHandle<()>) {
    let server = soon(LazyPirateServer::bind(ANY, effects.handler())).await;
    let server = server.unwrap();
    let endpoint = server.endpoint().clone();
    let running = async move {
        server.run().await;
    };
    (endpoint, tokio::spawn(running))
}

async fn queue(options: QueueOptions) -> ([Endpoint; 2], QueueHandle) {
    let options = options.heartbeat_interval(INTERVAL);
    let queue = soon(Queue::with_options(ANY, ANY, options)).await.unwrap();
    let endpoints = [queue.frontend().clone(), queue.backend().clone()];
    let handle = queue.handle();
    tokio::spawn(queue.run());
    (endpoints, handle)
}

fn worker(back: &Endpoint, effects: &Effects) {
    let options = WorkerOptions::default()
        .heartbeat_interval(INTERVAL)
        .reconnect_delay(Duration::from_millis(20), Duration::from_millis(200));
    let worker = PirateWorker::connect(back, effects.handler()).unwrap();
    tokio::spawn(worker.options(options).run());
}

/// LP-8 (U4 to U8), F-8: behind a link that says everything twice and breaks in all ways, every call is answered, and took
/// effect once.
#[tokio::test]
async fn calls_to_a_server_take_effect_once() {
    let effects = Effects::default();
    let (endpoint, _running) = server(&effects).await;
    let link = Link::doubling(&endpoint).await;
    let load = Load::start(&link.endpoint());
    for _ in 0..scale() {
        break_in_all_ways(&link, &load).await;
    }
    assert!(load.client.stats().late_replies > 0);
    for (request, outcome) in load.end().await {
        assert_eq!(outcome.unwrap(), request);
        assert_eq!(effects.of(&request), 1, "{request:?}");
    }
}

/// PP-10, SP-5 (U4 to U8), F-8: with `at_most_once` a call takes effect once if it is answered, and never twice, whatever
/// happens to links of clients and workers; what failed is a call whose worker was lost.
#[tokio::test]
async fn calls_through_a_queue_take_effect_once() {
    let effects = Effects::default();
    let ([front, back], handle) = queue(QueueOptions::default().at_most_once()).await;
    let (clients, workers) = (Link::doubling(&front).await, Link::to(&back).await);
    worker(&back, &effects);
    worker(&workers.endpoint(), &effects);
    let load = Load::start(&clients.endpoint());
    for _ in 0..scale() {
        break_in_all_ways(&clients, &load).await;
        break_in_all_ways(&workers, &load).await;
    }
    let mut failed = 0;
    for (request, outcome) in load.end().await {
        match outcome {
            Ok(reply) => assert_eq!((reply, effects.of(&request)), (request, 1)),
            Err(LazyPirateError::TimedOut { .. }) => {
                failed += 1;
                assert!(effects.of(&request) <= 1, "{request:?}");
            }
            Err(error) => panic!("{error}"),
        }
    }
    let lost = handle.stats().dropped(DropReason::AttemptsExhausted);
    assert!(failed <= lost, "{failed} of {lost}");
}

/// U9: octets that are damaged on the way, in headers, envelopes and bodies, of clients and of workers: no call takes longer
/// than it may, and once they come as they are again, so do the answers.
#[tokio::test]
async fn damaged_octets_disturb_nobody_for_long() {
    let effects = Effects::default();
    let ([front, back], handle) = queue(QueueOptions::default()).await;
    let (clients, workers) = (Link::to(&front).await, Link::to(&back).await);
    worker(&workers.endpoint(), &effects);
    worker(&back, &effects);
    let load = Load::start(&clients.endpoint());
    for _ in 0..scale() {
        for after in [0, 1, 2, 7, 40] {
            for link in [&clients, &workers] {
                load.progress(20).await;
                link.damage(after);
                load.progress(20).await;
            }
        }
    }
    let answers = load.end().await;
    // Nothing on the way has a checksum: a body may be damaged, once each time.
    let wrong = answers
        .iter()
        .filter(|(request, outcome)| !matches!(outcome, Ok(reply) if reply == request));
    assert!(wrong.count() <= 2 * 10 * scale());
    let load = Load::start(&clients.endpoint());
    load.progress(100).await;
    for (request, outcome) in load.end().await {
        assert_eq!(outcome.unwrap(), request);
    }
    let stats = handle.stats();
    assert_eq!((stats.in_flight, stats.waiting), (0, 0), "{stats:?}");
}
