//! Retries: trying again what may have failed for now, without making things worse.
//!
//! | | |
//! |---|---|
//! | attempts | a bounded number; a request that was never sent does not use one up |
//! | pauses | double from try to try up to a longest, each cut at random (full jitter) |
//! | budget | at most a tenth more requests than calls go to one destination, after a small reserve |
//! | pushback | a server that says when to come back is obeyed |
//! | deadline | no attempt begins after it, and none waits beyond it; each attempt may have a limit of its own |
//!
//! [`RetryPolicy::run`] retries any future. [`Retry`] is the same without clock and task, for a protocol of your own;
//! all clients of this crate are made of it.
//!
//! # Contract
//! What is retried may be done more than once: the answer of an attempt can be lost after the work was done. Retry only
//! what may be repeated, or give each call a key by which the server knows a repeat.
//!
//! # Example
//! A DEALER worker of a protocol of your own: heartbeats to its queue, retries towards a `store`, which is a REQ socket.
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # use privateer::core::{ReqSocket, RouterSocket};
//! # let (queue_socket, store_socket, store) = (RouterSocket::new()?, RouterSocket::new()?, ReqSocket::new()?);
//! # let queue = queue_socket.bind("tcp://127.0.0.1:*").await?;
//! # store.connect(store_socket.bind("tcp://127.0.0.1:*").await?)?;
//! # tokio::spawn(async move {
//! use privateer::heartbeat::{HeartbeatDealer, HeartbeatOptions};
//! use privateer::retry::{Failure, RetryBudget, RetryPolicy};
//!
//! let mut worker = HeartbeatDealer::connect(queue, HeartbeatOptions::default().greeting("READY"))?;
//! let limit = Some(std::time::Duration::from_millis(200));
//! let (retry, budget) = (RetryPolicy::default().attempt_timeout(limit), RetryBudget::default());
//! while let Ok(request) = worker.recv().await {
//!     let ask = |_| async { store.request(request.clone()).await.map_err(|_| Failure::Final) };
//!     let answer = retry.run(&budget, ask).await.unwrap_or_else(|error| error.to_string().into());
//!     worker.send(answer).await?;
//! }
//! # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(()) });
//! # let (worker, ready) = queue_socket.recv().await?;
//! # assert_eq!(ready[0], "READY");
//! # queue_socket.send(&worker, "work").await?;
//! # let (_, _lost) = store_socket.recv().await?;
//! # let (peer, again) = store_socket.recv().await?;
//! # store_socket.send(&peer, again).await?;
//! # let is_beat = |message: &privateer::core::Message| message[0] == [2_u8];
//! # let mut said = queue_socket.recv().await?.1;
//! # while is_beat(&said) { said = queue_socket.recv().await?.1; }
//! # assert_eq!(said[0], "work");
//! # assert!(is_beat(&queue_socket.recv().await?.1), "it has nothing to say, and lives");
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
