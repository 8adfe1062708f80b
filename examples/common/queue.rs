//! What the programs of queues have in common.

use clap::Args;
use privateer::core::Endpoint;
use privateer::paranoid_pirate::{Queue, QueueOptions};

use crate::common::listening::listening;
use crate::common::program::{Result, Stop};

/// What every queue is told.
#[derive(Args)]
pub(crate) struct Sides {
    /// Where clients connect
    #[arg(long, value_name = "EP", default_value = "tcp://*:5555")]
    frontend: Endpoint,
    /// Where workers connect
    #[arg(long, value_name = "EP", default_value = "tcp://*:5556")]
    backend: Endpoint,
    /// Print what was counted as JSON
    #[arg(long)]
    json: bool,
}

/// Runs a queue until it is stopped, and prints what was counted.
pub(crate) async fn serve(sides: Sides, options: QueueOptions, stop: Stop) -> Result {
    let queue = Queue::with_options(sides.frontend, sides.backend, options).await?;
    listening(queue.frontend())?;
    listening(queue.backend())?;
    let handle = queue.handle();
    let (stats, ()) = tokio::join!(queue.run(), async {
        stop.requested().await;
        handle.stop();
    });
    let (requests, replies, again) = (stats.requests, stats.replies, stats.redispatched);
    match sides.json {
        true => println!(
            "{}",
            serde_json::json!({ "requests": requests, "replies": replies, "redispatched": again })
        ),
        false => println!("{requests} requests, {replies} replies, {again} given again"),
    }
    Ok(())
}
