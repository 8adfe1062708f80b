//! Paranoid Pirate and Simple Pirate: a queue between clients and workers (RFC 6 and the guide's chapter 4).
//!
//! ```text
//!  clients ── ∅ · body ──►  queue  ── address · ∅ · body ──►  workers: Paranoid (DEALER, heartbeats)
//!  (REQ)   ◄── ∅ · body ──         ◄── address · ∅ · body ──           or Simple (REQ)
//! ```
//!
//! All workers do the same work: services by name are [Majordomo](crate::majordomo)'s. The load-balancing broker of the
//! guide's chapter 3 is the same queue. Clients are Lazy Pirates: they send again what was not answered.
//!
//! # Example
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use privateer::core::ReqSocket;
//! use privateer::paranoid_pirate::{PirateWorker, Queue};
//!
//! let queue = Queue::bind("tcp://127.0.0.1:*", "tcp://127.0.0.1:*").await?;
//! let (frontend, backend) = (queue.frontend().clone(), queue.backend().clone());
//! let handle = queue.handle();
//! tokio::spawn(queue.run());
//! tokio::spawn(PirateWorker::connect(&backend, |request| async move { request })?.run());
//!
//! let client = ReqSocket::new()?;
//! client.connect(&frontend)?;
//! assert_eq!(client.request("hello").await?[0], "hello");
//! assert_eq!(handle.stats().replies, 1);
//! # Ok(()) }
//! ```
//!
//! # Contract
//! - A request that a worker has is lost only if the queue ends, if its client goes or takes no replies, after
//!   [`QueueOptions::attempts`] workers died with it, or if no other is there for [`QueueOptions::queue_ttl`] when its own
//!   died: then an event tells, with the request in it.
//! - A request of several frames is dropped, with an event, if only the guide's workers are there, which take one; while a
//!   worker for it is busy it waits here, and with 1,000 of them, or 64 MiB, nothing more is read
//!   ([`QueueOptions::waiting_bytes`]).
//! - It may be worked on more than once: a worker that is presumed dead may be alive. Its client gets one reply; late and
//!   repeated ones are dropped and counted. With [`QueueOptions::at_most_once`] it is given to one worker only.
//! - A call of a Lazy Pirate, which has a key, is one request, however often it is tried: a repeat gets the reply of the
//!   first, as long as the queue lives and keeps it ([`ReplyCacheOptions`]). With `at_most_once` it takes effect at most once.
//! - Requests of one client may be answered in another order than sent, if it sends several at a time.
//! - Other requests that no worker is free for stay in the clients' connections: the queue's memory does not grow, and
//!   clients are served in turn, whoever sent most.
//! - A worker's death is noticed at once if its connection ends; otherwise within three to four of its heartbeat
//!   intervals, or if it is busy and not one of ours, when its machine no longer answers ZMTP heartbeats (two to three
//!   intervals). A worker of others that hangs while its connection stands is given up after
//!   [`QueueOptions::processing_deadline`].
//! - Clients and workers may call themselves alike: each connection is a peer of its own.
//! - The queue keeps nothing on disk. When it comes back, our workers are there again within two seconds; the guide's
//!   Paranoid workers when they have noticed; the guide's Simple workers never, as the pattern has it.
//!
//! # Metrics
//! [`QueueHandle::stats`] is one snapshot of all that a queue counts: `requests`, `replies`, `redispatched`,
//! `expired_workers`, `repeated_ready`, `strange_heartbeats`, `clock_pauses`; what was `dropped` by reason and `malformed` by
//! kind; now `workers`, `idle`, `in_flight`, `waiting`. A worker gives its own, `WorkerStats`, when it ends.

pub mod protocol;
pub mod queue;
mod worker;

pub use crate::idempotency::ReplyCacheOptions;
pub use queue::{Queue, QueueError, QueueHandle, QueueOptions, QueueStats};
pub use worker::PirateWorker;

/// The token by which two of ours know each other: heartbeats while busy, bodies of any number of frames, GOODBYE.
pub(crate) const PATTERN: &str = "paranoid-pirate";
