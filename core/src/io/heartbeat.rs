//! PURE. [`Heartbeat`]: when to send a PING, and when a peer counts as dead (RFC 37, Connection Heartbeating).
#![deny(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation
)]

use std::time::Duration;

use tokio::time::Instant;

/// The heartbeat of one connection. Any octet read is life.
#[derive(Debug)]
pub(crate) struct Heartbeat {
    interval: Duration,
    timeout: Duration,
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// Since then nothing was heard.
    Listening(Instant),
    /// A PING is given out and not written yet; looked at then.
    Asking(Instant),
    /// A PING was written then, and nothing was heard since.
    Asked(Instant),
    /// Reading has stopped on this side, so silence says nothing.
    Suspended(Instant),
}

/// What is to be done now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    Nothing,
    Ping,
    Dead,
}

impl Heartbeat {
    pub(crate) const fn new(interval: Duration, timeout: Duration, now: Instant) -> Self {
        Self {
            interval,
            timeout,
            state: State::Listening(now),
        }
    }

    /// Something was read.
    pub(crate) const fn heard(&mut self, now: Instant) {
        self.state = State::Listening(now);
    }

    /// Reading has stopped until [`heard`](Self::heard).
    pub(crate) const fn suspend(&mut self) {
        let (State::Listening(at) | State::Asking(at) | State::Asked(at) | State::Suspended(at)) =
            self.state;
        self.state = State::Suspended(at);
    }

    /// Whether a PING is given out that is not written yet.
    pub(crate) const fn is_asking(&self) -> bool {
        matches!(self.state, State::Asking(_))
    }

    /// The last octet of the PING was written: only now can the peer be late.
    pub(crate) const fn asked(&mut self, now: Instant) {
        if self.is_asking() {
            self.state = State::Asked(now);
        }
    }

    /// What is to be done at `now`.
    pub(crate) fn due(&mut self, now: Instant) -> Due {
        match self.state {
            State::Listening(since) if now >= since + self.interval => {
                self.state = State::Asking(now);
                Due::Ping
            }
            State::Asking(at) if now >= at + self.interval => {
                self.state = State::Asking(now);
                Due::Nothing
            }
            State::Asked(at) if now >= at + self.timeout => Due::Dead,
            // Our own PINGs go on, so that the peer sees life.
            State::Suspended(since) if now >= since + self.interval => {
                self.state = State::Suspended(now);
                Due::Ping
            }
            _ => Due::Nothing,
        }
    }

    /// When to ask again.
    pub(crate) fn next(&self) -> Instant {
        match self.state {
            State::Listening(at) | State::Asking(at) | State::Suspended(at) => at + self.interval,
            State::Asked(at) => at + self.timeout,
        }
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests own a clock")]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_secs(30);
    const TIMEOUT: Duration = Duration::from_secs(10);

    #[tokio::test(start_paused = true)]
    async fn silence_leads_to_a_ping_and_then_to_death() {
        let start = Instant::now();
        let mut heartbeat = Heartbeat::new(INTERVAL, TIMEOUT, start);
        assert_eq!(heartbeat.due(start + INTERVAL / 2), Due::Nothing);
        assert_eq!(heartbeat.next(), start + INTERVAL);
        assert_eq!(heartbeat.due(start + INTERVAL), Due::Ping);
        heartbeat.asked(start + INTERVAL);
        assert_eq!(heartbeat.next(), start + INTERVAL + TIMEOUT);
        assert_eq!(heartbeat.due(start + INTERVAL + TIMEOUT), Due::Dead);
    }

    #[tokio::test(start_paused = true)]
    async fn anything_heard_is_life() {
        let start = Instant::now();
        let mut heartbeat = Heartbeat::new(INTERVAL, TIMEOUT, start);
        assert_eq!(heartbeat.due(start + INTERVAL), Due::Ping);
        heartbeat.asked(start + INTERVAL);
        heartbeat.heard(start + INTERVAL + TIMEOUT / 2);
        assert_eq!(heartbeat.due(start + INTERVAL + TIMEOUT), Due::Nothing);
    }

    #[tokio::test(start_paused = true)]
    async fn the_timeout_runs_from_when_the_ping_was_written() {
        let start = Instant::now();
        let mut heartbeat = Heartbeat::new(INTERVAL, TIMEOUT, start);
        assert_eq!(heartbeat.due(start + INTERVAL), Due::Ping);
        for intervals in 2..5 {
            assert!(heartbeat.is_asking());
            assert_eq!(heartbeat.next(), start + INTERVAL * intervals);
            assert_eq!(heartbeat.due(start + INTERVAL * intervals), Due::Nothing);
        }
        let written = start + INTERVAL * 9 / 2;
        heartbeat.asked(written);
        assert_eq!(heartbeat.due(written), Due::Nothing);
        assert_eq!(heartbeat.next(), written + TIMEOUT);
        assert_eq!(heartbeat.due(written + TIMEOUT), Due::Dead);
    }

    #[tokio::test(start_paused = true)]
    async fn a_suspended_connection_is_never_dead_and_still_pings() {
        let start = Instant::now();
        let mut heartbeat = Heartbeat::new(INTERVAL, TIMEOUT, start);
        assert_eq!(heartbeat.due(start + INTERVAL), Due::Ping);
        heartbeat.suspend();
        assert_eq!(heartbeat.due(start + INTERVAL * 2), Due::Ping);
        assert_eq!(heartbeat.due(start + INTERVAL * 3), Due::Ping);
    }
}
