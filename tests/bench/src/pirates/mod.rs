//! Patterns beside their goals: idle workers of a queue, requests through it, and calls with and without hedging.
//!
//! ```text
//!  idle-workers   queue ◄── heartbeats ──► crowd of workers; the queue measures itself
//!  queue          client ──► queue ──► crowd of 4 workers; the client measures the queue, ours or the guide's
//!  hedged         client ──► 3 servers in one process; the client takes the time
//! ```
//!
//! Clients and workers of the queue know just enough ZMTP (see [`crate::raw_peer`]), so they are the same for every queue
//! and cost little. Beside our queue, idle workers have one that is no more than its system calls.

use std::process::ExitCode;

use crate::Result;
use crate::child::pin;
use crate::command_line::{Role, Side};
use crate::processes::end_with_parent;
use crate::sample::Report;
use crate::work::Work;

mod client;
mod hedged;
mod plain;
mod queue;
mod runs;
mod workers;

pub(crate) use runs::{absent, measure};
pub(crate) use workers::{beat, work};

/// Takes one side of a run.
pub(crate) fn run(role: &Role) -> ExitCode {
    if let Err(error) = start(role) {
        Report::Failure(error.to_string()).tell();
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn start(role: &Role) -> Result<()> {
    pin(role.pin, role.side)?;
    end_with_parent()?;
    let drive = role.implementation.drive;
    let role = role.clone();
    drive.run(async move {
        match (role.work, role.side) {
            (Work::IdleWorkers, Side::Bind) => queue::live(&role).await,
            (Work::Queue, Side::Bind) => queue::switch(&role).await,
            (Work::Queue, Side::Connect) => client::ask(&role).await,
            (Work::Hedged, Side::Bind) => hedged::answer(&role).await,
            (Work::Hedged, Side::Connect) => hedged::ask(&role).await,
            _ => Err("this work has no such side".into()),
        }
    })
}
