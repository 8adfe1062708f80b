//! For programs without a Tokio runtime: whatever this crate awaits, waited for by a thread.
//!
//! ```
//! use privateer::blocking::run;
//! use privateer::lazy_pirate::{LazyPirate, LazyPirateServer};
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let server = run(LazyPirateServer::bind("tcp://127.0.0.1:*", |request| async move { request }))??;
//!     let endpoint = server.endpoint().clone();
//!     std::thread::spawn(move || run(server.run()));
//!
//!     let client = run(async { LazyPirate::connect([&endpoint]) })??;
//!     assert_eq!(run(client.request("hello"))??[0], "hello");
//!     Ok(())
//! }
//! ```
//!
//! The runtime is this module's own: it starts with the first [`run`] of the process and lasts as long as that. Its one
//! thread works for all sockets and roles that were made in a `run`, also while no `run` is under way.

use std::sync::OnceLock;

use tokio::runtime::{Builder, Handle, Runtime};

/// [`run`] cannot wait here.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BlockingError {
    /// This thread belongs to a Tokio runtime, which would stand still meanwhile.
    #[error("this thread belongs to a Tokio runtime: await the future instead of blocking::run")]
    InsideRuntime,
    /// The thread of the facade's own runtime cannot be started.
    #[error("no thread can be started for the runtime of privateer::blocking")]
    NoThread(#[source] std::io::Error),
}

/// Runs a future to its end, on this thread; what it opens goes on behind it.
///
/// Sockets, clients and servers are made inside of a `run`, kept outside, and used from any thread.
///
/// # Errors
/// [`BlockingError::InsideRuntime`] if this thread belongs to a Tokio runtime, [`BlockingError::NoThread`] if a first call
/// cannot start its thread; there is no other. The future was not begun then.
pub fn run<F: Future>(future: F) -> Result<F::Output, BlockingError> {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();

    if Handle::try_current().is_ok() {
        return Err(BlockingError::InsideRuntime);
    }
    let runtime = match RUNTIME.get() {
        Some(runtime) => runtime,
        None => {
            // Of two first calls one runtime is kept.
            let made = start().map_err(BlockingError::NoThread)?;
            RUNTIME.get_or_init(|| made)
        }
    };
    Ok(runtime.block_on(future))
}

fn start() -> std::io::Result<Runtime> {
    Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("privateer-blocking")
        .enable_all()
        .build()
}
