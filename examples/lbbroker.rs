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
use privateer::paranoid_pirate::QueueOptions;

mod common {
    pub(crate) mod listening;
    pub(crate) mod program;
    pub(crate) mod queue;
}

use common::program::run;
use common::queue::{Sides, serve};

/// Gives requests to the workers that are ready.
#[derive(Parser)]
#[command(
    name = "lbbroker",
    after_help = "Example: lbbroker --frontend tcp://*:5555 --backend tcp://*:5556"
)]
struct Options {
    #[command(flatten)]
    sides: Sides,
}

fn main() -> ExitCode {
    run(async |options: Options, stop| serve(options.sides, QueueOptions::default(), stop).await)
}
