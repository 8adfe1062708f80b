//! What the broker holds: for requests that nobody serves, and for peers that come and go.

use std::num::NonZeroUsize;
use std::time::Duration;

use privateer::core::{DealerSocket, Frame, Linger, Message, SocketOptions};
use privateer_faults::{Process, scale, soon, until, within};

/// A request to a service that nobody offers; a few thousand names take turns.
fn absent(number: usize) -> Message {
    let service = format!("absent-{}", number % 3000);
    ["", "MDPC01", &service, "hello"].map(Frame::from).into()
}

/// MD-10: requests to absent services are held for 30 s, but not more than 64 MiB for one client.
#[tokio::test]
async fn memory_is_bounded_however_much_is_asked_of_absent_services() {
    let requests = 10_000 * scale();
    let (broker, endpoint) = Process::broker("tcp://127.0.0.1:*", &[]).await;
    let client = DealerSocket::new().unwrap();
    client.connect(&endpoint).unwrap();
    let asking = async {
        for number in 0..requests {
            client.send(absent(number)).await.unwrap();
        }
        // The answer comes after all that was asked before.
        let question: Message = ["", "MDPC01", "mmi.service", "echo"]
            .map(Frame::from)
            .into();
        client.send(question).await.unwrap();
        assert_eq!(client.recv().await.unwrap()[3], "404");
    };
    // With more than fits, a turn takes as long as requests are held.
    let patience = Duration::from_secs(60 + 2 * scale() as u64);
    within(patience, asking).await;
    let peak = broker.peak_memory();
    assert!(peak < 256 << 20, "{} MiB", peak >> 20);
}

/// U12: peers that come and go leave nothing behind: no file descriptor and no memory.
#[tokio::test]
async fn peers_that_come_and_go_leave_nothing_behind() {
    let (broker, endpoint) = Process::broker("tcp://127.0.0.1:*", &[]).await;
    let before = broker.open_files();
    let mut peak = 0;
    for round in 0..3 {
        for number in 0..200 * scale() {
            let options = SocketOptions::new().send_hwm(NonZeroUsize::new(10));
            let peer = DealerSocket::with_options(options).unwrap();
            peer.connect(&endpoint).unwrap();
            let greeting = match number % 2 {
                0 => absent(number),
                _ => ["", "MDPW01", "\x01", "worker"].map(Frame::from).into(),
            };
            soon(peer.send(greeting)).await.unwrap();
            let _unsent = soon(peer.close_with(Linger::Forever)).await;
        }
        until(|| broker.open_files() == before).await;
        match round {
            0 => peak = broker.peak_memory(),
            _ => assert!(
                broker.peak_memory() < peak + (16 << 20),
                "{}",
                broker.peak_memory()
            ),
        }
    }
}
