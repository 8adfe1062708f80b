//! Options whose effect the operating system shows.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use privateer_core::{
    ConnectFailure, DisconnectReason, Endpoint, Monitor, PullSocket, PushSocket, SocketEvent,
    SocketOptions, TcpKeepalive,
};
use socket2::{Domain, SockAddr, Socket, Type};

const SOON: Duration = Duration::from_secs(20);

/// As many connections as the option says wait in the kernel, and by its way of counting one more, while the listener is
/// busy. Here it is, since nothing is awaited.
#[tokio::test]
async fn the_backlog_is_how_many_connections_wait_for_a_busy_listener() {
    for (backlog, expected) in [(0, 1), (1, 2), (7, 8)] {
        let pull = PullSocket::with_options(SocketOptions::new().backlog(backlog)).unwrap();
        let ipc = pull.bind("ipc://*").await.unwrap().to_string();
        let ipc = SockAddr::unix(ipc.strip_prefix("ipc://").unwrap()).unwrap();
        assert_eq!(waiting(Domain::UNIX, &ipc), expected, "ipc, {backlog}");
        let tcp = address(&pull.bind("tcp://127.0.0.1:*").await.unwrap());
        assert_eq!(
            waiting(Domain::IPV4, &tcp.into()),
            expected,
            "tcp, {backlog}"
        );
    }
}

/// How many connect before one does not.
fn waiting(domain: Domain, address: &SockAddr) -> usize {
    let mut connected = Vec::new();
    loop {
        let socket = Socket::new(domain, Type::STREAM, None).unwrap();
        let done = if domain == Domain::UNIX {
            // It would wait for ever.
            socket.set_nonblocking(true).unwrap();
            socket.connect(address)
        } else {
            socket.connect_timeout(address, Duration::from_millis(100))
        };
        match done {
            Ok(()) => connected.push(socket),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return connected.len(),
            Err(error) if error.kind() == io::ErrorKind::TimedOut => return connected.len(),
            Err(error) => panic!("{error}"),
        }
    }
}

/// Who does not answer at all is given up in time, and tried again.
#[tokio::test]
async fn a_try_to_connect_takes_no_longer_than_the_timeout() {
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let any: SocketAddr = ([127, 0, 0, 1], 0).into();
    listener.bind(&any.into()).unwrap();
    listener.listen(0).unwrap();
    let address = listener.local_addr().unwrap();
    // Nobody accepts, so the next does not even get an answer.
    let first = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    first.connect(&address).unwrap();

    let timeout = Duration::from_millis(100);
    let options = SocketOptions::new()
        .connect_timeout(timeout)
        .reconnect_interval_max(Duration::from_millis(1));
    let push = PushSocket::with_options(options).unwrap();
    let mut monitor = push.monitor();
    let begun = Instant::now();
    let endpoint = format!("tcp://{}", address.as_socket().unwrap());
    push.connect(&*endpoint).unwrap();
    for _ in 0..2 {
        let failure = event(&mut monitor, |event| match event {
            SocketEvent::Retrying { failure, .. } => Some(failure),
            _ => None,
        });
        assert_eq!(failure.await, ConnectFailure::TimedOut);
    }
    assert!(begun.elapsed() >= timeout * 2);
}

/// The kernel shows the timer of each connection: none, or that of the probes.
#[tokio::test]
async fn keepalive_starts_the_kernels_timer_on_both_sides() {
    for (keepalive, timer) in [
        (TcpKeepalive::System, "00"),
        (TcpKeepalive::Off, "00"),
        (TcpKeepalive::On, "02"),
    ] {
        let options = SocketOptions::new().tcp_keepalive(keepalive);
        let pull = PullSocket::with_options(options.clone()).unwrap();
        let endpoint = pull.bind("tcp://127.0.0.1:*").await.unwrap();
        let push = PushSocket::with_options(options).unwrap();
        push.connect(&endpoint).unwrap();
        push.send("work").await.unwrap();
        pull.recv().await.unwrap();
        let settled = async {
            // For a moment after the message there is the timer of its acknowledgement.
            while timers(address(&endpoint).port()) != [timer; 2] {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        let settled = tokio::time::timeout(SOON, settled).await;
        settled
            .unwrap_or_else(|_| panic!("{keepalive:?}: {:?}", timers(address(&endpoint).port())));
    }
}

/// The kinds of timers of the two sides of the one connection that leads to this port.
fn timers(port: u16) -> Vec<String> {
    let port = format!(":{port:04X}");
    let table = fs::read_to_string("/proc/net/tcp").unwrap();
    let rows = table.lines().skip(1).map(|row| {
        let fields: Vec<_> = row.split_whitespace().collect();
        (fields[1], fields[2], fields[3], fields[5])
    });
    let established = rows.filter(|(local, remote, state, _)| {
        *state == "01" && (local.ends_with(&port) || remote.ends_with(&port))
    });
    established
        .map(|(.., timer)| timer.split(':').next().unwrap().to_owned())
        .collect()
}

fn address(endpoint: &Endpoint) -> SocketAddr {
    let endpoint = endpoint.to_string();
    endpoint.strip_prefix("tcp://").unwrap().parse().unwrap()
}

/// What `pick` makes of the first event that it takes.
async fn event<T>(monitor: &mut Monitor, mut pick: impl FnMut(SocketEvent) -> Option<T>) -> T {
    let picked = async {
        loop {
            if let Some(picked) = pick(monitor.next().await.unwrap().unwrap()) {
                return picked;
            }
        }
    };
    tokio::time::timeout(SOON, picked).await.unwrap()
}

/// `tcp_maxrt`: a peer that takes nothing is given up in time. As its page says, that is one that only does not read, too.
#[tokio::test]
async fn a_peer_that_takes_nothing_is_given_up_after_tcp_maxrt() {
    let one = std::num::NonZeroUsize::new(1);
    let pull = PullSocket::with_options(SocketOptions::new().recv_hwm(one)).unwrap();
    let endpoint = pull.bind("tcp://127.0.0.1:*").await.unwrap();
    let limit = Duration::from_secs(1);
    let push = PushSocket::with_options(SocketOptions::new().tcp_maxrt(Some(limit))).unwrap();
    let mut monitor = push.monitor();
    push.connect(&endpoint).unwrap();
    let ended = async {
        loop {
            let event = monitor.next().await.unwrap();
            if let Some(SocketEvent::Disconnected { reason, .. }) = event {
                return reason;
            }
        }
    };
    let begun = Instant::now();
    let fill = async {
        loop {
            push.send(vec![0; 100_000]).await.unwrap();
        }
    };
    let reason = tokio::select! {
        reason = tokio::time::timeout(SOON, ended) => reason.unwrap(),
        () = fill => unreachable!(),
    };
    assert_eq!(reason, DisconnectReason::Io(io::ErrorKind::TimedOut));
    assert!(begun.elapsed() >= limit);
}
