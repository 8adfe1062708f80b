//! What the programs of workers have in common.

use std::time::Duration;

use privateer::core::{Endpoint, Message};
use privateer::paranoid_pirate::PirateWorker;
use privateer::{WorkerError, WorkerHandle};

use crate::common::program::{Result, Stop};

/// A worker that answers each request with what was asked, after a delay.
pub(crate) fn echo(queue: Endpoint, delay: u64) -> std::result::Result<PirateWorker, WorkerError> {
    let delay = Duration::from_millis(delay);
    PirateWorker::connect(queue, move |request: Message| async move {
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        request
    })
}

/// Runs a worker until it is stopped, and prints what was counted.
pub(crate) async fn work(worker: PirateWorker, json: bool, stop: Stop) -> Result {
    let handle: WorkerHandle = worker.handle();
    tokio::spawn(async move {
        stop.requested().await;
        handle.stop();
    });
    let stats = worker.run().await?;
    let (requests, replies) = (stats.requests, stats.replies);
    match json {
        true => println!(
            "{}",
            serde_json::json!({ "requests": requests, "replies": replies })
        ),
        false => println!("{requests} requests, {replies} replies"),
    }
    Ok(())
}
