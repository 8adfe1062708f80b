//! The owner decides what each peer gets.

use super::*;

/// K12: libzmq's `test_basic` of `test_xpub_manual`: the peer gets what it is given.
#[tokio::test]
async fn the_owner_decides_what_a_peer_gets() {
    for transport in Transport::KINDS {
        let publisher = Publisher::bind(transport, manual(Manual::On)).await;
        let xsub = publisher.xsub().await;
        xsub.subscribe("A").unwrap();
        let request = publisher.request().await;
        assert_eq!(
            (request.topic(), request.peer()),
            (&b"A"[..], publisher.xpub.first_peer())
        );
        assert_eq!(publisher.xpub.topics_count(), 0);
        request.accept_as(["B", "C"]);
        assert_eq!(publisher.xpub.topics_count(), 2);
        for topic in ["A", "B", "C"] {
            publisher.xpub.send(topic).await.unwrap();
        }
        for topic in ["B", "C"] {
            assert_eq!(soon(xsub.recv()).await.unwrap(), message([topic]));
        }
        xsub.subscribe("D").unwrap();
        publisher.request().await.reject();
        xsub.subscribe("E").unwrap();
        publisher.request().await.accept();
        for topic in ["D", "E"] {
            publisher.xpub.send(topic).await.unwrap();
        }
        assert_eq!(soon(xsub.recv()).await.unwrap(), message(["E"]));
    }
}

/// K12: libzmq's `test_unsubscribe_manual`: what was asked for is told at the end, not what was given.
#[tokio::test]
async fn the_owner_decides_what_a_peer_loses() {
    for transport in Transport::KINDS {
        let publisher = Publisher::bind(transport, manual(Manual::On)).await;
        let xsub = publisher.xsub().await;
        for topic in ["A", "B"] {
            xsub.subscribe(topic).unwrap();
            publisher.request().await.accept_as([format!("X{topic}")]);
        }
        xsub.unsubscribe("A");
        match soon(publisher.xpub.recv_event()).await.unwrap() {
            XpubEvent::Unsubscribe(request) => request.accept_as(["XA"]),
            other => panic!("{other:?}"),
        }
        for topic in ["XA", "XB"] {
            publisher.xpub.send(topic).await.unwrap();
        }
        assert_eq!(soon(xsub.recv()).await.unwrap(), message(["XB"]));
        xsub.unsubscribe("B");
        publisher.request().await.reject();
        publisher.xpub.send("XB").await.unwrap();
        assert_eq!(soon(xsub.recv()).await.unwrap(), message(["XB"]));
        xsub.subscribe("C").unwrap();
        publisher.request().await.accept();
        drop(xsub);
        let last = publisher.request().await;
        assert_eq!(last.topic(), b"C");
        // The peer is gone: there is nothing to end.
        last.accept_as(["XB"]);
        assert_eq!(publisher.xpub.topics_count(), 0);
    }
}

/// K12: libzmq's `test_xpub_proxy_unsubscribe_on_disconnect` and `test_missing_subscriptions`: in manual mode each peer is
/// told of, however fast they come.
#[tokio::test]
async fn each_peer_asks_for_itself_in_manual_mode() {
    for transport in Transport::KINDS {
        let publisher = Publisher::bind(transport, manual(Manual::On)).await;
        let (a, b) = (publisher.sub().await, publisher.sub().await);
        for (sub, topic) in [(&a, "1"), (&b, "1"), (&b, "2")] {
            sub.subscribe(topic).unwrap();
        }
        let mut requests = Vec::new();
        for _ in 0..3 {
            requests.push(publisher.request().await);
        }
        // In no order, and long after.
        while let Some(request) = requests.pop() {
            request.accept();
        }
        publish(&publisher, &["1", "2"], &[(&a, &["1"]), (&b, &["1", "2"])]).await;
        drop((a, b));
        let mut ended = Vec::new();
        for _ in 0..3 {
            ended.push(publisher.request().await.topic().to_vec());
        }
        ended.sort_unstable();
        assert_eq!(ended, [b"1", b"1", b"2"]);
        assert_eq!(publisher.xpub.topics_count(), 0);
    }
}

/// K12: libzmq's `test_xpub_manual_last_value`: after a subscription was accepted, one message is for that peer alone.
#[tokio::test]
async fn the_last_value_goes_to_the_last_subscriber() {
    for transport in Transport::KINDS {
        let publisher = Publisher::bind(transport, manual(Manual::LastValue)).await;
        let (a, b) = (publisher.sub().await, publisher.sub().await);
        for sub in [&a, &b] {
            sub.subscribe("A").unwrap();
            publisher.request().await.accept();
            publisher.xpub.send("A last").await.unwrap();
            publisher.xpub.send("A next").await.unwrap();
        }
        for (sub, expected) in [
            (&a, &["A last", "A next", "A next"][..]),
            (&b, &["A last", "A next"][..]),
        ] {
            for text in expected {
                assert_eq!(soon(sub.recv()).await.unwrap(), message([text]));
            }
            assert!(sub.try_recv().is_err());
        }
    }
}

/// When the peer that the next message is for alone has gone, it is for all again.
#[tokio::test]
async fn a_peer_that_is_gone_takes_no_last_value_with_it() {
    for transport in Transport::KINDS {
        let publisher = Publisher::bind(transport, manual(Manual::LastValue)).await;
        let (stays, goes) = (publisher.sub().await, publisher.sub().await);
        for sub in [&stays, &goes] {
            sub.subscribe("A").unwrap();
            publisher.request().await.accept();
        }
        drop(goes);
        // The end of its subscription.
        publisher.request().await.accept();
        publish(&publisher, &["A"], &[(&stays, &["A"])]).await;
    }
}

/// §4.10: `reply` is the last value without a mode: to the peer that asks, before all that comes later.
#[tokio::test]
async fn a_reply_goes_to_the_peer_alone() {
    for transport in Transport::KINDS {
        let publisher = Publisher::bind(transport, verbose(Verbosity::Subscriptions)).await;
        let (a, b) = (publisher.sub().await, publisher.sub().await);
        for (sub, text) in [(&a, "A for a"), (&b, "A for b")] {
            sub.subscribe("A").unwrap();
            let request = publisher.request().await;
            request.reply(text).unwrap();
            publisher.xpub.send("A for all").await.unwrap();
            assert_eq!(soon(sub.recv()).await.unwrap(), message([text]));
        }
        assert_eq!(soon(a.recv()).await.unwrap(), message(["A for all"]));
        assert_eq!(soon(a.recv()).await.unwrap(), message(["A for all"]));
        assert_eq!(soon(b.recv()).await.unwrap(), message(["A for all"]));
    }
}

/// A request outlives its connection; who replies then learns that the peer is gone, also if a pipe is left for the next.
#[tokio::test]
async fn a_reply_to_a_peer_that_is_gone_names_it() {
    for transport in Transport::KINDS {
        for connects in [false, true] {
            let place = transport.place();
            let (xpub, sub) = (XpubSocket::usual(), SubSocket::usual());
            if connects {
                let endpoint = sub.bind_to(&place.endpoint).await;
                xpub.connect_to(&endpoint);
            } else {
                let endpoint = xpub.bind_to(&place.endpoint).await;
                sub.connect_to(&endpoint);
            }
            sub.subscribe("A").unwrap();
            let XpubEvent::Subscribe(request) = soon(xpub.recv_event()).await.unwrap() else {
                panic!("it begins with its end");
            };
            request.reply("A is here").unwrap();
            drop(sub);
            // The end of its subscription.
            soon(xpub.recv_event()).await.unwrap();
            let error = request.reply("A is gone").unwrap_err();
            let peer = request.peer().id();
            assert_eq!(error.kind(), SendErrorKind::PeerGone { peer });
            assert_eq!(error.into_message(), message(["A is gone"]));
        }
    }
}
