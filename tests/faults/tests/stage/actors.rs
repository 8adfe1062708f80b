//! Who sends and who receives, in one socket after the other.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use fastrand::Rng;
use privateer::core::{Linger, Message, Peer, SendError};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use super::ledger::{Sizes, Stream};
use super::sockets::{Receives, Sends, Side, Socket};
use super::world::{Line, Rules, World, pause};

/// What an actor has to know.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) world: Arc<World>,
    pub(crate) rng: Rng,
    pub(crate) lines: Vec<Line>,
    pub(crate) side: Side,
    pub(crate) finale: Arc<Finale>,
    pub(crate) sizes: Sizes,
}

/// How the actors of a play come to its end together.
#[derive(Debug)]
pub(crate) struct Finale {
    /// Those who are not in a socket yet that they will not leave.
    missing: AtomicUsize,
    /// Nobody is missing any more. (A `watch` would wake them in a random order.)
    complete: Notify,
    /// Those whose last message is not in the receiver's socket.
    sending: AtomicUsize,
}

/// What one socket says of the messages that it was given.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Claim {
    pub(crate) stream: Stream,
    /// Messages that went into its pipes.
    pub(crate) sent: u64,
    /// Messages that it tells were not sent, or lost.
    pub(crate) told: u64,
    /// Connections that it had.
    pub(crate) connections: u64,
    /// How it ended.
    pub(crate) linger: Linger,
    /// The last message, if nothing may have failed after it.
    pub(crate) last: Option<u64>,
}

impl Finale {
    pub(crate) fn new(senders: usize, receivers: usize) -> Arc<Self> {
        Arc::new(Self {
            missing: AtomicUsize::new(senders + receivers),
            complete: Notify::new(),
            sending: AtomicUsize::new(senders),
        })
    }

    /// Somebody is there.
    pub(crate) fn arrive(&self) {
        if self.missing.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.complete.notify_waiters();
        }
    }

    /// Waits until all are there.
    pub(crate) async fn gathered(&self) {
        let mut complete = std::pin::pin!(self.complete.notified());
        complete.as_mut().enable();
        if self.missing.load(Ordering::Relaxed) > 0 {
            complete.await;
        }
    }

    pub(crate) fn sent(&self) {
        self.sending.fetch_sub(1, Ordering::Relaxed);
    }

    pub(crate) fn is_sent(&self) -> bool {
        self.sending.load(Ordering::Relaxed) == 0
    }
}

impl Part {
    pub(crate) async fn socket<S: Socket>(&mut self, immediate: bool) -> S {
        let mut options = self.world.options(&mut self.rng);
        if immediate && self.rng.u8(..) < 60 {
            options = options.immediate();
        }
        let socket = S::with(options);
        socket.attach(&self.lines, self.side).await;
        socket
    }

    /// Whether to end this socket now and begin anew.
    pub(crate) fn leaves(&mut self) -> bool {
        self.rng.u8(0..100) == 0
    }

    /// How long a socket lingers that ends now.
    pub(crate) fn linger(&mut self) -> Linger {
        match self.rng.u8(0..4) {
            0 => Linger::Forever,
            1 => Linger::For(Duration::from_millis(self.rng.u64(0..2_000))),
            _ => Linger::Discard,
        }
    }

    /// Waits until all are there for the end, and the last faults are noticed everywhere.
    pub(crate) async fn gather(&self) {
        self.finale.arrive();
        self.finale.gathered().await;
        sleep(self.world.noticed()).await;
    }

    pub(crate) fn cut(&self) {
        for line in &self.lines {
            line.faults.cut();
        }
    }
}

/// Waits for something, and receives meanwhile: others may wait for room for what they send before they come to it.
pub(crate) async fn receiving<R: Receives, T>(
    socket: &R,
    something: impl Future<Output = T> + Send,
    mut receive: impl FnMut(Peer, Message) + Send,
) -> T {
    let mut something = pin!(something);
    loop {
        tokio::select! {
            biased;
            done = something.as_mut() => return done,
            received = socket.recv_on() => {
                let (peer, message) = received.unwrap();
                receive(peer, message);
            }
        }
    }
}

/// Sends, in one socket after the other, until the play is over, and then one message more.
pub(crate) async fn send<S: Sends>(mut part: Part) -> Vec<Claim> {
    let mut claims = Vec::new();
    loop {
        let socket: S = part.socket(true).await;
        let stream = part.world.ledger.open(part.sizes);
        while !part.world.is_over() {
            for _ in 0..part.rng.usize(0..30) {
                attempt(&mut part, stream, &socket).await;
            }
            pause(&mut part.rng).await;
            if part.world.rules != Rules::Lossy && part.leaves() {
                break;
            }
        }
        if part.world.is_over() {
            claims.push(finish(&part, stream, socket).await);
            return claims;
        }
        let linger = part.linger();
        claims.push(leave(&mut part, stream, socket, linger).await);
    }
}

/// Tries to send a message in one of the ways that there are.
async fn attempt<S: Sends>(part: &mut Part, stream: Stream, socket: &S) {
    let ledger = &part.world.ledger;
    let (number, message) = ledger.compose(stream);
    let patience = match part.rng.u8(0..10) {
        0..3 => Duration::ZERO,
        3..6 => Duration::from_micros(part.rng.u64(0..20_000)),
        _ => Duration::from_secs(1),
    };
    let sent = if part.rng.bool() {
        given_back(&message, socket.try_send_on(message.clone()))
    } else {
        let sent = timeout(patience, socket.send_on(message.clone())).await;
        sent.is_ok_and(|sent| given_back(&message, sent))
    };
    ledger.settle(stream, number, sent);
}

/// Whether a message was sent; if not, it has come back as it was.
pub(crate) fn given_back(message: &Message, sent: Result<(), SendError>) -> bool {
    sent.map_err(|error| assert_eq!(&error.into_message(), message))
        .is_ok()
}

/// Ends a socket in the midst of the play.
pub(crate) async fn leave<S: Socket>(
    part: &mut Part,
    stream: Stream,
    socket: S,
    linger: Linger,
) -> Claim {
    let crashes = part.world.rules == Rules::Violent && part.rng.bool();
    if crashes {
        part.cut();
    }
    let counts = socket.counts();
    let linger = if crashes { Linger::Discard } else { linger };
    let unsent = socket.end(linger).await;
    Claim {
        stream,
        sent: counts.sent,
        told: unsent + counts.dropped_connection_lost,
        connections: counts.connected,
        linger,
        last: None,
    }
}

/// Sends a last message, when everybody is there and nothing fails any more.
async fn finish<S: Sends>(part: &Part, stream: Stream, socket: S) -> Claim {
    let patience = part.world.patience();
    part.gather().await;
    let (number, message) = part.world.ledger.compose(stream);
    let sent = timeout(patience, socket.send_on(message)).await;
    sent.expect("there is room for the last message").unwrap();
    part.world.ledger.settle(stream, number, true);
    let counts = socket.counts();
    let ended = timeout(patience, socket.end(Linger::Forever)).await;
    let unsent = ended.expect("the last message goes out");
    // Its peers have closed, too: all that was sent is in their sockets.
    part.finale.sent();
    assert_eq!(unsent, 0, "{stream:?}");
    Claim {
        stream,
        sent: counts.sent,
        told: counts.dropped_connection_lost,
        connections: counts.connected,
        linger: Linger::Forever,
        last: Some(number),
    }
}

/// Receives, in one socket after the other, until nothing comes any more.
pub(crate) async fn receive<R: Receives>(mut part: Part) {
    let world = Arc::clone(&part.world);
    let mut gathered = false;
    loop {
        let socket: R = part.socket(false).await;
        let receiver = world.ledger.receiver();
        loop {
            if world.is_over() && !gathered {
                gathered = true;
                part.finale.arrive();
            }
            let patience = match (gathered, part.rng.u8(0..10)) {
                (true, _) => world.quiet(),
                (_, 0..3) => Duration::ZERO,
                _ => Duration::from_micros(part.rng.u64(0..300_000)),
            };
            match timeout(patience, socket.recv_on()).await {
                Ok(received) => {
                    let (peer, message) = received.unwrap();
                    let connection = peer.id().as_u64();
                    world.ledger.receive(receiver, connection, &message);
                    if !gathered && part.rng.u8(..) == 0 {
                        pause(&mut part.rng).await;
                    }
                }
                Err(_quiet) if gathered && part.finale.is_sent() => {
                    let _nothing = socket.end(Linger::Discard).await;
                    return;
                }
                Err(_quiet) if !gathered => {
                    if world.rules == Rules::Violent && part.leaves() {
                        if part.rng.bool() {
                            part.cut();
                        }
                        let _nothing = socket.end(Linger::Discard).await;
                        break;
                    }
                }
                Err(_quiet) => {}
            }
        }
    }
}
