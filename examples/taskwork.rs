//! A worker of a pipeline: takes tasks, does them, and tells the sink.
//!
//! ```text
//! $ cargo run --release --example taskwork
//! ....
//! ```
//!
//! Beside it run `taskvent` and `tasksink`; Ctrl-C ends it after the task that it has in hand.

use std::io::{Write as _, stdout};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use privateer::core::{Endpoint, Message, PullSocket, PushSocket};

mod common {
    pub(crate) mod program;
    pub(crate) mod text;
}

use common::program::{Result, Stop, run};
use common::text::text;

/// Sleeps for as many milliseconds as each task says.
#[derive(Parser)]
#[command(
    name = "taskwork",
    after_help = "Example: taskwork --vent tcp://127.0.0.1:5557"
)]
struct Options {
    /// Where tasks come from
    #[arg(long, value_name = "EP", default_value = "tcp://127.0.0.1:5557")]
    vent: Endpoint,
    /// Where results go
    #[arg(long, value_name = "EP", default_value = "tcp://127.0.0.1:5558")]
    sink: Endpoint,
    /// Print tasks as JSON
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    run(work)
}

async fn work(options: Options, stop: Stop) -> Result {
    let (vent, sink) = (PullSocket::new()?, PushSocket::new()?);
    vent.connect(options.vent)?;
    sink.connect(options.sink)?;
    loop {
        let task = tokio::select! {
            task = vent.recv() => task?,
            () = stop.requested() => break,
        };
        tokio::time::sleep(duration(&task)).await;
        match options.json {
            true => println!("{}", serde_json::json!({ "task": text(&task) })),
            false => print!("."),
        }
        stdout().flush()?;
        sink.send("").await?;
    }
    match sink.close().await.unsent {
        0 => Ok(()),
        unsent => Err(format!("{unsent} results were not sent; does the sink run?").into()),
    }
}

/// How long a task takes; one that is no number takes no time, so that the sink still learns of it.
fn duration(task: &Message) -> Duration {
    let parsed = text(task).parse().map(Duration::from_millis);
    parsed.unwrap_or_else(|_| {
        eprintln!("a task is no number of milliseconds: {}", text(task));
        Duration::ZERO
    })
}
