//! Retries: trying again what may have failed for now, without making things worse.
//!
//! | | |
//! |---|---|
//! | attempts | a bounded number; a request that was never sent does not use one up |
//! | pauses | double from try to try up to a longest, each cut at random (full jitter) |
//! | budget | at most a tenth more requests than calls go to one destination, after a small reserve |
//! | pushback | a server that says when to come back is obeyed |
//! | deadline | no attempt begins after it, and none waits beyond it |
//!
//! [`RetryPolicy::run`] retries any future. [`Retry`] is the same without clock and task, for a protocol of your own;
//! all clients of this crate are made of it.
//!
//! # Contract
//! What is retried may be done more than once: the answer of an attempt can be lost after the work was done. Retry only
//! what may be repeated, or give each call a key by which the server knows a repeat.
//!
//! # Example
//! A DEALER worker of a protocol of your own, with heartbeats to its queue and retries towards a store:
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # use std::time::Duration;
//! # use privateer::core::{DealerSocket, RouterSocket};
//! # use privateer::heartbeat::{HeartbeatDealer, HeartbeatOptions};
//! # use privateer::retry::{Failure, RetryBudget, RetryPolicy};
//! # let (queue_socket, store_socket) = (RouterSocket::new()?, RouterSocket::new()?);
//! # let queue = queue_socket.bind("tcp://127.0.0.1:*").await?;
//! # let store_endpoint = store_socket.bind("tcp://127.0.0.1:*").await?;
//! # let store = DealerSocket::new()?;
//! # store.connect(&store_endpoint)?;
//! # tokio::spawn(async move {
//! let options = HeartbeatOptions::default().greeting("READY");
//! let mut worker = HeartbeatDealer::connect(queue, options)?;
//! let (policy, budget) = (RetryPolicy::default(), RetryBudget::default());
//! while let Ok(request) = worker.recv().await {
//!     let stored = policy.run(&budget, |_attempt| async {
//!         store.send(request.clone()).await.map_err(|_| Failure::NotSent)?;
//!         let reply = tokio::time::timeout(Duration::from_millis(200), store.recv()).await;
//!         reply.map_err(|_late| Failure::NoAnswer)?.map_err(|_closed| Failure::Final)
//!     });
//!     worker.send(stored.await?).await?;
//! }
//! # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(()) });
//! # let (worker, ready) = queue_socket.recv().await?;
//! # assert_eq!(ready[0], "READY");
//! # queue_socket.send(&worker, "work").await?;
//! # let (_, _lost) = store_socket.recv().await?;
//! # let (peer, again) = store_socket.recv().await?;
//! # store_socket.send(&peer, again).await?;
//! # assert_eq!(queue_socket.recv().await?.1[0], "work");
//! # Ok(()) }
//! ```

mod backoff;
mod budget;
mod machine;
mod policy;
mod run;

#[cfg(test)]
mod tests;

pub use backoff::{Backoff, Jitter};
pub use budget::RetryBudget;
pub use machine::{Failure, GaveUp, Next, Retry};
pub use policy::RetryPolicy;
pub use run::RetryError;
