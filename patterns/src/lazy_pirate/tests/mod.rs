//! Tests of the client, on virtual time: servers are played by hand, and nothing sleeps.

mod calls;
mod servers;

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use privateer_core::{Frame, Message};

use super::*;

struct Scene {
    client: LazyPirateMachine,
    now: Instant,
    outputs: Vec<Output>,
}

impl Scene {
    fn new(servers: usize, options: LazyPirateOptions) -> Self {
        let mut scene = Self {
            client: LazyPirateMachine::new(servers, options.budget(100, 1000), 1),
            now: Instant::now(),
            outputs: Vec::new(),
        };
        scene.drain();
        scene
    }

    fn drain(&mut self) {
        let client = &mut self.client;
        self.outputs
            .extend(std::iter::from_fn(|| client.poll_output()));
    }

    fn call(&mut self, body: &str) -> CallKey {
        self.call_until(None, body)
    }

    fn call_until(&mut self, deadline: Option<Instant>, body: &str) -> CallKey {
        let body = Message::from(body);
        let call = self.client.call(self.now, deadline, body);
        self.drain();
        call
    }

    fn up(&mut self, lane: LaneKey, returns_envelopes: bool) {
        self.client.lane_up(self.now, lane, returns_envelopes);
        self.drain();
    }

    fn down(&mut self, lane: LaneKey) {
        self.client.lane_down(self.now, lane);
        self.drain();
    }

    /// Connects every lane that is to be opened.
    fn connect(&mut self, returns_envelopes: bool) -> Vec<(usize, LaneKey)> {
        let opened = self.opened();
        for (_, lane) in &opened {
            self.up(*lane, returns_envelopes);
        }
        opened
    }

    /// A server sends back what it got.
    fn echo(&mut self, (lane, request): &(LaneKey, Message)) {
        self.client.handle_message(self.now, *lane, request.clone());
        self.drain();
    }

    fn advance(&mut self, by: Duration) {
        let end = self.now + by;
        while self.step(end) {}
    }

    /// Lets time pass until the next timeout; false if there is none until then.
    fn step(&mut self, end: Instant) -> bool {
        let due = self.client.next_timeout().filter(|due| *due <= end);
        let Some(due) = due else {
            self.now = end;
            return false;
        };
        self.now = self.now.max(due);
        self.client.handle_timeout(self.now);
        self.drain();
        true
    }

    fn take<T>(&mut self, take: impl Fn(&Output) -> Option<T>) -> Vec<T> {
        let mut taken = Vec::new();
        self.outputs.retain(|output| match take(output) {
            Some(value) => {
                taken.push(value);
                false
            }
            None => true,
        });
        taken
    }

    fn opened(&mut self) -> Vec<(usize, LaneKey)> {
        self.take(|output| match output {
            Output::OpenLane { lane, server, .. } => Some((*server, *lane)),
            _ => None,
        })
    }

    fn closed(&mut self) -> Vec<LaneKey> {
        self.take(|output| match output {
            Output::CloseLane(lane) => Some(*lane),
            _ => None,
        })
    }

    fn sent(&mut self) -> Vec<(LaneKey, Message)> {
        self.take(|output| match output {
            Output::Send { lane, message } => Some((*lane, message.clone())),
            _ => None,
        })
    }

    fn finished(&mut self) -> Vec<(CallKey, Outcome)> {
        self.take(|output| match output {
            Output::Finished { call, outcome } => Some((*call, outcome.clone())),
            _ => None,
        })
    }
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn reply(body: &str) -> Outcome {
    Outcome::Reply(Message::from(body))
}
