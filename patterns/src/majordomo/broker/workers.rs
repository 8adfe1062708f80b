//! Workers: registered, judged and lost, and their replies. PURE.
#![deny(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation
)]

use std::time::Instant;

use privateer_core::{Frame, Message};

use super::machine::Timer;
use super::peer::Role;
use super::request::Place;
use super::service::Worker;
use super::{BrokerEvent, BrokerMachine, Departure, DropReason, Misbehaviour, Output, PeerKey};
use crate::arena::{Id, Queue};
use crate::heartbeat::Heartbeat;
use crate::majordomo::protocol::{BrokerCommand, ClientMessage, WorkerCommand, is_reserved};
use crate::timers::after;
use crate::token;

impl BrokerMachine {
    pub(super) fn worker_command(&mut self, now: Instant, from: PeerKey, command: WorkerCommand) {
        let Some(peer) = self.peers.get_mut(&from) else {
            return;
        };
        match (command, peer.role) {
            (WorkerCommand::Disconnect, Role::Worker(id)) => {
                self.lose_worker(now, id, Departure::Left);
            }
            (WorkerCommand::Disconnect, _) => peer.role = Role::Left,
            (WorkerCommand::Ready { .. }, Role::Worker(_)) => {
                self.dismiss(now, from, Misbehaviour::SecondReady);
            }
            (WorkerCommand::Ready { service }, _) => self.register(now, from, service),
            // RFC 7: after a worker's DISCONNECT, nothing more is sent to it.
            (WorkerCommand::Reply { .. }, Role::Left) => self.drop_reply(from, DropReason::Unasked),
            (WorkerCommand::Heartbeat, Role::Left) => {}
            (WorkerCommand::Heartbeat, Role::Worker(id)) => self.hear(now, id),
            (WorkerCommand::Reply { address, body }, Role::Worker(id)) => {
                self.hear_reply(now, id, &address, body);
            }
            (WorkerCommand::Reply { address, .. }, Role::PresumedDead)
                if token::read::<()>(self.epoch, &address).is_some() =>
            {
                self.stats.late_replies += 1;
                self.drop_reply(from, DropReason::Late);
                self.dismiss(now, from, Misbehaviour::NotRegistered);
            }
            (WorkerCommand::Reply { .. }, _) => {
                self.drop_reply(from, DropReason::Unasked);
                self.dismiss(now, from, Misbehaviour::NotRegistered);
            }
            (WorkerCommand::Heartbeat, _) => self.dismiss(now, from, Misbehaviour::NotRegistered),
        }
    }

    fn register(&mut self, now: Instant, from: PeerKey, name: Frame) {
        if is_reserved(&name) {
            return self.dismiss(now, from, Misbehaviour::ReservedService);
        }
        let Ok(service_id) = self.service_named(name) else {
            return self.dismiss(now, from, Misbehaviour::TooManyServices);
        };
        let Some(peer) = self.peers.get_mut(&from) else {
            return;
        };
        let Some(service) = self.services.get_mut(service_id) else {
            return;
        };
        let capacity = peer.facts.capacity.get();
        let (options, announced) = (&self.options.heartbeat, peer.facts.heartbeat);
        self.links = self.links.wrapping_add(1);
        let link = Heartbeat::new(now, options, announced, self.epoch ^ self.links);
        let armed = link.beat_due().min(link.expires());
        let id = self.workers.insert(Worker {
            peer: from,
            service: service_id,
            capacity: usize::from(capacity),
            in_hand: Queue::new(),
            link,
            beats_while_busy: peer.facts.privateer,
            armed,
        });
        self.timers.arm(armed, Timer::Worker(id));
        service.workers += 1;
        service.idle.push(&mut self.workers, id);
        let service = service.name.clone();
        peer.role = Role::Worker(id);
        if std::mem::take(&mut peer.paused) {
            self.outputs.push_back(Output::Resume(from));
        }
        self.tell(BrokerEvent::WorkerRegistered {
            worker: from,
            service,
            capacity,
        });
        self.feed(now, service_id);
    }

    /// A HEARTBEAT of a registered worker.
    fn hear(&mut self, now: Instant, id: Id<Worker>) {
        let Some(worker) = self.workers.get_mut(id) else {
            return;
        };
        worker.link.heard(now);
        if worker.is_judged_by_heartbeats() {
            return;
        }
        // A heartbeat can cross a request on the way, and proves nothing then. One that comes when an idle worker would
        // be presumed dead was sent by a worker that beats while it is busy.
        let newest = worker.in_hand.last(&self.requests);
        let place = newest.and_then(|id| Some(self.requests.get(id)?.place));
        if let Some(Place::Hand { since, .. }) = place {
            worker.beats_while_busy = now > after(since, worker.link.expiry());
        }
    }

    fn hear_reply(&mut self, now: Instant, id: Id<Worker>, address: &Frame, body: Message) {
        let request = token::read(self.epoch, address).filter(|request| {
            let request = self.requests.get(*request);
            request.is_some_and(|request| request.is_in_hand_of(id))
        });
        let Some(worker) = self.workers.get_mut(id) else {
            return;
        };
        let had_room = worker.has_room();
        worker.link.heard(now);
        let (from, service_id) = (worker.peer, worker.service);
        let Some(request) = request.and_then(|request| self.forget(request)) else {
            self.drop_reply(from, DropReason::Unasked);
            return self.dismiss(now, from, Misbehaviour::UnaskedReply);
        };
        let Some(service) = self.services.get_mut(service_id) else {
            return;
        };
        if !had_room {
            service.idle.push(&mut self.workers, id);
        }
        match request.client {
            None => self.drop_reply(from, DropReason::ClientGone),
            Some(client) => {
                let reply = ClientMessage {
                    envelope: request.envelope,
                    service: service.name.clone(),
                    body: Some(body),
                };
                self.stats.replies += 1;
                self.send(client, reply.into_message());
            }
        }
        self.feed(now, service_id);
    }

    /// Sends DISCONNECT to a peer that broke the protocol; if it was a worker, it is one no more.
    fn dismiss(&mut self, now: Instant, peer: PeerKey, misbehaviour: Misbehaviour) {
        self.stats.dismissals += 1;
        self.tell(BrokerEvent::Dismissed { peer, misbehaviour });
        if let Some(Role::Worker(id)) = self.peers.get(&peer).map(|peer| peer.role) {
            self.lose_worker(now, id, Departure::Dismissed);
        }
        self.send(peer, BrokerCommand::Disconnect.into_message());
    }

    /// A worker is a worker no more; what it has in hand goes to others.
    pub(super) fn lose_worker(&mut self, now: Instant, id: Id<Worker>, departure: Departure) {
        self.take_out_of_service(id);
        let Some(mut worker) = self.workers.remove(id) else {
            return;
        };
        let service = self.services.get(worker.service);
        let service = service.map_or_else(Frame::empty, |service| service.name.clone());
        if let Some(peer) = self.peers.get_mut(&worker.peer) {
            peer.role = match departure {
                Departure::Left => Role::Left,
                Departure::Expired | Departure::Overdue => Role::PresumedDead,
                _ => Role::NoWorker,
            };
            self.drop_parked_commands(worker.peer);
        }
        self.tell(BrokerEvent::WorkerLost {
            worker: worker.peer,
            service,
            departure,
            in_hand: worker.in_hand.len(),
        });
        while let Some(request) = worker.in_hand.pop(&mut self.requests) {
            self.take_back(now, request);
        }
        if let Some(service) = self.services.get_mut(worker.service) {
            service.workers -= 1;
        }
        self.feed(now, worker.service);
        self.sweep(worker.service);
    }

    /// From now on this worker gets no request.
    pub(super) fn take_out_of_service(&mut self, id: Id<Worker>) {
        let Some(worker) = self.workers.get_mut(id) else {
            return;
        };
        let had_room = worker.has_room();
        worker.capacity = 0;
        let service = worker.service;
        if let Some(service) = self.services.get_mut(service).filter(|_| had_room) {
            service.idle.remove(&mut self.workers, id);
        }
    }

    /// A worker's verdict or its next heartbeat is due.
    pub(super) fn worker_due(&mut self, now: Instant, id: Id<Worker>, due: Instant) {
        let Some(worker) = self.workers.get(id).filter(|worker| worker.armed == due) else {
            return;
        };
        let verdict = self.verdict(worker);
        if verdict <= now {
            let departure = match worker.is_judged_by_heartbeats() {
                true => Departure::Expired,
                false => Departure::Overdue,
            };
            self.stats.expired_workers += 1;
            return self.lose_worker(now, id, departure);
        }
        self.detach_in_hand(id);
        let Some(worker) = self.workers.get_mut(id) else {
            return;
        };
        let to = worker.peer;
        let beat = worker.link.beat_due() <= now;
        if beat {
            worker.link.sent(now);
        }
        worker.armed = worker.link.beat_due().min(verdict);
        self.timers.arm(worker.armed, Timer::Worker(id));
        if beat {
            let message = BrokerCommand::Heartbeat.into_message();
            self.outputs.push_back(Output::SendIfIdle { to, message });
        }
    }

    /// When a worker is presumed dead if nothing is heard of it.
    fn verdict(&self, worker: &Worker) -> Instant {
        let oldest = worker.in_hand.first(&self.requests);
        let place = oldest.and_then(|id| Some(self.requests.get(id)?.place));
        let verdict = match (place, self.services.get(worker.service)) {
            (Some(Place::Hand { since, .. }), Some(service))
                if !worker.is_judged_by_heartbeats() =>
            {
                after(since, service.options.processing_deadline)
            }
            _ => worker.link.expires(),
        };
        self.pauses.judge_at(verdict)
    }

    /// Makes sure that a worker is looked at when this is due.
    pub(super) fn arm_worker(&mut self, id: Id<Worker>, due: Instant) {
        if let Some(worker) = self.workers.get_mut(id).filter(|worker| due < worker.armed) {
            worker.armed = due;
            self.timers.arm(due, Timer::Worker(id));
        }
    }

    /// Lets requests that a worker has had in hand for a while go of what was read together with them.
    ///
    /// The newest stand last, and only they were not looked at before.
    fn detach_in_hand(&mut self, id: Id<Worker>) {
        let Some(worker) = self.workers.get(id) else {
            return;
        };
        let mut next = worker.in_hand.last(&self.requests);
        while let Some(request_id) = next {
            next = worker.in_hand.before(&self.requests, request_id);
            let Some(request) = self.requests.get_mut(request_id) else {
                return;
            };
            let Place::Hand { detached, .. } = &mut request.place else {
                return;
            };
            if std::mem::replace(detached, true) {
                return;
            }
            request.detach();
        }
    }
}
