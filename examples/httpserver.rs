//! A web server of one page: a STREAM socket, whose peers speak no ZeroMQ.
//!
//! ```text
//! $ cargo run --release --example httpserver
//! listening on tcp://0.0.0.0:8080
//! GET / HTTP/1.1
//! ```
//!
//! A browser, or `curl http://127.0.0.1:8080/`, gets the page; Ctrl-C ends it.

use std::collections::HashMap;
use std::process::ExitCode;

use clap::Parser;
use privateer::core::{Endpoint, PeerEvent, StreamSocket};

mod common {
    pub(crate) mod listening;
    pub(crate) mod program;
}

use common::listening::listening;
use common::program::{Result, Stop, run};

/// Answers each request with the same page.
#[derive(Parser)]
#[command(
    name = "httpserver",
    after_help = "Example: httpserver --endpoint tcp://127.0.0.1:8080"
)]
struct Options {
    /// Where to listen
    #[arg(long, value_name = "EP", default_value = "tcp://*:8080")]
    endpoint: Endpoint,
    /// Print requests as JSON
    #[arg(long)]
    json: bool,
}

/// A request of more bytes than this is not read to its end.
const REQUEST_MAX: usize = 64 * 1024;
const PAGE: &str = "Hello, World!\n";

fn main() -> ExitCode {
    run(serve)
}

async fn serve(options: Options, stop: Stop) -> Result {
    let stream = StreamSocket::new()?;
    listening(&stream.bind(options.endpoint).await?)?;
    let mut requests = HashMap::new();
    loop {
        let event = tokio::select! {
            event = stream.recv_event() => event?,
            () = stop.requested() => break,
        };
        let (peer, octets) = match event {
            PeerEvent::Message(peer, octets) => (peer, octets),
            PeerEvent::Down(peer) => {
                requests.remove(&peer.id());
                continue;
            }
            _ => continue,
        };
        // It comes in pieces of any size; the first one, which is empty, tells that somebody is there.
        let request: &mut Vec<u8> = requests.entry(peer.id()).or_default();
        request.extend_from_slice(&octets[0]);
        let is_whole = request.windows(4).any(|end| end == b"\r\n\r\n");
        if !is_whole && request.len() < REQUEST_MAX {
            continue;
        }
        let request = requests.remove(&peer.id()).unwrap_or_default();
        let line = String::from_utf8_lossy(&request);
        let line = line.lines().next().unwrap_or_default();
        match options.json {
            true => println!("{}", serde_json::json!({ "request": line })),
            false => println!("{line}"),
        }
        let length = PAGE.len();
        let head = format!(
            "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n\r\n"
        );
        // Who is gone meanwhile does not want it any more. An empty message closes the connection.
        if stream.send(&peer, head + PAGE).await.is_ok() {
            let _gone = stream.send(&peer, "").await;
        }
    }
    let _report = stream.close().await;
    Ok(())
}
