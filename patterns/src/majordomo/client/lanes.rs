//! Lanes: the connections of a client, and which calls are on which. PURE.
#![deny(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation
)]

use std::time::{Duration, Instant};

use privateer_core::{Frame, Message};

use super::machine::{Call, PLACE};
use super::{ClientMachine, Output};
use crate::arena::{Arena, Id, Queue};
use crate::majordomo::PeerFacts;

/// Names one connection of a client; none is used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LaneKey(Id<Lane>);

pub(super) type Lanes = Arena<Lane, 1>;

/// The link of the lanes that can take a call.
pub(super) const READY: usize = 0;

/// One connection to the broker, or one that is to be; it is never used for a second one.
#[derive(Debug)]
pub(super) struct Lane {
    state: State,
    /// Whether a reply came on it.
    was_useful: bool,
    /// The calls on it, the oldest first; a stranger gets one at a time.
    calls: Queue<PLACE>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Not connected yet.
    Opening,
    /// Connected to a broker that returns envelopes.
    Shared,
    /// Connected to a stranger.
    Single,
}

impl Lane {
    /// Whether it can take a call; it is among the ready ones exactly then.
    fn has_room(&self) -> bool {
        match self.state {
            State::Opening => false,
            State::Shared => true,
            State::Single => self.calls.is_empty(),
        }
    }
}

impl ClientMachine {
    /// Opens the first connection, which is otherwise done by the first call.
    pub fn open(&mut self, now: Instant) {
        self.assign(now);
    }

    /// The connection of this lane stands, to a broker that announced these facts.
    pub fn lane_up(&mut self, now: Instant, lane: LaneKey, broker: PeerFacts) {
        let opened = self.lanes.get_mut(lane.0);
        let Some(opened) = opened.filter(|opened| opened.state == State::Opening) else {
            return;
        };
        opened.state = match broker.privateer {
            true => State::Shared,
            false => State::Single,
        };
        self.opening -= 1;
        self.is_stranger = Some(!broker.privateer);
        if broker.privateer {
            // One is enough. Others were to a broker that was a stranger and is no more.
            let others: Vec<_> = self.lanes.ids().filter(|id| *id != lane.0).collect();
            for other in others {
                self.close(LaneKey(other));
            }
        }
        self.ready.push(&mut self.lanes, lane.0);
        self.assign(now);
    }

    /// The connection of this lane ended. It is closed, and another lane is opened if one is needed: what waits in the
    /// pipe of a connection must not be sent on the next, where it would be a second copy.
    pub fn lane_down(&mut self, now: Instant, lane: LaneKey) {
        let Some(ended) = self.lanes.get(lane.0) else {
            return;
        };
        // Who accepts connections only to end them is not tried without a pause.
        self.open_delay = match ended.was_useful {
            true => Duration::ZERO,
            false => self.options.reconnect_delay,
        };
        self.close(lane);
        self.assign(now);
        self.open_delay = Duration::ZERO;
    }

    /// The call that a reply on this lane answers, as far as the lane can tell.
    pub(super) fn call_on(&self, lane: LaneKey, envelope: Option<&Message>) -> Option<Id<Call>> {
        let Lane { state, calls, .. } = self.lanes.get(lane.0)?;
        match (state, envelope.map(Message::frames)) {
            (State::Single, None) => calls.first(&self.calls),
            (State::Shared, Some([id])) => {
                let id = read_id(id)?;
                let call = self.calls.get(id)?;
                (call.lane == Some(lane)).then_some(id)
            }
            _ => None,
        }
    }

    /// Sends calls that wait on lanes that can take them, and opens lanes for the others.
    pub(super) fn assign(&mut self, now: Instant) {
        while let Some(lane_id) = self.ready.first(&self.lanes) {
            let Some(call_id) = self.waiting.pop(&mut self.calls) else {
                break;
            };
            match self.is_over(now, call_id) {
                true => self.end_unsent(call_id),
                false => self.put_on(now, LaneKey(lane_id), call_id),
            }
        }
        // Until a lane was up, nobody knows whether more than one is needed.
        let most = match self.is_stranger {
            Some(true) => self.options.max_lanes,
            _ => 1,
        };
        while self.lanes.len() < most
            && (self.opening < self.waiting.len() || self.lanes.len() == 0)
        {
            let lane = LaneKey(self.lanes.insert(Lane {
                state: State::Opening,
                was_useful: false,
                calls: Queue::new(),
            }));
            self.opening += 1;
            let delay = self.open_delay;
            self.outputs.push_back(Output::OpenLane { lane, delay });
        }
    }

    /// Sends a call, which is in no queue, on a lane that has room.
    fn put_on(&mut self, now: Instant, lane: LaneKey, id: Id<Call>) {
        let Some(taker) = self.lanes.get_mut(lane.0) else {
            return;
        };
        taker.calls.push(&mut self.calls, id);
        let envelope = (taker.state == State::Shared).then(|| write_id(id));
        if !taker.has_room() {
            self.ready.remove(&mut self.lanes, lane.0);
        }
        let Some(call) = self.calls.get_mut(id) else {
            return;
        };
        call.lane = Some(lane);
        if std::mem::replace(&mut call.was_sent, true) {
            self.stats.resent += 1;
        }
        let message = call.request(envelope);
        self.begin_attempt(id, now);
        self.outputs.push_back(Output::Send { lane, message });
    }

    /// A reply came on this lane.
    pub(super) fn mark_useful(&mut self, lane: LaneKey) {
        if let Some(lane) = self.lanes.get_mut(lane.0) {
            lane.was_useful = true;
        }
    }

    /// Takes a call out of its queue, whichever that is; its lane can take another one.
    pub(super) fn take_off(&mut self, id: Id<Call>) {
        let lane = self.calls.get_mut(id).and_then(|call| call.lane.take());
        let Some(key) = lane else {
            return self.waiting.remove(&mut self.calls, id);
        };
        let Some(lane) = self.lanes.get_mut(key.0) else {
            return;
        };
        let had_room = lane.has_room();
        lane.calls.remove(&mut self.calls, id);
        if !had_room && lane.has_room() {
            self.ready.push(&mut self.lanes, key.0);
        }
    }

    /// Whether a call is on a connection to a stranger.
    pub(super) fn is_on_single_lane(&self, id: Id<Call>) -> bool {
        self.single_lane_of(id).is_some()
    }

    /// An attempt ended without a reply: a lane to a stranger is closed, since a late reply on it would be taken for that
    /// of another call, and the call waits for another lane.
    pub(super) fn leave_stranger(&mut self, id: Id<Call>) {
        if let Some(lane) = self.single_lane_of(id) {
            self.close(lane);
        }
    }

    fn single_lane_of(&self, id: Id<Call>) -> Option<LaneKey> {
        let key = self.calls.get(id)?.lane?;
        let lane = self.lanes.get(key.0)?;
        (lane.state == State::Single).then_some(key)
    }

    /// Closes all lanes.
    pub(super) fn close_lanes(&mut self) {
        let lanes: Vec<_> = self.lanes.ids().collect();
        lanes.into_iter().for_each(|lane| self.close(LaneKey(lane)));
    }

    fn close(&mut self, lane: LaneKey) {
        let Some(closed) = self.lanes.get(lane.0) else {
            return;
        };
        if closed.state == State::Opening {
            self.opening -= 1;
        }
        if closed.has_room() {
            self.ready.remove(&mut self.lanes, lane.0);
        }
        self.take_calls_off(lane);
        self.lanes.remove(lane.0);
        self.outputs.push_back(Output::CloseLane(lane));
    }

    /// The calls on this lane wait again, before all others.
    fn take_calls_off(&mut self, lane: LaneKey) {
        while let Some(lane) = self.lanes.get_mut(lane.0)
            && let Some(id) = lane.calls.last(&self.calls)
        {
            lane.calls.remove(&mut self.calls, id);
            self.waiting.push_first(&mut self.calls, id);
            if let Some(call) = self.calls.get_mut(id) {
                call.lane = None;
            }
            self.suspend_attempt(id);
        }
    }
}

/// The envelope of a call: 16 bytes, its serial number and its slot.
fn write_id(id: Id<Call>) -> Frame {
    let index = u64::try_from(id.index).unwrap_or(u64::MAX);
    Frame::from((u128::from(id.serial) << 64 | u128::from(index)).to_be_bytes())
}

fn read_id(envelope: &Frame) -> Option<Id<Call>> {
    let (parts, []) = envelope.as_chunks::<8>() else {
        return None;
    };
    let [serial, index] = parts else {
        return None;
    };
    let index = usize::try_from(u64::from_be_bytes(*index)).ok()?;
    Some(Id::new(index, u64::from_be_bytes(*serial)))
}
