//! Tests of the client, on virtual time: the broker is played by hand.

use std::collections::HashSet;
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
        self.client.lane_up(lane, broker);
        self.drain();
    }

    fn lane_down(&mut self, lane: LaneKey) {
        self.client.lane_down(lane);
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
        self.client.handle_message(lane, request.into_message());
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

#[test]
fn nothing_is_sent_before_the_broker_is_known() {
    let mut scene = Scene::default();
    for body in ["one", "two", "three"] {
        scene.call(body);
    }
    assert_eq!((scene.opened().len(), scene.sent().len()), (1, 0));
}

/// AM-5: replies in any order, and twice, find their calls.
#[test]
fn calls_share_one_connection_to_a_broker_of_ours() {
    let mut scene = Scene::default();
    let calls: Vec<_> = ["one", "two", "three"].map(|body| scene.call(body)).into();
    let lane = scene.first_lane(ours());
    let sent = scene.sent();
    assert!(
        sent.iter()
            .all(|(on, request)| *on == lane && request.envelope.is_some())
    );
    for index in [2, 0, 2, 1, 0] {
        scene.echo(sent[index].clone());
    }
    let expected = [
        (calls[2], replied("three")),
        (calls[0], replied("one")),
        (calls[1], replied("two")),
    ];
    assert_eq!(scene.finished(), expected);
    assert_eq!(scene.client.stats().late_replies, 2);
    assert_eq!(scene.opened(), []);
}

#[test]
fn each_call_has_a_connection_of_its_own_to_a_stranger() {
    let mut scene = Scene::default();
    let calls: Vec<_> = ["one", "two", "three"].map(|body| scene.call(body)).into();
    scene.first_lane(PeerFacts::default());
    for lane in scene.opened() {
        scene.lane_up(lane, PeerFacts::default());
    }
    let sent = scene.sent();
    let lanes: HashSet<_> = sent.iter().map(|(lane, _)| *lane).collect();
    assert_eq!((sent.len(), lanes.len()), (3, 3));
    assert!(sent.iter().all(|(_, request)| request.envelope.is_none()));
    scene.echo(sent[1].clone());
    assert_eq!(scene.finished(), [(calls[1], replied("two"))]);
    scene.call("four");
    assert_eq!(
        only(scene.sent()).0,
        sent[1].0,
        "the free connection is used again"
    );
    assert_eq!(scene.opened(), []);
}

#[test]
fn the_number_of_connections_is_limited() {
    let options = ClientOptions::default().max_lanes(NonZeroUsize::new(2).unwrap());
    let mut scene = Scene::new(options);
    for _ in 0..5 {
        scene.call("x");
    }
    scene.first_lane(PeerFacts::default());
    let other = only(scene.opened());
    scene.lane_up(other, PeerFacts::default());
    assert_eq!((scene.opened(), scene.sent().len()), (vec![], 2));
    assert_eq!(scene.client.stats().waiting, 3);
}

/// Lazy Pirate: three attempts of 2.5 seconds, each on a connection of its own.
#[test]
fn an_attempt_to_a_stranger_is_repeated_on_another_connection() {
    let mut scene = Scene::default();
    let call = scene.call("Hi");
    let mut lane = scene.first_lane(PeerFacts::default());
    let mut first = only(scene.sent());
    for _ in 0..2 {
        scene.advance(ms(2500));
        assert_eq!(scene.closed(), [lane]);
        lane = scene.first_lane(PeerFacts::default());
        let again = only(scene.sent());
        assert_eq!(again, (lane, first.1.clone()));
        first = again;
    }
    scene.advance(ms(2499));
    assert_eq!(scene.finished(), []);
    scene.advance(ms(1));
    assert_eq!(
        scene.finished(),
        [(call, Outcome::TimedOut { attempts: 3 })]
    );
    assert_eq!(scene.closed(), [lane]);
    scene.echo(first);
    assert_eq!(scene.client.stats().late_replies, 1);
    assert_eq!(scene.client.next_timeout(), None);
}

/// 7.4-8: stale copies are not worked on.
#[test]
fn a_broker_of_ours_gets_a_request_once_on_one_connection() {
    let mut scene = Scene::default();
    let call = scene.call("Hi");
    scene.first_lane(ours());
    let sent = only(scene.sent());
    scene.advance(ms(6000));
    assert_eq!((scene.sent(), scene.closed()), (vec![], vec![]));
    scene.echo(sent);
    assert_eq!(scene.finished(), [(call, replied("Hi"))]);
    let call = scene.call("Ho");
    scene.advance(ms(7500));
    assert_eq!(
        scene.finished(),
        [(call, Outcome::TimedOut { attempts: 3 })]
    );
}

/// MD-12 and AM-4: what was unanswered is sent again on the next connection, in order.
#[test]
fn unanswered_calls_are_sent_again_after_a_reconnect() {
    let mut scene = Scene::default();
    for body in ["one", "two", "three"] {
        scene.call(body);
    }
    let lane = scene.first_lane(ours());
    let sent = scene.sent();
    scene.echo(sent[1].clone());
    scene.lane_down(lane);
    assert_eq!(scene.closed(), [lane]);
    scene.call("four");
    assert_eq!(scene.sent(), []);
    let next = scene.first_lane(ours());
    let again = scene.sent();
    assert!(again.iter().all(|(lane, _)| *lane == next));
    assert_eq!((&again[0].1, &again[1].1), (&sent[0].1, &sent[2].1));
    assert_eq!(again.len(), 3);
    again.into_iter().for_each(|request| scene.echo(request));
    assert_eq!(scene.finished().len(), 4);
    assert_eq!(scene.client.stats().resent, 2);
}

#[test]
fn a_lane_to_a_stranger_that_ends_gives_its_call_back() {
    let mut scene = Scene::default();
    scene.call("Hi");
    let lane = scene.first_lane(PeerFacts::default());
    let sent = only(scene.sent());
    scene.lane_down(lane);
    assert_eq!(scene.closed(), [lane]);
    scene.first_lane(PeerFacts::default());
    assert_eq!(only(scene.sent()).1, sent.1);
}

#[test]
fn a_connection_that_ends_without_a_reply_is_replaced_after_a_delay() {
    let delays = |scene: &mut Scene| {
        scene.outputs(|output| match output {
            Output::OpenLane { lane, delay } => Some((*lane, *delay)),
            _ => None,
        })
    };
    let mut scene = Scene::default();
    scene.client.open();
    scene.drain();
    for (echoed, delay) in [
        (false, ms(0)),
        (true, ms(250)),
        (true, ms(0)),
        (false, ms(0)),
    ] {
        let (lane, given) = only(delays(&mut scene));
        assert_eq!(given, delay);
        scene.lane_up(lane, ours());
        scene.call("Hi");
        for request in scene.sent().into_iter().filter(|_| echoed) {
            scene.echo(request);
        }
        scene.lane_down(lane);
    }
    assert_eq!(only(delays(&mut scene)).1, ms(250));
}

#[test]
fn when_a_stranger_becomes_one_of_ours_one_connection_stays() {
    let mut scene = Scene::default();
    for body in ["one", "two", "three"] {
        scene.call(body);
    }
    let first = scene.first_lane(PeerFacts::default());
    let others = scene.opened();
    scene.lane_up(others[0], PeerFacts::default());
    assert_eq!(scene.sent().len(), 2);
    scene.lane_down(first);
    let next = scene.opened()[0];
    scene.closed();
    scene.lane_up(next, ours());
    assert_eq!(scene.closed(), others);
    assert_eq!(scene.sent().len(), 3);
    // And back again.
    scene.lane_down(next);
    scene.first_lane(PeerFacts::default());
    assert_eq!((scene.sent().len(), scene.opened().len()), (1, 2));
}

/// F-5.
#[test]
fn a_cancelled_call_ends_at_once_and_its_reply_is_dropped() {
    let mut scene = Scene::default();
    let call = scene.call("Hi");
    scene.first_lane(ours());
    let sent = only(scene.sent());
    scene.client.cancel(call);
    scene.client.cancel(call);
    scene.drain();
    assert_eq!(scene.finished(), [(call, Outcome::Cancelled)]);
    scene.echo(sent);
    assert_eq!(
        (scene.finished(), scene.client.stats().late_replies),
        (vec![], 1)
    );

    let mut scene = Scene::default();
    let call = scene.call("Hi");
    let lane = scene.first_lane(PeerFacts::default());
    scene.client.cancel(call);
    scene.drain();
    assert_eq!(
        scene.closed(),
        [lane],
        "its late reply would be that of another call"
    );
}

/// F-4.
#[test]
fn a_deadline_ends_a_call_whatever_attempts_are_left() {
    let mut scene = Scene::default();
    let deadline = Some(scene.now + ms(3000));
    let call = scene.call_with("Hi", CallOptions::default().deadline(deadline));
    let options = CallOptions::default().attempt_timeout(None);
    let patient = scene.call_with("Ho", options);
    let options = options.deadline(Some(scene.now + ms(60_000)));
    let later = scene.call_with("Hm", options);
    scene.advance(ms(2999));
    assert_eq!(scene.finished(), []);
    scene.advance(ms(1));
    assert_eq!(
        scene.finished(),
        [(call, Outcome::TimedOut { attempts: 2 })]
    );
    scene.advance(ms(57_000));
    assert_eq!(
        scene.finished(),
        [(later, Outcome::TimedOut { attempts: 1 })]
    );
    scene.advance(Duration::from_secs(3600));
    scene.client.cancel(patient);
    scene.drain();
    assert_eq!(scene.finished(), [(patient, Outcome::Cancelled)]);
}

#[test]
fn strange_replies_are_dropped_and_the_call_goes_on() {
    for broker in [ours(), PeerFacts::default()] {
        let mut scene = Scene::default();
        let call = scene.call("Hi");
        let lane = scene.first_lane(broker);
        let sent = only(scene.sent());
        let envelope = match broker.privateer {
            true => Some(Message::from("a strange id")),
            false => Some(Message::from("any")),
        };
        let other_service = ClientMessage {
            service: Frame::from("other"),
            ..sent.1.clone()
        };
        let no_body = ClientMessage {
            body: None,
            ..sent.1.clone()
        };
        let strange = ClientMessage {
            envelope,
            ..sent.1.clone()
        };
        for reply in [other_service, no_body, strange] {
            scene.echo((lane, reply));
        }
        scene.client.handle_message(lane, Message::from("x"));
        scene.drain();
        assert_eq!(scene.client.stats().late_replies, 3);
        assert_eq!(scene.client.stats().malformed(Malformed::NoDelimiter), 1);
        scene.echo(sent);
        assert_eq!(scene.finished(), [(call, replied("Hi"))]);
    }
}

/// F-1: the replies that came while the program was stopped are read before calls are given up.
#[test]
fn after_a_pause_of_the_clock_replies_are_read_first() {
    let mut scene = Scene::default();
    let options = CallOptions::default().attempts(NonZeroU32::MIN);
    let (answered, lost) = (
        scene.call_with("Hi", options),
        scene.call_with("Ho", options),
    );
    scene.first_lane(ours());
    let sent = scene.sent();
    scene.now += Duration::from_secs(60);
    scene.client.handle_timeout(scene.now);
    scene.drain();
    assert_eq!(scene.finished(), []);
    scene.echo(sent[0].clone());
    assert_eq!(scene.finished(), [(answered, replied("Hi"))]);
    scene.advance(ms(100));
    assert_eq!(
        scene.finished(),
        [(lost, Outcome::TimedOut { attempts: 1 })]
    );
}

#[test]
fn timers_of_calls_that_ended_do_not_pile_up() {
    let mut scene = Scene::default();
    scene.call("first");
    scene.first_lane(ours());
    for _ in 0..10_000 {
        scene.call("x");
        let sent = scene.sent();
        sent.into_iter().for_each(|request| scene.echo(request));
        scene.outputs.clear();
    }
    assert!(scene.client.timers.len() < 100);
}
