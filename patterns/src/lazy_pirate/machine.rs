//! [`LazyPirateMachine`]: what goes into a client and what comes out. PURE.
#![deny(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation
)]

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use privateer_core::Message;

use super::call::{Call, CallKey, Phase, Try};
use super::lanes::{Lane, LaneKey, Server};
use super::{LazyPirateEvent, LazyPirateOptions, LazyPirateStats, Outcome, Output};
use crate::arena::{Arena, Id, Queue};
use crate::idempotency::IdempotencyKey;
use crate::paranoid_pirate::protocol::{ClientMessage, MAX_FRAMES};
use crate::retry::{Failure, GaveUp, Next, Retry, RetryBudget};
use crate::timers::{Timers, after};

/// A Lazy Pirate client without sockets: calls to one of several servers, tried again if there is no answer.
///
/// After each input call [`poll_output`](Self::poll_output) until it gives nothing, then wait for the next input or
/// for [`next_timeout`](Self::next_timeout). The window, how many calls may be in flight, is the task's.
///
/// - A server that returns envelopes, a REP or one of ours, gets all calls on one connection, each try with a number of
///   its own that comes back. So a reply to the first try counts also during the second, and once only. With it goes a
///   key, the same in all tries, by which a server of ours recognises a repeat.
/// - A stranger, a ROUTER that may not know envelopes, has a connection for each call in flight. A try that is given up
///   takes its connection with it, as in the guide: the late reply would answer the next call.
/// - Calls go round the servers that answer; the next try of a call goes to a server that it did not ask yet if there is one,
///   and that is no retry for that server's budget if it answers others.
/// - A server that did not answer in time rests for four timeouts: only if there is no other it is asked. Then one call at a
///   time finds out whether it answers again.
#[derive(Debug)]
pub struct LazyPirateMachine {
    pub(super) options: LazyPirateOptions,
    pub(super) servers: Vec<Server>,
    pub(super) lanes: Arena<Lane, 0>,
    pub(super) calls: Arena<Call, 1>,
    /// Tries that are not answered, by their numbers.
    pub(super) tries: HashMap<u32, Try>,
    /// Calls that wait for a connection, the next one first.
    pub(super) waiting: Queue<PLACE>,
    pub(super) timers: Timers<Id<Call>>,
    /// The number of the last try.
    pub(super) last_number: u32,
    /// Where the first try of the next call goes.
    pub(super) next_server: usize,
    /// Random, for the keys of calls.
    client: u64,
    seed: u64,
    pub(super) outputs: VecDeque<Output>,
    pub(super) stats: LazyPirateStats,
}

/// The link of the calls that wait.
pub(super) const PLACE: usize = 0;

/// Longer than this after its time, a timeout shows that this process was stopped.
const LATE: Duration = Duration::from_secs(1);

/// How long it then takes to read what came meanwhile.
const GRACE: Duration = Duration::from_millis(100);

impl LazyPirateMachine {
    /// A client of so many servers, with a connection to each. `seed` decides how pauses are cut, and names the
    /// client in the keys of its calls: give it 64 random bits.
    #[must_use]
    pub fn new(servers: usize, options: LazyPirateOptions, seed: u64) -> Self {
        let mut machine = Self {
            servers: (0..servers).map(|_| Server::new(&options)).collect(),
            options,
            lanes: Arena::new(),
            calls: Arena::new(),
            tries: HashMap::new(),
            waiting: Queue::new(),
            timers: Timers::new(),
            last_number: 0,
            next_server: 0,
            client: seed,
            seed,
            outputs: VecDeque::new(),
            stats: LazyPirateStats::default(),
        };
        (0..servers).for_each(|server| machine.open(server, Duration::ZERO));
        machine
    }

    /// Starts a call: sent as soon as there is a connection, and ended by one [`Output::Finished`], at this deadline at the
    /// latest, and at once if that has passed.
    pub fn call(&mut self, now: Instant, deadline: Option<Instant>, body: Message) -> CallKey {
        self.stats.calls += 1;
        self.seed = self.seed.wrapping_add(1);
        let limit = after(now, self.options.limit());
        let ends = deadline.map_or(limit, |deadline| deadline.min(limit));
        let id = self.calls.insert(Call {
            body,
            key: IdempotencyKey::new(self.client, self.stats.calls),
            retry: Retry::new(now, &self.options.retry, self.seed).until(Some(ends)),
            phase: Phase::Paused { until: now },
            numbers: Vec::new(),
            latest: Vec::new(),
            servers: Vec::new(),
            ends,
            due: None,
        });
        match ends <= now {
            true => self.give_up(now, id, GaveUp::DeadlineOver),
            false => self.attempt(now, id),
        }
        CallKey(id)
    }

    /// The caller gives a call up; nothing happens if it has ended.
    pub fn cancel(&mut self, now: Instant, call: CallKey) {
        if self.calls.get(call.0).is_some() {
            self.stats.cancelled += 1;
            self.finish(now, call.0, Outcome::Cancelled, None);
        }
    }

    /// A message came in on this connection.
    pub fn handle_message(&mut self, now: Instant, lane: LaneKey, message: Message) {
        let Ok(reply) = ClientMessage::read(message, MAX_FRAMES) else {
            self.stats.malformed += 1;
            return self.tell(LazyPirateEvent::Malformed);
        };
        let call = self.try_on(lane, reply.envelope.as_ref());
        match call.and_then(|number| self.tries.get(&number).copied()) {
            Some(answered) => {
                self.stats.replies += 1;
                let outcome = Outcome::Reply(reply.body);
                self.finish(now, answered.call, outcome, Some(lane));
            }
            None => {
                self.stats.late_replies += 1;
                self.tell(LazyPirateEvent::ReplyDropped);
            }
        }
    }

    /// The time of [`next_timeout`](Self::next_timeout) has come; too early does no harm.
    ///
    /// If it is late by more than a second, this process was stopped, and replies of that time are not read yet. Then no
    /// call is given up before another 100 ms have passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        let late = self
            .timers
            .next()
            .map(|due| now.saturating_duration_since(due));
        let late = late.filter(|late| *late > LATE);
        if let Some(late) = late {
            self.tell(LazyPirateEvent::ClockPaused { late });
        }
        while let Some((due, id)) = self.timers.pop(now) {
            let Some(call) = self.calls.get_mut(id).filter(|call| call.due == Some(due)) else {
                continue;
            };
            call.due = None;
            match late {
                Some(_) => self.arm_at(id, after(now, GRACE)),
                None => self.call_due(now, id),
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
    pub fn stats(&self) -> LazyPirateStats {
        LazyPirateStats {
            in_flight: self.calls.len(),
            waiting: self.waiting.len(),
            lanes: self.lanes.len(),
            ..self.stats.clone()
        }
    }

    /// Makes a try if there is a connection for it; otherwise the call waits for one. It is in no queue.
    pub(super) fn attempt(&mut self, now: Instant, id: Id<Call>) {
        let until = after(now, self.options.timeout);
        let hedge = self.options.hedge_after.map(|delay| after(now, delay));
        let Some(call) = self.calls.get_mut(id) else {
            return;
        };
        call.latest.clear();
        if call.ends <= now {
            // It is looked at next.
            call.phase = Phase::Paused { until: now };
            return self.arm(id);
        }
        let asked = call.servers.clone();
        let sent = self
            .pick(now, &asked)
            .filter(|picked| self.send(id, *picked));
        let Some(call) = self.calls.get_mut(id) else {
            return;
        };
        match sent {
            Some((index, _)) => {
                call.phase = Phase::Flying { until, hedge };
                call.servers.push(index);
                if let Some(server) = self.servers.get(index) {
                    call.retry.dispatched(&server.budget);
                    // A call pays into the budget of each server that it asks; its first payment was just made.
                    if !asked.is_empty() && !asked.contains(&index) {
                        server.budget.deposit();
                    }
                }
            }
            None => {
                call.phase = Phase::Waiting;
                self.waiting.push(&mut self.calls, id);
                self.open_for_waiting();
            }
        }
        self.arm(id);
    }

    fn call_due(&mut self, now: Instant, id: Id<Call>) {
        let Some(call) = self.calls.get(id) else {
            return;
        };
        if call.ends <= now {
            return self.give_up(now, id, GaveUp::DeadlineOver);
        }
        match call.phase {
            Phase::Flying { until, .. } if until <= now => self.try_failed(now, id),
            Phase::Flying { until, hedge } => {
                if hedge.is_some_and(|hedge| hedge <= now) {
                    self.hedge(now, id, until);
                }
                self.arm(id);
            }
            Phase::Paused { until } if until <= now => self.attempt(now, id),
            Phase::Paused { .. } | Phase::Waiting => self.arm(id),
        }
    }

    /// Asks a second server, if there is one and its budget allows it.
    fn hedge(&mut self, now: Instant, id: Id<Call>, until: Instant) {
        let Some(call) = self.calls.get_mut(id) else {
            return;
        };
        call.phase = Phase::Flying { until, hedge: None };
        let asked = call.servers.clone();
        let second = self
            .pick(now, &asked)
            .filter(|(server, _)| Some(server) != asked.last());
        let Some(second) = second else { return };
        let budget = self.servers.get(second.0).map(|server| &server.budget);
        if budget.is_some_and(|budget| budget.withdraw()) && self.send(id, second) {
            if let Some(call) = self.calls.get_mut(id) {
                call.servers.insert(0, second.0);
            }
            self.stats.hedged += 1;
            self.tell(LazyPirateEvent::Hedged { call: CallKey(id) });
        }
    }

    /// The last try of a call was not answered: another follows, or none. To ask a server that answers others, and
    /// was not asked before, is no retry for that server, and takes none from its budget.
    pub(super) fn try_failed(&mut self, now: Instant, id: Id<Call>) {
        let asked = self.calls.get(id).map(|call| call.servers.as_slice());
        let asked = asked.unwrap_or_default();
        let is_new_elsewhere = self.is_another_well(asked);
        if let Some(last) = asked.last().copied() {
            self.rest(now, last);
        }
        self.close_single_lanes_of(id, None);
        let Some(call) = self.calls.get_mut(id) else {
            return;
        };
        let last = call.servers.last();
        let Some(server) = last.and_then(|server| self.servers.get(*server)) else {
            return;
        };
        let budget = match is_new_elsewhere {
            true => RetryBudget::new(0, 1),
            false => server.budget.clone(),
        };
        match call.retry.failed(now, Failure::NoAnswer, &budget) {
            Next::GiveUp(reason) => self.give_up(now, id, reason),
            Next::At(until) => {
                let tries = call.retry.attempts();
                call.phase = Phase::Paused { until };
                let call = CallKey(id);
                self.tell(LazyPirateEvent::TryFailed { call, tries });
                match until <= now {
                    true => self.attempt(now, id),
                    false => self.arm(id),
                }
            }
        }
    }

    fn give_up(&mut self, now: Instant, id: Id<Call>, reason: GaveUp) {
        let tries = self.calls.get(id).map_or(0, |call| call.retry.attempts());
        let is_any_there = self.servers.iter().any(Server::is_there);
        let outcome = match (tries, reason) {
            (0, _) if !is_any_there => Outcome::NotConnected,
            (_, GaveUp::BudgetSpent) => Outcome::Refused { tries },
            _ => Outcome::TimedOut { tries },
        };
        let stats = &mut self.stats;
        stats.not_connected += u64::from(outcome == Outcome::NotConnected);
        stats.timed_out += u64::from(outcome != Outcome::NotConnected);
        stats.budget_spent += u64::from(matches!(outcome, Outcome::Refused { .. }));
        self.finish(now, id, outcome, None);
    }

    /// Ends a call, answered on this connection or not at all.
    fn finish(&mut self, now: Instant, id: Id<Call>, outcome: Outcome, on: Option<LaneKey>) {
        self.close_single_lanes_of(id, on);
        let Some(call) = self.calls.get(id) else {
            return;
        };
        if call.phase == Phase::Waiting {
            self.waiting.remove(&mut self.calls, id);
        }
        let numbers = self.calls.remove(id).map(|call| call.numbers);
        for number in numbers.into_iter().flatten() {
            self.forget(number);
        }
        let call = CallKey(id);
        self.outputs.push_back(Output::Finished { call, outcome });
        self.assign(now);
    }

    /// Sets when a call has to be looked at next.
    fn arm(&mut self, id: Id<Call>) {
        let Some(call) = self.calls.get(id) else {
            return;
        };
        let due = match call.phase {
            Phase::Waiting => call.ends,
            Phase::Flying { until, hedge } => hedge.map_or(until, |hedge| hedge.min(until)),
            Phase::Paused { until } => until,
        };
        self.arm_at(id, due.min(call.ends));
    }

    fn arm_at(&mut self, id: Id<Call>, due: Instant) {
        if let Some(call) = self.calls.get_mut(id) {
            call.due = Some(due);
        }
        self.timers.arm(due, id);
        // Most calls end before their time: their entries must not pile up.
        const SLACK: usize = 64;
        if self.timers.len() > 2 * self.calls.len() + SLACK {
            let calls = &self.calls;
            self.timers
                .retain(|due, id| calls.get(*id).is_some_and(|call| call.due == Some(due)));
        }
    }

    pub(super) fn tell(&mut self, event: LazyPirateEvent) {
        self.outputs.push_back(Output::Event(event));
    }
}
