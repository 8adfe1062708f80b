//! A weather client: a SUB socket that collects reports of one place, and tells their average temperature.
//!
//! ```text
//! $ cargo run --release --example wuclient
//! Collecting updates from weather server...
//! Average temperature for zipcode '10001' was 27F
//! ```
//!
//! Beside it runs `wuserver`.

use std::process::ExitCode;

use clap::Parser;
use privateer::core::{Endpoint, SubSocket};

mod common {
    pub(crate) mod program;
    pub(crate) mod text;
}

use common::program::{Result, Stop, run};
use common::text::text;

/// Tells the average temperature of one place.
#[derive(Parser)]
#[command(
    name = "wuclient",
    after_help = "Example: wuclient --zipcode 10001 --count 10"
)]
struct Options {
    /// Where the weather comes from
    #[arg(long, value_name = "EP", default_value = "tcp://127.0.0.1:5556")]
    endpoint: Endpoint,
    /// The place
    #[arg(long, value_name = "Z", default_value = "10001")]
    zipcode: String,
    /// How many reports to collect
    #[arg(long, value_name = "N", default_value = "100", value_parser = clap::value_parser!(i64).range(1..))]
    count: i64,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    run(collect)
}

async fn collect(options: Options, stop: Stop) -> Result {
    let subscriber = SubSocket::new()?;
    subscriber.connect(options.endpoint)?;
    // With the space, or the reports of 100010 were among them.
    let zipcode = options.zipcode;
    subscriber.subscribe(format!("{zipcode} "))?;
    if !options.json {
        println!("Collecting updates from weather server...");
    }
    let mut total = 0;
    for _ in 0..options.count {
        let report = tokio::select! {
            report = subscriber.recv() => text(&report?),
            () = stop.requested() => return Err("stopped before all reports were here".into()),
        };
        let temperature = report.split(' ').nth(1).and_then(|text| text.parse().ok());
        total += temperature.unwrap_or_else(|| {
            eprintln!("a report has no temperature: {report}");
            0_i64
        });
    }
    let average = total / options.count;
    match options.json {
        true => println!(
            "{}",
            serde_json::json!({ "zipcode": zipcode, "reports": options.count, "average": average })
        ),
        false => println!("Average temperature for zipcode '{zipcode}' was {average}F"),
    }
    let _nothing_to_send = subscriber.close().await;
    Ok(())
}
