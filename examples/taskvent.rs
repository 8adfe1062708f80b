//! The ventilator of a pipeline: gives tasks to workers.
//!
//! ```text
//! $ cargo run --release --example taskvent
//! listening on tcp://0.0.0.0:5557
//! Total expected cost: 5021 msec
//! ```
//!
//! Beside it run `taskwork`, as often as you like, and `tasksink`. It begins when enough workers are there.

use std::process::ExitCode;

use clap::Parser;
use privateer::core::{Endpoint, Linger, PushSocket};

mod common {
    pub(crate) mod listening;
    pub(crate) mod program;
}

use common::listening::listening;
use common::program::{Result, Stop, run};

/// Gives tasks of 1 to 100 milliseconds to workers.
#[derive(Parser)]
#[command(name = "taskvent", after_help = "Example: taskvent --tasks 1000")]
struct Options {
    /// Where workers get their tasks
    #[arg(long, value_name = "EP", default_value = "tcp://*:5557")]
    vent: Endpoint,
    /// Where the sink is, which is told that the work begins
    #[arg(long, value_name = "EP", default_value = "tcp://127.0.0.1:5558")]
    sink: Endpoint,
    /// How many tasks
    #[arg(long, value_name = "N", default_value_t = 100)]
    tasks: u64,
    /// Begin when so many workers are there
    #[arg(long, value_name = "N", default_value_t = 1)]
    workers: usize,
    /// Print the cost as JSON
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    run(ventilate)
}

async fn ventilate(options: Options, stop: Stop) -> Result {
    let (vent, sink) = (PushSocket::new()?, PushSocket::new()?);
    let mut monitor = vent.monitor();
    listening(&vent.bind(options.vent).await?)?;
    sink.connect(options.sink)?;
    let work = async {
        while vent.peers().len() < options.workers {
            // Whatever it tells, it may be a worker that came.
            let _event = monitor.next().await;
        }
        sink.send("0").await?;
        let mut cost = 0;
        for _ in 0..options.tasks {
            let task = fastrand::u64(1..=100);
            vent.send(task.to_string()).await?;
            cost += task;
        }
        Ok::<_, privateer::core::SendError>(cost)
    };
    tokio::select! {
        cost = work => match (cost?, options.json) {
            (cost, true) => println!("{}", serde_json::json!({ "tasks": options.tasks, "cost_ms": cost })),
            (cost, false) => println!("Total expected cost: {cost} msec"),
        },
        () = stop.requested() => {}
    }
    // The workers take as long as the tasks do.
    let closing = vent.close_with(Linger::Forever);
    let unsent = tokio::select! {
        report = closing => report.unsent + sink.close().await.unsent,
        () = stop.requested() => return Err("stopped before all tasks were taken".into()),
    };
    match unsent {
        0 => Ok(()),
        unsent => Err(format!("{unsent} messages were not sent; do worker and sink run?").into()),
    }
}
