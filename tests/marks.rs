//! High-water marks: how much may wait, and when there is room again.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

use std::num::NonZeroUsize;
use std::time::Duration;

use privateer::core::{PairSocket, PullSocket, PushSocket, SocketOptions};
use tokio::time::{Instant, timeout};

mod support;
use support::sockets::{Socket, Transport, link, number, soon, texts, until};

/// More than any mark of these tests.
const MANY: usize = 5_000;
const MIB: usize = 1024 * 1024;

/// Q01: over inproc the two marks add up, and none on either side is none at all.
#[tokio::test]
async fn inproc_marks_add_up() {
    let table = [
        (0, 0, MANY),
        (0, 5, MANY),
        (5, 0, MANY),
        (1, 1, 2),
        (2, 5, 7),
        (1000, 1000, 2000),
    ];
    for (send, recv, room) in table {
        for bind_first in [true, false] {
            let push = PushSocket::with(SocketOptions::new().send_hwm(NonZeroUsize::new(send)));
            let pull = PullSocket::with(SocketOptions::new().recv_hwm(NonZeroUsize::new(recv)));
            let place = Transport::Inproc.place();
            if bind_first {
                pull.bind_to(&place.endpoint).await;
                push.try_connect_to(&place.endpoint).unwrap();
            } else {
                push.try_connect_to(&place.endpoint).unwrap();
                pull.bind_to(&place.endpoint).await;
            }
            assert_eq!(
                fill(&push),
                room,
                "({send}, {recv}), bind first: {bind_first}"
            );
        }
    }
}

/// Q01: before the bind the connector's own mark holds; the bind adds the other one, to what is queued already.
#[tokio::test]
async fn inproc_marks_before_the_bind_are_the_connectors() {
    for (send, recv, before, room) in [
        (0, 5, MANY, 0),
        (5, 0, 5, MANY - 5),
        (1, 1, 1, 1),
        (2, 5, 2, 5),
    ] {
        let push = PushSocket::with(SocketOptions::new().send_hwm(NonZeroUsize::new(send)));
        let pull = PullSocket::with(SocketOptions::new().recv_hwm(NonZeroUsize::new(recv)));
        let place = Transport::Inproc.place();
        push.try_connect_to(&place.endpoint).unwrap();
        assert_eq!(fill(&push), before, "({send}, {recv})");
        pull.bind_to(&place.endpoint).await;
        let after = (0..room).take_while(|_| push.try_send("x").is_ok()).count();
        assert_eq!(after, room, "({send}, {recv})");
        for _ in 0..before + after {
            soon(pull.recv()).await.unwrap();
        }
        assert!(pull.try_recv().is_err());
    }
}

/// Q01: a multipart message counts as one.
#[tokio::test]
async fn a_multipart_message_counts_once() {
    let (left, right) = (PairSocket::with(marks(3)), PairSocket::with(marks(3)));
    let _linked = link(&left, &right, Transport::Inproc).await;
    let sent = (0..10).take_while(|_| {
        left.try_send(support::sockets::message(["a", "", "c"]))
            .is_ok()
    });
    assert_eq!(sent.count(), 6);
}

/// Sends without waiting until there is no room; at most [`MANY`].
fn fill(push: &PushSocket) -> usize {
    (0..MANY)
        .take_while(|i| push.try_send(i.to_string()).is_ok())
        .count()
}

/// Q02: while nobody receives, no more is accepted than the two marks, the kernel and one read buffer hold.
#[tokio::test]
async fn network_marks_bound_what_waits() {
    for transport in [Transport::Tcp, Transport::IpcPath] {
        for (mark, size) in [(1, MIB), (10, 100_000), (100, 1_000)] {
            let (push, pull) = (PushSocket::with(marks(mark)), PullSocket::with(marks(mark)));
            let _linked = link(&pull, &push, transport).await;
            let accepted = send_until_stuck(&push, size, 2 * mark).await;
            let outside = (kernel_buffers() + 256 * 1024).div_ceil(size) + 2;
            assert!(
                accepted <= 2 * mark + outside,
                "{transport:?} {mark} {size}: {accepted}"
            );
            assert!(pull.stats().received as usize <= mark, "{:?}", pull.stats());
            for _ in 0..accepted {
                assert_eq!(soon(pull.recv()).await.unwrap()[0].len(), size);
            }
        }
    }
}

/// Q02: byte budgets bound what waits where messages are few and large, or not counted at all.
#[tokio::test]
async fn byte_budgets_bound_what_waits() {
    let budget = || {
        let bytes = NonZeroUsize::new(MIB);
        SocketOptions::new()
            .send_hwm(None)
            .recv_hwm(None)
            .send_byte_budget(bytes)
            .recv_byte_budget(bytes)
    };
    for size in [100, 10_000, 300_000, 3 * MIB] {
        let (push, pull) = (PushSocket::with(budget()), PullSocket::with(budget()));
        let _linked = link(&pull, &push, Transport::Tcp).await;
        let accepted = send_until_stuck(&push, size, 1).await;
        // One message may pass each budget.
        let bound = 2 * (MIB + size) + kernel_buffers() + 256 * 1024 + size;
        assert!(accepted * size <= bound, "{size}: {accepted}");
        assert!(pull.stats().received_bytes as usize <= MIB + size + 256 * 1024);
        for _ in 0..accepted {
            assert_eq!(soon(pull.recv()).await.unwrap()[0].len(), size);
        }
    }
    let (push, pull) = (PushSocket::with(budget()), PullSocket::with(budget()));
    let _linked = link(&pull, &push, Transport::Inproc).await;
    let accepted = (0..MANY)
        .take_while(|_| push.try_send(vec![0; 100_000]).is_ok())
        .count();
    assert_eq!(accepted, (2 * MIB).div_ceil(100_000));
}

/// Sends until nothing is taken for a while, and at least as much as has to be taken.
async fn send_until_stuck(push: &PushSocket, size: usize, at_least: usize) -> usize {
    let deadline = Instant::now() + Duration::from_secs(20);
    let mut accepted = 0;
    loop {
        match timeout(Duration::from_millis(300), push.send(vec![0; size])).await {
            Ok(sent) => sent.unwrap(),
            Err(_elapsed) if accepted >= at_least => return accepted,
            Err(_elapsed) => {
                assert!(
                    Instant::now() < deadline,
                    "only {accepted} of {at_least} were taken"
                );
                continue;
            }
        }
        accepted += 1;
    }
}

/// What the kernel may hold of one connection, in bytes: the largest send and receive buffers that it makes by itself.
fn kernel_buffers() -> usize {
    let largest = |name: &str| {
        let text =
            std::fs::read_to_string(format!("/proc/sys/net/ipv4/{name}")).unwrap_or_default();
        text.split_whitespace()
            .last()
            .and_then(|max| max.parse().ok())
            .unwrap_or(8 * MIB)
    };
    largest("tcp_wmem") + largest("tcp_rmem")
}

/// Q03: a mark that is changed while the socket works holds for the pipes that are there, and for those to come.
#[tokio::test]
async fn a_changed_mark_holds_at_once() {
    let (push, pull) = (PushSocket::with(marks(2)), PullSocket::with(marks(2)));
    let _linked = link(&push, &pull, Transport::Inproc).await;
    assert_eq!(fill(&push), 4);
    push.set_send_hwm(NonZeroUsize::new(5));
    assert_eq!(fill(&push), 3);
    pull.set_recv_hwm(NonZeroUsize::new(10));
    assert_eq!(fill(&push), 8);
    // Lower than what waits: that stays, and nothing goes in before it has shrunk.
    push.set_send_hwm(NonZeroUsize::new(1));
    pull.set_recv_hwm(NonZeroUsize::new(1));
    assert_eq!(fill(&push), 0);
    for _ in 0..15 {
        pull.try_recv().unwrap();
    }
    assert!(pull.try_recv().is_err());
    assert_eq!(fill(&push), 2);
    push.set_send_hwm(None);
    assert_eq!(fill(&push), MANY);
}

/// Q03: whoever waits for room goes on when a raised mark makes some, over a network too.
#[tokio::test]
async fn a_raised_mark_wakes_who_waits() {
    for transport in Transport::KINDS {
        let (push, pull) = (PushSocket::with(marks(1)), PullSocket::with(marks(1)));
        let _linked = link(&push, &pull, transport).await;
        // Until neither the pipes nor the kernel take any more.
        let sent = send_until_stuck(&push, MIB, 2).await;
        let mut waiting = Box::pin(push.send(vec![0; MIB]));
        assert!(
            support::sockets::poll_times(3, &mut waiting)
                .await
                .is_none()
        );
        push.set_send_hwm(NonZeroUsize::new(3));
        soon(waiting).await.unwrap();
        assert!(push.try_send("x").is_ok());
        for _ in 0..sent + 2 {
            soon(pull.recv()).await.unwrap();
        }
        assert!(pull.try_recv().is_err());
    }
}

/// Q03: a raised mark of who receives lets the connection be read on.
#[tokio::test]
async fn a_raised_mark_reads_on() {
    let (push, pull) = (PushSocket::usual(), PullSocket::with(marks(1)));
    let _linked = link(&push, &pull, Transport::Tcp).await;
    for _ in 0..100 {
        push.send("x").await.unwrap();
    }
    until(|| pull.counts().received >= 1).await;
    assert_eq!(pull.counts().received, 1);
    pull.set_recv_hwm(NonZeroUsize::new(50));
    until(|| pull.counts().received >= 50).await;
    assert_eq!(pull.counts().received, 50);
    pull.set_recv_hwm(None);
    until(|| pull.counts().received == 100).await;
    for _ in 0..100 {
        pull.try_recv().unwrap();
    }
}

/// Q04: a full pipe takes more once half of it is received, not after each message.
#[tokio::test]
async fn sending_resumes_when_half_is_received() {
    for (send, recv) in [(1, 1), (2, 5), (5, 2), (5, 5), (1, 10), (10, 1), (100, 100)] {
        let push = PushSocket::with(SocketOptions::new().send_hwm(NonZeroUsize::new(send)));
        let pull = PullSocket::with(SocketOptions::new().recv_hwm(NonZeroUsize::new(recv)));
        let _linked = link(&pull, &push, Transport::Inproc).await;
        let mark = send + recv;
        assert_eq!(fill(&push), mark);
        for left in (0..mark).rev() {
            assert!(
                push.try_send("too early").is_err(),
                "({send}, {recv}) with {} left",
                left + 1
            );
            pull.try_recv().unwrap();
            if left == mark / 2 {
                break;
            }
        }
        assert_eq!(fill(&push), mark.div_ceil(2), "({send}, {recv})");
    }
}

/// Q04: who waits in `send` goes on at the same moment.
#[tokio::test]
async fn waiting_senders_resume_when_half_is_received() {
    let (push, pull) = (PushSocket::with(marks(5)), PullSocket::with(marks(5)));
    let _linked = link(&pull, &push, Transport::Inproc).await;
    assert_eq!(fill(&push), 10);
    let sends = async { tokio::join!(push.send("10"), push.send("11"), push.send("12")) };
    tokio::pin!(sends);
    for _ in 0..4 {
        pull.try_recv().unwrap();
        assert!(timeout(Duration::ZERO, &mut sends).await.is_err());
    }
    pull.try_recv().unwrap();
    soon(sends).await.0.unwrap();
    for expected in 5..13 {
        assert_eq!(number(&pull.try_recv().unwrap()), expected);
    }
}

/// Q04: a sender that is always at its mark still gets everything through, over every transport.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn narrow_pipes_do_not_stall() {
    for transport in Transport::ALL {
        for mark in [1, 2, 3, 7] {
            let (push, pull) = (PushSocket::with(marks(mark)), PullSocket::with(marks(mark)));
            let _linked = link(&pull, &push, transport).await;
            let sender = tokio::spawn(async move {
                for i in 0..2_000 {
                    push.send(i.to_string()).await.unwrap();
                }
                push
            });
            for i in 0..2_000 {
                assert_eq!(number(&soon(pull.recv()).await.unwrap()), i);
            }
            sender.await.unwrap();
        }
    }
}

fn marks(messages: usize) -> SocketOptions {
    let messages = NonZeroUsize::new(messages);
    SocketOptions::new().send_hwm(messages).recv_hwm(messages)
}

/// Q03, as libzmq's `test_decrease_when_full`: a mark that is lowered drops nothing, and holds from then on.
#[tokio::test]
async fn a_mark_can_be_lowered_while_the_pipe_is_full() {
    let push = PushSocket::with(SocketOptions::new().send_hwm(NonZeroUsize::new(100)));
    let pull = PullSocket::with(SocketOptions::new().recv_hwm(NonZeroUsize::new(1)));
    let _linked = link(&push, &pull, Transport::Inproc).await;
    assert_eq!(fill(&push), 101);
    push.set_send_hwm(NonZeroUsize::new(70));
    for i in 0..101 {
        assert_eq!(number(&pull.try_recv().unwrap()), i);
        // Credit returns for half of the new mark at once, which is 71 with the other one.
        let room = push.try_send("room").is_ok();
        assert_eq!(room, i == 35, "{i}");
        if room {
            break;
        }
    }
    assert_eq!(fill(&push), 71 - (101 - 36 + 1));
    for i in 36..101 {
        assert_eq!(number(&pull.try_recv().unwrap()), i);
    }
    assert_eq!(texts(&pull.try_recv().unwrap()), ["room"]);
}

/// Q03: over a network, too, and before there is anybody.
#[tokio::test]
async fn marks_of_connected_endpoints_can_be_changed() {
    for transport in Transport::KNOWN {
        let place = transport.place();
        let push = PushSocket::with(marks(3));
        push.try_connect_to(&place.endpoint).unwrap();
        assert_eq!(fill(&push), 3);
        push.set_send_hwm(NonZeroUsize::new(8));
        assert_eq!(fill(&push), 5);
        push.set_send_hwm(NonZeroUsize::new(4));
        assert!(push.try_send("x").unwrap_err().would_block());
        let other = transport.place();
        push.try_connect_to(&other.endpoint).unwrap();
        assert_eq!(
            fill(&push),
            4,
            "{transport:?}: a later endpoint has the mark of now"
        );
        let pair = PairSocket::with(marks(3));
        pair.try_connect_to(&place.endpoint).unwrap();
        pair.set_send_hwm(NonZeroUsize::new(2));
        let sent = (0..MANY).take_while(|_| pair.try_send("x").is_ok()).count();
        assert_eq!(sent, 2);
    }
}
