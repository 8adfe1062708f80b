//! The worker: offers one service to a broker and answers its requests.

mod dialect;
mod machine;
mod options;
mod output;
mod task;

#[cfg(test)]
mod tests;

pub(crate) use dialect::Dialect;
pub use machine::WorkerMachine;
pub use options::WorkerOptions;
pub use output::{Output, RequestKey, WorkerEvent, WorkerStats};
pub use task::{Worker, WorkerError, WorkerHandle};
