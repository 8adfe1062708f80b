//! Tests of the broker, on virtual time: peers are played by hand, and nothing sleeps.

mod clients;
mod flow;
mod many;
mod workers;

use std::num::{NonZeroU16, NonZeroU32};
use std::time::{Duration, Instant};

use privateer_core::{Frame, Message};

use super::*;
use crate::majordomo::PeerFacts;
use crate::majordomo::protocol::{
    BrokerCommand, ClientMessage, MAX_FRAMES, Malformed, WorkerCommand,
};

const WORKER: PeerKey = PeerKey(1);
const OTHER_WORKER: PeerKey = PeerKey(2);
const CLIENT: PeerKey = PeerKey(11);
const OTHER_CLIENT: PeerKey = PeerKey(12);

/// A broker, the time, and what the broker did that was not looked at yet.
struct Scene {
    broker: BrokerMachine,
    now: Instant,
    outputs: Vec<Output>,
}

impl Scene {
    /// A broker with these options and the four peers, which are strangers.
    fn new(options: BrokerOptions) -> Self {
        let mut scene = Self {
            broker: BrokerMachine::new(options, 7),
            now: Instant::now(),
            outputs: Vec::new(),
        };
        for peer in [WORKER, OTHER_WORKER, CLIENT, OTHER_CLIENT] {
            scene.up(peer, PeerFacts::default());
        }
        scene
    }

    fn drain(&mut self) {
        let broker = &mut self.broker;
        self.outputs
            .extend(std::iter::from_fn(|| broker.poll_output()));
    }

    fn up(&mut self, peer: PeerKey, facts: PeerFacts) {
        self.broker.peer_up(self.now, peer, facts);
        self.drain();
    }

    fn down(&mut self, peer: PeerKey) {
        self.broker.peer_down(self.now, peer);
        self.drain();
    }

    fn receive(&mut self, from: PeerKey, message: Message) {
        self.broker.handle_message(self.now, from, message);
        self.drain();
    }

    fn command(&mut self, from: PeerKey, command: WorkerCommand) {
        self.receive(from, command.into_message());
    }

    fn ready(&mut self, worker: PeerKey, service: &str) {
        let service = Frame::from(service);
        self.command(worker, WorkerCommand::Ready { service });
    }

    fn reply(&mut self, worker: PeerKey, address: &Frame, body: &str) {
        let (address, body) = (address.clone(), Message::from(body));
        self.command(worker, WorkerCommand::Reply { address, body });
    }

    fn request(&mut self, client: PeerKey, service: &str, body: &str) {
        let message = ClientMessage {
            envelope: None,
            service: Frame::from(service),
            body: Some(Message::from(body)),
        };
        self.receive(client, message.into_message());
    }

    /// Lets time pass; the broker is called whenever it asked for it.
    fn advance(&mut self, by: Duration) {
        let end = self.now + by;
        while let Some(due) = self.broker.next_timeout().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.broker.handle_timeout(self.now);
            self.drain();
        }
        self.now = end;
    }

    /// Lets time pass while a worker sends heartbeats.
    fn advance_with_heartbeats(&mut self, by: Duration, worker: PeerKey) {
        for _ in 0..by.as_millis() / 500 {
            self.advance(ms(500));
            self.command(worker, WorkerCommand::Heartbeat);
        }
    }

    /// The messages sent to a peer since it was last asked, heartbeats into idle pipes left out.
    fn sent(&mut self, peer: PeerKey) -> Vec<Message> {
        let mut sent = Vec::new();
        self.outputs.retain(|output| match output {
            Output::Send { to, message } if *to == peer => {
                sent.push(message.clone());
                false
            }
            _ => true,
        });
        sent
    }

    /// The commands sent to a worker since it was last asked.
    fn commands(&mut self, worker: PeerKey) -> Vec<BrokerCommand> {
        let sent = self.sent(worker).into_iter();
        sent.map(|message| BrokerCommand::read(message, MAX_FRAMES).unwrap())
            .collect()
    }

    /// The only request that was sent to a worker: its address and its body.
    fn request_at(&mut self, worker: PeerKey) -> (Frame, Message) {
        match <[_; 1]>::try_from(self.commands(worker)) {
            Ok([BrokerCommand::Request { address, body }]) => (address, body),
            other => panic!("not one request: {other:?}"),
        }
    }

    /// The bodies of the replies sent to a client since it was last asked.
    fn replies(&mut self, client: PeerKey) -> Vec<Message> {
        let sent = self.sent(client).into_iter();
        sent.map(|message| {
            let reply = ClientMessage::read(message, MAX_FRAMES).unwrap();
            reply.body.unwrap()
        })
        .collect()
    }

    /// The one frame that the broker answers when asked for this service.
    fn status(&mut self, service: &str) -> Message {
        self.replies(CLIENT);
        self.request(CLIENT, "mmi.service", service);
        let [status] = <[_; 1]>::try_from(self.replies(CLIENT)).unwrap();
        status
    }

    fn events(&mut self) -> Vec<BrokerEvent> {
        let mut events = Vec::new();
        self.outputs.retain(|output| match output {
            Output::Event(event) => {
                events.push(event.clone());
                false
            }
            _ => true,
        });
        events
    }

    fn heartbeats(&mut self, worker: PeerKey) -> usize {
        let before = self.outputs.len();
        self.outputs
            .retain(|output| !matches!(output, Output::SendIfIdle { to, .. } if *to == worker));
        before - self.outputs.len()
    }
}

impl Default for Scene {
    fn default() -> Self {
        Self::new(BrokerOptions::default())
    }
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn ours(capacity: u16) -> PeerFacts {
    PeerFacts::privateer(NonZeroU16::new(capacity).unwrap())
}

/// Default options, but for all services.
fn with_service(options: ServiceOptions) -> BrokerOptions {
    BrokerOptions::default().default_service(options)
}

#[test]
fn reasons_are_numbered_from_zero() {
    for (index, reason) in DropReason::ALL.into_iter().enumerate() {
        assert_eq!(reason as usize, index);
    }
}
