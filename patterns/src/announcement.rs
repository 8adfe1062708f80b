//! The READY property by which our own peers announce what they can. PURE.
//!
//! ```text
//! X-Privateer: 1;majordomo,capacity=8,heartbeat=2500
//! ```
//!
//! Other implementations store and ignore it (RFC 37). What it stands for is used only between two peers that both
//! announced it; towards all others we keep to the protocol to the letter.
#![deny(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation
)]

use std::str::FromStr;
use std::time::Duration;

/// The name of the READY property.
pub const PROPERTY: &str = "X-Privateer";

/// The number of our extensions, first in the property's value.
pub const EXTENSION: &str = "1";

/// The property's value, as a peer sent it: unknown tokens are passed over.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Announcement<'a>(&'a str);

const HEARTBEAT: &str = "heartbeat";

impl<'a> Announcement<'a> {
    /// None if there is no such property, or one of another extension.
    pub(crate) fn read(property: Option<&'a [u8]>) -> Option<Self> {
        let value = std::str::from_utf8(property?).ok()?;
        match value.split_once(';') {
            Some((EXTENSION, tokens)) => Some(Self(tokens)),
            _ => None,
        }
    }

    pub(crate) fn has(self, token: &str) -> bool {
        self.0.split(',').any(|other| other == token)
    }

    /// The first value of this name that can be read.
    pub(crate) fn value<T: FromStr>(self, name: &str) -> Option<T> {
        let value = |token: &str| token.strip_prefix(name)?.strip_prefix('=')?.parse().ok();
        self.0.split(',').find_map(value)
    }

    /// The interval at which the peer sends heartbeats.
    pub(crate) fn heartbeat(self) -> Option<Duration> {
        self.value(HEARTBEAT).map(Duration::from_millis)
    }
}

/// The property's value for these tokens.
pub(crate) fn announce(tokens: &[String]) -> String {
    format!("{EXTENSION};{}", tokens.join(","))
}

/// The token for an interval, rounded up to milliseconds.
pub(crate) fn heartbeat_token(interval: Duration) -> String {
    let micros = interval.as_micros();
    format!("{HEARTBEAT}={}", micros.div_ceil(1000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_announced_is_read() {
        let tokens = [
            "one".to_owned(),
            heartbeat_token(Duration::from_micros(2_500)),
        ];
        let value = announce(&tokens);
        assert_eq!(value, "1;one,heartbeat=3");
        let read = Announcement::read(Some(value.as_bytes())).unwrap();
        assert!(read.has("one") && !read.has("on") && !read.has("heartbeat"));
        assert_eq!(read.heartbeat(), Some(Duration::from_millis(3)));
        assert_eq!(read.value::<u16>("one"), None);
    }
}
