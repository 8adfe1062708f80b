//! Links that are slow, cut, or dead.

use std::time::Duration;

use privateer_faults::{Link, SLACK, scale, soon, within};

use crate::hub::{HEARTBEAT, Hub, INTERVAL, LIVENESS, patient_client, puppet};
use crate::load::Load;

/// HB: heartbeats that come late, but as often as they should, are heartbeats.
#[tokio::test]
async fn a_slow_link_is_not_a_dead_one() {
    let hub = Hub::start().await;
    let link = Link::to(&hub.endpoint).await;
    // Longer than an interval, shorter than PING waits for its answer.
    link.delay(INTERVAL * 3 / 4);
    let mut worker = puppet(&link.endpoint(), &HEARTBEAT).await;
    let client = patient_client(&link.endpoint());
    for _ in 0..2 {
        assert_eq!(
            soon(client.request("mmi.service", "echo")).await.unwrap()[0],
            "200"
        );
        let (reply, ()) = tokio::join!(soon(client.request("echo", "hello")), async {
            soon(worker.expect("begins hello")).await;
            // The time goes by in round trips.
            for _ in 0..LIVENESS {
                soon(client.request("mmi.service", "echo")).await.unwrap();
            }
            worker.tell("").await;
        });
        assert_eq!(reply.unwrap()[0], "hello");
    }
    let stats = hub.stats();
    assert_eq!(
        (stats.expired_workers, stats.redispatched, stats.replies),
        (0, 0, 2)
    );
    assert_eq!(client.stats().resent, 0);
}

/// U4: links that are reset again and again, of clients as well as workers, lose no call.
#[tokio::test]
async fn no_call_is_lost_when_links_are_cut() {
    let hub = Hub::start().await;
    let (clients, workers) = (Link::to(&hub.endpoint).await, Link::to(&hub.endpoint).await);
    let mut puppets = Vec::new();
    for _ in 0..2 {
        puppets.push(
            puppet(
                &workers.endpoint(),
                &[&["--delay", "1"], &HEARTBEAT[..]].concat(),
            )
            .await,
        );
    }
    let client = patient_client(&clients.endpoint());
    let load = Load::start(&client, 8);
    for cut in 0..10 * scale() {
        load.progress(50).await;
        if cut % 2 == 0 {
            clients.cut()
        } else {
            workers.cut()
        }
    }
    load.progress(50).await;
    let stats = load.end().await;
    assert!(stats.resent > 0, "{stats:?}");
    assert_eq!(stats.late_replies, 0);
    assert_eq!(hub.stats().dismissals, 0);
}

/// F-14: a client whose link is dead finds out by ZMTP's PING (after 2.5 s without input, 5 s to answer), and sends its
/// call again.
#[tokio::test]
async fn a_client_that_is_cut_off_calls_again() {
    let hub = Hub::start().await;
    let link = Link::to(&hub.endpoint).await;
    let mut worker = puppet(&hub.endpoint, &HEARTBEAT).await;
    let client = patient_client(&link.endpoint());
    let call = tokio::spawn({
        let client = client.clone();
        async move { client.request("echo", "hello").await }
    });
    soon(worker.expect("begins hello")).await;
    link.black_hole();
    worker.tell("").await;
    within(
        SLACK * Duration::from_millis(7500),
        worker.expect("begins hello"),
    )
    .await;
    worker.tell("").await;
    assert_eq!(soon(call).await.unwrap().unwrap()[0], "hello");
    assert_eq!((client.stats().resent, client.stats().late_replies), (1, 0));
}

/// U4: a partition that heals before anybody gives up loses nothing, and nothing is done twice.
#[tokio::test]
async fn a_short_partition_is_only_a_delay() {
    let hub = Hub::with_liveness(100).await;
    let link = Link::to(&hub.endpoint).await;
    let mut worker = puppet(&hub.endpoint, &[]).await;
    let client = patient_client(&link.endpoint());
    let call = async |body: &'static str| soon(client.request("echo", body)).await.unwrap();
    let (reply, ()) = tokio::join!(call("hello"), async {
        soon(worker.expect("begins hello")).await;
        link.black_hole();
        worker.tell("").await;
        // The broker has replied, to a link that is dead.
        privateer_faults::until(|| hub.stats().replies == 1).await;
        link.heal();
    });
    assert_eq!(reply[0], "hello");
    assert_eq!((client.stats().resent, hub.stats().requests), (0, 1));
}
