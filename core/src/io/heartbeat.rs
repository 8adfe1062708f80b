//! PURE. [`Heartbeat`]: when to send a PING, and when a peer counts as dead (RFC 37, Connection Heartbeating).
#![deny(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation
)]

use std::time::Duration;

use tokio::time::Instant;

/// The shortest interval between two PINGs.
const SHORTEST: Duration = Duration::from_millis(1);

/// The longest time that counts; an [`Instant`] has an end.
const LONGEST: Duration = Duration::from_secs(30 * 365 * 24 * 3600);

/// The heartbeat of one connection. Any octet read is life.
///
/// Two clocks may give the peer up: ours, which runs from when our PING was written, and the peer's, which runs for the
/// time to live in its own PING. Both stand still while reading is stopped on this side, ours also while output is
/// blocked: our PING may be behind what the peer has not taken yet.
#[derive(Debug)]
pub(crate) struct Heartbeat {
    /// After how long a silence a PING is due; none for never.
    interval: Option<Duration>,
    timeout: Duration,
    /// From when the silence counts that makes the next PING due.
    since: Instant,
    ping: Ping,
    /// When our last PING was written, and how many since the last PONG, that one included.
    written: (Instant, u32),
    /// How long the peer may be silent by its own word, and from when.
    time_to_live: Option<(Duration, Instant)>,
    /// Reading has stopped on this side, so silence says nothing.
    suspended: bool,
    /// What is to be written does not fit into the kernel.
    blocked: bool,
}

/// Our last PING, if nothing was heard after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ping {
    None,
    /// Given out, and not wholly written.
    Given,
    /// Written then, or waited for anew since then.
    Written(Instant),
}

/// What is to be done now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    Nothing,
    Ping,
    /// Our PING was not answered in time.
    Unanswered,
    /// The peer was silent for longer than its own PING allows.
    Expired,
}

impl Heartbeat {
    /// With no interval no PING is ever due, and only the peer's time to live counts.
    pub(crate) fn new(interval: Option<Duration>, timeout: Duration, now: Instant) -> Self {
        Self {
            interval: interval.map(|interval| interval.clamp(SHORTEST, LONGEST)),
            timeout: timeout.min(LONGEST),
            since: now,
            ping: Ping::None,
            written: (now, 0),
            time_to_live: None,
            suspended: false,
            blocked: false,
        }
    }

    /// Something was read.
    pub(crate) fn heard(&mut self, now: Instant) {
        self.since = now;
        if self.ping != Ping::Given {
            self.ping = Ping::None;
        }
        self.time_to_live = None;
        self.suspended = false;
    }

    /// The peer's PING has this time to live: silence from now on may last so long. Zero says nothing.
    pub(crate) fn allow(&mut self, time_to_live: Duration, now: Instant) {
        if self.time_to_live.is_none() && !time_to_live.is_zero() {
            self.time_to_live = Some((time_to_live, now));
        }
    }

    /// Reading has stopped.
    pub(crate) const fn suspend(&mut self) {
        self.suspended = true;
    }

    /// Whether reading has stopped.
    pub(crate) const fn is_suspended(&self) -> bool {
        self.suspended
    }

    /// Reading goes on: what the peer has answered meanwhile can be heard from now on.
    pub(crate) const fn resume(&mut self, now: Instant) {
        self.suspended = false;
        if let Some((_, from)) = &mut self.time_to_live {
            *from = now;
        }
        self.wait_anew(now);
    }

    /// Output is blocked from now on.
    pub(crate) const fn block(&mut self) {
        self.blocked = true;
    }

    /// Whether output is blocked.
    pub(crate) const fn is_blocked(&self) -> bool {
        self.blocked
    }

    /// Everything is written: the peer takes what we send, and has our PING from now on.
    pub(crate) const fn unblock(&mut self, now: Instant) {
        self.blocked = false;
        self.wait_anew(now);
    }

    const fn wait_anew(&mut self, now: Instant) {
        if let Ping::Written(at) = &mut self.ping {
            *at = now;
        }
    }

    /// Whether a PING is given out that is not written yet.
    pub(crate) const fn is_asking(&self) -> bool {
        matches!(self.ping, Ping::Given)
    }

    /// The last octet of the PING was written: only now can the peer be late.
    pub(crate) const fn asked(&mut self, now: Instant) {
        if self.is_asking() {
            self.ping = Ping::Written(now);
            self.written = (now, self.written.1.saturating_add(1));
        }
    }

    /// The peer has answered a PING; returns how long it took, if it was the last one.
    pub(crate) fn answered(&mut self, now: Instant) -> Option<Duration> {
        let (at, pings) = &mut self.written;
        let is_last = *pings == 1;
        // They are answered in order; whoever says PONG unasked is not heard.
        *pings = pings.saturating_sub(1);
        is_last.then(|| now.saturating_duration_since(*at))
    }

    /// What is to be done at `now`.
    pub(crate) fn due(&mut self, now: Instant) -> Due {
        match self.first() {
            Some((at, due)) if now >= at => {
                if due == Due::Ping {
                    self.since = now;
                    self.ping = Ping::Given;
                }
                due
            }
            _ => Due::Nothing,
        }
    }

    /// When to ask again, if there is anything to wait for.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.first().map(|(at, _)| at)
    }

    /// What is due first.
    fn first(&self) -> Option<(Instant, Due)> {
        let expired = self.time_to_live.filter(|_| !self.suspended);
        let expired = expired.map(|(time, from)| (from + time, Due::Expired));
        let ours = match self.ping {
            // Our own PINGs go on while reading is stopped, so that the peer sees life.
            Ping::Written(_) if self.suspended => self.next_ping(),
            Ping::Written(_) if self.blocked => None,
            Ping::Written(at) => Some((at + self.timeout, Due::Unanswered)),
            Ping::None => self.next_ping(),
            Ping::Given => None,
        };
        [expired, ours]
            .into_iter()
            .flatten()
            .min_by_key(|(at, _)| *at)
    }

    fn next_ping(&self) -> Option<(Instant, Due)> {
        self.interval
            .map(|interval| (self.since + interval, Due::Ping))
    }
}

#[cfg(test)]
mod tests;
