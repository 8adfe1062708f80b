//! ipc: whose a socket file is, when it goes, and names without a file.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use privateer::core::{
    BindError, Endpoint, HandshakeFailure, Linger, PullSocket, PushSocket, SocketOptions,
};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::UnixSocket;
use tokio::process::{Child, Command};
use tokio::time::timeout;

mod support;
use support::sockets::{Linked, Socket, Transport, eager, link, skip, soon};

/// Tells [`a_process_that_binds`] where.
const CHILD: &str = "PRIVATEER_TEST_IPC_CHILD";

/// Q15: an address that somebody listens on cannot be taken, by path or by name, and the owner notices nothing.
#[tokio::test]
async fn a_live_socket_is_not_stolen() {
    for transport in [Transport::IpcPath, Transport::IpcAbstract] {
        let (pull, push, thief) = (
            PullSocket::usual(),
            PushSocket::usual(),
            PullSocket::usual(),
        );
        let Linked { endpoint, .. } = &link(&pull, &push, transport).await;
        for _ in 0..3 {
            let error = soon(thief.bind(endpoint)).await.unwrap_err();
            assert!(matches!(error, BindError::InUse { .. }), "{error}");
        }
        let late = PushSocket::usual();
        late.connect_to(endpoint);
        for sender in [&push, &late] {
            sender.send("mine").await.unwrap();
            assert_eq!(soon(pull.recv()).await.unwrap()[0], "mine");
        }
    }
}

/// Q15: nor if the owner is so busy that its backlog is full.
#[tokio::test]
async fn a_busy_socket_is_not_stolen() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("socket");
    let socket = UnixSocket::new_stream().unwrap();
    socket.bind(&path).unwrap();
    let busy = socket.listen(1).unwrap();
    let mut waiting = Vec::new();
    loop {
        let push = PushSocket::with(eager());
        let mut watch = push.watch();
        push.connect_to(&endpoint(&path));
        waiting.push(push);
        if timeout(Duration::from_millis(20), watch.retrying())
            .await
            .is_ok()
        {
            break;
        }
        assert!(waiting.len() < 100, "its backlog has no end");
    }
    let error = soon(PullSocket::usual().bind(&endpoint(&path)))
        .await
        .unwrap_err();
    assert!(matches!(error, BindError::InUse { .. }), "{error}");
    drop(busy);
}

/// Q15: the file of a process that was killed is replaced.
#[tokio::test]
async fn the_file_of_a_killed_process_is_replaced() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("socket");
    let mut child = process_that_binds(&path).await;
    let pull = PullSocket::usual();
    let error = soon(pull.bind(&endpoint(&path))).await.unwrap_err();
    assert!(matches!(error, BindError::InUse { .. }), "{error}");

    soon(child.kill()).await.unwrap();
    assert!(path.exists());
    pull.bind_to(&endpoint(&path).to_string()).await;
    let push = PushSocket::usual();
    push.connect_to(&endpoint(&path));
    push.send("alive").await.unwrap();
    assert_eq!(soon(pull.recv()).await.unwrap()[0], "alive");
}

/// Q15: so is one whose owner forgot to remove it.
#[tokio::test]
async fn a_file_that_nobody_listens_on_is_replaced() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("socket");
    drop(UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    PullSocket::usual()
        .bind_to(&endpoint(&path).to_string())
        .await;
}

/// This program as another process, once it listens at `path`.
async fn process_that_binds(path: &Path) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "a_process_that_binds", "--nocapture"])
        .env(CHILD, path);
    let mut child = command
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    while !soon(lines.next_line())
        .await
        .unwrap()
        .unwrap()
        .contains("listening")
    {}
    child
}

/// No test of its own: the other process of [`process_that_binds`].
#[tokio::test]
async fn a_process_that_binds() {
    let Ok(path) = std::env::var(CHILD) else {
        return;
    };
    let pull = PullSocket::usual();
    pull.bind_to(&endpoint(Path::new(&path)).to_string()).await;
    println!("\nlistening");
    // Until it is killed.
    std::future::pending().await
}

/// Q15: whatever is no socket stays as it is.
#[tokio::test]
async fn other_files_are_left_alone() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "precious").unwrap();
    let link = directory.path().join("link");
    std::os::unix::fs::symlink(&file, &link).unwrap();
    let dangling = directory.path().join("dangling");
    std::os::unix::fs::symlink("nothing", &dangling).unwrap();
    let nested = directory.path().join("directory");
    fs::create_dir(&nested).unwrap();
    for path in [&file, &link, &dangling, &nested] {
        let pull = PullSocket::usual();
        let error = soon(pull.bind(&endpoint(path))).await.unwrap_err();
        assert!(matches!(error, BindError::NotASocket { .. }), "{error}");
        assert!(
            error
                .to_string()
                .contains("remove it, or bind another path")
        );
        drop(pull);
        assert!(fs::symlink_metadata(path).is_ok());
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), "precious");
}

/// Q15: the file goes with the listener: at `unbind`, at `close` and when the socket is dropped.
#[tokio::test]
async fn the_file_goes_with_the_listener() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("socket");
    let text = endpoint(&path).to_string();
    let pull = PullSocket::usual();
    pull.bind_to(&text).await;
    assert!(path.exists());
    soon(pull.unbind(&*text)).await.unwrap();
    assert!(!path.exists());
    pull.bind_to(&text).await;
    pull.end(Linger::Discard).await;
    assert!(!path.exists());
    let pull = PullSocket::usual();
    pull.bind_to(&text).await;
    drop(pull);
    support::sockets::until(|| !path.exists()).await;
}

/// Q15: a file that took the place of ours is not ours to remove.
#[tokio::test]
async fn only_the_own_file_is_removed() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("socket");
    let text = endpoint(&path).to_string();
    let (old, new) = (PullSocket::usual(), PullSocket::usual());
    old.bind_to(&text).await;
    fs::remove_file(&path).unwrap();
    new.bind_to(&text).await;
    let inode = fs::symlink_metadata(&path).unwrap().ino();
    old.end(Linger::Discard).await;
    assert_eq!(fs::symlink_metadata(&path).unwrap().ino(), inode);
    let push = PushSocket::usual();
    push.connect_to(&endpoint(&path));
    push.send("to the new one").await.unwrap();
    assert_eq!(soon(new.recv()).await.unwrap()[0], "to the new one");

    fs::remove_file(&path).unwrap();
    fs::write(&path, "precious").unwrap();
    new.end(Linger::Discard).await;
    assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
}

/// Q15: `ipc://*` makes a directory that only its owner can enter, and removes it with the file.
#[tokio::test]
async fn a_wildcard_makes_and_removes_its_directory() {
    let mut paths = Vec::new();
    for _ in 0..3 {
        let pull = PullSocket::usual();
        for _ in 0..2 {
            let path = path_of(&pull.bind_to("ipc://*").await);
            let directory = path.parent().unwrap().to_path_buf();
            let found = fs::metadata(&directory).unwrap();
            assert_eq!(found.permissions().mode() & 0o777, 0o700);
            assert!(directory.starts_with(std::env::temp_dir()) && !paths.contains(&directory));
            paths.push(directory);
        }
        soon(pull.unbind("ipc://*")).await.unwrap();
        pull.end(Linger::Discard).await;
    }
    assert!(paths.iter().all(|directory| !directory.exists()));
}

/// Q15: an abstract name has no file, is taken while it is bound, and free at once after.
#[tokio::test]
async fn abstract_names_have_no_file() {
    if !cfg!(target_os = "linux") {
        eprintln!("SKIPPED: only Linux has abstract names");
        return;
    }
    let place = Transport::IpcAbstract.place();
    for _ in 0..3 {
        let pull = PullSocket::usual();
        let endpoint = pull.bind_to(&place.endpoint).await;
        assert_eq!(endpoint.to_string(), place.endpoint);
        let name = place.endpoint.strip_prefix("ipc://").unwrap();
        assert!(!Path::new(name).exists() && !Path::new(&name[1..]).exists());
        pull.end(Linger::Discard).await;
    }
}

/// Q15: whom no filter names is refused and told of, and tries again; one filter that fits is enough.
#[tokio::test]
async fn only_processes_that_a_filter_names_connect() {
    let (uid, gid) = own_ids();
    let filters = SocketOptions::new;
    for (options, is_let_in) in [
        (filters().ipc_filter_uid(uid), true),
        (filters().ipc_filter_gid(gid), true),
        (filters().ipc_filter_uid(uid + 1).ipc_filter_uid(uid), true),
        (filters().ipc_filter_uid(uid + 1).ipc_filter_gid(gid), true),
        (filters().ipc_filter_uid(uid + 1), false),
        (filters().ipc_filter_gid(NOBODYS_GROUP), false),
    ] {
        let (pull, push) = (PullSocket::with(options), PushSocket::with(eager()));
        let (mut bound, mut connected) = (pull.watch(), push.watch());
        let endpoint = pull.bind_to("ipc://*").await;
        push.connect_to(&endpoint);
        push.send("let me in").await.unwrap();
        if is_let_in {
            assert_eq!(soon(pull.recv()).await.unwrap()[0], "let me in");
            continue;
        }
        for _ in 0..2 {
            assert_eq!(bound.handshake_failed().await, HandshakeFailure::Refused);
            // Reading or writing, whichever is first.
            connected.handshake_failed().await;
        }
        assert_eq!((pull.counts().connected, pull.counts().received), (0, 0));
        assert!(pull.counts().handshakes_failed >= 2);
    }
}

/// Q15: it is the other process that counts. Only root can start one of another user.
#[tokio::test]
async fn the_user_is_that_of_the_process_that_connects() {
    let (uid, gid) = own_ids();
    if uid != 0 || !cfg!(target_os = "linux") {
        return skip("ipc filters against another user: it takes root, on Linux");
    }
    // A file would need a directory that everybody may enter.
    let place = Transport::IpcAbstract.place();
    for (options, is_let_in) in [
        (SocketOptions::new().ipc_filter_uid(SOMEBODY), true),
        (SocketOptions::new().ipc_filter_gid(SOMEBODY), true),
        (SocketOptions::new().ipc_filter_uid(uid), false),
        (SocketOptions::new().ipc_filter_gid(gid), false),
    ] {
        let pull = PullSocket::with(options);
        let mut watch = pull.watch();
        pull.bind_to(&place.endpoint).await;
        let mut child = match process_of_somebody(&place.endpoint) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                return skip("ipc filters against another user, who may not run this program");
            }
            child => child.unwrap(),
        };
        if is_let_in {
            assert_eq!(soon(pull.recv()).await.unwrap()[0], "let me in");
        } else {
            assert_eq!(watch.handshake_failed().await, HandshakeFailure::Refused);
        }
        soon(child.kill()).await.unwrap();
        pull.end(Linger::Discard).await;
    }
}

/// A user, and a group, that is not the one of the tests.
const SOMEBODY: u32 = 65_534;
/// A group that nobody is in.
const NOBODYS_GROUP: u32 = 3_999_999_999;

/// The user and the group of this process, as it leaves them on a file.
fn own_ids() -> (u32, u32) {
    let directory = TempDir::new().unwrap();
    let found = fs::metadata(directory.path()).unwrap();
    (found.uid(), found.gid())
}

/// This program as another process, of another user.
fn process_of_somebody(endpoint: &str) -> io::Result<Child> {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "a_process_that_connects", "--nocapture"])
        .env(CHILD, endpoint)
        .uid(SOMEBODY)
        .gid(SOMEBODY)
        .stdout(Stdio::null());
    command.kill_on_drop(true).spawn()
}

/// No test of its own: the other process of [`process_of_somebody`].
#[tokio::test]
async fn a_process_that_connects() {
    let Ok(endpoint) = std::env::var(CHILD) else {
        return;
    };
    let push = PushSocket::usual();
    push.try_connect_to(&endpoint).unwrap();
    push.send("let me in").await.unwrap();
    // Until it is killed.
    std::future::pending().await
}

/// A path may have 107 bytes; one more is an error that says so.
#[tokio::test]
async fn paths_have_a_limit() {
    let directory = TempDir::new().unwrap();
    let base = directory.path().join("x").display().to_string();
    let longest = format!("ipc://{base}{}", "y".repeat(107 - base.len()));
    let (pull, push) = (PullSocket::usual(), PushSocket::usual());
    pull.bind_to(&longest).await;
    push.try_connect_to(&longest).unwrap();
    push.send("far").await.unwrap();
    assert_eq!(soon(pull.recv()).await.unwrap()[0], "far");
    let error = soon(pull.bind(format!("{longest}y"))).await.unwrap_err();
    let BindError::Endpoint(cause) = error else {
        panic!("{error}")
    };
    assert!(cause.to_string().contains("at most 107 bytes"), "{cause}");
}

/// §4.14: a directory that is not there is an error of the operating system.
#[tokio::test]
async fn a_missing_directory_is_an_error() {
    let error = soon(PullSocket::usual().bind("ipc:///no/such/directory/socket"))
        .await
        .unwrap_err();
    assert!(
        matches!(&error, BindError::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
    );
}

fn endpoint(path: &Path) -> Endpoint {
    format!("ipc://{}", path.display()).parse().unwrap()
}

fn path_of(endpoint: &Endpoint) -> PathBuf {
    endpoint.to_string().strip_prefix("ipc://").unwrap().into()
}
