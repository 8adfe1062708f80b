//! XPUB and XSUB: what the owners are told, in the order of libzmq's own tests; who decides what subscribers get.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use privateer::core::{
    Endpoint, Frame, Manual, Message, RecvError, SendErrorKind, SocketOptions, SubSocket,
    SubscriptionRequest, Verbosity, XpubEvent, XpubSocket, XsubSocket,
};
use tokio::task::yield_now;

#[path = "xpub/limits.rs"]
mod limits;
#[path = "xpub/manual.rs"]
mod manual;
#[path = "xpub/no_drop.rs"]
mod no_drop;
mod support;
use support::sockets::{Place, Socket, Transport, link, message, poll_times, soon, until};

/// A bound XPUB.
struct Publisher {
    xpub: XpubSocket,
    endpoint: Endpoint,
    _place: Place,
}

impl Publisher {
    async fn bind(transport: Transport, options: SocketOptions) -> Self {
        let xpub = XpubSocket::with(options);
        let place = transport.place();
        let endpoint = xpub.bind_to(&place.endpoint).await;
        Self {
            xpub,
            endpoint,
            _place: place,
        }
    }

    async fn sub(&self) -> SubSocket {
        let sub = SubSocket::usual();
        self.join(&sub).await;
        sub
    }

    async fn xsub(&self) -> XsubSocket {
        let xsub = XsubSocket::usual();
        self.join(&xsub).await;
        xsub
    }

    async fn join(&self, socket: &impl Socket) {
        let mut watch = socket.watch();
        socket.connect_to(&self.endpoint);
        watch.connected().await;
    }

    /// What it is told next has to be this.
    #[track_caller]
    fn hears<'a>(&'a self, text: &'a str) -> impl Future<Output = ()> + 'a {
        let caller = std::panic::Location::caller();
        let received = soon(self.xpub.recv());
        async move {
            let received = received.await.unwrap();
            assert_eq!(received, message([text]), "{caller}");
        }
    }

    /// It is told nothing, although everything that was said has arrived.
    async fn hears_nothing(&self, subscribers: &[&SubSocket]) {
        for subscriber in subscribers {
            assert_eq!(soon(subscriber.subscribed(1)).await.confirmed.len(), 1);
        }
        assert_eq!(self.xpub.try_recv(), Err(RecvError::Empty));
    }

    async fn request(&self) -> SubscriptionRequest {
        match soon(self.xpub.recv_event()).await.unwrap() {
            XpubEvent::Subscribe(request) | XpubEvent::Unsubscribe(request) => request,
            other => panic!("{other:?} is no request"),
        }
    }
}

/// Publishes the topics; each subscriber has to receive those that are its own.
async fn publish(publisher: &Publisher, topics: &[&str], subscribers: &[(&SubSocket, &[&str])]) {
    for topic in topics {
        publisher.xpub.send(*topic).await.unwrap();
    }
    for (subscriber, own) in subscribers {
        for topic in *own {
            let received = soon(subscriber.recv()).await.unwrap();
            assert_eq!(received, message([topic]));
        }
    }
}

fn verbose(verbosity: Verbosity) -> SocketOptions {
    SocketOptions::new().xpub_verbosity(verbosity)
}

fn manual(manual: Manual) -> SocketOptions {
    SocketOptions::new().xpub_manual(manual)
}

/// K12: libzmq's `test_xpub_verbose_one_sub` and the first half of `test_xpub_verboser_one_sub`.
#[tokio::test]
async fn changes_are_told_and_repetitions_are_not() {
    for transport in Transport::KINDS {
        let publisher = Publisher::bind(transport, SocketOptions::new()).await;
        let sub = publisher.sub().await;
        assert!(!sub.unsubscribe("A"));
        publisher.hears_nothing(&[&sub]).await;
        sub.subscribe("A").unwrap();
        publisher.hears("\u{1}A").await;
        sub.subscribe("B").unwrap();
        publisher.hears("\u{1}B").await;
        sub.subscribe("A").unwrap();
        publisher.hears_nothing(&[&sub]).await;
        publish(&publisher, &["A", "B", "C"], &[(&sub, &["A", "B"])]).await;
        assert!(sub.unsubscribe("A"));
        publisher.hears_nothing(&[&sub]).await;
        assert!(sub.unsubscribe("A"));
        publisher.hears("\0A").await;
        assert!(!sub.unsubscribe("A"));
        publisher.hears_nothing(&[&sub]).await;
    }
}

/// K12: libzmq's `test_xpub_verbose_one_sub`, the verbose half.
#[tokio::test]
async fn verbose_tells_subscriptions_that_are_repeated() {
    for transport in Transport::KINDS {
        let publisher = Publisher::bind(transport, verbose(Verbosity::Subscriptions)).await;
        let sub = publisher.sub().await;
        for _ in 0..3 {
            sub.subscribe("A").unwrap();
            publisher.hears("\u{1}A").await;
        }
        publish(&publisher, &["A"], &[(&sub, &["A"])]).await;
        sub.unsubscribe("A");
        sub.unsubscribe("A");
        publisher.hears_nothing(&[&sub]).await;
        sub.unsubscribe("A");
        publisher.hears("\0A").await;
    }
}

/// K12: libzmq's `test_xpub_verbose_two_subs` and `test_xpub_verboser_two_subs`.
#[tokio::test]
async fn two_subscribers_are_told_of_by_verbosity() {
    for transport in Transport::KINDS {
        for verbosity in [Verbosity::Changes, Verbosity::Subscriptions, Verbosity::All] {
            let publisher = Publisher::bind(transport, verbose(verbosity)).await;
            let (a, b) = (publisher.sub().await, publisher.sub().await);
            a.subscribe("A").unwrap();
            publisher.hears("\u{1}A").await;
            b.subscribe("A").unwrap();
            if verbosity != Verbosity::Changes {
                publisher.hears("\u{1}A").await;
            }
            publisher.hears_nothing(&[&a, &b]).await;
            publish(&publisher, &["A"], &[(&a, &["A"]), (&b, &["A"])]).await;
            b.unsubscribe("A");
            if verbosity == Verbosity::All {
                publisher.hears("\0A").await;
            }
            publisher.hears_nothing(&[&a, &b]).await;
            a.unsubscribe("A");
            publisher.hears("\0A").await;
            b.unsubscribe("A");
            publisher.hears_nothing(&[&a, &b]).await;
        }
    }
}

/// K12, §4.10: the end of a connection ends its subscriptions: the last of each topic, or each if all are told.
#[tokio::test]
async fn a_lost_connection_ends_its_subscriptions() {
    for transport in Transport::KINDS {
        for verbosity in [Verbosity::Changes, Verbosity::All] {
            let publisher = Publisher::bind(transport, verbose(verbosity)).await;
            let (a, b) = (publisher.sub().await, publisher.sub().await);
            for topic in ["A", "B", "C"] {
                a.subscribe(topic).unwrap();
                publisher.hears(&format!("\u{1}{topic}")).await;
            }
            b.subscribe("B").unwrap();
            if verbosity == Verbosity::All {
                publisher.hears("\u{1}B").await;
            }
            publisher.hears_nothing(&[&a, &b]).await;
            drop(a);
            publisher.hears("\0A").await;
            if verbosity == Verbosity::All {
                publisher.hears("\0B").await;
            }
            publisher.hears("\0C").await;
            assert_eq!(publisher.xpub.topics_count(), 1);
            drop(b);
            publisher.hears("\0B").await;
            assert_eq!(publisher.xpub.topics_count(), 0);
        }
    }
}

/// K12: libzmq's `test_xsub_verbose_unsubscribe`.
#[tokio::test]
async fn an_xsub_tells_the_last_unsubscription_or_all() {
    for transport in Transport::KINDS {
        let publisher = Publisher::bind(transport, verbose(Verbosity::All)).await;
        let xsub = publisher.xsub().await;
        xsub.send("\0A").await.unwrap();
        for _ in 0..2 {
            xsub.send("\u{1}A").await.unwrap();
            publisher.hears("\u{1}A").await;
        }
        xsub.send("\0A").await.unwrap();
        xsub.subscribed(1).await;
        assert!(publisher.xpub.try_recv().is_err());
        xsub.send("\0A").await.unwrap();
        publisher.hears("\0A").await;

        let xsub = XsubSocket::with(SocketOptions::new().xsub_verbose_unsubscribe());
        publisher.join(&xsub).await;
        xsub.send("\0A").await.unwrap();
        publisher.hears("\0A").await;
        for octet in ["\u{1}", "\u{1}", "\0", "\0"] {
            xsub.send(format!("{octet}A")).await.unwrap();
            publisher.hears(&format!("{octet}A")).await;
        }
    }
}

/// K12: libzmq's `test_xpub_welcome_msg`: the welcome is the first message, and a SUB filters it as any other.
#[tokio::test]
async fn new_subscribers_are_welcomed() {
    for transport in Transport::KINDS {
        let options = SocketOptions::new().welcome_message("W");
        let publisher = Publisher::bind(transport, options).await;
        let (welcomed, not) = (SubSocket::usual(), SubSocket::usual());
        welcomed.subscribe("W").unwrap();
        not.subscribe("A").unwrap();
        publisher.join(&welcomed).await;
        publisher.hears("\u{1}W").await;
        publisher.join(&not).await;
        publisher.hears("\u{1}A").await;
        publisher.xpub.send("W again").await.unwrap();
        publisher.xpub.send("A").await.unwrap();
        assert_eq!(soon(welcomed.recv()).await.unwrap(), message(["W"]));
        assert_eq!(soon(welcomed.recv()).await.unwrap(), message(["W again"]));
        assert_eq!(soon(not.recv()).await.unwrap(), message(["A"]));
        let xsub = publisher.xsub().await;
        assert_eq!(soon(xsub.recv()).await.unwrap(), message(["W"]));
    }
}

/// K12: libzmq's `test_user_message` and `test_user_message_multi`.
#[tokio::test]
async fn an_xsub_sends_messages_upstream() {
    for transport in Transport::KINDS {
        let publisher = Publisher::bind(transport, SocketOptions::new()).await;
        let xsub = publisher.xsub().await;
        for frames in [
            &["ABC"][..],
            &[""],
            &["ABC", "\0BC"],
            &["ABC", "\u{1}BC"],
            &["", "\u{1}"],
        ] {
            let frames = frames.iter().map(|text| Frame::from(*text));
            let sent = Message::from_frames(frames.collect()).unwrap();
            xsub.send(sent.clone()).await.unwrap();
            match soon(publisher.xpub.recv_event()).await.unwrap() {
                XpubEvent::Message(peer, received) => {
                    assert_eq!((peer, received), (publisher.xpub.first_peer(), sent));
                }
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(publisher.xpub.topics_count(), 0);
        xsub.send(message(["\u{1}BC", "\u{1}CD"])).await.unwrap();
        publisher.hears("\u{1}BC").await;
        publisher.hears("\u{1}CD").await;
        xsub.send(message(["\0BC", "\0CD"])).await.unwrap();
        publisher.hears("\0BC").await;
        publisher.hears("\0CD").await;
    }
}

/// A topic has a limit on the side that subscribes; nothing of the message is done.
#[tokio::test]
async fn a_topic_that_is_too_long_is_refused() {
    let xsub = XsubSocket::usual();
    let long = vec![1; 64 * 1024 + 2];
    assert_eq!(xsub.subscribe(&long[1..]).unwrap_err().len, 64 * 1024 + 1);
    let sent = Message::from([Frame::from("\u{1}A"), Frame::from(long.clone())]);
    let refused = xsub.send(sent.clone()).await.unwrap_err();
    assert_eq!(refused.kind(), SendErrorKind::TopicTooLong);
    assert!(refused.into_message() == sent);
    assert_eq!(xsub.topics_count(), 0);
    xsub.subscribe(&long[2..]).unwrap();
    assert_eq!(xsub.topics_count(), 1);
}

/// Ten subscribers come, change their minds, and leave.
async fn churn(endpoint: &Endpoint) {
    let mut subs = Vec::new();
    for _ in 0..10 {
        let xsub = XsubSocket::usual();
        xsub.connect_to(endpoint);
        soon(xsub.subscribed(1)).await;
        subs.push(xsub);
    }
    for round in 0..40 {
        for xsub in &subs {
            let topic = fastrand::u8(..4).to_string();
            if fastrand::bool() {
                xsub.subscribe(&topic).unwrap();
            } else {
                xsub.unsubscribe(&topic);
            }
            // Something for the events to be behind.
            xsub.try_send("x").unwrap();
        }
        if round % 8 == 0 {
            yield_now().await;
        }
    }
    for xsub in subs {
        let _unsent = xsub.close().await;
    }
}

/// K13, as far as one hop goes: what is told adds up to what is so, in whatever order it is read from whichever peer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_told_adds_up_under_churn() {
    for verbosity in [Verbosity::Changes, Verbosity::Subscriptions, Verbosity::All] {
        let publisher = Publisher::bind(Transport::Tcp, verbose(verbosity)).await;
        let mut watch = publisher.xpub.watch();
        let endpoint = publisher.endpoint.clone();
        let churning = tokio::spawn(async move {
            for _ in 0..20 {
                churn(&endpoint).await;
            }
        });
        let mut told = BTreeMap::<Vec<u8>, i64>::new();
        let mut left = 0;
        loop {
            while let Ok(received) = publisher.xpub.try_recv() {
                if received[0] == "x" {
                    continue;
                }
                let count = told.entry(received[0][1..].to_vec()).or_default();
                let change = if received[0][0] == 1 { 1 } else { -1 };
                if verbosity == Verbosity::Changes {
                    assert_eq!(*count, i64::from(change < 0), "told twice");
                }
                *count += change;
            }
            if left == 200 {
                break;
            }
            if poll_times(1, watch.disconnected()).await.is_some() {
                left += 1;
            }
        }
        soon(churning).await.unwrap();
        assert_eq!(publisher.xpub.topics_count(), 0);
        if verbosity == Verbosity::Changes {
            assert!(told.values().all(|count| *count == 0), "{told:?}");
        }
    }
}

/// An XPUB that is not read goes on publishing; what it was told waits.
#[tokio::test]
async fn an_xpub_that_is_not_read_publishes() {
    let (xpub, sub) = (XpubSocket::usual(), SubSocket::usual());
    let _linked = link(&xpub, &sub, Transport::Tcp).await;
    for topic in 0..5_000 {
        sub.subscribe(topic.to_string()).unwrap();
    }
    soon(xpub.wait_for("4999", 1)).await;
    xpub.send("4999").await.unwrap();
    assert_eq!(soon(sub.recv()).await.unwrap(), message(["4999"]));
    until(|| xpub.stats().received == 5_000).await;
}
