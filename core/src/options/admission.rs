//! [`SocketOptions`] of who may connect.

use std::collections::BTreeSet;

use super::SocketOptions;

/// Which users may connect over ipc; all, if none is named.
#[derive(Clone, Debug, Default)]
pub(crate) struct IpcFilters {
    pub(crate) ipc_filter_uid: BTreeSet<u32>,
    pub(crate) ipc_filter_gid: BTreeSet<u32>,
}

impl SocketOptions {
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
