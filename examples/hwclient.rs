//! Hello, world: a REQ socket that asks "Hello" ten times.
//!
//! ```text
//! $ cargo run --release --example hwclient
//! Received World 0
//! Received World 1
//! ```
//!
//! and so on up to 9. Needs an `hwserver`, for which it waits; Ctrl-C ends it.

use std::process::ExitCode;

use clap::Parser;
use privateer::core::{Endpoint, ReqSocket};

mod common {
    pub(crate) mod program;
    pub(crate) mod text;
}

use common::program::{Result, Stop, run};
use common::text::text;

/// Asks "Hello" ten times.
#[derive(Parser)]
#[command(
    name = "hwclient",
    after_help = "Example: hwclient --endpoint tcp://127.0.0.1:5555"
)]
struct Options {
    /// Where the server is
    #[arg(long, value_name = "EP", default_value = "tcp://127.0.0.1:5555")]
    endpoint: Endpoint,
    /// Print replies as JSON
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    run(ask)
}

async fn ask(options: Options, stop: Stop) -> Result {
    let req = ReqSocket::new()?;
    req.connect(options.endpoint)?;
    for number in 0..10 {
        let reply = tokio::select! {
            reply = req.request("Hello") => text(&reply?),
            () = stop.requested() => break,
        };
        match options.json {
            true => println!(
                "{}",
                serde_json::json!({ "request": number, "received": reply })
            ),
            false => println!("Received {reply} {number}"),
        }
    }
    // Every reply is here, so nothing is left to send.
    let _report = req.close().await;
    Ok(())
}
