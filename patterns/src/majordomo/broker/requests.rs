//! Requests of clients: admitted, queued, given to workers, taken back, dropped. PURE.
#![deny(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation
)]

use std::time::Instant;

use privateer_core::{Frame, Message};

use super::machine::Timer;
use super::request::{Place, Request, cost};
use super::service::{Service, Worker};
use super::{BrokerEvent, BrokerMachine, DropReason, Output, PeerKey};
use crate::arena::Id;
use crate::majordomo::protocol::{BrokerCommand, ClientMessage, Malformed, is_reserved};
use crate::timers::after;
use crate::token;

impl BrokerMachine {
    pub(super) fn client_request(&mut self, now: Instant, from: PeerKey, request: ClientMessage) {
        self.stats.requests += 1;
        if is_reserved(&request.service) {
            return self.answer(from, request);
        }
        let Some(body) = request.body else {
            return self.drop_malformed(from, Malformed::NoBody);
        };
        let cost = cost(&body) + request.envelope.as_ref().map_or(0, cost);
        let refused = match self.peers.get(&from) {
            None => Some(DropReason::ClientGone),
            Some(peer) if peer.is_worker() && peer.held + cost > self.options.client_bytes => {
                Some(DropReason::ClientBytes)
            }
            Some(_) => None,
        };
        if let Some(reason) = refused {
            return self.refuse(Some(from), request.service, body, reason);
        }
        let service = match self.service_named(request.service) {
            Ok(service) => service,
            Err(name) => return self.refuse(Some(from), name, body, DropReason::TooManyServices),
        };
        let request = Request {
            client: Some(from),
            service,
            envelope: request.envelope,
            body,
            cost,
            attempts: 0,
            place: Place::Fresh { expires: now },
        };
        match self.idle_worker(service) {
            Some(worker) => self.dispatch(now, request, worker),
            None => self.enqueue(now, request),
        }
    }

    /// Gives a new request to an idle worker at once.
    fn dispatch(&mut self, now: Instant, mut request: Request, worker: Id<Worker>) {
        // A list of one frame is kept as just that frame; the list itself becomes the command.
        let kept = match request.body.frames() {
            [only] => Message::from(only.clone()),
            _ => request.body.clone(),
        };
        let body = std::mem::replace(&mut request.body, kept);
        request.attempts = 1;
        request.place = in_hand(worker, now);
        let id = self.admit(request);
        self.give(now, worker, id, body);
    }

    /// Lets a new request wait for a worker.
    fn enqueue(&mut self, now: Instant, mut request: Request) {
        let id = request.service;
        let Some(service) = self.services.get(id) else {
            return;
        };
        if service.queued() >= service.options.max_queued {
            let name = service.name.clone();
            self.sweep(id);
            return self.refuse(request.client, name, request.body, DropReason::QueueFull);
        }
        let expires = after(now, service.options.queue_ttl);
        request.detach();
        request.place = Place::Fresh { expires };
        let request = self.admit(request);
        if let Some(service) = self.services.get_mut(id) {
            service.fresh.push(&mut self.requests, request);
        }
        self.stats.queued += 1;
        self.arm_service(id, expires);
    }

    /// Keeps a request, and counts it against its client's bound.
    fn admit(&mut self, request: Request) -> Id<Request> {
        let (client, cost) = (request.client, request.cost);
        let id = self.requests.insert(request);
        let Some(client) = client else {
            return id;
        };
        if let Some(peer) = self.peers.get_mut(&client) {
            peer.requests.push(&mut self.requests, id);
            if peer.charge(cost, self.options.client_bytes) {
                self.outputs.push_back(Output::Pause(client));
            }
        }
        id
    }

    /// Hands a request, which is in no queue, to a worker that has room.
    fn give(&mut self, now: Instant, worker_id: Id<Worker>, request: Id<Request>, body: Message) {
        let Some(worker) = self.workers.get_mut(worker_id) else {
            return;
        };
        worker.in_hand.push(&mut self.requests, request);
        worker.link.sent(now);
        let (to, has_room) = (worker.peer, worker.has_room());
        let by_deadline = !worker.is_judged_by_heartbeats();
        self.stats.in_flight += 1;
        if let Some(service) = self.services.get_mut(worker.service) {
            service.idle.remove(&mut self.workers, worker_id);
            if has_room {
                service.idle.push(&mut self.workers, worker_id);
            }
            if by_deadline {
                let due = after(now, service.options.processing_deadline);
                self.arm_worker(worker_id, due);
            }
        }
        let address = token::write(self.epoch, request);
        let command = BrokerCommand::Request { address, body };
        self.send(to, command.into_message());
    }

    /// Gives requests that wait to workers that have room, until either is used up.
    pub(super) fn feed(&mut self, now: Instant, service_id: Id<Service>) {
        while let Some(worker) = self.idle_worker(service_id) {
            let Some(id) = self.first_queued(service_id) else {
                return;
            };
            let Some(request) = self.requests.get_mut(id) else {
                return;
            };
            if request.expires().is_some_and(|expires| expires <= now) {
                self.drop_request(id, DropReason::Expired);
                continue;
            }
            let queue = std::mem::replace(&mut request.place, in_hand(worker, now));
            request.attempts += 1;
            let body = request.body.clone();
            self.leave(id, service_id, queue);
            self.give(now, worker, id, body);
        }
    }

    /// Takes back a request that a lost worker had in hand: it waits for another one, or is dropped.
    pub(super) fn take_back(&mut self, now: Instant, id: Id<Request>) {
        let Some(request) = self.requests.get_mut(id) else {
            return;
        };
        let Some(service) = self.services.get_mut(request.service) else {
            return;
        };
        if request.client.is_none() {
            return self.drop_request(id, DropReason::ClientGone);
        }
        if request.attempts >= service.options.attempts.get() {
            return self.drop_request(id, DropReason::AttemptsExhausted);
        }
        let expires = after(now, service.options.queue_ttl);
        request.place = Place::Again { expires };
        request.detach();
        let (service_id, attempts) = (request.service, request.attempts);
        let name = service.name.clone();
        service.again.push(&mut self.requests, id);
        self.stats.in_flight -= 1;
        self.stats.queued += 1;
        self.stats.redispatched += 1;
        self.tell(BrokerEvent::Redispatched {
            service: name,
            attempts,
        });
        self.arm_service(service_id, expires);
    }

    /// Forgets a request: it leaves its queues and no longer counts against its client's bound.
    pub(super) fn forget(&mut self, id: Id<Request>) -> Option<Request> {
        let request = self.requests.get(id)?;
        let (place, service, client) = (request.place, request.service, request.client);
        self.leave(id, service, place);
        let request = self.requests.get(id)?;
        let cost = request.cost;
        if let Some(client) = client
            && let Some(peer) = self.peers.get_mut(&client)
        {
            peer.requests.remove(&mut self.requests, id);
            if peer.release(cost, self.options.client_bytes) {
                self.outputs.push_back(Output::Resume(client));
            }
        }
        self.requests.remove(id)
    }

    /// Takes a request out of the queue of its place.
    fn leave(&mut self, id: Id<Request>, service: Id<Service>, place: Place) {
        let service = self.services.get_mut(service);
        match place {
            Place::Fresh { .. } => {
                self.stats.queued -= 1;
                if let Some(service) = service {
                    service.fresh.remove(&mut self.requests, id);
                }
            }
            Place::Again { .. } => {
                self.stats.queued -= 1;
                if let Some(service) = service {
                    service.again.remove(&mut self.requests, id);
                }
            }
            Place::Hand { worker, .. } => {
                self.stats.in_flight -= 1;
                if let Some(worker) = self.workers.get_mut(worker) {
                    worker.in_hand.remove(&mut self.requests, id);
                }
            }
        }
    }

    /// Drops a request that was admitted, and its service if nothing else needs it.
    pub(super) fn drop_request(&mut self, id: Id<Request>, reason: DropReason) {
        let Some(request) = self.forget(id) else {
            return;
        };
        let service = self.services.get(request.service);
        let name = service.map_or_else(Frame::empty, |service| service.name.clone());
        self.stats.drop_for(reason);
        self.tell(BrokerEvent::RequestDropped {
            client: request.client,
            service: name,
            reason,
            attempts: request.attempts,
            body: request.body,
        });
        self.sweep(request.service);
    }

    /// Drops a request that was not admitted.
    fn refuse(
        &mut self,
        client: Option<PeerKey>,
        service: Frame,
        body: Message,
        reason: DropReason,
    ) {
        self.stats.drop_for(reason);
        self.tell(BrokerEvent::RequestDropped {
            client,
            service,
            reason,
            attempts: 0,
            body,
        });
    }

    /// The service of this name, which is made if there is room for one more; otherwise the name comes back.
    pub(super) fn service_named(&mut self, name: Frame) -> Result<Id<Service>, Frame> {
        if let Some(id) = self.names.get(&name) {
            return Ok(*id);
        }
        if self.services.len() >= self.options.max_services {
            return Err(name);
        }
        let name = name.detach();
        let options = self.options.for_service(&name);
        let id = self.services.insert(Service::new(name.clone(), options));
        self.names.insert(name, id);
        Ok(id)
    }

    /// Forgets a service that has neither workers nor requests that wait.
    pub(super) fn sweep(&mut self, id: Id<Service>) {
        if self.services.get(id).is_some_and(Service::is_unused)
            && let Some(service) = self.services.remove(id)
        {
            self.names.remove(&service.name);
        }
    }

    /// The oldest request for this service may have waited long enough.
    pub(super) fn service_due(&mut self, now: Instant, id: Id<Service>, due: Instant) {
        match self.services.get_mut(id) {
            Some(service) if service.armed == Some(due) => service.armed = None,
            _ => return,
        }
        loop {
            let Some(service) = self.services.get(id) else {
                return;
            };
            let first = [
                service.again.first(&self.requests),
                service.fresh.first(&self.requests),
            ];
            let expiry = |id| Some((self.requests.get(id)?.expires()?, id));
            let earliest = first.into_iter().flatten().filter_map(expiry);
            match earliest.min_by_key(|(expires, _)| *expires) {
                Some((expires, request)) if expires <= now => {
                    self.drop_request(request, DropReason::Expired);
                }
                Some((expires, _)) => return self.arm_service(id, expires),
                None => return,
            }
        }
    }

    /// Makes sure that a service is looked at when this is due.
    fn arm_service(&mut self, id: Id<Service>, due: Instant) {
        let Some(service) = self.services.get_mut(id) else {
            return;
        };
        if service.armed.is_none_or(|armed| due < armed) {
            service.armed = Some(due);
            self.timers.arm(due, Timer::Service(id));
        }
    }

    fn idle_worker(&self, service: Id<Service>) -> Option<Id<Worker>> {
        self.services.get(service)?.idle.first(&self.workers)
    }

    fn first_queued(&self, service: Id<Service>) -> Option<Id<Request>> {
        let service = self.services.get(service)?;
        let again = service.again.first(&self.requests);
        again.or_else(|| service.fresh.first(&self.requests))
    }
}

const fn in_hand(worker: Id<Worker>, since: Instant) -> Place {
    Place::Hand {
        worker,
        since,
        detached: false,
    }
}
