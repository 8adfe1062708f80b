//! [`SocketOptions`] of busy polling: looking for an answer in place of sleeping until it comes.

use std::sync::OnceLock;
use std::thread::available_parallelism;
use std::time::Duration;

use tokio::runtime::{Handle, RuntimeFlavor};

use super::SocketOptions;

/// REQ's and REP's own. A round trip between two who are awake takes 10 to 30 µs.
const IN_TURN: Duration = Duration::from_micros(50);

/// What nobody waits for awake.
const LONGEST: Duration = Duration::from_millis(1);

impl SocketOptions {
    /// How long, after something was sent to a peer, its connection looks for what comes back before the thread goes to
    /// sleep.
    ///
    /// To put a processor to sleep and to wake it again takes longer than many an answer does: over loopback, round trips
    /// take about half as long without. Other tasks of the runtime go first, always. What it costs is a processor that is
    /// busy where it would be idle. So an answer is looked for only after four in a row were quick, and after each that did
    /// not come within the limit only after twice as many. Where the limit is the default, and the process has one
    /// processor, none is.
    ///
    /// It serves where each message waits for the one before: also on a DEALER or ROUTER, with one request at a time. With
    /// many under way there is nothing to gain. On a multi-threaded runtime, whose other threads are woken by it again and
    /// again, most round trips are a third shorter, and the longest ones longer.
    /// - Default: `None`; that is 50 µs for REQ and REP on a current-thread runtime, and not at all elsewhere
    /// - Range: zero to 1 ms or `None`; zero is not at all, and longer counts as 1 ms
    /// - Applies to: tcp and ipc
    /// - Takes effect: when the socket is made
    /// - libzmq: none
    #[must_use]
    pub fn busy_poll(mut self, limit: Option<Duration>) -> Self {
        self.busy_poll = limit.map(|limit| limit.min(LONGEST));
        self
    }

    /// What applies to a socket whose messages go to and fro in turn, or not; none for never.
    pub(crate) fn busy_poll_limit(&self, in_turn: bool, runtime: &Handle) -> Option<Duration> {
        let limit = self.busy_poll.or_else(|| {
            let is_alone = runtime.runtime_flavor() == RuntimeFlavor::CurrentThread;
            let applies = in_turn && is_alone && has_processor_to_spare();
            applies.then_some(IN_TURN)
        });
        limit.filter(|limit| !limit.is_zero())
    }
}

/// Whether somebody else can answer while a thread looks.
fn has_processor_to_spare() -> bool {
    // To ask the system reads files.
    static PROCESSORS: OnceLock<usize> = OnceLock::new();
    *PROCESSORS.get_or_init(|| available_parallelism().map_or(1, usize::from)) > 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit_of(options: &SocketOptions, in_turn: bool) -> Option<Duration> {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        options.busy_poll_limit(in_turn, runtime.unwrap().handle())
    }

    #[test]
    fn only_who_takes_turns_looks_unless_it_is_told_to() {
        let default = SocketOptions::new();
        let own = has_processor_to_spare().then_some(IN_TURN);
        assert_eq!(limit_of(&default, true), own);
        assert_eq!(limit_of(&default, false), None);
        let never = SocketOptions::new().busy_poll(Some(Duration::ZERO));
        assert_eq!(limit_of(&never, true), None);
        let always = SocketOptions::new().busy_poll(Some(Duration::from_secs(1)));
        assert_eq!(limit_of(&always, false), Some(LONGEST));
    }

    #[test]
    fn of_many_threads_none_looks_unless_it_is_told_to() {
        let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
        let limit = |options: &SocketOptions| options.busy_poll_limit(true, runtime.handle());
        assert_eq!(limit(&SocketOptions::new()), None);
        let told = SocketOptions::new().busy_poll(Some(IN_TURN));
        assert_eq!(limit(&told), Some(IN_TURN));
    }
}
