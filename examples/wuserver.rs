//! A weather station: a PUB socket that publishes the weather of random places, as fast as it can.
//!
//! ```text
//! $ cargo run --release --example wuserver
//! listening on tcp://0.0.0.0:5556
//! ```
//!
//! Beside it runs `wuclient`; Ctrl-C ends it.

use std::process::ExitCode;

use clap::Parser;
use privateer::core::{Endpoint, Linger, PubSocket};

mod common {
    pub(crate) mod listening;
    pub(crate) mod program;
}

use common::listening::listening;
use common::program::{Result, Stop, run};

/// Publishes the weather: ZIPCODE TEMPERATURE HUMIDITY.
#[derive(Parser)]
#[command(
    name = "wuserver",
    after_help = "Example: wuserver --endpoint tcp://*:5556"
)]
struct Options {
    /// Where to listen
    #[arg(long, value_name = "EP", default_value = "tcp://*:5556")]
    endpoint: Endpoint,
}

fn main() -> ExitCode {
    run(publish)
}

async fn publish(options: Options, stop: Stop) -> Result {
    let publisher = PubSocket::new()?;
    listening(&publisher.bind(options.endpoint).await?)?;
    let weather = async {
        // It gives way to the connections from time to time.
        loop {
            let zipcode = fastrand::u32(..100_000);
            let temperature = fastrand::i32(-80..135);
            let humidity = fastrand::u32(10..60);
            let report = format!("{zipcode:05} {temperature} {humidity}");
            if let Err(error) = publisher.send(report).await {
                return error;
            }
        }
    };
    tokio::select! {
        error = weather => return Err(error.into()),
        () = stop.requested() => {}
    }
    // News that is not out yet is old.
    let _unsent = publisher.close_with(Linger::Discard).await;
    Ok(())
}
