//! What lost connections left to be received is bounded, and nothing of it is lost.
#![expect(clippy::unwrap_used, reason = "a test that fails panics")]

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::time::Duration;

use privateer_core::{
    Context, Monitor, PullSocket, PushSocket, RouterSocket, SocketEvent, SocketOptions,
};
use tokio::time::timeout;

/// What one connection leaves here, in messages: its receive mark.
const MARK: u32 = 1000;
/// How many may leave so much.
const CONNECTIONS: u32 = 10;

/// Waits until a monitor tells of what is looked for.
async fn event(monitor: &mut Monitor, mut wanted: impl FnMut(&SocketEvent) -> bool) {
    loop {
        let event = monitor.next().await.unwrap().unwrap();
        if wanted(&event) {
            return;
        }
    }
}

async fn disconnected(monitor: &mut Monitor) {
    let wanted = |event: &SocketEvent| matches!(event, SocketEvent::Disconnected { .. });
    event(monitor, wanted).await;
}

async fn overdue(monitor: &mut Monitor) {
    let wanted = |event: &SocketEvent| matches!(event, SocketEvent::ReceiveOverdue { .. });
    event(monitor, wanted).await;
}

/// Nothing happens for longer than any wait between two tries.
async fn is_quiet(monitor: &mut Monitor) {
    let next = timeout(Duration::from_secs(100), monitor.next()).await;
    assert!(next.is_err(), "{next:?}");
}

/// Receives these numbers, of which each connection has sent so many, in order: each once, and none else.
async fn receive(pull: &PullSocket, numbers: std::ops::Range<u32>) {
    let mut next = BTreeMap::new();
    for _ in numbers.clone() {
        let message = pull.recv().await.unwrap();
        let text = std::str::from_utf8(&message[0]).unwrap();
        let number: u32 = text.parse().unwrap();
        assert!(numbers.contains(&number), "{number}");
        let connection = number / MARK;
        let expected = next.entry(connection).or_insert(connection * MARK);
        assert_eq!(number, *expected);
        *expected += 1;
    }
}

/// A client that comes again and again, sends what it can, and is not received from.
#[tokio::test(start_paused = true)]
async fn clients_that_come_again_and_again_have_to_wait() {
    let context = Context::new();
    let options = || SocketOptions::new().context(&context);
    let pull = PullSocket::with_options(options()).unwrap();
    let mut monitor = pull.monitor();
    pull.bind("memory://left").await.unwrap();
    let mut sent = 0;
    let mut client = async || {
        let push = PushSocket::with_options(options()).unwrap();
        push.connect("memory://left").unwrap();
        for _ in 0..MARK {
            push.send(sent.to_string()).await.unwrap();
            sent += 1;
        }
        push
    };
    for _ in 0..CONNECTIONS {
        let push = client().await;
        assert_eq!(push.close().await.unsent, 0);
        disconnected(&mut monitor).await;
    }
    // With it nobody shakes hands, so that it keeps what it has.
    let late = client().await;
    overdue(&mut monitor).await;
    is_quiet(&mut monitor).await;
    assert_eq!(late.stats().queued, u64::from(MARK));
    let all = MARK * CONNECTIONS;
    receive(&pull, 0..all).await;
    assert!(pull.stats().peers <= 1);
    receive(&pull, all..all + MARK).await;
    assert_eq!(late.close().await.unsent, 0);
}

/// Where bytes have a budget, they count: ten messages are too much then.
#[tokio::test(start_paused = true)]
async fn a_byte_budget_bounds_what_is_left() {
    const LARGE: usize = 64 * 1024;
    let context = Context::new();
    let options = || SocketOptions::new().context(&context);
    let budget = NonZeroUsize::new(1000);
    let pull = PullSocket::with_options(options().recv_byte_budget(budget)).unwrap();
    let mut monitor = pull.monitor();
    pull.bind("memory://left").await.unwrap();
    let client = || {
        let push = PushSocket::with_options(options()).unwrap();
        push.connect("memory://left").unwrap();
        push
    };
    for _ in 0..CONNECTIONS {
        let push = client();
        push.send(vec![7; LARGE]).await.unwrap();
        assert_eq!(push.close().await.unsent, 0);
        disconnected(&mut monitor).await;
    }
    let late = client();
    overdue(&mut monitor).await;
    late.send("late").await.unwrap();
    is_quiet(&mut monitor).await;
    for _ in 0..CONNECTIONS {
        assert_eq!(pull.recv().await.unwrap()[0].len(), LARGE);
    }
    assert_eq!(pull.recv().await.unwrap()[0], "late");
}

/// A server that we connect to again and again, that sends what it can, and is not received from.
#[tokio::test(start_paused = true)]
async fn servers_are_not_connected_to_until_they_are_received_from() {
    let context = Context::new();
    let options = || SocketOptions::new().context(&context);
    let pull = PullSocket::with_options(options()).unwrap();
    let mut monitor = pull.monitor();
    pull.connect("memory://left").unwrap();
    let mut sent = 0;
    for _ in 0..CONNECTIONS {
        let push = PushSocket::with_options(options()).unwrap();
        push.bind("memory://left").await.unwrap();
        for _ in 0..MARK {
            push.send(sent.to_string()).await.unwrap();
            sent += 1;
        }
        assert_eq!(push.close().await.unsent, 0);
        disconnected(&mut monitor).await;
    }
    overdue(&mut monitor).await;
    let push = PushSocket::with_options(options()).unwrap();
    push.bind("memory://left").await.unwrap();
    is_quiet(&mut monitor).await;
    assert!(push.peers().is_empty());
    receive(&pull, 0..sent).await;
    // That nothing is left of the others is found when the next message is asked for.
    let further = push.send(sent.to_string());
    let (further, ()) = tokio::join!(further, receive(&pull, sent..sent + 1));
    further.unwrap();
}

/// Connections that are received from in time, however many, wait for nothing.
#[tokio::test(start_paused = true)]
async fn who_is_received_from_does_not_wait() {
    let context = Context::new();
    let options = || SocketOptions::new().context(&context);
    let pull = PullSocket::with_options(options()).unwrap();
    let mut monitor = pull.monitor();
    pull.bind("memory://taken").await.unwrap();
    for connection in 0..3 * CONNECTIONS {
        let push = PushSocket::with_options(options()).unwrap();
        push.connect("memory://taken").unwrap();
        let numbers = connection * MARK..(connection + 1) * MARK;
        let send = async {
            for number in numbers.clone() {
                push.send(number.to_string()).await.unwrap();
            }
            push.close().await
        };
        let (report, ()) = tokio::join!(send, receive(&pull, numbers.clone()));
        assert_eq!(report.unsent, 0);
    }
    assert_eq!(pull.close().await.unsent, 0);
    while let Some(event) = monitor.next().await.unwrap() {
        let is_overdue = matches!(event, SocketEvent::ReceiveOverdue { .. });
        assert!(!is_overdue, "{event:?}");
    }
}

/// A socket that closes still sends what it holds, whatever it has not received.
#[tokio::test(start_paused = true)]
async fn a_socket_that_closes_waits_for_no_receiver() {
    let context = Context::new();
    let options = || SocketOptions::new().context(&context);
    let dealer = privateer_core::DealerSocket::with_options(options()).unwrap();
    let mut monitor = dealer.monitor();
    dealer.connect("memory://left").unwrap();
    for _ in 0..CONNECTIONS {
        let router = RouterSocket::with_options(options()).unwrap();
        router.bind("memory://left").await.unwrap();
        dealer.send("hello").await.unwrap();
        let (peer, _) = router.recv().await.unwrap();
        for _ in 0..MARK {
            router.send(&peer, "unread").await.unwrap();
        }
        assert_eq!(router.close().await.unsent, 0);
        disconnected(&mut monitor).await;
    }
    overdue(&mut monitor).await;
    dealer.send("last").await.unwrap();
    let router = RouterSocket::with_options(options()).unwrap();
    router.bind("memory://left").await.unwrap();
    let (report, received) = tokio::join!(dealer.close(), router.recv());
    assert_eq!(report.unsent, 0);
    assert_eq!(received.unwrap().1[0], "last");
}
