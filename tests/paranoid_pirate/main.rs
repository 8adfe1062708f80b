//! The queue and the workers of the Pirate patterns over sockets.
//!
//! | file | shows |
//! |---|---|
//! | `sharing.rs` | who gets which request, and what comes back |
//! | `failing.rs` | workers and queues that die, hang, come back and end |
//! | `hostile.rs` | peers that send what they should not, or too much |

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

#[path = "../support/mod.rs"]
mod support;

mod failing;
mod hostile;
mod sharing;

use std::time::Duration;

use privateer::WorkerHandle;
use privateer::core::{DealerSocket, Endpoint, Frame, Message, ReqSocket};
use privateer::majordomo::worker::WorkerOptions;
use privateer::paranoid_pirate::{PirateWorker, Queue, QueueHandle, QueueOptions, QueueStats};
use support::sockets::{soon, until};
use tokio::task::JoinHandle;

/// An endpoint with a free port.
const ANY: &str = "tcp://127.0.0.1:*";

/// Between heartbeats where a test waits for their absence; elsewhere it is the default, which a busy machine keeps.
const INTERVAL: Duration = Duration::from_millis(200);

/// A running queue.
struct Hub {
    frontend: Endpoint,
    backend: Endpoint,
    queue: QueueHandle,
    running: JoinHandle<QueueStats>,
}

impl Hub {
    async fn start() -> Self {
        Self::with(QueueOptions::default()).await
    }

    /// A queue with short intervals.
    async fn quick() -> Self {
        Self::with(QueueOptions::default().heartbeat_interval(INTERVAL)).await
    }

    async fn with(options: QueueOptions) -> Self {
        let any = || ANY.parse::<Endpoint>().unwrap();
        Self::at([any(), any()], options).await
    }

    async fn at([frontend, backend]: [Endpoint; 2], options: QueueOptions) -> Self {
        let queue = soon(Queue::with_options(frontend, backend, options)).await;
        let queue = queue.unwrap();
        Self {
            frontend: queue.frontend().clone(),
            backend: queue.backend().clone(),
            queue: queue.handle(),
            running: tokio::spawn(queue.run()),
        }
    }

    fn endpoints(&self) -> [Endpoint; 2] {
        [self.frontend.clone(), self.backend.clone()]
    }

    fn client(&self) -> ReqSocket {
        let client = ReqSocket::new().unwrap();
        client.connect(&self.frontend).unwrap();
        client
    }

    /// A client that sends as many requests as it likes.
    fn dealer(&self) -> DealerSocket {
        let client = DealerSocket::new().unwrap();
        client.connect(&self.frontend).unwrap();
        client
    }

    /// Starts an echo in the background.
    fn echo(&self) -> WorkerHandle {
        let echo = |request: Message| async move { request };
        start(PirateWorker::connect(&self.backend, echo).unwrap())
    }

    /// A worker that is played by hand, and said READY.
    async fn raw(&self, ready: &[&[u8]]) -> DealerSocket {
        let before = self.queue.stats().workers;
        let worker = DealerSocket::new().unwrap();
        worker.connect(&self.backend).unwrap();
        worker.send(message(ready)).await.unwrap();
        until(|| self.queue.stats().workers > before).await;
        worker
    }

    async fn workers(&self, count: usize) {
        until(|| self.queue.stats().workers == count).await;
    }

    async fn stop(self) -> QueueStats {
        self.queue.stop();
        soon(self.running).await.unwrap()
    }
}

fn start(worker: PirateWorker) -> WorkerHandle {
    let options = WorkerOptions::default()
        .heartbeat_interval(Duration::from_secs(1))
        .reconnect_delay(Duration::from_millis(20), Duration::from_millis(500));
    let worker = worker.options(options);
    let handle = worker.handle();
    tokio::spawn(worker.run());
    handle
}

fn message(frames: &[&[u8]]) -> Message {
    Message::from_frames(frames.iter().map(|frame| Frame::from(*frame)).collect()).unwrap()
}

/// The next message of a worker played by hand that is no heartbeat.
async fn next(worker: &DealerSocket) -> Message {
    loop {
        let message = soon(worker.recv()).await.unwrap();
        if message != Message::from(&[2]) {
            return message;
        }
    }
}
