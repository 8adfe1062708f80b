//! Who is on the other side of an ipc connection, and whether that user may connect.

use crate::options::IpcFilters;

/// A process that connected over ipc, as the kernel knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Credentials {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

impl IpcFilters {
    /// Whether a process may connect.
    ///
    /// The database of groups may be a service of the network, so it is asked on a thread of its own, and only if
    /// nothing else decides.
    pub(crate) async fn admit(&self, process: Credentials) -> bool {
        if self.ipc_filter_uid.is_empty() && self.ipc_filter_gid.is_empty() {
            return true;
        }
        if self.ipc_filter_uid.contains(&process.uid) || self.ipc_filter_gid.contains(&process.gid)
        {
            return true;
        }
        let groups = self.ipc_filter_gid.clone();
        let is_member = move || groups.into_iter().any(|gid| is_member(process.uid, gid));
        // Where the runtime ends, nobody is let in.
        let asked = tokio::task::spawn_blocking(is_member).await;
        asked.unwrap_or(false)
    }
}

/// Whether the databases of the system have a user as a member of a group.
#[cfg(unix)]
fn is_member(uid: u32, gid: u32) -> bool {
    use nix::unistd::{Gid, Group, Uid, User};

    let user = User::from_uid(Uid::from_raw(uid)).ok().flatten();
    let group = Group::from_gid(Gid::from_raw(gid)).ok().flatten();
    match (user, group) {
        (Some(user), Some(group)) => group.mem.contains(&user.name),
        _ => false,
    }
}

#[cfg(not(unix))]
const fn is_member(_uid: u32, _gid: u32) -> bool {
    false
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs;
    use std::io::{self, Write as _};

    use super::*;
    use crate::options::SocketOptions;

    /// A user that the group database of this machine has as a member of a group that is not the user's own, and that
    /// group.
    fn member() -> Option<Credentials> {
        let (users, groups) = (
            fs::read_to_string("/etc/passwd").ok()?,
            fs::read_to_string("/etc/group").ok()?,
        );
        groups.lines().find_map(|line| {
            let [_name, _password, gid, members] = line.split(':').collect::<Vec<_>>()[..] else {
                return None;
            };
            let member = members.split(',').next()?;
            let user = users.lines().find_map(|line| {
                let [name, _password, uid, own, ..] = line.split(':').collect::<Vec<_>>()[..]
                else {
                    return None;
                };
                (name == member && own != gid).then(|| uid.parse().ok())?
            })?;
            let gid = gid.parse().ok()?;
            Some(Credentials { uid: user, gid })
        })
    }

    /// Q15, as libzmq does: a group lets its members in, whatever group their process is of.
    #[tokio::test]
    async fn a_group_lets_its_members_in() {
        let Some(Credentials { uid, gid }) = member() else {
            // Where standard error is closed, nobody reads it.
            let _closed = writeln!(
                io::stderr(),
                "NOT TESTED: members of a group, since no group here has one"
            );
            return;
        };
        let process = Credentials {
            uid,
            gid: u32::MAX - 1,
        };
        let admit = async |options: SocketOptions| options.ipc_filters.admit(process).await;
        let options = SocketOptions::new;
        assert!(admit(options().ipc_filter_gid(gid)).await);
        assert!(admit(options().ipc_filter_gid(u32::MAX - 2).ipc_filter_gid(gid)).await);
        assert!(!admit(options().ipc_filter_gid(u32::MAX - 2)).await);
    }

    #[tokio::test]
    async fn who_is_in_no_database_is_in_no_group() {
        let process = Credentials {
            uid: u32::MAX - 1,
            gid: u32::MAX - 1,
        };
        let options = SocketOptions::new().ipc_filter_gid(0);
        assert!(!options.ipc_filters.admit(process).await);
    }
}
