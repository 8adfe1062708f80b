//! A worker is killed, stopped or cut off with a request in hand: another one gets the request, and the client notices
//! nothing but the time it takes.

use std::time::Duration;

use privateer::Client;
use privateer::core::{DealerSocket, Frame, Message};
use privateer::majordomo::broker::{Departure, DropReason};
use privateer_faults::{Link, Process, SLACK, scale, soon, within};
use tokio::task::JoinHandle;

use crate::hub::{HEARTBEAT, Hub, INTERVAL, LIVENESS, patient_client, puppet};
use crate::load::Load;

/// A call in a task, which has to be answered with what it asks.
fn call(client: &Client, body: &'static str) -> JoinHandle<()> {
    let client = client.clone();
    tokio::spawn(async move { assert_eq!(client.request("echo", body).await.unwrap()[0], body) })
}

/// MD-5: kill -9. The disconnect tells the broker at once.
#[tokio::test]
async fn the_request_of_a_killed_worker_goes_to_another() {
    let (_broker, endpoint) = Process::broker("tcp://127.0.0.1:*", &[]).await;
    let client = patient_client(&endpoint);
    for _ in 0..3 * scale() {
        let mut first = puppet(&endpoint, &[]).await;
        let call = call(&client, "hello");
        soon(first.expect("begins hello")).await;
        let mut second = puppet(&endpoint, &[]).await;
        first.kill().await;
        within(
            SLACK * Duration::from_secs(1),
            second.expect("begins hello"),
        )
        .await;
        second.tell("").await;
        soon(call).await.unwrap();
        second.kill().await;
    }
    assert_eq!(client.stats().resent, 0);
}

/// MD-5: SIGSTOP. The worker's connection stays, its heartbeats do not come any more. When it goes on, what it answers is
/// discarded, and it is a worker again.
#[tokio::test]
async fn the_request_of_a_stopped_worker_goes_to_another() {
    let mut hub = Hub::start().await;
    let client = hub.client();
    let mut first = puppet(&hub.endpoint, &HEARTBEAT).await;
    let call = call(&client, "hello");
    soon(first.expect("begins hello")).await;
    let mut second = puppet(&hub.endpoint, &HEARTBEAT).await;
    first.stop();
    within(SLACK * LIVENESS * INTERVAL, second.expect("begins hello")).await;
    soon(hub.loss()).await;
    first.tell("").await;
    first.resume();
    soon(first.expect("event Registered")).await;
    second.tell("").await;
    soon(call).await.unwrap();
    hub.workers(2).await;
    let stats = hub.stats();
    assert_eq!((stats.replies, stats.redispatched), (1, 1));
    assert_eq!(client.stats().late_replies, 0);
}

/// MD-5: the same, but it goes on while its connection still stands, so its reply reaches the broker: it is late.
#[tokio::test]
async fn the_reply_of_a_worker_that_was_stopped_is_discarded() {
    // Presumed dead by its heartbeats, one interval before ZMTP's would end the connection.
    let mut hub = Hub::with_liveness(2).await;
    let client = hub.client();
    let mut worker = puppet(&hub.endpoint, &HEARTBEAT).await;
    let call = call(&client, "hello");
    soon(worker.expect("begins hello")).await;
    worker.stop();
    worker.tell("").await;
    soon(hub.loss()).await;
    worker.resume();
    // Late at the broker; or its heartbeat was faster, and the DISCONNECT for that is here before the reply is there; or
    // this machine was so busy that the connection is gone, and the reply with it.
    let discards = ["event ReplyDropped(RequestKey(0))", "event ConnectionLost"];
    let (mut again, mut discarded) = (false, false);
    while !again || !discarded {
        let line = soon(worker.line()).await;
        again |= line == "begins hello";
        let late = hub.stats().late_replies;
        assert_eq!(late, hub.stats().dropped(DropReason::Late));
        discarded |= late == 1 || discards.contains(&&*line);
        assert_eq!(hub.stats().replies, 0);
    }
    worker.tell("").await;
    soon(call).await.unwrap();
    let stats = hub.stats();
    assert_eq!((stats.replies, stats.redispatched), (1, 1));
    assert_eq!(client.stats().late_replies, 0);
}

/// MD-5: the link is dead, and nobody closed anything. The worker connects again by itself; what it answers then is
/// discarded.
#[tokio::test]
async fn the_request_of_a_worker_that_is_cut_off_goes_to_another() {
    let hub = Hub::start().await;
    let link = Link::to(&hub.endpoint).await;
    let client = hub.client();
    let mut first = puppet(&link.endpoint(), &HEARTBEAT).await;
    let call = call(&client, "hello");
    soon(first.expect("begins hello")).await;
    let mut second = puppet(&hub.endpoint, &HEARTBEAT).await;
    link.black_hole();
    within(SLACK * LIVENESS * INTERVAL, second.expect("begins hello")).await;
    second.tell("").await;
    soon(call).await.unwrap();
    soon(first.expect("event Registered")).await;
    first.tell("").await;
    soon(first.expect("event ReplyDropped(RequestKey(0))")).await;
    hub.workers(2).await;
    let stats = hub.stats();
    assert_eq!((stats.replies, stats.redispatched), (1, 1));
}

/// MD-5, 7.4-4: a reference worker sends no heartbeats while it works; only PING shows that its link is dead.
#[tokio::test]
async fn the_request_of_a_reference_worker_that_is_cut_off_goes_to_another() {
    let mut hub = Hub::start().await;
    let link = Link::to(&hub.endpoint).await;
    let client = hub.client();
    let reference = DealerSocket::new().unwrap();
    reference.connect(link.endpoint()).unwrap();
    let ready: Message = ["", "MDPW01", "\x01", "echo"].map(Frame::from).into();
    soon(reference.send(ready)).await.unwrap();
    let call = call(&client, "hello");
    let request = soon(reference.recv()).await.unwrap();
    assert_eq!(
        (&request[2], &request[5]),
        (&"\x02".into(), &"hello".into())
    );
    let mut second = puppet(&hub.endpoint, &HEARTBEAT).await;
    link.black_hole();
    // A PING after one silent interval, and two to answer it.
    let departure = within(SLACK * 3 * INTERVAL, hub.loss()).await;
    assert_eq!(departure, Departure::ConnectionLost);
    soon(second.expect("begins hello")).await;
    second.tell("").await;
    soon(call).await.unwrap();
    assert_eq!(hub.stats().replies, 1);
}

/// MD-5, LB-5: workers are killed one after the other under load, and no call is lost.
#[tokio::test]
async fn no_call_is_lost_when_workers_are_killed() {
    let (_broker, endpoint) = Process::broker("tcp://127.0.0.1:*", &[]).await;
    let broker = endpoint.to_string();
    let start = || Process::example("mdworker", &["--broker", &broker, "--capacity", "4"]);
    let mut workers = [start(), start(), start()];
    let client = patient_client(&endpoint);
    let load = Load::start(&client, 16);
    for victim in 0..9 * scale() {
        load.progress(200).await;
        let victim = &mut workers[victim % 3];
        victim.kill().await;
        *victim = start();
    }
    let stats = load.end().await;
    assert_eq!((stats.resent, stats.late_replies), (0, 0));
}

/// MM-4: the service is gone within a second after its last worker was killed.
#[tokio::test]
async fn a_service_is_gone_when_its_last_worker_is_killed() {
    let (_broker, endpoint) = Process::broker("tcp://127.0.0.1:*", &[]).await;
    let client = patient_client(&endpoint);
    let mut worker = puppet(&endpoint, &[]).await;
    let status = async |wanted: &str| {
        while client.request("mmi.service", "echo").await.unwrap()[0] != *wanted {}
    };
    soon(status("200")).await;
    // 7.4-2: busy or not.
    let call = call(&client, "hello");
    soon(worker.expect("begins hello")).await;
    worker.kill().await;
    within(SLACK * Duration::from_secs(1), status("404")).await;
    let mut other = puppet(&endpoint, &[]).await;
    soon(other.expect("begins hello")).await;
    other.tell("").await;
    soon(call).await.unwrap();
}
