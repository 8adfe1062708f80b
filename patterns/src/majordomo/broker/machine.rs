//! [`BrokerMachine`]: what goes into a broker and what comes out. PURE.
#![deny(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation
)]

use std::collections::{HashMap, VecDeque};
use std::time::Instant;

use privateer_core::{Frame, Message};

use super::peer::{Flow, Peer, Peers, Role};
use super::request::{Place, Requests};
use super::service::{Service, Services, Worker, Workers};
use super::{BrokerEvent, BrokerOptions, BrokerStats, Departure, DropReason, Output, PeerKey};
use crate::arena::{Arena, Id};
use crate::heartbeat::Pauses;
use crate::majordomo::PeerFacts;
use crate::majordomo::protocol::{BrokerCommand, Malformed, ToBroker};
use crate::timers::Timers;

/// A Majordomo broker without sockets (RFC 7 version 0.1, RFC 8).
///
/// Inputs are the methods `peer_up`, `peer_down` and `handle_…`; after each of them call
/// [`poll_output`](Self::poll_output) until it gives nothing, then wait for the next input or for
/// [`next_timeout`](Self::next_timeout). No input costs time that grows with the number of peers, services or requests;
/// only the loss of a peer takes time for each request that it made or had in hand.
///
/// What it guarantees: a request is kept whole until its worker replied; if that worker is lost, another one gets it,
/// up to [`ServiceOptions::attempts`](super::ServiceOptions::attempts) times. A reply is passed on only if its worker has
/// the request in hand. Whatever is dropped is counted and told as an event.
#[derive(Debug)]
pub struct BrokerMachine {
    pub(super) options: BrokerOptions,
    pub(super) epoch: u64,
    pub(super) peers: Peers,
    pub(super) names: HashMap<Frame, Id<Service>>,
    pub(super) services: Services,
    pub(super) workers: Workers,
    pub(super) requests: Requests,
    pub(super) timers: Timers<Timer>,
    pub(super) pauses: Pauses,
    /// Links to workers that there were: each beats at a time of its own.
    pub(super) links: u64,
    pub(super) outputs: VecDeque<Output>,
    /// Peers whose parked messages may be tried again.
    pub(super) draining: VecDeque<PeerKey>,
    /// How many peers have a flow that is not open.
    pub(super) mute: usize,
    pub(super) stats: BrokerStats,
}

/// What becomes due.
#[derive(Clone, Copy, Debug)]
pub(super) enum Timer {
    /// A heartbeat to this worker, or a verdict on it.
    Worker(Id<Worker>),
    /// The end of the wait of the oldest request for this service.
    Service(Id<Service>),
}

impl BrokerMachine {
    /// A broker without peers.
    ///
    /// `epoch` must differ from that of a former broker at the same address, so that replies to that one are
    /// recognised: give it 64 random bits.
    #[must_use]
    pub fn new(options: BrokerOptions, epoch: u64) -> Self {
        Self {
            pauses: Pauses::new(options.heartbeat.interval),
            options,
            epoch,
            peers: Peers::default(),
            names: HashMap::new(),
            services: Arena::new(),
            workers: Arena::new(),
            requests: Arena::new(),
            timers: Timers::new(),
            links: 0,
            outputs: VecDeque::new(),
            draining: VecDeque::new(),
            mute: 0,
            stats: BrokerStats::default(),
        }
    }

    /// A peer is connected, and announced these facts. Comes before its first message.
    pub fn peer_up(&mut self, now: Instant, peer: PeerKey, facts: PeerFacts) {
        self.peer_down(now, peer);
        self.peers.insert(peer, Peer::new(facts));
    }

    /// The connection to a peer ended. Comes after its last message.
    ///
    /// Requests that it made and that wait are dropped; those that it had in hand are given to other workers.
    pub fn peer_down(&mut self, now: Instant, key: PeerKey) {
        let Some(mut peer) = self.peers.remove(&key) else {
            return;
        };
        if peer.flow != Flow::Open {
            self.mute -= 1;
        }
        for message in peer.parked {
            self.stats.parked -= 1;
            self.drop_unroutable(key, peer.role, &message);
        }
        while let Some(id) = peer.requests.pop(&mut self.requests) {
            match self.requests.get_mut(id) {
                Some(request) if matches!(request.place, Place::Hand { .. }) => {
                    request.client = None;
                }
                _ => self.drop_request(id, DropReason::ClientGone),
            }
        }
        if let Role::Worker(id) = peer.role {
            self.lose_worker(now, id, Departure::ConnectionLost);
        }
    }

    /// A message of a peer that is up came in.
    pub fn handle_message(&mut self, now: Instant, from: PeerKey, message: Message) {
        match ToBroker::read(message, self.options.max_frames) {
            Ok(ToBroker::Client(request)) => self.client_request(now, from, request),
            Ok(ToBroker::Worker(command)) => self.worker_command(now, from, command),
            Err(kind) => self.drop_malformed(from, kind),
        }
    }

    /// The time of [`next_timeout`](Self::next_timeout) has come; too early does no harm.
    ///
    /// If it is late by more than a heartbeat interval, this process was stopped, and what peers sent in that time is
    /// not read yet. Then nobody is judged before another interval has passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        let due = self.timers.next();
        if let Some(late) = due.and_then(|due| self.pauses.woken(now, due)) {
            self.stats.clock_pauses += 1;
            self.tell(BrokerEvent::ClockPaused { late });
        }
        while let Some((due, timer)) = self.timers.pop(now) {
            match timer {
                Timer::Worker(id) => self.worker_due(now, id, due),
                Timer::Service(id) => self.service_due(now, id, due),
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
        if self.mute == 0 {
            return self.outputs.pop_front();
        }
        while let Some(output) = self.outputs.pop_front() {
            if let Some(output) = self.unless_mute(output) {
                return Some(output);
            }
        }
        self.next_parked()
    }

    /// What was counted, and what is held now.
    #[must_use]
    pub fn stats(&self) -> BrokerStats {
        BrokerStats {
            services: self.services.len(),
            workers: self.workers.len(),
            ..self.stats.clone()
        }
    }

    /// Sends DISCONNECT to all workers: the last step of an orderly end, when nothing is in flight any more.
    ///
    /// What is in flight nevertheless is queued again, and is lost with the broker.
    pub fn dismiss_workers(&mut self, now: Instant) {
        let role = |(&key, peer): (&PeerKey, &Peer)| match peer.role {
            Role::Worker(id) => Some((key, id)),
            _ => None,
        };
        let workers: Vec<_> = self.peers.iter().filter_map(role).collect();
        for &(_, id) in &workers {
            self.take_out_of_service(id);
        }
        for (to, id) in workers {
            self.lose_worker(now, id, Departure::BrokerStopped);
            self.send(to, BrokerCommand::Disconnect.into_message());
        }
    }

    pub(super) fn drop_malformed(&mut self, peer: PeerKey, kind: Malformed) {
        self.stats.drop_malformed(kind);
        self.tell(BrokerEvent::Malformed { peer, kind });
    }

    pub(super) fn send(&mut self, to: PeerKey, message: Message) {
        self.outputs.push_back(Output::Send { to, message });
    }

    pub(super) fn tell(&mut self, event: BrokerEvent) {
        self.outputs.push_back(Output::Event(event));
    }
}
