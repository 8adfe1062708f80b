//! Listeners that were made elsewhere (R11).

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::Stdio;

use privateer::core::{
    BindError, Endpoint, Linger, PullSocket, PushSocket, RepSocket, ReqSocket, StdListener,
};
use tempfile::TempDir;
use tokio::process::Command;

mod support;
use support::sockets::{Socket, soon};

/// Tells [`a_service`] which kind of listener its standard input is.
const CHILD: &str = "PRIVATEER_TEST_ADOPTED_CHILD";

/// R11: a service manager listens before there is a service; whoever came early is served when it is there. The
/// listener is the service's standard input here, as any descriptor may be.
#[tokio::test]
async fn a_service_manager_hands_its_listener_over() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("socket");
    let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let tcp_endpoint = format!("tcp://{}", tcp.local_addr().unwrap());
    let unix = UnixListener::bind(&path).unwrap();
    let unix_endpoint = format!("ipc://{}", path.display());
    for (kind, listener, endpoint) in [
        ("tcp", OwnedFd::from(tcp), tcp_endpoint),
        ("unix", OwnedFd::from(unix), unix_endpoint),
    ] {
        let early = ReqSocket::usual();
        early.try_connect_to(&endpoint).unwrap();
        early.send("anybody there?").await.unwrap();
        let mut service = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "a_service", "--nocapture"])
            .env(CHILD, kind)
            .stdin(Stdio::from(listener))
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        assert_eq!(soon(early.recv()).await.unwrap()[0], *endpoint);
        soon(service.kill()).await.unwrap();
    }
}

/// No test of its own: the other process of [`a_service_manager_hands_its_listener_over`]. Its answer is its endpoint.
#[tokio::test]
async fn a_service() {
    let Ok(kind) = std::env::var(CHILD) else {
        return;
    };
    let stdin = io::stdin().as_fd().try_clone_to_owned().unwrap();
    let listener: StdListener = match &*kind {
        "tcp" => TcpListener::from(stdin).into(),
        _ => UnixListener::from(stdin).into(),
    };
    let rep = RepSocket::usual();
    let endpoint = soon(rep.bind_listener(listener)).await.unwrap();
    rep.recv().await.unwrap();
    rep.send(endpoint.to_string()).await.unwrap();
    // Until it is killed.
    std::future::pending().await
}

/// R11: it is unbound by the endpoint that it was given, and its address is free then.
#[tokio::test]
async fn an_adopted_listener_is_a_bound_endpoint() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let pull = PullSocket::usual();
    let endpoint = soon(pull.bind_listener(listener)).await.unwrap();
    assert_eq!(endpoint, format!("tcp://{address}").parse().unwrap());
    exchange(&pull, &endpoint).await;
    soon(pull.unbind(&endpoint)).await.unwrap();
    pull.bind_to(&endpoint.to_string()).await;
}

/// R11: the file of an adopted listener is its maker's.
#[tokio::test]
async fn the_file_of_an_adopted_listener_stays() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("socket");
    let pull = PullSocket::usual();
    let listener = UnixListener::bind(&path).unwrap();
    let endpoint = soon(pull.bind_listener(listener)).await.unwrap();
    assert_eq!(endpoint.to_string(), format!("ipc://{}", path.display()));
    exchange(&pull, &endpoint).await;
    pull.end(Linger::Discard).await;
    assert!(path.exists());
    let gone = UnixStream::connect(&path).unwrap_err();
    assert_eq!(gone.kind(), io::ErrorKind::ConnectionRefused);
}

/// R11: names without a file, too.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_listener_of_an_abstract_name_is_adopted() {
    use std::os::linux::net::SocketAddrExt as _;

    let name = format!("privateer-adopted-{}", std::process::id());
    let address = std::os::unix::net::SocketAddr::from_abstract_name(&name).unwrap();
    let pull = PullSocket::usual();
    let listener = UnixListener::bind_addr(&address).unwrap();
    let endpoint = soon(pull.bind_listener(listener)).await.unwrap();
    assert_eq!(endpoint.to_string(), format!("ipc://@{name}"));
    exchange(&pull, &endpoint).await;
}

/// R11: what is no listener, or one that no endpoint can name, is refused and closed.
#[tokio::test]
async fn what_cannot_be_adopted_is_an_error() {
    let pull = PullSocket::usual();
    let (connection, other) = UnixStream::pair().unwrap();
    let no_listener = UnixListener::from(OwnedFd::from(connection));
    let error = soon(pull.bind_listener(no_listener)).await.unwrap_err();
    assert!(matches!(error, BindError::Listener { .. }), "{error}");
    assert_eq!(io::Read::read(&mut &other, &mut [0]).unwrap(), 0);

    let directory = TempDir::new().unwrap();
    let strange = std::ffi::OsStr::from_bytes(b"\xff");
    let path = directory.path().join(strange);
    let listener = UnixListener::bind(path).unwrap();
    let error = soon(pull.bind_listener(listener)).await.unwrap_err();
    assert!(matches!(error, BindError::Listener { .. }), "{error}");
}

async fn exchange(pull: &PullSocket, endpoint: &Endpoint) {
    let push = PushSocket::usual();
    push.connect_to(endpoint);
    push.send("work").await.unwrap();
    assert_eq!(soon(pull.recv()).await.unwrap()[0], "work");
}
