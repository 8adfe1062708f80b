//! [`PirateWorker`]: the worker of both Pirate patterns.

use std::future::Future;
use std::num::NonZeroU16;
use std::time::Duration;

use privateer_core::{Endpoint, EndpointError, Frame, Message};

use super::protocol::Framing;
use crate::majordomo::worker::{
    Dialect, Worker, WorkerError, WorkerHandle, WorkerOptions, WorkerStats,
};
use crate::service::Service;

/// A worker for a queue: connects, answers requests, and comes back whenever the queue is away.
///
/// Handlers run in tasks of their own, so heartbeats go on while they are busy. To the guide's queue, which takes a
/// heartbeat for READY, none is sent while there is no room for another request.
///
/// See [`paranoid_pirate`](crate::paranoid_pirate) for an example.
#[derive(Debug)]
pub struct PirateWorker(Worker);

/// As the guide's workers have it.
const INTERVAL: Duration = Duration::from_secs(1);

impl PirateWorker {
    /// A worker of the Paranoid Pirate (RFC 6) that answers each request with what `handler` makes of it.
    ///
    /// If `handler` panics, the worker leaves the queue and comes back, so that the request goes to another worker.
    ///
    /// # Errors
    /// [`WorkerError`] if the endpoint is none to connect to; there is no other here.
    pub fn connect<E, F, A>(queue: E, handler: F) -> Result<Self, WorkerError>
    where
        E: TryInto<Endpoint>,
        E::Error: Into<EndpointError>,
        F: Fn(Message) -> A + Send + Sync + 'static,
        A: Future<Output = Message> + Send + 'static,
    {
        let queue = queue.try_into().map_err(Into::into)?;
        let service = Service::frames(Frame::empty(), handler);
        let options = WorkerOptions::default().heartbeat_interval(INTERVAL);
        let dialect = Dialect::Pirate(Framing::Paranoid);
        Ok(Self(Worker::speaking(dialect, queue, service, options)?))
    }

    /// The same as a worker of the Simple Pirate and of the load-balancing broker: no heartbeats, each message as a REQ
    /// socket frames it. It notices a dead queue by its connection, which the guide's own workers do not.
    #[must_use]
    pub fn simple(self) -> Self {
        Self(self.0.speak(Dialect::Pirate(Framing::Simple)))
    }

    /// How it behaves. The default is that of [`WorkerOptions`], with heartbeats each second.
    ///
    /// `reconnect_delay(1 s, 32 s)` is the guide's backoff.
    #[must_use]
    pub fn options(self, options: WorkerOptions) -> Self {
        Self(self.0.options(options))
    }

    /// How many requests it works on at a time: see [`WorkerOptions::capacity`].
    #[must_use]
    pub fn capacity(self, requests: NonZeroU16) -> Self {
        Self(self.0.capacity(requests))
    }

    /// How long requests in hand may still be answered once the worker is stopped.
    /// - Default: 30 s
    #[must_use]
    pub fn drain(self, limit: Duration) -> Self {
        Self(self.0.drain(limit))
    }

    /// A handle that watches and stops the worker.
    #[must_use]
    pub fn handle(&self) -> WorkerHandle {
        self.0.handle()
    }

    /// Works until [`WorkerHandle::stop`]: then it answers what is in hand and closes. A queue of ours is told first, so
    /// that it gives the worker nothing more; another one may lose a request that it gives at that moment.
    ///
    /// An absent queue is no error: the worker goes on trying.
    ///
    /// # Errors
    /// [`WorkerError`] if there is no Tokio runtime; there is no other.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, the worker leaves at once; a queue of ours gives what it had in hand to others.
    pub async fn run(self) -> Result<WorkerStats, WorkerError> {
        self.0.run().await
    }
}

#[cfg(test)]
mod tests;
