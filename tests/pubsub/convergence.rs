//! Subscriptions that are right again after a loss, and when they are in force.

use super::*;

/// K11: 10,000 topics are there again after the publisher was away, each once.
#[tokio::test]
async fn ten_thousand_topics_are_replayed_after_a_restart() {
    const TOPICS: usize = 10_000;
    for transport in Transport::RECONNECTING {
        let subscriber = SubSocket::with(eager());
        for topic in 0..TOPICS {
            subscriber.subscribe(format!("{topic:05}")).unwrap();
        }
        let place = transport.place();
        subscriber.try_connect_to(&place.endpoint).unwrap();
        for round in 0..3 {
            let publisher = XpubSocket::with(no_marks());
            publisher.bind_to(&place.endpoint).await;
            for topic in 0..TOPICS {
                let expected = Message::from(format!("\u{1}{topic:05}"));
                assert_eq!(soon(publisher.recv()).await.unwrap(), expected);
            }
            assert_eq!(publisher.topics_count(), TOPICS);
            for topic in [0, 1, TOPICS / 2, TOPICS - 1] {
                let sent = Message::from(format!("{topic:05} of round {round}"));
                publisher.send(sent.clone()).await.unwrap();
                assert_eq!(soon(subscriber.recv()).await.unwrap(), sent);
            }
            publisher.end(Linger::Discard).await;
        }
    }
}

/// K11, Q20: subscriptions that change while connections break at any octet are right in the end.
#[tokio::test(start_paused = true)]
async fn subscriptions_are_right_after_any_cut() {
    let context = Context::new();
    let options = || eager().context(&context);
    let publisher = XpubSocket::with(options().recv_hwm(None));
    publisher.bind_to("memory://news").await;
    let subscriber = XsubSocket::with(options());
    subscriber.try_connect_to("memory://news").unwrap();
    let seed = fastrand::u64(..);
    eprintln!("seed {seed}");
    fastrand::seed(seed);
    let (mut wanted, mut told) = (
        std::collections::BTreeSet::new(),
        std::collections::BTreeSet::new(),
    );
    for step in 0..2_000_usize * scale() {
        let topic = fastrand::usize(..50).to_string();
        if wanted.insert(topic.clone()) {
            subscriber.subscribe(&topic).unwrap();
        } else {
            wanted.remove(&topic);
            subscriber.unsubscribe(&topic);
        }
        match step % 17 {
            0 => context.network().cut_after(fastrand::usize(..200)),
            8 => context.network().split_at(fastrand::usize(1..20)),
            12 => tokio::time::sleep(Duration::from_millis(fastrand::u64(..30))).await,
            _ => {}
        }
        if step % 100 == 99 {
            let confirmed = within(Duration::from_secs(600), subscriber.subscribed(1));
            assert_eq!(confirmed.await.confirmed.len(), 1);
            while let Ok(event) = publisher.try_recv() {
                let text = std::str::from_utf8(&event[0]).unwrap();
                let (octet, topic) = text.split_at(1);
                let is_new = match octet {
                    "\u{1}" => told.insert(topic.to_owned()),
                    _ => told.remove(topic),
                };
                assert!(is_new, "{text:?} is told twice");
            }
            assert_eq!(told, wanted);
            assert_eq!(publisher.topics_count(), wanted.len());
        }
    }
}

/// K14: whoever waited for a subscriber, or for the publishers to know, loses no first message.
#[tokio::test]
async fn the_first_message_is_not_lost() {
    for transport in [Transport::Tcp, Transport::IpcPath, Transport::Inproc] {
        for run in 0..100 * scale() {
            let (publisher, subscriber) = (PubSocket::usual(), SubSocket::usual());
            let place = transport.place();
            let endpoint = publisher.bind_to(&place.endpoint).await;
            subscriber.connect_to(&endpoint);
            subscriber.subscribe("first").unwrap();
            if run % 2 == 0 {
                soon(publisher.wait_for("first of all", 1)).await;
            } else {
                let subscribed = soon(subscriber.subscribed(1)).await;
                assert_eq!(subscribed.confirmed.len(), 1);
            }
            publisher.send("first of all").await.unwrap();
            let received = soon(subscriber.recv()).await.unwrap();
            assert_eq!(received, message(["first of all"]));
        }
    }
}

/// K14: the barrier also holds for a publisher that comes while it waits, and for later subscriptions anew.
#[tokio::test]
async fn the_barrier_waits_for_publishers_that_are_not_there_yet() {
    for transport in Transport::KNOWN {
        let places = [transport.place(), transport.place()];
        let subscriber = SubSocket::with(eager());
        subscriber.subscribe("a").unwrap();
        for place in &places {
            subscriber.try_connect_to(&place.endpoint).unwrap();
        }
        let mut waiting = Box::pin(subscriber.subscribed(2));
        let first = PubSocket::usual();
        first.bind_to(&places[0].endpoint).await;
        soon(first.wait_for("a", 1)).await;
        assert!(poll_times(20, &mut waiting).await.is_none());
        let second = PubSocket::usual();
        second.bind_to(&places[1].endpoint).await;
        assert_eq!(soon(waiting).await.confirmed.len(), 2);
        for topic in ["b", "c"] {
            subscriber.subscribe(topic).unwrap();
            assert_eq!(soon(subscriber.subscribed(2)).await.confirmed.len(), 2);
            for publisher in [&first, &second] {
                publisher.send(topic).await.unwrap();
                assert_eq!(soon(subscriber.recv()).await.unwrap(), message([topic]));
            }
        }
        // Nobody is asked for: it is there at once.
        assert!(
            soon(SubSocket::usual().subscribed(0))
                .await
                .confirmed
                .is_empty()
        );
    }
}
