//! Publishing: several publishers, several subscribers that change their minds, a line between each two.
//!
//! ```text
//! publishers  ──► play ─ all there ──────────────── all told ─► a last message of each topic
//! subscribers ──► play ─ all there ─ ask: told? ─── all told ─► exactly what they are subscribed to
//! ```

use std::collections::BTreeSet;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fastrand::Rng;
use privateer::core::{Linger, Message, Peer, PubSocket, SubSocket, XpubSocket, XsubSocket};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use super::hear;
use crate::stage::actors::{Claim, Finale, Part, given_back, leave, receiving};
use crate::stage::ledger::{Ledger, Receiver, Sizes, Stream};
use crate::stage::sockets::{Publishes, Side, Subscribes};
use crate::stage::world::{Line, Rules, World, pause};

/// Topics that are published.
const TOPICS: u64 = 8;
/// What is subscribed to: one topic, several, or all.
const WISHES: [&str; 8] = ["", "a", "b", "a0", "a2", "b1", "b3", "c"];

/// What the actors tell each other.
#[derive(Debug, Default)]
struct Board {
    /// What is subscribed to in the end.
    wishes: Mutex<BTreeSet<String>>,
    /// The last messages.
    last: Mutex<Vec<(Stream, u64)>>,
    /// Messages that arrived at subscribers, wanted or not.
    arrived: AtomicU64,
}

/// Plays with sockets of one of four pairs of types.
pub(crate) async fn play(pair: u8, world: Arc<World>, rng: Rng) {
    match pair {
        0 => cast::<PubSocket, SubSocket>(world, rng).await,
        1 => cast::<PubSocket, XsubSocket>(world, rng).await,
        2 => cast::<XpubSocket, SubSocket>(world, rng).await,
        _ => cast::<XpubSocket, XsubSocket>(world, rng).await,
    }
}

async fn cast<P: Publishes, S: Subscribes>(world: Arc<World>, mut rng: Rng) {
    let (publishers, subscribers) = (rng.usize(1..4), rng.usize(1..4));
    let side = Side::any(&mut rng);
    let mut lines = Vec::new();
    for _ in 0..publishers * subscribers {
        lines.push(world.line().await);
    }
    let finale = Finale::new(publishers, subscribers);
    let told = Finale::new(publishers, subscribers);
    let board = Arc::<Board>::default();
    let sizes = if rng.bool() { Sizes::All } else { Sizes::Small };
    let mut part = |lines: Vec<Line>, side| Part {
        world: Arc::clone(&world),
        rng: rng.fork(),
        lines,
        side,
        finale: Arc::clone(&finale),
        sizes,
    };
    let (mut publishing, mut subscribing) = (JoinSet::new(), JoinSet::new());
    for own in lines.chunks(subscribers) {
        let part = part(own.to_vec(), side);
        publishing.spawn(publish::<P>(part, Arc::clone(&told), Arc::clone(&board)));
    }
    for index in 0..subscribers {
        let own = lines.iter().skip(index).step_by(subscribers);
        let part = part(own.cloned().collect(), side.other());
        subscribing.spawn(subscribe::<S>(part, Arc::clone(&told), Arc::clone(&board)));
    }
    let claims = publishing.join_all().await.concat();
    subscribing.join_all().await;
    if world.rules == Rules::Gentle {
        let sent: u64 = claims.iter().map(|claim| claim.sent - claim.told).sum();
        assert_eq!(sent, board.arrived.load(Ordering::Relaxed), "{claims:?}");
    }
}

/// What all messages of this number are about.
fn topic(number: u64) -> String {
    let letter = if number.is_multiple_of(2) { 'a' } else { 'b' };
    format!("{letter}{}", number % TOPICS / 2)
}

/// The next message, and its number.
fn compose(ledger: &Ledger, stream: Stream) -> (u64, Message) {
    let (number, body) = ledger.compose(stream);
    let mut message = Message::from(topic(number));
    for frame in body.into_frames() {
        message.push(frame);
    }
    (number, message)
}

/// Tries to publish the next message in one of the ways that there are.
async fn attempt<P: Publishes>(ledger: &Ledger, rng: &mut Rng, stream: Stream, socket: &P) {
    let (number, message) = compose(ledger, stream);
    let patience = Duration::from_micros(rng.u64(0..20_000));
    let sent = if rng.bool() {
        given_back(&message, socket.try_publish(message.clone()))
    } else {
        let sent = timeout(patience, socket.publish(message.clone())).await;
        sent.is_ok_and(|sent| given_back(&message, sent))
    };
    ledger.settle(stream, number, sent);
}

/// Publishes, in one socket after the other, until the play is over, and then a last message of each topic.
async fn publish<P: Publishes>(mut part: Part, told: Arc<Finale>, board: Arc<Board>) -> Vec<Claim> {
    let world = Arc::clone(&part.world);
    let mut claims = Vec::new();
    loop {
        let socket: P = part.socket(true).await;
        let stream = world.ledger.open(part.sizes);
        let mut heard = BTreeSet::new();
        while !world.is_over() {
            for _ in 0..part.rng.usize(0..30) {
                attempt(&world.ledger, &mut part.rng, stream, &socket).await;
            }
            hear(&socket, &mut heard);
            pause(&mut part.rng).await;
            if world.rules != Rules::Lossy && part.leaves() {
                break;
            }
        }
        if !world.is_over() {
            let linger = match world.keeps_what_is_taken() {
                true => part.linger(),
                false => Linger::Forever,
            };
            claims.push(leave(&mut part, stream, socket, linger).await);
            continue;
        }
        part.gather().await;
        told.arrive();
        let all_told = told.gathered();
        let mut all_told = pin!(all_told);
        // What it hears of has to be heard, or more is not.
        while timeout(TURN, all_told.as_mut()).await.is_err() {
            hear(&socket, &mut heard);
        }
        claims.push(finish(&part, stream, socket, heard, &board).await);
        return claims;
    }
}

/// How often there is a look at what no event tells of.
const TURN: Duration = Duration::from_millis(10);

/// Publishes a last message of each topic, all of which arrive.
async fn finish<P: Publishes>(
    part: &Part,
    stream: Stream,
    socket: P,
    mut heard: BTreeSet<String>,
    board: &Board,
) -> Claim {
    let world = Arc::clone(&part.world);
    let end = Instant::now() + world.patience();
    while P::HEARS && heard != *board.wishes.lock().unwrap() {
        assert!(Instant::now() < end, "{heard:?}, not {:?}", board.wishes);
        sleep(TURN).await;
        hear(&socket, &mut heard);
    }
    for _ in 0..TOPICS {
        // With room for it nothing is dropped.
        while socket.counts().queued > 0 {
            assert!(Instant::now() < end, "{:?}", socket.counts());
            sleep(TURN).await;
        }
        let (number, message) = compose(&world.ledger, stream);
        let sent = timeout(world.patience(), socket.publish(message)).await;
        sent.expect("there is room for the last messages").unwrap();
        world.ledger.settle(stream, number, true);
        board.last.lock().unwrap().push((stream, number));
    }
    let counts = socket.counts();
    let ended = timeout(world.patience(), socket.end(Linger::Forever)).await;
    let unsent = ended.expect("the last messages go out");
    part.finale.sent();
    assert_eq!(unsent, 0, "{stream:?}");
    Claim {
        stream,
        sent: counts.sent,
        told: counts.dropped_connection_lost,
        connections: counts.connected,
        linger: Linger::Forever,
        last: None,
    }
}

/// Subscribes to this and that, and receives, in one socket after the other, until nothing comes any more.
async fn subscribe<S: Subscribes>(mut part: Part, told: Arc<Finale>, board: Arc<Board>) {
    let world = Arc::clone(&part.world);
    loop {
        let socket: S = part.socket(false).await;
        let receiver = world.ledger.receiver();
        let mut wishes = Vec::new();
        while !world.is_over() {
            change(&mut part.rng, &socket, &mut wishes);
            let patience = Duration::from_micros(part.rng.u64(0..300_000));
            while let Ok(received) = timeout(patience, socket.recv_on()).await {
                let (peer, message) = received.unwrap();
                take::<S>(
                    &world.ledger,
                    receiver,
                    &wishes,
                    peer.id().as_u64(),
                    message,
                );
                if part.rng.u8(..) < 20 {
                    break;
                }
            }
            if world.rules == Rules::Violent && part.leaves() {
                break;
            }
        }
        if world.is_over() {
            return conclude(&part, &wishes, receiver, socket, (&told, &board)).await;
        }
        if part.rng.bool() {
            part.cut();
        }
        let _nothing = socket.end(Linger::Discard).await;
    }
}

/// Waits until every publisher knows, and receives the last messages, which are exactly those that are subscribed to.
async fn conclude<S: Subscribes>(
    part: &Part,
    wishes: &[&str],
    receiver: Receiver,
    socket: S,
    (told, board): (&Finale, &Board),
) {
    let world = &part.world;
    let publishers = part.lines.len();
    let mut arrived = BTreeSet::new();
    let mut receive = |peer: Peer, message: Message| {
        let connection = peer.id().as_u64();
        arrived.insert(take::<S>(
            &world.ledger,
            receiver,
            wishes,
            connection,
            message,
        ));
    };
    // A publisher that ends may linger until there is room.
    receiving(&socket, part.gather(), &mut receive).await;
    // An answer comes behind messages that wait.
    let told_all = timeout(world.patience(), socket.are_told(publishers));
    let told_all = receiving(&socket, told_all, &mut receive).await;
    let told_all = told_all.expect("every publisher is told of all subscriptions");
    assert_eq!(told_all.confirmed.len(), publishers);
    let own = wishes.iter().map(|wish| (*wish).to_owned());
    board.wishes.lock().unwrap().extend(own);
    told.arrive();
    loop {
        match timeout(world.quiet(), socket.recv_on()).await {
            Ok(received) => {
                let (peer, message) = received.unwrap();
                receive(peer, message);
            }
            Err(_quiet) if part.finale.is_sent() => break,
            Err(_quiet) => {}
        }
    }
    for last in board.last.lock().unwrap().iter() {
        let is_wanted = is_wanted(wishes, &topic(last.1));
        assert_eq!(arrived.contains(last), is_wanted, "{last:?} {wishes:?}");
    }
    board
        .arrived
        .fetch_add(socket.counts().received, Ordering::Relaxed);
    let _nothing = socket.end(Linger::Discard).await;
}

/// Subscribes to something, or does not any more.
fn change<S: Subscribes>(rng: &mut Rng, socket: &S, wishes: &mut Vec<&'static str>) {
    if wishes.is_empty() || rng.u8(..) < 120 {
        let wish = WISHES[rng.usize(..WISHES.len())];
        socket.want(wish);
        wishes.push(wish);
    } else {
        let wish = wishes.swap_remove(rng.usize(..wishes.len()));
        socket.want_no_more(wish);
    }
}

/// Looks at a message that a subscriber has received.
fn take<S: Subscribes>(
    ledger: &Ledger,
    receiver: Receiver,
    wishes: &[&str],
    connection: u64,
    message: Message,
) -> (Stream, u64) {
    let (first, body) = message.split_first();
    let (stream, number) = ledger.receive_copy(receiver, connection, &body.unwrap());
    assert_eq!(first, *topic(number), "{stream:?} {number}");
    if S::FILTERS {
        let topic = topic(number);
        assert!(is_wanted(wishes, &topic), "{topic} {wishes:?}");
    }
    (stream, number)
}

fn is_wanted(wishes: &[&str], topic: &str) -> bool {
    wishes.iter().any(|wish| topic.starts_with(wish))
}
