//! What the broker answers for itself (RFC 8).

use privateer::Worker;
use privateer::core::{RoutingId, SocketOptions};
use privateer::majordomo::broker::{
    BrokerEvent, Departure, DropReason, Misbehaviour, ServiceOptions,
};

use crate::hub::{Hub, echo, patient, patient_worker};
use crate::raw::{DISCONNECT, MMI_404, READY, REQUEST, Raw, hex};
use crate::support::sockets::{soon, until};

/// MMI_404 for a service that has workers.
fn mmi_200() -> String {
    MMI_404.replace("343034", "323030")
}

/// Asks `mmi.service` about a service, with these frames as the body.
async fn ask(client: &Raw, body: &str) -> String {
    let question = format!("∅ · 4d4450433031 · {}", hex(b"mmi.service"));
    client.send(&[&question, body].join(if body.is_empty() { "" } else { " · " }));
    client.recv().await
}

/// MM-1: 200 exactly while a worker is registered.
#[tokio::test]
async fn a_service_is_there_while_it_has_a_worker() {
    let hub = Hub::start().await;
    let client = Raw::connect(&hub.endpoint).await;
    assert_eq!(ask(&client, "6563686f").await, MMI_404);
    // A request that waits makes no service.
    client.send(REQUEST);
    assert_eq!(ask(&client, "6563686f").await, MMI_404);

    let worker = Worker::connect(&hub.endpoint, echo("echo"))
        .unwrap()
        .options(patient_worker());
    let handle = worker.handle();
    let running = tokio::spawn(worker.run());
    hub.workers(1).await;
    assert_eq!(client.recv().await, REQUEST);
    assert_eq!(ask(&client, "6563686f").await, mmi_200());
    assert_eq!(ask(&client, "6563686f20").await, MMI_404);
    handle.stop();
    soon(running).await.unwrap().unwrap();
    hub.workers(0).await;
    assert_eq!(ask(&client, "6563686f").await, MMI_404);
    hub.stop().await;
}

/// MM-1: the same for our client.
#[tokio::test]
async fn our_client_asks_the_broker_like_a_service() {
    let hub = Hub::start().await;
    let client = hub.client();
    assert_eq!(
        soon(client.request("mmi.service", "echo")).await.unwrap()[0],
        "404"
    );
    hub.worker(echo("echo"));
    hub.workers(1).await;
    assert_eq!(
        soon(client.request("mmi.service", "echo")).await.unwrap()[0],
        "200"
    );
    hub.stop().await;
}

/// MM-2: other names are not implemented.
#[tokio::test]
async fn an_unknown_question_is_answered_501() {
    let hub = Hub::start().await;
    let client = Raw::connect(&hub.endpoint).await;
    for name in ["mmi.nope", "mmi.", "mmi.service2", "mmi.Service"] {
        let question = format!("∅ · 4d4450433031 · {}", hex(name.as_bytes()));
        client.send(&format!("{question} · 00"));
        assert_eq!(client.recv().await, format!("{question} · 353031"));
    }
    // The prefix has its dot, and stands at the beginning.
    for name in ["mmi", "mmiservice", "x.mmi.y", "MMI.service"] {
        client.send(&format!("∅ · 4d4450433031 · {} · 00", hex(name.as_bytes())));
    }
    until(|| hub.stats().queued == 4).await;
    assert_eq!(hub.stats().management, 4);
}

/// MM-3: the reserved names are the services', not the workers'.
#[tokio::test]
async fn no_worker_may_offer_a_reserved_name() {
    let mut hub = Hub::start().await;
    let client = Raw::connect(&hub.endpoint).await;
    for name in ["mmi.x", "mmi.service", "mmi."] {
        let worker = Raw::connect(&hub.endpoint).await;
        worker.send(&READY.replace("6563686f", &hex(name.as_bytes())));
        assert_eq!(worker.recv().await, DISCONNECT);
        hub.expect(|event| {
            matches!(
                event,
                BrokerEvent::Dismissed {
                    misbehaviour: Misbehaviour::ReservedService,
                    ..
                }
            )
        })
        .await;
    }
    assert_eq!(ask(&client, &hex(b"mmi.x")).await, MMI_404);

    // `mdbroker` refuses this one.
    let named = || SocketOptions::new().routing_id(RoutingId::new("mmi.x").unwrap());
    let worker = Raw::with(named(), &hub.endpoint).await;
    worker.send(READY);
    hub.workers(1).await;
    client.send(REQUEST);
    worker.request().await;
}

/// MM-4: 404 as soon as the last worker's connection is gone.
#[tokio::test]
async fn a_service_is_gone_with_its_last_worker() {
    let mut hub = Hub::start().await;
    let client = Raw::connect(&hub.endpoint).await;
    let (idle, busy) = (
        Raw::worker(&hub.endpoint).await,
        Raw::worker(&hub.endpoint).await,
    );
    hub.workers(2).await;
    // 7.4-2: the busy one counts no longer than the idle one.
    client.send(REQUEST);
    let lost = |event: &BrokerEvent| {
        matches!(
            event,
            BrokerEvent::WorkerLost {
                departure: Departure::ConnectionLost,
                ..
            }
        )
    };
    idle.cut().await;
    hub.expect(lost).await;
    assert_eq!(ask(&client, "6563686f").await, mmi_200());
    busy.request().await;
    busy.cut().await;
    hub.expect(lost).await;
    assert_eq!(ask(&client, "6563686f").await, MMI_404);
}

/// MM-5: however many frames are asked, one is answered; the last one is the name, as in `mdbroker`.
#[tokio::test]
async fn the_answer_has_one_frame() {
    let hub = Hub::start().await;
    hub.worker(echo("echo"));
    hub.workers(1).await;
    let client = Raw::connect(&hub.endpoint).await;
    for frames in [2, 100, 1000] {
        let names = vec!["78"; frames - 1].join(" · ");
        assert_eq!(
            ask(&client, &format!("{names} · 6563686f")).await,
            mmi_200()
        );
        assert_eq!(ask(&client, &format!("6563686f · {names}")).await, MMI_404);
    }
    assert_eq!(ask(&client, "").await, MMI_404);
    assert_eq!(ask(&client, "∅").await, MMI_404);
    hub.stop().await;
}

/// MM-6: also while requests are dropped because the queues are full; to ask makes no service.
#[tokio::test]
async fn the_broker_answers_while_its_queues_are_full() {
    let service = ServiceOptions::default().max_queued(1);
    let hub = Hub::with(patient().max_services(1).default_service(service)).await;
    let (busy, client) = (
        Raw::connect(&hub.endpoint).await,
        Raw::connect(&hub.endpoint).await,
    );
    for _ in 0..10 {
        busy.send(REQUEST);
    }
    busy.send("∅ · 4d4450433031 · 6f74686572 · 4869");
    until(|| hub.stats().dropped(DropReason::TooManyServices) == 1).await;
    assert_eq!(ask(&client, "6563686f").await, MMI_404);
    assert_eq!(ask(&busy, "6f74686572").await, MMI_404);
    let stats = hub.stats();
    assert_eq!(
        (stats.dropped(DropReason::QueueFull), stats.services),
        (9, 1)
    );
}
