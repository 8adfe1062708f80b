//! A Majordomo worker (RFC 7) that answers each request with what was asked.
//!
//! ```text
//! $ cargo run --release --example mdworker -- --broker tcp://127.0.0.1:5555 --service echo
//! ```
//!
//! Needs an `mdbroker`; it may come and go. Ctrl-C finishes what is in hand, says goodbye to the broker, and prints what
//! was counted.

use std::num::NonZeroU16;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use privateer::core::Endpoint;
use privateer::{Service, Worker};

mod common {
    pub(crate) mod program;
}

use common::program::{Result, Stop, run};

/// Answers each request with what was asked.
#[derive(Parser)]
#[command(
    name = "mdworker",
    after_help = "Example: mdworker --broker tcp://127.0.0.1:5555 --service echo --delay 100"
)]
struct Options {
    /// The broker
    #[arg(long, value_name = "EP", default_value = "tcp://127.0.0.1:5555")]
    broker: Endpoint,
    /// The service to offer
    #[arg(long, value_name = "NAME", default_value = "echo")]
    service: String,
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
    run(work)
}

async fn work(options: Options, stop: Stop) -> Result {
    let delay = Duration::from_millis(options.delay);
    let echo = Service::frames(options.service, move |request| async move {
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        request
    });
    let worker = Worker::connect(options.broker, echo)?.capacity(options.capacity);
    let handle = worker.handle();
    tokio::spawn(async move {
        stop.requested().await;
        handle.stop();
    });
    let stats = worker.run().await?;
    let (requests, replies) = (stats.requests, stats.replies);
    match options.json {
        true => println!(
            "{}",
            serde_json::json!({ "requests": requests, "replies": replies })
        ),
        false => println!("{requests} requests, {replies} replies"),
    }
    Ok(())
}
