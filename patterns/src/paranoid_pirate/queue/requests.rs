//! Requests: given to workers, taken back, dropped. PURE.
#![deny(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation
)]

use std::time::Instant;

use privateer_core::{Frame, Message};

use super::machine::{Place, Request, Route, Timer, Worker};
use super::{DropReason, Output, PeerKey, QueueEvent, QueueMachine};
use crate::arena::Id;
use crate::idempotency::join;
use crate::majordomo::broker::cost;
use crate::paranoid_pirate::protocol::{ClientMessage, Framing, Malformed, ToWorker};
use crate::timers::after;
use crate::token;

impl QueueMachine {
    /// Gives requests that wait to workers that have room, until either is used up.
    pub(super) fn feed(&mut self, now: Instant) {
        while let Some((worker, request)) = self.next_pair() {
            self.stop_waiting(request);
            self.give(now, worker, request);
        }
    }

    /// The worker that has waited longest of those that take such a request.
    pub(super) fn idle_for(&self, is_single: bool) -> Option<Id<Worker>> {
        let any = self.idle.any.first(&self.workers);
        let single = self.idle.single.first(&self.workers);
        let candidates = [any, single.filter(|_| is_single)];
        let turn = |id: &Id<Worker>| self.workers.get(*id).map(|worker| worker.turn);
        candidates.into_iter().flatten().min_by_key(turn)
    }

    pub(super) fn takes_many(&self, id: Id<Worker>) -> bool {
        self.workers.get(id).is_some_and(Worker::takes_many)
    }

    /// Hands a request, which is in no queue, to a worker that has room.
    pub(super) fn give(&mut self, now: Instant, worker_id: Id<Worker>, id: Id<Request>) {
        self.leave_idle(worker_id);
        let Some(request) = self.requests.get_mut(id) else {
            return;
        };
        let Some(worker) = self.workers.get_mut(worker_id) else {
            return;
        };
        request.attempts += 1;
        request.place = Place::Hand {
            worker: worker_id,
            since: now,
        };
        let address = match worker.framing {
            Framing::Paranoid => token::write(self.epoch, id),
            // The guide's `lbbroker` has workers that read it as a string of C.
            Framing::Simple => token::write_text(self.epoch, id),
        };
        let command = ToWorker::Request {
            address: Message::from(address),
            body: request.body.clone(),
        };
        worker.in_hand.push(&mut self.requests, id);
        worker.link.sent(now);
        let to = worker.peer;
        let message = command.into_message(worker.framing);
        self.outputs.push_back(Output::ToWorker { to, message });
        self.join_idle(worker_id);
        self.arm_worker(worker_id);
    }

    /// Takes back a request that a lost worker had in hand: it waits for another one, or is dropped.
    pub(super) fn take_back(&mut self, now: Instant, id: Id<Request>) {
        let expires = after(now, self.options.queue_ttl);
        let most = self.options.attempts.get();
        let Some(request) = self.requests.get_mut(id) else {
            return;
        };
        request.place = Place::Waiting { expires };
        let attempts = request.attempts;
        if attempts >= most {
            return self.drop_request(now, id, DropReason::AttemptsExhausted);
        }
        self.stats.redispatched += 1;
        self.tell(QueueEvent::Redispatched { attempts });
        self.wait(id);
    }

    /// Lets a request, which is in no queue, wait for a worker.
    pub(super) fn wait(&mut self, id: Id<Request>) {
        let is_single = self.is_single(id);
        let Some(request) = self.requests.get_mut(id) else {
            return;
        };
        let cost = request.cost;
        let Place::Waiting { expires } = request.place else {
            return;
        };
        let body = std::mem::replace(&mut request.body, Message::from(Frame::empty()));
        request.body = body.detach();
        match is_single {
            true => self.waiting.push(&mut self.requests, id),
            false => {
                self.waiting_many.push(&mut self.requests, id);
                self.waiting_bytes += cost;
            }
        }
        self.arm(expires, Timer::Request(id));
    }

    /// Takes a request that waits out of its queue.
    fn stop_waiting(&mut self, id: Id<Request>) {
        if self.is_single(id) {
            return self.waiting.remove(&mut self.requests, id);
        }
        self.waiting_many.remove(&mut self.requests, id);
        let cost = self.requests.get(id).map_or(0, |request| request.cost);
        self.waiting_bytes = self.waiting_bytes.saturating_sub(cost);
    }

    /// A request may have waited long enough.
    pub(super) fn request_due(&mut self, id: Id<Request>, due: Instant) {
        let place = self.requests.get(id).map(|request| request.place);
        if !matches!(place, Some(Place::Waiting { expires }) if expires == due) {
            return;
        }
        self.stop_waiting(id);
        self.drop_request(due, id, DropReason::Expired);
    }

    /// Drops a request that is in no queue.
    pub(super) fn drop_request(&mut self, now: Instant, id: Id<Request>, reason: DropReason) {
        let Some(request) = self.requests.remove(id) else {
            return;
        };
        match (request.key, reason) {
            (Some(key), DropReason::AttemptsExhausted) => self.calls.failed(now, key),
            (Some(key), _) => self.calls.forget(key),
            (None, _) => {}
        }
        self.drop_now(request, reason);
    }

    /// All who asked for it get no reply.
    pub(super) fn drop_now(&mut self, request: Request, reason: DropReason) {
        for (client, _) in request.routes {
            self.stats.drop_for(reason);
            self.tell(QueueEvent::RequestDropped {
                client,
                reason,
                attempts: request.attempts,
                body: request.body.clone(),
            });
        }
    }

    /// A request repeats one that is not answered yet, and waits for the same reply; the oldest of too many is forgotten.
    pub(super) fn join(&mut self, id: Id<Request>, repeat: Request) {
        self.stats.repeated += 1;
        let is_counted = !self.is_single(id);
        let Some(request) = self.requests.get_mut(id) else {
            return;
        };
        let before = request.cost;
        let mut forgotten = Vec::new();
        for route in repeat.routes {
            request.cost += route_cost(&route);
            forgotten.extend(join(&mut request.routes, route));
        }
        let gone: usize = forgotten.iter().map(route_cost).sum();
        request.cost = request.cost.saturating_sub(gone);
        if is_counted && matches!(request.place, Place::Waiting { .. }) {
            self.waiting_bytes = self.waiting_bytes.saturating_sub(before) + request.cost;
        }
        for (client, _) in forgotten {
            self.drop_reply(client, DropReason::Repeated);
        }
    }

    pub(super) fn reply_to(&mut self, routes: Vec<Route>, body: &Message) {
        for (to, envelope) in routes {
            let body = body.clone();
            let message = ClientMessage { envelope, body }.into_message();
            self.stats.replies += 1;
            self.outputs.push_back(Output::ToClient { to, message });
        }
    }

    pub(super) fn drop_reply(&mut self, peer: PeerKey, reason: DropReason) {
        self.stats.drop_for(reason);
        self.tell(QueueEvent::ReplyDropped { peer, reason });
    }

    pub(super) fn drop_malformed(&mut self, peer: PeerKey, kind: Malformed) {
        self.stats.drop_malformed(kind);
        self.tell(QueueEvent::Malformed { peer, kind });
    }

    pub(super) fn arm(&mut self, due: Instant, timer: Timer) {
        self.timers.arm(due, timer);
        // Workers and requests that are gone leave their entries behind: these must not pile up.
        const SLACK: usize = 64;
        let meant = self.workers.len() + self.waiting.len() + self.waiting_many.len();
        if self.timers.len() > 2 * meant + SLACK {
            let (workers, requests) = (&self.workers, &self.requests);
            self.timers.retain(|due, timer| match timer {
                Timer::Worker(id) => {
                    let worker = workers.get(*id);
                    worker.is_some_and(|worker| worker.armed == Some(due))
                }
                Timer::Request(id) => requests.get(*id).is_some_and(
                    |request| matches!(request.place, Place::Waiting { expires } if expires == due),
                ),
            });
        }
    }

    fn is_single(&self, id: Id<Request>) -> bool {
        let request = self.requests.get(id);
        request.is_some_and(|request| request.body.len() == 1)
    }

    /// A request that waits, and an idle worker that takes it.
    fn next_pair(&self) -> Option<(Id<Worker>, Id<Request>)> {
        let many = self.waiting_many.first(&self.requests);
        let single = self.waiting.first(&self.requests);
        let of_many = many.and_then(|request| Some((self.idle_for(false)?, request)));
        of_many.or_else(|| single.and_then(|request| Some((self.idle_for(true)?, request))))
    }
}

/// What it costs to keep a route, in bytes.
pub(super) fn route_cost((_, envelope): &Route) -> usize {
    envelope.as_ref().map_or(0, cost)
}
