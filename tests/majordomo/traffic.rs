//! Many clients and workers of all kinds at once.

use std::collections::HashSet;
use std::time::Duration;

use privateer::core::{Endpoint, Frame, Message, ReqSocket, RoutingId, SocketOptions};
use privateer::majordomo::broker::{BrokerStats, DropReason};
use privateer::majordomo::protocol::{
    BrokerCommand, ClientMessage, MAX_FRAMES, Malformed, WorkerCommand,
};
use tokio::task::JoinSet;

use crate::hub::scaled;
use crate::hub::{Hub, echo, no_limit, patient_worker, with_capacity};
use crate::raw::{READY, REQUEST, Raw, message};
use crate::support::sockets::{scale, until, within};

/// How many calls of a client are in flight at a time, for those who do not wait for each reply.
const WINDOW: usize = 64;

/// MD-1: five clients of four kinds, five workers of three kinds; no call is lost, and each reply is that of its request.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_calls_of_all_kinds_of_clients_are_answered() {
    let calls = 1000 * scale();
    let hub = Hub::start().await;
    let mut workers = JoinSet::new();
    for _ in 0..2 {
        workers.spawn(reference_worker(hub.endpoint.clone()));
    }
    hub.worker_with(echo("echo"), patient_worker());
    hub.worker_with(echo("echo"), patient_worker());
    hub.worker_with(echo("echo"), with_capacity(8));
    hub.workers(5).await;

    let mut clients = JoinSet::new();
    clients.spawn(req_client(hub.endpoint.clone(), 1, calls));
    clients.spawn(reference_client(hub.endpoint.clone(), 2, calls));
    clients.spawn(asynchronous_client(hub.endpoint.clone(), 3, calls));
    clients.spawn(our_client(hub.endpoint.clone(), 4, calls));
    clients.spawn(our_client(hub.endpoint.clone(), 5, calls));
    let all = within(scaled(Duration::from_secs(60)), clients.join_all()).await;

    assert_eq!(all, [calls; 5]);
    let stats = hub.stop().await;
    let total = 5 * calls as u64;
    assert_eq!(
        (stats.requests, stats.replies, stats.redispatched),
        (total, total, 0)
    );
    assert_nothing_was_dropped(&stats);
    within(Duration::from_secs(20), workers.join_all()).await;
}

fn assert_nothing_was_dropped(stats: &BrokerStats) {
    assert_eq!(
        (
            stats.queued,
            stats.in_flight,
            stats.parked,
            stats.dismissals
        ),
        (0, 0, 0, 0)
    );
    for reason in DropReason::ALL {
        assert_eq!(stats.dropped(reason), 0, "{reason:?}");
    }
    for kind in Malformed::ALL {
        assert_eq!(stats.malformed(kind), 0, "{kind:?}");
    }
}

/// The body of a call: one to three frames that no other call has, an empty one among them.
fn body(client: usize, call: usize) -> Message {
    let mut body = Message::from(format!("{client}:{call}"));
    for extra in 0..call % 3 {
        body.push(if extra == 0 {
            Frame::empty()
        } else {
            Frame::from(vec![b'x'; call % 100])
        });
    }
    body
}

fn request(body: Message) -> ClientMessage {
    ClientMessage {
        envelope: None,
        service: Frame::from("echo"),
        body: Some(body),
    }
}

/// As `mdworker`: one request at a time, until the broker sends DISCONNECT.
async fn reference_worker(broker: Endpoint) {
    let worker = Raw::connect(&broker).await;
    worker.0.send(message(READY)).await.unwrap();
    loop {
        let command = worker.0.recv().await.unwrap();
        match BrokerCommand::read(command, MAX_FRAMES).unwrap() {
            BrokerCommand::Request { address, body } => {
                let reply = WorkerCommand::Reply { address, body };
                worker.0.send(reply.into_message()).await.unwrap();
            }
            BrokerCommand::Heartbeat => {}
            BrokerCommand::Disconnect => return,
        }
    }
}

/// As `mdclient`, but with a REQ socket of ours, which gives each request a number before the delimiter.
async fn req_client(broker: Endpoint, client: usize, calls: usize) -> usize {
    let socket = ReqSocket::new().unwrap();
    socket.connect(&broker).unwrap();
    for call in 0..calls {
        let request = request(body(client, call)).into_message();
        let (_, request) = request.split_first();
        let request = request.unwrap();
        assert_eq!(socket.request(request.clone()).await.unwrap(), request);
    }
    calls
}

/// As `mdclient`: the next request follows the reply.
async fn reference_client(broker: Endpoint, client: usize, calls: usize) -> usize {
    let Raw(socket) = Raw::connect(&broker).await;
    for call in 0..calls {
        let request = request(body(client, call)).into_message();
        socket.send(request.clone()).await.unwrap();
        assert_eq!(socket.recv().await.unwrap(), request);
    }
    calls
}

/// As `mdclient2`: many requests are on the way, and replies come in any order.
async fn asynchronous_client(broker: Endpoint, client: usize, calls: usize) -> usize {
    let Raw(socket) = Raw::connect(&broker).await;
    let mut outstanding = HashSet::new();
    for call in 0..calls + WINDOW {
        if call < calls {
            let request = request(body(client, call)).into_message();
            socket.send(request.clone()).await.unwrap();
            assert!(outstanding.insert(request));
        }
        if call >= WINDOW {
            let reply = socket.recv().await.unwrap();
            assert!(
                outstanding.remove(&reply),
                "answered twice, or not asked: {reply:?}"
            );
        }
    }
    assert!(outstanding.is_empty());
    calls
}

/// Ours, with many calls at a time.
async fn our_client(broker: Endpoint, client: usize, calls: usize) -> usize {
    let ours = privateer::Client::connect(&broker)
        .unwrap()
        .call_options(no_limit());
    let mut callers = JoinSet::new();
    for first in 0..WINDOW {
        let ours = ours.clone();
        callers.spawn(async move {
            for call in (first..calls).step_by(WINDOW) {
                let body = body(client, call);
                assert_eq!(ours.request("echo", body.clone()).await.unwrap(), body);
            }
        });
    }
    callers.join_all().await;
    let stats = ours.stats();
    assert_eq!((stats.resent, stats.late_replies, stats.lanes), (0, 0, 1));
    usize::try_from(stats.replies).unwrap()
}

/// Peers that call themselves alike do not get in each other's way: neither loses its connection, nor a reply.
#[tokio::test]
async fn namesakes_do_not_get_in_each_others_way() {
    let hub = Hub::start().await;
    let named = || SocketOptions::new().routing_id(RoutingId::new("twin").unwrap());
    let mut workers = Vec::new();
    for count in 1..=2 {
        let worker = Raw::with(named(), &hub.endpoint).await;
        worker.send(READY);
        hub.workers(count).await;
        workers.push(worker);
    }
    let mut clients = Vec::new();
    for count in 1..=2 {
        let client = Raw::with(named(), &hub.endpoint).await;
        let request = format!("{REQUEST} · {count:02}");
        client.send(&request);
        until(|| hub.stats().in_flight == count).await;
        clients.push((client, request));
    }
    for worker in &workers {
        let request = worker.recv().await;
        worker.send(&request.replace(" · 02 · ", " · 03 · "));
    }
    for (client, request) in &clients {
        assert_eq!(client.recv().await, *request);
    }
    let stats = hub.stop().await;
    assert_eq!((stats.replies, stats.redispatched), (2, 0));
}
