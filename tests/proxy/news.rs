//! Forwarders of news: XSUB and XPUB, in chains, under churn (K13).

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;

use privateer::core::{
    Endpoint, Frame, Linger, Message, Proxy, ProxyEnd, ProxyHandle, PubSocket, SocketOptions,
    SubSocket, XpubSocket, XsubSocket,
};
use tokio::task::{JoinSet, yield_now};

use super::support::raw_peer::{RawPeer, command, message as octets};
use super::support::sockets::{Socket, Transport, eager, message, scale, soon, texts, until};
use super::{Running, Sides, stop};

type Forwarder = Sides<XsubSocket, XpubSocket>;

impl Forwarder {
    fn start(&self) -> (ProxyHandle, Running<XsubSocket, XpubSocket>) {
        let proxy = Proxy::xsub_xpub(Arc::clone(&self.frontend), Arc::clone(&self.backend));
        (proxy.handle(), tokio::spawn(proxy.run()))
    }
}

/// A chain of proxies that run, and the publisher at its head, whose owner hears what is wanted.
struct Chain {
    publisher: XpubSocket,
    proxies: Vec<Forwarder>,
    running: Vec<(ProxyHandle, Running<XsubSocket, XpubSocket>)>,
}

impl Chain {
    async fn new(transport: Transport, hops: usize) -> Self {
        let mut proxies = Vec::new();
        for _ in 0..hops {
            proxies.push(Forwarder::bound(transport, SocketOptions::new()).await);
        }
        for pair in proxies.windows(2) {
            pair[1].frontend.connect_to(&pair[0].back);
        }
        let publisher = XpubSocket::usual();
        publisher.connect_to(&proxies[0].front);
        let running = proxies.iter().map(Forwarder::start).collect();
        Self {
            publisher,
            proxies,
            running,
        }
    }

    /// Where subscribers connect to.
    fn end(&self) -> &Endpoint {
        &self.proxies.last().unwrap().back
    }

    /// How many topics each socket of the chain has, from the publisher on.
    fn topics(&self) -> Vec<usize> {
        let mut topics = vec![self.publisher.topics_count()];
        for proxy in &self.proxies {
            topics.push(proxy.frontend.topics_count());
            topics.push(proxy.backend.topics_count());
        }
        topics
    }

    async fn stop(self) {
        for (handle, running) in self.running {
            let report = stop(&handle, running).await;
            assert_eq!(report.end, ProxyEnd::Stopped);
        }
    }
}

/// R09, XSUB and XPUB: what is wanted passes, and nothing else; subscriptions and messages of subscribers go upstream.
#[tokio::test]
async fn news_pass_to_those_who_want_them() {
    for transport in Transport::ALL {
        let chain = Chain::new(transport, 1).await;
        let proxy = &chain.proxies[0];
        let sub: SubSocket = proxy.worker(SocketOptions::new()).await;
        let xsub: XsubSocket = proxy.worker(SocketOptions::new()).await;
        sub.subscribe("a").unwrap();
        xsub.subscribe("a").unwrap();
        let heard = soon(chain.publisher.recv()).await.unwrap();
        assert_eq!(heard, message(["\u{1}a"]), "{transport:?}");
        xsub.send(message(["to the", "publisher"])).await.unwrap();
        // The second subscription tells nobody anything.
        let heard = soon(chain.publisher.recv()).await.unwrap();
        assert_eq!(heard, message(["to the", "publisher"]));
        soon(proxy.backend.wait_for("a", 2)).await;
        chain.publisher.send("b").await.unwrap();
        chain
            .publisher
            .send(message(["abc", "", "d"]))
            .await
            .unwrap();
        for received in [sub.recv().await, xsub.recv().await] {
            assert_eq!(texts(&received.unwrap()), ["abc", "", "d"]);
        }
        xsub.end(Linger::Discard).await;
        sub.unsubscribe("a");
        let heard = soon(chain.publisher.recv()).await.unwrap();
        assert_eq!(heard, message(["\0a"]));
        assert!(chain.publisher.try_recv().is_err());
        let stats = chain.running[0].0.stats();
        assert_eq!(stats.frontend.received.messages, 1);
        assert_eq!(stats.frontend.received, stats.backend.sent);
        // Once to begin and once to end, and one message.
        assert_eq!(stats.backend.received.messages, 3);
        chain.stop().await;
    }
}

/// R09: whatever its size, a message is what it was at the end of a chain.
#[tokio::test]
async fn messages_of_every_size_pass_a_chain() {
    for transport in Transport::KINDS {
        let chain = Chain::new(transport, 3).await;
        let proxy = chain.proxies.last().unwrap();
        let sub: SubSocket = proxy.worker(SocketOptions::new()).await;
        sub.subscribe("").unwrap();
        soon(chain.publisher.wait_for("", 1)).await;
        for size in [0, 1, 40, 41, 255, 256, 8_192, 8_193, 200_000] {
            let sent = Message::from([Frame::from(vec![7; size]), "end".into()]);
            chain.publisher.send(sent.clone()).await.unwrap();
            assert!(soon(sub.recv()).await.unwrap() == sent, "{size}");
        }
        chain.stop().await;
    }
}

/// A burst that is longer than the marks of a subscriber that reads loses nothing.
#[tokio::test]
async fn a_burst_waits_for_the_sessions() {
    let options = SocketOptions::new().send_hwm(NonZeroUsize::new(20));
    let proxy = Forwarder::bound(Transport::Tcp, options).await;
    let (handle, running) = proxy.start();
    let sub: SubSocket = proxy.worker(SocketOptions::new()).await;
    sub.subscribe("").unwrap();
    let publisher: PubSocket = proxy.client(SocketOptions::new()).await;
    soon(publisher.wait_for("", 1)).await;
    for i in 0..900 {
        publisher.try_send(i.to_string()).unwrap();
    }
    for i in 0..900 {
        assert_eq!(soon(sub.recv()).await.unwrap()[0], *i.to_string());
    }
    assert_eq!(proxy.backend.stats().dropped_full, 0);
    let _report = stop(&handle, running).await;
}

/// A subscription behind a message that has filled a publisher's pipe waits, and is told once the sessions have run.
#[tokio::test]
async fn a_subscription_behind_a_full_pipe_is_told() {
    let options = SocketOptions::new().send_hwm(NonZeroUsize::new(1));
    let proxy = Forwarder::bound(Transport::Tcp, options).await;
    let (handle, running) = proxy.start();
    let publisher: XpubSocket = proxy.client(SocketOptions::new()).await;
    let mut peer = RawPeer::connect_as(&proxy.back, "XSUB").await;
    handle.pause();
    let both = [octets([b"upstream"]), command("SUBSCRIBE", b"a")];
    peer.send(&both.concat()).await;
    soon(proxy.backend.wait_for("a", 1)).await;
    handle.resume();
    for expected in ["upstream", "\u{1}a"] {
        assert_eq!(soon(publisher.recv()).await.unwrap(), message([expected]));
    }
    peer.send(&command("CANCEL", b"a")).await;
    assert_eq!(soon(publisher.recv()).await.unwrap(), message(["\0a"]));
    assert_eq!(proxy.frontend.topics_count(), 0);
    let _report = stop(&handle, running).await;
}

/// §4.10: without `only_first_subscribe` a subscription may be content; it is told upstream once, and ends with its peer.
#[tokio::test]
async fn a_subscription_that_is_content_is_told_once() {
    let options = SocketOptions::new().only_first_subscribe(false);
    let proxy = Forwarder::bound(Transport::Tcp, options).await;
    let (handle, running) = proxy.start();
    let publisher: XpubSocket = proxy.client(SocketOptions::new()).await;
    let mut peer = RawPeer::connect_as(&proxy.back, "XSUB").await;
    peer.send(&octets([b"x", b"\x01A"])).await;
    for expected in [message(["\u{1}A"]), message(["x", "\u{1}A"])] {
        assert_eq!(soon(publisher.recv()).await.unwrap(), expected);
    }
    drop(peer);
    assert_eq!(soon(publisher.recv()).await.unwrap(), message(["\0A"]));
    assert_eq!(proxy.frontend.topics_count(), 0);
    let _report = stop(&handle, running).await;
}

/// With `no_drop` on the backend a subscriber that does not read holds the publishers' messages up; none is lost.
#[tokio::test]
async fn without_drops_a_slow_subscriber_holds_the_proxy_up() {
    for transport in [Transport::Tcp, Transport::Inproc] {
        let options = SocketOptions::new()
            .no_drop()
            .send_hwm(NonZeroUsize::new(10));
        let proxy = Forwarder::bound(transport, options).await;
        let (handle, running) = proxy.start();
        let few = SocketOptions::new().recv_hwm(NonZeroUsize::new(10));
        let sub: SubSocket = proxy.worker(few).await;
        sub.subscribe("").unwrap();
        let options = SocketOptions::new().send_hwm(NonZeroUsize::new(5_000));
        let publisher: PubSocket = proxy.client(options).await;
        soon(publisher.wait_for("", 1)).await;
        for i in 0..1_000 {
            publisher
                .send(message([&i.to_string(), "body"]))
                .await
                .unwrap();
        }
        for i in 0..1_000 {
            assert_eq!(soon(sub.recv()).await.unwrap()[0], *i.to_string());
        }
        assert_eq!(handle.stats().dropped, 0);
        assert_eq!(proxy.backend.stats().dropped_full, 0);
        let _report = stop(&handle, running).await;
    }
}

/// K11: a proxy that comes back knows nothing, and is told of 10,000 topics; so is what stands behind it.
#[tokio::test]
async fn ten_thousand_topics_survive_a_restart_of_the_proxy() {
    const TOPICS: usize = 10_000;
    let places = [Transport::Tcp.place(), Transport::Tcp.place()];
    let publisher = PubSocket::with(eager());
    let sub = SubSocket::with(eager());
    for topic in 0..TOPICS {
        sub.subscribe(format!("{topic}.")).unwrap();
    }
    publisher.try_connect_to(&places[0].endpoint).unwrap();
    sub.try_connect_to(&places[1].endpoint).unwrap();
    for _ in 0..3 {
        let (frontend, backend) = (XsubSocket::usual(), XpubSocket::usual());
        frontend.bind_to(&places[0].endpoint).await;
        backend.bind_to(&places[1].endpoint).await;
        let proxy = Proxy::xsub_xpub(frontend, backend);
        let (handle, running) = (proxy.handle(), tokio::spawn(proxy.run()));
        until(|| publisher.topics_count() == TOPICS).await;
        for topic in [0, 4_711, TOPICS - 1] {
            publisher.send(format!("{topic}.")).await.unwrap();
            publisher.send(format!("{topic}")).await.unwrap();
            assert_eq!(soon(sub.recv()).await.unwrap()[0], *format!("{topic}."));
        }
        handle.stop();
        let report = soon(running).await.unwrap();
        assert_eq!(report.frontend.topics_count(), TOPICS);
        assert_eq!(report.backend.topics_count(), TOPICS);
        report.frontend.end(Linger::Discard).await;
        report.backend.end(Linger::Discard).await;
        until(|| publisher.topics_count() == 0 && sub.peers().is_empty()).await;
    }
}

/// One subscriber of many: it comes, changes its mind, and stays with these topics, or goes.
async fn subscriber(endpoint: Endpoint, seed: u64) -> Option<(SubSocket, BTreeMap<u8, usize>)> {
    let mut random = fastrand::Rng::with_seed(seed);
    let sub = SubSocket::usual();
    sub.connect_to(&endpoint);
    let mut wanted = BTreeMap::<u8, usize>::new();
    for _ in 0..random.usize(1..20) {
        let topic = random.u8(..50);
        if random.bool() {
            sub.subscribe([topic]).unwrap();
            *wanted.entry(topic).or_default() += 1;
        } else if let Some(count) = wanted.get_mut(&topic).filter(|count| **count > 0) {
            assert!(sub.unsubscribe([topic]));
            *count -= 1;
        }
        if random.u8(..4) == 0 {
            yield_now().await;
        }
    }
    wanted.retain(|_, count| *count > 0);
    soon(sub.subscribed(1)).await;
    if random.u8(..3) > 0 {
        return Some((sub, wanted));
    }
    sub.end(Linger::Discard).await;
    None
}

/// K13: three hops, subscribers that come, change their minds and go, and at each hop just the topics that are wanted
/// behind it. 1,000 subscribers with `PRIVATEER_SCALE` from 10 on, 100 otherwise.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn subscription_sets_are_exact_along_three_hops_under_churn() {
    let subscribers = 100 * scale().clamp(1, 10) as u64;
    let chain = Chain::new(Transport::Tcp, 3).await;
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut unmatched = 0;
    for round in 0..3 {
        let mut coming = JoinSet::new();
        for number in 0..subscribers {
            let own = seed.wrapping_add(round * subscribers + number);
            coming.spawn(subscriber(chain.end().clone(), own));
        }
        let staying: Vec<_> = coming.join_all().await.into_iter().flatten().collect();
        let mut wanted = BTreeMap::<u8, usize>::new();
        for topic in staying.iter().flat_map(|(_, topics)| topics.keys()) {
            *wanted.entry(*topic).or_default() += 1;
        }
        let exact = || chain.topics().iter().all(|topics| *topics == wanted.len());
        until(exact).await;
        // They are the same topics, not only as many: each message gets where it is wanted, and only there.
        for topic in 0..50_u8 {
            chain.publisher.send([topic].to_vec()).await.unwrap();
        }
        chain.publisher.send(vec![255]).await.unwrap();
        unmatched += 51 - wanted.len() as u64;
        assert_eq!(chain.publisher.stats().unmatched, unmatched);
        for (sub, topics) in &staying {
            for topic in topics.keys() {
                let received = soon(sub.recv()).await.unwrap();
                assert_eq!(received[0][..], [*topic], "seed {seed}");
            }
            assert!(sub.try_recv().is_err(), "seed {seed}");
        }
        for (sub, _) in staying {
            sub.end(Linger::Discard).await;
        }
        let none = || chain.topics().iter().all(|topics| *topics == 0);
        until(none).await;
    }
    // Told as it is: each topic began as often as it ended.
    let mut told = BTreeMap::<Vec<u8>, i64>::new();
    while let Ok(received) = chain.publisher.try_recv() {
        let count = told.entry(received[0][1..].to_vec()).or_default();
        *count += if received[0][0] == 1 { 1 } else { -1 };
        assert!((0..=1).contains(count), "told twice");
    }
    assert!(told.values().all(|count| *count == 0), "{told:?}");
    chain.stop().await;
}
