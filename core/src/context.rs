//! [`Context`]: the name space of inproc and memory endpoints, and the end of all its sockets.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, LazyLock, Weak};
use std::time::Duration;

use crate::endpoint::Endpoint;
use crate::error::{ShutdownReport, SocketReport};
use crate::network::Network;
use crate::options::{Linger, SocketOptions};
use crate::socket::core::{Core, Phase};
use crate::socket::outbound::Slot;
use crate::sync::Mutex;
use crate::watch;

/// The name space of inproc and memory endpoints. Cheap to clone; clones are the same context.
///
/// Sockets need none: without one they share the process's. Make one where two parts of a program must not meet by
/// accident.
///
/// # Example
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use privateer_core::{Context, PairSocket, SocketOptions};
///
/// let context = Context::new();
/// let ours = PairSocket::with_options(SocketOptions::new().context(&context))?;
/// let other = PairSocket::new()?;
/// ours.bind("inproc://name").await?;
/// other.bind("inproc://name").await?; // another name space, no clash
/// # Ok(()) }
/// ```
///
/// A context may have defaults for its sockets, where libzmq has `ZMQ_IPV6` and `ZMQ_BLOCKY`:
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use privateer_core::{Context, Linger, PushSocket, SocketOptions};
///
/// let context = Context::with_defaults(SocketOptions::new().ipv6().linger(Linger::Discard));
/// let push = PushSocket::with_options(context.socket_options().immediate())?;
/// # Ok(()) }
/// ```
#[derive(Clone, Default)]
pub struct Context {
    names: Arc<Mutex<NameSpace>>,
    sockets: Arc<Mutex<Sockets>>,
    network: Network,
    /// None for those of [`SocketOptions`].
    defaults: Option<Arc<SocketOptions>>,
}

/// The sockets of a context, also those that are closing.
#[derive(Default)]
struct Sockets {
    all: Vec<Weak<Core>>,
    /// How many there were when those that are gone were left out.
    kept: usize,
    shut_down: bool,
}

/// Who is bound to which name, and who waits for one to be.
#[derive(Default)]
pub(crate) struct NameSpace {
    pub(crate) bound: HashMap<Box<str>, Weak<Core>>,
    /// By name, so that those who meet at once always do so in the same order.
    pub(crate) waiting: BTreeMap<Box<str>, Vec<Waiting>>,
}

/// A socket that connected to a name before it was bound.
pub(crate) struct Waiting {
    pub(crate) core: Weak<Core>,
    pub(crate) endpoint: Endpoint,
    /// Where the messages are that the socket's owner has sent already.
    pub(crate) outbound: Slot,
    /// Whether it is still to wait; dropped when the wait is over.
    pub(crate) phase: watch::Receiver<Phase>,
}

static GLOBAL: LazyLock<Context> = LazyLock::new(Context::default);

impl Context {
    /// A name space of its own.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A name space of its own, whose [`socket_options`](Self::socket_options) are these.
    #[must_use]
    pub fn with_defaults(options: SocketOptions) -> Self {
        Self {
            defaults: Some(Arc::new(options)),
            ..Self::default()
        }
    }

    /// Options for a socket of this context: its defaults, and itself as the context.
    ///
    /// [`SocketOptions::context`] by itself leaves all other options as they are.
    #[must_use]
    pub fn socket_options(&self) -> SocketOptions {
        let defaults = self.defaults.as_deref().cloned();
        defaults.unwrap_or_default().context(self)
    }

    /// The one that sockets share that were given none.
    #[must_use]
    pub fn global() -> Self {
        GLOBAL.clone()
    }

    /// Closes all sockets of this context for good, within `deadline`.
    ///
    /// Whoever waits in a call of theirs is woken, and is told that the socket is closed. Each stops listening, then takes
    /// no more messages, then sends what is queued, within its linger time and at most until the deadline; the report
    /// tells how many messages did not go out. Sockets that were closing before have until the deadline, too, but no
    /// longer. When this returns, connections, tasks and ports of all of them are gone. It may be called again: the
    /// deadline that is over first counts, and the report is the same.
    ///
    /// A socket that is made with this context later is closed from the beginning. A socket whose runtime stands still
    /// is waited for. (libzmq: `zmq_ctx_shutdown` and `zmq_ctx_term`)
    ///
    /// # Cancel safety
    /// Dropped before it is ready, the sockets go on closing in the background.
    ///
    /// # Example
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::time::Duration;
    /// use privateer_core::{Context, PullSocket, RecvError};
    ///
    /// let context = Context::new();
    /// let pull = PullSocket::with_options(context.socket_options())?;
    /// pull.bind("tcp://127.0.0.1:*").await?;
    /// let (report, received) = tokio::join!(context.shutdown(Duration::from_secs(1)), pull.recv());
    /// assert_eq!(received, Err(RecvError::Closed));
    /// assert_eq!(report.unsent(), 0);
    /// # Ok(()) }
    /// ```
    pub async fn shutdown(&self, deadline: Duration) -> ShutdownReport {
        let all: Vec<_> = {
            let mut sockets = self.sockets.lock();
            sockets.shut_down = true;
            sockets.all.iter().filter_map(Weak::upgrade).collect()
        };
        // All at once: each has the whole time.
        let mut closing = Vec::new();
        for core in all {
            let linger = match core.live.linger() {
                Linger::Discard => Linger::Discard,
                Linger::For(limit) => Linger::For(limit.min(deadline)),
                Linger::Forever => Linger::For(deadline),
            };
            let endpoints = core.endpoints.lock().all();
            closing.push((core.socket_type, endpoints, core.close(linger)));
        }
        let mut sockets = Vec::new();
        for (socket_type, endpoints, closing) in closing {
            sockets.push(SocketReport {
                socket_type,
                endpoints,
                unsent: closing.await.unsent,
            });
        }
        ShutdownReport { sockets }
    }

    /// Knows a new socket from now on; tells whether it is too late for one.
    pub(crate) fn add(&self, core: &Arc<Core>) -> bool {
        let mut sockets = self.sockets.lock();
        if sockets.all.len() >= 2 * sockets.kept.max(8) {
            sockets.all.retain(|socket| socket.strong_count() > 0);
            sockets.kept = sockets.all.len();
        }
        sockets.all.push(Arc::downgrade(core));
        sockets.shut_down
    }

    /// The simulated network of the context's memory endpoints.
    #[must_use]
    pub const fn network(&self) -> &Network {
        &self.network
    }

    pub(crate) fn names(&self) -> &Mutex<NameSpace> {
        &self.names
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use super::*;

    #[test]
    fn a_contexts_defaults_are_where_its_sockets_begin() {
        let defaults = SocketOptions::new().ipv6().linger(Linger::Discard);
        let context = Context::with_defaults(defaults);
        let options = context.socket_options().send_hwm(NonZeroUsize::new(1));
        assert!(options.kernel.ipv6);
        assert_eq!(options.linger, Linger::Discard);
        assert_eq!(options.send.messages, NonZeroUsize::new(1));
        assert!(Arc::ptr_eq(&options.context.names, &context.names));
        // Once more, and nothing of the socket before is left.
        let next = context.clone().socket_options();
        assert_eq!(next.send.messages, SocketOptions::new().send.messages);
        assert!(Arc::ptr_eq(&next.context.names, &context.names));
    }

    #[test]
    fn a_context_without_defaults_has_those_of_the_options() {
        let context = Context::new();
        let options = context.socket_options();
        assert_eq!(
            format!("{options:?}"),
            format!("{:?}", SocketOptions::new())
        );
        assert!(Arc::ptr_eq(&options.context.names, &context.names));
    }
}
