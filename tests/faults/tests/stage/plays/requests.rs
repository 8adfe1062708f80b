//! Requests and replies: several clients, several servers that answer what they were asked, a line between each two.

use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use privateer::core::{
    DealerSocket, Frame, Linger, Message, Peer, RepSocket, ReqSocket, RouterSocket,
};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::stage::actors::{Finale, Part, given_back, leave, receiving};
use crate::stage::ledger::{Ledger, Receiver, Sizes, Stream};
use crate::stage::sockets::{Side, Socket};
use crate::stage::world::{Line, Rules, World, pause};

/// Plays with sockets of one of four pairs of types.
pub(crate) async fn play(pair: u8, world: Arc<World>, rng: Rng) {
    match pair {
        0 => cast::<ReqSocket, RepSocket>(world, rng).await,
        1 => cast::<ReqSocket, RouterSocket>(world, rng).await,
        2 => cast::<DealerSocket, RepSocket>(world, rng).await,
        _ => cast::<DealerSocket, RouterSocket>(world, rng).await,
    }
}

async fn cast<C: Client, S: Server>(world: Arc<World>, mut rng: Rng) {
    let (clients, servers) = (rng.usize(1..4), rng.usize(1..4));
    let side = Side::any(&mut rng);
    let mut lines = Vec::new();
    for _ in 0..clients * servers {
        lines.push(world.line().await);
    }
    let finale = Finale::new(clients, servers);
    let mut part = |lines: Vec<Line>, side| Part {
        world: Arc::clone(&world),
        rng: rng.fork(),
        lines,
        side,
        finale: Arc::clone(&finale),
        sizes: Sizes::All,
    };
    let mut actors = JoinSet::new();
    for own in lines.chunks(servers) {
        actors.spawn(ask::<C>(part(own.to_vec(), side)));
    }
    for index in 0..servers {
        let own = lines.iter().skip(index).step_by(servers);
        actors.spawn(serve::<S>(part(own.cloned().collect(), side.other())));
    }
    actors.join_all().await;
}

/// Requests of one client socket.
#[derive(Clone, Copy)]
struct Desk<'a> {
    ledger: &'a Ledger,
    stream: Stream,
    receiver: Receiver,
}

impl Desk<'_> {
    /// Checks a reply with its delimiter.
    fn receive(self, peer: &Peer, reply: Message) {
        let (_delimiter, reply) = without_envelope(reply);
        let connection = peer.id().as_u64();
        self.ledger.receive_reply(self.receiver, connection, &reply);
    }
}

/// What asks.
trait Client: Socket {
    /// Asks, and waits so long for what there is to wait for; returns the number of the request if it was sent.
    fn ask(&self, desk: Desk<'_>, patience: Duration) -> impl Future<Output = Option<u64>> + Send;

    /// Takes a reply that has not been taken yet, if one comes soon enough.
    fn take(&self, desk: Desk<'_>, patience: Duration) -> impl Future<Output = bool> + Send;

    /// Waits for something, and takes the replies that come meanwhile.
    fn meanwhile<T: Send>(
        &self,
        desk: Desk<'_>,
        something: impl Future<Output = T> + Send,
    ) -> impl Future<Output = T> + Send;

    /// Whether every request that was sent is replied to as long as no connection breaks.
    const REPLIES_TO_ALL: bool;
}

impl Client for ReqSocket {
    async fn ask(&self, desk: Desk<'_>, patience: Duration) -> Option<u64> {
        let (number, request) = desk.ledger.compose(desk.stream);
        // It may be served even if nobody waits for it any more.
        desk.ledger.settle(desk.stream, number, true);
        let reply = timeout(patience, self.request(request.clone())).await;
        let reply = reply.ok()?.unwrap();
        desk.ledger.receive_answer(desk.receiver, &request, &reply);
        Some(number)
    }

    async fn take(&self, _: Desk<'_>, _: Duration) -> bool {
        false
    }

    async fn meanwhile<T: Send>(
        &self,
        _: Desk<'_>,
        something: impl Future<Output = T> + Send,
    ) -> T {
        something.await
    }

    const REPLIES_TO_ALL: bool = false;
}

impl Client for DealerSocket {
    async fn ask(&self, desk: Desk<'_>, patience: Duration) -> Option<u64> {
        let (number, request) = desk.ledger.compose(desk.stream);
        let request = [vec![Frame::default()], request.into_frames()].concat();
        let request = Message::from_frames(request).unwrap();
        let sent = timeout(patience, self.send(request.clone())).await;
        let sent = sent.is_ok_and(|sent| given_back(&request, sent));
        desk.ledger.settle(desk.stream, number, sent);
        sent.then_some(number)
    }

    async fn take(&self, desk: Desk<'_>, patience: Duration) -> bool {
        let Ok(received) = timeout(patience, self.recv_from()).await else {
            return false;
        };
        let (peer, reply) = received.unwrap();
        desk.receive(&peer, reply);
        true
    }

    async fn meanwhile<T: Send>(
        &self,
        desk: Desk<'_>,
        something: impl Future<Output = T> + Send,
    ) -> T {
        receiving(self, something, |peer, reply| desk.receive(&peer, reply)).await
    }

    const REPLIES_TO_ALL: bool = true;
}

/// Asks, in one socket after the other, until the play is over; then everything has to be answered.
async fn ask<C: Client>(mut part: Part) {
    let world = Arc::clone(&part.world);
    loop {
        let socket: C = part.socket(true).await;
        let stream = world.ledger.open(part.sizes);
        let desk = Desk {
            ledger: &world.ledger,
            stream,
            receiver: world.ledger.receiver(),
        };
        while !world.is_over() {
            for _ in 0..part.rng.usize(0..10) {
                let patience = Duration::from_micros(part.rng.u64(0..300_000));
                socket.ask(desk, patience).await;
                let soon = Duration::from_micros(part.rng.u64(0..2_000));
                while socket.take(desk, soon).await {}
            }
            pause(&mut part.rng).await;
            if world.rules == Rules::Violent && part.leaves() {
                break;
            }
        }
        if world.is_over() {
            return conclude(&part, desk, socket).await;
        }
        let linger = part.linger();
        leave(&mut part, stream, socket, linger).await;
    }
}

/// Asks every server, when everybody is there and nothing fails any more.
async fn conclude<C: Client>(part: &Part, desk: Desk<'_>, socket: C) {
    let patience = part.world.patience();
    // A server may wait for room for a reply.
    socket.meanwhile(desk, part.gather()).await;
    let mut last = Vec::new();
    for _ in 0..part.lines.len() * 2 {
        let number = socket.meanwhile(desk, socket.ask(desk, patience)).await;
        last.push(number.expect("the last requests go out, and are answered"));
    }
    let is_replied = |number: &u64| desk.ledger.has_arrived(desk.stream, *number);
    while !last.iter().all(is_replied) {
        let taken = socket.take(desk, patience).await;
        assert!(taken, "a reply is missing: {:?}", socket.counts());
    }
    if C::REPLIES_TO_ALL && part.world.rules == Rules::Gentle {
        loop {
            let account = desk.ledger.account(desk.stream);
            if account.accepted == account.received {
                break;
            }
            let taken = socket.take(desk, patience).await;
            assert!(taken, "{account:?} {:?}", socket.counts());
        }
    }
    part.finale.sent();
    let _unsent = socket.end(Linger::Discard).await;
}

/// What answers.
trait Server: Socket {
    /// Answers one request with what it was, if one comes soon enough.
    fn answer(
        &self,
        ledger: &Ledger,
        receiver: Receiver,
        patience: Duration,
    ) -> impl Future<Output = bool> + Send;
}

impl Server for RepSocket {
    async fn answer(&self, ledger: &Ledger, receiver: Receiver, patience: Duration) -> bool {
        let Ok(request) = timeout(patience, self.recv()).await else {
            return false;
        };
        let request = request.unwrap();
        ledger.look(receiver, &request);
        self.send(request).await.unwrap();
        true
    }
}

impl Server for RouterSocket {
    async fn answer(&self, ledger: &Ledger, receiver: Receiver, patience: Duration) -> bool {
        let Ok(received) = timeout(patience, self.recv()).await else {
            return false;
        };
        let (peer, request) = received.unwrap();
        let (_envelope, body) = without_envelope(request.clone());
        ledger.receive_request(receiver, peer.id().as_u64(), &body);
        if let Err(gone) = self.send(&peer, request.clone()).await {
            assert_eq!(gone.into_message(), request);
        }
        true
    }
}

/// The frames up to the empty one, and the message behind it.
fn without_envelope(message: Message) -> (Vec<Frame>, Message) {
    let mut envelope = message.into_frames();
    let delimiter = envelope.iter().position(|frame| frame.is_empty()).unwrap();
    let body = envelope.split_off(delimiter + 1);
    (envelope, Message::from_frames(body).unwrap())
}

/// Answers, in one socket after the other, until nobody asks any more.
async fn serve<S: Server>(mut part: Part) {
    let world = Arc::clone(&part.world);
    let mut gathered = false;
    loop {
        let socket: S = part.socket(false).await;
        let receiver = world.ledger.receiver();
        loop {
            if world.is_over() && !gathered {
                gathered = true;
                part.finale.arrive();
            }
            let patience = Duration::from_micros(part.rng.u64(0..300_000));
            if socket.answer(&world.ledger, receiver, patience).await {
                continue;
            }
            if gathered && part.finale.is_sent() {
                let _nothing = socket.end(Linger::Discard).await;
                return;
            }
            if !gathered && world.rules == Rules::Violent && part.leaves() {
                break;
            }
        }
        if part.rng.bool() {
            part.cut();
        }
        let _nothing = socket.end(Linger::Discard).await;
    }
}
