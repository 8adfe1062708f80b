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
    name = "spqueue",
    after_help = "Example: spqueue --frontend tcp://*:5555 --backend tcp://*:5556"
)]
struct Options {
    #[command(flatten)]
    sides: Sides,
}

fn main() -> ExitCode {
    run(async |options: Options, stop| serve(options.sides, QueueOptions::default(), stop).await)
}
