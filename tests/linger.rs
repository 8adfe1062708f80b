//! What becomes of unsent messages when a socket closes, disconnects or is dropped.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

use std::num::NonZeroUsize;
use std::time::Duration;

use privateer::core::{
    CloseReport, DealerSocket, Linger, PullSocket, PushSocket, RepSocket, ReqSocket, RouterSocket,
    SocketOptions,
};
use tokio::time::{Instant, timeout};

mod support;
use support::sockets::{Linked, Socket, Transport, eager, link, number, soon};

const LONG: Linger = Linger::For(Duration::from_secs(15));

/// Q05: an endpoint that never connects holds `close` up for the linger time and no longer; the report is exact.
#[tokio::test]
async fn close_reports_what_never_connected() {
    for transport in Transport::KNOWN {
        for linger in [Linger::Discard, Linger::For(Duration::from_millis(100))] {
            let place = transport.place();
            let push = PushSocket::with(eager());
            push.try_connect_to(&place.endpoint).unwrap();
            for i in 0..5 {
                push.send(i.to_string()).await.unwrap();
            }
            let begun = Instant::now();
            assert_eq!(push.end(linger).await, 5, "{transport:?} {linger:?}");
            if let Linger::For(limit) = linger {
                assert!(begun.elapsed() >= limit, "{transport:?}");
            }
        }
    }
}

/// Q05: nothing unsent, nothing to wait for, whatever the linger time.
#[tokio::test]
async fn close_without_unsent_messages_does_not_linger() {
    for transport in Transport::KNOWN {
        let place = transport.place();
        let (push, pull) = (PushSocket::usual(), PullSocket::usual());
        let (router, req) = (RouterSocket::usual(), ReqSocket::usual());
        for result in [
            push.try_connect_to(&place.endpoint),
            pull.try_connect_to(&place.endpoint),
            router.try_connect_to(&place.endpoint),
            req.try_connect_to(&place.endpoint),
        ] {
            result.unwrap();
        }
        assert_eq!(push.end(Linger::Forever).await, 0);
        assert_eq!(pull.end(Linger::Forever).await, 0);
        assert_eq!(router.end(Linger::Forever).await, 0);
        assert_eq!(req.end(Linger::Forever).await, 0);
    }
}

/// Q05: a peer that appears within the linger time gets everything.
#[tokio::test]
async fn close_waits_for_a_peer_that_is_late() {
    for transport in Transport::KNOWN {
        for linger in [LONG, Linger::Forever] {
            let place = transport.place();
            let push = PushSocket::with(eager());
            push.try_connect_to(&place.endpoint).unwrap();
            for i in 0..5 {
                push.send(i.to_string()).await.unwrap();
            }
            let closing = tokio::spawn(push.end(linger));
            let pull = PullSocket::usual();
            pull.bind_to(&place.endpoint).await;
            for i in 0..5 {
                assert_eq!(
                    number(&soon(pull.recv()).await.unwrap()),
                    i,
                    "{transport:?} {linger:?}"
                );
            }
            assert_eq!(soon(closing).await.unwrap(), 0);
        }
    }
}

/// Q05: a request that REQ keeps for want of a peer is unsent, too, and goes out to one that is late.
#[tokio::test]
async fn a_kept_request_lingers() {
    for transport in Transport::KNOWN {
        let place = transport.place();
        let req = ReqSocket::with(eager());
        req.try_connect_to(&place.endpoint).unwrap();
        req.send("kept").await.unwrap();
        assert_eq!(req.end(Linger::Discard).await, 1, "{transport:?}");

        let req = ReqSocket::with(eager());
        req.try_connect_to(&place.endpoint).unwrap();
        req.send("late").await.unwrap();
        let closing = tokio::spawn(req.end(Linger::Forever));
        let rep = RepSocket::usual();
        rep.bind_to(&place.endpoint).await;
        assert_eq!(soon(rep.recv()).await.unwrap()[0], "late");
        assert_eq!(soon(closing).await.unwrap(), 0);
    }
}

/// Q05: with a peer that stopped reading, what it gets in the end and what is reported as unsent add up.
#[tokio::test]
async fn close_reports_exactly_what_a_stuck_peer_does_not_get() {
    for transport in [Transport::Tcp, Transport::IpcPath] {
        for linger in [Linger::Discard, Linger::For(Duration::from_millis(200))] {
            for size in [10_000, 1_000_000] {
                let (push, pull) = narrow_pair();
                let _linked = link(&push, &pull, transport).await;
                close_a_stuck_push(push, pull, linger, size).await;
                let (push, pull) = narrow_pair();
                let _linked = link(&pull, &push, transport).await;
                close_a_stuck_push(push, pull, linger, size).await;
            }
        }
    }
}

fn narrow_pair() -> (PushSocket, PullSocket) {
    let mark = NonZeroUsize::new(20);
    let push = PushSocket::with(SocketOptions::new().send_hwm(mark));
    (push, PullSocket::with(SocketOptions::new().recv_hwm(mark)))
}

async fn close_a_stuck_push(push: PushSocket, pull: PullSocket, linger: Linger, size: usize) {
    let mut sent = 0;
    while let Ok(done) = timeout(Duration::from_millis(100), push.send(vec![0; size])).await {
        done.unwrap();
        sent += 1;
    }
    let mut watch = pull.watch();
    let unsent = push.end(linger).await;
    assert!(unsent > 0 || linger != Linger::Discard, "it was not stuck");
    let mut received = 0;
    loop {
        tokio::select! {
            message = pull.recv() => {
                assert_eq!(message.unwrap()[0].len(), size);
                received += 1;
            }
            _ = watch.disconnected() => break,
        }
    }
    while pull.try_recv().is_ok() {
        received += 1;
    }
    assert_eq!(received + unsent, sent, "{linger:?} {size}");
}

/// Q05: over inproc what was sent is with the peer, who can still receive it.
#[tokio::test]
async fn inproc_messages_survive_their_sender() {
    let (push, pull) = (PushSocket::usual(), PullSocket::usual());
    let _linked = link(&pull, &push, Transport::Inproc).await;
    for i in 0..5 {
        push.send(i.to_string()).await.unwrap();
    }
    assert_eq!(push.end(Linger::Discard).await, 0);
    for i in 0..5 {
        assert_eq!(number(&soon(pull.recv()).await.unwrap()), i);
    }
}

/// §4.2: the tail of what was sent is not lost, however many messages and in both directions.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_tail_is_not_cut_off() {
    for transport in Transport::ALL {
        let (router, dealer) = (RouterSocket::usual(), DealerSocket::usual());
        let _linked = link(&router, &dealer, transport).await;
        let recv = tokio::spawn(async move {
            for i in 0..20_000 {
                let (peer, message) = soon(router.recv()).await.unwrap();
                assert_eq!(number(&message), i);
                // What the dealer does not take must not stand in the way.
                let _full = router.try_send(&peer, "noise");
            }
        });
        for i in 0..20_000 {
            soon(dealer.send(i.to_string())).await.unwrap();
        }
        assert_eq!(dealer.end(LONG).await, 0, "{transport:?}");
        soon(recv).await.unwrap();
    }
}

/// §4.2: dropping a socket does what closing it does, in the background.
#[tokio::test]
async fn a_dropped_socket_goes_on_sending() {
    for transport in Transport::KNOWN {
        let place = transport.place();
        let push = PushSocket::with(eager().linger(LONG));
        push.try_connect_to(&place.endpoint).unwrap();
        push.send("legacy").await.unwrap();
        drop(push);
        let pull = PullSocket::usual();
        pull.bind_to(&place.endpoint).await;
        assert_eq!(
            soon(pull.recv()).await.unwrap()[0],
            "legacy",
            "{transport:?}"
        );
    }
}

/// §4.21: a `close` that is dropped goes on in the background.
#[tokio::test]
async fn a_dropped_close_goes_on() {
    for transport in Transport::KNOWN {
        let place = transport.place();
        let push = PushSocket::with(eager());
        push.try_connect_to(&place.endpoint).unwrap();
        push.send("legacy").await.unwrap();
        assert!(
            timeout(Duration::from_millis(1), push.close_with(LONG))
                .await
                .is_err()
        );
        let pull = PullSocket::usual();
        pull.bind_to(&place.endpoint).await;
        assert_eq!(
            soon(pull.recv()).await.unwrap()[0],
            "legacy",
            "{transport:?}"
        );
    }
}

/// Q09: `disconnect` honours the linger time of the options, and its report is exact.
#[tokio::test]
async fn disconnect_lingers() {
    for transport in Transport::KNOWN {
        let place = transport.place();
        let push = PushSocket::with(eager().linger(Linger::Discard));
        push.try_connect_to(&place.endpoint).unwrap();
        push.send("lost").await.unwrap();
        let report = soon(push.disconnect(&*place.endpoint)).await.unwrap();
        assert_eq!(report, CloseReport { unsent: 1 }, "{transport:?}");

        let push = PushSocket::with(eager().linger(LONG));
        push.try_connect_to(&place.endpoint).unwrap();
        push.send("1").await.unwrap();
        push.send("2").await.unwrap();
        let pull = PullSocket::usual();
        let bind = async {
            pull.bind_to(&place.endpoint).await;
            [
                number(&pull.recv().await.unwrap()),
                number(&pull.recv().await.unwrap()),
            ]
        };
        let (report, got) =
            soon(async { tokio::join!(push.disconnect(&*place.endpoint), bind) }).await;
        assert_eq!((report.unwrap().unsent, got), (0, [1, 2]), "{transport:?}");
        assert!(push.try_send("nowhere").unwrap_err().would_block());
    }
}

/// Q09: what was received before a disconnect, at either side, can still be received.
#[tokio::test]
async fn disconnect_keeps_what_was_received() {
    for transport in Transport::KINDS {
        for (count, body) in [(100, 10), (2_500, 1)] {
            let (ours, theirs) = (DealerSocket::usual(), DealerSocket::usual());
            let Linked { endpoint, .. } = &link(&theirs, &ours, transport).await;
            let mut watch = theirs.watch();
            let mut sent = 0;
            while sent < count && theirs.try_send(vec![b'x'; body]).is_ok() {
                sent += 1;
            }
            ours.send("last").await.unwrap();
            assert_eq!(soon(theirs.recv()).await.unwrap()[0], "last");
            support::sockets::until(|| ours.stats().received >= sent.min(1000) as u64).await;
            assert_eq!(soon(ours.disconnect(endpoint)).await.unwrap().unsent, 0);
            watch.disconnected().await;
            assert!(ours.peers().is_empty());
            for i in 0..sent {
                assert!(ours.try_recv().is_ok(), "{transport:?}: {i} of {sent}");
            }
        }
    }
}

/// §4.21: a `disconnect` that is dropped ends the endpoint, too, and leaves nothing running.
#[tokio::test]
async fn a_dropped_disconnect_ends_the_endpoint() {
    for transport in Transport::KNOWN {
        let place = transport.place();
        let push = PushSocket::with(eager().linger(Linger::Forever));
        push.try_connect_to(&place.endpoint).unwrap();
        push.send("may be lost").await.unwrap();
        assert!(
            timeout(Duration::from_millis(20), push.disconnect(&*place.endpoint))
                .await
                .is_err()
        );
        assert!(push.try_send("nowhere").unwrap_err().would_block());
        let mut watch = push.watch();
        let quiet = timeout(Duration::from_millis(100), watch.retrying()).await;
        assert!(quiet.is_err(), "{transport:?}: it still tries to connect");
        assert_eq!(push.end(Linger::Forever).await, 0);
    }
}
