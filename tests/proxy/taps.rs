//! Taps: copies of all that passes, which nobody waits for.

use privateer::core::{
    DealerSocket, Frame, PairSocket, ProxyEnd, PullSocket, PushSocket, SocketOptions,
};

use super::support::sockets::{Socket, Transport, link, message, number, soon, texts};
use super::{Queue, Streamer, marks, stop};

/// R09: each tap gets both directions, with the routing ids.
#[tokio::test]
async fn a_tap_gets_both_directions() {
    for transport in Transport::KINDS {
        let queue = Queue::bound(transport, SocketOptions::new()).await;
        let (push, pull) = (PushSocket::usual(), PullSocket::usual());
        let _first = link(&pull, &push, transport).await;
        let (ours, pair) = (PairSocket::usual(), PairSocket::usual());
        let _second = link(&ours, &pair, transport).await;
        let proxy = queue.proxy().tap(push).tap(ours);
        let (handle, running) = (proxy.handle(), tokio::spawn(proxy.run()));
        let client: DealerSocket = queue.client(SocketOptions::new()).await;
        let worker: DealerSocket = queue.worker(SocketOptions::new()).await;
        client.send(message(["", "question"])).await.unwrap();
        let request = soon(worker.recv()).await.unwrap();
        let large = Frame::from(vec![7; 100_000]);
        let reply = [request[0].clone(), Frame::empty(), large.clone()];
        worker.send(reply.clone()).await.unwrap();
        assert_eq!(soon(client.recv()).await.unwrap()[1], large);
        for copy in [soon(pull.recv()).await, soon(pair.recv()).await] {
            assert_eq!(copy.unwrap(), request);
        }
        for copy in [soon(pull.recv()).await, soon(pair.recv()).await] {
            assert_eq!(copy.unwrap(), reply.clone().into());
        }
        assert_eq!(texts(&request)[1..], ["", "question"]);
        let report = stop(&handle, running).await;
        assert_eq!((report.stats.tap_dropped, report.tap_unsent), (0, 0));
    }
}

/// R09: a tap that nobody reads, or that has nobody, loses copies; the proxy goes on.
#[tokio::test]
async fn a_mute_tap_holds_nothing_up() {
    let streamer = Streamer::bound(Transport::Tcp, SocketOptions::new()).await;
    let (tap, unread) = (PushSocket::with(marks(5)), PullSocket::with(marks(5)));
    let _linked = link(&unread, &tap, Transport::Inproc).await;
    let proxy = streamer.proxy().tap(tap).tap(PairSocket::usual());
    let (handle, running) = (proxy.handle(), tokio::spawn(proxy.run()));
    let push: PushSocket = streamer.client(SocketOptions::new()).await;
    let pull: PullSocket = streamer.worker(SocketOptions::new()).await;
    for i in 0..3_000 {
        push.send(i.to_string()).await.unwrap();
        assert_eq!(number(&soon(pull.recv()).await.unwrap()), i);
    }
    assert_eq!(handle.stats().tap_dropped, 3_000 + 2_990);
    assert_eq!(stop(&handle, running).await.end, ProxyEnd::Stopped);
    for i in 0..10 {
        assert_eq!(number(&soon(unread.recv()).await.unwrap()), i);
    }
}

/// What waits to be passed on is copied once, when it is.
#[tokio::test]
async fn a_message_that_waits_is_copied_once() {
    let streamer = Streamer::bound(Transport::Inproc, marks(10)).await;
    let (tap, copies) = (PushSocket::usual(), PullSocket::usual());
    let _linked = link(&copies, &tap, Transport::Inproc).await;
    let proxy = streamer.proxy().tap(tap);
    let (handle, running) = (proxy.handle(), tokio::spawn(proxy.run()));
    let push: PushSocket = streamer.client(marks(10)).await;
    let mut sent = 0;
    while push.try_send(sent.to_string()).is_ok() {
        sent += 1;
        tokio::task::yield_now().await;
    }
    assert!(copies.try_recv().is_err());
    let pull: PullSocket = streamer.worker(marks(10)).await;
    for i in 0..sent {
        assert_eq!(number(&soon(pull.recv()).await.unwrap()), i);
        assert_eq!(number(&soon(copies.recv()).await.unwrap()), i);
    }
    assert_eq!(stop(&handle, running).await.end, ProxyEnd::Stopped);
    assert!(copies.try_recv().is_err());
}
