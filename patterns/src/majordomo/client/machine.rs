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
///   the next attempt is sent on another one.
/// - Requests that were on a connection that ended are sent again on the next.
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
    options: CallOptions,
    /// Counts from 1.
    attempt: u32,
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
        Self {
            options,
            calls: Arena::new(),
            waiting: Queue::new(),
            lanes: Arena::new(),
            ready: Queue::new(),
            opening: 0,
            open_delay: Duration::ZERO,
            is_stranger: None,
            timers: Timers::new(),
            outputs: VecDeque::new(),
            stats: ClientStats::default(),
        }
    }

    /// Starts a call: sent as soon as there is a connection, and ended by one [`Output::Finished`].
    pub fn call(
        &mut self,
        now: Instant,
        service: ServiceName,
        body: Message,
        options: CallOptions,
    ) -> CallKey {
        self.stats.calls += 1;
        let id = self.calls.insert(Call {
            service,
            body,
            options,
            attempt: 1,
            due: None,
            was_sent: false,
            lane: None,
        });
        self.waiting.push(&mut self.calls, id);
        self.arm(now, id);
        self.assign();
        CallKey(id)
    }

    /// The caller gives a call up; nothing happens if it has ended.
    pub fn cancel(&mut self, call: CallKey) {
        if self.calls.get(call.0).is_some() {
            self.stats.cancelled += 1;
            self.give_up(call.0, Outcome::Cancelled);
        }
    }

    /// A message of the broker came in on this lane.
    pub fn handle_message(&mut self, lane: LaneKey, message: Message) {
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
                self.finish(id, Outcome::Reply(body));
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
            if late.is_some() {
                let due = after(now, GRACE);
                call.due = Some(due);
                self.timers.arm(due, id);
            } else {
                self.end_attempt(now, id);
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

    /// An attempt has taken long enough: the call ends, or another attempt begins.
    fn end_attempt(&mut self, now: Instant, id: Id<Call>) {
        let Some(call) = self.calls.get_mut(id) else {
            return;
        };
        let attempts = call.attempt;
        let is_over = call
            .options
            .deadline
            .is_some_and(|deadline| deadline <= now);
        if is_over || attempts >= call.options.attempts.get() {
            self.stats.timed_out += 1;
            return self.give_up(id, Outcome::TimedOut { attempts });
        }
        call.attempt += 1;
        let call = CallKey(id);
        self.tell(ClientEvent::AttemptTimedOut { call, attempts });
        self.arm(now, id);
        self.retry(id);
        self.assign();
    }

    /// Ends a call without a reply.
    fn give_up(&mut self, id: Id<Call>, outcome: Outcome) {
        self.retry(id);
        self.take_off(id);
        self.finish(id, outcome);
    }

    /// Ends a call that is in no queue.
    fn finish(&mut self, id: Id<Call>, outcome: Outcome) {
        self.calls.remove(id);
        let call = CallKey(id);
        self.outputs.push_back(Output::Finished { call, outcome });
        self.assign();
    }

    /// Sets when the attempt that begins now ends.
    fn arm(&mut self, now: Instant, id: Id<Call>) {
        let Some(call) = self.calls.get_mut(id) else {
            return;
        };
        let options = &call.options;
        let attempt = options.attempt_timeout.map(|timeout| after(now, timeout));
        let ends = [attempt, options.deadline];
        call.due = ends.into_iter().flatten().min();
        if let Some(due) = call.due {
            self.timers.arm(due, id);
        }
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
