//! Tests of the worker, on virtual time: the broker is played by hand.

use std::num::NonZeroU16;
use std::time::{Duration, Instant};

use privateer_core::{Frame, Message};

use super::*;
use crate::majordomo::protocol::{BrokerCommand, MAX_FRAMES, Malformed, ToBroker, WorkerCommand};
use crate::majordomo::{PeerFacts, ServiceName};

struct Scene {
    worker: WorkerMachine,
    now: Instant,
    outputs: Vec<Output>,
}

impl Scene {
    fn new(options: WorkerOptions) -> Self {
        let service = ServiceName::new("echo").unwrap();
        Self {
            worker: WorkerMachine::new(service, options, 1),
            now: Instant::now(),
            outputs: Vec::new(),
        }
    }

    /// A worker that is connected to this broker and sent READY.
    fn connected(options: WorkerOptions, broker: PeerFacts) -> Self {
        let mut scene = Self::new(options);
        scene.connect(broker);
        let service = Frame::from("echo");
        assert_eq!(scene.sent(), [WorkerCommand::Ready { service }]);
        scene
    }

    fn connect(&mut self, broker: PeerFacts) {
        self.worker.connected(self.now, broker);
        self.drain();
    }

    fn drain(&mut self) {
        let worker = &mut self.worker;
        self.outputs
            .extend(std::iter::from_fn(|| worker.poll_output()));
    }

    fn receive(&mut self, command: BrokerCommand) {
        self.worker.handle_message(self.now, command.into_message());
        self.drain();
    }

    fn request(&mut self, address: &str, body: &str) {
        self.receive(BrokerCommand::Request {
            address: Frame::from(address),
            body: Message::from(body),
        });
    }

    fn reply(&mut self, key: RequestKey, body: &str) {
        self.worker.reply(self.now, key, Message::from(body));
        self.drain();
    }

    fn stop(&mut self) {
        self.worker.stop(self.now);
        self.drain();
    }

    fn advance(&mut self, by: Duration) {
        let end = self.now + by;
        while let Some(due) = self.worker.next_timeout().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.worker.handle_timeout(self.now);
            self.drain();
        }
        self.now = end;
    }

    /// Takes the outputs for which `take` gives something.
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

    fn sent(&mut self) -> Vec<WorkerCommand> {
        self.outputs(|output| match output {
            Output::Send(message) => match ToBroker::read(message.clone(), MAX_FRAMES) {
                Ok(ToBroker::Worker(command)) => Some(command),
                other => panic!("not a command: {other:?}"),
            },
            _ => None,
        })
    }

    fn requests(&mut self) -> Vec<(RequestKey, Message)> {
        self.outputs(|output| match output {
            Output::Request { key, body } => Some((*key, body.clone())),
            _ => None,
        })
    }

    fn heartbeats(&mut self) -> usize {
        self.outputs(|output| matches!(output, Output::SendIfIdle(_)).then_some(()))
            .len()
    }

    fn reconnects(&mut self) -> Vec<Duration> {
        self.outputs(|output| match output {
            Output::Reconnect { delay } => Some(*delay),
            _ => None,
        })
    }

    fn has_stopped(&self) -> bool {
        self.outputs.last() == Some(&Output::Stopped)
    }
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn stranger() -> PeerFacts {
    PeerFacts::default()
}

fn ours() -> PeerFacts {
    PeerFacts::privateer(NonZeroU16::MIN)
}

fn capacity(requests: u16) -> WorkerOptions {
    WorkerOptions::default().capacity(NonZeroU16::new(requests).unwrap())
}

fn answer(address: &str, body: &str) -> WorkerCommand {
    WorkerCommand::Reply {
        address: Frame::from(address),
        body: Message::from(body),
    }
}

#[test]
fn a_request_is_answered_with_its_address() {
    let mut scene = Scene::connected(WorkerOptions::default(), stranger());
    scene.request("client", "Hi");
    let [(key, body)] = <[_; 1]>::try_from(scene.requests()).unwrap();
    assert_eq!(body, Message::from("Hi"));
    scene.reply(key, "Ho");
    assert_eq!(scene.sent(), [answer("client", "Ho")]);
    scene.reply(key, "twice");
    assert_eq!(scene.sent(), []);
    assert_eq!(scene.worker.stats().late_replies, 1);
}

#[test]
fn as_many_requests_are_in_hand_as_the_capacity_says() {
    let mut scene = Scene::connected(capacity(2).max_waiting(1), ours());
    for address in ["a", "b", "c", "d"] {
        scene.request(address, address);
    }
    let requests = scene.requests();
    assert_eq!(requests.len(), 2);
    assert_eq!(scene.worker.stats().declined, 1);
    scene.reply(requests[1].0, "B");
    assert_eq!(scene.sent(), [answer("b", "B")]);
    assert_eq!(scene.requests().pop().unwrap().1, Message::from("c"));
    assert_eq!(scene.worker.stats().waiting, 0);
}

/// Promise 5: heartbeats run apart from handlers.
#[test]
fn heartbeats_are_sent_while_busy_unless_something_else_was() {
    let mut scene = Scene::connected(WorkerOptions::default(), stranger());
    scene.request("client", "Hi");
    let (key, _) = scene.requests().pop().unwrap();
    scene.advance(ms(10_000));
    assert_eq!(scene.heartbeats(), 4);
    scene.advance(ms(2000));
    scene.reply(key, "Ho");
    scene.advance(ms(2000));
    assert_eq!(scene.heartbeats(), 0);
    scene.advance(ms(500));
    assert_eq!(scene.heartbeats(), 1);
}

#[test]
fn a_silent_broker_is_given_up_after_three_intervals() {
    let mut scene = Scene::connected(WorkerOptions::default(), stranger());
    scene.advance(ms(2400));
    scene.receive(BrokerCommand::Heartbeat);
    scene.advance(ms(7499));
    assert_eq!(scene.reconnects(), []);
    scene.advance(ms(1));
    assert_eq!(scene.reconnects().len(), 1);
    assert_eq!(scene.worker.next_timeout(), None);
}

/// MD-6: a reference broker sends no heartbeats to a busy worker, whose handler takes 60 seconds.
#[test]
fn a_stranger_is_not_judged_while_a_request_is_in_hand() {
    let mut scene = Scene::connected(WorkerOptions::default(), stranger());
    scene.request("client", "Hi");
    scene.advance(Duration::from_secs(60));
    assert_eq!(scene.reconnects(), []);
    let (key, _) = scene.requests().pop().unwrap();
    scene.reply(key, "Ho");
    assert_eq!(scene.sent(), [answer("client", "Ho")]);
    scene.advance(ms(7400));
    assert_eq!(scene.reconnects(), []);
    scene.advance(ms(100));
    assert_eq!(scene.reconnects().len(), 1);
}

#[test]
fn a_broker_of_ours_is_judged_while_a_request_is_in_hand() {
    let mut scene = Scene::connected(WorkerOptions::default(), ours());
    scene.request("client", "Hi");
    let (key, _) = scene.requests().pop().unwrap();
    scene.advance(ms(7500));
    assert_eq!(scene.reconnects().len(), 1);
    assert!(scene.outputs.contains(&Output::Abandon(key)));
    scene.connect(ours());
    scene.sent();
    scene.reply(key, "too late");
    assert_eq!(scene.sent(), []);
}

/// 7.4-13: a worker that is refused does not storm the broker.
#[test]
fn disconnect_leads_to_a_new_connection_after_a_growing_delay() {
    let mut scene = Scene::connected(WorkerOptions::default(), ours());
    let mut delays = Vec::new();
    for _ in 0..10 {
        scene.receive(BrokerCommand::Disconnect);
        let [delay] = <[_; 1]>::try_from(scene.reconnects()).unwrap();
        delays.push(delay);
        scene.advance(delay);
        scene.connect(ours());
    }
    assert!(delays[0] <= ms(250) && delays[9] >= ms(5000) && delays[9] <= ms(10_000));
    scene.receive(BrokerCommand::Heartbeat);
    scene.receive(BrokerCommand::Disconnect);
    assert!(scene.reconnects()[0] <= ms(250));
}

/// MD-12: the broker was restarted; the worker says READY on the next connection.
#[test]
fn ready_is_sent_on_every_connection() {
    let mut scene = Scene::connected(WorkerOptions::default(), ours());
    scene.request("client", "Hi");
    scene.worker.disconnected();
    scene.drain();
    assert!(scene.reconnects()[0] <= ms(250));
    scene.connect(ours());
    let service = Frame::from("echo");
    assert_eq!(scene.sent(), [WorkerCommand::Ready { service }]);
    assert_eq!(scene.worker.stats().abandoned, 1);
}

/// MD-14.
#[test]
fn a_stopping_worker_answers_what_is_in_hand_and_says_disconnect() {
    let mut scene = Scene::connected(capacity(2), ours());
    scene.request("a", "A");
    scene.request("b", "B");
    let requests = scene.requests();
    scene.stop();
    scene.request("c", "C");
    assert_eq!(
        (scene.requests(), scene.worker.stats().declined),
        (vec![], 1)
    );
    scene.advance(ms(2500));
    assert_eq!(scene.heartbeats(), 1);
    scene.receive(BrokerCommand::Heartbeat);
    scene.reply(requests[0].0, "1");
    assert!(!scene.has_stopped());
    scene.reply(requests[1].0, "2");
    let sent = [
        answer("a", "1"),
        answer("b", "2"),
        WorkerCommand::Disconnect,
    ];
    assert_eq!(scene.sent(), sent);
    assert!(scene.has_stopped());
    scene.connect(ours());
    assert_eq!(scene.sent(), []);
}

#[test]
fn a_worker_without_work_or_connection_stops_at_once() {
    let mut scene = Scene::connected(WorkerOptions::default(), ours());
    scene.stop();
    assert_eq!(scene.sent(), [WorkerCommand::Disconnect]);
    assert!(scene.has_stopped());
    let mut scene = Scene::new(WorkerOptions::default());
    scene.stop();
    assert!(scene.has_stopped());
    scene.stop();
    assert_eq!(scene.outputs.len(), 1);
}

#[test]
fn a_stopping_worker_that_loses_its_broker_ends() {
    for lose in [
        |scene: &mut Scene| scene.worker.disconnected(),
        |scene: &mut Scene| scene.receive(BrokerCommand::Disconnect),
        |scene: &mut Scene| scene.advance(ms(7500)),
    ] {
        let mut scene = Scene::connected(WorkerOptions::default(), ours());
        scene.request("client", "Hi");
        scene.stop();
        lose(&mut scene);
        scene.drain();
        assert!(scene.has_stopped());
        assert_eq!(scene.reconnects(), []);
        let stops = scene.outputs(|output| (*output == Output::Stopped).then_some(()));
        assert_eq!(stops.len(), 1);
    }
}

/// MD-7: messages that abort reference workers.
#[test]
fn malformed_messages_are_counted_and_are_no_life() {
    let mut scene = Scene::connected(WorkerOptions::default(), ours());
    for (frames, kind) in [
        (vec!["x"], Malformed::NoDelimiter),
        (vec!["", "MDPW01"], Malformed::NoCommand),
        (vec!["", "MDPW01", "\x09"], Malformed::UnknownCommand),
        (vec!["", "MDPW01", "\x02", "a"], Malformed::NoAddress),
    ] {
        let frames = frames.into_iter().map(Frame::from).collect();
        let message = Message::from_frames(frames).unwrap();
        scene.worker.handle_message(scene.now, message);
        scene.drain();
        assert_eq!(scene.worker.stats().malformed(kind), 1);
    }
    assert_eq!(scene.requests(), []);
    scene.request("client", "Hi");
    assert_eq!(scene.requests().len(), 1);
}

/// F-1.
#[test]
fn after_a_pause_of_the_clock_the_broker_gets_another_interval() {
    let mut scene = Scene::connected(WorkerOptions::default(), ours());
    scene.now += Duration::from_secs(60);
    scene.worker.handle_timeout(scene.now);
    scene.drain();
    assert_eq!((scene.reconnects(), scene.heartbeats()), (vec![], 1));
    scene.advance(ms(2400));
    scene.receive(BrokerCommand::Heartbeat);
    scene.advance(ms(7400));
    assert_eq!(scene.reconnects(), []);
    scene.advance(ms(100));
    assert_eq!(scene.reconnects().len(), 1);
}
