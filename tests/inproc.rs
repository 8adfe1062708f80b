//! inproc: names, who meets whom, and what happens when a socket goes.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

use std::thread;

use bytes::Bytes;
use privateer::core::{
    BindError, Context, DealerSocket, Direction, DisconnectReason, HandshakeError,
    HandshakeFailure, Linger, PairSocket, PullSocket, PushSocket, RepSocket, ReqSocket,
    RouterSocket, SocketOptions, SocketType,
};
use tokio::runtime::Builder;

mod support;
use support::sockets::{Linked, Socket, Transport, link, number, scale, soon, until};

/// §4.16: a message is with the peer when `try_send` returns; no task has to run.
#[tokio::test]
async fn a_message_is_there_at_once() {
    let (push, pull) = (PushSocket::usual(), PullSocket::usual());
    let _linked = link(&pull, &push, Transport::Inproc).await;
    for i in 0..100 {
        push.try_send(i.to_string()).unwrap();
        assert_eq!(number(&pull.try_recv().unwrap()), i);
    }
}

/// A large body is handed over, not copied.
#[tokio::test]
async fn a_large_body_is_not_copied() {
    let (push, pull) = (PushSocket::usual(), PullSocket::usual());
    let _linked = link(&pull, &push, Transport::Inproc).await;
    let body = Bytes::from(vec![1; 1024 * 1024]);
    push.try_send(body.clone()).unwrap();
    assert_eq!(pull.try_recv().unwrap()[0].as_ptr(), body.as_ptr());
}

/// Q18: all that connected before the bind meet the binder, with what they have sent.
#[tokio::test]
async fn many_may_connect_before_the_bind() {
    let place = Transport::Inproc.place();
    let dealers: Vec<_> = (0..10).map(|_| DealerSocket::usual()).collect();
    for (i, dealer) in dealers.iter().enumerate() {
        dealer.try_connect_to(&place.endpoint).unwrap();
        dealer.try_send(i.to_string()).unwrap();
        assert!(dealer.peers().is_empty());
    }
    let router = RouterSocket::usual();
    router.bind_to(&place.endpoint).await;
    assert_eq!(router.peers().len(), 10);
    for _ in 0..10 {
        let (peer, message) = router.try_recv().unwrap();
        assert_eq!(peer.direction(), Direction::Accepted);
        router.try_send(&peer, message).unwrap();
    }
    for (i, dealer) in dealers.iter().enumerate() {
        assert_eq!(number(&dealer.try_recv().unwrap()), i as u64);
        assert_eq!(dealer.first_peer().direction(), Direction::Connected);
    }
}

/// What is counted is counted once, whoever came first.
#[tokio::test]
async fn statistics_are_the_same_bind_first_and_connect_first() {
    for bind_first in [true, false] {
        let place = Transport::Inproc.place();
        let (push, pull) = (PushSocket::usual(), PullSocket::usual());
        if bind_first {
            pull.bind_to(&place.endpoint).await;
        }
        push.try_connect_to(&place.endpoint).unwrap();
        if !bind_first {
            push.try_send("1").unwrap();
            assert_eq!((push.stats().sent, push.stats().queued), (1, 1));
            pull.bind_to(&place.endpoint).await;
        } else {
            push.try_send("1").unwrap();
        }
        push.try_send("2").unwrap();
        assert_eq!((push.stats().sent, push.stats().queued), (2, 2));
        assert_eq!((pull.stats().received, pull.stats().peers), (2, 1));
        pull.try_recv().unwrap();
        pull.try_recv().unwrap();
        assert_eq!(push.end(Linger::Forever).await, 0);
    }
}

/// Q18: a name is bound once, in each context.
#[tokio::test]
async fn a_name_is_bound_once() {
    let place = Transport::Inproc.place();
    let (first, second) = (PullSocket::usual(), PullSocket::usual());
    let context = Context::new();
    let elsewhere = PullSocket::with(SocketOptions::new().context(&context));
    first.bind_to(&place.endpoint).await;
    for taken in [&first, &second] {
        let error = soon(taken.bind(&*place.endpoint)).await.unwrap_err();
        assert!(matches!(error, BindError::InUse { .. }), "{error}");
    }
    elsewhere.bind_to(&place.endpoint).await;

    // Contexts do not meet.
    let push = PushSocket::with(SocketOptions::new().context(&context));
    push.try_connect_to(&place.endpoint).unwrap();
    push.try_send("elsewhere").unwrap();
    assert_eq!(elsewhere.try_recv().unwrap()[0], "elsewhere");
    assert!(first.peers().is_empty());

    first.end(Linger::Discard).await;
    second.bind_to(&place.endpoint).await;
}

/// Q18: without `inproc_reattach` the endpoint is gone with its binder, and can be connected to anew.
#[tokio::test]
async fn an_endpoint_is_gone_with_its_binder() {
    let place = Transport::Inproc.place();
    let dealer = DealerSocket::usual();
    for life in 0..3 {
        let router = RouterSocket::usual();
        router.bind_to(&place.endpoint).await;
        assert!(router.peers().is_empty());
        dealer.try_connect_to(&place.endpoint).unwrap();
        dealer.try_send(life.to_string()).unwrap();
        assert_eq!(number(&router.try_recv().unwrap().1), life);
        let mut watch = dealer.watch();
        router.end(Linger::Discard).await;
        assert_eq!(watch.disconnected().await.1, DisconnectReason::ClosedByPeer);
        assert!(dealer.try_send("nobody").unwrap_err().would_block());
        assert!(dealer.disconnect(&*place.endpoint).await.is_err());
    }
}

/// Q18: with it the endpoint waits for the next one, and takes messages meanwhile.
#[tokio::test]
async fn a_reattached_endpoint_waits_for_the_next_binder() {
    let place = Transport::Inproc.place();
    let push = PushSocket::with(SocketOptions::new().inproc_reattach());
    push.try_connect_to(&place.endpoint).unwrap();
    for life in 0..3 {
        push.try_send(life.to_string()).unwrap();
        let pull = PullSocket::usual();
        pull.bind_to(&place.endpoint).await;
        push.try_send((life + 10).to_string()).unwrap();
        assert_eq!(number(&pull.try_recv().unwrap()), life);
        assert_eq!(number(&pull.try_recv().unwrap()), life + 10);
        assert!(pull.try_recv().is_err());
        pull.end(Linger::Discard).await;
    }
    assert_eq!(push.stats().sent, 6);
}

/// Q18: the next binder must fit, too.
#[tokio::test]
async fn a_reattached_endpoint_checks_the_type() {
    let place = Transport::Inproc.place();
    let push = PushSocket::with(SocketOptions::new().inproc_reattach());
    let pull = PullSocket::usual();
    pull.bind_to(&place.endpoint).await;
    push.try_connect_to(&place.endpoint).unwrap();
    pull.end(Linger::Discard).await;
    let mut watch = push.watch();
    let rep = RepSocket::usual();
    rep.bind_to(&place.endpoint).await;
    let failure = watch.handshake_failed().await;
    let HandshakeFailure::Protocol(HandshakeError::SocketType { local, peer }) = failure else {
        panic!("{failure}")
    };
    assert_eq!((local, peer), (SocketType::Push, SocketType::Rep));
}

/// Q18: a disconnect before the bind takes the connect back, and only that.
#[tokio::test]
async fn a_disconnect_before_the_bind_takes_the_connect_back() {
    let place = Transport::Inproc.place();
    let (dealer, gone) = (DealerSocket::usual(), DealerSocket::usual());
    gone.try_connect_to(&place.endpoint).unwrap();
    assert_eq!(
        soon(gone.disconnect(&*place.endpoint))
            .await
            .unwrap()
            .unsent,
        0
    );
    for _ in 0..3 {
        dealer.try_connect_to(&place.endpoint).unwrap();
        assert_eq!(
            soon(dealer.disconnect(&*place.endpoint))
                .await
                .unwrap()
                .unsent,
            0
        );
    }
    dealer.try_connect_to(&place.endpoint).unwrap();
    let router = RouterSocket::usual();
    router.bind_to(&place.endpoint).await;
    assert_eq!(
        (
            router.peers().len(),
            dealer.peers().len(),
            gone.peers().len()
        ),
        (1, 1, 0)
    );
}

/// What peers say of themselves in READY, they say here, too.
#[tokio::test]
async fn facts_are_exchanged() {
    let options = SocketOptions::new().property("X-Version", "7").unwrap();
    let (pair, plain) = (PairSocket::with(options), PairSocket::usual());
    let Linked { endpoint, .. } = &link(&pair, &plain, Transport::Inproc).await;
    let peer = plain.first_peer();
    assert_eq!(peer.property("x-version"), Some(&b"7"[..]));
    assert_eq!(
        (peer.socket_type(), peer.endpoint()),
        (SocketType::Pair, endpoint)
    );
    assert_eq!(pair.first_peer().property("X-Version"), None);
}

/// Q18: two sockets on runtimes of their own, on threads of their own: everything arrives in order.
#[test]
fn two_runtimes_on_two_threads_keep_order() {
    let count = 50_000 * scale() as u64;
    let place = Transport::Inproc.place();
    let endpoint = place.endpoint.clone();
    let sender = on_a_thread(async move {
        let push = PushSocket::usual();
        push.try_connect_to(&endpoint).unwrap();
        for i in 0..count {
            soon(push.send(i.to_string())).await.unwrap();
        }
        assert_eq!(push.end(Linger::Forever).await, 0);
    });
    let endpoint = place.endpoint.clone();
    let receiver = on_a_thread(async move {
        let pull = PullSocket::usual();
        pull.bind_to(&endpoint).await;
        for i in 0..count {
            assert_eq!(number(&soon(pull.recv()).await.unwrap()), i);
        }
    });
    sender.join().unwrap();
    receiver.join().unwrap();
}

/// Q18: the same with requests, each of which waits for the other thread.
#[test]
fn two_runtimes_on_two_threads_answer_each_other() {
    let place = Transport::Inproc.place();
    let endpoint = place.endpoint.clone();
    let server = on_a_thread(async move {
        let rep = RepSocket::usual();
        rep.bind_to(&endpoint).await;
        for _ in 0..5_000 {
            let request = soon(rep.recv()).await.unwrap();
            rep.send(request).await.unwrap();
        }
    });
    let endpoint = place.endpoint.clone();
    let client = on_a_thread(async move {
        let req = ReqSocket::usual();
        req.try_connect_to(&endpoint).unwrap();
        for i in 0..5_000 {
            let reply = soon(req.request(i.to_string())).await.unwrap();
            assert_eq!(number(&reply), i);
        }
    });
    client.join().unwrap();
    server.join().unwrap();
}

/// Q18: a name that is bound and closed on one thread while others connect and close: nobody keeps a dead peer.
#[test]
fn names_that_come_and_go_leave_no_dead_peers() {
    let rounds = 2_000 * scale();
    let place = Transport::Inproc.place();
    let clients = [(); 2].map(|()| {
        let endpoint = place.endpoint.clone();
        on_a_thread(async move {
            let dealer = DealerSocket::with(
                SocketOptions::new()
                    .inproc_reattach()
                    .linger(Linger::Discard),
            );
            for i in 0..rounds {
                let brief = DealerSocket::with(SocketOptions::new().linger(Linger::Discard));
                brief.try_connect_to(&endpoint).unwrap();
                dealer.try_connect_to(&endpoint).unwrap();
                let _full = dealer.try_send(i.to_string());
                brief.end(Linger::Discard).await;
                if i % 3 == 0 {
                    let _report = dealer.disconnect(&*endpoint).await.unwrap();
                }
            }
            dealer
        })
    });
    let endpoint = place.endpoint.clone();
    let server = on_a_thread(async move {
        for _ in 0..rounds {
            let router = RouterSocket::usual();
            router.bind_to(&endpoint).await;
            tokio::task::yield_now().await;
            while router.try_recv().is_ok() {}
            router.end(Linger::Discard).await;
        }
    });
    server.join().unwrap();
    for client in clients {
        let dealer = client.join().unwrap();
        on_a_thread(async move { until(|| dealer.peers().is_empty()).await })
            .join()
            .unwrap();
    }
}

/// Runs a future on a new thread with a runtime of its own.
fn on_a_thread<T: Send + 'static>(
    future: impl Future<Output = T> + Send + 'static,
) -> thread::JoinHandle<T> {
    thread::spawn(|| {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(future)
    })
}
