//! Who gets which request, and what comes back.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use privateer::core::{Message, RoutingId, SocketOptions};
use privateer::paranoid_pirate::PirateWorker;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::*;

/// LB-4: a worker that hangs holds one request, and the other nine do all the rest.
#[tokio::test]
async fn a_slow_worker_holds_up_one_request_only() {
    let hub = Hub::start().await;
    let (go, taken) = (Arc::new(Notify::new()), Arc::new(AtomicUsize::new(0)));
    let (waits, counts) = (Arc::clone(&go), Arc::clone(&taken));
    let slow = PirateWorker::connect(&hub.backend, move |request: Message| {
        let waits = Arc::clone(&waits);
        counts.fetch_add(1, Ordering::Relaxed);
        async move {
            waits.notified().await;
            request
        }
    });
    start(slow.unwrap());
    for _ in 0..9 {
        hub.echo();
    }
    hub.workers(10).await;
    let client = hub.dealer();
    for number in 0..1000_u32 {
        let request = message(&[b"", &number.to_be_bytes()]);
        client.send(request).await.unwrap();
    }
    for _ in 0..999 {
        soon(client.recv()).await.unwrap();
    }
    assert_eq!(taken.load(Ordering::Relaxed), 1);
    go.notify_one();
    soon(client.recv()).await.unwrap();
    let stats = hub.stop().await;
    assert_eq!((stats.requests, stats.replies), (1000, 1000));
}

/// SP-3, LB-1: REQ workers with either READY, a worker of RFC 6 by hand, and ours in both forms, on one side.
#[tokio::test]
async fn all_kinds_of_workers_share_the_requests() {
    let hub = Hub::start().await;
    let kinds: [&[&[u8]]; 3] = [&[b"", b"\x01"], &[b"", b"READY"], &[b"\x01"]];
    for ready in kinds {
        let worker = hub.raw(ready).await;
        tokio::spawn(async move {
            loop {
                // What is no request is a heartbeat, and as good as an answer.
                let request = worker.recv().await.unwrap();
                worker.send(request).await.unwrap();
            }
        });
    }
    hub.echo();
    let echo = |request: Message| async move { request };
    start(PirateWorker::connect(&hub.backend, echo).unwrap().simple());
    hub.workers(5).await;
    let mut callers = JoinSet::new();
    for caller in 0..10_u8 {
        let client = hub.client();
        callers.spawn(async move {
            for number in 0..50_u8 {
                let request = Message::from([caller, number]);
                assert_eq!(
                    soon(client.request(request.clone())).await.unwrap(),
                    request
                );
            }
        });
    }
    soon(callers.join_all()).await;
    let stats = hub.stop().await;
    assert_eq!(
        (stats.requests, stats.replies, stats.redispatched),
        (500, 500, 0)
    );
}

/// LB-3: the reference queue swallows the replies of such a client.
#[tokio::test]
async fn a_client_whose_name_begins_with_01_gets_its_reply() {
    let hub = Hub::start().await;
    let worker = hub.raw(&[b"", b"\x01"]).await;
    let name = RoutingId::new(b"\x01abc").unwrap();
    let client = ReqSocket::with_options(SocketOptions::new().routing_id(name)).unwrap();
    client.connect(&hub.frontend).unwrap();
    let serve = async { worker.send(next(&worker).await).await };
    let (reply, served) = tokio::join!(soon(client.request("Hi")), serve);
    served.unwrap();
    assert_eq!(reply.unwrap(), Message::from("Hi"));
    hub.stop().await;
}

/// LB-8: a request passes two queues, and its reply finds the way back.
#[tokio::test]
async fn a_chain_of_two_queues_returns_replies() {
    let (outer, inner) = (Hub::start().await, Hub::start().await);
    let worker = outer.raw(&[b"\x01"]).await;
    let client_of_inner = inner.dealer();
    inner.echo();
    let bridge = tokio::spawn(async move {
        loop {
            client_of_inner.send(next(&worker).await).await.unwrap();
            worker
                .send(client_of_inner.recv().await.unwrap())
                .await
                .unwrap();
        }
    });
    let client = outer.client();
    for number in 0..20_u8 {
        let reply = soon(client.request([number])).await.unwrap();
        assert_eq!(reply, Message::from([number]));
    }
    bridge.abort();
    assert_eq!(inner.stop().await.replies, 20);
    assert_eq!(outer.stop().await.replies, 20);
}

/// F-19: a client that has thousands of requests in line does not keep one with a single request from its turn.
#[tokio::test]
async fn clients_are_served_in_turn() {
    let hub = Hub::start().await;
    let worker = hub.raw(&[b"\x01"]).await;
    let greedy = hub.dealer();
    for _ in 0..500 {
        greedy.send(message(&[b"", b"greedy"])).await.unwrap();
    }
    let first = next(&worker).await;
    let modest = hub.client();
    modest.send("modest").await.unwrap();
    let mut request = first;
    let mut turns = 0;
    while request[2] != "modest" {
        turns += 1;
        worker.send(request).await.unwrap();
        request = next(&worker).await;
    }
    assert!(turns < 250, "{turns}");
    worker.send(request).await.unwrap();
    soon(modest.recv()).await.unwrap();
    drop(worker);
    hub.queue.stop();
}

/// SP-1: the guide's `spworker` names itself by the second in which it starts, so several may have one name.
#[tokio::test]
async fn namesakes_do_not_get_in_each_others_way() {
    let hub = Hub::start().await;
    let named = || SocketOptions::new().routing_id(RoutingId::new("F680-3D0E").unwrap());
    let mut workers = Vec::new();
    for count in 1..=4 {
        let worker = ReqSocket::with_options(named().req_lockstep()).unwrap();
        worker.connect(&hub.backend).unwrap();
        worker.send("\x01").await.unwrap();
        hub.workers(count).await;
        workers.push(worker);
    }
    let mut clients = Vec::new();
    for _ in 0..4 {
        let client = ReqSocket::with_options(named()).unwrap();
        client.connect(&hub.frontend).unwrap();
        clients.push(client);
    }
    for (number, client) in clients.iter().enumerate() {
        client.send(number.to_string()).await.unwrap();
    }
    for worker in &workers {
        let request = soon(worker.recv()).await.unwrap();
        worker.send(request).await.unwrap();
    }
    for (number, client) in clients.iter().enumerate() {
        let reply = soon(client.recv()).await.unwrap();
        assert_eq!(reply[0], *number.to_string());
    }
    let stats = hub.stop().await;
    assert_eq!((stats.requests, stats.replies), (4, 4));
    assert_eq!(stats.redispatched, 0);
}
