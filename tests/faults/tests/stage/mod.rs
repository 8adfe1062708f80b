//! Plays of sockets on lines that fail: what the simulation and the long run have in common.
//!
//! ```text
//!             ┌ line: memory:// under virtual time, or tcp and ipc through a link ┐
//!  actor ══ socket ════════════ cut, torn, stalled, slow ════════════════════ socket ══ actor
//!    │                                  ▲                                                │
//!    │ what it sends                director                             what it receives │
//!    └───────────────────────────────► ledger ◄──────────────────────────────────────────┘
//! ```
//!
//! Actors send, receive, wait, drop their futures, end and begin anew, all at random. Each message tells its stream and
//! its number, and the ledger checks each that arrives: whole, sent before, not there before, in order. In the end
//! everything heals, and what is sent then has to arrive.
#![allow(dead_code, reason = "each of the two programs uses a part of it")]

pub(crate) mod actors;
pub(crate) mod director;
pub(crate) mod ledger;
pub(crate) mod plays;
pub(crate) mod sockets;
pub(crate) mod world;
