//! The sink of a pipeline: counts results, and tells how long all took.
//!
//! ```text
//! $ cargo run --release --example tasksink
//! listening on tcp://0.0.0.0:5558
//! :.........:.........:.........
//! Total elapsed time: 1681 msec
//! ```
//!
//! Beside it run `taskvent` and `taskwork`.

use std::io::{Write as _, stdout};
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use privateer::core::{Endpoint, PullSocket};

mod common {
    pub(crate) mod listening;
    pub(crate) mod program;
}

use common::listening::listening;
use common::program::{Result, Stop, run};

/// Collects the results of one batch of tasks.
#[derive(Parser)]
#[command(name = "tasksink", after_help = "Example: tasksink --tasks 1000")]
struct Options {
    /// Where results arrive
    #[arg(long, value_name = "EP", default_value = "tcp://*:5558")]
    sink: Endpoint,
    /// How many results to wait for
    #[arg(long, value_name = "N", default_value_t = 100)]
    tasks: u64,
    /// Print the time as JSON, and no dots
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    run(collect)
}

async fn collect(options: Options, stop: Stop) -> Result {
    let sink = PullSocket::new()?;
    listening(&sink.bind(options.sink).await?)?;
    let results = async {
        sink.recv().await?;
        let begun = Instant::now();
        for task in 0..options.tasks {
            sink.recv().await?;
            if !options.json {
                print!("{}", if task % 10 == 0 { ":" } else { "." });
                stdout().flush()?;
            }
        }
        Ok::<_, Box<dyn std::error::Error>>(begun.elapsed().as_millis())
    };
    let elapsed = tokio::select! {
        elapsed = results => elapsed?,
        () = stop.requested() => return Err("stopped before all results were here".into()),
    };
    match options.json {
        true => println!(
            "{}",
            serde_json::json!({ "tasks": options.tasks, "elapsed_ms": elapsed })
        ),
        false => println!("\nTotal elapsed time: {elapsed} msec"),
    }
    let _nothing_to_send = sink.close().await;
    Ok(())
}
