//! High-water marks: how many messages are taken while nobody receives.

use std::num::NonZeroUsize;
use std::time::Duration;

use privateer_core::{Context, Message, PullSocket, PushSocket, SocketOptions, SocketType};
use privateer_interop::{Libzmq, Python, Pyzmq, body, connected, soon};
use tokio::time::timeout;

/// Marks of sender and receiver; 0 is none, as in libzmq.
const MARKS: [(usize, usize); 7] = [(0, 0), (0, 7), (7, 0), (1, 1), (2, 5), (5, 2), (100, 1)];
/// What counts as without limit.
const UNLIMITED: usize = 1000;

const MIB: usize = 1024 * 1024;
/// What kernel buffers of one TCP connection hold at most, in MiB, whatever their settings are.
const KERNEL: usize = 100;
/// A socket that takes nothing for so long is full.
const FULL: Duration = Duration::from_millis(300);

/// Q01
#[tokio::test]
async fn as_many_messages_fit_over_inproc_as_with_libzmq() {
    for marks in MARKS {
        for order in [
            Order::PushBinds,
            Order::PullBinds,
            Order::PullBindsLater,
            Order::PullBindsWhenFull,
        ] {
            let ours = over_our_inproc(marks, order).await;
            assert_eq!(
                ours,
                over_libzmqs_inproc(marks, order),
                "{marks:?} {order:?}"
            );
        }
    }
}

/// Q01: a pipe that was full before there was a receiver has the receiver's room at once; libzmq's takes nothing more
/// until something is received.
#[tokio::test]
async fn the_mark_of_a_receiver_that_binds_later_counts_at_once() {
    let (push, pull) = over_inproc((2, 5));
    push.connect("inproc://marks").unwrap();
    assert_eq!(fill(&push), 2);
    pull.bind("inproc://marks").await.unwrap();
    assert_eq!(fill(&push), 5);
}

/// Q02
#[tokio::test]
async fn a_stopped_reader_leaves_room_for_the_mark_and_what_the_kernel_holds() {
    let Some(python) = Python::ready() else {
        return;
    };
    let hwm = 10;
    let push = PushSocket::with_options(SocketOptions::new().send_hwm(mark(hwm))).unwrap();
    let mut monitor = push.monitor();
    let endpoint = push.bind("tcp://127.0.0.1:*").await.unwrap().to_string();
    let mut theirs = Pyzmq::new(&python, SocketType::Pull);
    theirs.connect(&endpoint).await;
    connected(&mut monitor).await;
    theirs.process().stop();

    let sent = Message::from(body(MIB));
    let mut accepted = 0;
    while accepted < 1000 && timeout(FULL, push.send(sent.clone())).await.is_ok() {
        accepted += 1;
    }
    assert!(
        (hwm..=hwm + KERNEL).contains(&accepted),
        "{accepted} messages of 1 MiB were accepted"
    );
    assert!(push.stats().queued <= hwm as u64);
    theirs.process().resume();
    assert_eq!(theirs.bodies(accepted).await, vec![MIB; accepted]);
}

/// Q02: the other way round, libzmq sends and we do not receive.
#[tokio::test]
async fn libzmq_is_held_up_when_we_do_not_receive() {
    let hwm = 10;
    let pull = PullSocket::with_options(SocketOptions::new().recv_hwm(mark(hwm))).unwrap();
    let endpoint = pull.bind("tcp://127.0.0.1:*").await.unwrap().to_string();
    let theirs = Libzmq::new(SocketType::Push);
    theirs
        .run(move |socket| socket.set_sndhwm(i32::try_from(hwm).unwrap()).unwrap())
        .await;
    theirs.connect(&endpoint).await;
    theirs.send([body(MIB)]).await;
    let fill = |socket: &zmq::Socket| {
        socket
            .set_sndtimeo(i32::try_from(FULL.as_millis()).unwrap())
            .unwrap();
        let body = body(MIB);
        1 + (0..1000)
            .take_while(|_| socket.send(&body, 0) == Ok(()))
            .count()
    };
    let accepted = theirs.run(fill).await;
    assert!(
        (hwm..=2 * hwm + KERNEL).contains(&accepted),
        "{accepted} messages of 1 MiB were accepted"
    );
    assert_eq!(pull.stats().received, hwm as u64);
    for _ in 0..accepted {
        assert_eq!(soon(pull.recv()).await.unwrap()[0], *body(MIB));
    }
}

/// Which of the two sockets binds, and when.
#[derive(Clone, Copy, Debug)]
enum Order {
    PushBinds,
    PullBinds,
    /// PULL binds after PUSH has connected, and then PUSH sends all it can.
    PullBindsLater,
    /// PUSH sends all it can, and only then PULL binds.
    PullBindsWhenFull,
}

async fn over_our_inproc(marks: (usize, usize), order: Order) -> usize {
    let (push, pull) = over_inproc(marks);
    match order {
        Order::PushBinds => {
            push.bind("inproc://marks").await.unwrap();
            pull.connect("inproc://marks").unwrap();
        }
        Order::PullBinds => {
            pull.bind("inproc://marks").await.unwrap();
            push.connect("inproc://marks").unwrap();
        }
        Order::PullBindsLater => {
            push.connect("inproc://marks").unwrap();
            pull.bind("inproc://marks").await.unwrap();
        }
        Order::PullBindsWhenFull => push.connect("inproc://marks").unwrap(),
    }
    fill(&push)
}

fn over_inproc((send, recv): (usize, usize)) -> (PushSocket, PullSocket) {
    let options = SocketOptions::new().context(&Context::new());
    let push = PushSocket::with_options(options.clone().send_hwm(mark(send))).unwrap();
    let pull = PullSocket::with_options(options.recv_hwm(mark(recv))).unwrap();
    (push, pull)
}

/// How many messages fit now.
fn fill(push: &PushSocket) -> usize {
    (0..UNLIMITED)
        .take_while(|_| push.try_send("message").is_ok())
        .count()
}

fn over_libzmqs_inproc((send, recv): (usize, usize), order: Order) -> usize {
    let context = zmq::Context::new();
    let socket = |kind| {
        let socket = context.socket(kind).unwrap();
        socket.set_linger(0).unwrap();
        socket
    };
    let (push, pull) = (socket(zmq::PUSH), socket(zmq::PULL));
    push.set_sndhwm(i32::try_from(send).unwrap()).unwrap();
    pull.set_rcvhwm(i32::try_from(recv).unwrap()).unwrap();
    match order {
        Order::PushBinds => {
            push.bind("inproc://marks").unwrap();
            pull.connect("inproc://marks").unwrap();
        }
        Order::PullBinds => {
            pull.bind("inproc://marks").unwrap();
            push.connect("inproc://marks").unwrap();
        }
        Order::PullBindsLater => {
            push.connect("inproc://marks").unwrap();
            pull.bind("inproc://marks").unwrap();
        }
        Order::PullBindsWhenFull => push.connect("inproc://marks").unwrap(),
    }
    (0..UNLIMITED)
        .take_while(|_| push.send("message", zmq::DONTWAIT).is_ok())
        .count()
}

const fn mark(messages: usize) -> Option<NonZeroUsize> {
    NonZeroUsize::new(messages)
}
