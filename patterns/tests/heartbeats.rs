//! The heartbeating sockets over real connections.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test fails by a panic"
)]

use std::num::NonZeroU32;
use std::time::Duration;

use privateer::core::{DealerSocket, Message, PeerEvent, RouterSocket};
use privateer::heartbeat::{
    HeartbeatDealer, HeartbeatOptions, HeartbeatRouter, LinkEvent, RouterEvent,
};

const INTERVAL: Duration = Duration::from_millis(100);

fn options() -> HeartbeatOptions {
    HeartbeatOptions::default().interval(INTERVAL)
}

async fn within<T>(event: impl Future<Output = T>) -> T {
    let limit = Duration::from_secs(20);
    tokio::time::timeout(limit, event).await.expect("in time")
}

/// The next message of a raw peer that is no heartbeat.
async fn next(router: &RouterSocket) -> Message {
    loop {
        let (_, message) = within(router.recv()).await.unwrap();
        if message != Message::from(&[2]) {
            return message;
        }
    }
}

/// HB-2: a peer that accepts and then says nothing is given up, and greeted again on a new connection.
#[tokio::test]
async fn a_dealer_connects_anew_when_its_peer_is_silent() {
    let router = RouterSocket::new().unwrap();
    let endpoint = within(router.bind("tcp://127.0.0.1:*")).await.unwrap();
    let dealer = HeartbeatDealer::connect(&endpoint, options().greeting("hello")).unwrap();
    let mut events = dealer.events();
    for _ in 0..2 {
        let start = tokio::time::Instant::now();
        assert_eq!(next(&router).await, Message::from("hello"));
        while within(events.next()).await.unwrap() != Some(LinkEvent::PresumedDead) {}
        assert!(start.elapsed() > INTERVAL * 2);
    }
    let stats = dealer.stats();
    assert_eq!(stats.presumed_dead, 2);
    assert!(stats.beats_sent >= 2, "{stats:?}");
    within(dealer.close()).await;
}

/// HB-1: a handler that is busy for ten expiries does not keep its socket from beating, nor is its peer judged unread.
#[tokio::test]
async fn a_busy_owner_is_not_a_dead_peer() {
    let mut router = within(HeartbeatRouter::bind("tcp://127.0.0.1:*", options()))
        .await
        .unwrap();
    let endpoint = router.endpoint().clone();
    let mut dealer = HeartbeatDealer::connect(&endpoint, options().greeting("one")).unwrap();
    assert!(matches!(
        within(router.recv()).await,
        Ok(RouterEvent::Up(_))
    ));
    for number in 10..13_u8 {
        dealer.send([number]).await.unwrap();
    }
    // Both owners take nothing; what they have to see is that time passes.
    tokio::time::sleep(INTERVAL * 30).await;
    assert_eq!(
        router.stats().presumed_dead + dealer.stats().presumed_dead,
        0
    );
    assert!(dealer.stats().beats_sent > 5 && router.stats().beats_sent > 5);
    for expected in [Message::from("one"), [10].into(), [11].into(), [12].into()] {
        match within(router.recv()).await.unwrap() {
            RouterEvent::Message(peer, message) => {
                assert_eq!(message, expected);
                within(router.send(&peer, message)).await.unwrap();
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(within(dealer.recv()).await.unwrap(), expected);
    }
    within(dealer.close()).await;
    assert!(matches!(
        within(router.recv()).await,
        Ok(RouterEvent::Down(_))
    ));
    within(router.close()).await;
}

/// HB-2, and a peer that comes back to life on the same connection is told again.
#[tokio::test]
async fn a_router_tells_that_a_silent_peer_is_dead_and_that_it_is_back() {
    let options = options().liveness(NonZeroU32::new(2).unwrap());
    let mut router = within(HeartbeatRouter::bind("tcp://127.0.0.1:*", options))
        .await
        .unwrap();
    let raw = DealerSocket::new().unwrap();
    raw.connect(router.endpoint()).unwrap();
    assert!(matches!(
        within(router.recv()).await,
        Ok(RouterEvent::Up(_))
    ));
    for text in ["first", "second"] {
        assert!(matches!(
            within(router.recv()).await,
            Ok(RouterEvent::Dead(_))
        ));
        raw.send(text).await.unwrap();
        assert!(matches!(
            within(router.recv()).await,
            Ok(RouterEvent::Up(_))
        ));
        match within(router.recv()).await.unwrap() {
            RouterEvent::Message(_, message) => assert_eq!(message, Message::from(text)),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(router.stats().presumed_dead, 2);
    assert_eq!(within(raw.recv()).await.unwrap(), Message::from(&[2]));
    within(router.close()).await;
}

/// What others say meanwhile does not put it off.
#[tokio::test]
async fn a_silent_peer_is_dead_also_beside_one_that_talks() {
    let bound = HeartbeatRouter::bind("inproc://beside-one-that-talks", options());
    let mut router = within(bound).await.unwrap();
    let [silent, talking] = [(); 2].map(|()| DealerSocket::new().unwrap());
    silent.connect(router.endpoint()).unwrap();
    talking.connect(router.endpoint()).unwrap();
    let talk = tokio::spawn(async move {
        while talking.send("talk").await.is_ok() {
            tokio::time::sleep(INTERVAL / 10).await;
        }
    });
    let dead = async { while !matches!(router.recv().await.unwrap(), RouterEvent::Dead(_)) {} };
    within(dead).await;
    talk.abort();
    within(router.close()).await;
}

/// A peer that says something and then hangs is presumed dead, also while its owner waits to send it more, and takes
/// nothing; and then nobody waits any more.
#[tokio::test]
async fn a_peer_that_hangs_with_a_full_pipe_is_dead_while_a_send_waits_for_it() {
    let bound = HeartbeatRouter::bind("inproc://hangs-with-a-full-pipe", options());
    let mut router = within(bound).await.unwrap();
    let raw = DealerSocket::new().unwrap();
    raw.connect(router.endpoint()).unwrap();
    let Ok(RouterEvent::Up(peer)) = within(router.recv()).await else {
        panic!("it is not there");
    };
    for number in 10..20_u8 {
        raw.send([number]).await.unwrap();
    }
    let refused = loop {
        if let Err(refused) = within(router.send(&peer, "more")).await {
            break refused;
        }
    };
    assert!(refused.would_block());
    assert_eq!(refused.into_message(), Message::from("more"));
    assert_eq!(router.stats().presumed_dead, 1);
    for number in 10..20_u8 {
        let event = within(router.recv()).await.unwrap();
        let RouterEvent::Message(_, message) = event else {
            panic!("{event:?}");
        };
        assert_eq!(message, Message::from([number]));
    }
    let event = within(router.recv()).await.unwrap();
    assert!(matches!(event, RouterEvent::Dead(_)), "{event:?}");
    let refused = within(router.send(&peer, "more")).await.unwrap_err();
    assert!(refused.would_block());
    within(router.close()).await;
}

/// Nor does who sends more than is taken wait for ever for one that does the same.
#[tokio::test]
async fn a_send_does_not_wait_while_too_much_waits_to_be_taken() {
    let bound = HeartbeatRouter::bind("inproc://sends-and-does-not-take", options());
    let mut router = within(bound).await.unwrap();
    let raw = DealerSocket::new().unwrap();
    raw.connect(router.endpoint()).unwrap();
    let Ok(RouterEvent::Up(peer)) = within(router.recv()).await else {
        panic!("it is not there");
    };
    let noise = tokio::spawn(async move { while raw.send("noise").await.is_ok() {} });
    let refused = loop {
        if let Err(refused) = within(router.send(&peer, "more")).await {
            break refused;
        }
    };
    assert!(refused.would_block());
    assert_eq!(router.stats().presumed_dead, 0);
    noise.abort();
    within(router.close()).await;
}

/// A dealer's peer that says something and then hangs is replaced, also while a message waits for room.
#[tokio::test]
async fn a_dealer_whose_message_waits_for_room_notices_a_dead_peer() {
    let router = RouterSocket::new().unwrap();
    let endpoint = within(router.bind("inproc://waits-for-room"))
        .await
        .unwrap();
    let dealer = HeartbeatDealer::connect(&endpoint, options().greeting("hello")).unwrap();
    let mut events = dealer.events();
    let (peer, _hello) = within(router.recv()).await.unwrap();
    for number in 10..20_u8 {
        within(router.send(&peer, [number])).await.unwrap();
    }
    let sending = async { while dealer.send("more").await.is_ok() {} };
    let dead =
        async { while within(events.next()).await.unwrap() != Some(LinkEvent::PresumedDead) {} };
    tokio::select! {
        () = sending => panic!("its task has ended"),
        () = dead => {}
    }
}

/// HB-3: a peer whose interval is four times ours announces it, and is not killed.
#[tokio::test]
async fn a_peer_with_a_longer_interval_lives() {
    let mut router = within(HeartbeatRouter::bind("tcp://127.0.0.1:*", options()))
        .await
        .unwrap();
    let slow = options().interval(INTERVAL * 4);
    let dealer = HeartbeatDealer::connect(router.endpoint(), slow).unwrap();
    assert!(matches!(
        within(router.recv()).await,
        Ok(RouterEvent::Up(_))
    ));
    tokio::time::sleep(INTERVAL * 20).await;
    assert_eq!(
        router.stats().presumed_dead + dealer.stats().presumed_dead,
        0
    );
    assert!(
        (2..=6).contains(&dealer.stats().beats_sent),
        "{:?}",
        dealer.stats()
    );
}

/// HB-4: while the peer is away nothing is queued for it: it finds the greeting, and at most one heartbeat.
#[tokio::test]
async fn no_heartbeats_wait_for_a_peer_that_is_away() {
    let router = RouterSocket::new().unwrap();
    let endpoint = within(router.bind("tcp://127.0.0.1:*")).await.unwrap();
    let dealer = HeartbeatDealer::connect(&endpoint, options().greeting("hello")).unwrap();
    let mut events = dealer.events();
    assert_eq!(next(&router).await, Message::from("hello"));
    let _report = within(router.close()).await;
    while within(events.next()).await.unwrap() != Some(LinkEvent::Disconnected) {}
    let before = dealer.stats().beats_sent;
    tokio::time::sleep(INTERVAL * 15).await;
    assert_eq!(dealer.stats().beats_sent, before);

    let router = RouterSocket::new().unwrap();
    within(router.bind(&endpoint)).await.unwrap();
    assert!(matches!(
        within(router.recv_event()).await,
        Ok(PeerEvent::Up(_))
    ));
    assert_eq!(
        within(router.recv()).await.unwrap().1,
        Message::from("hello")
    );
    let mut beats = 0;
    while router.try_recv().is_ok() {
        beats += 1;
    }
    assert!(beats <= 1, "{beats}");
}
