//! A chain of proxies between a publisher and many subscribers that come, change their minds and go.
//!
//! ```text
//! root (XPUB) ── hop (XSUB, XPUB) ── hop ── hop ── subscribers
//! ```

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use privateer::core::{Linger, SubSocket, XpubSocket, XsubSocket};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::hear;
use crate::stage::sockets::Socket;
use crate::stage::world::{Line, World, pause};

const HOPS: usize = 3;
/// Subscribers at a time.
const SEATS: usize = 20;
/// Subscribers one after the other in each seat.
const GENERATIONS: usize = 50;
const TOPICS: usize = 50;
/// A hop ends within this time.
const SHIFT: Duration = Duration::from_secs(5);
/// So long after the play every hop is in its place, and all know each other again.
const CALM: Duration = Duration::from_secs(15);

/// A thousand subscribers come and go, and hops begin anew, until the play is over; then the root knows exactly what
/// those want who are left, and each of them gets exactly that.
pub(crate) async fn play(world: Arc<World>, mut rng: Rng) {
    let mut lines = Vec::new();
    for _ in 0..=HOPS {
        lines.push(world.line().await);
    }
    let root = XpubSocket::with(world.plain_options());
    root.bind_to(&lines[0].bind).await;
    let mut hops = JoinSet::new();
    for ends in lines.windows(2) {
        hops.spawn(hop(Arc::clone(&world), ends.to_vec(), rng.fork()));
    }
    let mut seats = JoinSet::new();
    for _ in 0..SEATS {
        seats.spawn(sit(Arc::clone(&world), lines[HOPS].clone(), rng.fork()));
    }
    let mut subscribers = Vec::new();
    let mut heard = BTreeSet::new();
    while subscribers.len() < SEATS {
        hear(&root, &mut heard);
        if let Ok(Some(seated)) = timeout(Duration::from_millis(10), seats.join_next()).await {
            subscribers.push(seated.unwrap());
        }
    }
    let wanted = subscribers.iter().flat_map(|(_, wishes)| wishes.clone());
    let wanted: BTreeSet<String> = wanted.collect();
    let (calm, end) = (Instant::now() + CALM, Instant::now() + world.patience());
    while Instant::now() < calm || heard != wanted {
        assert!(Instant::now() < end, "{heard:?}, not {wanted:?}");
        sleep(Duration::from_millis(10)).await;
        hear(&root, &mut heard);
    }
    assert_eq!(root.topics_count(), wanted.len());
    for topic in 0..TOPICS {
        root.send(name(topic)).await.unwrap();
    }
    for (socket, wishes) in subscribers {
        let mut arrived = Vec::new();
        while let Ok(message) = timeout(world.quiet(), socket.recv()).await {
            arrived.push(String::from_utf8(message.unwrap()[0].to_vec()).unwrap());
        }
        // In the order in which they were sent, and each once.
        assert!(wishes.iter().eq(&arrived), "{arrived:?}, not {wishes:?}");
        world.ledger.count(arrived.len() as u64);
    }
}

/// Topics of which none is the beginning of another.
fn name(topic: usize) -> String {
    format!("{topic:02}")
}

/// A proxy, which ends and begins anew now and then.
async fn hop(world: Arc<World>, ends: Vec<Line>, mut rng: Rng) {
    loop {
        let front = XsubSocket::with(world.plain_options());
        front.connect_to(&ends[0].connect);
        let back = XpubSocket::with(world.plain_options());
        back.bind_to(&ends[1].bind).await;
        let end = match world.is_over() {
            true => Instant::now() + world.patience() * 2,
            false => Instant::now() + SHIFT.mul_f64(rng.f64()),
        };
        let mut end = std::pin::pin!(sleep_until(end));
        loop {
            tokio::select! {
                biased;
                () = end.as_mut() => break,
                asked = back.recv() => front.send(asked.unwrap()).await.unwrap(),
                message = front.recv() => back.send(message.unwrap()).await.unwrap(),
            }
        }
        let _unsent = front.end(Linger::Discard).await;
        let _unsent = back.end(Linger::Discard).await;
    }
}

/// One subscriber after the other; returns the last, and what it wants.
async fn sit(world: Arc<World>, line: Line, mut rng: Rng) -> (SubSocket, BTreeSet<String>) {
    let mut generation = 0;
    loop {
        generation += 1;
        let socket = SubSocket::with(world.plain_options());
        let mut wishes = BTreeSet::new();
        socket.connect_to(&line.connect);
        for _ in 0..rng.usize(1..10) {
            let wish = name(rng.usize(..TOPICS));
            if wishes.insert(wish.clone()) {
                socket.subscribe(&wish).unwrap();
            } else {
                wishes.remove(&wish);
                assert!(socket.unsubscribe(&wish));
            }
            if rng.bool() {
                pause(&mut rng).await;
            }
        }
        if world.is_over() && generation >= GENERATIONS {
            return (socket, wishes);
        }
        if rng.bool() {
            // As a process that is killed: nobody says goodbye.
            line.faults.cut();
        }
        let _nothing = socket.end(Linger::Discard).await;
    }
}
