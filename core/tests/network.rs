//! Sockets over a network that delays, splits, stalls and cuts, in virtual time.
#![expect(clippy::unwrap_used, reason = "a test that fails panics")]

use std::num::NonZeroUsize;
use std::time::Duration;

use privateer_core::{
    Context, DealerSocket, Frame, Message, PullSocket, PushSocket, RepSocket, ReqSocket,
    RouterSocket, SocketEvent, SocketOptions,
};
use tokio::time::timeout;

fn options(context: &Context) -> SocketOptions {
    SocketOptions::new()
        .context(context)
        .reconnect_interval_max(Duration::from_millis(500))
}

/// A message that tells its number, in frames of many sizes.
fn numbered(number: u32) -> Message {
    let mut message = Message::from(number.to_string());
    for size in [0, 1, 255, 256, 10_000] {
        message.push(vec![u8::try_from(number % 251).unwrap(); size]);
    }
    message
}

/// Wherever a connection breaks, what arrives is whole, in order and there once; what is missing was in the kernel's
/// place when it broke.
#[tokio::test(start_paused = true)]
async fn cuts_tear_nothing_and_repeat_nothing() {
    for cut in [
        1, 64, 100, 257, 5_000, 10_530, 10_531, 10_532, 40_000, 200_000,
    ] {
        let context = Context::new();
        let pull = PullSocket::with_options(options(&context)).unwrap();
        pull.bind("memory://cut").await.unwrap();
        let push = PushSocket::with_options(options(&context)).unwrap();
        push.connect("memory://cut").unwrap();
        push.send(numbered(0)).await.unwrap();
        assert_eq!(pull.recv().await.unwrap(), numbered(0));
        context.network().cut_after(cut);
        let sending = async {
            for number in 1..=50 {
                push.send(numbered(number)).await.unwrap();
            }
        };
        let receiving = async {
            let mut last = 0;
            while last < 50 {
                let message = pull.recv().await.unwrap();
                let number: u32 = std::str::from_utf8(&message[0]).unwrap().parse().unwrap();
                assert!(number > last, "{number} after {last}, cut after {cut}");
                assert_eq!(message, numbered(number));
                last = number;
            }
        };
        tokio::join!(sending, receiving);
    }
}

/// A request is served although the connection breaks again and again (K02).
#[tokio::test(start_paused = true)]
async fn a_request_outlives_its_connection() {
    let context = Context::new();
    let rep = RepSocket::with_options(options(&context)).unwrap();
    rep.bind("memory://rep").await.unwrap();
    let server = tokio::spawn(async move {
        while let Ok(request) = rep.recv().await {
            rep.send(request).await.unwrap();
        }
    });
    let req = ReqSocket::with_options(options(&context)).unwrap();
    req.connect("memory://rep").unwrap();
    for round in 0..200_usize {
        context.network().cut_after(round % 97);
        let reply = req.request(round.to_string()).await.unwrap();
        assert_eq!(reply[0], *round.to_string());
    }
    server.abort();
}

/// A peer that is cut off without a sign of it is given up after interval and timeout, and is back when it heals.
#[tokio::test(start_paused = true)]
async fn a_silent_peer_is_given_up_and_comes_back() {
    let context = Context::new();
    let router = RouterSocket::with_options(options(&context)).unwrap();
    router.bind("memory://silent").await.unwrap();
    let beat = options(&context)
        .heartbeat_interval(Some(Duration::from_secs(1)))
        .heartbeat_timeout(Duration::from_secs(1));
    let dealer = DealerSocket::with_options(beat).unwrap();
    let mut monitor = dealer.monitor();
    dealer.connect("memory://silent").unwrap();
    let mut next = async |wanted: fn(&SocketEvent) -> bool| {
        while !wanted(&monitor.next().await.unwrap().unwrap()) {}
    };
    next(|event| matches!(event, SocketEvent::Connected { .. })).await;
    let healthy = tokio::time::Instant::now();
    tokio::time::advance(Duration::from_secs(60)).await;
    context.network().stall();
    next(|event| matches!(event, SocketEvent::Disconnected { .. })).await;
    assert!(healthy.elapsed() >= Duration::from_secs(61));
    context.network().heal();
    next(|event| matches!(event, SocketEvent::Connected { .. })).await;
    dealer.send("back").await.unwrap();
    assert_eq!(router.recv().await.unwrap().1[0], "back");
}

/// Octet by octet and slowly, everything arrives.
#[tokio::test(start_paused = true)]
async fn split_and_delayed_streams_are_whole() {
    let context = Context::new();
    context.network().split_at(1);
    context.network().set_delay(Duration::from_millis(50));
    let router = RouterSocket::with_options(options(&context)).unwrap();
    router.bind("memory://slow").await.unwrap();
    let dealer = DealerSocket::with_options(options(&context)).unwrap();
    dealer.connect("memory://slow").unwrap();
    for number in 0..20 {
        dealer.send(numbered(number)).await.unwrap();
        let (peer, message) = router.recv().await.unwrap();
        assert_eq!(message, numbered(number));
        router.send(&peer, message).await.unwrap();
        assert_eq!(dealer.recv().await.unwrap(), numbered(number));
    }
}

/// What is done to a part of the network leaves the other parts as they are; what is done to the whole reaches all parts.
#[tokio::test(start_paused = true)]
async fn a_part_of_the_network_fails_alone() {
    let context = Context::new();
    let pull = PullSocket::with_options(options(&context)).unwrap();
    let mut pushes = Vec::new();
    for endpoint in ["memory://one", "memory://two"] {
        pull.bind(endpoint).await.unwrap();
        let push = PushSocket::with_options(options(&context)).unwrap();
        push.connect(endpoint).unwrap();
        push.send(endpoint).await.unwrap();
        assert_eq!(pull.recv().await.unwrap()[0], *endpoint);
        pushes.push(push);
    }
    let one = context.network().at("memory://one");
    one.stall();
    for push in &pushes {
        push.send("later").await.unwrap();
    }
    let (peer, _) = pull.recv_from().await.unwrap();
    assert_eq!(peer.endpoint().to_string(), "memory://two");
    let quiet = timeout(Duration::from_secs(5), pull.recv());
    assert!(quiet.await.is_err());
    context.network().heal();
    let (peer, _) = pull.recv_from().await.unwrap();
    assert_eq!(peer.endpoint().to_string(), "memory://one");
    let mut monitor = pull.monitor();
    one.cut();
    let lost = loop {
        if let Some(SocketEvent::Disconnected { peer, .. }) = monitor.next().await.unwrap() {
            break peer;
        }
    };
    assert_eq!(lost, peer);
    assert_eq!(pushes[1].peers().len(), 1);
}

/// What is on its way when a connection breaks is counted.
#[tokio::test(start_paused = true)]
async fn what_a_cut_loses_is_counted() {
    let context = Context::new();
    let pull = PullSocket::with_options(options(&context)).unwrap();
    pull.bind("memory://cut").await.unwrap();
    let push = PushSocket::with_options(options(&context)).unwrap();
    push.connect("memory://cut").unwrap();
    push.send("first").await.unwrap();
    assert_eq!(pull.recv().await.unwrap()[0], "first");
    assert_eq!(context.network().lost_octets(), 0);
    context.network().stall();
    push.send(vec![1; 1000]).await.unwrap();
    while push.stats().queued > 0 {
        tokio::task::yield_now().await;
    }
    context.network().cut();
    context.network().heal();
    push.send("last").await.unwrap();
    assert_eq!(pull.recv().await.unwrap()[0], "last");
    // With the flags and the size before it.
    assert_eq!(context.network().lost_octets(), 1009);
}

/// Nobody waits for room for a peer that can be told nothing any more: that it is gone is heard only behind all that it
/// has sent, for which there may be no room until who waits goes on.
#[tokio::test(start_paused = true)]
async fn who_answers_does_not_wait_for_a_lost_peer() {
    let context = Context::new();
    let marked = || {
        let options = options(&context).recv_hwm(NonZeroUsize::new(10));
        options.send_hwm(NonZeroUsize::new(1))
    };
    let rep = RepSocket::with_options(marked()).unwrap();
    rep.bind("memory://rep").await.unwrap();
    let router = RouterSocket::with_options(marked()).unwrap();
    router.bind("memory://router").await.unwrap();
    for server in ["memory://rep", "memory://router"] {
        let dealer = DealerSocket::with_options(marked()).unwrap();
        dealer.connect(server).unwrap();
        let request = || Message::from(["".into(), Frame::from(vec![1; 10_000])]);
        // Until nobody reads any more.
        while timeout(LONG, dealer.send(request())).await.is_ok() {}
        context.network().cut();
        // As many as one that is connected has room for, and more.
        for _ in 0..4 {
            let answering = async {
                if server == "memory://rep" {
                    let request = rep.recv().await.unwrap();
                    rep.send(request).await.unwrap();
                } else {
                    let (peer, request) = router.recv().await.unwrap();
                    let _gone = router.send(&peer, request).await;
                }
            };
            timeout(LONG, answering).await.expect(server);
        }
    }
    assert!(rep.stats().dropped_unroutable > 0, "{:?}", rep.stats());
}

/// Longer than anything takes here that happens at all.
const LONG: Duration = Duration::from_secs(10);
