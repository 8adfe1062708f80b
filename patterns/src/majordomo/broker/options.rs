//! [`BrokerOptions`] and [`ServiceOptions`]: what a broker waits for, and how much it keeps. PURE.
#![deny(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation
)]

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::time::Duration;

use crate::heartbeat::HeartbeatOptions;
use crate::majordomo::protocol::MAX_FRAMES;

/// How a broker behaves. The default serves reference clients and workers as well as ours.
#[derive(Clone, Debug)]
pub struct BrokerOptions {
    pub(super) heartbeat: HeartbeatOptions,
    pub(super) client_bytes: usize,
    pub(super) max_services: usize,
    pub(super) max_frames: usize,
    pub(super) service: ServiceOptions,
    pub(super) services: HashMap<Vec<u8>, ServiceOptions>,
}

/// How a broker treats the requests for one service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServiceOptions {
    pub(super) attempts: NonZeroU32,
    pub(super) queue_ttl: Duration,
    pub(super) max_queued: usize,
    pub(super) processing_deadline: Duration,
}

impl BrokerOptions {
    /// How often the broker sends a HEARTBEAT to a worker to which it sent nothing else, and the interval that it
    /// expects of workers that announced none.
    /// - Default: 2.5 seconds, as reference workers have it    - Range: 1 ms and up; less counts as 1 ms
    #[must_use]
    pub fn heartbeat_interval(mut self, interval: Duration) -> Self {
        self.heartbeat = self.heartbeat.interval(interval);
        self
    }

    /// After how many silent intervals a worker is presumed dead.
    /// - Unit: heartbeat intervals    - Default: 3    - Range: 1 and up
    #[must_use]
    pub fn liveness(mut self, intervals: NonZeroU32) -> Self {
        self.heartbeat = self.heartbeat.liveness(intervals);
        self
    }

    /// How much the broker holds for one client before it stops reading from it: requests that wait or are being
    /// worked on, and replies that the client does not take. It reads again when half of that is left.
    /// - Unit: bytes, some 300 a message beside the bodies    - Default: 64 MiB    - Range: any; what was read stays
    #[must_use]
    pub const fn client_bytes(mut self, bytes: usize) -> Self {
        self.client_bytes = bytes;
        self
    }

    /// How many services there may be, with workers or with requests that wait for one. Requests for and workers of
    /// another are refused.
    /// - Unit: services    - Default: 10,000    - Range: any
    #[must_use]
    pub const fn max_services(mut self, services: usize) -> Self {
        self.max_services = services;
        self
    }

    /// How many frames a message may have; one with more is dropped as malformed.
    /// - Unit: frames, all counted    - Default: 1024    - Range: any; requests have at least 4
    #[must_use]
    pub const fn max_frames(mut self, frames: usize) -> Self {
        self.max_frames = frames;
        self
    }

    /// How requests for services without options of their own are treated.
    #[must_use]
    pub const fn default_service(mut self, options: ServiceOptions) -> Self {
        self.service = options;
        self
    }

    /// How requests for the service of this name are treated.
    #[must_use]
    pub fn service(mut self, name: impl Into<Vec<u8>>, options: ServiceOptions) -> Self {
        self.services.insert(name.into(), options);
        self
    }

    pub(super) fn for_service(&self, name: &[u8]) -> ServiceOptions {
        self.services.get(name).copied().unwrap_or(self.service)
    }
}

impl Default for BrokerOptions {
    fn default() -> Self {
        Self {
            heartbeat: HeartbeatOptions::default().interval(Duration::from_millis(2500)),
            client_bytes: 64 << 20,
            max_services: 10_000,
            max_frames: MAX_FRAMES,
            service: ServiceOptions::default(),
            services: HashMap::new(),
        }
    }
}

impl ServiceOptions {
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

    /// How long a request may wait for a worker.
    /// - Default: 30 seconds    - Range: any
    #[must_use]
    pub const fn queue_ttl(mut self, ttl: Duration) -> Self {
        self.queue_ttl = ttl;
        self
    }

    /// How many requests may wait for a worker; another one is dropped.
    /// - Unit: requests    - Default: 1,000,000, since the bytes are bounded for each client    - Range: any
    #[must_use]
    pub const fn max_queued(mut self, requests: usize) -> Self {
        self.max_queued = requests;
        self
    }

    /// How long a worker may take for a request if heartbeats do not show that it lives, since it sends none while it
    /// works, as reference workers.
    /// - Default: 900 seconds    - Range: any
    #[must_use]
    pub const fn processing_deadline(mut self, deadline: Duration) -> Self {
        self.processing_deadline = deadline;
        self
    }
}

impl Default for ServiceOptions {
    fn default() -> Self {
        Self {
            attempts: const { NonZeroU32::new(5).unwrap() },
            queue_ttl: Duration::from_secs(30),
            max_queued: 1_000_000,
            processing_deadline: Duration::from_secs(900),
        }
    }
}
