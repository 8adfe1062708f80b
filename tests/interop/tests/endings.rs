//! The end of sockets and endpoints: what is still sent, what is reported, what stays.

use std::num::NonZeroUsize;
use std::process::Stdio;
use std::time::Duration;

use privateer_core::{DealerSocket, Linger, PullSocket, PushSocket, SocketOptions, SocketType};
use privateer_interop::{
    Libzmq, Python, Pyzmq, body, connected, disconnected, message, soon, until, vacant, within,
};
use tokio::process::Command;

const MIB: usize = 1024 * 1024;
/// Far more messages of 1 MiB than the kernel holds.
const MANY: usize = 80;

/// Q05: what waits for an endpoint that never connects is reported, whatever the linger time.
#[tokio::test]
async fn messages_for_an_endpoint_that_nobody_binds_are_reported() {
    for linger in [Linger::Discard, Linger::For(Duration::from_millis(50))] {
        let push = PushSocket::new().unwrap();
        push.connect(&*vacant()).unwrap();
        for _ in 0..5 {
            push.send("message").await.unwrap();
        }
        assert_eq!(soon(push.close_with(linger)).await.unsent, 5);
    }
}

/// Q05: linger for ever waits for whoever comes late.
#[tokio::test]
async fn a_close_that_lingers_for_ever_waits_for_whoever_binds_later() {
    let Some(python) = Python::ready() else {
        return;
    };
    let endpoint = vacant();
    let push = PushSocket::with_options(quick()).unwrap();
    push.connect(&*endpoint).unwrap();
    for number in 0..5 {
        push.send(number.to_string()).await.unwrap();
    }
    let closing = tokio::spawn(push.close_with(Linger::Forever));
    let theirs = Pyzmq::new(&python, SocketType::Pull);
    theirs.bind(&endpoint).await;
    for number in 0..5 {
        assert_eq!(theirs.recv().await, message([number.to_string()]));
    }
    assert_eq!(soon(closing).await.unwrap().unsent, 0);
}

/// Q05: what is reported and what the peer has in the end are all that was sent.
#[tokio::test]
async fn what_a_stopped_peer_did_not_get_is_reported_exactly() {
    let Some(python) = Python::ready() else {
        return;
    };
    for linger in [Linger::Discard, Linger::For(Duration::from_millis(300))] {
        let (push, mut theirs) = push_to_stopped(&python).await;
        let unsent = soon(push.close_with(linger)).await.unsent;
        assert!(unsent > 0);
        theirs.process().resume();
        theirs.event("DISCONNECTED").await;
        let received = theirs.rest().await;
        assert!(received.iter().all(|size| *size == MIB));
        assert_eq!(received.len() as u64 + unsent, MANY as u64, "{linger:?}");
    }
}

/// Q05: and for whoever reads again.
#[tokio::test]
async fn a_stopped_peer_that_goes_on_gets_everything() {
    let Some(python) = Python::ready() else {
        return;
    };
    let (push, mut theirs) = push_to_stopped(&python).await;
    let closing = tokio::spawn(push.close_with(Linger::Forever));
    theirs.process().resume();
    assert_eq!(theirs.bodies(MANY).await, [MIB; MANY]);
    assert_eq!(soon(closing).await.unwrap().unsent, 0);
}

/// Q06: all of a million messages arrive, and in order, if a process sends them, closes, and is gone.
#[tokio::test]
async fn a_process_that_closes_and_ends_loses_none_of_a_million_messages() {
    const MESSAGES: usize = 1_000_000;
    let Some(python) = Python::ready() else {
        return;
    };
    let theirs = Pyzmq::new(&python, SocketType::Pull);
    let endpoint = theirs.bind("tcp://127.0.0.1:*").await;
    let sender = Command::new(env!("CARGO_BIN_EXE_privateer-interop-sender"))
        .args([&endpoint, &MESSAGES.to_string()])
        .stderr(Stdio::inherit())
        .kill_on_drop(true)
        .output();
    let (sent, counted) = within(Duration::from_secs(120), async {
        tokio::join!(sender, theirs.count(MESSAGES))
    })
    .await;
    let sent = sent.unwrap();
    assert!(sent.status.success());
    assert_eq!(String::from_utf8(sent.stdout).unwrap(), "0\n");
    assert!(counted);
}

/// Q08
#[tokio::test]
async fn an_unbound_endpoint_is_free_at_once_and_its_peers_stay() {
    let directory = tempfile::tempdir().unwrap();
    let path = format!("ipc://{}/socket", directory.path().display());
    for (given, by_given) in [
        ("tcp://127.0.0.1:*", true),
        ("tcp://127.0.0.1:*", false),
        (&*path, true),
    ] {
        let pull = PullSocket::new().unwrap();
        let mut monitor = pull.monitor();
        let endpoint = pull.bind(given).await.unwrap().to_string();
        let stays = Libzmq::new(SocketType::Push);
        stays.connect(&endpoint).await;
        connected(&mut monitor).await;
        pull.unbind(if by_given { given } else { &endpoint })
            .await
            .unwrap();

        let theirs = Libzmq::new(SocketType::Pull);
        assert_eq!(theirs.bind(&endpoint).await, endpoint);
        stays.send(["to the old one"]).await;
        assert_eq!(
            soon(pull.recv()).await.unwrap(),
            message(["to the old one"])
        );
        let comes = Libzmq::new(SocketType::Push);
        comes.connect(&endpoint).await;
        comes.send(["to the new one"]).await;
        assert_eq!(theirs.recv().await, message(["to the new one"]));
    }
}

/// Q09
#[tokio::test]
async fn a_disconnected_endpoint_sends_what_is_queued_and_what_it_received_stays() {
    let Some(python) = Python::ready() else {
        return;
    };
    let mut theirs = Pyzmq::new(&python, SocketType::Dealer);
    let endpoint = theirs.bind("tcp://127.0.0.1:*").await;
    let options = SocketOptions::new().linger(Linger::Forever);
    let dealer = DealerSocket::with_options(options).unwrap();
    dealer.connect(&*endpoint).unwrap();
    for number in 0..3 {
        theirs.send([number.to_string()]).await;
    }
    until(|| dealer.stats().received == 3).await;
    theirs.process().stop();
    for _ in 0..MANY {
        dealer.send(body(MIB)).await.unwrap();
    }
    theirs.process().resume();
    assert_eq!(soon(dealer.disconnect(&*endpoint)).await.unwrap().unsent, 0);

    assert_eq!(theirs.bodies(MANY).await, [MIB; MANY]);
    for number in 0..3 {
        assert_eq!(
            soon(dealer.recv()).await.unwrap(),
            message([number.to_string()])
        );
    }
    assert!(dealer.try_send("nobody is left").is_err());
}

/// Q10, case 1: messages wait for a peer that is not there.
#[tokio::test]
async fn half_of_the_messages_wait_for_an_absent_peer() {
    let theirs = Libzmq::new(SocketType::Pull);
    let push = PushSocket::new().unwrap();
    push.connect(&*vacant()).unwrap();
    push.connect(&*theirs.bind("tcp://127.0.0.1:*").await)
        .unwrap();
    for number in 0..10 {
        push.send(number.to_string()).await.unwrap();
    }
    for _ in 0..5 {
        theirs.recv().await;
    }
    assert_eq!(soon(push.close()).await.unsent, 5);
    assert_eq!(
        theirs.run(|socket| socket.poll(zmq::POLLIN, 100)).await,
        Ok(0)
    );
}

/// Q10, case 2: with `immediate` none waits for it.
#[tokio::test]
async fn immediate_messages_go_to_connected_peers_only() {
    let theirs = Libzmq::new(SocketType::Pull);
    let push = PushSocket::with_options(SocketOptions::new().immediate()).unwrap();
    push.connect(&*vacant()).unwrap();
    push.connect(&*theirs.bind("tcp://127.0.0.1:*").await)
        .unwrap();
    for number in 0..10 {
        soon(push.send(number.to_string())).await.unwrap();
    }
    for number in 0..10 {
        assert_eq!(theirs.recv().await, message([number.to_string()]));
    }
    assert_eq!(soon(push.close()).await.unsent, 0);
}

/// Q10, case 3: without a peer the socket is mute, until the peer is back.
#[tokio::test]
async fn an_immediate_socket_is_mute_while_its_peer_is_gone() {
    let Some(python) = Python::ready() else {
        return;
    };
    let mut theirs = Pyzmq::new(&python, SocketType::Pull);
    let endpoint = theirs.bind(&vacant()).await;
    let push = PushSocket::with_options(quick().immediate()).unwrap();
    let mut monitor = push.monitor();
    push.connect(&*endpoint).unwrap();
    soon(push.send("first")).await.unwrap();
    assert_eq!(theirs.recv().await, message(["first"]));
    theirs.process().kill().await;
    disconnected(&mut monitor).await;
    assert!(
        push.try_send("nobody is there")
            .is_err_and(|error| error.would_block())
    );

    let theirs = Pyzmq::new(&python, SocketType::Pull);
    theirs.bind(&endpoint).await;
    soon(push.send("second")).await.unwrap();
    assert_eq!(theirs.recv().await, message(["second"]));
}

/// A PUSH whose queue is full of messages for a stopped PULL, which it connects to.
async fn push_to_stopped(python: &Python) -> (PushSocket, Pyzmq) {
    let mut theirs = Pyzmq::new(python, SocketType::Pull);
    theirs.monitor().await;
    let options = SocketOptions::new().send_hwm(NonZeroUsize::new(MANY));
    let push = PushSocket::with_options(options).unwrap();
    let mut monitor = push.monitor();
    push.connect(&*theirs.bind("tcp://127.0.0.1:*").await)
        .unwrap();
    connected(&mut monitor).await;
    theirs.event("HANDSHAKE_SUCCEEDED").await;
    theirs.process().stop();
    for _ in 0..MANY {
        push.send(body(MIB)).await.unwrap();
    }
    (push, theirs)
}

/// Tries to connect again soon.
fn quick() -> SocketOptions {
    SocketOptions::new().reconnect_interval_max(Duration::from_millis(100))
}
