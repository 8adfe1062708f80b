//! The client: many calls at a time, each repeated until it is answered or given up.

mod error;
mod lanes;
mod machine;
mod options;
mod output;
mod task;
mod typed;

#[cfg(test)]
mod tests;

pub use error::{CallError, ClientError};
pub use lanes::LaneKey;
pub use machine::{CallKey, ClientMachine};
pub use options::{CallOptions, ClientOptions};
pub use output::{ClientEvent, ClientStats, Outcome, Output};
pub use task::Client;
