//! Replies that nobody asked for: their worker is sent DISCONNECT, and nothing reaches a client.

use std::time::Duration;

use privateer::majordomo::broker::{
    BrokerEvent, Departure, DropReason, Misbehaviour, ServiceOptions,
};

use crate::hub::{Hub, patient};
use crate::raw::{DISCONNECT, READY, REQUEST, Raw, hex, w_reply};

impl Hub {
    /// Waits until a worker was dismissed for what it did.
    async fn dismissal(&mut self) -> Misbehaviour {
        self.find(|event| match event {
            BrokerEvent::Dismissed { misbehaviour, .. } => Some(misbehaviour),
            _ => None,
        })
        .await
    }

    /// A raw worker that is registered.
    async fn raw_worker(&mut self) -> Raw {
        let worker = Raw::worker(&self.endpoint).await;
        self.expect(|event| matches!(event, BrokerEvent::WorkerRegistered { .. }))
            .await;
        worker
    }
}

/// Asks the broker something and gets the answer: all that was sent to this client before has come.
async fn assert_nothing_came(client: &Raw) {
    let question = format!("∅ · 4d4450433031 · {} · 00", hex(b"mmi.none"));
    client.send(&question);
    assert_eq!(client.recv().await, question.replace(" · 00", " · 353031"));
}

/// MD-8: unsolicited, whatever the address.
#[tokio::test]
async fn an_unsolicited_reply_dismisses_its_worker() {
    let mut hub = Hub::start().await;
    let client = Raw::connect(&hub.endpoint).await;
    for address in [
        "00",
        "006b8b4567",
        &format!("00505631{}", "00".repeat(24)),
        &"ff".repeat(28),
    ] {
        let worker = hub.raw_worker().await;
        worker.send(&w_reply(address));
        assert_eq!(hub.dismissal().await, Misbehaviour::UnaskedReply);
        assert_eq!(worker.recv().await, DISCONNECT);
    }
    assert_nothing_came(&client).await;
    let stats = hub.stop().await;
    assert_eq!(
        (
            stats.dismissals,
            stats.dropped(DropReason::Unasked),
            stats.replies
        ),
        (4, 4, 0)
    );
    assert_eq!(stats.workers, 0);
}

/// MD-8: a peer that is no worker.
#[tokio::test]
async fn a_reply_without_ready_is_dismissed() {
    let mut hub = Hub::start().await;
    let peer = Raw::connect(&hub.endpoint).await;
    peer.send(&w_reply("006b8b4567"));
    assert_eq!(hub.dismissal().await, Misbehaviour::NotRegistered);
    assert_eq!(peer.recv().await, DISCONNECT);
    // It may become one.
    peer.send(READY);
    hub.expect(|event| matches!(event, BrokerEvent::WorkerRegistered { .. }))
        .await;
    hub.stop().await;
}

/// MD-8, 7.4-6: a second reply to the same request; the worker is not given two requests at once.
#[tokio::test]
async fn a_duplicate_reply_dismisses_its_worker() {
    let mut hub = Hub::start().await;
    let (worker, client) = (hub.raw_worker().await, Raw::connect(&hub.endpoint).await);
    client.send(REQUEST);
    let address = worker.request().await;
    worker.send(&w_reply(&address));
    worker.send(&w_reply(&address));
    assert_eq!(hub.dismissal().await, Misbehaviour::UnaskedReply);
    assert_eq!(worker.recv().await, DISCONNECT);
    assert_eq!(client.recv().await, REQUEST);
    assert_nothing_came(&client).await;
    let stats = hub.stop().await;
    assert_eq!((stats.replies, stats.dropped(DropReason::Unasked)), (1, 1));
}

/// MD-8: a worker answers the request of another worker: that request stays where it is, its own goes to the next one.
#[tokio::test]
async fn a_reply_with_the_token_of_another_worker_is_not_forwarded() {
    let mut hub = Hub::start().await;
    let (honest, thief) = (hub.raw_worker().await, hub.raw_worker().await);
    let (one, two) = (
        Raw::connect(&hub.endpoint).await,
        Raw::connect(&hub.endpoint).await,
    );
    one.send(REQUEST);
    let of_one = honest.request().await;
    two.send(REQUEST);
    let of_two = thief.request().await;
    assert_ne!(of_one, of_two);
    thief.send(&w_reply(&of_one));
    assert_eq!(hub.dismissal().await, Misbehaviour::UnaskedReply);
    assert_eq!(thief.recv().await, DISCONNECT);
    assert_nothing_came(&one).await;

    honest.send(&w_reply(&of_one));
    assert_eq!(one.recv().await, REQUEST);
    // The address is that of the request, however often it is given to a worker.
    assert_eq!(honest.request().await, of_two);
    honest.send(&w_reply(&of_two));
    assert_eq!(two.recv().await, REQUEST);
    let stats = hub.stop().await;
    assert_eq!(
        (
            stats.replies,
            stats.redispatched,
            stats.dropped(DropReason::Unasked)
        ),
        (2, 1, 1)
    );
}

/// MD-8: the token of a broker that was there before, with a request in hand whose number is the same.
#[tokio::test]
async fn a_reply_with_the_token_of_a_former_broker_is_not_forwarded() {
    let mut former = Hub::start().await;
    let (worker, client) = (
        former.raw_worker().await,
        Raw::connect(&former.endpoint).await,
    );
    client.send(REQUEST);
    let stale = worker.request().await;

    let mut hub = Hub::start().await;
    let (worker, client) = (hub.raw_worker().await, Raw::connect(&hub.endpoint).await);
    client.send(REQUEST);
    let fresh = worker.request().await;
    // The same but for the eight octets of the epoch.
    assert_eq!((&fresh[..8], &fresh[24..]), (&stale[..8], &stale[24..]));
    assert_ne!(fresh, stale);
    worker.send(&w_reply(&stale));
    assert_eq!(hub.dismissal().await, Misbehaviour::UnaskedReply);
    assert_eq!(worker.recv().await, DISCONNECT);
    assert_nothing_came(&client).await;

    let next = hub.raw_worker().await;
    assert_eq!(next.request().await, fresh);
    next.send(&w_reply(&fresh));
    assert_eq!(client.recv().await, REQUEST);
    hub.stop().await;
}

/// MD-5, MD-8: a worker that was presumed dead answers after all: its reply is late, and the client gets that of the
/// other one.
#[tokio::test]
async fn a_late_reply_is_dropped() {
    // As much time has the other one to answer, on a busy machine.
    let service = ServiceOptions::default().processing_deadline(Duration::from_secs(2));
    let mut hub = Hub::with(patient().default_service(service)).await;
    let (slow, client) = (hub.raw_worker().await, Raw::connect(&hub.endpoint).await);
    client.send(REQUEST);
    let address = slow.request().await;
    hub.expect(|event| {
        matches!(
            event,
            BrokerEvent::WorkerLost {
                departure: Departure::Overdue,
                ..
            }
        )
    })
    .await;
    let other = hub.raw_worker().await;
    assert_eq!(other.request().await, address);
    slow.send(&w_reply(&address));
    assert_eq!(slow.recv().await, DISCONNECT);
    other.send(&w_reply(&address));
    assert_eq!(client.recv().await, REQUEST);
    assert_nothing_came(&client).await;
    let stats = hub.stop().await;
    assert_eq!(
        (
            stats.replies,
            stats.late_replies,
            stats.dropped(DropReason::Late)
        ),
        (1, 1, 1)
    );
}
