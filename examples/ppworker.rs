//! A worker of the Paranoid Pirate (RFC 6) that answers each request with what was asked.
//!
//! ```text
//! $ cargo run --release --example ppworker -- --backend tcp://127.0.0.1:5556 --delay 100
//! ```
//!
//! Needs a `ppqueue`, ours or the guide's; it may come and go. Ctrl-C finishes what is in hand and prints what was counted.

use std::num::{NonZeroU16, NonZeroU32};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use privateer::core::Endpoint;
use privateer::majordomo::worker::WorkerOptions;

mod common {
    pub(crate) mod pirate;
    pub(crate) mod program;
}

use common::pirate::{echo, work};
use common::program::run;

/// Answers each request with what was asked, and sends heartbeats.
#[derive(Parser)]
#[command(
    name = "ppworker",
    after_help = "Example: ppworker --backend tcp://127.0.0.1:5556 --delay 100"
)]
struct Options {
    /// The queue
    #[arg(long, value_name = "EP", default_value = "tcp://127.0.0.1:5556")]
    backend: Endpoint,
    /// Milliseconds between heartbeats
    #[arg(long, value_name = "MS", default_value_t = 1000)]
    heartbeat: u64,
    /// Silent heartbeats after which the queue is presumed dead
    #[arg(long, value_name = "N", default_value = "3")]
    liveness: NonZeroU32,
    /// Milliseconds that each request takes
    #[arg(long, value_name = "MS", default_value_t = 0)]
    delay: u64,
    /// Requests that are worked on at a time
    #[arg(long, value_name = "N", default_value = "1")]
    capacity: NonZeroU16,
    /// Print what was counted as JSON
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    run(async |options: Options, stop| {
        let behaviour = WorkerOptions::default()
            .heartbeat_interval(Duration::from_millis(options.heartbeat))
            .liveness(options.liveness)
            .capacity(options.capacity);
        let worker = echo(options.backend, options.delay)?.options(behaviour);
        work(worker, options.json, stop).await
    })
}
