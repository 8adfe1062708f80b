//! A load-balancing broker: each request goes to the worker that has waited longest.
//!
//! ```text
//! $ cargo run --release --example lbbroker
//! listening on tcp://0.0.0.0:5555
//! listening on tcp://0.0.0.0:5556
//! ```
//!
//! Clients and workers are REQ sockets. A worker sends READY, then answers each request with its client's address, an empty
//! frame and the reply. It is the queue of the Pirate patterns, as `spqueue` is: what a dying worker has in hand goes to
//! another one.

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
    name = "lbbroker",
    after_help = "Example: lbbroker --frontend tcp://*:5555 --backend tcp://*:5556"
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
