//! What the programs of queues have in common.

use privateer::core::Endpoint;
use privateer::paranoid_pirate::{Queue, QueueOptions};

use crate::common::listening::listening;
use crate::common::program::{Result, Stop};

/// Runs a queue until it is stopped, and prints what was counted.
pub(crate) async fn serve(
    [frontend, backend]: [Endpoint; 2],
    options: QueueOptions,
    json: bool,
    stop: Stop,
) -> Result {
    let queue = Queue::with_options(frontend, backend, options).await?;
    listening(queue.frontend())?;
    listening(queue.backend())?;
    let handle = queue.handle();
    let (stats, ()) = tokio::join!(queue.run(), async {
        stop.requested().await;
        handle.stop();
    });
    let (requests, replies, again) = (stats.requests, stats.replies, stats.redispatched);
    match json {
        true => println!(
            "{}",
            serde_json::json!({ "requests": requests, "replies": replies, "redispatched": again })
        ),
        false => println!("{requests} requests, {replies} replies, {again} given again"),
    }
    Ok(())
}
