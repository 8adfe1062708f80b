//! Measures Privateer side by side with other implementations of ZeroMQ and with plain TCP.
//!
//! ```text
//! cargo run --release                                  everything, as one table with the goals below it
//! cargo run --release -- --only req-rep,inproc         some kinds of work
//! cargo run --release -- --sizes 16,64K --impls ours,libzmq --runs 3
//! cargo run --release -- --list                        what can be chosen
//! ```
//!
//! Each figure is the median of `--runs` runs that are interleaved: one run of every implementation, then the next of
//! each, so that a noisy minute hits all alike. Sender and receiver are two processes: this program starts itself once
//! per side, see [`child`]. A run first warms up, then counts for `--seconds`; the processes are read, not asked: at the
//! first and the last counted message the receiver reads the wall clock and the CPU clocks (user + system) of both.
//!
//! ```text
//!  runner ── starts ──► child, binds ── prints its endpoint, later its sample ──► runner
//!         ── starts ──► child, connects to that endpoint, sends until it is stopped
//! ```
//!
//! Patterns are measured in more processes, see [`pirates`]: 10,000 idle workers of a queue, requests through our queue
//! and through the guide's, calls with hedging and without.
//!
//! ```text
//! cargo run --release -- --only idle-workers,queue,hedged --guide-queue /path/to/ppqueue
//! ```
//!
//! A body is one buffer that is made once; a library with shared bodies sends another handle to it, libzmq copies it.

use std::process::ExitCode;

use clap::Parser;

use crate::command_line::{Action, CommandLine};

mod child;
mod command_line;
mod crowd;
mod goals;
mod idle_peers;
mod implementations;
mod machine;
mod meter;
mod pirates;
mod processes;
mod publisher;
mod raw_peer;
mod runner;
mod runtime;
mod sample;
mod table;
mod work;

/// What went wrong, for a human to read.
type Error = Box<dyn std::error::Error + Send + Sync>;

/// A result with any error that a human can read.
type Result<T, E = Error> = std::result::Result<T, E>;

fn main() -> ExitCode {
    let line = CommandLine::parse();
    match line.action {
        Some(Action::Child(role)) if role.work.is_of_a_pattern() => pirates::run(&role),
        Some(Action::Child(role)) => child::run(&role),
        Some(Action::Crowd(crowd)) => crowd::run(&crowd),
        None => finish(runner::run(&line.settings)),
    }
}

fn finish(result: Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("privateer-bench: {error}");
            ExitCode::FAILURE
        }
    }
}
