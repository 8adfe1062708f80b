//! Asks a Majordomo broker about itself (RFC 8).
//!
//! ```text
//! $ cargo run --release --example mmi -- service echo
//! mmi.service echo: 200
//! ```
//!
//! 200 is yes and 404 is no. It ends with 0 if the answer is 200, else with 1. Needs an `mdbroker`.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use privateer::Client;
use privateer::core::Endpoint;
use serde_json::json;

mod common {
    pub(crate) mod program;
    pub(crate) mod text;
}

use common::program::{Result, Stop, run};
use common::text::text;

/// Asks a broker about itself.
#[derive(Parser)]
#[command(
    name = "mmi",
    after_help = "Example: mmi --broker tcp://127.0.0.1:5555 service echo"
)]
struct Options {
    /// The broker
    #[arg(
        long,
        global = true,
        value_name = "EP",
        default_value = "tcp://127.0.0.1:5555"
    )]
    broker: Endpoint,
    /// Print the answer as JSON
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    question: Question,
}

#[derive(Subcommand)]
enum Question {
    /// Whether a worker offers the service
    Service {
        /// The service
        name: String,
    },
    /// Which services there are
    Services,
    /// Which workers there are
    Workers,
    /// What the broker counted
    Stats,
    /// Which requests wait
    Queue,
    /// Tells the broker to end once all is answered
    Drain,
}

fn main() -> ExitCode {
    run(ask)
}

async fn ask(options: Options, stop: Stop) -> Result {
    let (question, about) = match &options.question {
        Question::Service { name } => ("mmi.service", &**name),
        Question::Services => ("mmi.services", ""),
        Question::Workers => ("mmi.workers", ""),
        Question::Stats => ("mmi.stats", ""),
        Question::Queue => ("mmi.queue", ""),
        Question::Drain => ("mmi.drain", ""),
    };
    let client = Client::connect(options.broker)?;
    let reply = tokio::select! {
        reply = client.request(question, about) => reply?,
        () = stop.requested() => return Ok(()),
    };
    client.close().await;
    let status = text(&reply);
    let line = json!({ "question": question, "about": about, "status": status });
    match options.json {
        true => println!("{line}"),
        false => println!("{}: {status}", [question, about].join(" ").trim_end()),
    }
    match &*status {
        "200" => Ok(()),
        "404" => Err(format!("no worker offers {about:?}; start one that does").into()),
        "501" => Err(format!("this broker does not know {question}").into()),
        _ => Err(format!("the broker answered {status}").into()),
    }
}
