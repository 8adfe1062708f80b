//! All that knows Tokio: which task owns what.
//!
//! ```text
//! listener   one task a bound endpoint     ──► a task for each accepted connection ─┐
//! connecter  one task a connected endpoint: dial ──────────────────────────────────┴─► handshake ─► session
//! inproc     no task: two sockets share two pipes
//! ```
//!
//! Sockets and sessions meet in pipes. A session has a task of its own; who sends a request or a reply, or would have to
//! wait for room, lets it work at once, in place of that task.

pub(crate) mod backoff;
pub(crate) mod busy_poll;
pub(crate) mod connecter;
pub(crate) mod connection;
mod credentials;
pub(crate) mod crowd;
pub(crate) mod drivers;
pub(crate) mod flight;
pub(crate) mod heartbeat;
pub(crate) mod inproc;
#[cfg(unix)]
pub(crate) mod ipc;
mod kernel;
pub(crate) mod listener;
pub(crate) mod memory;
pub(crate) mod outgoing;
mod raw;
pub(crate) mod reader;
mod resolve;
pub(crate) mod seldom;
pub(crate) mod session;
pub(crate) mod shared;
pub(crate) mod tcp;
pub(crate) mod topics;
pub(crate) mod transport;
mod writer;
