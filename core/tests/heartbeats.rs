//! Heartbeats of sockets of all types, in virtual time.
#![expect(clippy::unwrap_used, reason = "a test that fails panics")]

use std::time::Duration;

use privateer_core::{
    Context, DealerSocket, DisconnectReason, Monitor, PairSocket, Peer, PullSocket, PushSocket,
    RepSocket, ReqSocket, RouterSocket, SocketEvent, SocketOptions,
};
use tokio::time::{Instant, sleep, timeout, timeout_at};

const INTERVAL: Duration = Duration::from_millis(50);
/// How long octets are on their way.
const DELAY: Duration = Duration::from_millis(10);
const MINUTE: Duration = Duration::from_secs(60);

fn options(context: &Context) -> SocketOptions {
    SocketOptions::new()
        .context(context)
        .heartbeat_interval(Some(INTERVAL))
        .heartbeat_timeout(INTERVAL)
        .heartbeat_ttl(Some(INTERVAL * 4))
}

async fn connected(monitor: &mut Monitor) {
    while !matches!(
        monitor.next().await.unwrap().unwrap(),
        SocketEvent::Connected { .. }
    ) {}
}

async fn lost(monitor: &mut Monitor) -> DisconnectReason {
    loop {
        if let SocketEvent::Disconnected { reason, .. } = monitor.next().await.unwrap().unwrap() {
            return reason;
        }
    }
}

/// Lets two sockets be connected for a minute, with `traffic` over and over or in silence, and then cuts the network,
/// which both have to notice: so there were heartbeats.
macro_rules! keep_connected {
    ($binder:ident, $connector:ident, $traffic:expr) => {
        for talks in [false, true] {
            let context = Context::new();
            context.network().set_delay(DELAY);
            let binder = $binder::with_options(options(&context)).unwrap();
            let connector = $connector::with_options(options(&context)).unwrap();
            let mut monitors = [binder.monitor(), connector.monitor()];
            binder.bind("memory://there").await.unwrap();
            connector.connect("memory://there").unwrap();
            for monitor in &mut monitors {
                connected(monitor).await;
            }
            let end = Instant::now() + MINUTE;
            if talks {
                while Instant::now() < end {
                    timeout_at(end + MINUTE, $traffic(&binder, &connector))
                        .await
                        .unwrap();
                    sleep(INTERVAL / 7).await;
                }
            }
            for monitor in &mut monitors {
                let lost = timeout_at(end, lost(monitor)).await;
                assert!(lost.is_err(), "{lost:?}");
            }
            context.network().stall();
            let begun = Instant::now();
            for monitor in &mut monitors {
                let reason = timeout(INTERVAL * 3, lost(monitor)).await.unwrap();
                assert_eq!(reason, DisconnectReason::HeartbeatTimeout);
            }
            assert!(begun.elapsed() > INTERVAL);
        }
    };
}

/// R08: a heartbeat measures the round trip, each anew; there is none before the first.
#[tokio::test(start_paused = true)]
async fn a_heartbeat_measures_the_round_trip() {
    let context = Context::new();
    let pull = PullSocket::with_options(options(&context).heartbeat_interval(None)).unwrap();
    let push = PushSocket::with_options(options(&context)).unwrap();
    let mut monitor = push.monitor();
    pull.bind("memory://there").await.unwrap();
    push.connect("memory://there").unwrap();
    connected(&mut monitor).await;
    let peers = [push.peers().remove(0), pull.peers().remove(0)];
    assert_eq!(peers.each_ref().map(Peer::round_trip), [None, None]);
    for delay in [DELAY, DELAY * 2] {
        context.network().set_delay(delay);
        // A PING goes out, and its answer is back before the next.
        sleep(INTERVAL * 2 + delay * 4).await;
        assert_eq!(peers[0].round_trip(), Some(delay * 2));
    }
    // This side asks nothing.
    assert_eq!(peers[1].round_trip(), None);
}

/// W16: a minute at 50 ms, both ways, with and without traffic.
#[tokio::test(start_paused = true)]
async fn all_types_stay_connected() {
    keep_connected!(
        PairSocket,
        PairSocket,
        async |a: &PairSocket, b: &PairSocket| {
            a.send("ping").await.unwrap();
            b.send("pong").await.unwrap();
            a.recv().await.unwrap();
            b.recv().await.unwrap();
        }
    );
    keep_connected!(
        PullSocket,
        PushSocket,
        async |a: &PullSocket, b: &PushSocket| {
            b.send(vec![1; 100_000]).await.unwrap();
            a.recv().await.unwrap();
        }
    );
    keep_connected!(
        PushSocket,
        PullSocket,
        async |a: &PushSocket, b: &PullSocket| {
            a.send("work").await.unwrap();
            b.recv().await.unwrap();
        }
    );
    keep_connected!(
        RepSocket,
        ReqSocket,
        async |a: &RepSocket, b: &ReqSocket| {
            b.send("request").await.unwrap();
            let request = a.recv().await.unwrap();
            a.send(request).await.unwrap();
            b.recv().await.unwrap();
        }
    );
    keep_connected!(
        RepSocket,
        DealerSocket,
        async |a: &RepSocket, b: &DealerSocket| {
            b.send(["", "request"].map(privateer_core::Frame::from))
                .await
                .unwrap();
            let request = a.recv().await.unwrap();
            a.send(request).await.unwrap();
            b.recv().await.unwrap();
        }
    );
    keep_connected!(
        DealerSocket,
        DealerSocket,
        async |a: &DealerSocket, b: &DealerSocket| {
            a.send("there").await.unwrap();
            b.recv().await.unwrap();
        }
    );
}

/// W16: the types of ROUTER.
#[tokio::test(start_paused = true)]
async fn routers_stay_connected() {
    keep_connected!(
        RouterSocket,
        ReqSocket,
        async |a: &RouterSocket, b: &ReqSocket| {
            b.send("request").await.unwrap();
            let (peer, request) = a.recv().await.unwrap();
            a.send(&peer, request).await.unwrap();
            b.recv().await.unwrap();
        }
    );
    keep_connected!(
        RouterSocket,
        DealerSocket,
        async |a: &RouterSocket, b: &DealerSocket| {
            b.send("there").await.unwrap();
            let (peer, message) = a.recv().await.unwrap();
            a.send(&peer, message).await.unwrap();
            b.recv().await.unwrap();
        }
    );
    keep_connected!(
        RouterSocket,
        RouterSocket,
        async |a: &RouterSocket, b: &RouterSocket| {
            let peer = a.peers().remove(0);
            a.send(&peer, "there").await.unwrap();
            let (peer, message) = b.recv().await.unwrap();
            b.send(&peer, message).await.unwrap();
            a.recv().await.unwrap();
        }
    );
}

/// Only one side beats: the other answers, and is not given up, nor does it give up.
#[tokio::test(start_paused = true)]
async fn one_side_with_heartbeats_is_enough() {
    let context = Context::new();
    let silent = options(&context).heartbeat_interval(None);
    let router = RouterSocket::with_options(silent.clone()).unwrap();
    router.bind("memory://there").await.unwrap();
    let mut monitor = router.monitor();
    let dealer = DealerSocket::with_options(options(&context)).unwrap();
    dealer.connect("memory://there").unwrap();
    connected(&mut monitor).await;
    assert!(timeout(MINUTE, lost(&mut monitor)).await.is_err());
    context.network().stall();
    // The router goes by what the dealer's PING allowed.
    assert_eq!(
        lost(&mut monitor).await,
        DisconnectReason::TimeToLiveExpired
    );
}

/// Rule 9 of the data path: a peer whose messages nobody receives is no dead one, nor is a peer that takes no more; when
/// somebody receives, everything is there.
#[tokio::test(start_paused = true)]
async fn full_pipes_are_no_death() {
    for interval in [None, Some(INTERVAL)] {
        let context = Context::new();
        context.network().set_delay(DELAY);
        let pull =
            PullSocket::with_options(options(&context).heartbeat_interval(interval)).unwrap();
        pull.bind("memory://there").await.unwrap();
        let push = PushSocket::with_options(options(&context)).unwrap();
        push.connect("memory://there").unwrap();
        let mut sent = 0;
        while let Ok(done) = timeout(INTERVAL, push.send(vec![1; 1000])).await {
            done.unwrap();
            sent += 1;
        }
        let mut monitor = push.monitor();
        assert!(timeout(MINUTE, lost(&mut monitor)).await.is_err());
        for _ in 0..sent {
            pull.recv().await.unwrap();
        }
        assert_eq!((push.stats().connected, pull.stats().connected), (1, 1));
    }
}
