//! Sockets that many tasks share, and errors that travel.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::Arc;

use privateer::core::{
    BindError, ConnectError, DealerSocket, EndpointError, EndpointNotFound, HandshakeError,
    HandshakeFailure, InvalidProperty, InvalidRoutingId, Lagged, MalformedHandshake, Message,
    NoRuntime, PairSocket, PeerMisbehaved, PullSocket, PushSocket, RecvError, RepSocket, ReqSocket,
    RequestError, RouterSocket, SendError, SendErrorKind, SocketOptions, Unroutable,
};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

mod support;
use support::sockets::{Socket, Transport, link, message, number, soon, texts};

const TASKS: u64 = 64;
const EACH: u64 = 200;

/// R03: what one task sends arrives in its order, however many tasks share the socket; all of it arrives.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn order_per_sending_task_is_kept() {
    for transport in Transport::KINDS {
        let (push, pull) = (PushSocket::with(marks(8)), PullSocket::with(marks(8)));
        let _linked = link(&pull, &push, transport).await;
        let mut senders = share(push, |push, task| async move {
            for i in 0..EACH {
                soon(push.send(message([&task.to_string(), &i.to_string()])))
                    .await
                    .unwrap();
            }
        });
        let mut next: HashMap<String, u64> = HashMap::new();
        for _ in 0..TASKS * EACH {
            let got = texts(&soon(pull.recv()).await.unwrap());
            let expected = next.entry(got[0].clone()).or_default();
            assert_eq!(got[1], expected.to_string(), "{transport:?}");
            *expected += 1;
        }
        finish(&mut senders).await;
        assert!(pull.try_recv().is_err());
    }
}

/// R03: what many tasks receive from one socket is everything, each message once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_message_goes_to_one_receiving_task() {
    for transport in Transport::KINDS {
        let (push, pull) = (PushSocket::with(marks(8)), PullSocket::with(marks(8)));
        let _linked = link(&pull, &push, transport).await;
        let (got, mut all) = mpsc::unbounded_channel();
        let mut receivers = share(pull, |pull, _| {
            let got = got.clone();
            async move {
                for _ in 0..EACH {
                    got.send(number(&soon(pull.recv()).await.unwrap())).unwrap();
                }
            }
        });
        for i in 0..TASKS * EACH {
            soon(push.send(i.to_string())).await.unwrap();
        }
        finish(&mut receivers).await;
        let mut numbers = Vec::new();
        while let Ok(number) = all.try_recv() {
            numbers.push(number);
        }
        numbers.sort_unstable();
        assert!(numbers.into_iter().eq(0..TASKS * EACH), "{transport:?}");
    }
}

/// R03: 64 tasks that send and 64 that receive on one DEALER, 64 that answer on one ROUTER.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_directions_are_shared_at_once() {
    for transport in Transport::KINDS {
        // Room for everything one way: whoever answers must not wait for whoever asks.
        let roomy = marks(usize::try_from(TASKS * EACH).unwrap());
        let (dealer, router) = (DealerSocket::with(roomy), RouterSocket::with(marks(8)));
        let _linked = link(&router, &dealer, transport).await;
        let mut answers = share(router, |router, _| async move {
            for _ in 0..EACH {
                let (peer, message) = soon(router.recv()).await.unwrap();
                soon(router.send(&peer, message)).await.unwrap();
            }
        });
        let (got, mut all) = mpsc::unbounded_channel();
        let mut both = share(dealer, |dealer, task| {
            let got = got.clone();
            async move { send_and_receive(&dealer, task, &got).await }
        });
        finish(&mut both).await;
        finish(&mut answers).await;
        let mut numbers = Vec::new();
        while let Ok(number) = all.try_recv() {
            numbers.push(number);
        }
        numbers.sort_unstable();
        assert!(numbers.into_iter().eq(0..TASKS * EACH), "{transport:?}");
    }
}

async fn send_and_receive(dealer: &DealerSocket, task: u64, got: &mpsc::UnboundedSender<u64>) {
    let send = async {
        for i in 0..EACH {
            soon(dealer.send((task * EACH + i).to_string()))
                .await
                .unwrap();
        }
    };
    let recv = async {
        for _ in 0..EACH {
            got.send(number(&soon(dealer.recv()).await.unwrap()))
                .unwrap();
        }
    };
    tokio::join!(send, recv);
}

/// Runs a task on a shared socket 64 times.
fn share<S, F>(socket: S, work: impl Fn(Arc<S>, u64) -> F) -> JoinSet<()>
where
    F: Future<Output = ()> + Send + 'static,
{
    let socket = Arc::new(socket);
    (0..TASKS)
        .map(|task| work(Arc::clone(&socket), task))
        .collect()
}

async fn finish(tasks: &mut JoinSet<()>) {
    while let Some(done) = soon(tasks.join_next()).await {
        done.unwrap();
    }
}

/// R05: a message that was not sent comes back in the error.
#[tokio::test]
async fn send_errors_return_the_message() {
    let lost = || message(["not", "", "sent"]);
    let errors: [(SendErrorKind, SendError); 5] = [
        (
            SendErrorKind::Full,
            PushSocket::usual().try_send(lost()).unwrap_err(),
        ),
        (
            SendErrorKind::Full,
            DealerSocket::usual().try_send(lost()).unwrap_err(),
        ),
        (
            SendErrorKind::Full,
            PairSocket::usual().try_send(lost()).unwrap_err(),
        ),
        (
            SendErrorKind::Full,
            ReqSocket::usual().try_send(lost()).unwrap_err(),
        ),
        (
            SendErrorKind::NoRequest,
            RepSocket::usual().try_send(lost()).unwrap_err(),
        ),
    ];
    for (kind, error) in errors {
        assert_eq!(error.kind(), kind);
        assert_eq!(error.would_block(), kind == SendErrorKind::Full);
        assert_eq!(error.into_message(), lost());
    }
}

/// R05: all errors can go to other threads, be kept, and be boxed with others.
#[test]
fn errors_are_send_sync_and_static() {
    const fn travels<E: std::error::Error + Send + Sync + 'static>() {}
    travels::<BindError>();
    travels::<ConnectError>();
    travels::<EndpointError>();
    travels::<EndpointNotFound>();
    travels::<HandshakeError>();
    travels::<HandshakeFailure>();
    travels::<InvalidProperty>();
    travels::<InvalidRoutingId>();
    travels::<Lagged>();
    travels::<MalformedHandshake>();
    travels::<NoRuntime>();
    travels::<PeerMisbehaved>();
    travels::<RecvError>();
    travels::<RequestError>();
    travels::<SendError>();
    travels::<SendErrorKind>();
    travels::<Unroutable>();
}

/// Sockets and what they give out can be shared between threads; their futures can be spawned.
#[test]
fn sockets_are_send_and_sync() {
    const fn shared<T: Send + Sync + 'static>() {}
    shared::<PairSocket>();
    shared::<PushSocket>();
    shared::<PullSocket>();
    shared::<DealerSocket>();
    shared::<RouterSocket>();
    shared::<ReqSocket>();
    shared::<RepSocket>();
    shared::<Message>();
    shared::<privateer::core::Peer>();
    shared::<privateer::core::Monitor>();
}

fn marks(messages: usize) -> SocketOptions {
    let messages = NonZeroUsize::new(messages);
    SocketOptions::new().send_hwm(messages).recv_hwm(messages)
}
