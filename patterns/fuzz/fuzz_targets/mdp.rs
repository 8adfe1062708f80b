//! Peers that send anything to a broker, in any order: nothing panics, and nothing is kept when they are gone.
//!
//! Run it with `cargo fuzz run -s none mdp` in `patterns/`.
#![no_main]

use std::time::{Duration, Instant};

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use privateer::core::{Frame, Message};
use privateer::majordomo::PeerFacts;
use privateer::majordomo::broker::{BrokerMachine, BrokerOptions, Output, PeerKey, ServiceOptions};
use privateer::majordomo::protocol::{BrokerCommand, ClientMessage, WorkerCommand};

/// What one of eight peers, or the clock, does.
#[derive(Arbitrary, Debug)]
enum Step {
    Up(u8, Vec<u8>),
    UpOurs(u8, u8),
    Down(u8),
    Message(u8, Vec<Piece>),
    Ready(u8, u8),
    Request(u8, u8, Vec<Piece>),
    /// Answers the request that this peer got last.
    Reply(u8, Vec<Piece>),
    Heartbeat(u8),
    Wait(u16),
    /// The clock jumps, and the broker is told late.
    Pause(u8),
    /// From now on the pipe of this peer is full, or has room.
    Full(u8),
    Writable(u8),
    Dismiss,
}

/// A frame that is often almost right.
#[derive(Arbitrary, Debug)]
enum Piece {
    Empty,
    ClientHeader,
    WorkerHeader,
    Command(u8),
    Service(u8),
    /// The address of the last request to anybody.
    Address,
    Bytes(Vec<u8>),
}

const PEERS: u8 = 8;

struct Scene {
    broker: BrokerMachine,
    now: Instant,
    full: [bool; PEERS as usize],
    addresses: [Frame; PEERS as usize],
    last_address: Frame,
}

impl Scene {
    fn frame(&self, piece: Piece) -> Frame {
        match piece {
            Piece::Empty => Frame::empty(),
            Piece::ClientHeader => Frame::from("MDPC01"),
            Piece::WorkerHeader => Frame::from("MDPW01"),
            Piece::Command(command) => Frame::from([command % 7]),
            Piece::Service(service) => name(service),
            Piece::Address => self.last_address.clone(),
            Piece::Bytes(bytes) => Frame::from(bytes),
        }
    }

    fn message(&self, pieces: Vec<Piece>) -> Message {
        let frames = pieces.into_iter().map(|piece| self.frame(piece)).collect();
        Message::from_frames(frames).unwrap_or_else(|| Message::from(Frame::empty()))
    }

    fn receive(&mut self, from: u8, message: Message) {
        self.broker.handle_message(self.now, key(from), message);
    }

    fn command(&mut self, from: u8, command: WorkerCommand) {
        self.receive(from, command.into_message());
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Up(peer, property) => {
                let facts = PeerFacts::read(Some(&property));
                self.broker.peer_up(self.now, key(peer), facts);
            }
            Step::UpOurs(peer, capacity) => {
                let property = format!("1;majordomo,capacity={capacity}");
                let facts = PeerFacts::read(Some(property.as_bytes()));
                assert!(facts.privateer);
                self.broker.peer_up(self.now, key(peer), facts);
            }
            Step::Down(peer) => self.broker.peer_down(self.now, key(peer)),
            Step::Message(peer, pieces) => self.receive(peer, self.message(pieces)),
            Step::Ready(peer, service) => {
                let service = name(service);
                self.command(peer, WorkerCommand::Ready { service });
            }
            Step::Request(peer, service, pieces) => {
                let request = ClientMessage {
                    envelope: None,
                    service: name(service),
                    body: Some(self.message(pieces)),
                };
                self.receive(peer, request.into_message());
            }
            Step::Reply(peer, pieces) => {
                let address = self.addresses[usize::from(peer % PEERS)].clone();
                let body = self.message(pieces);
                self.command(peer, WorkerCommand::Reply { address, body });
            }
            Step::Heartbeat(peer) => self.command(peer, WorkerCommand::Heartbeat),
            Step::Wait(millis) => self.wait(Duration::from_millis(millis.into())),
            Step::Pause(seconds) => {
                self.now += Duration::from_secs(seconds.into());
                self.broker.handle_timeout(self.now);
            }
            Step::Full(peer) => self.full[usize::from(peer % PEERS)] = true,
            Step::Writable(peer) => {
                self.full[usize::from(peer % PEERS)] = false;
                self.broker.handle_writable(key(peer));
            }
            Step::Dismiss => self.broker.dismiss_workers(self.now),
        }
        self.drain();
    }

    fn wait(&mut self, by: Duration) {
        let end = self.now + by;
        while let Some(due) = self.broker.next_timeout().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.broker.handle_timeout(self.now);
            self.drain();
        }
        self.now = end;
    }

    fn drain(&mut self) {
        while let Some(output) = self.broker.poll_output() {
            let Output::Send { to, message } = output else {
                continue;
            };
            let peer = usize::try_from(to.0).unwrap_or(0);
            if self.full[peer] {
                self.broker.handle_full(to, message);
                continue;
            }
            if let Ok(BrokerCommand::Request { address, .. }) = BrokerCommand::read(message, 1024) {
                self.last_address = address.clone();
                self.addresses[peer] = address;
            }
        }
        let stats = self.broker.stats();
        assert!(stats.replies + (stats.queued + stats.in_flight) as u64 <= stats.requests);
    }
}

fn key(peer: u8) -> PeerKey {
    PeerKey(u64::from(peer % PEERS))
}

fn name(service: u8) -> Frame {
    Frame::from(["echo", "calc", "mmi.service", "mmi.x"][usize::from(service % 4)])
}

fuzz_target!(|steps: Vec<Step>| {
    let service = ServiceOptions::default().max_queued(20);
    let options = BrokerOptions::default()
        .client_bytes(2000)
        .max_services(3)
        .default_service(service);
    let mut scene = Scene {
        broker: BrokerMachine::new(options, 7),
        now: Instant::now(),
        full: [false; PEERS as usize],
        addresses: [const { Frame::empty() }; PEERS as usize],
        last_address: Frame::empty(),
    };
    for step in steps {
        scene.step(step);
    }
    for peer in 0..PEERS {
        scene.step(Step::Down(peer));
    }
    let stats = scene.broker.stats();
    let held = [
        stats.services,
        stats.workers,
        stats.queued,
        stats.in_flight,
        stats.parked,
    ];
    assert_eq!(held, [0; 5]);
});
