//! Lazy Pirate: a client that tries again, and a server for it; no broker (the guide's chapter 4).
//!
//! ```text
//!  client ──► ∅ · body ──► server A        no answer in time: again, to B if there is one
//!         ──► ∅ · body ──► server B        the first answer counts, each answer counts once
//! ```
//!
//! The client talks to any REP or ROUTER that follows the guide. Towards a REP, or a server or queue of ours, many calls
//! share a connection, told apart by a number before the empty frame, which comes back with the reply, and named by a key; towards a stranger
//! each call in flight has a connection of its own.
//!
//! # Example
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use privateer::lazy_pirate::{LazyPirate, LazyPirateServer};
//!
//! let server = LazyPirateServer::bind("tcp://127.0.0.1:*", |request| async move { request }).await?;
//! let endpoint = server.endpoint().clone();
//! tokio::spawn(server.run());
//!
//! let client = LazyPirate::connect([&endpoint])?;
//! assert_eq!(client.request("hello").await?[0], "hello");
//! # Ok(()) }
//! ```
//!
//! # Contract
//! - Each call ends once: with a reply, or with an error that tells whether the request was ever sent
//!   ([`LazyPirateError::NotConnected`]), or sent and not answered ([`LazyPirateError::TimedOut`]), or sent and not to be
//!   sent again ([`LazyPirateError::Refused`]); within tries × timeout, counted from when it is among the
//!   [`window`](LazyPirateOptions::window) calls that may be in flight, or [`within`](LazyPirateOptions::within) the limit
//!   that is set, counted from when it is made.
//! - A call takes effect once at a server of ours, however often it is tried there: all tries have the call's key, and a
//!   repeat gets the answer of the first, as long as the server lives and keeps it ([`ReplyCacheOptions`]).
//! - Two servers may both work on a call, if it is tried or hedged at both, and so may one that was restarted. A server of
//!   others may work on it as often as it is tried. Make such requests harmless, or put a key of your own into them.
//! - A reply that comes late, twice, or to a call that was given up, is dropped and counted. A stranger that answers one
//!   request twice is not found out: its second answer is that to the next call on its connection.
//! - Replies may come in another order than requests were sent.
//! - A request that no server could be sent uses no try up: it waits for a connection within its time.
//!
//! # Metrics
//! One snapshot each of all that is counted:
//! - [`LazyPirate::stats`]: `calls`, each of which ends as one of `replies`, `not_connected`, `timed_out` (of which
//!   `budget_spent`) and `cancelled`; `sent`, `hedged`, `late_replies`, `malformed`; now `in_flight`, `waiting`, `lanes`.
//! - [`ServerHandle::stats`]: `requests`, `repeated`, `replies`, `client_gone`, `client_full`, `forgotten`, `panicked`,
//!   `malformed`; now `in_hand`.

mod call;
mod desk;
mod error;
mod lanes;
mod machine;
mod options;
mod output;
mod server;
mod task;

#[cfg(test)]
mod tests;

pub use crate::idempotency::ReplyCacheOptions;
pub use call::CallKey;
pub use error::LazyPirateError;
pub use lanes::LaneKey;
pub use machine::LazyPirateMachine;
pub use options::LazyPirateOptions;
pub use output::{LazyPirateEvent, LazyPirateStats, Outcome, Output};
pub use server::{LazyPirateServer, ServerHandle, ServerStats};
pub use task::LazyPirate;

/// The token by which a server of ours says that it returns envelopes.
pub(crate) const PATTERN: &str = "lazy-pirate";
