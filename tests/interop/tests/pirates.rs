//! The Pirates against the frames of the guide's programs, from sockets of pyzmq and libzmq.

use privateer::core::{Message, SocketType};
use privateer::lazy_pirate::{LazyPirate, LazyPirateServer};
use privateer::paranoid_pirate::{PirateWorker, Queue, QueueHandle};
use privateer_interop::{Libzmq, Python, Pyzmq, frames, message, soon, until};

const ANY: &str = "tcp://127.0.0.1:*";

async fn queue() -> (String, String, QueueHandle) {
    let queue = soon(Queue::bind(ANY, ANY)).await.unwrap();
    let (front, back) = (queue.frontend().to_string(), queue.backend().to_string());
    let handle = queue.handle();
    tokio::spawn(queue.run());
    (front, back, handle)
}

/// What the guide's `ppworker` says, from a DEALER of pyzmq.
async fn ppworker(python: &Python, back: &str) -> Pyzmq {
    let worker = Pyzmq::new(python, SocketType::Dealer);
    worker.connect(back).await;
    worker.send(["\x01"]).await;
    worker
}

/// The next message of a worker that is no HEARTBEAT.
async fn request(worker: &Pyzmq) -> Vec<Vec<u8>> {
    loop {
        let said = frames(&worker.recv().await);
        if said != [b"\x02"] {
            return said;
        }
    }
}

/// PP-1, PP-3, SP-1, SP-3: a REQ of the guide in front; behind the queue a worker of each kind, in their exact frames.
#[tokio::test]
async fn the_guides_workers_and_clients_work_with_our_queue() {
    let Some(python) = Python::ready() else {
        return;
    };
    let (front, back, handle) = queue().await;
    let client = Pyzmq::new(&python, SocketType::Req);
    client.set("IDENTITY", "\x01abc").await;
    client.connect(&front).await;
    for (kind, ready) in [
        (SocketType::Dealer, "\x01"),
        (SocketType::Req, "\x01"),
        (SocketType::Req, "READY"),
    ] {
        let worker = Pyzmq::new(&python, kind);
        worker.connect(&back).await;
        worker.send([ready]).await;
        for number in ["1", "2"] {
            client.send([number]).await;
            let request = request(&worker).await;
            assert_eq!(request.len(), 3, "{request:?}");
            assert_eq!((&*request[1], &*request[2]), (&b""[..], number.as_bytes()));
            worker.send(request).await;
            assert_eq!(client.recv().await, message([number]));
        }
        drop(worker);
        until(|| handle.stats().workers == 0).await;
    }
    assert_eq!(handle.stats().redispatched, 0);
}

/// PP-3: a body of several frames never reaches a worker that would call it invalid.
#[tokio::test]
async fn the_guides_worker_never_gets_more_than_three_frames() {
    let Some(python) = Python::ready() else {
        return;
    };
    let (front, back, _handle) = queue().await;
    let worker = ppworker(&python, &back).await;
    let client = Pyzmq::new(&python, SocketType::Dealer);
    client.connect(&front).await;
    client.send(["", "two", "frames"]).await;
    client.send(["a", "b", "", "one"]).await;
    let request = request(&worker).await;
    assert_eq!((request.len(), &*request[2]), (3, &b"one"[..]));
    worker.send(request).await;
    assert_eq!(client.recv().await, message(["a", "b", "", "one"]));
}

/// SP-2, PP-2: a ROUTER of the guide's queues, played with pyzmq, and our workers of both kinds.
#[tokio::test]
async fn our_workers_work_with_the_guides_queue() {
    let Some(python) = Python::ready() else {
        return;
    };
    for (simple, before) in [(false, vec![]), (true, vec![vec![]])] {
        let queue = Pyzmq::new(&python, SocketType::Router);
        let endpoint = queue.bind("tcp://127.0.0.1:*").await;
        let echo = |request: Message| async move { request };
        let worker = PirateWorker::connect(&*endpoint, echo).unwrap();
        let worker = if simple { worker.simple() } else { worker };
        tokio::spawn(worker.run());
        let ready = frames(&queue.recv().await);
        let id = ready[0].clone();
        let with = |rest: &[&[u8]]| -> Vec<Vec<u8>> {
            let rest = rest.iter().map(|frame| frame.to_vec());
            [id.clone()]
                .into_iter()
                .chain(before.clone())
                .chain(rest)
                .collect()
        };
        assert_eq!(ready, with(&[b"\x01"]));
        queue.send(with(&[b"\0k\x8bEg", b"", b"Hi"])).await;
        loop {
            let said = frames(&queue.recv().await);
            if said != with(&[b"\x02"]) {
                assert_eq!(said, with(&[b"\0k\x8bEg", b"", b"Hi"]));
                break;
            }
        }
    }
}

/// LP-2, LP-7: the guide's client, with and without `ZMQ_REQ_CORRELATE`, and our server.
#[tokio::test]
async fn the_guides_client_works_with_our_server() {
    let Some(python) = Python::ready() else {
        return;
    };
    let server = LazyPirateServer::bind(ANY, |request: Message| async move { request });
    let server = soon(server).await.unwrap();
    let endpoint = server.endpoint().to_string();
    tokio::spawn(server.run());
    for correlate in [0, 1] {
        let client = Pyzmq::new(&python, SocketType::Req);
        client.set("REQ_CORRELATE", correlate).await;
        client.connect(&endpoint).await;
        client.send(["1"]).await;
        assert_eq!(client.recv().await, message(["1"]));
    }
}

/// LP-7: our client, whose tries have numbers, and a REP of libzmq.
#[tokio::test]
async fn our_client_works_with_a_rep_of_libzmq() {
    let server = Libzmq::new(SocketType::Rep);
    let endpoint = server.bind(ANY).await;
    let client = LazyPirate::connect([&*endpoint]).unwrap();
    for number in ["1", "2"] {
        let calling = client.clone();
        let call = tokio::spawn(async move { calling.request(number).await });
        assert_eq!(server.recv().await, message([number]));
        server.send([number]).await;
        assert_eq!(soon(call).await.unwrap().unwrap(), message([number]));
    }
    client.close().await;
}
