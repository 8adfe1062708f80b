//! The Lazy Pirate's client and server over sockets.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

mod support;

use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use privateer::core::{
    DealerSocket, Endpoint, Frame, Linger, Message, RepSocket, ReqSocket, RouterSocket,
    SocketOptions,
};
use privateer::lazy_pirate::{
    LazyPirate, LazyPirateError, LazyPirateEvent, LazyPirateOptions, LazyPirateServer,
    ServerHandle, ServerStats,
};
use support::sockets::{scale, soon, until};
use tokio::sync::Notify;
use tokio::task::{JoinHandle, JoinSet};

const ANY: &str = "tcp://127.0.0.1:*";

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn tries(tries: u32) -> LazyPirateOptions {
    LazyPirateOptions::default()
        .tries(NonZeroU32::new(tries).unwrap())
        .backoff(ms(1), ms(10))
        .budget(100, 1000)
}

async fn echo_at(endpoint: &str) -> (Endpoint, ServerHandle, JoinHandle<ServerStats>) {
    let server = LazyPirateServer::bind(endpoint, |request: Message| async move { request });
    let server = soon(server).await.unwrap();
    let (endpoint, handle) = (server.endpoint().clone(), server.handle());
    (endpoint, handle, tokio::spawn(server.run()))
}

/// LP-7: all requesters and all servers, with and without the number of a request.
#[tokio::test]
async fn clients_and_servers_of_all_kinds_understand_each_other() {
    let (endpoint, _handle, _running) = echo_at(ANY).await;
    let req = ReqSocket::new().unwrap();
    req.connect(&endpoint).unwrap();
    assert_eq!(soon(req.request("Hi")).await.unwrap(), Message::from("Hi"));
    // As libzmq's REQ sends it, without and with ZMQ_REQ_CORRELATE.
    let raw = DealerSocket::new().unwrap();
    raw.connect(&endpoint).unwrap();
    for number in [&[] as &[&[u8]], &[&[7, 0, 0, 0]]] {
        let frames = number.iter().copied().chain([b"".as_slice(), b"Hi"]);
        let request = Message::from_frames(frames.map(Frame::from).collect()).unwrap();
        raw.send(request.clone()).await.unwrap();
        assert_eq!(soon(raw.recv()).await.unwrap(), request);
    }
    let rep = RepSocket::new().unwrap();
    let of_rep = soon(rep.bind(ANY)).await.unwrap();
    tokio::spawn(async move {
        while let Ok(request) = rep.recv().await {
            rep.send(request).await.unwrap();
        }
    });
    let router = RouterSocket::new().unwrap();
    let of_router = soon(router.bind(ANY)).await.unwrap();
    tokio::spawn(async move {
        while let Ok((peer, request)) = router.recv().await {
            router.send(&peer, request).await.unwrap();
        }
    });
    for endpoint in [endpoint, of_rep, of_router] {
        let client = LazyPirate::connect([&endpoint]).unwrap();
        let mut callers = JoinSet::new();
        for number in 0..100_u8 {
            let client = client.clone();
            callers.spawn(async move {
                let request = Message::from([Frame::from([number]), Frame::from("more")]);
                assert_eq!(
                    soon(client.request(request.clone())).await.unwrap(),
                    request
                );
            });
        }
        soon(callers.join_all()).await;
        assert_eq!(client.stats().replies, 100);
        client.close().await;
    }
}

/// LP-5: a server that drops every fifth request: each call is answered, and no connections pile up.
#[tokio::test]
async fn many_calls_to_a_server_that_drops_some_use_one_connection_at_a_time() {
    let router = Arc::new(RouterSocket::new().unwrap());
    let endpoint = soon(router.bind(ANY)).await.unwrap();
    let serving = Arc::clone(&router);
    tokio::spawn(async move {
        for count in 0_u64.. {
            let Ok((peer, request)) = serving.recv().await else {
                return;
            };
            if count % 5 != 0 {
                // The peer may have given up.
                drop(serving.send(&peer, request).await);
            }
        }
    });
    let options = tries(50).timeout(ms(20));
    let client = LazyPirate::with_options([&endpoint], options).unwrap();
    for number in 0..500 * scale() {
        let request = Message::from(number.to_string());
        let reply = soon(client.request(request.clone())).await.unwrap();
        assert_eq!(reply, request);
        assert_eq!(client.stats().lanes, 1);
    }
    assert!(client.stats().sent > 500);
    until(|| router.peers().len() <= 1).await;
    client.close().await;
}

/// LP-6: a future that is dropped frees its place at once.
#[tokio::test]
async fn a_dropped_call_frees_its_place() {
    let router = RouterSocket::new().unwrap();
    let endpoint = soon(router.bind(ANY)).await.unwrap();
    let options = LazyPirateOptions::default().window(NonZeroUsize::MIN);
    let client = LazyPirate::with_options([&endpoint], options).unwrap();
    for number in 1..=3 {
        tokio::select! {
            outcome = client.request("Hi") => panic!("{outcome:?}"),
            request = soon(router.recv()) => drop(request.unwrap()),
        }
        let stats = client.stats();
        assert_eq!((stats.in_flight, stats.cancelled), (0, number));
    }
    client.close().await;
}

/// LP-1: not connected, timed out and cancelled are told apart.
#[tokio::test]
async fn errors_tell_what_happened() {
    let mute = RouterSocket::new().unwrap();
    let endpoint = soon(mute.bind(ANY)).await.unwrap();
    let client = LazyPirate::with_options([&endpoint], tries(2).timeout(ms(200))).unwrap();
    let outcome = soon(client.request("Hi")).await;
    assert!(
        matches!(outcome, Err(LazyPirateError::TimedOut { tries: 2 })),
        "{outcome:?}"
    );
    let _report = soon(mute.close()).await;
    let client = LazyPirate::with_options([&endpoint], tries(2).timeout(ms(50))).unwrap();
    let outcome = soon(client.request("Hi")).await;
    assert!(
        matches!(outcome, Err(LazyPirateError::NotConnected)),
        "{outcome:?}"
    );
    let calling = client.clone();
    let call = tokio::spawn(async move { calling.request("Hi").await });
    until(|| client.stats().in_flight == 1).await;
    client.close().await;
    let outcome = soon(call).await.unwrap();
    assert!(
        matches!(outcome, Err(LazyPirateError::Cancelled)),
        "{outcome:?}"
    );
    let none = LazyPirate::connect(Vec::<Endpoint>::new());
    assert!(matches!(none, Err(LazyPirateError::NoEndpoint)));
}

/// U1, U3: the server goes with calls in hand, and another comes at its place.
#[tokio::test]
async fn calls_survive_a_server_that_is_restarted() {
    let (endpoint, _handle, running) = echo_at(ANY).await;
    let client = LazyPirate::with_options([&endpoint], tries(20)).unwrap();
    assert_eq!(soon(client.request("1")).await.unwrap(), Message::from("1"));
    running.abort();
    let _aborted = running.await;
    let calling = client.clone();
    let call = tokio::spawn(async move { calling.request("2").await });
    until(|| client.stats().in_flight == 1).await;
    let (_, _handle, _running) = echo_at(&endpoint.to_string()).await;
    assert_eq!(soon(call).await.unwrap().unwrap(), Message::from("2"));
    client.close().await;
}

/// F-8: a call that is tried until its answer is there takes effect once; so does one whose answer was lost with the
/// connection.
#[tokio::test]
async fn a_call_with_many_tries_takes_effect_once() {
    let effects = Arc::new(AtomicU64::new(0));
    let (gate, counted) = (Arc::new(Notify::new()), Arc::clone(&effects));
    let opened = Arc::clone(&gate);
    let server = LazyPirateServer::bind(ANY, move |request: Message| {
        counted.fetch_add(1, Ordering::Relaxed);
        let gate = Arc::clone(&opened);
        async move {
            gate.notified().await;
            request
        }
    });
    let server = soon(server).await.unwrap();
    let (endpoint, handle) = (server.endpoint().clone(), server.handle());
    tokio::spawn(server.run());
    let options = tries(1000).timeout(ms(5)).within(Duration::from_secs(60));
    let client = LazyPirate::with_options([&endpoint], options).unwrap();
    let calling = client.clone();
    let call = tokio::spawn(async move { calling.request("Hi").await });
    until(|| handle.stats().repeated >= 20).await;
    gate.notify_one();
    assert_eq!(soon(call).await.unwrap().unwrap(), Message::from("Hi"));
    assert_eq!(effects.load(Ordering::Relaxed), 1);
    client.close().await;
}

/// F-8, U8: who asks again on another connection gets the same answer, and no handler works on it.
#[tokio::test]
async fn an_answer_is_given_again_on_another_connection() {
    let (endpoint, handle, _running) = echo_at(ANY).await;
    let key = Frame::from(*b"\0PK1sixteen octets!!");
    for (number, body) in [(1, "first"), (2, "again")] {
        let raw = DealerSocket::new().unwrap();
        raw.connect(&endpoint).unwrap();
        let asked = |body| {
            [
                Frame::from([number]),
                key.clone(),
                Frame::empty(),
                Frame::from(body),
            ]
        };
        raw.send(asked(body)).await.unwrap();
        assert_eq!(
            soon(raw.recv()).await.unwrap(),
            Message::from(asked("first"))
        );
    }
    let stats = handle.stats();
    assert_eq!((stats.requests, stats.replies, stats.repeated), (2, 2, 1));
}

/// Hedging: a server that hangs costs as long as the hedge waits, not a timeout.
#[tokio::test]
async fn a_hanging_server_is_hedged() {
    let hanging = RepSocket::new().unwrap();
    let first = soon(hanging.bind(ANY)).await.unwrap();
    let (second, _handle, _running) = echo_at(ANY).await;
    let options = tries(1)
        .timeout(Duration::from_secs(60))
        .hedge_after(Some(ms(20)));
    let client = LazyPirate::with_options([&first, &second], options).unwrap();
    let mut events = client.events();
    let mut connected = 0;
    while connected < 2 {
        let event = soon(events.next()).await.unwrap();
        connected += u32::from(matches!(event, Some(LazyPirateEvent::Connected { .. })));
    }
    for number in 0..10_u8 {
        assert_eq!(
            soon(client.request([number])).await.unwrap(),
            Message::from([number])
        );
    }
    let stats = client.stats();
    assert!(stats.hedged >= 4, "{stats:?}");
    client.close().await;
}

/// F-10: a server that is stopped answers what it has in hand.
#[tokio::test]
async fn a_server_that_is_stopped_finishes_first() {
    let go = Arc::new(Notify::new());
    let waits = Arc::clone(&go);
    let server = LazyPirateServer::bind(ANY, move |request: Message| {
        let waits = Arc::clone(&waits);
        async move {
            waits.notified().await;
            request
        }
    });
    let server = soon(server).await.unwrap();
    let (endpoint, handle) = (server.endpoint().clone(), server.handle());
    let running = tokio::spawn(server.run());
    let client = LazyPirate::connect([&endpoint]).unwrap();
    let calling = client.clone();
    let call = tokio::spawn(async move { calling.request("Hi").await });
    until(|| handle.stats().in_hand == 1).await;
    handle.stop();
    go.notify_one();
    assert_eq!(soon(call).await.unwrap().unwrap(), Message::from("Hi"));
    let stats = soon(running).await.unwrap();
    assert_eq!((stats.requests, stats.replies, stats.in_hand), (1, 1, 0));
}

/// A handler that panics does not take its server with it; its client is answered by another try.
#[tokio::test]
async fn a_handler_that_panics_costs_one_try() {
    let asked = AtomicU64::new(0);
    let server = LazyPirateServer::bind(ANY, move |request: Message| {
        let before = asked.fetch_add(1, Ordering::Relaxed);
        // Once before there is a future, and once in it.
        assert!(before > 0, "on purpose");
        async move {
            assert!(before > 1, "on purpose");
            request
        }
    });
    let server = soon(server).await.unwrap();
    let (endpoint, handle) = (server.endpoint().clone(), server.handle());
    tokio::spawn(server.run());
    let client = LazyPirate::with_options([&endpoint], tries(3).timeout(ms(500))).unwrap();
    assert_eq!(
        soon(client.request("Hi")).await.unwrap(),
        Message::from("Hi")
    );
    assert_eq!(handle.stats().panicked, 2);
    client.close().await;
}

/// U9, U10: noise from a client, and from a server.
#[tokio::test]
async fn noise_disturbs_nobody() {
    let (endpoint, handle, _running) = echo_at(ANY).await;
    let options = SocketOptions::new().linger(Linger::For(Duration::from_secs(5)));
    let noisy = DealerSocket::with_options(options).unwrap();
    noisy.connect(&endpoint).unwrap();
    for frames in [1, 2, 7, 10_000] {
        let noise = Message::from_frames(vec![Frame::from("x"); frames]).unwrap();
        noisy.send(noise).await.unwrap();
    }
    until(|| handle.stats().malformed == 4).await;

    let router = RouterSocket::new().unwrap();
    let of_router = soon(router.bind(ANY)).await.unwrap();
    tokio::spawn(async move {
        while let Ok((peer, request)) = router.recv().await {
            for noise in [Message::from("x"), Message::from(Frame::empty())] {
                router.send(&peer, noise).await.unwrap();
            }
            router.send(&peer, request).await.unwrap();
        }
    });
    let client = LazyPirate::connect([&of_router]).unwrap();
    for number in 0..10_u8 {
        assert_eq!(
            soon(client.request([number])).await.unwrap(),
            Message::from([number])
        );
    }
    assert_eq!(client.stats().malformed, 20);
    client.close().await;
}

/// The limit that is set bounds the wait for its turn, too.
#[tokio::test]
async fn a_call_that_waits_for_its_turn_ends_within_its_limit() {
    let silent = RouterSocket::new().unwrap();
    let endpoint = soon(silent.bind(ANY)).await.unwrap();
    let options = LazyPirateOptions::default().window(NonZeroUsize::MIN);
    let client = LazyPirate::with_options([&endpoint], options.within(ms(100))).unwrap();
    let (start, limits) = (Instant::now(), 20);
    let mut calls = JoinSet::new();
    for _ in 0..limits {
        let client = client.clone();
        calls.spawn(async move { client.request("Hi").await });
    }
    for outcome in soon(calls.join_all()).await {
        assert!(
            matches!(outcome, Err(LazyPirateError::TimedOut { .. })),
            "{outcome:?}"
        );
    }
    // One after the other would take as many limits.
    assert!(start.elapsed() < ms(100) * limits / 2);
}
