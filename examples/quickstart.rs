//! What Privateer is for, in one command: calls that are answered although processes die.
//!
//! ```text
//! $ cargo run --release --example quickstart
//! broker    process 4711, listens on tcp://127.0.0.1:40123
//! worker 1  process 4712
//! worker 2  process 4713
//! worker 3  process 4714
//! client    process 4715, makes 1000 calls
//! worker 2  has "332 + 332" in its hands: kill -9
//! broker    has 8 calls in flight: kill -9
//! broker    process 4720, listens on tcp://127.0.0.1:40123
//! calls 1000, succeeded 1000, lost 0, retried 8, slowest 213 ms
//! ```
//!
//! Broker, workers and client are processes of their own: this program, started again. [`broker`], [`worker`] and
//! [`client`] are what one writes to use the framework; all else is here to kill them at the right moment, which is
//! why each worker asks this process before it answers. It ends with 0 only if no call was lost.

use std::process::{ExitCode, Stdio};
use std::sync::Arc;
use std::time::Instant;

use clap::{Parser, Subcommand};
use privateer::core::Endpoint;
use privateer::{Broker, Client, Service, Worker};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

mod common {
    pub(crate) mod listening;
    pub(crate) mod program;
}

use common::listening::listening;
use common::program::{Result, Stop, run};

/// Shows that no call is lost although a worker and the broker are killed.
#[derive(Parser)]
#[command(name = "quickstart", after_help = "Example: quickstart --calls 1000")]
struct Options {
    /// How many calls the client makes
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    calls: u32,
    /// Print the last line as JSON
    #[arg(long)]
    json: bool,
    #[command(subcommand)]
    role: Option<Role>,
}

/// What a process is that this program starts.
#[derive(Subcommand)]
enum Role {
    #[command(hide = true)]
    Broker { endpoint: Endpoint },
    #[command(hide = true)]
    Worker { broker: Endpoint },
    #[command(hide = true)]
    Client { broker: Endpoint, calls: u32 },
}

/// The arguments of `calc.add`.
#[derive(Serialize, Deserialize)]
struct Add {
    a: u64,
    b: u64,
}

/// What the client tells at its end.
#[derive(Serialize, Deserialize)]
struct Report {
    calls: u32,
    succeeded: u32,
    lost: u32,
    retried: u64,
    slowest_ms: u128,
}

/// Calls in flight at a time.
const IN_FLIGHT: usize = 8;

fn main() -> ExitCode {
    run(async |options: Options, stop| match options.role {
        None => direct(options.calls, options.json, stop).await,
        Some(Role::Broker { endpoint }) => broker(endpoint).await,
        Some(Role::Worker { broker }) => worker(broker).await,
        Some(Role::Client { broker, calls }) => client(broker, calls).await,
    })
}

// ANCHOR: broker
async fn broker(endpoint: Endpoint) -> Result {
    end_with_parent();
    let broker = Broker::bind(endpoint).await?;
    listening(&broker.endpoints()[0])?;
    broker.run().await;
    Ok(())
}
// ANCHOR_END: broker

// ANCHOR: worker
async fn worker(broker: Endpoint) -> Result {
    let nods = end_with_parent();
    let calc = Service::new("calc").method("add", move |Add { a, b }: Add| {
        let nods = Arc::clone(&nods);
        async move {
            println!("{a} + {b}");
            nods.acquire().await?.forget();
            Ok::<_, tokio::sync::AcquireError>(a + b)
        }
    });
    Worker::connect(broker, calc)?.run().await?;
    Ok(())
}
// ANCHOR_END: worker

// ANCHOR: client
async fn client(broker: Endpoint, calls: u32) -> Result {
    end_with_parent();
    let client = Client::connect(broker)?;
    let mut report = Report {
        calls,
        succeeded: 0,
        lost: 0,
        retried: 0,
        slowest_ms: 0,
    };
    let mut in_flight = JoinSet::new();
    let mut numbers = 0..u64::from(calls);
    loop {
        while in_flight.len() < IN_FLIGHT
            && let Some(a) = numbers.next()
        {
            let client = client.clone();
            in_flight.spawn(async move {
                let start = Instant::now();
                let sum = client.call("calc.add", &Add { a, b: a }).await;
                (sum.is_ok_and(|sum: u64| sum == a + a), start.elapsed())
            });
        }
        let Some(call) = in_flight.join_next().await else {
            break;
        };
        let (answered, took) = call?;
        report.succeeded += u32::from(answered);
        report.slowest_ms = report.slowest_ms.max(took.as_millis());
    }
    report.lost = report.calls - report.succeeded;
    report.retried = client.stats().resent;
    client.close().await;
    println!("{}", serde_json::to_string(&report)?);
    Ok(())
}
// ANCHOR_END: client

/// Ends this process with the one that started it; each line of that is a permit.
fn end_with_parent() -> Arc<Semaphore> {
    let nods = Arc::new(Semaphore::new(0));
    let told = Arc::clone(&nods);
    std::thread::spawn(move || {
        for _ in std::io::stdin().lines().map_while(std::io::Result::ok) {
            told.add_permits(1);
        }
        std::process::exit(1);
    });
    nods
}

/// Starts all processes, kills a worker after a third of the requests and the broker after two thirds.
async fn direct(calls: u32, json: bool, stop: Stop) -> Result {
    let (mut broker, endpoint) = Process::broker("tcp://127.0.0.1:*").await?;
    let (asks, mut asked) = mpsc::channel(1);
    let mut workers = Vec::new();
    for name in ["worker 1", "worker 2", "worker 3"] {
        let (worker, lines) = Process::start(name, &["worker", &endpoint])?;
        println!("{name}  process {}", worker.id());
        tokio::spawn(forward(lines, workers.len(), asks.clone()));
        workers.push(worker);
    }
    let (client, mut results) =
        Process::start("client", &["client", &endpoint, &calls.to_string()])?;
    println!("client    process {}, makes {calls} calls", client.id());
    let third = calls.div_ceil(3);
    let mut requests = 0;
    let report = loop {
        let (worker, request) = tokio::select! {
            report = results.next_line() => break report?.ok_or("the client ended without a report")?,
            Some(ask) = asked.recv() => ask,
            () = stop.requested() => return Ok(()),
        };
        let worker = &mut workers[worker];
        requests += 1;
        if requests == third {
            worker
                .kill(&format!("has {request:?} in its hands"))
                .await?;
            continue;
        }
        if requests == 2 * third {
            broker
                .kill(&format!("waits for the answer to {request:?}"))
                .await?;
            (broker, _) = Process::broker(&endpoint).await?;
        }
        worker.stdin.write_all(b"\n").await?;
    };
    let report: Report = serde_json::from_str(&report)?;
    let Report {
        calls,
        succeeded,
        lost,
        retried,
        slowest_ms,
    } = report;
    match json {
        true => println!("{}", serde_json::to_string(&report)?),
        false => println!(
            "calls {calls}, succeeded {succeeded}, lost {lost}, retried {retried}, slowest {slowest_ms} ms"
        ),
    }
    match lost {
        0 => Ok(()),
        _ => Err(format!("{lost} calls were lost").into()),
    }
}

/// A process that this program started, and that is killed when this is dropped.
struct Process {
    name: &'static str,
    child: Child,
    stdin: ChildStdin,
}

type Output = Lines<BufReader<ChildStdout>>;
type Started<T> = std::result::Result<T, Box<dyn std::error::Error>>;

impl Process {
    fn start(name: &'static str, arguments: &[&str]) -> Started<(Self, Output)> {
        let mut command = Command::new(std::env::current_exe()?);
        command
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = command.kill_on_drop(true).spawn()?;
        let stdin = child.stdin.take().ok_or("stdin is piped")?;
        let stdout = child.stdout.take().ok_or("stdout is piped")?;
        Ok((Self { name, child, stdin }, BufReader::new(stdout).lines()))
    }

    /// A broker, once it listens, and where.
    async fn broker(endpoint: &str) -> Started<(Self, String)> {
        let (broker, mut lines) = Self::start("broker", &["broker", endpoint])?;
        let line = lines.next_line().await?.unwrap_or_default();
        let endpoint = line
            .strip_prefix("listening on ")
            .ok_or("the broker does not listen")?;
        println!("broker    process {}, listens on {endpoint}", broker.id());
        Ok((broker, endpoint.to_owned()))
    }

    fn id(&self) -> u32 {
        self.child.id().unwrap_or(0)
    }

    /// Kills it, and waits until it is dead.
    async fn kill(&mut self, state: &str) -> std::io::Result<()> {
        println!("{:<9} {state}: kill -9", self.name);
        self.child.kill().await
    }
}

/// Passes on what a worker asks, with the worker's number.
async fn forward(mut asks: Output, worker: usize, to: mpsc::Sender<(usize, String)>) {
    while let Ok(Some(ask)) = asks.next_line().await {
        if to.send((worker, ask)).await.is_err() {
            return;
        }
    }
}
