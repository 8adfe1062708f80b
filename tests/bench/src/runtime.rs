//! The runtimes that an implementation can stand on.

use std::future::Future;
use std::thread;

use serde::Serialize;
use tokio::runtime::{Builder, Runtime};

use crate::Result;

/// What drives the sockets of an implementation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Drive {
    /// One thread does everything: Tokio's current-thread runtime.
    CurrentThread,
    /// Tokio's multi-thread runtime with two workers.
    TwoWorkers,
    /// The application's task on a current-thread runtime, the library on I/O threads of its own.
    OwnThread,
    /// Blocking calls; the library, if it does any I/O behind them, on threads of its own.
    Blocking,
}

impl Drive {
    /// Runs a task to its end.
    pub(crate) fn run<F, T>(self, task: F) -> Result<T>
    where
        F: Future<Output = Result<T>> + Send + 'static,
        T: Send + 'static,
    {
        let runtime = match self {
            Self::CurrentThread | Self::OwnThread | Self::Blocking => current_thread()?,
            Self::TwoWorkers => Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()?,
        };
        // A task like any other: what is given to `block_on` itself is polled after a look at the driver each time.
        runtime.block_on(async { tokio::spawn(task).await? })
    }

    /// Starts a task beside the one that calls; nobody waits for it.
    pub(crate) fn beside<F>(self, task: F)
    where
        F: Future<Output = Result<()>> + Send + 'static,
    {
        let told = async {
            if let Err(error) = task.await {
                eprintln!("a task ended early: {error}");
            }
        };
        match self {
            Self::CurrentThread | Self::TwoWorkers => drop(tokio::spawn(told)),
            Self::OwnThread | Self::Blocking => drop(thread::spawn(|| {
                current_thread().map(|it| it.block_on(told))
            })),
        }
    }

    /// The words of the table.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::CurrentThread => "current-thread",
            Self::TwoWorkers => "multi-thread, 2 workers",
            Self::OwnThread => "own I/O thread",
            Self::Blocking => "blocking",
        }
    }
}

/// A runtime of one thread.
pub(crate) fn current_thread() -> Result<Runtime> {
    Ok(Builder::new_current_thread().enable_all().build()?)
}
