//! Majordomo and the Pirates with processes that are killed, stopped and cut off, and sockets on links that are slow.
//!
//! | file | what fails |
//! |---|---|
//! | `workers.rs` | a worker is killed, stopped or cut off with a request in hand |
//! | `brokers.rs` | the broker is killed and comes back, or is stopped |
//! | `links.rs` | links are slow, cut, or dead |
//! | `draining.rs` | nothing: processes are asked to end |
//! | `pirates.rs` | workers, queues, servers and links of the Pirates |
//! | `keyed.rs` | links that repeat, damage, swallow and cut what the Pirates say |
//! | `resources.rs` | clients that ask for what is not there, and that come and go |
//! | `pipeline.rs` | a PULL is killed while PUSH sends, without Majordomo |
//! | `sockets.rs` | nothing: sockets on a slow link, without Majordomo |

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

mod brokers;
mod draining;
mod hub;
mod keyed;
mod links;
mod load;
mod pipeline;
mod pirates;
mod resources;
mod sockets;
mod workers;
