//! Majordomo over real sockets: our roles with each other, and with raw peers that send the exact frames of RFC 7.
//!
//! | file | what is tested |
//! |---|---|
//! | `goldens.rs` | every message, byte for byte |
//! | `traffic.rs` | many clients and workers of all kinds |
//! | `hostile_broker.rs`, `hostile_worker.rs`, `hostile_client.rs` | messages that are none, sent to each role |
//! | `replies.rs` | replies that nobody asked for |
//! | `waiting.rs` | requests that wait for a worker |
//! | `bounds.rs` | clients that send much and read late |
//! | `draining.rs` | orderly ends |
//! | `handlers.rs` | slow, panicking and parallel handlers |
//! | `calls.rs` | how calls of our client end |
//! | `strangers.rs` | our client and a broker that knows RFC 7 and no more |
//! | `management.rs` | RFC 8 |
//! | `envelopes.rs` | clients that send frames before the delimiter |

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

mod bounds;
mod calls;
mod draining;
mod envelopes;
mod goldens;
mod handlers;
mod hostile_broker;
mod hostile_client;
mod hostile_worker;
mod hub;
mod management;
mod raw;
mod replies;
mod salad;
mod strangers;
mod traffic;
mod waiting;

#[path = "../support/mod.rs"]
mod support;
