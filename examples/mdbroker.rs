//! A Majordomo broker (RFC 7, RFC 8): gives the requests of clients to workers of the service they name.
//!
//! ```text
//! $ cargo run --release --example mdbroker -- --bind tcp://127.0.0.1:5555
//! listening on tcp://127.0.0.1:5555
//! ```
//!
//! Beside it run `mdworker` and `mdclient`. Ctrl-C lets what is in flight be answered, and prints what was counted.

use std::num::NonZeroU32;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use privateer::Broker;
use privateer::core::Endpoint;
use privateer::majordomo::broker::BrokerOptions;

mod common {
    pub(crate) mod listening;
    pub(crate) mod program;
}

use common::listening::listening;
use common::program::{Result, Stop, run};

/// Gives the requests of clients to workers.
#[derive(Parser)]
#[command(
    name = "mdbroker",
    after_help = "Example: mdbroker --bind tcp://*:5555 --bind ipc:///tmp/broker.sock"
)]
struct Options {
    /// Where to listen; may be repeated
    #[arg(long, value_name = "EP", default_value = "tcp://*:5555")]
    bind: Vec<Endpoint>,
    /// Milliseconds between two heartbeats
    #[arg(long, value_name = "MS", default_value_t = 2500, value_parser = clap::value_parser!(u64).range(1..))]
    heartbeat: u64,
    /// Silent heartbeats after which a worker is presumed dead
    #[arg(long, value_name = "N", default_value = "3")]
    liveness: NonZeroU32,
    /// Print what was counted as JSON
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    run(serve)
}

async fn serve(options: Options, stop: Stop) -> Result {
    let mut broker = Broker::with_options(
        BrokerOptions::default()
            .heartbeat_interval(Duration::from_millis(options.heartbeat))
            .liveness(options.liveness),
    )?;
    for endpoint in options.bind {
        listening(&broker.listen(endpoint).await?)?;
    }
    let handle = broker.handle();
    let (stats, ()) = tokio::join!(broker.run(), async {
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
