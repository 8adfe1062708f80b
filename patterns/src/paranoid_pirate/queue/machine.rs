//! [`QueueMachine`]: what goes into a queue and what comes out. PURE.
#![deny(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation
)]

use std::collections::{HashMap, VecDeque};
use std::time::Instant;

use privateer_core::Message;

use super::{DropReason, Output, PeerKey, QueueEvent, QueueOptions, QueueStats};
use crate::arena::{Arena, Id, Queue};
use crate::heartbeat::{Heartbeat, Pauses};
use crate::idempotency::{Calls, Found, IdempotencyKey};
use crate::majordomo::PeerFacts;
use crate::majordomo::broker::cost;
use crate::paranoid_pirate::protocol::{ClientMessage, Framing};
use crate::timers::{Timers, after};

/// A queue of the Pirate patterns without sockets: it gives requests of clients to workers that are ready, those of the
/// Simple Pirate and of the Paranoid Pirate (RFC 6) alike, the one that has waited longest first.
///
/// After each input call [`poll_output`](Self::poll_output) until it gives nothing, then wait for the next input or for
/// [`next_timeout`](Self::next_timeout). Read from clients only while [`wants_requests`](Self::wants_requests): what no
/// worker can take waits in the clients' connections, so the queue holds no more than its workers have in hand.
///
/// - Only READY and a reply make a worker idle; a heartbeat shows that it lives, and no more.
/// - A request stays in the table until it is answered. When its worker dies, another one gets it, up to
///   [`QueueOptions::attempts`](super::QueueOptions::attempts) times; a late answer of the first is dropped.
/// - A call with a key is given to a worker once, as long as that lives: who asks again gets the same reply.
/// - A worker of others gets requests in exactly the frames that the guide's worker accepts: address, empty, one frame.
#[derive(Debug)]
pub struct QueueMachine {
    pub(super) options: QueueOptions,
    pub(super) epoch: u64,
    /// Links to workers that there were: each beats at a time of its own.
    pub(super) links: u64,
    /// Who is connected to the workers' side.
    pub(super) peers: HashMap<PeerKey, Peer>,
    pub(super) workers: Arena<Worker, 1>,
    /// How many workers take requests of several frames.
    pub(super) capable: usize,
    pub(super) idle: Idle,
    /// Counts up with each worker that becomes idle.
    pub(super) turn: u64,
    pub(super) requests: Arena<Request, 1>,
    /// Calls with keys, in hand and answered.
    pub(super) calls: Calls<Id<Request>>,
    /// Requests of one frame that lost their worker.
    pub(super) waiting: Queue<PLACE>,
    /// Requests of several frames that lost their worker, or that no idle worker takes.
    pub(super) waiting_many: Queue<PLACE>,
    /// What those cost, in bytes.
    pub(super) waiting_bytes: usize,
    pub(super) timers: Timers<Timer>,
    pub(super) pauses: Pauses,
    pub(super) is_draining: bool,
    pub(super) outputs: VecDeque<Output>,
    pub(super) stats: QueueStats,
}

/// The link of requests that wait, or of what a worker has in hand.
pub(super) const PLACE: usize = 0;

/// The link of the idle workers.
pub(super) const IDLE: usize = 0;

/// Requests of several frames that may wait; with more, none is read until there are fewer.
const MAX_WAITING_MANY: usize = 1000;

/// What becomes due.
#[derive(Clone, Copy, Debug)]
pub(super) enum Timer {
    /// A heartbeat to this worker, or a verdict on it.
    Worker(Id<Worker>),
    /// The end of the wait of this request.
    Request(Id<Request>),
}

/// Workers with room, those that have waited longest first.
#[derive(Debug, Default)]
pub(super) struct Idle {
    /// Those that take any request.
    pub(super) any: Queue<IDLE>,
    /// Those that take requests of one frame only.
    pub(super) single: Queue<IDLE>,
}

/// Who is connected to the workers' side.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) facts: PeerFacts,
    pub(super) worker: Option<Id<Worker>>,
}

/// A worker. It is among the idle ones exactly while it has room for a request.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) peer: PeerKey,
    pub(super) framing: Framing,
    /// Whether it is one of ours: it beats while it is busy, and takes requests of any number of frames.
    pub(super) is_ours: bool,
    pub(super) capacity: usize,
    /// It said GOODBYE, or is given up: it gets no more requests.
    pub(super) is_leaving: bool,
    /// The requests that it works on, the oldest first.
    pub(super) in_hand: Queue<PLACE>,
    pub(super) link: Heartbeat,
    /// Its place among the idle ones.
    pub(super) turn: u64,
    /// Which of its entries among the timers is meant.
    pub(super) armed: Option<Instant>,
}

/// A request that is not answered yet.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) key: Option<IdempotencyKey>,
    /// Who asked: once, or more often if it is repeated.
    pub(super) routes: Vec<Route>,
    pub(super) body: Message,
    /// What it costs to keep it, in bytes.
    pub(super) cost: usize,
    pub(super) attempts: u32,
    pub(super) place: Place,
}

/// Where the reply goes: a client, and the envelope of its request.
pub(super) type Route = (PeerKey, Option<Message>);

#[derive(Clone, Copy, Debug)]
pub(super) enum Place {
    /// Waits for a worker.
    Waiting { expires: Instant },
    /// A worker has it.
    Hand { worker: Id<Worker>, since: Instant },
}

impl QueueMachine {
    /// A queue without workers.
    ///
    /// `epoch` must differ from that of a former queue at the same address, so that replies to that one are recognised:
    /// give it 64 random bits.
    #[must_use]
    pub fn new(options: QueueOptions, epoch: u64) -> Self {
        Self {
            pauses: Pauses::new(options.heartbeat.interval),
            calls: Calls::new(options.reply_cache),
            options,
            epoch,
            links: 0,
            peers: HashMap::new(),
            workers: Arena::new(),
            capable: 0,
            idle: Idle::default(),
            turn: 0,
            requests: Arena::new(),
            waiting: Queue::new(),
            waiting_many: Queue::new(),
            waiting_bytes: 0,
            timers: Timers::new(),
            is_draining: false,
            outputs: VecDeque::new(),
            stats: QueueStats::default(),
        }
    }

    /// Whether a request can be given to a worker: only then read from clients.
    #[must_use]
    pub fn wants_requests(&self) -> bool {
        !self.is_draining
            && self.idle.len() > 0
            && self.waiting.is_empty()
            && self.waiting_many.len() < MAX_WAITING_MANY
            // One may be larger.
            && (self.waiting_many.is_empty() || self.waiting_bytes < self.options.waiting_bytes)
    }

    /// A client sent this.
    pub fn request(&mut self, now: Instant, client: PeerKey, message: Message) {
        let request = match ClientMessage::read(message, self.options.max_frames) {
            Ok(request) => request,
            Err(kind) => return self.drop_malformed(client, kind),
        };
        self.stats.requests += 1;
        let key = IdempotencyKey::read(request.envelope.as_ref());
        let cost = cost(&request.body) + request.envelope.as_ref().map_or(0, cost);
        let request = Request {
            key,
            routes: vec![(client, request.envelope.map(Message::detach))],
            body: request.body,
            cost,
            attempts: 0,
            place: Place::Waiting {
                expires: after(now, self.options.queue_ttl),
            },
        };
        match key.map_or(Found::New, |key| self.calls.find(now, key)) {
            Found::New => self.admit(now, request),
            Found::InHand(id) => self.join(id, request),
            Found::Answered(reply) => {
                self.stats.repeated += 1;
                self.reply_to(request.routes, &reply);
            }
            Found::Failed => self.drop_now(request, DropReason::DeadBefore),
        }
    }

    fn admit(&mut self, now: Instant, request: Request) {
        let is_single = request.body.len() == 1;
        if !is_single && self.capable == 0 {
            return self.drop_now(request, DropReason::NoCapableWorker);
        }
        let key = request.key;
        let id = self.requests.insert(request);
        if let Some(key) = key {
            self.calls.begin(key, id);
        }
        match self.idle_for(is_single) {
            Some(worker) => self.give(now, worker, id),
            None => self.wait(id),
        }
    }

    /// The reply of an [`Output::ToClient`] could not be sent: its client is gone, or does not take its replies.
    pub fn reply_refused(&mut self, client: PeerKey, reason: DropReason) {
        self.stats.replies -= 1;
        self.drop_reply(client, reason);
    }

    /// Takes no more requests; what is in hand may still be answered.
    pub fn drain(&mut self) {
        self.is_draining = true;
    }

    /// The time of [`next_timeout`](Self::next_timeout) has come; too early does no harm.
    ///
    /// If it is late by more than a heartbeat interval, this process was stopped, and what workers sent in that time is
    /// not read yet. Then nobody is judged before another interval has passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        let due = self.timers.next();
        if let Some(late) = due.and_then(|due| self.pauses.woken(now, due)) {
            self.stats.clock_pauses += 1;
            self.tell(QueueEvent::ClockPaused { late });
        }
        while let Some((due, timer)) = self.timers.pop(now) {
            match timer {
                Timer::Worker(id) => self.worker_due(now, id, due),
                Timer::Request(id) => self.request_due(id, due),
            }
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) has to be called next.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// What has to be done next, if anything.
    #[must_use]
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// What was counted, and what is held now.
    #[must_use]
    pub fn stats(&self) -> QueueStats {
        let waiting = self.waiting.len() + self.waiting_many.len();
        QueueStats {
            workers: self.workers.len(),
            idle: self.idle.len(),
            in_flight: self.requests.len() - waiting,
            waiting,
            waiting_bytes: self.waiting_bytes,
            ..self.stats.clone()
        }
    }

    pub(super) fn tell(&mut self, event: QueueEvent) {
        self.outputs.push_back(Output::Event(event));
    }
}

impl Idle {
    pub(super) const fn len(&self) -> usize {
        self.any.len() + self.single.len()
    }
}

impl Worker {
    pub(super) const fn has_room(&self) -> bool {
        !self.is_leaving && self.in_hand.len() < self.capacity
    }

    /// Whether requests of several frames may be given to it: the guide's worker of RFC 6 takes one frame only.
    pub(super) fn takes_many(&self) -> bool {
        self.is_ours || self.framing == Framing::Simple
    }

    /// Whether heartbeats are expected of it now: not of a Simple one, nor of a busy one of others.
    pub(super) fn is_judged_by_heartbeats(&self) -> bool {
        self.framing == Framing::Paranoid && (self.is_ours || self.in_hand.is_empty())
    }
}
