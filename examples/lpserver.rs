//! The server of the Lazy Pirate: answers each request with what was asked, unless it is told to fail.
//!
//! ```text
//! $ cargo run --release --example lpserver -- --crash-after 3
//! listening on tcp://0.0.0.0:5555
//! ```
//!
//! Beside it runs `lpclient`, ours or the guide's. `--crash-after 3` ends the program with the fourth request in hand,
//! `--stall 2000` makes each request take two seconds.

use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use clap::Parser;
use privateer::core::{Endpoint, Message};
use privateer::lazy_pirate::LazyPirateServer;

mod common {
    pub(crate) mod listening;
    pub(crate) mod program;
}

use common::listening::listening;
use common::program::{Result, Stop, run};

/// Answers each request with what was asked.
#[derive(Parser)]
#[command(
    name = "lpserver",
    after_help = "Example: lpserver --endpoint tcp://*:5555 --crash-after 3"
)]
struct Options {
    /// Where clients connect
    #[arg(long, value_name = "EP", default_value = "tcp://*:5555")]
    endpoint: Endpoint,
    /// Crash with the request after so many in hand
    #[arg(long, value_name = "N")]
    crash_after: Option<u64>,
    /// Milliseconds that each request takes
    #[arg(long, value_name = "MS", default_value_t = 0)]
    stall: u64,
    /// Print what was counted as JSON
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    run(serve)
}

async fn serve(options: Options, stop: Stop) -> Result {
    let (stall, asked) = (Duration::from_millis(options.stall), AtomicU64::new(0));
    let server = LazyPirateServer::bind(options.endpoint, move |request: Message| {
        let before = asked.fetch_add(1, Ordering::Relaxed);
        if options.crash_after.is_some_and(|after| before >= after) {
            eprintln!("simulating a crash");
            std::process::exit(1);
        }
        async move {
            if !stall.is_zero() {
                tokio::time::sleep(stall).await;
            }
            request
        }
    })
    .await?;
    listening(server.endpoint())?;
    let handle = server.handle();
    let (stats, ()) = tokio::join!(server.run(), async {
        stop.requested().await;
        handle.stop();
    });
    let (requests, replies) = (stats.requests, stats.replies);
    match options.json {
        true => println!(
            "{}",
            serde_json::json!({ "requests": requests, "replies": replies })
        ),
        false => println!("{requests} requests, {replies} replies"),
    }
    Ok(())
}
