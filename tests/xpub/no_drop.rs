//! Nothing is dropped if nothing is to be.

use super::*;

/// K12: libzmq's `test_xpub_nodrop`: a send is refused while one that it is for is full, and then nobody gets it.
#[tokio::test]
async fn nothing_is_dropped_if_nothing_is_to_be() {
    let marks = |hwm| {
        SocketOptions::new()
            .send_hwm(NonZeroUsize::new(hwm))
            .recv_hwm(NonZeroUsize::new(hwm))
    };
    let publisher = Publisher::bind(Transport::Inproc, marks(5).no_drop()).await;
    let subscribe = async |topic| {
        let sub = SubSocket::with(marks(5));
        sub.subscribe(topic).unwrap();
        publisher.join(&sub).await;
        publisher.hears(&format!("\u{1}{topic}")).await;
        sub
    };
    let (slow, fast, other) = (
        subscribe("A").await,
        subscribe("").await,
        subscribe("B").await,
    );
    let xpub = &publisher.xpub;
    for _ in 0..10 {
        xpub.try_send("A").unwrap();
        assert_eq!(fast.try_recv().unwrap(), message(["A"]));
    }
    for _ in 0..3 {
        let refused = xpub.try_send("A full").unwrap_err();
        assert!(refused.would_block());
        assert_eq!(refused.into_message(), message(["A full"]));
        assert!(fast.try_recv().is_err());
    }
    // The one that is full is not one of those that this is for.
    xpub.try_send("B").unwrap();
    assert_eq!(other.try_recv().unwrap(), message(["B"]));
    assert_eq!(fast.try_recv().unwrap(), message(["B"]));
    let mut waiting = Box::pin(xpub.send("A waits"));
    assert!(poll_times(3, &mut waiting).await.is_none());
    for _ in 0..10 {
        assert_eq!(slow.try_recv().unwrap(), message(["A"]));
    }
    soon(waiting).await.unwrap();
    for sub in [&slow, &fast] {
        assert_eq!(sub.try_recv().unwrap(), message(["A waits"]));
    }
    assert_eq!(xpub.stats().dropped_full, 0);
}

/// Who waits for a full subscriber goes on when that one leaves, or is subscribed no longer.
#[tokio::test]
async fn a_wait_ends_with_the_subscriber_that_it_is_for() {
    for leaves in [true, false] {
        let options = SocketOptions::new()
            .send_hwm(NonZeroUsize::new(1))
            .no_drop();
        let publisher = Publisher::bind(Transport::Inproc, options).await;
        let full = SubSocket::with(SocketOptions::new().recv_hwm(NonZeroUsize::new(1)));
        full.subscribe("A").unwrap();
        publisher.join(&full).await;
        publisher.hears("\u{1}A").await;
        while publisher.xpub.try_send("A").is_ok() {}
        let mut waiting = Box::pin(publisher.xpub.send("A"));
        assert!(poll_times(3, &mut waiting).await.is_none());
        if leaves {
            drop(full);
        } else {
            full.unsubscribe("A");
        }
        soon(waiting).await.unwrap();
    }
}

/// Who waits for another subscriber than the first in line goes on when that one has room, leaves, or is subscribed no
/// longer.
#[tokio::test]
async fn each_wait_ends_with_its_own_subscriber() {
    for way in ["reads", "unsubscribes", "leaves"] {
        let one = NonZeroUsize::new(1);
        let options = SocketOptions::new().send_hwm(one).no_drop();
        let publisher = Publisher::bind(Transport::Inproc, options).await;
        let full = async |topic: &str| {
            let sub = SubSocket::with(SocketOptions::new().recv_hwm(one));
            sub.subscribe(topic).unwrap();
            publisher.join(&sub).await;
            publisher.hears(&format!("\u{1}{topic}")).await;
            while publisher.xpub.try_send(topic).is_ok() {}
            sub
        };
        let (stalled, other) = (full("A").await, full("B").await);
        let mut first = Box::pin(publisher.xpub.send("A"));
        let mut second = Box::pin(publisher.xpub.send("B"));
        assert!(poll_times(3, &mut first).await.is_none());
        assert!(poll_times(3, &mut second).await.is_none());
        match way {
            "reads" => while other.try_recv().is_ok() {},
            "unsubscribes" => assert!(other.unsubscribe("B")),
            _ => drop(other),
        }
        // It is woken before the second one.
        assert!(poll_times(3, &mut first).await.is_none());
        soon(second).await.unwrap();
        while stalled.try_recv().is_ok() {}
        soon(first).await.unwrap();
    }
}
