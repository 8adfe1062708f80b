//! What holds a proxy up: nothing but a mute output, and then only what goes there.

use privateer::core::{
    DealerSocket, Frame, Message, ProxyEnd, PullSocket, PushSocket, SocketOptions,
};

use super::support::sockets::{Transport, message, number, poll_times, soon, until};
use super::{Queue, Streamer, marks, stop};

/// R09: with nobody to send to nothing is read, so that senders are held up; then everything arrives.
#[tokio::test]
async fn a_side_is_not_read_while_its_output_is_mute() {
    for transport in Transport::KINDS {
        let streamer = Streamer::bound(transport, marks(10)).await;
        let (handle, running) = streamer.start();
        let push: PushSocket = streamer.client(marks(10)).await;
        let body = |i: u64| [Frame::from(i.to_string()), Frame::from(vec![0; 100_000])];
        let sent = fill(async |i| push.send(body(i)).await.unwrap()).await;
        // Both high-water marks, and over tcp and ipc what the kernel and one read buffer hold beside.
        assert!((20..200).contains(&sent), "{transport:?}: {sent}");
        assert_eq!(handle.stats().frontend.received.messages, 0);
        let pull: PullSocket = streamer.worker(marks(10)).await;
        for i in 0..sent {
            assert_eq!(number(&soon(pull.recv()).await.unwrap()), i);
        }
        assert_eq!(
            stop(&handle, running).await.stats.backend.sent.messages,
            sent
        );
    }
}

/// A client that reads no replies holds up the worker whose reply it is, and no other.
#[tokio::test]
async fn a_client_without_room_holds_up_one_worker() {
    for transport in Transport::KINDS {
        let queue = Queue::bound(transport, marks(4)).await;
        let (handle, running) = queue.start();
        let slow: DealerSocket = queue.client(marks(4)).await;
        let quick: DealerSocket = queue.client(marks(4)).await;
        let held: DealerSocket = queue.worker(marks(4)).await;
        let (slow_id, quick_id) = (id_of(&slow, &held).await, id_of(&quick, &held).await);
        let free: DealerSocket = queue.worker(marks(4)).await;
        let reply = |id: &Frame, i: u64| {
            let body = Frame::from(vec![0; 300_000]);
            Message::from([id.clone(), Frame::from(i.to_string()), body])
        };
        let sent = fill(async |i| held.send(reply(&slow_id, i)).await.unwrap()).await;
        for i in 0..20 {
            soon(free.send(reply(&quick_id, i))).await.unwrap();
            assert_eq!(number(&soon(quick.recv()).await.unwrap()), i);
        }
        assert!(handle.stats().frontend.sent.messages < sent + 20);
        for i in 0..sent {
            assert_eq!(
                number(&soon(slow.recv()).await.unwrap()),
                i,
                "{transport:?}"
            );
        }
        soon(held.send(reply(&quick_id, 99))).await.unwrap();
        assert_eq!(number(&soon(quick.recv()).await.unwrap()), 99);
        assert_eq!(stop(&handle, running).await.stats.dropped, 0);
    }
}

/// When a client goes that held a worker up, what was for it is dropped and counted, and the worker goes on.
#[tokio::test]
async fn a_client_that_goes_holds_nobody_up() {
    for transport in Transport::KINDS {
        let queue = Queue::bound(transport, marks(4)).await;
        let (handle, running) = queue.start();
        let slow: DealerSocket = queue.client(marks(4)).await;
        let quick: DealerSocket = queue.client(marks(4)).await;
        let worker: DealerSocket = queue.worker(marks(4)).await;
        let (slow_id, quick_id) = (id_of(&slow, &worker).await, id_of(&quick, &worker).await);
        let body = || Frame::from(vec![0; 300_000]);
        let to_slow = || [slow_id.clone(), body()];
        let sent = fill(async |_| worker.send(to_slow()).await.unwrap()).await;
        drop(slow);
        soon(worker.send([quick_id, Frame::from("next")]))
            .await
            .unwrap();
        assert_eq!(soon(quick.recv()).await.unwrap()[0], "next");
        let stats = stop(&handle, running).await.stats;
        assert!(stats.dropped > 0);
        assert_eq!(stats.backend.received.messages, sent + 1);
        assert_eq!(stats.frontend.sent.messages + stats.dropped, sent + 1);
        assert_eq!(queue.frontend.stats().dropped_unroutable, stats.dropped);
    }
}

/// As libzmq's proxies do, if the ROUTER is not mandatory: a client without room loses its replies, nobody waits.
#[tokio::test]
async fn a_client_without_room_loses_replies_if_the_router_is_to_drop() {
    for transport in Transport::KINDS {
        let queue = Queue::bound(transport, marks(4).router_mandatory(false)).await;
        let (handle, running) = queue.start();
        let slow: DealerSocket = queue.client(marks(4)).await;
        let quick: DealerSocket = queue.client(marks(4)).await;
        let worker: DealerSocket = queue.worker(marks(4)).await;
        let (slow_id, quick_id) = (id_of(&slow, &worker).await, id_of(&quick, &worker).await);
        for i in 0..100 {
            let body = Frame::from(vec![0; 300_000]);
            let reply = [slow_id.clone(), Frame::from(i.to_string()), body];
            soon(worker.send(reply)).await.unwrap();
        }
        soon(worker.send([quick_id, Frame::from("quick")]))
            .await
            .unwrap();
        assert_eq!(soon(quick.recv()).await.unwrap()[0], "quick");
        let stats = stop(&handle, running).await.stats;
        assert!(stats.dropped > 0);
        assert_eq!(queue.frontend.stats().dropped_full, stats.dropped);
        let mut last = None;
        for _ in stats.dropped..100 {
            let next = number(&soon(slow.recv()).await.unwrap());
            assert!(last.is_none_or(|last| last < next));
            last = Some(next);
        }
        assert!(slow.try_recv().is_err());
    }
}

/// What names nobody is dropped and counted.
#[tokio::test]
async fn what_is_for_nobody_is_dropped_and_counted() {
    let queue = Queue::bound(Transport::Tcp, SocketOptions::new()).await;
    let (handle, running) = queue.start();
    let worker: DealerSocket = queue.worker(SocketOptions::new()).await;
    for stray in [
        message(["nobody", "reply"]),
        message([""]),
        message(["alone"]),
    ] {
        worker.send(stray).await.unwrap();
    }
    until(|| handle.stats().dropped == 3).await;
    let stats = stop(&handle, running).await.stats;
    assert_eq!(
        (
            stats.backend.received.messages,
            stats.frontend.sent.messages
        ),
        (3, 0)
    );
    assert_eq!(queue.frontend.stats().dropped_unroutable, 3);
}

/// §4.17: a client that sends much does not keep another waiting.
#[tokio::test]
async fn clients_have_their_turns() {
    for transport in Transport::KINDS {
        let streamer = Streamer::bound(transport, SocketOptions::new()).await;
        let (handle, running) = streamer.start();
        let pull: PullSocket = streamer.worker(SocketOptions::new()).await;
        handle.pause();
        let greedy: PushSocket = streamer.client(SocketOptions::new()).await;
        let modest: PushSocket = streamer.client(SocketOptions::new()).await;
        for _ in 0..900 {
            greedy.send("greedy").await.unwrap();
        }
        for _ in 0..10 {
            modest.send("modest").await.unwrap();
        }
        until(|| streamer.frontend.stats().received == 910).await;
        handle.resume();
        let mut served = 0;
        for _ in 0..40 {
            served += usize::from(soon(pull.recv()).await.unwrap()[0] == "modest");
        }
        assert_eq!(served, 10, "{transport:?}");
        assert_eq!(stop(&handle, running).await.end, ProxyEnd::Stopped);
    }
}

/// A flood of requests does not keep replies waiting.
#[tokio::test]
async fn directions_have_their_turns() {
    const FLOOD: u64 = 20_000;
    let many = || marks(FLOOD as usize);
    for transport in Transport::KINDS {
        let queue = Queue::bound(transport, many()).await;
        let (handle, running) = queue.start();
        let client: DealerSocket = queue.client(many()).await;
        let worker: DealerSocket = queue.worker(many()).await;
        let id = id_of(&client, &worker).await;
        handle.pause();
        let sending = async {
            for i in 0..FLOOD {
                client.send(i.to_string()).await.unwrap();
            }
            worker.send([id, Frame::from("reply")]).await.unwrap();
            until(|| queue.frontend.stats().received > FLOOD).await;
            until(|| queue.backend.stats().received == 1).await;
        };
        soon(sending).await;
        handle.resume();
        assert_eq!(soon(client.recv()).await.unwrap()[0], "reply");
        let passed = handle.stats().frontend.received.messages;
        assert!(passed < FLOOD, "{transport:?}");
        for i in 0..FLOOD {
            let request = soon(worker.recv()).await.unwrap();
            assert_eq!(request[1], *i.to_string());
        }
        assert_eq!(stop(&handle, running).await.end, ProxyEnd::Stopped);
    }
}

/// Sends until nothing moves any more, however long everybody else runs; returns how many were sent.
async fn fill(send: impl AsyncFn(u64)) -> u64 {
    let mut sent = 0;
    while poll_times(2_000, send(sent)).await.is_some() {
        sent += 1;
    }
    sent
}

/// By what routing id the proxy's ROUTER knows a client.
async fn id_of(client: &DealerSocket, worker: &DealerSocket) -> Frame {
    client.send("who am I").await.unwrap();
    soon(worker.recv()).await.unwrap()[0].clone()
}
