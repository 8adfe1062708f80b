//! Workers and queues that die, hang, come back and end.

use privateer::core::Message;
use privateer::paranoid_pirate::PirateWorker;
use privateer::paranoid_pirate::queue::DropReason;

use super::*;
use crate::support::sockets::poll_times;

/// LB-5: killed in the middle of a request: another one answers it, as soon as the connection's end is seen.
#[tokio::test]
async fn a_request_of_a_dying_worker_goes_to_another() {
    let hub = Hub::start().await;
    let kinds: [&[&[u8]]; 2] = [&[b"", b"\x01"], &[b"\x01"]];
    for ready in kinds {
        let dying = hub.raw(ready).await;
        let client = hub.client();
        client.send("Hi").await.unwrap();
        next(&dying).await;
        let heir = hub.raw(ready).await;
        let _unsent = dying.close_with(privateer::core::Linger::Discard).await;
        let again = next(&heir).await;
        heir.send(again).await.unwrap();
        assert_eq!(soon(client.recv()).await.unwrap(), Message::from("Hi"));
        drop(heir);
        hub.workers(0).await;
    }
    let stats = hub.stop().await;
    assert_eq!((stats.replies, stats.redispatched), (2, 2));
}

/// HB-2: a worker of RFC 6 that is idle and silent is given up; a heartbeat alone does not bring it back.
#[tokio::test]
async fn an_idle_worker_that_is_silent_is_given_up_until_it_says_ready() {
    let hub = Hub::quick().await;
    let silent = hub.raw(&[b"\x01"]).await;
    hub.workers(0).await;
    assert_eq!(hub.queue.stats().expired_workers, 1);
    silent.send(message(&[b"\x02"])).await.unwrap();
    until(|| hub.queue.stats().strange_heartbeats == 1).await;
    silent.send(message(&[b"\x01"])).await.unwrap();
    hub.workers(1).await;
    assert_eq!(hub.stop().await.expired_workers, 1);
}

/// PP-2's side of ours, F-16: busy for six expiries, a worker of ours beats and is not given up.
#[tokio::test]
async fn a_busy_worker_of_ours_is_not_given_up() {
    let hub = Hub::quick().await;
    let slow = PirateWorker::connect(&hub.backend, |request: Message| async move {
        tokio::time::sleep(Duration::from_secs(4)).await;
        request
    });
    let options = WorkerOptions::default().heartbeat_interval(INTERVAL);
    tokio::spawn(slow.unwrap().options(options).run());
    assert_eq!(
        soon(hub.client().request("Hi")).await.unwrap(),
        Message::from("Hi")
    );
    let stats = hub.stop().await;
    assert_eq!((stats.expired_workers, stats.redispatched), (0, 0));
}

/// SP-4, PP-6: the queue comes back at the same place, and our workers of both kinds are there again.
#[tokio::test]
async fn workers_are_back_when_the_queue_is() {
    let hub = Hub::start().await;
    let (endpoints, echo) = (hub.endpoints(), |request: Message| async move { request });
    start(PirateWorker::connect(&hub.backend, echo).unwrap());
    start(PirateWorker::connect(&hub.backend, echo).unwrap().simple());
    hub.workers(2).await;
    hub.running.abort();
    let _aborted = hub.running.await;
    let hub = Hub::at(endpoints, QueueOptions::default()).await;
    // Two seconds, three times.
    tokio::time::timeout(Duration::from_secs(6), hub.workers(2))
        .await
        .unwrap();
    assert_eq!(
        soon(hub.client().request("Hi")).await.unwrap(),
        Message::from("Hi")
    );
    hub.stop().await;
}

/// F-10: a queue that is stopped reads no more, and what is in hand is answered.
#[tokio::test]
async fn a_queue_that_is_stopped_lets_what_is_in_hand_be_answered() {
    let hub = Hub::start().await;
    let worker = hub.raw(&[b"\x01"]).await;
    let client = hub.client();
    client.send("Hi").await.unwrap();
    let request = next(&worker).await;
    hub.queue.stop();
    worker.send(request).await.unwrap();
    assert_eq!(soon(client.recv()).await.unwrap(), Message::from("Hi"));
    let stats = soon(hub.running).await.unwrap();
    assert_eq!((stats.replies, stats.in_flight), (1, 0));
}

/// F-10: a worker that is stopped answers what it has, gets nothing more, and nothing is given twice.
#[tokio::test]
async fn a_worker_that_is_stopped_finishes_first() {
    let hub = Hub::start().await;
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let go = std::sync::Arc::new(tokio::sync::Notify::new());
    let waits = std::sync::Arc::clone(&go);
    let worker = PirateWorker::connect(&hub.backend, move |request: Message| {
        tell.send(()).unwrap();
        let waits = std::sync::Arc::clone(&waits);
        async move {
            waits.notified().await;
            request
        }
    });
    let handle = start(worker.unwrap());
    let client = hub.client();
    client.send("Hi").await.unwrap();
    soon(told.recv()).await.unwrap();
    handle.stop();
    go.notify_one();
    assert_eq!(soon(client.recv()).await.unwrap(), Message::from("Hi"));
    hub.workers(0).await;
    assert_eq!(hub.stop().await.redispatched, 0);
}

/// A client that is gone when its reply comes: dropped and counted.
#[tokio::test]
async fn a_reply_to_a_client_that_is_gone_is_counted() {
    // Over inproc a client is gone once it is closed.
    let endpoints = ["inproc://gone-front", "inproc://gone-back"].map(|end| end.parse().unwrap());
    let hub = Hub::at(endpoints, QueueOptions::default()).await;
    let worker = hub.raw(&[b"\x01"]).await;
    let client = hub.client();
    client.send("Hi").await.unwrap();
    let request = next(&worker).await;
    let _unsent = client.close_with(privateer::core::Linger::Discard).await;
    worker.send(request).await.unwrap();
    until(|| hub.queue.stats().in_flight == 0).await;
    let stats = hub.stop().await;
    assert_eq!(
        (stats.replies, stats.dropped(DropReason::ClientGone)),
        (0, 1)
    );
}

/// Who waits for the end of a queue is told as well if it never ran, or if its future was dropped.
#[tokio::test]
async fn a_queue_that_is_dropped_has_ended() {
    for polls in [None, Some(0), Some(1)] {
        let queue = soon(Queue::bind(ANY, ANY)).await.unwrap();
        let handle = queue.handle();
        match polls {
            Some(polls) => assert!(poll_times(polls, queue.run()).await.is_none()),
            None => drop(queue),
        }
        soon(handle.ended()).await;
    }
}
