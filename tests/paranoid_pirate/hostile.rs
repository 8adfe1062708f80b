//! Peers that send what they should not, or too much.

use privateer::core::{DealerSocket, Linger, Message, SocketOptions};

use super::*;
use privateer::paranoid_pirate::queue::DropReason;

/// LB-7: without an idle worker nothing is read: what waits stays with the clients, and the queue holds none of it.
#[tokio::test]
async fn a_flood_without_workers_stays_with_its_clients() {
    let hub = Hub::start().await;
    let options = SocketOptions::new().linger(Linger::Discard);
    let client = DealerSocket::with_options(options).unwrap();
    client.connect(&hub.frontend).unwrap();
    let request = Message::from([Frame::empty(), Frame::from(vec![7; 16 << 10])]);
    let mut sent = 0;
    while tokio::time::timeout(Duration::from_millis(500), client.send(request.clone()))
        .await
        .is_ok()
    {
        sent += 1;
        assert!(sent < 20_000, "320 MB went somewhere");
    }
    let stats = hub.queue.stats();
    assert_eq!((stats.requests, stats.waiting), (0, 0));
    hub.echo();
    for _ in 0..sent {
        soon(client.recv()).await.unwrap();
    }
    assert_eq!(hub.stop().await.dropped(DropReason::ClientFull), 0);
}

/// U9, U10: random frames from both sides, and messages of ten thousand frames; service goes on.
#[tokio::test]
async fn noise_from_both_sides_disturbs_nobody() {
    let hub = Hub::start().await;
    hub.echo();
    hub.workers(1).await;
    let mut random = fastrand::Rng::with_seed(5);
    for _ in 0..20 {
        for endpoint in hub.endpoints() {
            let noisy = DealerSocket::new().unwrap();
            noisy.connect(&endpoint).unwrap();
            for _ in 0..50 {
                let frames = (0..random.usize(1..6)).map(|_| {
                    let len = random.usize(0..4);
                    let octets: Vec<u8> = (0..len).map(|_| random.u8(0..5)).collect();
                    Frame::from(octets)
                });
                let noise = Message::from_frames(frames.collect()).unwrap();
                noisy.send(noise).await.unwrap();
            }
            let many = Message::from_frames(vec![Frame::from("x"); 10_000]).unwrap();
            noisy.send(many).await.unwrap();
            let _report = noisy.close().await;
        }
    }
    hub.workers(1).await;
    let client = hub.client();
    for number in 0..100_u8 {
        let reply = soon(client.request([number])).await.unwrap();
        assert_eq!(reply, Message::from([number]));
    }
    hub.stop().await;
}

/// U12: whoever comes and goes leaves nothing behind.
#[tokio::test]
async fn peers_that_come_and_go_leave_nothing_behind() {
    let hub = Hub::start().await;
    hub.echo();
    hub.workers(1).await;
    for _ in 0..200 {
        let client = hub.client();
        client.send("Hi").await.unwrap();
        let worker = DealerSocket::new().unwrap();
        worker.connect(&hub.backend).unwrap();
        worker.send(message(&[b"\x01"])).await.unwrap();
        drop((client, worker));
    }
    assert_eq!(
        soon(hub.client().request("Ho")).await.unwrap(),
        Message::from("Ho")
    );
    hub.workers(1).await;
    until(|| {
        let stats = hub.queue.stats();
        (stats.in_flight, stats.waiting) == (0, 0)
    })
    .await;
    hub.stop().await;
}
