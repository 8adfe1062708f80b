//! Heartbeats: noticing that a peer died, in any protocol.
//!
//! A connection that is cut, or a peer that hangs, looks like a peer with nothing to say. So both sides say something
//! at least once an interval, and who was silent for several intervals of its own is presumed dead.
//!
//! | for | take |
//! |---|---|
//! | a DEALER of your own | [`HeartbeatDealer`]: heartbeats, and a new connection when the peer is dead |
//! | a ROUTER of your own | [`HeartbeatRouter`]: heartbeats to all peers, and which of them are dead |
//! | a protocol machine of your own | [`Heartbeats`], [`Heartbeat`] and [`Pauses`]: no clock, no socket |
//!
//! A worker with heartbeats and retries in ten lines is the example of [`retry`](crate::retry).
//!
//! # Rules
//! - Whatever is received is life, and whatever is sent tells as much as a heartbeat: one is sent only if nothing else was.
//! - A peer is dead after so many of *its* intervals, by time and not by turns of a loop. A peer of ours announces its
//!   interval when the connection is made; of others the same interval as ours is expected.
//! - A heartbeat never waits behind anything: if something waits in the peer's pipe, it is left out.
//! - Each link beats up to a tenth early, by a share of its own, so that many that began together do not go on together.
//! - When this process itself did not run for more than an interval, nobody is judged before another has passed: what
//!   peers sent meanwhile is read first.
//!
//! # Contract
//! A peer that stops is presumed dead after `liveness` intervals at the earliest and one more at the latest. A peer that
//! beats as announced is presumed dead only if nothing of it arrives for that long. Heartbeats say that a peer's task
//! runs, not that it will answer: keep a deadline for each request as well.
//!
//! # Metrics
//! [`HeartbeatDealer::stats`] and [`HeartbeatRouter::stats`] are one snapshot each: `beats_sent`, `beats_left_out`,
//! `beats_received`, `received`, `connections`, `disconnections`, `presumed_dead`, `clock_pauses`. Their `events` tell the
//! same as it happens, as [`LinkEvent`]s.

mod ahead;
mod dealer;
mod engine;
mod options;
mod pauses;
mod router;
mod stats;
mod table;

#[cfg(test)]
mod tests;

pub use dealer::{HeartbeatDealer, HeartbeatError};
pub use engine::Heartbeat;
pub use options::HeartbeatOptions;
pub use pauses::Pauses;
pub use router::{HeartbeatRouter, RouterEvent};
pub use stats::{HeartbeatStats, LinkClosed, LinkEvent};
pub use table::{Beat, Heartbeats};
