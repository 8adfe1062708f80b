//! Futures that are dropped at any point: nothing is lost, nothing comes twice, nothing is stuck.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

use std::num::NonZeroUsize;
use std::time::Duration;

use privateer::core::{
    DealerSocket, Frame, Linger, Message, Peer, PeerEvent, PullSocket, PushSocket, RecvError,
    RouterSocket, SocketEvent, SocketOptions,
};
use tokio::time::timeout;

mod support;
use support::sockets::{Linked, Socket, Transport, link, number, poll_times, soon, until};

/// R01: a `send` that was dropped has sent nothing, one that was ready has sent once.
#[tokio::test]
async fn dropped_sends_have_sent_nothing() {
    for transport in Transport::KINDS {
        let (push, pull) = (PushSocket::with(marks(2)), PullSocket::with(marks(2)));
        let _linked = link(&pull, &push, transport).await;
        let mut accepted = Vec::new();
        let mut received = Vec::new();
        for i in 0..3_000 {
            // With a body that the kernel cannot take in without end.
            let body = [Frame::from(i.to_string()), Frame::from(vec![0; 100_000])];
            if let Some(sent) = poll_times(i as usize % 6, push.send(body)).await {
                sent.unwrap();
                accepted.push(i);
            }
            if i % 4 == 0 {
                received.extend(pull.try_recv().map(|message| number(&message)));
            }
        }
        assert!(
            accepted.len() > 100 && accepted.len() < 2_500,
            "{transport:?}: {}",
            accepted.len()
        );
        let (sent, ()) = soon(async {
            tokio::join!(push.send("9999"), async {
                while received.last() != Some(&9999) {
                    received.push(number(&pull.recv().await.unwrap()));
                }
            })
        })
        .await;
        sent.unwrap();
        accepted.push(9999);
        assert_eq!(received, accepted, "{transport:?}");
    }
}

/// R01: a `recv` that was dropped has received nothing.
#[tokio::test]
async fn dropped_receives_lose_nothing() {
    for transport in Transport::KINDS {
        let (dealer, router) = (DealerSocket::usual(), RouterSocket::usual());
        let _linked = link(&router, &dealer, transport).await;
        let mut received = Vec::new();
        for i in 0..3_000 {
            dealer.send(i.to_string()).await.unwrap();
            let got = match i % 3 {
                0 => poll_times(i % 5, router.recv()).await,
                _ => poll_times(i % 5, recv_message(&router)).await,
            };
            received.extend(got.map(|got| number(&got.unwrap().1)));
        }
        while received.len() < 3_000 {
            received.push(number(&soon(router.recv()).await.unwrap().1));
        }
        assert!(received.into_iter().eq(0..3_000), "{transport:?}");
    }
}

async fn recv_message(router: &RouterSocket) -> Result<(Peer, Message), RecvError> {
    loop {
        if let PeerEvent::Message(peer, message) = router.recv_event().await? {
            return Ok((peer, message));
        }
    }
}

/// R01: a wake-up that a dropped `send` got goes to the next who waits.
#[tokio::test]
async fn a_dropped_send_passes_its_wake_up_on() {
    let (push, pull) = (PushSocket::with(marks(1)), PullSocket::with(marks(1)));
    let _linked = link(&pull, &push, Transport::Inproc).await;
    push.try_send("1").unwrap();
    push.try_send("2").unwrap();
    let mut first = Box::pin(push.send("dropped"));
    let mut second = Box::pin(push.send("3"));
    assert!(timeout(Duration::ZERO, &mut first).await.is_err());
    assert!(timeout(Duration::ZERO, &mut second).await.is_err());
    // Wakes the first, which does not get to run.
    pull.try_recv().unwrap();
    drop(first);
    soon(second).await.unwrap();
    assert_eq!(number(&pull.try_recv().unwrap()), 2);
    assert_eq!(number(&pull.try_recv().unwrap()), 3);
}

/// R01: the same for `recv`, on one socket of each kind of waiting.
#[tokio::test]
async fn a_dropped_recv_passes_its_wake_up_on() {
    for transport in Transport::KINDS {
        let (push, pull) = (PushSocket::usual(), PullSocket::usual());
        let _linked = link(&pull, &push, transport).await;
        let mut first = Box::pin(pull.recv());
        let mut second = Box::pin(pull.recv());
        assert!(timeout(Duration::ZERO, &mut first).await.is_err());
        assert!(timeout(Duration::ZERO, &mut second).await.is_err());
        push.send("1").await.unwrap();
        until(|| pull.stats().received == 1).await;
        drop(first);
        assert_eq!(number(&soon(second).await.unwrap()), 1);
    }
}

/// R01: a ROUTER's `send` and `ready` wait for one peer, and can be dropped meanwhile.
#[tokio::test]
async fn dropped_router_sends_have_sent_nothing() {
    let (router, dealer) = (RouterSocket::with(marks(1)), DealerSocket::with(marks(1)));
    let _linked = link(&router, &dealer, Transport::Inproc).await;
    let peer = router.first_peer();
    let (mut accepted, mut received) = (Vec::new(), Vec::new());
    for i in 0..2_000_usize {
        let times = i % 5;
        if i % 2 == 0 {
            let _dropped = poll_times(times, router.ready(&peer)).await;
        }
        if let Some(sent) = poll_times(times, router.send(&peer, i.to_string())).await {
            sent.unwrap();
            accepted.push(i as u64);
        }
        if i % 3 == 0 {
            received.extend(dealer.try_recv().map(|message| number(&message)));
        }
    }
    let last = async {
        router.ready(&peer).await.unwrap();
        router.send(&peer, "9999").await.unwrap();
    };
    let recv = async {
        while received.last() != Some(&9999) {
            received.push(number(&dealer.recv().await.unwrap()));
        }
    };
    soon(async { tokio::join!(last, recv) }).await;
    accepted.push(9999);
    assert_eq!(received, accepted);
}

/// R01: a wake-up that a dropped `ready` got goes to the next who waits for that peer.
#[tokio::test]
async fn a_dropped_ready_passes_its_wake_up_on() {
    let (router, dealer) = (RouterSocket::with(marks(1)), DealerSocket::with(marks(1)));
    let _linked = link(&router, &dealer, Transport::Inproc).await;
    let peer = router.first_peer();
    router.try_send(&peer, "1").unwrap();
    router.try_send(&peer, "2").unwrap();
    let mut first = Box::pin(router.ready(&peer));
    let mut second = Box::pin(router.send(&peer, "3"));
    assert!(timeout(Duration::ZERO, &mut first).await.is_err());
    assert!(timeout(Duration::ZERO, &mut second).await.is_err());
    dealer.try_recv().unwrap();
    drop(first);
    soon(second).await.unwrap();
}

/// R01: a `bind` that was dropped does not listen, and leaves neither port nor file behind.
#[tokio::test]
async fn a_dropped_bind_does_not_listen() {
    for transport in Transport::KNOWN {
        for times in 0..6 {
            let place = transport.place();
            let pull = PullSocket::usual();
            let bound = poll_times(times, pull.bind(&*place.endpoint)).await;
            let other = PullSocket::usual();
            match bound {
                Some(bound) => assert!(other.bind(bound.unwrap()).await.is_err()),
                None => {
                    bind_when_free(&other, &place.endpoint).await;
                    assert!(pull.unbind(&*place.endpoint).await.is_err());
                }
            }
        }
    }
}

/// R01: an `unbind` that was dropped still closes the listener.
#[tokio::test]
async fn a_dropped_unbind_closes_the_listener() {
    for transport in Transport::KNOWN {
        for times in 1..5 {
            let (pull, other) = (PullSocket::usual(), PullSocket::usual());
            let place = transport.place();
            let endpoint = pull.bind_to(&place.endpoint).await;
            let _unbound = poll_times(times, pull.unbind(&endpoint)).await;
            bind_when_free(&other, &endpoint.to_string()).await;
        }
    }
}

/// R01: a `close` that was dropped goes on: everything arrives.
#[tokio::test]
async fn a_dropped_close_goes_on() {
    for transport in Transport::KINDS {
        for times in 0..6 {
            let (push, pull) = (PushSocket::usual(), PullSocket::usual());
            let Linked { endpoint, .. } = &link(&push, &pull, transport).await;
            let mut watch = pull.watch();
            for i in 0..500 {
                push.try_send(i.to_string()).unwrap();
            }
            let _report = poll_times(times, push.close_with(Linger::Forever)).await;
            for i in 0..500 {
                assert_eq!(number(&soon(pull.recv()).await.unwrap()), i);
            }
            watch.disconnected().await;
            let next = PullSocket::usual();
            bind_when_free(&next, &endpoint.to_string()).await;
        }
    }
}

/// R01: a monitor loses no event to a dropped `next`.
#[tokio::test]
async fn a_dropped_next_loses_no_event() {
    let pull = PullSocket::usual();
    let mut watch = pull.watch();
    let endpoint = pull.bind_to("tcp://127.0.0.1:*").await;
    let mut events = Vec::new();
    let mut pushes = Vec::new();
    for i in 0..100 {
        let push = PushSocket::usual();
        push.connect_to(&endpoint);
        pushes.push(push);
        events.extend(poll_times(i % 5, watch.0.next()).await);
        until(|| pull.stats().connected == i as u64 + 1).await;
    }
    while events.len() < 201 {
        events.push(soon(watch.0.next()).await);
    }
    let mut events = events.into_iter().map(|event| event.unwrap().unwrap());
    let mut connected = 0;
    assert!(matches!(events.next(), Some(SocketEvent::Listening { .. })));
    for event in events {
        match event {
            SocketEvent::Accepted { .. } => {}
            SocketEvent::Connected { .. } => connected += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(connected, 100);
}

/// R01: a loop of `recv` with a short timeout neither stalls nor loses.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn receiving_with_a_timeout_does_not_stall() {
    for transport in Transport::KINDS {
        let (push, pull) = (PushSocket::with(marks(10)), PullSocket::with(marks(10)));
        let _linked = link(&pull, &push, transport).await;
        let sender = tokio::spawn(async move {
            for i in 0..20_000 {
                soon(push.send(i.to_string())).await.unwrap();
            }
            push
        });
        let mut next = 0;
        let recv = async {
            while next < 20_000 {
                if let Ok(message) = timeout(Duration::from_millis(1), pull.recv()).await {
                    assert_eq!(number(&message.unwrap()), next);
                    next += 1;
                }
            }
        };
        soon(recv).await;
        sender.await.unwrap();
    }
}

async fn bind_when_free(pull: &PullSocket, endpoint: &str) {
    let bound = async {
        while pull.bind(endpoint).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    soon(bound).await;
}

fn marks(messages: usize) -> SocketOptions {
    let messages = NonZeroUsize::new(messages);
    SocketOptions::new().send_hwm(messages).recv_hwm(messages)
}
