//! The queue of the Paranoid Pirate (RFC 6): its workers and it send each other heartbeats.
//!
//! ```text
//! $ cargo run --release --example ppqueue
//! listening on tcp://0.0.0.0:5555
//! listening on tcp://0.0.0.0:5556
//! ```
//!
//! Beside it run `lpclient` and `ppworker`, ours or the guide's; `spworker` works, too. Kill a worker that has a request
//! in hand: another one answers it.

use std::num::NonZeroU32;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use privateer::paranoid_pirate::QueueOptions;

mod common {
    pub(crate) mod listening;
    pub(crate) mod program;
    pub(crate) mod queue;
}

use common::program::run;
use common::queue::{Sides, serve};

/// Gives requests to workers that show that they live.
#[derive(Parser)]
#[command(
    name = "ppqueue",
    after_help = "Example: ppqueue --frontend tcp://*:5555 --backend tcp://*:5556 --heartbeat 500"
)]
struct Options {
    #[command(flatten)]
    sides: Sides,
    /// Milliseconds between heartbeats
    #[arg(long, value_name = "MS", default_value_t = 1000)]
    heartbeat: u64,
    /// Silent heartbeats after which a worker is presumed dead
    #[arg(long, value_name = "N", default_value = "3")]
    liveness: NonZeroU32,
}

fn main() -> ExitCode {
    run(async |options: Options, stop| {
        let behaviour = QueueOptions::default()
            .heartbeat_interval(Duration::from_millis(options.heartbeat))
            .liveness(options.liveness);
        serve(options.sides, behaviour, stop).await
    })
}
