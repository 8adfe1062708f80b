//! [`QueueOptions`]: what a queue waits for, and how much it keeps. PURE.
#![deny(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation
)]

use std::num::NonZeroU32;
use std::time::Duration;

use crate::heartbeat::HeartbeatOptions;
use crate::idempotency::ReplyCacheOptions;
use crate::paranoid_pirate::protocol::MAX_FRAMES;

/// How a queue behaves. The default serves the guide's clients and workers as well as ours.
#[derive(Clone, Debug)]
pub struct QueueOptions {
    pub(super) heartbeat: HeartbeatOptions,
    pub(super) attempts: NonZeroU32,
    pub(super) queue_ttl: Duration,
    pub(super) processing_deadline: Duration,
    pub(super) waiting_bytes: usize,
    pub(super) max_frames: usize,
    pub(super) heartbeat_registers: bool,
    pub(super) reply_cache: ReplyCacheOptions,
}

impl QueueOptions {
    /// How often the queue sends a heartbeat to a worker to which it sent nothing else, and the interval that it expects
    /// of workers that announced none.
    /// - Default: 1 second, as the guide's workers have it    - Range: 1 ms and up; less counts as 1 ms
    #[must_use]
    pub fn heartbeat_interval(mut self, interval: Duration) -> Self {
        self.heartbeat = self.heartbeat.interval(interval);
        self
    }

    /// After how many silent intervals, of its own, a worker is presumed dead.
    /// - Unit: heartbeat intervals    - Default: 3    - Range: 1 and up
    #[must_use]
    pub fn liveness(mut self, intervals: NonZeroU32) -> Self {
        self.heartbeat = self.heartbeat.liveness(intervals);
        self
    }

    /// How often one request may be given to a worker, the first time counted; after that it is a dead letter.
    /// - Unit: attempts    - Default: 5, so that a request that kills workers does not kill them all    - Range: 1 and up
    #[must_use]
    pub const fn attempts(mut self, attempts: NonZeroU32) -> Self {
        self.attempts = attempts;
        self
    }

    /// A request whose worker was lost is not given to another: the same as one attempt.
    #[must_use]
    pub const fn at_most_once(self) -> Self {
        self.attempts(NonZeroU32::MIN)
    }

    /// How long a request may wait here for a worker, after it lost one or if no idle one takes it. Other requests wait
    /// in their clients' connections, for as long as those wait.
    /// - Default: 30 seconds    - Range: any
    #[must_use]
    pub const fn queue_ttl(mut self, ttl: Duration) -> Self {
        self.queue_ttl = ttl;
        self
    }

    /// How long a worker may take for a request if heartbeats do not show that it lives, as those of the guide: while
    /// they work, only their connection does.
    /// - Default: 900 seconds    - Range: any
    #[must_use]
    pub const fn processing_deadline(mut self, deadline: Duration) -> Self {
        self.processing_deadline = deadline;
        self
    }

    /// How much the queue holds of requests of several frames that wait while a worker for one frame is idle, before it
    /// reads no more. Of them there are 1,000 at the most, whatever they cost.
    /// - Unit: bytes, some 300 a message beside the bodies    - Default: 64 MiB    - Range: any; one request may be larger
    #[must_use]
    pub const fn waiting_bytes(mut self, bytes: usize) -> Self {
        self.waiting_bytes = bytes;
        self
    }

    /// How many frames a message may have; one with more is dropped as malformed.
    /// - Unit: frames, all counted    - Default: 1024    - Range: any
    #[must_use]
    pub const fn max_frames(mut self, frames: usize) -> Self {
        self.max_frames = frames;
        self
    }

    /// Which replies are kept for callers that ask again: for calls with keys, as Lazy Pirates make them.
    #[must_use]
    pub const fn reply_cache(mut self, cache: ReplyCacheOptions) -> Self {
        self.reply_cache = cache;
        self
    }

    /// A heartbeat of a worker that did not say READY counts as READY: for workers of others that never say it again.
    /// - Default: off; it is ignored and counted, as RFC 6 wants it
    #[must_use]
    pub const fn heartbeat_registers(mut self) -> Self {
        self.heartbeat_registers = true;
        self
    }

    pub(crate) const fn interval(&self) -> Duration {
        self.heartbeat.interval
    }
}

impl Default for QueueOptions {
    fn default() -> Self {
        Self {
            heartbeat: HeartbeatOptions::default(),
            attempts: const { NonZeroU32::new(5).unwrap() },
            queue_ttl: Duration::from_secs(30),
            processing_deadline: Duration::from_secs(900),
            waiting_bytes: 64 << 20,
            max_frames: MAX_FRAMES,
            heartbeat_registers: false,
            reply_cache: ReplyCacheOptions::default(),
        }
    }
}
