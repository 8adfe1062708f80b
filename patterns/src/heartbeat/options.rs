//! [`HeartbeatOptions`]: how often to beat, and how long to wait. PURE.
#![deny(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation
)]

use std::num::NonZeroU32;
use std::time::Duration;

use privateer_core::Message;

/// How often to beat, and how long a peer may be silent.
#[derive(Clone, Debug)]
pub struct HeartbeatOptions {
    pub(crate) interval: Duration,
    pub(crate) liveness: u32,
    pub(crate) beat: Message,
    pub(crate) greeting: Option<Message>,
}

/// A peer cannot announce that it is never to be judged.
const LONGEST: Duration = Duration::from_secs(60);

impl HeartbeatOptions {
    /// How often a heartbeat is sent if nothing else was, and the interval of peers that announced none.
    /// - Default: 1 second, as in the guide    - Range: 1 ms and up; less counts as 1 ms
    #[must_use]
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = at_least_1_ms(interval);
        self
    }

    /// After how many silent intervals, of its own, a peer is presumed dead.
    /// - Unit: heartbeat intervals    - Default: 3    - Range: 1 and up; less than 2 forgives no delay at all
    #[must_use]
    pub const fn liveness(mut self, intervals: NonZeroU32) -> Self {
        self.liveness = intervals.get();
        self
    }

    /// The message that is a heartbeat, in both directions. What is received and equal to it is life and no more: nobody
    /// is given it.
    /// - Default: 02; one frame of one octet, as in the Paranoid Pirate protocol (RFC 6)    - Range: any
    #[must_use]
    pub fn beat(mut self, message: impl Into<Message>) -> Self {
        self.beat = message.into();
        self
    }

    /// What a [`HeartbeatDealer`](super::HeartbeatDealer) sends first on each connection; a ROUTER sends none.
    /// - Default: none    - Range: any
    #[must_use]
    pub fn greeting(mut self, message: impl Into<Message>) -> Self {
        self.greeting = Some(message.into());
        self
    }

    /// How long a peer may be silent that announced this interval, or none.
    ///
    /// An announced interval counts as at least 1 ms and at most a minute, or as ours if that is longer.
    #[must_use]
    pub fn expiry(&self, announced: Option<Duration>) -> Duration {
        let interval = announced.map_or(self.interval, |announced| {
            at_least_1_ms(announced).min(LONGEST.max(self.interval))
        });
        interval.saturating_mul(self.liveness)
    }
}

impl Default for HeartbeatOptions {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(1),
            liveness: 3,
            beat: Message::from(&[2_u8]),
            greeting: None,
        }
    }
}

pub(crate) fn at_least_1_ms(interval: Duration) -> Duration {
    interval.max(Duration::from_millis(1))
}
