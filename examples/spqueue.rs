//! The queue of the Simple Pirate: Lazy Pirate clients before it, REQ workers behind it.
//!
//! ```text
//! $ cargo run --release --example spqueue
//! listening on tcp://0.0.0.0:5555
//! listening on tcp://0.0.0.0:5556
//! ```
//!
//! Beside it run `lpclient` and `spworker`, ours or the guide's. Workers of the Paranoid Pirate may join them: it is the
//! same queue as `ppqueue`, with default options.

use std::process::ExitCode;

use clap::Parser;
use privateer::core::Endpoint;
use privateer::paranoid_pirate::QueueOptions;

mod common {
    pub(crate) mod listening;
    pub(crate) mod program;
    pub(crate) mod queue;
}

use common::program::run;
use common::queue::serve;

/// Gives requests to the workers that are ready.
#[derive(Parser)]
#[command(
    name = "spqueue",
    after_help = "Example: spqueue --frontend tcp://*:5555 --backend tcp://*:5556"
)]
struct Options {
    /// Where clients connect
    #[arg(long, value_name = "EP", default_value = "tcp://*:5555")]
    frontend: Endpoint,
    /// Where workers connect
    #[arg(long, value_name = "EP", default_value = "tcp://*:5556")]
    backend: Endpoint,
    /// Print what was counted as JSON
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    run(async |options: Options, stop| {
        let endpoints = [options.frontend, options.backend];
        serve(endpoints, QueueOptions::default(), options.json, stop).await
    })
}
