//! What our own peers announce about themselves when a connection is made. PURE.
//!
//! The announcement is a READY property, which other implementations store and ignore (RFC 37). What it stands for is
//! used only between two peers that both announced it; towards all others we keep to RFC 7 to the letter.
#![deny(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation
)]

use std::num::NonZeroU16;
use std::time::Duration;

use crate::announcement::{Announcement, announce, heartbeat_token};

/// The token by which two of ours know each other.
pub(crate) const MAJORDOMO: &str = "majordomo";
const CAPACITY: &str = "capacity";

/// What is known about a peer of Majordomo or of the Paranoid Pirate pattern from the properties of its READY.
///
/// The default is a stranger: a program that follows RFC 7, or RFC 6, and no more.
///
/// # Example
/// ```
/// use privateer::majordomo::PeerFacts;
///
/// let facts = PeerFacts::read(Some(b"1;majordomo,capacity=8,heartbeat=2500"));
/// assert!(facts.privateer);
/// assert_eq!(facts.capacity.get(), 8);
/// assert_eq!(facts.heartbeat, Some(std::time::Duration::from_millis(2500)));
/// assert_eq!(facts.property(), "1;majordomo,capacity=8,heartbeat=2500");
/// assert_eq!(PeerFacts::read(None), PeerFacts::default());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerFacts {
    /// Whether it announced our form of the pattern: a broker that returns envelopes and heartbeats busy workers, a worker
    /// that heartbeats while it is busy.
    pub privateer: bool,
    /// How many requests a worker takes at a time.
    /// - Unit: requests    - Default: 1    - Range: 1 to 65,535
    pub capacity: NonZeroU16,
    /// How often it sends a heartbeat if it sends nothing else; none if it did not say.
    pub heartbeat: Option<Duration>,
}

impl PeerFacts {
    /// One of us, with this capacity, that does not say how often it sends heartbeats.
    #[must_use]
    pub const fn privateer(capacity: NonZeroU16) -> Self {
        Self {
            privateer: true,
            capacity,
            heartbeat: None,
        }
    }

    /// The same, with the interval of its heartbeats.
    #[must_use]
    pub const fn with_heartbeat(mut self, interval: Duration) -> Self {
        self.heartbeat = Some(interval);
        self
    }

    /// Reads the value of the property, `1;token,token`; unknown tokens are skipped, anything else is a stranger's.
    #[must_use]
    pub fn read(property: Option<&[u8]>) -> Self {
        Self::read_as(MAJORDOMO, property)
    }

    /// As [`read`](Self::read), of a peer of another pattern.
    pub(crate) fn read_as(pattern: &str, property: Option<&[u8]>) -> Self {
        let announcement = Announcement::read(property);
        match announcement.filter(|announcement| announcement.has(pattern)) {
            None => Self::default(),
            Some(announcement) => Self {
                privateer: true,
                capacity: announcement.value(CAPACITY).unwrap_or(NonZeroU16::MIN),
                heartbeat: announcement.heartbeat(),
            },
        }
    }

    /// The value of the property by which a peer of ours announces this.
    #[must_use]
    pub fn property(&self) -> String {
        self.property_as(MAJORDOMO)
    }

    /// As [`property`](Self::property), of a peer of another pattern.
    pub(crate) fn property_as(&self, pattern: &str) -> String {
        let mut tokens = vec![pattern.to_owned(), format!("{CAPACITY}={}", self.capacity)];
        tokens.extend(self.heartbeat.map(heartbeat_token));
        announce(&tokens)
    }
}

impl Default for PeerFacts {
    fn default() -> Self {
        Self {
            privateer: false,
            capacity: NonZeroU16::MIN,
            heartbeat: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for capacity in [1, 7, u16::MAX] {
            let facts = PeerFacts::privateer(NonZeroU16::new(capacity).unwrap());
            for facts in [facts, facts.with_heartbeat(Duration::from_millis(2500))] {
                assert_eq!(PeerFacts::read(Some(facts.property().as_bytes())), facts);
            }
        }
    }

    #[test]
    fn unknown_tokens_are_skipped() {
        let facts = PeerFacts::read(Some(b"1;credit,majordomo,capacity=x,capacity=4,"));
        assert!(facts.privateer);
        assert_eq!(facts.capacity.get(), 4);
    }

    #[test]
    fn anything_else_is_a_strangers() {
        for value in [
            "",
            "1",
            "1;",
            "2;majordomo",
            "1;clone",
            "majordomo",
            ";;;,,",
        ] {
            assert_eq!(
                PeerFacts::read(Some(value.as_bytes())),
                PeerFacts::default()
            );
        }
        assert_eq!(
            PeerFacts::read(Some(b"\xff;majordomo")),
            PeerFacts::default()
        );
        assert_eq!(PeerFacts::read(Some(b"1;capacity=9")), PeerFacts::default());
    }
}
