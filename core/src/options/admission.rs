//! [`SocketOptions`] of who may connect.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;

use super::SocketOptions;
use crate::connection::Connection;

/// Who wants to connect, as far as that is known before anything is said.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Incoming {
    /// The connection: its number, its endpoint and its addresses.
    pub connection: Connection,
    /// The other side's network address, over tcp; an IPv4 address as such, also on an IPv6 listener.
    pub ip: Option<IpAddr>,
    /// The user of the process on the other side, over ipc.
    pub uid: Option<u32>,
    /// The group of that process, over ipc.
    pub gid: Option<u32>,
}

/// What decides who may connect.
#[derive(Clone)]
pub(crate) struct AcceptHook(Arc<dyn Fn(&Incoming) -> bool + Send + Sync>);

impl AcceptHook {
    pub(crate) fn admits(&self, incoming: &Incoming) -> bool {
        (self.0)(incoming)
    }
}

impl fmt::Debug for AcceptHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AcceptHook")
    }
}

/// Which users may connect over ipc; all, if none is named.
#[derive(Clone, Debug, Default)]
pub(crate) struct IpcFilters {
    pub(crate) ipc_filter_uid: BTreeSet<u32>,
    pub(crate) ipc_filter_gid: BTreeSet<u32>,
}

impl SocketOptions {
    /// Asks a function of yours whether a connection is let in, before anything is said on it.
    ///
    /// Who is not let in finds the connection closed, and a [`HandshakeFailed`](crate::SocketEvent::HandshakeFailed) event
    /// tells ([`Refused`](crate::HandshakeFailure::Refused)). It is called on the runtime of the socket and must not
    /// block; ipc filters are asked after it.
    /// - Default: none; that lets everybody connect
    /// - Range: any function
    /// - Applies to: bound endpoints over tcp and ipc
    /// - Takes effect: when the socket is made
    /// - libzmq: none
    ///
    /// # Example
    /// ```
    /// use privateer_core::SocketOptions;
    ///
    /// let local = SocketOptions::new()
    ///     .accept_hook(|incoming| incoming.ip.is_none_or(|ip| ip.is_loopback()));
    /// ```
    #[must_use]
    pub fn accept_hook(mut self, hook: impl Fn(&Incoming) -> bool + Send + Sync + 'static) -> Self {
        self.accept_hook = Some(AcceptHook(Arc::new(hook)));
        self
    }

    /// How many connections may be there from one address, those included that still shake hands; more are refused.
    ///
    /// An address of IPv6 counts as its network of 64 bits, which one host can have for itself.
    /// - Unit: accepted connections of the socket
    /// - Default: `None`
    /// - Range: 1 and up or `None`
    /// - Applies to: bound endpoints over tcp
    /// - Takes effect: when the socket is made
    /// - libzmq: none
    #[must_use]
    pub const fn max_connections_per_address(mut self, connections: Option<NonZeroUsize>) -> Self {
        self.max_connections_per_address = connections;
        self
    }

    /// Lets processes of this user connect; those that no filter names are refused before they are spoken with.
    ///
    /// May be given several times. A process is let in if any filter names it, of those here and of
    /// [`ipc_filter_gid`](Self::ipc_filter_gid). The user is the one that it was when it connected, as the kernel tells.
    /// - Unit: user id
    /// - Default: none; that lets everybody connect who may open the file
    /// - Range: 0 and up
    /// - Applies to: bound endpoints over ipc
    /// - Takes effect: when the socket is made
    /// - libzmq: `ZMQ_IPC_FILTER_UID`
    #[must_use]
    pub fn ipc_filter_uid(mut self, uid: u32) -> Self {
        self.ipc_filters.ipc_filter_uid.insert(uid);
        self
    }

    /// Lets processes of this group connect: it is their own, or the group database has their user as a member of it.
    ///
    /// May be given several times, and beside [`ipc_filter_uid`](Self::ipc_filter_uid).
    /// - Unit: group id
    /// - Default: none; that lets everybody connect who may open the file
    /// - Range: 0 and up
    /// - Applies to: bound endpoints over ipc
    /// - Takes effect: when the socket is made
    /// - libzmq: `ZMQ_IPC_FILTER_GID`
    #[must_use]
    pub fn ipc_filter_gid(mut self, gid: u32) -> Self {
        self.ipc_filters.ipc_filter_gid.insert(gid);
        self
    }
}
