//! What passes a proxy: everything, as it is, in the order of each peer.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use privateer::core::{
    DealerSocket, Frame, Linger, Message, ProxyEnd, PullSocket, PushSocket, RepSocket, ReqSocket,
    RoutingId, SocketOptions,
};
use tokio::task::JoinSet;

use super::support::sockets::{Socket, Transport, message, number, scale, soon, texts, until};
use super::{Queue, Streamer, stop};

/// R09: requests go to workers, each reply to who asked.
#[tokio::test]
async fn replies_go_back_to_who_asked() {
    for transport in Transport::ALL {
        let queue = Queue::bound(transport, SocketOptions::new()).await;
        let (handle, running) = queue.start();
        let mut servers = Vec::new();
        for _ in 0..2 {
            let rep: RepSocket = queue.worker(SocketOptions::new()).await;
            servers.push(tokio::spawn(async move {
                while let Ok(request) = rep.recv().await {
                    rep.send(request).await.unwrap();
                }
            }));
        }
        let mut clients = Vec::new();
        for client in 0..5 {
            let req: ReqSocket = queue.client(SocketOptions::new()).await;
            clients.push(tokio::spawn(async move {
                for request in 0..50 {
                    let question = message([&*client.to_string(), "", &*request.to_string()]);
                    assert_eq!(soon(req.request(question.clone())).await.unwrap(), question);
                }
            }));
        }
        for client in clients {
            client.await.unwrap();
        }
        let report = stop(&handle, running).await;
        assert_eq!(report.end, ProxyEnd::Stopped);
        let stats = report.stats;
        assert_eq!(stats.dropped, 0);
        assert_eq!(stats.frontend.received.messages, 250);
        assert_eq!(stats.backend.sent, stats.frontend.received);
        assert_eq!(stats.frontend.sent, stats.backend.received);
        servers.iter().for_each(tokio::task::JoinHandle::abort);
    }
}

/// §4.4: chains keep any number of routing ids (libzmq: test_reqrep_device).
#[tokio::test]
async fn chains_keep_all_routing_ids() {
    for transport in Transport::KINDS {
        for hops in [1, 2, 5] {
            let mut queues = Vec::new();
            for _ in 0..hops {
                queues.push(Queue::bound(transport, SocketOptions::new()).await);
            }
            let _proxies: Vec<_> = queues.iter().map(Queue::start).collect();
            for pair in queues.windows(2) {
                pair[0].backend.connect_to(&pair[1].front);
            }
            let last = queues.last().unwrap();
            let name =
                RoutingId::new("a name of more than forty bytes, so that it is shared").unwrap();
            let client: DealerSocket = queues[0]
                .client(SocketOptions::new().routing_id(name.clone()))
                .await;
            let worker: DealerSocket = last.worker(SocketOptions::new()).await;
            client
                .send(message(["x", "", "question", ""]))
                .await
                .unwrap();
            let request = soon(worker.recv()).await.unwrap();
            assert_eq!(request.len(), hops + 4);
            assert_eq!(request[hops - 1], name.as_bytes()[..]);
            assert_eq!(texts(&request)[hops..], ["x", "", "question", ""]);
            worker.send(request).await.unwrap();
            let reply = soon(client.recv()).await.unwrap();
            assert_eq!(texts(&reply), ["x", "", "question", ""]);
        }
    }
}

/// R09: messages of every size and shape are what they were, whether they are copied, shared, or taken apart.
#[tokio::test]
async fn messages_are_left_as_they_are() {
    for transport in Transport::KINDS {
        let queue = Queue::bound(transport, SocketOptions::new()).await;
        let streamer = Streamer::bound(transport, SocketOptions::new()).await;
        let _proxies = (queue.start(), streamer.start());
        let client: DealerSocket = queue.client(SocketOptions::new()).await;
        let worker: DealerSocket = queue.worker(SocketOptions::new()).await;
        let push: PushSocket = streamer.client(SocketOptions::new()).await;
        let pull: PullSocket = streamer.worker(SocketOptions::new()).await;
        let sent = messages();
        let sending = async {
            for message in &sent {
                client.send(message.clone()).await.unwrap();
                push.send(message.clone()).await.unwrap();
            }
        };
        let working = async {
            for message in &sent {
                assert_eq!(pull.recv().await.unwrap(), *message);
                let request = worker.recv().await.unwrap();
                assert_eq!(request.frames()[1..], *message.frames());
                worker.send(request).await.unwrap();
            }
        };
        let receiving = async {
            for message in &sent {
                assert_eq!(client.recv().await.unwrap(), *message);
            }
        };
        soon(async { tokio::join!(sending, working, receiving) }).await;
    }
}

/// Single and multipart, empty frames in all places, bodies around the sizes at which they are copied or read apart.
fn messages() -> Vec<Message> {
    let sizes = [
        0,
        1,
        38,
        39,
        255,
        256,
        8_000,
        8_192,
        8_193,
        32_767,
        32_768,
        100_000,
        1 << 20,
    ];
    let body = |size: usize| Frame::from((0..=250).cycle().take(size).collect::<Vec<u8>>());
    let mut all: Vec<Message> = sizes.iter().map(|&size| body(size).into()).collect();
    for &size in &sizes {
        all.push([Frame::empty(), body(size), Frame::empty()].into());
        all.push([body(size), body(9), body(size)].into());
    }
    all.push(Message::from_frames(vec![Frame::empty(); 1_000]).unwrap());
    all
}

/// R09: what each client sends arrives in its order, at all workers together everything, whoever is slow.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_order_of_each_client_is_kept() {
    let messages = 5_000 * scale() as u64;
    for transport in Transport::KINDS {
        let streamer = Streamer::bound(transport, SocketOptions::new()).await;
        let (handle, running) = streamer.start();
        // All are there before one is gone: what that leaves may be so much that no other is let in before it is received.
        let mut pushes: Vec<PushSocket> = Vec::new();
        for _ in 0..3 {
            pushes.push(streamer.client(SocketOptions::new()).await);
        }
        let mut clients = Vec::new();
        for (client, push) in pushes.into_iter().enumerate() {
            clients.push(tokio::spawn(async move {
                for i in 0..messages {
                    let text = [Frame::from(i.to_string()), Frame::from(client.to_string())];
                    push.send(text).await.unwrap();
                }
                assert_eq!(push.end(Linger::Forever).await, 0);
            }));
        }
        let arrived = Arc::new(AtomicU64::new(0));
        let mut workers = JoinSet::new();
        for _ in 0..2 {
            let pull: PullSocket = streamer.worker(SocketOptions::new()).await;
            let arrived = Arc::clone(&arrived);
            workers.spawn(async move {
                let mut last: HashMap<Frame, u64> = HashMap::new();
                while let Ok(message) = pull.recv().await {
                    let before = last.insert(message[1].clone(), number(&message));
                    assert!(before.is_none_or(|before| before < number(&message)));
                    arrived.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        for client in clients {
            soon(client).await.unwrap();
        }
        // No worker has ended for want of order.
        until(|| {
            workers.try_join_next().is_some() || arrived.load(Ordering::Relaxed) == 3 * messages
        })
        .await;
        assert_eq!(workers.len(), 2, "{transport:?}");
        let stats = stop(&handle, running).await.stats;
        assert_eq!((stats.frontend.sent.messages, stats.dropped), (0, 0));
    }
}

/// Frames and bytes are counted as libzmq counts them: with the routing id, without framing.
#[tokio::test]
async fn frames_and_bytes_are_counted() {
    let queue = Queue::bound(Transport::Tcp, SocketOptions::new()).await;
    let (handle, running) = queue.start();
    let client: DealerSocket = queue.client(SocketOptions::new()).await;
    let worker: DealerSocket = queue.worker(SocketOptions::new()).await;
    client.send(message(["", "12345678"])).await.unwrap();
    let request = soon(worker.recv()).await.unwrap();
    worker
        .send(Message::from([request[0].clone(), Frame::from("123")]))
        .await
        .unwrap();
    soon(client.recv()).await.unwrap();
    let stats = stop(&handle, running).await.stats;
    let numbers = |side: privateer::core::Volume| (side.messages, side.frames, side.bytes);
    assert_eq!(numbers(stats.frontend.received), (1, 3, 13));
    assert_eq!(numbers(stats.backend.sent), (1, 3, 13));
    assert_eq!(numbers(stats.backend.received), (1, 2, 8));
    assert_eq!(numbers(stats.frontend.sent), (1, 2, 8));
}

/// A reply to a name goes to whoever has it now, although the last one went to another connection.
#[tokio::test]
async fn a_name_that_another_connection_took_over_is_followed() {
    let queue = Queue::bound(Transport::Tcp, SocketOptions::new().router_handover()).await;
    let (handle, running) = queue.start();
    let named = || SocketOptions::new().routing_id(RoutingId::new("name").unwrap());
    let first: DealerSocket = queue.client(named()).await;
    let worker: DealerSocket = queue.worker(SocketOptions::new()).await;
    for client in 0..2 {
        first.send("1").await.unwrap();
        let request = soon(worker.recv()).await.unwrap();
        worker.send(request).await.unwrap();
        assert_eq!(soon(first.recv()).await.unwrap()[0], "1", "{client}");
    }
    let mut watch = queue.frontend.watch();
    let second: DealerSocket = queue.client(named()).await;
    watch.disconnected().await;
    drop(first);
    worker
        .send(message(["name", "to the second"]))
        .await
        .unwrap();
    assert_eq!(soon(second.recv()).await.unwrap()[0], "to the second");
    assert_eq!(stop(&handle, running).await.stats.dropped, 0);
}
