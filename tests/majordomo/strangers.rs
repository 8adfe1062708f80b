//! Our client and a broker that knows RFC 7 and no more: nothing in a reply says which request it answers.

use std::collections::{HashMap, HashSet};
use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use privateer::Client;
use privateer::core::{Message, Peer, PeerEvent, PeerId};
use privateer::majordomo::client::{CallOptions, ClientOptions};
use tokio::task::JoinSet;

use crate::hub::no_limit;
use crate::hub::scaled;
use crate::raw::{RawBroker, text};
use crate::support::sockets::{scale, soon, until, within};

/// As many calls of a client are in flight at a time, at most.
const WINDOW: usize = 256;

/// What `mdbroker` does with the requests for `echo`, but in an order of its own. It is as strict: anything else than a
/// plain REQUEST ends it.
#[derive(Debug)]
struct Reference {
    broker: RawBroker,
    random: fastrand::Rng,
    /// Requests that are not answered, at most one of each connection.
    open: Vec<(Peer, Message)>,
    most_open: usize,
    connections: HashSet<PeerId>,
}

impl Reference {
    async fn bind() -> Self {
        Self {
            broker: RawBroker::bind().await,
            random: fastrand::Rng::with_seed(1),
            open: Vec::new(),
            most_open: 0,
            connections: HashSet::new(),
        }
    }

    fn client(&self, options: ClientOptions) -> Client {
        Client::with_options(&self.broker.endpoint, options)
            .unwrap()
            .call_options(no_limit())
    }

    async fn read(&mut self) {
        match soon(self.broker.router.recv_event()).await.unwrap() {
            PeerEvent::Message(peer, request) => {
                assert!(
                    request.len() >= 4 && request[0].is_empty(),
                    "{}",
                    text(&request)
                );
                assert!(
                    request[1] == "MDPC01" && request[2] == "echo",
                    "{}",
                    text(&request)
                );
                assert!(
                    self.open.iter().all(|(other, _)| *other != peer),
                    "two requests on one connection"
                );
                self.connections.insert(peer.id());
                self.open.push((peer, request));
                self.most_open = self.most_open.max(self.open.len());
            }
            PeerEvent::Down(peer) => self.open.retain(|(other, _)| *other != peer),
            _ => {}
        }
    }

    fn answer_one(&mut self) {
        let (peer, request) = self.open.swap_remove(self.random.usize(..self.open.len()));
        self.broker.router.try_send(&peer, request).unwrap();
    }
}

/// Calls, each with a body that no other has.
fn call_all(client: &Client, calls: usize) -> JoinSet<()> {
    let mut callers = JoinSet::new();
    for number in 0..calls {
        let client = client.clone();
        callers.spawn(async move {
            let reply = client.request("echo", number.to_string()).await.unwrap();
            assert_eq!((reply.len(), &reply[0]), (1, &number.to_string().into()));
        });
    }
    callers
}

/// 9.4, AM-2: one request at a time on each connection, as many connections as calls in the window; however the replies
/// are ordered, each call gets its own.
#[tokio::test]
async fn replies_of_a_stranger_are_never_mispaired() {
    let calls = 3000 * scale();
    let mut reference = Reference::bind().await;
    let client = reference.client(ClientOptions::default());
    let callers = call_all(&client, calls);
    let serving = async {
        let mut answered = 0;
        while answered < calls {
            let full = WINDOW.min(calls - answered);
            while reference.open.len() < full {
                reference.read().await;
            }
            for _ in 0..reference.random.usize(1..=full) {
                reference.answer_one();
                answered += 1;
            }
        }
    };
    within(scaled(Duration::from_secs(60)), serving).await;
    soon(callers.join_all()).await;
    // The window was full, and no connection was used for nothing.
    assert_eq!(
        (reference.most_open, reference.connections.len()),
        (WINDOW, WINDOW)
    );
    let stats = client.stats();
    assert_eq!(
        (stats.replies, stats.resent, stats.late_replies),
        (calls as u64, 0, 0)
    );
}

/// `max_lanes` bounds the connections.
#[tokio::test]
async fn there_are_no_more_connections_than_allowed() {
    const LANES: usize = 3;
    const CALLS: usize = 50;
    let mut reference = Reference::bind().await;
    let client =
        reference.client(ClientOptions::default().max_lanes(NonZeroUsize::new(LANES).unwrap()));
    let callers = call_all(&client, CALLS);
    for answered in 0..CALLS {
        while reference.open.len() < LANES.min(CALLS - answered) {
            reference.read().await;
        }
        reference.answer_one();
    }
    soon(callers.join_all()).await;
    assert_eq!((reference.most_open, client.stats().lanes), (LANES, LANES));
}

/// 7.4-9, LP-3: the late reply to an attempt that timed out is not taken for that of another call.
#[tokio::test]
async fn a_late_reply_of_a_stranger_answers_nobody() {
    let broker = RawBroker::bind().await;
    let client = Client::connect(&broker.endpoint).unwrap();
    let tries = CallOptions::default()
        .attempts(NonZeroU32::new(2).unwrap())
        .attempt_timeout(Some(Duration::from_millis(200)));
    let patient = client.clone().call_options(no_limit());
    let client = client.call_options(tries);
    let first = tokio::spawn(async move { client.request("echo", "first").await });
    let (one, request) = broker.recv().await;
    // The second attempt comes on another connection.
    let (two, again) = broker.recv().await;
    assert_eq!(request, again);
    assert_ne!(one, two);
    broker.send(&two, &again);
    assert_eq!(soon(first).await.unwrap().unwrap()[0], "first");
    let second = tokio::spawn({
        let patient = patient.clone();
        async move { patient.request("echo", "second").await }
    });
    let (three, request) = broker.recv().await;
    // The late one, if its connection still stands.
    drop(broker.router.try_send(&one, crate::raw::message(&again)));
    broker.send(&three, &request);
    assert_eq!(soon(second).await.unwrap().unwrap()[0], "second");
    let stats = patient.stats();
    assert_eq!((stats.resent, stats.replies), (1, 2));
}

/// 9.4: requests that were on connections that ended are sent again, each once.
#[tokio::test]
async fn requests_of_lost_connections_are_sent_again() {
    const CALLS: usize = 20;
    let mut reference = Reference::bind().await;
    let client = reference.client(ClientOptions::default().reconnect_delay(Duration::ZERO));
    let callers = call_all(&client, CALLS);
    while reference.open.len() < CALLS {
        reference.read().await;
    }
    // The broker goes and comes back at the same place.
    let endpoint = reference.broker.endpoint.clone();
    let RawBroker { router, .. } = reference.broker;
    let _unsent = soon(router.close()).await;
    let router = privateer::core::RouterSocket::new().unwrap();
    soon(router.bind(&endpoint)).await.unwrap();
    let mut reference = Reference {
        broker: RawBroker { router, endpoint },
        open: Vec::new(),
        ..Reference::bind().await
    };
    let mut seen = HashMap::<Message, usize>::new();
    for answered in 0..CALLS {
        while reference.open.len() < CALLS - answered {
            let before = reference.open.len();
            reference.read().await;
            for (_, request) in reference.open.iter().skip(before) {
                *seen.entry(request.clone()).or_default() += 1;
            }
        }
        reference.answer_one();
    }
    soon(callers.join_all()).await;
    assert!(
        seen.len() == CALLS && seen.values().all(|&copies| copies == 1),
        "{seen:?}"
    );
    until(|| client.stats().in_flight == 0).await;
    assert_eq!(client.stats().resent, CALLS as u64);
}
