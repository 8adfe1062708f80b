//! Lanes: the connections of a client to its servers, and which tries are on which. PURE.
#![deny(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation
)]

use std::collections::HashSet;
use std::time::{Duration, Instant};

use privateer_core::{Frame, Message};

use super::call::{Call, Phase, Try};
use super::{LazyPirateEvent, LazyPirateMachine, LazyPirateOptions, Output};
use crate::arena::Id;
use crate::paranoid_pirate::protocol::ClientMessage;
use crate::retry::RetryBudget;
use crate::timers::after;

/// Names one connection of a client; none is used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LaneKey(pub(super) Id<Lane>);

/// A server, as far as the client knows it.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) budget: RetryBudget,
    /// The connection that takes all calls; none of a stranger.
    shared: Option<LaneKey>,
    /// Connections of a stranger that take a call.
    idle: Vec<LaneKey>,
    lanes: usize,
    opening: usize,
    is_stranger: bool,
    /// It did not answer: until then no call asks it first.
    pub(super) rests: Option<Instant>,
}

/// One connection, or one that is to be; it is never used for a second one.
#[derive(Debug)]
pub(super) struct Lane {
    server: usize,
    state: State,
    /// Whether a reply came on it.
    was_useful: bool,
    /// The tries on it.
    numbers: HashSet<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Not connected yet.
    Opening,
    /// The server returns envelopes.
    Shared,
    /// A stranger: one call at a time.
    Single,
}

/// For how many timeouts a server that did not answer one call is not asked by others, if they can ask another.
const REST: u32 = 4;

/// How long to wait before a connection is made anew that ended without a single reply on it.
const RECONNECT_DELAY: Duration = Duration::from_millis(250);

impl Server {
    pub(super) fn new(options: &LazyPirateOptions) -> Self {
        let (percent, reserve) = options.budget;
        Self {
            budget: RetryBudget::new(percent, reserve),
            shared: None,
            idle: Vec::new(),
            lanes: 0,
            opening: 0,
            is_stranger: false,
            rests: None,
        }
    }

    fn room(&self) -> Option<LaneKey> {
        self.shared.or_else(|| self.idle.last().copied())
    }

    /// Whether a connection to it stands.
    pub(super) const fn is_there(&self) -> bool {
        self.lanes > self.opening
    }
}

impl LazyPirateMachine {
    /// The connection of this lane stands. Whether the server returns envelopes: it is a REP, or announced itself as
    /// one of ours.
    pub fn lane_up(&mut self, now: Instant, key: LaneKey, returns_envelopes: bool) {
        let lane = self.lanes.get_mut(key.0);
        let Some(lane) = lane.filter(|lane| lane.state == State::Opening) else {
            return;
        };
        let Some(server) = self.servers.get_mut(lane.server) else {
            return;
        };
        server.opening -= 1;
        server.is_stranger = !returns_envelopes;
        if returns_envelopes && server.shared.is_some() {
            // Opened for the stranger that was there before.
            lane.state = State::Shared;
            drop(self.close(key));
            return;
        }
        if returns_envelopes {
            lane.state = State::Shared;
            server.shared = Some(key);
        } else {
            lane.state = State::Single;
            server.idle.push(key);
        }
        let server = lane.server;
        self.tell(LazyPirateEvent::Connected { server });
        self.assign(now);
    }

    /// The connection of this lane ended. What was on it is tried again.
    pub fn lane_down(&mut self, now: Instant, key: LaneKey) {
        let Some(lane) = self.lanes.get(key.0) else {
            return;
        };
        let (server, was_up) = (lane.server, lane.state != State::Opening);
        let delay = match lane.was_useful {
            true => Duration::ZERO,
            false => RECONNECT_DELAY,
        };
        let numbers = self.close(key);
        if was_up {
            self.tell(LazyPirateEvent::Disconnected { server });
        }
        if self
            .servers
            .get(server)
            .is_some_and(|server| server.lanes == 0)
        {
            self.open(server, delay);
        }
        for number in numbers {
            let Some(lost) = self.forget(number) else {
                continue;
            };
            let Some(call) = self.calls.get_mut(lost.call) else {
                continue;
            };
            call.numbers.retain(|other| *other != number);
            call.latest.retain(|other| *other != number);
            if call.latest.is_empty() && matches!(call.phase, Phase::Flying { .. }) {
                self.try_failed(now, lost.call);
            }
        }
    }

    /// The try that a reply on this lane answers, as far as the lane can tell.
    pub(super) fn try_on(&mut self, key: LaneKey, envelope: Option<&Message>) -> Option<u32> {
        let lane = self.lanes.get_mut(key.0)?;
        let number = match (lane.state, envelope.map(Message::frames)) {
            (State::Single, None) => lane.numbers.iter().next().copied(),
            (State::Shared, Some([number, _key])) => {
                let octets = <[u8; 4]>::try_from(number.as_slice()).ok()?;
                Some(u32::from_be_bytes(octets)).filter(|number| lane.numbers.contains(number))
            }
            _ => None,
        };
        if number.is_some() {
            lane.was_useful = true;
            if let Some(server) = self.servers.get_mut(lane.server) {
                server.rests = None;
            }
        }
        number
    }

    /// A server with a connection that takes a call which asked those servers: one that it did not ask and that does not
    /// rest, else one that it did not ask, else another than the last, else that; of several the next in turn. Calls take
    /// turns, and not their tries: a server that hangs would get the first try of each.
    ///
    /// One that is asked after its rest is tried by this call alone, as it goes on resting until it answers.
    pub(super) fn pick(&mut self, now: Instant, asked: &[usize]) -> Option<(usize, LaneKey)> {
        let count = self.servers.len();
        let in_turn = (0..count).map(|step| (self.next_server + step) % count);
        let has_room = |index: usize| Some((index, self.servers.get(index)?.room()?));
        let rests = |index: usize| self.servers.get(index)?.rests;
        let rank = |(index, _): &(usize, _)| {
            let is_resting = rests(*index).is_some_and(|until| now < until);
            (
                asked.contains(index),
                is_resting,
                asked.last() == Some(index),
            )
        };
        // The first of those that rank the same.
        let picked = in_turn.filter_map(has_room).min_by_key(rank)?;
        if asked.is_empty() {
            self.next_server = (picked.0 + 1) % count;
        }
        if rests(picked.0).is_some() {
            self.rest(now, picked.0);
        }
        Some(picked)
    }

    /// A server did not answer, or is tried again after that.
    pub(super) fn rest(&mut self, now: Instant, server: usize) {
        let until = after(now, self.options.timeout.saturating_mul(REST));
        if let Some(server) = self.servers.get_mut(server) {
            server.rests = Some(until);
        }
    }

    /// Whether a server is connected and answers that a call did not ask which asked those.
    pub(super) fn is_another_well(&self, asked: &[usize]) -> bool {
        let servers = self.servers.iter().enumerate();
        let mut well = servers.filter(|(_, server)| server.is_there() && server.rests.is_none());
        well.any(|(index, _)| !asked.contains(&index))
    }

    /// Sends a try of a call on a lane that has room; false if the call is gone.
    pub(super) fn send(&mut self, id: Id<Call>, (server, key): (usize, LaneKey)) -> bool {
        let Some(call) = self.calls.get_mut(id) else {
            return false;
        };
        let Some(lane) = self.lanes.get_mut(key.0) else {
            return false;
        };
        self.last_number = self.last_number.wrapping_add(1);
        let number = self.last_number;
        lane.numbers.insert(number);
        call.numbers.push(number);
        call.latest.push(number);
        let envelope = match lane.state {
            State::Shared => {
                let number = Frame::from(number.to_be_bytes());
                Some(Message::from([number, call.key.write()]))
            }
            State::Single | State::Opening => None,
        };
        if let (State::Single, Some(server)) = (lane.state, self.servers.get_mut(server)) {
            server.idle.retain(|idle| *idle != key);
        }
        let body = call.body.clone();
        let lane = key;
        self.tries.insert(number, Try { call: id, lane });
        self.stats.sent += 1;
        let message = ClientMessage { envelope, body }.into_message();
        self.outputs.push_back(Output::Send { lane, message });
        true
    }

    /// Nobody waits for this try any more; a lane of a stranger that is free of it takes another call.
    pub(super) fn forget(&mut self, number: u32) -> Option<Try> {
        let gone = self.tries.remove(&number)?;
        if let Some(lane) = self.lanes.get_mut(gone.lane.0) {
            lane.numbers.remove(&number);
            if lane.state == State::Single
                && let Some(server) = self.servers.get_mut(lane.server)
            {
                server.idle.push(gone.lane);
            }
        }
        Some(gone)
    }

    /// Closes the lanes of strangers that have a try of this call, but for the one that it was answered on: a late reply
    /// would answer another call.
    pub(super) fn close_single_lanes_of(&mut self, id: Id<Call>, but: Option<LaneKey>) {
        let numbers = self.calls.get(id).map(|call| call.numbers.clone());
        for number in numbers.into_iter().flatten() {
            let Some(lane) = self.tries.get(&number).map(|open| open.lane) else {
                continue;
            };
            let state = self.lanes.get(lane.0).map(|lane| lane.state);
            if state == Some(State::Single) && Some(lane) != but {
                self.close(lane);
                self.tries.remove(&number);
                if let Some(call) = self.calls.get_mut(id) {
                    call.numbers.retain(|other| *other != number);
                }
            }
        }
        self.reopen();
    }

    /// Gives connections that have room to calls that wait, and opens others for those that are left.
    pub(super) fn assign(&mut self, now: Instant) {
        while self.servers.iter().any(|server| server.room().is_some()) {
            let Some(id) = self.waiting.pop(&mut self.calls) else {
                return;
            };
            self.attempt(now, id);
        }
        self.open_for_waiting();
    }

    /// Strangers need a connection for each call. One that is away gets no more than the one that looks for it.
    pub(super) fn open_for_waiting(&mut self) {
        let waiting = self.waiting.len();
        let max = self.options.max_lanes;
        let there = self.servers.iter().filter(|server| server.is_there());
        let mut opening: usize = there.map(|server| server.opening).sum();
        for index in 0..self.servers.len() {
            while opening < waiting
                && self.servers.get(index).is_some_and(|server| {
                    server.is_stranger && server.is_there() && server.lanes < max
                })
            {
                self.open(index, Duration::ZERO);
                opening += 1;
            }
        }
    }

    pub(super) fn open(&mut self, server: usize, delay: Duration) {
        let lane = LaneKey(self.lanes.insert(Lane {
            server,
            state: State::Opening,
            was_useful: false,
            numbers: HashSet::new(),
        }));
        if let Some(server) = self.servers.get_mut(server) {
            server.lanes += 1;
            server.opening += 1;
        }
        self.outputs.push_back(Output::OpenLane {
            lane,
            server,
            delay,
        });
    }

    /// Each server has a connection at least.
    fn reopen(&mut self) {
        for index in 0..self.servers.len() {
            if self
                .servers
                .get(index)
                .is_some_and(|server| server.lanes == 0)
            {
                self.open(index, Duration::ZERO);
            }
        }
    }

    /// Closes all lanes.
    pub(super) fn close_lanes(&mut self) {
        let lanes: Vec<_> = self.lanes.ids().collect();
        for lane in lanes {
            self.close(LaneKey(lane));
        }
    }

    /// Closes a lane, and gives the tries that were on it.
    fn close(&mut self, key: LaneKey) -> HashSet<u32> {
        let Some(lane) = self.lanes.remove(key.0) else {
            return HashSet::new();
        };
        if let Some(server) = self.servers.get_mut(lane.server) {
            server.lanes -= 1;
            server.opening -= usize::from(lane.state == State::Opening);
            server.idle.retain(|idle| *idle != key);
            server.shared.take_if(|shared| *shared == key);
        }
        self.outputs.push_back(Output::CloseLane(key));
        lane.numbers
    }
}
