//! The worker: offers one service to a broker and answers its requests.

mod machine;
mod options;
mod output;

#[cfg(test)]
mod tests;

pub use machine::WorkerMachine;
pub use options::WorkerOptions;
pub use output::{Output, RequestKey, WorkerEvent, WorkerStats};
