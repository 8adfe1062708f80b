//! [`Turn`]: of several who bind the same path, one at a time looks at what stands there.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;

use super::inode;

/// What the name of the file ends with by which binders take turns: no other program has such files.
const TURN_SUFFIX: &str = ".privateer-lock";
/// How often a turn is tried to be had while others end theirs.
const TURN_TRIES: usize = 16;

/// A turn at a path: of those who find the same stale socket there, only one replaces it, and nobody takes a socket for
/// stale that is about to listen.
///
/// It is a lock on a file beside the socket, which is removed when the turn is over. Where there can be none, nothing keeps
/// others away: in a directory that cannot be written no socket can be bound either, and elsewhere something else, or a file
/// that may not even be read, has the name.
pub(super) struct Turn {
    path: PathBuf,
    file: File,
    inode: (u64, u64),
}

impl Turn {
    /// The turn, if it can be had here; an error if somebody else has it.
    pub(super) fn take(socket: &Path) -> io::Result<Option<Self>> {
        let mut path = socket.to_owned().into_os_string();
        path.push(TURN_SUFFIX);
        let path = PathBuf::from(path);
        for _ in 0..TURN_TRIES {
            let Ok(file) = Self::open(&path) else {
                return Ok(None);
            };
            let found = file.metadata()?;
            if !found.is_file() {
                return Ok(None);
            }
            match file.try_lock() {
                Ok(()) => {}
                // Whoever has the turn listens there soon, or finds somebody who does.
                Err(TryLockError::WouldBlock) => break,
                Err(TryLockError::Error(_unsupported)) => return Ok(None),
            }
            let own = (found.dev(), found.ino());
            if inode(&path).is_ok_and(|inode| inode == own) {
                let inode = own;
                return Ok(Some(Self { path, file, inode }));
            }
            // It was removed at the end of another's turn before it was locked.
        }
        Err(io::ErrorKind::AddrInUse.into())
    }

    /// The file, made if it is not there; nothing that it could be in its place is followed or waited for. One that another
    /// user left can be locked without being written.
    fn open(path: &Path) -> io::Result<File> {
        let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
        let mut options = File::options();
        options.custom_flags(flags.bits());
        let mut makes = options.clone();
        match makes.write(true).create(true).truncate(false).open(path) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                options.read(true).open(path)
            }
            opened => opened,
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        // While it is locked: whoever opens it later makes a new one.
        if inode(&self.path).is_ok_and(|inode| inode == self.inode) {
            let _kept = fs::remove_file(&self.path);
        }
        let _closed = self.file.unlock();
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::os::unix::fs::symlink;
    use std::os::unix::net::{UnixListener as StdUnixListener, UnixStream as StdUnixStream};
    use std::sync::Barrier;
    use std::thread;

    use tokio::io::AsyncReadExt as _;

    use super::super::*;
    use super::*;
    use crate::SocketOptions;

    /// A file that a listener left behind which is gone.
    fn stale(path: &Path) {
        drop(StdUnixListener::bind(path).unwrap());
        assert!(path.exists());
    }

    fn bind(path: &Path) -> io::Result<IpcListener> {
        let address = IpcAddress::Path(path.to_str().unwrap().into());
        IpcListener::bind(&address, 100, SocketOptions::new().kernel)
    }

    /// Q15: of those who find the same stale file one gets the path, and whoever connects gets to that one.
    #[tokio::test]
    async fn a_stale_file_is_replaced_once() {
        const BINDERS: usize = 8;
        let directory = temporary_directory().unwrap();
        let runtime = tokio::runtime::Handle::current();
        for round in 0..100 {
            let path = directory.join(round.to_string());
            stale(&path);
            let begin = Barrier::new(BINDERS);
            let bind_with_others = || {
                let _in_it = runtime.enter();
                begin.wait();
                bind(&path)
            };
            let bound = thread::scope(|scope| {
                let binders = [(); BINDERS].map(|()| scope.spawn(bind_with_others));
                binders.map(|binder| binder.join().unwrap())
            });
            let (winners, losers): (Vec<_>, Vec<_>) = bound.into_iter().partition(Result::is_ok);
            assert_eq!(winners.len(), 1);
            for loser in losers {
                assert_eq!(loser.err().unwrap().kind(), io::ErrorKind::AddrInUse);
            }
            let mut connection = StdUnixStream::connect(&path).unwrap();
            connection.write_all(b"!").unwrap();
            let winner = winners[0].as_ref().unwrap();
            // Others may have asked whether somebody listens.
            let mut octet = [0];
            while winner
                .accept()
                .await
                .unwrap()
                .0
                .read(&mut octet)
                .await
                .unwrap()
                == 0
            {}
            assert_eq!(&octet, b"!");
        }
        fs::remove_dir(directory).unwrap();
    }

    /// Q15: while somebody has the turn at a path nobody else touches what stands there.
    #[tokio::test]
    async fn a_turn_is_one_persons() {
        let directory = temporary_directory().unwrap();
        let path = directory.join("socket");
        stale(&path);
        let before = inode(&path).unwrap();
        let turn = Turn::take(&path).unwrap();
        assert!(turn.is_some());
        let refused = bind(&path).err().unwrap();
        assert_eq!(refused.kind(), io::ErrorKind::AddrInUse);
        assert_eq!(inode(&path).unwrap(), before);
        drop(turn);
        drop(bind(&path).unwrap());
        fs::remove_dir(directory).unwrap();
    }

    /// What has the name of the file and is none is neither followed nor waited for.
    #[tokio::test]
    async fn what_stands_in_the_place_of_a_turn_is_left_alone() {
        let directory = temporary_directory().unwrap();
        let (path, target) = (directory.join("socket"), directory.join("target"));
        let turn = directory.join(format!("socket{TURN_SUFFIX}"));
        symlink(&target, &turn).unwrap();
        drop(bind(&path).unwrap());
        assert!(!target.exists());
        fs::remove_file(&turn).unwrap();
        drop(StdUnixListener::bind(&turn).unwrap());
        drop(bind(&path).unwrap());
        fs::remove_file(&turn).unwrap();
        fs::create_dir(&turn).unwrap();
        drop(bind(&path).unwrap());
        fs::remove_dir_all(directory).unwrap();
    }
}
