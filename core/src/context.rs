//! [`Context`]: the name space of inproc and memory endpoints.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, LazyLock, Weak};

use tokio::sync::watch;

use crate::endpoint::Endpoint;
use crate::network::Network;
use crate::options::SocketOptions;
use crate::socket::core::{Core, Phase};
use crate::socket::outbound::Slot;
use crate::sync::Mutex;

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
    names: Arc<Mutex<Names>>,
    network: Network,
    /// None for those of [`SocketOptions`].
    defaults: Option<Arc<SocketOptions>>,
}

/// Who is bound to which name, and who waits for one to be.
#[derive(Default)]
pub(crate) struct Names {
    pub(crate) bound: HashMap<Box<str>, Weak<Core>>,
    pub(crate) waiting: HashMap<Box<str>, Vec<Waiting>>,
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

    /// The simulated network of the context's memory endpoints.
    #[must_use]
    pub const fn network(&self) -> &Network {
        &self.network
    }

    pub(crate) fn names(&self) -> &Mutex<Names> {
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
    use crate::options::Linger;

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
