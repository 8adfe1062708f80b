//! A Lazy Pirate: sends numbers one after the other, and each again if there is no answer.
//!
//! ```text
//! $ cargo run --release --example lpclient -- --endpoint tcp://127.0.0.1:5555 --requests 2
//! replied OK (1)
//! replied OK (2)
//! ```
//!
//! Needs an `lpserver`, `spqueue` or `ppqueue`, ours or the guide's, or several: `--endpoint` may be given more than once.

use std::num::NonZeroU32;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use privateer::core::{Endpoint, Message};
use privateer::lazy_pirate::{LazyPirate, LazyPirateOptions};

mod common {
    pub(crate) mod program;
}

use common::program::{Result, Stop, run};

/// Sends numbers, and each again if there is no answer.
#[derive(Parser)]
#[command(
    name = "lpclient",
    after_help = "Example: lpclient --endpoint tcp://127.0.0.1:5555 --requests 10 --timeout 1000"
)]
struct Options {
    /// A server or queue; may be given several times
    #[arg(long, value_name = "EP", default_value = "tcp://127.0.0.1:5555")]
    endpoint: Vec<Endpoint>,
    /// How many requests to send
    #[arg(long, value_name = "N", default_value_t = 1)]
    requests: u32,
    /// Milliseconds to wait for each reply
    #[arg(long, value_name = "MS", default_value_t = 2500)]
    timeout: u64,
    /// How often each request is tried
    #[arg(long, value_name = "N", default_value = "3")]
    retries: NonZeroU32,
    /// Print what was counted as JSON, and nothing else
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    run(call)
}

async fn call(options: Options, stop: Stop) -> Result {
    let behaviour = LazyPirateOptions::default()
        .timeout(Duration::from_millis(options.timeout))
        .tries(options.retries);
    let client = LazyPirate::with_options(options.endpoint, behaviour)?;
    for number in 1..=options.requests {
        let request = Message::from(number.to_string());
        let outcome = tokio::select! {
            outcome = client.request(request.clone()) => outcome,
            () = stop.requested() => break,
        };
        match outcome {
            Ok(reply) if options.json && reply == request => {}
            Ok(reply) if reply == request => println!("replied OK ({number})"),
            Ok(_) => eprintln!("{number}: the reply is another than what was asked"),
            Err(error) => eprintln!("{number}: {error}"),
        }
    }
    let stats = client.stats();
    client.close().await;
    let (requests, succeeded) = (stats.calls, stats.replies);
    let failed = requests - succeeded;
    let retried = stats.sent.saturating_sub(requests - stats.not_connected);
    if options.json {
        let counted = serde_json::json!({
            "requests": requests, "succeeded": succeeded, "failed": failed, "retried": retried,
        });
        println!("{counted}");
    }
    match failed {
        0 => Ok(()),
        failed => Err(format!("{failed} of {requests} requests were not answered").into()),
    }
}
