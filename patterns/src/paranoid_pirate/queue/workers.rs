//! Workers: ready, judged and lost, and their replies. PURE.
#![deny(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation
)]

use std::time::Instant;

use privateer_core::Message;

use super::machine::{Peer, Place, Request, Timer, Worker};
use super::{Departure, DropReason, Output, PeerKey, QueueEvent, QueueMachine};
use crate::arena::{Id, Queue};
use crate::heartbeat::Heartbeat;
use crate::majordomo::PeerFacts;
use crate::paranoid_pirate::protocol::{Framing, FromWorker, ToWorker};
use crate::timers::after;
use crate::token;

impl QueueMachine {
    /// Somebody connected to the workers' side, and announced these facts. Comes before its first message.
    pub fn worker_up(&mut self, now: Instant, key: PeerKey, facts: PeerFacts) {
        self.worker_down(now, key);
        let worker = None;
        self.peers.insert(key, Peer { facts, worker });
    }

    /// A connection to the workers' side ended. Comes after its last message; what its worker had in hand goes to others.
    pub fn worker_down(&mut self, now: Instant, key: PeerKey) {
        let Some(peer) = self.peers.remove(&key) else {
            return;
        };
        if let Some(id) = peer.worker {
            self.lose(now, id, Departure::ConnectionLost);
        }
    }

    /// A message came in on the workers' side.
    pub fn worker_message(&mut self, now: Instant, from: PeerKey, message: Message) {
        let (framing, said) = match FromWorker::read(message, self.options.max_frames) {
            Ok(read) => read,
            Err(kind) => return self.drop_malformed(from, kind),
        };
        let Some(peer) = self.peers.get(&from) else {
            return;
        };
        let worker = peer.worker;
        if let Some(worker) = worker.and_then(|id| self.workers.get_mut(id)) {
            worker.link.heard(now);
        }
        match (said, worker) {
            (FromWorker::Ready, None) => self.register(now, from, framing),
            (FromWorker::Ready, Some(_)) => self.stats.repeated_ready += 1,
            (FromWorker::Heartbeat, Some(_)) | (FromWorker::Goodbye, None) => {}
            (FromWorker::Heartbeat, None) if self.options.heartbeat_registers => {
                self.register(now, from, framing);
            }
            (FromWorker::Heartbeat, None) => self.stats.strange_heartbeats += 1,
            (FromWorker::Goodbye, Some(id)) => self.retire(now, id),
            (FromWorker::Reply { address, body }, _) => {
                let named = match address.frames() {
                    [address] => token::read::<Request>(self.epoch, address),
                    _ => None,
                };
                match named.filter(|id| worker.is_some() && self.holder(*id) == worker) {
                    Some(request) => self.answered(now, request, &body),
                    None => self.strange_reply(now, from, framing, named.is_some()),
                }
            }
        }
    }

    fn register(&mut self, now: Instant, from: PeerKey, framing: Framing) {
        let Some(peer) = self.peers.get_mut(&from) else {
            return;
        };
        let facts = peer.facts;
        let capacity = facts.capacity.get();
        self.links = self.links.wrapping_add(1);
        let seed = self.epoch ^ self.links;
        let id = self.workers.insert(Worker {
            peer: from,
            framing,
            is_ours: facts.privateer,
            capacity: usize::from(capacity),
            is_leaving: false,
            in_hand: Queue::new(),
            link: Heartbeat::new(now, &self.options.heartbeat, facts.heartbeat, seed),
            turn: 0,
            armed: None,
        });
        peer.worker = Some(id);
        self.capable += usize::from(self.takes_many(id));
        self.tell(QueueEvent::WorkerReady {
            worker: from,
            framing,
            capacity,
        });
        self.join_idle(id);
        self.arm_worker(id);
        self.feed(now);
    }

    /// A reply came that answers nothing that its worker has in hand; perhaps it had it once.
    fn strange_reply(&mut self, now: Instant, from: PeerKey, framing: Framing, is_late: bool) {
        let worker = self.peers.get(&from).and_then(|peer| peer.worker);
        match worker {
            None if is_late => {
                self.drop_reply(from, DropReason::Late);
                // Given up, it answered after all: that makes it idle.
                self.register(now, from, framing);
            }
            None => self.drop_reply(from, DropReason::Unasked),
            // It had several when it was given up.
            Some(_) if is_late => self.drop_reply(from, DropReason::Late),
            Some(worker) => {
                self.drop_reply(from, DropReason::Unasked);
                self.lose(now, worker, Departure::Misbehaved);
            }
        }
    }

    fn answered(&mut self, now: Instant, id: Id<Request>, body: &Message) {
        let Some(worker_id) = self.holder(id) else {
            return;
        };
        self.leave_idle(worker_id);
        if let Some(worker) = self.workers.get_mut(worker_id) {
            worker.in_hand.remove(&mut self.requests, id);
        }
        if let Some(request) = self.requests.remove(id) {
            if let Some(key) = request.key {
                self.calls.answered(now, key, body);
            }
            self.reply_to(request.routes, body);
        }
        let worker = self.workers.get(worker_id);
        if worker.is_some_and(|worker| worker.is_leaving && worker.in_hand.is_empty()) {
            return self.lose(now, worker_id, Departure::Left);
        }
        self.join_idle(worker_id);
        self.arm_worker(worker_id);
        self.feed(now);
    }

    /// It gets no more requests, and is forgotten when it has answered those in hand.
    fn retire(&mut self, now: Instant, id: Id<Worker>) {
        self.leave_idle(id);
        let Some(worker) = self.workers.get_mut(id) else {
            return;
        };
        worker.is_leaving = true;
        if worker.in_hand.is_empty() {
            self.lose(now, id, Departure::Left);
        }
    }

    /// A worker is a worker no more; what it has in hand goes to others.
    fn lose(&mut self, now: Instant, id: Id<Worker>, departure: Departure) {
        self.leave_idle(id);
        let takes_many = self.takes_many(id);
        let Some(mut worker) = self.workers.remove(id) else {
            return;
        };
        self.capable -= usize::from(takes_many);
        if let Some(peer) = self.peers.get_mut(&worker.peer) {
            peer.worker = None;
        }
        self.tell(QueueEvent::WorkerLost {
            worker: worker.peer,
            departure,
            in_hand: worker.in_hand.len(),
        });
        while let Some(request) = worker.in_hand.pop(&mut self.requests) {
            self.take_back(now, request);
        }
        self.feed(now);
    }

    /// A worker's verdict or its next heartbeat is due.
    pub(super) fn worker_due(&mut self, now: Instant, id: Id<Worker>, due: Instant) {
        let worker = self.workers.get_mut(id);
        let Some(worker) = worker.filter(|worker| worker.armed == Some(due)) else {
            return;
        };
        worker.armed = None;
        let by_heartbeats = worker.is_judged_by_heartbeats();
        if self.verdict(id).is_some_and(|verdict| verdict <= now) {
            self.stats.expired_workers += 1;
            let departure = match by_heartbeats {
                true => Departure::Expired,
                false => Departure::Overdue,
            };
            return self.lose(now, id, departure);
        }
        let Some(worker) = self.workers.get_mut(id) else {
            return;
        };
        if worker.framing == Framing::Paranoid && worker.link.beat_due() <= now {
            worker.link.sent(now);
            let to = worker.peer;
            let message = ToWorker::Heartbeat.into_message(Framing::Paranoid);
            self.outputs.push_back(Output::Beat { to, message });
        }
        self.arm_worker(id);
    }

    /// When a worker is presumed dead if nothing is heard of it.
    fn verdict(&self, id: Id<Worker>) -> Option<Instant> {
        let worker = self.workers.get(id)?;
        let verdict = match worker.is_judged_by_heartbeats() {
            true => worker.link.expires(),
            false => {
                let oldest = worker.in_hand.first(&self.requests)?;
                let since = self.requests.get(oldest)?.since()?;
                after(since, self.options.processing_deadline)
            }
        };
        Some(self.pauses.judge_at(verdict))
    }

    /// Makes sure that a worker is looked at in time.
    pub(super) fn arm_worker(&mut self, id: Id<Worker>) {
        let verdict = self.verdict(id);
        let Some(worker) = self.workers.get_mut(id) else {
            return;
        };
        let beats = worker.framing == Framing::Paranoid;
        let beat = beats.then(|| worker.link.beat_due());
        let Some(due) = [verdict, beat].into_iter().flatten().min() else {
            return;
        };
        if worker.armed.is_none_or(|armed| due < armed) {
            worker.armed = Some(due);
            self.arm(due, Timer::Worker(id));
        }
    }

    /// Takes a worker out of the idle ones, if it is among them.
    pub(super) fn leave_idle(&mut self, id: Id<Worker>) {
        let Some(worker) = self.workers.get(id).filter(|worker| worker.has_room()) else {
            return;
        };
        match worker.takes_many() {
            true => self.idle.any.remove(&mut self.workers, id),
            false => self.idle.single.remove(&mut self.workers, id),
        }
    }

    /// Puts a worker, which is not among the idle ones, behind them, if it has room.
    pub(super) fn join_idle(&mut self, id: Id<Worker>) {
        let worker = self.workers.get_mut(id);
        let Some(worker) = worker.filter(|worker| worker.has_room()) else {
            return;
        };
        self.turn += 1;
        worker.turn = self.turn;
        match worker.takes_many() {
            true => self.idle.any.push(&mut self.workers, id),
            false => self.idle.single.push(&mut self.workers, id),
        }
    }
}

impl QueueMachine {
    fn holder(&self, id: Id<Request>) -> Option<Id<Worker>> {
        self.requests.get(id).and_then(Request::holder)
    }
}

impl Request {
    const fn holder(&self) -> Option<Id<Worker>> {
        match self.place {
            Place::Hand { worker, .. } => Some(worker),
            Place::Waiting { .. } => None,
        }
    }

    const fn since(&self) -> Option<Instant> {
        match self.place {
            Place::Hand { since, .. } => Some(since),
            Place::Waiting { .. } => None,
        }
    }
}
