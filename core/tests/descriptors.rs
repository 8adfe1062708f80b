//! A process without descriptors. One test, so that nobody else has to do without.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

use std::fs::File;
use std::time::Duration;

use privateer_core::{Monitor, PullSocket, PushSocket, SocketEvent, TimedEvent};
use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::time::timeout;

const SOON: Duration = Duration::from_secs(20);
/// How long a listener waits after it could not accept, less what a clock may be off.
const PAUSE: Duration = Duration::from_millis(99);

/// Q17, R07: without a descriptor for it, a connection waits in the kernel; the listener tries again now and then and does not
/// spin, peers that are there are served, and when there are descriptors again, it is let in.
#[tokio::test]
async fn want_of_descriptors_is_survived() {
    let pull = PullSocket::new().unwrap();
    let endpoint = pull.bind("tcp://127.0.0.1:*").await.unwrap();
    let there = PushSocket::new().unwrap();
    there.connect(&endpoint).unwrap();
    there.send("before").await.unwrap();
    assert_eq!(recv(&pull).await, "before");

    let limit = getrlimit(Resource::Nofile);
    let few = Rlimit {
        current: Some(100),
        ..limit
    };
    setrlimit(Resource::Nofile, few).unwrap();
    let mut hoard = Vec::new();
    while let Ok(file) = File::open("/dev/null") {
        hoard.push(file);
    }
    // The one that the client needs.
    hoard.pop().unwrap();
    let mut monitor = pull.monitor();
    let late = PushSocket::new().unwrap();
    late.connect(&endpoint).unwrap();
    late.send("late").await.unwrap();
    let mut last = None;
    for _ in 0..5 {
        let failed = failed(&mut monitor).await;
        if let Some(last) = last.replace(failed.at) {
            assert!(failed.at - last >= PAUSE);
        }
        there.send("meanwhile").await.unwrap();
        assert_eq!(recv(&pull).await, "meanwhile");
    }
    drop(hoard);
    assert_eq!(recv(&pull).await, "late");
    assert_eq!((pull.stats().peers, late.stats().reconnects), (2, 0));
}

/// The next time that accepting fails, which is for want of descriptors.
async fn failed(monitor: &mut Monitor) -> TimedEvent {
    let failed = timeout(SOON, monitor.next_timed()).await.unwrap();
    let failed = failed.unwrap().unwrap();
    match &failed.event {
        SocketEvent::AcceptFailed { os_error, .. } => {
            assert_eq!(*os_error, Some(Errno::MFILE.raw_os_error()));
        }
        other => panic!("{other:?}"),
    }
    failed
}

async fn recv(pull: &PullSocket) -> String {
    let message = timeout(SOON, pull.recv()).await.unwrap().unwrap();
    String::from_utf8(message[0].to_vec()).unwrap()
}
