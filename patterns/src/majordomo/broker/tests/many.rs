//! Many clients and workers at once, with faults on purpose.

use std::collections::{HashMap, HashSet, VecDeque};

use super::*;
use crate::majordomo::worker::{self, WorkerMachine, WorkerOptions};
use crate::majordomo::{ServiceName, client};
use client::{CallOptions, ClientMachine, ClientOptions, LaneKey, Outcome};

const CLIENTS: u64 = 5;
const WORKERS: u64 = 5;
const CALLS: usize = 2000;

/// Peers and a broker, joined in memory; each step carries one message of each pipe.
struct Network {
    now: Instant,
    random: fastrand::Rng,
    broker: BrokerMachine,
    next_key: u64,
    clients: Vec<Client>,
    workers: Vec<Worker>,
    /// What is on the way from and to each connection.
    inbound: Pipes,
    outbound: Pipes,
}

type Pipes = HashMap<PeerKey, VecDeque<Message>>;

struct Client {
    machine: ClientMachine,
    lanes: HashMap<LaneKey, PeerKey>,
    started: usize,
    in_flight: usize,
    answers: HashSet<Message>,
}

struct Worker {
    machine: WorkerMachine,
    key: PeerKey,
    hand: Vec<(worker::RequestKey, Message)>,
}

/// What is sent on a connection that ended is lost.
fn push(pipes: &mut Pipes, key: Option<&PeerKey>, message: Message) {
    if let Some(pipe) = key.and_then(|key| pipes.get_mut(key)) {
        pipe.push_back(message);
    }
}

impl Client {
    fn finish(&mut self, outcome: Outcome) {
        let Outcome::Reply(body) = outcome else {
            panic!("lost: {outcome:?}");
        };
        self.in_flight -= 1;
        assert!(self.answers.insert(body), "answered twice");
    }
}

impl Network {
    fn new(facts: PeerFacts, seed: u64) -> Self {
        let mut network = Self {
            now: Instant::now(),
            random: fastrand::Rng::with_seed(seed),
            broker: BrokerMachine::new(BrokerOptions::default(), seed),
            next_key: 0,
            clients: Vec::new(),
            workers: Vec::new(),
            inbound: HashMap::new(),
            outbound: HashMap::new(),
        };
        for _ in 0..CLIENTS {
            network.clients.push(Client {
                machine: ClientMachine::new(ClientOptions::default()),
                lanes: HashMap::new(),
                started: 0,
                in_flight: 0,
                answers: HashSet::new(),
            });
        }
        for _ in 0..WORKERS {
            let worker = network.new_worker(facts);
            network.workers.push(worker);
        }
        network
    }

    fn connect(&mut self, facts: PeerFacts) -> PeerKey {
        self.next_key += 1;
        let key = PeerKey(self.next_key);
        self.inbound.insert(key, VecDeque::new());
        self.outbound.insert(key, VecDeque::new());
        self.broker.peer_up(self.now, key, facts);
        key
    }

    fn new_worker(&mut self, facts: PeerFacts) -> Worker {
        let service = ServiceName::new("echo").unwrap();
        let options = WorkerOptions::default().capacity(facts.capacity);
        let mut machine = WorkerMachine::new(service, options, 1);
        let key = self.connect(facts);
        machine.connected(self.now, facts);
        Worker {
            machine,
            key,
            hand: Vec::new(),
        }
    }

    fn kill_worker(&mut self, index: usize, facts: PeerFacts) {
        let key = self.workers[index].key;
        self.inbound.remove(&key);
        self.outbound.remove(&key);
        self.broker.peer_down(self.now, key);
        let worker = self.new_worker(facts);
        self.workers[index] = worker;
    }

    /// A broker of another epoch, to which everybody connects anew; workers go on with what they have in hand.
    fn restart_broker(&mut self, facts: PeerFacts) {
        self.broker = BrokerMachine::new(BrokerOptions::default(), self.random.u64(..));
        self.inbound.clear();
        self.outbound.clear();
        for index in 0..self.workers.len() {
            self.workers[index].key = self.connect(facts);
            self.workers[index].machine.disconnected();
            self.workers[index].machine.connected(self.now, facts);
        }
        for client in &mut self.clients {
            for lane in std::mem::take(&mut client.lanes).into_keys() {
                client.machine.lane_down(self.now, lane);
            }
        }
    }

    fn broker_outputs(&mut self) {
        while let Some(output) = self.broker.poll_output() {
            match output {
                Output::Send { to, message } | Output::SendIfIdle { to, message } => {
                    push(&mut self.outbound, Some(&to), message);
                }
                Output::Pause(_) | Output::Resume(_) | Output::Event(_) => {}
            }
        }
    }

    fn client_step(&mut self, index: usize, facts: PeerFacts) {
        let client = &mut self.clients[index];
        let lanes: Vec<_> = client
            .lanes
            .iter()
            .map(|(lane, key)| (*lane, *key))
            .collect();
        for (lane, key) in lanes {
            if let Some(message) = self.outbound.get_mut(&key).and_then(VecDeque::pop_front) {
                client.machine.handle_message(self.now, lane, message);
            }
        }
        while client.in_flight < 20 && client.started < CALLS {
            let body = Message::from(format!("{index} {}", client.started));
            let service = ServiceName::new("echo").unwrap();
            client
                .machine
                .call(self.now, service, body, CallOptions::default());
            client.started += 1;
            client.in_flight += 1;
        }
        while let Some(output) = self.clients[index].machine.poll_output() {
            match output {
                client::Output::OpenLane { lane, .. } => {
                    let key = self.connect(facts);
                    self.clients[index].lanes.insert(lane, key);
                    self.clients[index].machine.lane_up(self.now, lane, facts);
                }
                client::Output::Send { lane, message } => {
                    let key = self.clients[index].lanes.get(&lane);
                    push(&mut self.inbound, key, message);
                }
                client::Output::Finished { outcome, .. } => self.clients[index].finish(outcome),
                client::Output::CloseLane(lane) => drop(self.clients[index].lanes.remove(&lane)),
                client::Output::Event(_) => {}
            }
        }
    }

    fn worker_step(&mut self, index: usize) {
        let worker = &mut self.workers[index];
        if let Some(message) = self
            .outbound
            .get_mut(&worker.key)
            .and_then(VecDeque::pop_front)
        {
            worker.machine.handle_message(self.now, message);
        }
        if !worker.hand.is_empty() && self.random.bool() {
            let (key, body) = worker
                .hand
                .swap_remove(self.random.usize(..worker.hand.len()));
            worker.machine.reply(self.now, key, body);
        }
        while let Some(output) = worker.machine.poll_output() {
            match output {
                worker::Output::Send(message) | worker::Output::SendIfIdle(message) => {
                    self.inbound
                        .get_mut(&worker.key)
                        .unwrap()
                        .push_back(message);
                }
                worker::Output::Request { key, body } => worker.hand.push((key, body)),
                worker::Output::Event(_)
                | worker::Output::Abandon(_)
                | worker::Output::Reconnect { .. } => {}
                other => panic!("unexpected: {other:?}"),
            }
        }
    }

    fn step(&mut self, facts: PeerFacts) {
        self.now += Duration::from_micros(100);
        for index in 0..self.clients.len() {
            self.client_step(index, facts);
        }
        for index in 0..self.workers.len() {
            self.worker_step(index);
        }
        let mut keys: Vec<_> = self.inbound.keys().copied().collect();
        keys.sort_unstable();
        for key in keys {
            if let Some(message) = self.inbound.get_mut(&key).and_then(VecDeque::pop_front) {
                self.broker.handle_message(self.now, key, message);
            }
        }
        self.broker.handle_timeout(self.now);
        self.broker_outputs();
        if self.random.u32(..200) == 0 {
            let index = self.random.usize(..self.workers.len());
            self.kill_worker(index, facts);
        }
    }

    fn run(&mut self, facts: PeerFacts) {
        let done = |client: &Client| client.answers.len() == CALLS;
        for _ in 0..1_000_000 {
            if self.clients.iter().all(done) {
                return;
            }
            self.step(facts);
        }
        let stats = self.broker.stats();
        panic!("stuck: {stats:?}");
    }
}

/// MD-1: 5 clients × 5 workers × 2,000 calls, workers killed at random, none lost; peers that know only RFC 7.
#[test]
fn no_call_of_strangers_is_lost_when_workers_are_killed() {
    let facts = PeerFacts::default();
    let mut network = Network::new(facts, 1);
    network.run(facts);
    assert!(network.broker.stats().redispatched > 10);
    assert_eq!(network.broker.stats().queued, 0);
}

/// MD-1 with our own peers: one connection for each client, workers that take four requests at a time.
#[test]
fn no_call_of_our_peers_is_lost_when_workers_are_killed() {
    let facts = ours(4);
    let mut network = Network::new(facts, 2);
    network.run(facts);
    assert!(network.clients.iter().all(|client| client.lanes.len() == 1));
    assert!(network.broker.stats().redispatched > 10);
    let stats = network.broker.stats();
    assert_eq!((stats.queued, stats.in_flight, stats.parked), (0, 0, 0));
    assert!(network.broker.peers.values().all(|peer| peer.held == 0));
}

/// MD-12: the broker is restarted again and again; every call is answered once, and nobody is dismissed.
#[test]
fn no_call_is_lost_when_the_broker_is_restarted() {
    for facts in [PeerFacts::default(), ours(4)] {
        let mut network = Network::new(facts, 3);
        for _ in 0..20 {
            for _ in 0..100 {
                network.step(facts);
            }
            network.restart_broker(facts);
        }
        let late = |worker: &Worker| worker.machine.stats().late_replies;
        assert!(network.workers.iter().map(late).sum::<u64>() > 0);
        network.run(facts);
        assert_eq!(network.broker.stats().dismissals, 0);
        assert!(
            network
                .clients
                .iter()
                .all(|client| client.machine.stats().resent > 0)
        );
    }
}

/// The arithmetic of attempts is not changed by many losses.
#[test]
fn attempts_are_counted_for_each_request() {
    let options = ServiceOptions::default().attempts(NonZeroU32::new(2).unwrap());
    let mut scene = Scene::new(with_service(options));
    for body in ["one", "two"] {
        scene.request(CLIENT, "echo", body);
    }
    for key in 100..104 {
        scene.up(PeerKey(key), PeerFacts::default());
        scene.ready(PeerKey(key), "echo");
        scene.request_at(PeerKey(key));
        scene.down(PeerKey(key));
    }
    let stats = scene.broker.stats();
    assert_eq!(
        (
            stats.redispatched,
            stats.dropped(DropReason::AttemptsExhausted)
        ),
        (2, 2)
    );
}
