//! [`ClientMachine`]: what goes into a client and what comes out. PURE.
#![deny(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation
)]

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use privateer_core::{Frame, Message};

use super::lanes::{LaneKey, Lanes, READY};
use super::{CallOptions, ClientEvent, ClientOptions, ClientStats, Outcome, Output};
use crate::arena::{Arena, Id, Queue};
use crate::majordomo::ServiceName;
use crate::majordomo::protocol::ClientMessage;
use crate::retry::{Failure, GaveUp, Next, Retry, RetryBudget};
use crate::timers::{Timers, after};

/// A Majordomo client without sockets (RFC 7 version 0.1): many calls in flight, matched with their replies for sure.
///
/// After each input call [`poll_output`](Self::poll_output) until it gives nothing, then wait for the next input or
/// for [`next_timeout`](Self::next_timeout). The window, how many calls may be in flight, is the task's.
///
/// - A broker of ours gets all calls on one connection, each with an envelope that comes back with the reply. It keeps a
///   request until it is answered, so as long as that connection stands, an attempt that times out is counted but not
///   sent again: it would only be worked on twice. The connection needs ZMTP heartbeats to notice a cut cable.
/// - A stranger can say nothing about which request a reply answers, so each call in flight has a connection of its own.
///   A call that times out or is cancelled takes its connection with it, since the late reply would answer the next call;
///   the next attempt is sent on another one, if the broker's budget of retries allows it.
/// - Requests that were on a connection that ended are sent again on the next: the same attempt, which takes none from
///   the budget.
/// - A call that waits for a connection uses no attempt up, and ends when all its attempts together could have.
#[derive(Debug)]
pub struct ClientMachine {
    pub(super) options: ClientOptions,
    pub(super) calls: Arena<Call, 1>,
    /// Calls that wait for a lane, the next one first.
    pub(super) waiting: Queue<PLACE>,
    pub(super) lanes: Lanes,
    /// Lanes that can take a call, the least recently used first.
    pub(super) ready: Queue<READY>,
    /// How many lanes are not connected yet.
    pub(super) opening: usize,
    /// How long to wait before a lane is opened.
    pub(super) open_delay: Duration,
    /// Whether the broker is a stranger: known once a lane was up.
    pub(super) is_stranger: Option<bool>,
    /// What attempts that are sent again are taken from.
    pub(super) budget: RetryBudget,
    pub(super) timers: Timers<Id<Call>>,
    pub(super) outputs: VecDeque<Output>,
    pub(super) stats: ClientStats,
}

/// Names one call; none is used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CallKey(Id<Call>);

/// The link of the calls that wait, or of those on a lane.
pub(super) const PLACE: usize = 0;

/// A call in flight.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) service: ServiceName,
    pub(super) body: Message,
    attempt_timeout: Option<Duration>,
    retry: Retry,
    /// Whether its attempt of now is among those that were counted.
    is_counted: bool,
    /// When that ends, if it was sent and has a limit.
    until: Option<Instant>,
    /// When the attempt or the call ends, and which of its entries among the timers is meant.
    due: Option<Instant>,
    pub(super) was_sent: bool,
    /// On which lane it is; none while it waits.
    pub(super) lane: Option<LaneKey>,
}

/// Longer than this after its time, a timeout shows that this process was stopped.
const LATE: Duration = Duration::from_secs(1);

/// How long it then takes to read what came meanwhile.
const GRACE: Duration = Duration::from_millis(100);

impl ClientMachine {
    /// A client without connections.
    #[must_use]
    pub fn new(options: ClientOptions) -> Self {
        let (percent, reserve) = options.budget;
        let budget = RetryBudget::new(percent, reserve);
        Self {
            options,
            calls: Arena::new(),
            waiting: Queue::new(),
            lanes: Arena::new(),
            ready: Queue::new(),
            opening: 0,
            open_delay: Duration::ZERO,
            is_stranger: None,
            budget,
            timers: Timers::new(),
            outputs: VecDeque::new(),
            stats: ClientStats::default(),
        }
    }

    /// Starts a call: sent as soon as there is a connection, and ended by one [`Output::Finished`]; at once if its time is
    /// over.
    pub fn call(
        &mut self,
        now: Instant,
        service: ServiceName,
        body: Message,
        options: CallOptions,
    ) -> CallKey {
        self.stats.calls += 1;
        // There are no pauses to be cut.
        let retry = Retry::new(now, &options.retry(), 0).until(options.deadline);
        let id = self.calls.insert(Call {
            service,
            body,
            attempt_timeout: options.attempt_timeout,
            retry,
            is_counted: false,
            until: None,
            due: None,
            was_sent: false,
            lane: None,
        });
        if self.is_over(now, id) {
            self.end_unsent(id);
            return CallKey(id);
        }
        self.waiting.push(&mut self.calls, id);
        self.assign(now);
        // If it was sent at once, it is armed already.
        self.arm(id);
        CallKey(id)
    }

    /// The caller gives a call up; nothing happens if it has ended.
    pub fn cancel(&mut self, now: Instant, call: CallKey) {
        if self.calls.get(call.0).is_some() {
            self.stats.cancelled += 1;
            self.give_up(now, call.0, Outcome::Cancelled);
        }
    }

    /// A message of the broker came in on this lane.
    pub fn handle_message(&mut self, now: Instant, lane: LaneKey, message: Message) {
        let reply = match ClientMessage::read(message, self.options.max_frames) {
            Ok(reply) => reply,
            Err(kind) => {
                self.stats.drop_malformed(kind);
                self.tell(ClientEvent::Malformed { lane, kind });
                return;
            }
        };
        let call = self.call_on(lane, reply.envelope.as_ref()).filter(|id| {
            let call = self.calls.get(*id);
            call.is_some_and(|call| *call.service.as_frame() == reply.service)
        });
        match (call, reply.body) {
            (Some(id), Some(body)) => {
                self.stats.replies += 1;
                self.mark_useful(lane);
                self.take_off(id);
                self.finish(now, id, Outcome::Reply(body));
            }
            _ => {
                self.stats.late_replies += 1;
                self.tell(ClientEvent::ReplyDropped { lane });
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
            self.tell(ClientEvent::ClockPaused { late });
        }
        while let Some((due, id)) = self.timers.pop(now) {
            let Some(call) = self.calls.get_mut(id).filter(|call| call.due == Some(due)) else {
                continue;
            };
            call.due = None;
            match late {
                Some(_) => self.arm_at(id, after(now, GRACE)),
                None => self.call_due(now, id, due),
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
    pub fn stats(&self) -> ClientStats {
        ClientStats {
            in_flight: self.calls.len(),
            waiting: self.waiting.len(),
            lanes: self.lanes.len(),
            ..self.stats.clone()
        }
    }

    /// An attempt or a call has taken long enough.
    fn call_due(&mut self, now: Instant, id: Id<Call>, due: Instant) {
        let is_single = self.is_on_single_lane(id);
        let Some(call) = self.calls.get_mut(id) else {
            return;
        };
        let budget = match is_single {
            true => self.budget.clone(),
            // What a broker of ours has is not sent again.
            false => RetryBudget::new(0, 1),
        };
        let next = call.retry.failed(now, Failure::NoAnswer, &budget);
        let attempts = call.retry.attempts();
        if let Next::GiveUp(reason) = next {
            self.stats.timed_out += 1;
            let is_refused = reason == GaveUp::BudgetSpent;
            self.stats.budget_spent += u64::from(is_refused);
            let outcome = match is_refused {
                true => Outcome::Refused { attempts },
                false => Outcome::TimedOut { attempts },
            };
            return self.give_up(now, id, outcome);
        }
        call.is_counted = false;
        match is_single {
            true => self.leave_stranger(id),
            false => self.begin_attempt(id, due),
        }
        let call = CallKey(id);
        self.tell(ClientEvent::AttemptTimedOut { call, attempts });
        self.assign(now);
    }

    /// The request of a call is with the broker since then.
    pub(super) fn begin_attempt(&mut self, id: Id<Call>, since: Instant) {
        let Some(call) = self.calls.get_mut(id) else {
            return;
        };
        if !std::mem::replace(&mut call.is_counted, true) {
            call.retry.dispatched(&self.budget);
        }
        call.until = call.attempt_timeout.map(|limit| after(since, limit));
        self.arm(id);
    }

    /// The request of a call was lost with its connection, before an answer: it waits, for as long as the call may take.
    pub(super) fn suspend_attempt(&mut self, id: Id<Call>) {
        if let Some(call) = self.calls.get_mut(id) {
            call.until = None;
        }
        self.arm(id);
    }

    /// Whether a call may take no longer.
    pub(super) fn is_over(&self, now: Instant, id: Id<Call>) -> bool {
        let ends = self.calls.get(id).and_then(|call| call.retry.deadline());
        ends.is_some_and(|ends| ends <= now)
    }

    /// Ends a call that is in no queue, and whose time is over, without another attempt.
    pub(super) fn end_unsent(&mut self, id: Id<Call>) {
        let Some(ended) = self.calls.remove(id) else {
            return;
        };
        self.stats.timed_out += 1;
        let attempts = ended.retry.attempts();
        let (call, outcome) = (CallKey(id), Outcome::TimedOut { attempts });
        self.outputs.push_back(Output::Finished { call, outcome });
    }

    /// Ends a call without a reply.
    fn give_up(&mut self, now: Instant, id: Id<Call>, outcome: Outcome) {
        self.leave_stranger(id);
        self.take_off(id);
        self.finish(now, id, outcome);
    }

    /// Ends a call that is in no queue.
    fn finish(&mut self, now: Instant, id: Id<Call>, outcome: Outcome) {
        self.calls.remove(id);
        let call = CallKey(id);
        self.outputs.push_back(Output::Finished { call, outcome });
        self.assign(now);
    }

    /// Sets when a call has to be looked at next.
    fn arm(&mut self, id: Id<Call>) {
        let call = self.calls.get(id);
        let due = call.and_then(|call| {
            [call.until, call.retry.deadline()]
                .into_iter()
                .flatten()
                .min()
        });
        match due {
            Some(due) => self.arm_at(id, due),
            None => self
                .calls
                .get_mut(id)
                .into_iter()
                .for_each(|call| call.due = None),
        }
    }

    fn arm_at(&mut self, id: Id<Call>, due: Instant) {
        let Some(call) = self.calls.get_mut(id) else {
            return;
        };
        if call.due.replace(due) == Some(due) {
            return;
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

    pub(super) fn tell(&mut self, event: ClientEvent) {
        self.outputs.push_back(Output::Event(event));
    }
}

impl Call {
    /// The request as it is sent.
    pub(super) fn request(&self, envelope: Option<Frame>) -> Message {
        ClientMessage {
            envelope: envelope.map(Message::from),
            service: self.service.as_frame().clone(),
            body: Some(self.body.clone()),
        }
        .into_message()
    }
}
