//! The broker: switches requests to workers of their service, and keeps each until it is answered.
//!
//! | file | holds |
//! |---|---|
//! | `machine.rs` | the machine: what goes in and what comes out |
//! | `requests.rs` | requests of clients: admitted, queued, given to workers, dropped |
//! | `workers.rs` | workers: registered, judged, lost; their replies |
//! | `flow.rs` | clients that send too much or read too little |
//! | `management.rs` | the broker's own answers (RFC 8) |
//! | `peer.rs`, `request.rs`, `service.rs` | what is kept |
//! | `options.rs`, `output.rs`, `stats.rs` | options, actions and events, counters |

mod flow;
mod machine;
mod management;
mod options;
mod output;
mod peer;
mod request;
mod requests;
mod service;
mod stats;
mod task;
mod workers;

#[cfg(test)]
mod tests;

pub use machine::BrokerMachine;
pub use options::{BrokerOptions, ServiceOptions};
pub use output::{BrokerEvent, Departure, DropReason, Misbehaviour, Output};
pub use peer::PeerKey;
pub(crate) use request::cost;
pub use stats::BrokerStats;
pub use task::{Broker, BrokerError, BrokerHandle};
