//! PUSH and PULL: who gets a message, in which order, and that it is whole.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

use std::collections::{HashMap, HashSet};
use std::num::NonZeroUsize;

use privateer::core::{Frame, Linger, Message, PullSocket, PushSocket, SocketOptions};

mod support;
use support::relay::Relay;
use support::sockets::{Linked, Socket, Transport, eager, link, number, scale, soon, texts, until};

/// K15: a peer that has no room is passed over, and loses its turn, not its place.
#[tokio::test]
async fn push_skips_full_peers() {
    let push = PushSocket::with(hwm(1));
    let (slow, quick) = (PullSocket::with(hwm(1)), PullSocket::with(hwm(1000)));
    let _slow = link(&slow, &push, Transport::Inproc).await;
    let _quick = link(&quick, &push, Transport::Inproc).await;
    for i in 0..100 {
        push.try_send(i.to_string()).unwrap();
    }
    // Over inproc the marks of both sides add up.
    let got = [slow.stats().received, quick.stats().received];
    assert_eq!(got, [2, 98]);
    soon(slow.recv()).await.unwrap();
    soon(slow.recv()).await.unwrap();
    for i in 100..102 {
        push.try_send(i.to_string()).unwrap();
    }
    assert_eq!([slow.stats().received, quick.stats().received], [3, 99]);
}

/// K15: a connected endpoint takes messages before anybody is there, up to its own mark; then `send` waits.
#[tokio::test]
async fn push_queues_for_an_endpoint_that_is_not_there_yet() {
    for transport in Transport::KNOWN {
        let place = transport.place();
        let push = PushSocket::with(eager().send_hwm(NonZeroUsize::new(10)));
        assert!(push.try_send("no endpoint").unwrap_err().would_block());
        push.try_connect_to(&place.endpoint).unwrap();
        for i in 0..10 {
            push.try_send(i.to_string()).unwrap();
        }
        assert!(push.try_send("full").unwrap_err().would_block());
        let pull = PullSocket::usual();
        let recv = async {
            pull.bind_to(&place.endpoint).await;
            for i in 0..=10 {
                assert_eq!(number(&pull.recv().await.unwrap()), i, "{transport:?}");
            }
        };
        let (sent, ()) = soon(async { tokio::join!(push.send("10"), recv) }).await;
        sent.unwrap();
        assert_eq!(push.stats().sent, 11, "{transport:?}");
    }
}

/// K15: a bound PUSH has nobody to queue for.
#[tokio::test]
async fn a_bound_push_waits_for_its_first_peer() {
    for transport in Transport::KINDS {
        let (push, pull) = (PushSocket::usual(), PullSocket::usual());
        let place = transport.place();
        let endpoint = push.bind_to(&place.endpoint).await;
        assert!(push.try_send("nobody").unwrap_err().would_block());
        let connect = async {
            pull.connect_to(&endpoint);
            pull.recv().await.unwrap()
        };
        let (sent, received) = soon(async { tokio::join!(push.send("waited"), connect) }).await;
        sent.unwrap();
        assert_eq!(received[0], "waited");
    }
}

/// K15: each peer gets what is its own in order, and together they get everything.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_reordered_per_peer() {
    let count = 20_000 * scale() as u64;
    for transport in Transport::KINDS {
        let push = PushSocket::with(hwm(50));
        let pulls = [(); 3].map(|()| PullSocket::with(hwm(50)));
        let mut linked = Vec::new();
        for pull in &pulls {
            linked.push(link(pull, &push, transport).await);
        }
        let receivers = pulls.map(|pull| tokio::spawn(receive_until_disconnected(pull)));
        for i in 0..count {
            soon(push.send(i.to_string())).await.unwrap();
        }
        assert_eq!(push.end(Linger::Forever).await, 0);
        let mut all = Vec::new();
        for receiver in receivers {
            let got = soon(receiver).await.unwrap();
            assert!(got.is_sorted(), "{transport:?}");
            all.extend(got);
        }
        all.sort_unstable();
        assert!(all.into_iter().eq(0..count), "{transport:?}");
    }
}

async fn receive_until_disconnected(pull: PullSocket) -> Vec<u64> {
    let mut watch = pull.watch();
    let mut got = Vec::new();
    loop {
        tokio::select! {
            message = pull.recv() => got.push(number(&message.unwrap())),
            _ = watch.disconnected() => break,
        }
    }
    // All that was received is readable by now.
    while let Ok(message) = pull.try_recv() {
        got.push(number(&message));
    }
    got
}

/// K15, §4.12: wherever a connection is cut, only whole messages arrive, in order, none twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_connection_never_yields_half_a_message() {
    let pull = PullSocket::usual();
    let server = pull.bind_to("tcp://127.0.0.1:*").await.to_string();
    // In greeting, READY, headers, small bodies, large bodies.
    let cuts = 40 * scale();
    let shares = (0..cuts).map(|i| 30 + i * 7_919 % 400_000).collect();
    let relay = Relay::new(&server, shares).await;
    let push = PushSocket::with(eager());
    push.try_connect_to(&relay.endpoint()).unwrap();
    let send = async {
        for i in 0.. {
            push.send(whole(i)).await.unwrap();
        }
    };
    let recv = async {
        let mut after_the_cuts = 0;
        let (mut seen, mut last) = (HashSet::new(), HashMap::new());
        while after_the_cuts < 100 {
            let (peer, message) = pull.recv_from().await.unwrap();
            let i: usize = texts(&message[0].clone().into()).concat().parse().unwrap();
            assert_eq!(message, whole(i));
            assert!(seen.insert(i), "{i} came twice");
            // The connections of one endpoint are peers of their own, in order each.
            assert!(last.insert(peer.id(), i) < Some(i), "{i} came late");
            after_the_cuts += usize::from(relay.carried() > cuts);
        }
    };
    soon(async {
        tokio::select! {
            () = send => {}
            () = recv => {}
        }
    })
    .await;
}

/// Message number `i`, of frames small and large.
fn whole(i: usize) -> Message {
    let large = |len| Frame::from(vec![i.to_le_bytes()[0]; len]);
    [
        Frame::from(i.to_string()),
        large(i % 300),
        large(i * 613 % 60_000),
        Frame::empty(),
        large(100),
    ]
    .into()
}

/// K15: a peer that is gone takes with it what it had; the others go on.
#[tokio::test]
async fn a_killed_peer_takes_only_its_own() {
    for transport in Transport::KINDS {
        let push = PushSocket::usual();
        let (doomed, survivor) = (PullSocket::usual(), PullSocket::usual());
        let Linked { endpoint, .. } = &link(&push, &doomed, transport).await;
        let mut watch = push.watch();
        survivor.connect_to(endpoint);
        watch.connected().await;
        for i in 0..10 {
            push.send(i.to_string()).await.unwrap();
        }
        drop(doomed);
        watch.disconnected().await;
        for i in 10..20 {
            push.send(i.to_string()).await.unwrap();
        }
        let mut got = Vec::new();
        while got.last() != Some(&19) {
            got.push(number(&soon(survivor.recv()).await.unwrap()));
        }
        assert!(got.is_sorted() && got.len() == 15, "{transport:?}: {got:?}");
    }
}

fn hwm(messages: usize) -> SocketOptions {
    let messages = NonZeroUsize::new(messages);
    SocketOptions::new().send_hwm(messages).recv_hwm(messages)
}

/// Q19: one peer that sends much and nine that send little get the same share while all have something to be received.
#[tokio::test]
async fn fair_queueing_gives_equal_shares() {
    for transport in Transport::KINDS {
        let pull = PullSocket::with(hwm(2_000));
        let pushes: Vec<_> = (0..10).map(|_| PushSocket::with(hwm(2_000))).collect();
        let Linked { endpoint, .. } = &link(&pull, &pushes[0], transport).await;
        let mut watch = pull.watch();
        for push in &pushes[1..] {
            push.connect_to(endpoint);
            watch.connected().await;
        }
        for (name, push) in pushes.iter().enumerate() {
            for _ in 0..if name == 0 { 2_000 } else { 100 } {
                push.send(name.to_string()).await.unwrap();
            }
        }
        until(|| pull.stats().received == 2_000 + 9 * 100).await;
        let mut shares = [0; 10];
        for _ in 0..900 {
            let name: usize = texts(&soon(pull.recv()).await.unwrap())
                .concat()
                .parse()
                .unwrap();
            shares[name] += 1;
        }
        // Within 20 %.
        assert!(
            shares.iter().all(|share| (72..=108).contains(share)),
            "{transport:?}: {shares:?}"
        );
    }
}

/// Q19: among 64 and more that have something to be received a turn is 16 messages long, and shares are equal all the same.
#[tokio::test]
async fn turns_are_longer_in_a_crowd() {
    for transport in Transport::KINDS {
        let pull = PullSocket::with(hwm(10_000));
        let pushes: Vec<_> = (0..80).map(|_| PushSocket::usual()).collect();
        let Linked { endpoint, .. } = &link(&pull, &pushes[0], transport).await;
        let mut watch = pull.watch();
        for push in &pushes[1..] {
            push.connect_to(endpoint);
            watch.connected().await;
        }
        for (name, push) in pushes.iter().enumerate() {
            for _ in 0..40 {
                push.send(name.to_string()).await.unwrap();
            }
        }
        until(|| pull.stats().received == 80 * 40).await;
        let mut shares = [0; 80];
        for turn in 0..160 {
            let mut turns = HashSet::new();
            for _ in 0..16 {
                let name = texts(&soon(pull.recv()).await.unwrap()).concat();
                shares[name.parse::<usize>().unwrap()] += 1;
                turns.insert(name);
            }
            assert_eq!(turns.len(), 1, "{transport:?}, turn {turn}: {turns:?}");
        }
        assert_eq!(shares, [32; 80], "{transport:?}");
    }
}
