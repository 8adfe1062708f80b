//! Tests of the client, on virtual time: the broker is played by hand.

mod calls;
mod lanes;

use std::num::{NonZeroU16, NonZeroU32, NonZeroUsize};
use std::time::{Duration, Instant};

use privateer_core::{Frame, Message};

use super::*;
use crate::majordomo::protocol::{ClientMessage, MAX_FRAMES, Malformed};
use crate::majordomo::{PeerFacts, ServiceName};

struct Scene {
    client: ClientMachine,
    now: Instant,
    outputs: Vec<Output>,
}

impl Scene {
    fn new(options: ClientOptions) -> Self {
        Self {
            client: ClientMachine::new(options),
            now: Instant::now(),
            outputs: Vec::new(),
        }
    }

    fn drain(&mut self) {
        let client = &mut self.client;
        self.outputs
            .extend(std::iter::from_fn(|| client.poll_output()));
    }

    fn call_with(&mut self, body: &str, options: CallOptions) -> CallKey {
        let service = ServiceName::new("echo").unwrap();
        let call = self
            .client
            .call(self.now, service, Message::from(body), options);
        self.drain();
        call
    }

    fn call(&mut self, body: &str) -> CallKey {
        self.call_with(body, CallOptions::default())
    }

    fn lane_up(&mut self, lane: LaneKey, broker: PeerFacts) {
        self.client.lane_up(self.now, lane, broker);
        self.drain();
    }

    fn lane_down(&mut self, lane: LaneKey) {
        self.client.lane_down(self.now, lane);
        self.drain();
    }

    fn advance(&mut self, by: Duration) {
        let end = self.now + by;
        while let Some(due) = self.client.next_timeout().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.client.handle_timeout(self.now);
            self.drain();
        }
        self.now = end;
    }

    /// The broker answers a request with the same body.
    fn echo(&mut self, (lane, request): (LaneKey, ClientMessage)) {
        self.client
            .handle_message(self.now, lane, request.into_message());
        self.drain();
    }

    fn outputs<T>(&mut self, take: impl Fn(&Output) -> Option<T>) -> Vec<T> {
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

    fn opened(&mut self) -> Vec<LaneKey> {
        self.outputs(|output| match output {
            Output::OpenLane { lane, .. } => Some(*lane),
            _ => None,
        })
    }

    fn closed(&mut self) -> Vec<LaneKey> {
        self.outputs(|output| match output {
            Output::CloseLane(lane) => Some(*lane),
            _ => None,
        })
    }

    fn sent(&mut self) -> Vec<(LaneKey, ClientMessage)> {
        self.outputs(|output| match output {
            Output::Send { lane, message } => Some((
                *lane,
                ClientMessage::read(message.clone(), MAX_FRAMES).unwrap(),
            )),
            _ => None,
        })
    }

    fn finished(&mut self) -> Vec<(CallKey, Outcome)> {
        self.outputs(|output| match output {
            Output::Finished { call, outcome } => Some((*call, outcome.clone())),
            _ => None,
        })
    }

    /// Connects every lane that is to be opened to this broker.
    fn connect(&mut self, broker: PeerFacts) -> Vec<LaneKey> {
        let mut connected = Vec::new();
        loop {
            let opened = self.opened();
            if opened.is_empty() {
                return connected;
            }
            for lane in opened {
                self.lane_up(lane, broker);
                connected.push(lane);
            }
        }
    }

    /// The first lane, up to this broker.
    fn first_lane(&mut self, broker: PeerFacts) -> LaneKey {
        let [lane] = <[_; 1]>::try_from(self.opened()).unwrap();
        self.lane_up(lane, broker);
        lane
    }
}

impl Default for Scene {
    fn default() -> Self {
        Self::new(ClientOptions::default())
    }
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn ours() -> PeerFacts {
    PeerFacts::privateer(NonZeroU16::MIN)
}

fn replied(body: &str) -> Outcome {
    Outcome::Reply(Message::from(body))
}

fn only<T: std::fmt::Debug>(values: Vec<T>) -> T {
    let [value] = <[T; 1]>::try_from(values).unwrap();
    value
}
