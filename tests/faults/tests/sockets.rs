//! Sockets on a slow link.

use std::time::Duration;

use privateer::core::{Linger, PullSocket, PushSocket, SocketOptions};
use privateer_faults::{Link, scale, soon, within};
use tokio::time::Instant;

/// What the link passes on in a second.
const RATE: u32 = 10_000_000;
/// How long a peer may take to answer a PING.
const TIMEOUT: Duration = Duration::from_secs(1);

fn heartbeats() -> SocketOptions {
    SocketOptions::new()
        .heartbeat_interval(Some(TIMEOUT / 4))
        .heartbeat_timeout(TIMEOUT)
        .heartbeat_ttl(Some(TIMEOUT))
        .max_message_size(None)
}

/// A PUSH and a PULL with a slow link between them.
async fn slow_pair() -> (PushSocket, PullSocket, Link) {
    let pull = PullSocket::with_options(heartbeats()).unwrap();
    let link = Link::to(&pull.bind("tcp://127.0.0.1:*").await.unwrap()).await;
    link.throttle(RATE);
    let push = PushSocket::with_options(heartbeats()).unwrap();
    push.connect(link.endpoint()).unwrap();
    (push, pull, link)
}

/// That there was one connection only, and that it lasted longer than silence may.
fn assert_one_connection(push: &PushSocket, pull: &PullSocket, begun: Instant) {
    assert!(begun.elapsed() > TIMEOUT * 2, "{:?}", begun.elapsed());
    assert_eq!((push.stats().connected, pull.stats().connected), (1, 1));
}

/// W19: a frame that takes far longer than the timeout is no silence. 1 GiB at 10 MB/s with `PRIVATEER_SCALE` 32 and up.
#[tokio::test]
async fn a_large_frame_on_a_slow_link_is_no_silence() {
    let size = (32 << 20) * scale().min(32);
    let (push, pull, _link) = slow_pair().await;
    let begun = Instant::now();
    push.send(vec![7; size]).await.unwrap();
    let patience = Duration::from_secs(20 + 3 * size as u64 / u64::from(RATE));
    let message = within(patience, pull.recv()).await.unwrap();
    assert_eq!(message[0].len(), size);
    assert_one_connection(&push, &pull, begun);
    let report = soon(push.close_with(Linger::Forever)).await;
    assert_eq!(report.unsent, 0);
}

/// Rule 9 of the data path: nor is it one if the pipes are full all the time.
#[tokio::test]
async fn full_pipes_on_a_slow_link_are_no_silence() {
    const SIZE: usize = 30_000;
    let (push, pull, _link) = slow_pair().await;
    let begun = Instant::now();
    let messages = 1000 * scale();
    let sending = async {
        for _ in 0..messages {
            push.send(vec![7; SIZE]).await.unwrap();
        }
    };
    let receiving = async {
        for _ in 0..messages {
            assert_eq!(pull.recv().await.unwrap()[0].len(), SIZE);
        }
    };
    let patience = Duration::from_secs(20 + 9 * scale() as u64);
    within(patience, async { tokio::join!(sending, receiving) }).await;
    assert_one_connection(&push, &pull, begun);
}
