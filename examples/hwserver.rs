//! Hello, world: a REP socket that answers "World" to whatever is asked.
//!
//! ```text
//! $ cargo run --release --example hwserver
//! listening on tcp://0.0.0.0:5555
//! Received Hello
//! ```
//!
//! Beside it runs `hwclient`; Ctrl-C ends it.

use std::process::ExitCode;

use clap::Parser;
use privateer::core::{Endpoint, RepSocket};

mod common {
    pub(crate) mod listening;
    pub(crate) mod program;
    pub(crate) mod text;
}

use common::listening::listening;
use common::program::{Result, Stop, run};
use common::text::text;

/// Answers "World" to whatever is asked.
#[derive(Parser)]
#[command(
    name = "hwserver",
    after_help = "Example: hwserver --endpoint tcp://*:5555"
)]
struct Options {
    /// Where to listen
    #[arg(long, value_name = "EP", default_value = "tcp://*:5555")]
    endpoint: Endpoint,
    /// Print requests as JSON
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    run(serve)
}

async fn serve(options: Options, stop: Stop) -> Result {
    let rep = RepSocket::new()?;
    listening(&rep.bind(options.endpoint).await?)?;
    loop {
        let request = tokio::select! {
            request = rep.recv() => text(&request?),
            () = stop.requested() => break,
        };
        match options.json {
            true => println!("{}", serde_json::json!({ "received": request })),
            false => println!("Received {request}"),
        }
        rep.send("World").await?;
    }
    match rep.close().await.unsent {
        0 => Ok(()),
        unsent => Err(format!("{unsent} replies were not sent").into()),
    }
}
