//! A Majordomo worker on strings: it tells what happens to it, and answers when it is told to.
//!
//! It prints `begins BODY` when it is asked something, and `event ...` for each event of the worker. Each line on its
//! standard input lets it answer one request; with `--delay` it answers by itself and tells of no request. At the end of
//! its standard input it ends, so that it does not outlive the test.

use std::num::NonZeroU16;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use privateer::core::{Endpoint, Message};
use privateer::majordomo::worker::WorkerOptions;
use privateer::{Service, Worker, WorkerError};
use tokio::sync::Semaphore;
use tokio::time::sleep;

/// A worker on strings.
#[derive(Parser)]
struct Options {
    /// The broker
    broker: Endpoint,
    /// The service to offer
    service: String,
    /// Milliseconds between two heartbeats
    #[arg(long, default_value_t = 2500)]
    heartbeat: u64,
    /// Requests that are worked on at a time
    #[arg(long, default_value = "1")]
    capacity: NonZeroU16,
    /// Answers by itself after so many milliseconds, and tells of no request
    #[arg(long)]
    delay: Option<u64>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match work(Options::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn work(options: Options) -> Result<(), WorkerError> {
    let permits = permits();
    let delay = options.delay.map(Duration::from_millis);
    let service = Service::frames(options.service, move |request: Message| {
        let permits = Arc::clone(&permits);
        async move {
            if let Some(delay) = delay {
                sleep(delay).await;
                return request;
            }
            println!("begins {}", String::from_utf8_lossy(&request[0]));
            // It is never closed.
            let _permit = permits.acquire().await.map(|permit| permit.forget());
            request
        }
    });
    let behaviour = WorkerOptions::default()
        .heartbeat_interval(Duration::from_millis(options.heartbeat))
        .capacity(options.capacity);
    let worker = Worker::connect(options.broker, service)?.options(behaviour);
    let mut events = worker.handle().events();
    tokio::spawn(async move {
        while let Ok(Some(event)) = events.next().await {
            println!("event {event:?}");
        }
    });
    worker.run().await.map(drop)
}

/// One permit for each line on standard input; its end ends the process.
fn permits() -> Arc<Semaphore> {
    let permits = Arc::new(Semaphore::new(0));
    let given = Arc::clone(&permits);
    std::thread::spawn(move || {
        for _ in std::io::stdin().lines().map_while(Result::ok) {
            given.add_permits(1);
        }
        std::process::exit(0);
    });
    permits
}
