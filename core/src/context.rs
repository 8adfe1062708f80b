//! [`Context`]: the name space of inproc and memory endpoints.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, LazyLock, Weak};

use tokio::sync::watch;

use crate::endpoint::Endpoint;
use crate::network::Network;
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
#[derive(Clone, Default)]
pub struct Context {
    names: Arc<Mutex<Names>>,
    network: Network,
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
