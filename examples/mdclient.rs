//! A Majordomo client (RFC 7): makes calls, several at a time, and tells how long they took.
//!
//! ```text
//! $ cargo run --release --example mdclient -- --requests 100000 --in-flight 256
//! 100000 requests, 100000 succeeded, 0 failed, 0 retried
//! 198212.4 requests/s; p50 1203 µs, p99 2210 µs, max 9120 µs
//! ```
//!
//! Needs an `mdbroker`, and an `mdworker` of the service. Ctrl-C makes no more calls and waits for those in flight.

use std::fmt;
use std::num::NonZeroU32;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use clap::Parser;
use indicatif::ProgressBar;
use privateer::core::{Endpoint, Frame, Message};
use privateer::majordomo::ServiceName;
use privateer::majordomo::client::CallOptions;
use privateer::{CallError, Client};
use serde::Serialize;
use tokio::task::JoinSet;

mod common {
    pub(crate) mod program;
    pub(crate) mod text;
}

use common::program::{Result, Stop, run};
use common::text::text;

/// Makes calls and tells how long they took.
#[derive(Parser)]
#[command(
    name = "mdclient",
    after_help = "Example: mdclient --service echo --requests 100000 --in-flight 256 --json"
)]
struct Options {
    /// The broker
    #[arg(long, value_name = "EP", default_value = "tcp://127.0.0.1:5555")]
    broker: Endpoint,
    /// The service to call
    #[arg(long, value_name = "NAME", default_value = "echo")]
    service: String,
    /// How many calls to make
    #[arg(long, value_name = "N", default_value_t = 1)]
    requests: u64,
    /// How many calls are in flight at a time, at most
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    in_flight: u32,
    /// Milliseconds to wait for a reply before the next try
    #[arg(long, value_name = "MS", default_value_t = 2500)]
    timeout: u64,
    /// How often each call is tried, the first time counted
    #[arg(long, value_name = "N", default_value = "3")]
    retries: NonZeroU32,
    /// What to send
    #[arg(long, value_name = "TEXT", default_value = "Hello world")]
    body: String,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
}

/// What came of the calls.
#[derive(Serialize)]
struct Report {
    requests: usize,
    succeeded: usize,
    failed: usize,
    retried: u64,
    rate: f64,
    p50_us: u32,
    p99_us: u32,
    max_us: u32,
}

/// What all callers share.
struct Calls {
    client: Client,
    service: Frame,
    body: Frame,
    requests: u64,
    taken: AtomicU64,
    progress: ProgressBar,
}

fn main() -> ExitCode {
    run(call_all)
}

async fn call_all(options: Options, stop: Stop) -> Result {
    ServiceName::new(&*options.service)?;
    let tries = CallOptions::default()
        .attempts(options.retries)
        .attempt_timeout(Some(Duration::from_millis(options.timeout)));
    let client = Client::connect(options.broker)?.call_options(tries);
    let calls = Arc::new(Calls {
        client: client.clone(),
        service: Frame::from(options.service),
        body: Frame::from(options.body),
        requests: options.requests,
        taken: AtomicU64::new(0),
        progress: ProgressBar::new(options.requests),
    });
    let start = Instant::now();
    let mut callers = JoinSet::new();
    for _ in 0..options.in_flight {
        callers.spawn(Arc::clone(&calls).call());
    }
    let on_stop = Arc::clone(&calls);
    tokio::spawn(async move {
        stop.requested().await;
        on_stop.taken.fetch_add(on_stop.requests, Ordering::Relaxed);
    });
    let (mut latencies, mut failed, mut error) = (Vec::new(), 0, None);
    while let Some(caller) = callers.join_next().await {
        let caller = caller?;
        latencies.extend(caller.latencies);
        failed += caller.failed;
        error = error.or(caller.error);
        if let (1, Some(reply)) = (options.requests, caller.reply) {
            println!("{}", text(&reply));
        }
    }
    calls.progress.finish_and_clear();
    let report = Report::new(latencies, failed, client.stats().resent, start.elapsed());
    client.close().await;
    match options.json {
        true => println!("{}", serde_json::to_string(&report)?),
        false => println!("{report}"),
    }
    error.map_or(Ok(()), |error| Err(error.into()))
}

/// What one caller saw.
#[derive(Default)]
struct Caller {
    /// In microseconds.
    latencies: Vec<u32>,
    failed: usize,
    reply: Option<Message>,
    error: Option<CallError>,
}

impl Calls {
    /// Makes one call after the other until none is left.
    async fn call(self: Arc<Self>) -> Caller {
        let mut caller = Caller::default();
        while self.taken.fetch_add(1, Ordering::Relaxed) < self.requests {
            let start = Instant::now();
            match self
                .client
                .request(self.service.clone(), self.body.clone())
                .await
            {
                Ok(reply) => {
                    caller
                        .latencies
                        .push(start.elapsed().as_micros().try_into().unwrap_or(u32::MAX));
                    caller.reply = Some(reply);
                }
                Err(error) => {
                    caller.failed += 1;
                    caller.error = Some(error);
                }
            }
            self.progress.inc(1);
        }
        caller
    }
}

impl Report {
    fn new(mut latencies: Vec<u32>, failed: usize, retried: u64, took: Duration) -> Self {
        latencies.sort_unstable();
        let succeeded = latencies.len();
        let percentile = |percent: usize| {
            let index = (succeeded * percent / 100).min(succeeded.saturating_sub(1));
            latencies.get(index).copied().unwrap_or(0)
        };
        Self {
            requests: succeeded + failed,
            succeeded,
            failed,
            retried,
            rate: (succeeded as f64 / took.as_secs_f64() * 10.0).round() / 10.0,
            p50_us: percentile(50),
            p99_us: percentile(99),
            max_us: percentile(100),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            requests,
            succeeded,
            failed,
            retried,
            ..
        } = self;
        writeln!(
            f,
            "{requests} requests, {succeeded} succeeded, {failed} failed, {retried} retried"
        )?;
        let Self {
            rate,
            p50_us,
            p99_us,
            max_us,
            ..
        } = self;
        write!(
            f,
            "{rate} requests/s; p50 {p50_us} µs, p99 {p99_us} µs, max {max_us} µs"
        )
    }
}
