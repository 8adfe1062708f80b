//! Heartbeats of a session on virtual time, with a peer that says exactly the octets that a test wants.

use std::net::Shutdown;
use std::num::NonZeroUsize;
use std::time::Duration;

use bytes::{BufMut as _, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::time::{Instant, sleep};

use crate::io::memory::MemoryStream;
use crate::zmtp::command;
use crate::zmtp::greeting;
use crate::{
    Context, DealerSocket, DisconnectReason, Linger, Monitor, PullSocket, SocketEvent,
    SocketOptions, SocketType,
};

const HOUR: Duration = Duration::from_secs(3600);
const SECOND: Duration = Duration::from_secs(1);
/// Timers count whole milliseconds.
const TICK: Duration = Duration::from_millis(1);

pub(in crate::io) fn options(context: &Context) -> SocketOptions {
    SocketOptions::new()
        .context(context)
        .heartbeat_interval(None)
}

/// A connection to `memory://there` after its handshake.
pub(in crate::io) async fn raw_peer(context: &Context, socket_type: SocketType) -> MemoryStream {
    let mut stream = context.network().dial("there").unwrap();
    shake_hands(&mut stream, socket_type).await;
    stream
}

async fn shake_hands(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), socket_type: SocketType) {
    let mut octets = BytesMut::new();
    greeting::put_first(&mut octets, 0);
    greeting::put_rest(&mut octets);
    octets.put(command::ready(socket_type, None, &[]));
    stream.write_all(&octets).await.unwrap();
    let mut header = [0; 66];
    stream.read_exact(&mut header).await.unwrap();
    let mut ready = vec![0; header[65].into()];
    stream.read_exact(&mut ready).await.unwrap();
}

pub(in crate::io) async fn lost(monitor: &mut Monitor) -> DisconnectReason {
    loop {
        if let SocketEvent::Disconnected { reason, .. } = monitor.next().await.unwrap().unwrap() {
            return reason;
        }
    }
}

/// A PING with any TTL, also longer ones than ours.
fn ping(ttl_tenths: u16) -> Vec<u8> {
    [b"\x04\x07\x04PING", &ttl_tenths.to_be_bytes()[..]].concat()
}

async fn expect_pong(peer: &mut MemoryStream) {
    let mut pong = [0; 7];
    peer.read_exact(&mut pong).await.unwrap();
    assert_eq!(pong, *b"\x04\x05\x04PONG");
}

/// W14: the time to live of a peer's PING is honoured in full, whatever our own heartbeats.
#[tokio::test(start_paused = true)]
async fn a_peer_is_given_up_after_the_time_to_live_of_its_ping() {
    for tenths in [5, 655, 656, 65_535] {
        let context = Context::new();
        let pull = PullSocket::with_options(options(&context)).unwrap();
        pull.bind("memory://there").await.unwrap();
        let mut monitor = pull.monitor();
        let mut peer = raw_peer(&context, SocketType::Push).await;
        sleep(HOUR).await;
        peer.write_all(&ping(tenths)).await.unwrap();
        let begun = Instant::now();
        expect_pong(&mut peer).await;
        assert_eq!(
            lost(&mut monitor).await,
            DisconnectReason::TimeToLiveExpired
        );
        let time = Duration::from_millis(u64::from(tenths) * 100);
        let silent = begun.elapsed();
        assert!(
            silent >= time && silent <= time + TICK,
            "{silent:?} for {time:?}"
        );
    }
}

/// W14: any later octet ends it, until the next PING.
#[tokio::test(start_paused = true)]
async fn any_octet_ends_the_time_to_live() {
    let context = Context::new();
    let pull = PullSocket::with_options(options(&context)).unwrap();
    pull.bind("memory://there").await.unwrap();
    let mut monitor = pull.monitor();
    let mut peer = raw_peer(&context, SocketType::Push).await;
    peer.write_all(&ping(10)).await.unwrap();
    expect_pong(&mut peer).await;
    sleep(SECOND - TICK).await;
    // The first octet of a message.
    peer.write_all(b"\0").await.unwrap();
    sleep(HOUR).await;
    peer.write_all(b"\x02hi").await.unwrap();
    assert_eq!(pull.recv().await.unwrap()[0], "hi");
    for _ in 0..10 {
        peer.write_all(&ping(10)).await.unwrap();
        expect_pong(&mut peer).await;
        sleep(SECOND - TICK).await;
    }
    peer.write_all(&ping(10)).await.unwrap();
    let begun = Instant::now();
    assert_eq!(
        lost(&mut monitor).await,
        DisconnectReason::TimeToLiveExpired
    );
    assert!(begun.elapsed() >= SECOND);
}

/// Fills what a socket that nobody receives from reads: its last octets are those of `end`.
async fn fill(pull: &PullSocket, peer: &mut MemoryStream, end: &[u8]) {
    let message = [&[2, 0, 0, 0, 0, 0, 0, 0x20, 0][..], &[7; 0x2000]].concat();
    // One is in the pipe, and a little less than a read buffer waits for room.
    for _ in 0..=256 * 1024 / message.len() {
        peer.write_all(&message).await.unwrap();
        // By then it is read.
        sleep(TICK).await;
    }
    peer.write_all(&[&message, end].concat()).await.unwrap();
    sleep(TICK).await;
    assert_eq!(pull.stats().received, 1);
}

/// W14, rule 9 of the data path: while nobody receives and reading has stopped, silence says nothing. Both clocks
/// restart when reading goes on, and a peer that is gone is noticed then.
#[tokio::test(start_paused = true)]
async fn silence_counts_from_when_reading_goes_on() {
    for (interval, expected, reason) in [
        (None, SECOND * 5, DisconnectReason::TimeToLiveExpired),
        (Some(SECOND), SECOND, DisconnectReason::HeartbeatTimeout),
    ] {
        let context = Context::new();
        let options = options(&context)
            .heartbeat_interval(interval)
            .heartbeat_timeout(SECOND)
            .recv_hwm(NonZeroUsize::new(1));
        let pull = PullSocket::with_options(options).unwrap();
        pull.bind("memory://there").await.unwrap();
        let mut monitor = pull.monitor();
        let mut peer = raw_peer(&context, SocketType::Push).await;
        fill(&pull, &mut peer, &ping(50)).await;
        sleep(HOUR).await;
        assert_eq!(pull.stats().peers, 1);
        while pull.try_recv().is_ok() {
            sleep(TICK).await;
        }
        let resumed = Instant::now();
        assert_eq!(lost(&mut monitor).await, reason);
        let silent = resumed.elapsed();
        // Reading goes on a few messages before the last is received.
        assert!(
            silent <= expected && silent > expected - TICK * 100,
            "{silent:?} for {expected:?}"
        );
    }
}

/// Rule 9 of the data path: a peer that does not take what we send cannot have got our PING, and may be well.
#[tokio::test(start_paused = true)]
async fn nobody_is_given_up_while_output_is_blocked() {
    let context = Context::new();
    let options = options(&context)
        .heartbeat_interval(Some(SECOND))
        .heartbeat_timeout(SECOND);
    let dealer = DealerSocket::with_options(options).unwrap();
    dealer.bind("memory://there").await.unwrap();
    let mut monitor = dealer.monitor();
    let mut peer = raw_peer(&context, SocketType::Dealer).await;
    sleep(SECOND * 3 / 2).await;
    // The PING is on its way now. More than the way holds follows it.
    const LARGE: usize = 256 * 1024;
    dealer.send(vec![7; LARGE]).await.unwrap();
    sleep(HOUR).await;
    assert_eq!(dealer.stats().peers, 1);
    let mut octets = vec![0; 9 + 9 + LARGE];
    peer.read_exact(&mut octets).await.unwrap();
    assert_eq!(octets[..9], ping(0));
    let taken = Instant::now();
    assert_eq!(lost(&mut monitor).await, DisconnectReason::HeartbeatTimeout);
    assert!(taken.elapsed() >= SECOND && taken.elapsed() < SECOND * 2);
}

/// A peer that reads our last slowly, or not at all, is waited for as long as the owner says, whatever its heartbeats.
#[tokio::test(start_paused = true)]
async fn a_peer_may_take_its_time_for_our_last() {
    const PATIENCE: Duration = Duration::from_secs(100);
    let context = Context::new();
    let options = options(&context)
        .heartbeat_interval(Some(SECOND))
        .heartbeat_timeout(SECOND)
        .linger(Linger::For(PATIENCE));
    let dealer = DealerSocket::with_options(options).unwrap();
    dealer.bind("memory://there").await.unwrap();
    let mut peer = raw_peer(&context, SocketType::Dealer).await;
    dealer.send("last").await.unwrap();
    let begun = Instant::now();
    let closing = tokio::spawn(dealer.close());
    let mut octets = Vec::new();
    peer.read_to_end(&mut octets).await.unwrap();
    assert_eq!(octets, b"\0\x04last");
    // What it says meanwhile is not answered any more.
    peer.write_all(&ping(0)).await.unwrap();
    let report = closing.await.unwrap();
    assert_eq!(report.unsent, 0);
    let taken = begun.elapsed();
    assert!(
        taken >= PATIENCE && taken <= PATIENCE + TICK,
        "it took {taken:?}"
    );
}

/// A peer to which not even a PING can be written, and which says nothing, is given up.
#[tokio::test]
async fn a_peer_that_cannot_be_written_to_is_given_up() {
    const SOON: Duration = Duration::from_millis(20);
    let options = options(&Context::new())
        .heartbeat_interval(Some(SOON))
        .heartbeat_timeout(SOON);
    let dealer = DealerSocket::with_options(options).unwrap();
    let mut monitor = dealer.monitor();
    let endpoint = dealer.bind("ipc://*").await.unwrap().to_string();
    let path = endpoint.trim_start_matches("ipc://");
    let mut peer = UnixStream::connect(path).await.unwrap();
    shake_hands(&mut peer, SocketType::Dealer).await;
    let peer = peer.into_std().unwrap();
    peer.shutdown(Shutdown::Read).unwrap();
    let lost = tokio::time::timeout(10 * SECOND, lost(&mut monitor)).await;
    let reason = lost.expect("it is given up");
    assert_eq!(reason, DisconnectReason::HeartbeatTimeout);
}
