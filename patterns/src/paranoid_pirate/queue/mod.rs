//! The queue: gives requests of clients to workers, and keeps each until it is answered.
//!
//! | file | holds |
//! |---|---|
//! | `machine.rs` | the machine: what goes in and what comes out |
//! | `requests.rs` | requests: given to workers, taken back, dropped |
//! | `workers.rs` | workers: ready, judged, lost; their replies |
//! | `options.rs`, `output.rs` | options; actions, events, counters |
//! | `task.rs` | the machine with sockets and a clock |

mod machine;
mod options;
mod output;
mod requests;
mod task;
mod workers;

#[cfg(test)]
mod tests;

pub use crate::majordomo::broker::PeerKey;
pub use machine::QueueMachine;
pub use options::QueueOptions;
pub use output::{Departure, DropReason, Output, QueueEvent, QueueStats};
pub use task::{Queue, QueueError, QueueHandle};
