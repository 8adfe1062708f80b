//! How proxies are paused, steered by programs, and ended; none of it loses a message.

use std::sync::Arc;
use std::time::Duration;

use privateer::core::{
    Context, DealerSocket, Frame, Message, PairSocket, Proxy, ProxyEnd, PullSocket, PushSocket,
    RepSocket, ReqSocket, RouterSocket, SocketOptions,
};

use super::support::sockets::{Socket, Transport, link, number, poll_times, scale, soon, until};
use super::{Queue, Streamer, marks, stop};

/// R09: once `pause` has returned, nothing passes; after `resume` everything does, in order.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_passes_a_paused_proxy() {
    for transport in Transport::KINDS {
        let streamer = Streamer::bound(transport, SocketOptions::new()).await;
        let (handle, running) = streamer.start();
        let push: PushSocket = streamer.client(SocketOptions::new()).await;
        let pull: PullSocket = streamer.worker(SocketOptions::new()).await;
        let messages = 20_000 * scale() as u64;
        let sender = tokio::spawn(async move {
            for i in 0..messages {
                push.send(i.to_string()).await.unwrap();
            }
            push
        });
        let mut received = 0;
        while received < messages {
            handle.pause();
            assert!(handle.is_paused());
            let paused = handle.stats();
            // What has passed arrives, and no more; meanwhile the other side fills up.
            while received < paused.backend.sent.messages {
                assert_eq!(number(&soon(pull.recv()).await.unwrap()), received);
                received += 1;
            }
            for _ in 0..50 {
                tokio::task::yield_now().await;
                assert!(pull.try_recv().is_err());
            }
            assert_eq!(handle.stats(), paused);
            handle.resume();
            let goal = (received + 1_500).min(messages);
            while received < goal {
                assert_eq!(number(&soon(pull.recv()).await.unwrap()), received);
                received += 1;
            }
        }
        soon(sender).await.unwrap();
        assert_eq!(
            stop(&handle, running).await.stats.backend.sent.messages,
            messages
        );
    }
}

/// R09: a proxy that is stopped again and again under load loses nothing: the next one goes on with its sockets.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stopping_loses_nothing() {
    for transport in Transport::KINDS {
        let queue = Queue::bound(transport, marks(50)).await;
        let client: DealerSocket = queue.client(marks(50)).await;
        let worker: DealerSocket = queue.worker(marks(50)).await;
        let rounds = 40 * scale() as u64;
        let echo = tokio::spawn(async move {
            while let Ok(request) = worker.recv().await {
                worker.send(request).await.unwrap();
            }
        });
        let client = Arc::new(client);
        let asking = Arc::clone(&client);
        let asks = tokio::spawn(async move {
            for i in 0..rounds * 100 {
                asking.send(i.to_string()).await.unwrap();
            }
        });
        let mut received = 0;
        for round in 1..=rounds {
            let (handle, running) = queue.start();
            while received < round * 100 {
                assert_eq!(number(&soon(client.recv()).await.unwrap()), received);
                received += 1;
            }
            let report = stop(&handle, running).await;
            assert_eq!((report.end, report.stats.dropped), (ProxyEnd::Stopped, 0));
        }
        soon(asks).await.unwrap();
        echo.abort();
    }
}

/// R01, §4.21: a proxy whose future is dropped at any point loses nothing.
#[tokio::test]
async fn a_dropped_proxy_loses_nothing() {
    for transport in Transport::KINDS {
        let queue = Queue::bound(transport, marks(3)).await;
        let client: DealerSocket = queue.client(marks(3)).await;
        let worker: DealerSocket = queue.worker(marks(3)).await;
        let (mut sent, mut received, mut waiting) = (0, 0, None);
        for round in 0..3_000 {
            let proxy = queue.proxy();
            let handle = proxy.handle();
            assert!(poll_times(round % 5, proxy.run()).await.is_none());
            if round % 5 > 0 {
                soon(handle.ended()).await;
            }
            if client.try_send(sent.to_string()).is_ok() {
                sent += 1;
            }
            let request = waiting.take().or_else(|| worker.try_recv().ok());
            waiting = request.and_then(|request| {
                let refused = worker.try_send(request).err()?;
                Some(refused.into_message())
            });
            if let Ok(reply) = client.try_recv() {
                assert_eq!(number(&reply), received);
                received += 1;
            }
        }
        assert!(received > 500, "{transport:?}: {received}");
        let (handle, running) = queue.start();
        while received < sent {
            tokio::select! {
                request = worker.recv(), if waiting.is_none() => waiting = Some(request.unwrap()),
                reply = soon(client.recv()) => {
                    assert_eq!(number(&reply.unwrap()), received);
                    received += 1;
                }
            }
            if let Some(request) = waiting.take() {
                soon(worker.send(request)).await.unwrap();
            }
        }
        assert_eq!(stop(&handle, running).await.stats.dropped, 0);
    }
}

/// A proxy that is stopped before it runs ends at once, and gives its sockets back.
#[tokio::test]
async fn a_proxy_gives_its_sockets_back() {
    let (frontend, backend) = (RouterSocket::usual(), DealerSocket::usual());
    let endpoint = frontend.bind_to("tcp://127.0.0.1:*").await;
    let proxy = Proxy::router_dealer(frontend, backend);
    let handle = proxy.handle();
    handle.stop();
    let report = soon(proxy.run()).await;
    assert_eq!(report.end, ProxyEnd::Stopped);
    soon(handle.ended()).await;
    let client = DealerSocket::usual();
    client.connect_to(&endpoint);
    client.send("still there").await.unwrap();
    let (_, message) = soon(report.frontend.recv()).await.unwrap();
    assert_eq!(message[0], "still there");
}

/// A socket that is closed by its context ends the proxy, whichever it is, and also while nothing may pass.
#[tokio::test]
async fn the_end_of_a_socket_ends_the_proxy() {
    for (is_paused, closes_front) in [(false, false), (false, true), (true, false), (true, true)] {
        let (front, back) = (Context::new(), Context::new());
        let closing = if closes_front { &front } else { &back };
        let options = |context| SocketOptions::new().context(context);

        let (frontend, backend) = (
            RouterSocket::with(options(&front)),
            DealerSocket::with(options(&back)),
        );
        let queue = Proxy::router_dealer(frontend, backend);
        let (frontend, backend) = (
            PullSocket::with(options(&front)),
            PushSocket::with(options(&back)),
        );
        let streamer = Proxy::pull_push(frontend, backend);
        for handle in [queue.handle(), streamer.handle()] {
            if is_paused {
                handle.pause();
            }
        }
        let (queue, streamer) = (tokio::spawn(queue.run()), tokio::spawn(streamer.run()));
        // They have looked for something to pass on, and wait.
        tokio::task::yield_now().await;
        let report = closing.shutdown(Duration::ZERO).await;
        assert_eq!(report.sockets.len(), 2);
        assert_eq!(soon(queue).await.unwrap().end, ProxyEnd::SocketClosed);
        assert_eq!(soon(streamer).await.unwrap().end, ProxyEnd::SocketClosed);
    }
}

/// R09: the commands of zmq_proxy_steerable, over REP and over PAIR.
#[tokio::test]
async fn programs_steer_over_rep_and_pair() {
    let streamer = Streamer::bound(Transport::Tcp, SocketOptions::new()).await;
    let (rep, req) = (RepSocket::usual(), ReqSocket::usual());
    let _linked = link(&rep, &req, Transport::Tcp).await;
    let proxy = streamer.proxy().control(rep);
    let (handle, running) = (proxy.handle(), tokio::spawn(proxy.run()));
    pass_one(&streamer).await;
    let ask = async |command: &'static str| soon(req.request(command)).await.unwrap();
    let nothing = Message::from(Frame::empty());
    assert_eq!(ask("PAUSE").await, nothing);
    assert!(handle.is_paused());
    assert_eq!(ask("STATISTICS").await, numbers([1, 5, 0, 0, 0, 0, 1, 5]));
    assert_eq!(ask("LUNCH").await, nothing);
    assert!(handle.is_paused());
    assert_eq!(ask("RESUME").await, nothing);
    assert!(!handle.is_paused());
    assert_eq!(ask("TERMINATE").await, nothing);
    assert_eq!(soon(running).await.unwrap().end, ProxyEnd::Terminated);

    let (ours, pair) = (PairSocket::usual(), PairSocket::usual());
    let _linked = link(&ours, &pair, Transport::Tcp).await;
    let proxy = streamer.proxy().control(ours);
    let (handle, running) = (proxy.handle(), tokio::spawn(proxy.run()));
    for command in ["PAUSE", "LUNCH", "STATISTICS"] {
        pair.send(command).await.unwrap();
    }
    // Only the last of them is answered.
    assert_eq!(soon(pair.recv()).await.unwrap(), numbers([0; 8]));
    assert!(handle.is_paused());
    pair.send("RESUME").await.unwrap();
    until(|| !handle.is_paused()).await;
    pair.send("TERMINATE").await.unwrap();
    assert_eq!(soon(running).await.unwrap().end, ProxyEnd::Terminated);
    assert!(pair.try_recv().is_err());
}

async fn pass_one(streamer: &Streamer) {
    let push: PushSocket = streamer.client(SocketOptions::new()).await;
    let pull: PullSocket = streamer.worker(SocketOptions::new()).await;
    push.send("12345").await.unwrap();
    soon(pull.recv()).await.unwrap();
}

fn numbers(numbers: [u64; 8]) -> Message {
    numbers
        .map(|number| Frame::from(number.to_ne_bytes()))
        .into()
}
