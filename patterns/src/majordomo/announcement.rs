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

/// The name of the READY property.
pub const PROPERTY: &str = "X-Privateer";

/// The number of our extensions, first in the property's value.
pub const EXTENSION: &str = "1";

const MAJORDOMO: &str = "majordomo";
const CAPACITY: &str = "capacity=";

/// What is known about a peer from the properties of its READY.
///
/// The default is a stranger: a program that follows RFC 7 and no more.
///
/// # Example
/// ```
/// use privateer::majordomo::PeerFacts;
///
/// let facts = PeerFacts::read(Some(b"1;majordomo,capacity=8"));
/// assert!(facts.privateer);
/// assert_eq!(facts.capacity.get(), 8);
/// assert_eq!(facts.property(), "1;majordomo,capacity=8");
/// assert_eq!(PeerFacts::read(None), PeerFacts::default());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerFacts {
    /// Whether it announced our Majordomo: a broker that returns envelopes and heartbeats busy workers, a worker that
    /// heartbeats while it is busy.
    pub privateer: bool,
    /// How many requests a worker takes at a time.
    /// - Unit: requests    - Default: 1    - Range: 1 to 65,535
    pub capacity: NonZeroU16,
}

impl PeerFacts {
    /// One of us, with this capacity.
    #[must_use]
    pub const fn privateer(capacity: NonZeroU16) -> Self {
        Self {
            privateer: true,
            capacity,
        }
    }

    /// Reads the value of the property, `1;token,token`; unknown tokens are skipped, anything else is a stranger's.
    #[must_use]
    pub fn read(property: Option<&[u8]>) -> Self {
        let mut facts = Self::default();
        let value = property.and_then(|value| std::str::from_utf8(value).ok());
        let Some((EXTENSION, tokens)) = value.and_then(|value| value.split_once(';')) else {
            return facts;
        };
        facts.privateer = tokens.split(',').any(|token| token == MAJORDOMO);
        if facts.privateer {
            let mut capacities = tokens
                .split(',')
                .filter_map(|token| token.strip_prefix(CAPACITY)?.parse().ok());
            facts.capacity = capacities.next().unwrap_or(NonZeroU16::MIN);
        }
        facts
    }

    /// The value of the property by which a peer of ours announces this.
    #[must_use]
    pub fn property(&self) -> String {
        format!("{EXTENSION};{MAJORDOMO},{CAPACITY}{}", self.capacity)
    }
}

impl Default for PeerFacts {
    fn default() -> Self {
        Self {
            privateer: false,
            capacity: NonZeroU16::MIN,
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
            assert_eq!(PeerFacts::read(Some(facts.property().as_bytes())), facts);
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
