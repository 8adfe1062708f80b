//! [`WorkerOptions`]: how a worker behaves. PURE.
#![deny(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation
)]

use std::num::{NonZeroU16, NonZeroU32};
use std::time::Duration;

use crate::heartbeat::HeartbeatOptions;
use crate::majordomo::protocol::MAX_FRAMES;

/// How a worker behaves. The default fits reference brokers as well as ours.
#[derive(Clone, Debug)]
pub struct WorkerOptions {
    pub(super) heartbeat: HeartbeatOptions,
    pub(super) capacity: NonZeroU16,
    pub(super) max_waiting: usize,
    pub(super) max_frames: usize,
    pub(super) first_delay: Duration,
    pub(super) longest_delay: Duration,
}

impl WorkerOptions {
    /// How often the worker sends a HEARTBEAT if it sent nothing else, and the interval that it
    /// expects of a broker that announced none.
    /// - Default: 2.5 seconds, as reference brokers have it    - Range: 1 ms and up; less counts as 1 ms
    #[must_use]
    pub fn heartbeat_interval(mut self, interval: Duration) -> Self {
        self.heartbeat = self.heartbeat.interval(interval);
        self
    }

    /// After how many silent intervals the worker connects anew.
    /// - Unit: heartbeat intervals    - Default: 3    - Range: 1 and up
    #[must_use]
    pub fn liveness(mut self, intervals: NonZeroU32) -> Self {
        self.heartbeat = self.heartbeat.liveness(intervals);
        self
    }

    /// How many requests the worker works on at a time. A reference broker gives it one at a time all the same.
    /// - Unit: requests    - Default: 1    - Range: 1 to 65,535
    #[must_use]
    pub const fn capacity(mut self, requests: NonZeroU16) -> Self {
        self.capacity = requests;
        self
    }

    /// How many requests beyond its capacity the worker keeps, if a broker sends them; more are dropped.
    /// - Unit: requests    - Default: 1000, a pipe's high-water mark    - Range: any
    #[must_use]
    pub const fn max_waiting(mut self, requests: usize) -> Self {
        self.max_waiting = requests;
        self
    }

    /// How many frames a message may have; one with more is dropped as malformed.
    /// - Unit: frames, all counted    - Default: 1024    - Range: any; requests have at least 6
    #[must_use]
    pub const fn max_frames(mut self, frames: usize) -> Self {
        self.max_frames = frames;
        self
    }

    /// How long the worker waits before it connects anew, after the connection ended, or the broker was silent or sent
    /// DISCONNECT: from `first`, doubled each time, up to `longest`. A command of the broker other than DISCONNECT starts it again at `first`.
    /// - Default: 250 ms, 10 seconds    - Range: any; each delay is cut at random to between half and all of it
    #[must_use]
    pub const fn reconnect_delay(mut self, first: Duration, longest: Duration) -> Self {
        self.first_delay = first;
        self.longest_delay = longest;
        self
    }
}

impl Default for WorkerOptions {
    fn default() -> Self {
        Self {
            heartbeat: HeartbeatOptions::default().interval(Duration::from_millis(2500)),
            capacity: NonZeroU16::MIN,
            max_waiting: 1000,
            max_frames: MAX_FRAMES,
            first_delay: Duration::from_millis(250),
            longest_delay: Duration::from_secs(10),
        }
    }
}
