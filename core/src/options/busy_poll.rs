//! [`SocketOptions`] of busy polling: looking for an answer in place of sleeping until it comes.

use std::sync::OnceLock;
use std::thread::available_parallelism;
use std::time::Duration;

use tokio::runtime::{Handle, RuntimeFlavor};

use super::SocketOptions;

/// A round trip within a machine, between two who are awake, takes 10 to 30 µs.
const DEFAULT_LIMIT: Duration = Duration::from_micros(50);

/// The longest limit.
const LIMIT_MAX: Duration = Duration::from_millis(1);

/// Whether a connection looks for a quick answer before the thread goes to sleep.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BusyPoll {
    /// For 50 µs on REQ and REP sockets of a current-thread runtime, if the program may run on more than one processor;
    /// otherwise it does not.
    #[default]
    Auto,
    /// It does not.
    Off,
    /// It does for so long, whatever the type of the socket, the runtime and the processors.
    For(Duration),
}

impl SocketOptions {
    /// How long, after a message was sent to a peer, its connection looks for the answer before the thread goes to sleep
    /// (busy polling).
    ///
    /// To put a processor to sleep and to wake it again takes longer than many an answer does: with busy polling, round trips
    /// over loopback take about half as long. Other tasks of the runtime come first. What it costs is a processor that others
    /// might have used, for as long. So an answer is looked for only after four in a row were quick: they came within the
    /// limit, or within twice that to a thread that slept. After an answer that did not come in time it takes twice as many,
    /// until one is found in time again.
    ///
    /// It serves where each message waits for the one before: also on a DEALER or ROUTER, with one request at a time. With
    /// many under way there is nothing to gain. On a multi-thread runtime its other threads are woken by it again and again:
    /// most round trips are a third shorter there, and the longest ones are longer.
    ///
    /// The draft option `ZMQ_BUSY_POLL` of libzmq is something else: it lets the kernel look at the network card.
    /// - Default: `Auto`
    /// - Range: `Auto` or `Off` or `For` up to 1 ms; zero is off, and longer counts as 1 ms
    /// - Applies to: tcp and ipc, but not STREAM
    /// - Takes effect: when the socket is made
    /// - libzmq: none
    #[must_use]
    pub const fn busy_poll(mut self, busy_poll: BusyPoll) -> Self {
        self.busy_poll = busy_poll;
        self
    }

    /// What applies to a connection where requests and replies alternate, or not; none for never.
    pub(crate) fn busy_poll_limit(&self, alternates: bool, runtime: &Handle) -> Option<Duration> {
        let limit = match self.busy_poll {
            BusyPoll::Auto => {
                let is_alone = runtime.runtime_flavor() == RuntimeFlavor::CurrentThread;
                (alternates && is_alone && has_processors()).then_some(DEFAULT_LIMIT)
            }
            BusyPoll::Off => None,
            BusyPoll::For(limit) => Some(limit.min(LIMIT_MAX)),
        };
        limit.filter(|limit| !limit.is_zero())
    }
}

/// Whether there is more than one, so that a peer on this machine can answer while a thread looks.
fn has_processors() -> bool {
    // To ask the system reads files.
    static PROCESSORS: OnceLock<usize> = OnceLock::new();
    *PROCESSORS.get_or_init(|| available_parallelism().map_or(1, usize::from)) > 1
}

#[cfg(test)]
mod tests {
    use tokio::runtime::Builder;

    use super::*;

    #[test]
    fn who_alternates_looks_unless_it_is_told_otherwise() {
        let runtime = Builder::new_current_thread().build().unwrap();
        let limit = |busy_poll, alternates| {
            let options = SocketOptions::new().busy_poll(busy_poll);
            options.busy_poll_limit(alternates, runtime.handle())
        };
        let own = has_processors().then_some(DEFAULT_LIMIT);
        assert_eq!(limit(BusyPoll::default(), true), own);
        assert_eq!(limit(BusyPoll::default(), false), None);
        assert_eq!(limit(BusyPoll::Off, true), None);
        assert_eq!(limit(BusyPoll::For(Duration::ZERO), true), None);
        let longer = BusyPoll::For(Duration::from_secs(1));
        assert_eq!(limit(longer, false), Some(LIMIT_MAX));
    }

    #[test]
    fn of_many_threads_none_looks_unless_it_is_told_to() {
        let runtime = Builder::new_multi_thread().build().unwrap();
        let limit = |busy_poll| {
            let options = SocketOptions::new().busy_poll(busy_poll);
            options.busy_poll_limit(true, runtime.handle())
        };
        assert_eq!(limit(BusyPoll::Auto), None);
        let told = BusyPoll::For(DEFAULT_LIMIT);
        assert_eq!(limit(told), Some(DEFAULT_LIMIT));
    }
}
