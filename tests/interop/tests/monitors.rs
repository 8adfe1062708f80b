//! Monitors beside libzmq's, whose I/O thread stops when nobody reads one.

use std::time::Duration;

use privateer_core::{Lagged, RouterSocket, SocketType};
use privateer_interop::{Python, Pyzmq, soon, within};

/// R07: 10,000 clients come, are served, and go, while nobody reads the monitors.
#[tokio::test]
async fn monitors_that_nobody_reads_hold_no_client_up() {
    const CLIENTS: usize = 10_000;
    let Some(python) = Python::ready() else {
        return;
    };
    let theirs = Pyzmq::new(&python, SocketType::Dealer);
    let router = RouterSocket::new().unwrap();
    let mut unread = [router.monitor(), router.monitor()];
    let endpoint = router.bind("tcp://127.0.0.1:*").await.unwrap().to_string();
    let serving = async {
        for _ in 0..CLIENTS {
            let (peer, message) = soon(router.recv()).await.unwrap();
            router.send(&peer, message).await.unwrap();
        }
    };
    let served = within(Duration::from_secs(180), async {
        tokio::join!(serving, theirs.churn(&endpoint, CLIENTS)).1
    });
    assert!(served.await);
    assert_eq!(router.stats().connected, CLIENTS as u64);
    for monitor in &mut unread {
        // Accepted, connected, disconnected; the last may not be gone yet.
        let Lagged(lost) = soon(monitor.next()).await.unwrap_err();
        assert!(lost > 2 * CLIENTS as u64, "{lost}");
    }
}
