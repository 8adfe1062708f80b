//! A worker of the Simple Pirate that answers each request with what was asked.
//!
//! ```text
//! $ cargo run --release --example spworker -- --backend tcp://127.0.0.1:5556
//! ```
//!
//! Needs an `spqueue`, `ppqueue` or `lbbroker`, ours or the guide's. Unlike the guide's it notices when the queue is gone,
//! and comes back. Ctrl-C finishes what is in hand and prints what was counted.

use std::process::ExitCode;

use clap::Parser;
use privateer::core::Endpoint;

mod common {
    pub(crate) mod pirate;
    pub(crate) mod program;
}

use common::pirate::{echo, work};
use common::program::run;

/// Answers each request with what was asked.
#[derive(Parser)]
#[command(
    name = "spworker",
    after_help = "Example: spworker --backend tcp://127.0.0.1:5556"
)]
struct Options {
    /// The queue
    #[arg(long, value_name = "EP", default_value = "tcp://127.0.0.1:5556")]
    backend: Endpoint,
    /// Print what was counted as JSON
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    run(async |options: Options, stop| {
        let worker = echo(options.backend, 0)?.simple();
        work(worker, options.json, stop).await
    })
}
