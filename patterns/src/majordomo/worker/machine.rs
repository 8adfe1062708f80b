//! [`WorkerMachine`]: what goes into a worker and what comes out. PURE.
#![deny(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation
)]

use std::collections::{HashMap, VecDeque};
use std::time::Instant;

use privateer_core::Message;

use super::dialect::{Dialect, Heard};
use super::{Output, RequestKey, WorkerEvent, WorkerOptions, WorkerStats};
use crate::heartbeat::{Heartbeat, Pauses};
use crate::majordomo::{PeerFacts, ServiceName};
use crate::retry::{Backoff, Jitter};

/// A Majordomo worker without sockets (RFC 7 version 0.1); the workers of the Pirate patterns are the same machine.
///
/// After each input call [`poll_output`](Self::poll_output) until it gives nothing, then wait for the next input or
/// for [`next_timeout`](Self::next_timeout). Heartbeats are the machine's: drive it from a task that never waits for a
/// handler.
///
/// - A broker that is silent for liveness × interval is given up. A broker that is a stranger is not judged while a
///   request is in hand: the reference broker sends no heartbeats to busy workers.
/// - What is in hand when a connection ends is abandoned: the broker gives it to another worker, and does not know this
///   connection's requests on the next one.
#[derive(Debug)]
pub struct WorkerMachine {
    options: WorkerOptions,
    dialect: Dialect,
    state: State,
    stopping: bool,
    /// The addresses of the requests that are worked on.
    in_hand: HashMap<RequestKey, Message>,
    /// Requests beyond the capacity, the oldest first.
    waiting: VecDeque<(Message, Message)>,
    next_key: u64,
    backoff: Backoff,
    /// Differs from link to link.
    seed: u64,
    outputs: VecDeque<Output>,
    stats: WorkerStats,
}

#[derive(Debug)]
enum State {
    /// There is no connection, or one that is to be closed.
    Down,
    Up {
        broker: PeerFacts,
        link: Heartbeat,
        pauses: Pauses,
    },
    Stopped,
}

impl WorkerMachine {
    /// A worker without a connection. `seed` decides how delays are cut at random.
    #[must_use]
    pub fn new(service: ServiceName, options: WorkerOptions, seed: u64) -> Self {
        Self::speaking(Dialect::Majordomo(service), options, seed)
    }

    /// A worker that speaks this.
    pub(crate) fn speaking(dialect: Dialect, options: WorkerOptions, seed: u64) -> Self {
        let backoff = Backoff::new(
            options.first_delay,
            options.longest_delay,
            Jitter::Half,
            seed,
        );
        Self {
            options,
            dialect,
            state: State::Down,
            stopping: false,
            in_hand: HashMap::new(),
            waiting: VecDeque::new(),
            next_key: 0,
            backoff,
            seed,
            outputs: VecDeque::new(),
            stats: WorkerStats::default(),
        }
    }

    /// What this worker announces in its READY, see [`PROPERTY`](crate::majordomo::PROPERTY).
    #[must_use]
    pub const fn facts(&self) -> PeerFacts {
        let interval = self.options.heartbeat.interval;
        PeerFacts::privateer(self.options.capacity).with_heartbeat(interval)
    }

    /// The value of the property that announces this.
    pub(crate) fn property(&self) -> String {
        self.facts().property_as(self.dialect.pattern())
    }

    /// What a broker or queue announced in its READY.
    pub(crate) fn read_facts(&self, property: Option<&[u8]>) -> PeerFacts {
        PeerFacts::read_as(self.dialect.pattern(), property)
    }

    /// There is a new connection, to a broker that announced these facts.
    pub fn connected(&mut self, now: Instant, broker: PeerFacts) {
        self.leave();
        if matches!(self.state, State::Stopped) {
            return;
        }
        self.seed = self.seed.wrapping_add(1);
        let options = &self.options.heartbeat;
        self.state = State::Up {
            broker,
            link: Heartbeat::new(now, options, broker.heartbeat, self.seed),
            pauses: Pauses::new(options.interval),
        };
        let ready = self.dialect.ready();
        self.send(now, ready);
        self.tell(WorkerEvent::Registered);
    }

    /// The connection ended by itself. It is to be closed, and another one opened: what waits in its pipe must not be
    /// sent on the next, where it would come before READY.
    pub fn disconnected(&mut self) {
        if matches!(self.state, State::Up { .. }) {
            self.tell(WorkerEvent::ConnectionLost);
            self.reconnect();
        }
    }

    /// A message of the broker came in.
    pub fn handle_message(&mut self, now: Instant, message: Message) {
        let State::Up { link, .. } = &mut self.state else {
            return;
        };
        match self.dialect.read(message, self.options.max_frames) {
            Err(kind) => {
                self.stats.drop_malformed(kind);
                self.tell(WorkerEvent::Malformed(kind));
            }
            Ok(Heard::Dismissed) => {
                self.tell(WorkerEvent::Dismissed);
                self.reconnect();
            }
            Ok(heard) => {
                link.heard(now);
                self.backoff.reset();
                if let Heard::Request { address, body } = heard {
                    self.request(address.detach(), body);
                }
            }
        }
    }

    /// The answer to a request; dropped and counted if the request was abandoned.
    pub fn reply(&mut self, now: Instant, key: RequestKey, body: Message) {
        let Some(address) = self.in_hand.remove(&key) else {
            self.stats.late_replies += 1;
            return self.tell(WorkerEvent::ReplyDropped(key));
        };
        self.stats.replies += 1;
        let reply = self.dialect.reply(address, body);
        self.send(now, reply);
        if let State::Up { link, .. } = &mut self.state {
            // A stranger did not have to show that it lives until now.
            if self.in_hand.is_empty() {
                link.heard(now);
            }
        }
        if self.stopping {
            return self.stop(now);
        }
        if let Some((address, body)) = self.waiting.pop_front() {
            self.take(address, body);
        }
    }

    /// Takes no more requests; ends with DISCONNECT when those in hand are answered, and then says
    /// [`Output::Stopped`].
    pub fn stop(&mut self, now: Instant) {
        let is_first = !std::mem::replace(&mut self.stopping, true);
        if let (true, State::Up { broker, .. }) = (is_first, &self.state) {
            let retreat = self.dialect.retreat(broker.privateer);
            self.send(now, retreat);
        }
        for _ in self.waiting.drain(..) {
            self.stats.declined += 1;
            self.outputs.push_back(Output::Event(WorkerEvent::Declined));
        }
        match self.state {
            State::Up { .. } if !self.in_hand.is_empty() => {}
            State::Up { .. } => {
                let goodbye = self.dialect.goodbye();
                self.send(now, goodbye);
                self.end();
            }
            State::Down => self.end(),
            State::Stopped => {}
        }
    }

    /// The time of [`next_timeout`](Self::next_timeout) has come; too early does no harm.
    ///
    /// If it is late by more than a heartbeat interval, this process was stopped, and what the broker sent in that time
    /// is not read yet. Then it is not judged before another interval has passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        let due = self.next_timeout();
        let State::Up { pauses, .. } = &mut self.state else {
            return;
        };
        let late = due.and_then(|due| pauses.woken(now, due));
        if let Some(late) = late {
            self.tell(WorkerEvent::ClockPaused { late });
        }
        if self.verdict().is_some_and(|verdict| verdict <= now) {
            self.tell(WorkerEvent::BrokerSilent);
            return self.reconnect();
        }
        let has_room = self.in_hand.len() < usize::from(self.options.capacity.get());
        let State::Up { link, broker, .. } = &mut self.state else {
            return;
        };
        if link.beat_due() <= now {
            link.sent(now);
            let beats = has_room || self.dialect.beats_when_full(broker.privateer);
            let heartbeat = self.dialect.heartbeat().filter(|_| beats);
            self.outputs.extend(heartbeat.map(Output::SendIfIdle));
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) has to be called next.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Instant> {
        let State::Up { link, .. } = &self.state else {
            return None;
        };
        let beat = link.beat_due();
        Some(self.verdict().map_or(beat, |verdict| verdict.min(beat)))
    }

    /// What has to be done next, if anything.
    #[must_use]
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// What was counted, and what is in hand now.
    #[must_use]
    pub fn stats(&self) -> WorkerStats {
        WorkerStats {
            in_hand: self.in_hand.len(),
            waiting: self.waiting.len(),
            ..self.stats.clone()
        }
    }

    fn request(&mut self, address: Message, body: Message) {
        if self.stopping {
            self.stats.declined += 1;
            self.tell(WorkerEvent::Declined);
        } else if self.in_hand.len() < usize::from(self.options.capacity.get()) {
            self.take(address, body);
        } else if self.waiting.len() < self.options.max_waiting {
            self.waiting.push_back((address, body.detach()));
        } else {
            self.stats.declined += 1;
            self.tell(WorkerEvent::TooManyRequests);
        }
    }

    fn take(&mut self, address: Message, body: Message) {
        let key = RequestKey(self.next_key);
        self.next_key += 1;
        self.in_hand.insert(key, address);
        self.stats.requests += 1;
        self.outputs.push_back(Output::Request { key, body });
    }

    /// When the broker is given up if nothing is heard of it; never while a stranger keeps us busy, since reference brokers
    /// send heartbeats to idle workers only.
    fn verdict(&self) -> Option<Instant> {
        match &self.state {
            State::Up {
                broker,
                link,
                pauses,
            } if self.dialect.has_heartbeats() && (broker.privateer || self.in_hand.is_empty()) => {
                Some(pauses.judge_at(link.expires()))
            }
            _ => None,
        }
    }

    /// This connection has to be replaced; a worker that is stopping ends with it.
    fn reconnect(&mut self) {
        self.leave();
        if self.stopping {
            return;
        }
        self.stats.reconnects += 1;
        let delay = self.backoff.delay();
        self.outputs.push_back(Output::Reconnect { delay });
    }

    /// Nothing more can be answered on this connection.
    fn leave(&mut self) {
        if !matches!(self.state, State::Up { .. }) {
            return;
        }
        self.state = State::Down;
        self.waiting.clear();
        let mut abandoned: Vec<_> = self.in_hand.drain().map(|(key, _)| key).collect();
        abandoned.sort_unstable();
        for key in abandoned {
            self.stats.abandoned += 1;
            self.outputs.push_back(Output::Abandon(key));
        }
        if self.stopping {
            self.end();
        }
    }

    fn end(&mut self) {
        self.state = State::Stopped;
        self.outputs.push_back(Output::Stopped);
    }

    fn send(&mut self, now: Instant, message: Option<Message>) {
        if let (State::Up { link, .. }, Some(message)) = (&mut self.state, message) {
            link.sent(now);
            self.outputs.push_back(Output::Send(message));
        }
    }

    fn tell(&mut self, event: WorkerEvent) {
        self.outputs.push_back(Output::Event(event));
    }
}
