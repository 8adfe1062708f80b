//! PING and PONG with libzmq, whichever side sends them.

use std::time::Duration;

use privateer_core::{
    DealerSocket, DisconnectReason, Monitor, PairSocket, PullSocket, PushSocket, RepSocket,
    ReqSocket, RouterSocket, SocketEvent, SocketOptions, SocketType,
};
use privateer_faults::{Link, SLACK, scale};
use privateer_interop::{
    Libzmq, Python, Pyzmq, body, connected, disconnected, event, message, soon, within,
};
use tokio::time::{Instant, timeout};

/// How often a PING is sent here.
const INTERVAL: Duration = Duration::from_millis(50);
/// How long a peer may take to answer it.
const TIMEOUT: Duration = Duration::from_millis(600);
/// How long a connection is watched: a peer that answers nothing is given up before.
const WATCH: Duration = Duration::from_millis(1200);

fn no_heartbeats() -> SocketOptions {
    SocketOptions::new().heartbeat_interval(None)
}

fn heartbeats() -> SocketOptions {
    SocketOptions::new()
        .heartbeat_interval(Some(INTERVAL))
        .heartbeat_timeout(TIMEOUT)
}

/// How both sides beat, and for how long they are watched.
#[derive(Clone, Copy)]
struct Beat {
    interval: Duration,
    timeout: Duration,
    watch: Duration,
}

const QUICK: Beat = Beat {
    interval: INTERVAL,
    timeout: TIMEOUT,
    watch: WATCH,
};

/// W17, W16: silence, with our heartbeats off and on, over all types.
#[tokio::test]
async fn libzmq_with_heartbeats_stays_connected_in_silence() {
    stay_connected_in_silence(QUICK).await;
}

/// W17, W16: the same at 500 ms for ten seconds.
#[tokio::test]
async fn libzmq_with_slow_heartbeats_stays_connected_in_silence() {
    let beat = Beat {
        interval: Duration::from_millis(500),
        timeout: Duration::from_secs(3),
        watch: Duration::from_secs(10),
    };
    stay_connected_in_silence(beat).await;
}

async fn stay_connected_in_silence(beat: Beat) {
    let on = SocketOptions::new()
        .heartbeat_interval(Some(beat.interval))
        .heartbeat_timeout(beat.timeout);
    let mut watched = Vec::new();
    let mut kept: Vec<Box<dyn std::any::Any>> = Vec::new();
    macro_rules! connect {
        ($ours:ident, $theirs:ident) => {
            for options in [no_heartbeats(), on.clone()] {
                let ours = $ours::with_options(options).unwrap();
                let mut monitor = ours.monitor();
                let theirs = with_heartbeats(SocketType::$theirs, beat).await;
                ours.connect(&*theirs.bind("tcp://127.0.0.1:*").await)
                    .unwrap();
                connected(&mut monitor).await;
                watched.push(monitor);
                kept.push(Box::new((ours, theirs)));
            }
        };
    }
    connect!(PairSocket, Pair);
    connect!(PushSocket, Pull);
    connect!(PullSocket, Push);
    connect!(ReqSocket, Rep);
    connect!(RepSocket, Req);
    connect!(DealerSocket, Router);
    connect!(RouterSocket, Dealer);
    let until = Instant::now() + beat.watch;
    for mut monitor in watched {
        stays_connected(&mut monitor, until).await;
    }
}

/// W15: a TTL that libzmq 4.3.5 would take for 64 ms is not sent, whatever the option says.
#[tokio::test]
async fn pyzmq_is_told_no_time_to_live_that_it_misreads() {
    let Some(python) = Python::ready() else {
        return;
    };
    // Silent for longer than the misread time between two PINGs.
    let options = SocketOptions::new()
        .heartbeat_interval(Some(WATCH / 4))
        .heartbeat_ttl(Some(Duration::from_millis(65_600)));
    let dealer = DealerSocket::with_options(options).unwrap();
    let mut monitor = dealer.monitor();
    let theirs = Pyzmq::new(&python, SocketType::Router);
    dealer
        .connect(&*theirs.bind("tcp://127.0.0.1:*").await)
        .unwrap();
    connected(&mut monitor).await;
    stays_connected(&mut monitor, Instant::now() + WATCH).await;
}

/// W19: a frame of pyzmq's that takes far longer than our timeout. 1 GiB at 10 MB/s with `PRIVATEER_SCALE` 32 and up.
#[tokio::test]
async fn a_large_frame_of_pyzmq_on_a_slow_link_is_no_silence() {
    const RATE: u32 = 10_000_000;
    let Some(python) = Python::ready() else {
        return;
    };
    let limit = Duration::from_secs(1);
    let options = SocketOptions::new()
        .heartbeat_interval(Some(limit / 4))
        .heartbeat_timeout(limit)
        .max_message_size(None);
    let pull = PullSocket::with_options(options).unwrap();
    let link = Link::to(&pull.bind("tcp://127.0.0.1:*").await.unwrap()).await;
    link.throttle(RATE);
    let theirs = Pyzmq::new(&python, SocketType::Push);
    theirs.connect(&link.endpoint().to_string()).await;
    let size = (32 << 20) * scale().min(32);
    theirs.send_body(size).await;
    let begun = Instant::now();
    let patience = Duration::from_secs(20 + 3 * size as u64 / u64::from(RATE));
    let received = within(patience, pull.recv()).await.unwrap();
    assert!(received[0] == *body(size));
    assert!(begun.elapsed() > limit * 2, "{:?}", begun.elapsed());
    assert_eq!(pull.stats().connected, 1);
}

/// W17, W16: traffic, with our heartbeats off and on.
#[tokio::test]
async fn libzmq_with_heartbeats_stays_connected_in_traffic() {
    for options in [no_heartbeats(), heartbeats()] {
        let dealer = DealerSocket::with_options(options).unwrap();
        let mut monitor = dealer.monitor();
        let theirs = with_heartbeats(SocketType::Dealer, QUICK).await;
        dealer
            .connect(&*theirs.bind("tcp://127.0.0.1:*").await)
            .unwrap();
        connected(&mut monitor).await;
        theirs.echo(None).await;
        let until = Instant::now() + WATCH;
        while Instant::now() < until {
            let sent = message([vec![1; 100], vec![2; 10_000], vec![3; 100_000]]);
            dealer.send(sent.clone()).await.unwrap();
            assert_eq!(soon(dealer.recv()).await.unwrap(), sent);
        }
        stays_connected(&mut monitor, Instant::now()).await;
    }
}

/// W18
#[tokio::test]
async fn a_stopped_peer_is_given_up_and_found_again() {
    let Some(python) = Python::ready() else {
        return;
    };
    let mut theirs = Pyzmq::new(&python, SocketType::Router);
    let endpoint = theirs.bind("tcp://127.0.0.1:*").await;
    let options = heartbeats().reconnect_interval_max(Duration::from_millis(100));
    let dealer = DealerSocket::with_options(options).unwrap();
    let mut monitor = dealer.monitor();
    dealer.connect(&*endpoint).unwrap();
    connected(&mut monitor).await;

    theirs.process().stop();
    let stopped = Instant::now();
    let (_, reason) = disconnected(&mut monitor).await;
    assert_eq!(reason, DisconnectReason::HeartbeatTimeout);
    let silent = stopped.elapsed();
    assert!(
        silent >= TIMEOUT - INTERVAL && silent < (INTERVAL + TIMEOUT) * SLACK,
        "{silent:?}"
    );
    theirs.process().resume();
    connected(&mut monitor).await;
    dealer.send("again").await.unwrap();
    assert_eq!(theirs.recv().await[1], "again");
}

/// W18: the other way round, it is the stopped peer that connects.
#[tokio::test]
async fn a_connecter_that_comes_back_is_a_new_peer() {
    let Some(python) = Python::ready() else {
        return;
    };
    let mut theirs = Pyzmq::new(&python, SocketType::Dealer);
    theirs.set("ROUTING_ID", "their name").await;
    let router = RouterSocket::with_options(heartbeats()).unwrap();
    let mut monitor = router.monitor();
    let endpoint = router.bind("tcp://127.0.0.1:*").await.unwrap();
    theirs.connect(&endpoint.to_string()).await;
    let first = connected(&mut monitor).await;

    theirs.process().stop();
    let (lost, reason) = disconnected(&mut monitor).await;
    assert_eq!(
        (lost, reason),
        (first.clone(), DisconnectReason::HeartbeatTimeout)
    );
    assert!(router.try_send(&first, "nobody is there").is_err());
    theirs.process().resume();
    let second = connected(&mut monitor).await;
    assert_eq!(second.routing_id(), first.routing_id());
    router
        .send(second.routing_id(), "welcome back")
        .await
        .unwrap();
    assert_eq!(theirs.recv().await, message(["welcome back"]));
}

async fn with_heartbeats(kind: SocketType, beat: Beat) -> Libzmq {
    let socket = Libzmq::new(kind);
    let milliseconds = |time: Duration| i32::try_from(time.as_millis()).unwrap();
    let prepare = move |socket: &zmq::Socket| {
        socket.set_heartbeat_ivl(milliseconds(beat.interval))?;
        socket.set_heartbeat_timeout(milliseconds(beat.timeout))
    };
    socket.run(prepare).await.unwrap();
    socket
}

/// Nothing is lost until then.
async fn stays_connected(monitor: &mut Monitor, until: Instant) {
    let lost = event(monitor, |event| match event {
        SocketEvent::Disconnected { reason, .. } => Some(reason),
        _ => None,
    });
    if let Ok(reason) = timeout(until - Instant::now(), lost).await {
        panic!("the connection is lost: {reason:?}");
    }
}
