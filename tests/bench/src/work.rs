//! What is measured: the kinds of work, and the cases that each of them has.
//!
//! A new kind of work is a variant of [`Work`] and its line in each `match` of this file; a new way to move messages is
//! a [`Shape`] and a flow in [`crate::child`].

use std::fmt;

use clap::ValueEnum;
use serde::Serialize;

/// Body of a request and of its reply, in octets.
const ROUND_TRIP_SIZE: usize = 64;

/// Body of a message that a crowd gets or sends, in octets.
const CROWD_SIZE: usize = 64;

/// Body of a message at a fixed pace, in octets.
const PACED_SIZE: usize = 16;

/// Subscribers of one publisher.
const SUBSCRIBERS: [usize; 5] = [1, 8, 64, 1000, 10_000];

/// Body of a request that goes through a queue, in octets.
const QUEUE_SIZE: usize = 64;

/// Of how many requests to the slow server one is slow.
const SLOW: [u32; 2] = [10, 1];

/// Peers of one ROUTER that ask, and how many more are connected and silent.
const ASKERS: [(usize, usize); 3] = [(10, 0), (10, 9_990), (10_000, 0)];

/// A kind of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Work {
    /// PUSH to PULL, one way, two processes.
    PushPull,
    /// DEALER to ROUTER, one way, two processes.
    DealerRouter,
    /// REQ and REP, one request at a time, two processes.
    ReqRep,
    /// PUSH to PULL, one way, inside one process.
    Inproc,
    /// Many idle connections to one ROUTER.
    Peers,
    /// PUB to a crowd of subscribers.
    FanOut,
    /// A crowd of peers asks one ROUTER.
    Busy,
    /// R02: PUSH to PULL at a fixed pace, for a receiver that gives each message a time limit.
    Paced,
    /// PP-9: many idle workers of one Paranoid Pirate queue, each with heartbeats.
    IdleWorkers,
    /// Requests through a Paranoid Pirate queue to four workers; `--guide-queue` adds the guide's own.
    Queue,
    /// A Lazy Pirate with three servers of which one is slow, with and without hedging.
    Hedged,
}

/// How messages move, and so which flow of [`crate::child`] measures it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// The connecting process sends, the binding process counts.
    OneWay,
    /// The connecting process asks and takes the time, the binding process answers.
    RoundTrip,
    /// One process does both.
    OneProcess,
    /// The binding process has peers and nothing to do.
    Idle,
    /// The binding process sends to a crowd, which tells how far it is.
    Publish,
    /// The binding process answers a crowd.
    Answer,
    /// The binding process is a queue whose workers have nothing to do but to live.
    Beat,
    /// The binding process is a queue between the connecting process, which measures, and a crowd of workers.
    Switch,
    /// The connecting process asks at a fixed pace and takes the time, the binding process answers, sometimes slowly.
    Hedge,
}

/// How two sockets reach each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Transport {
    /// TCP over the loopback interface.
    Tcp,
    /// Unix domain sockets.
    Ipc,
    /// Inside one process.
    Inproc,
}

/// The socket types that take part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SocketKind {
    Push,
    Pull,
    Dealer,
    Router,
    Req,
    Rep,
    Pub,
}

/// One line of the list of measurements: work, transport and body size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Case {
    /// The kind of work.
    pub(crate) work: Work,
    /// The transport.
    pub(crate) transport: Transport,
    /// Octets in a body; 0 if nobody sends one.
    pub(crate) size: usize,
    /// Who is at the other side, if that is a crowd.
    pub(crate) crowd: Option<Numbers>,
    /// Of how many requests to the slow server one is slow, if there is such a server.
    pub(crate) slow: Option<u32>,
}

/// The size of a crowd.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Numbers {
    /// Peers that take part.
    pub(crate) active: usize,
    /// Peers that are connected and silent.
    pub(crate) idle: usize,
}

impl Numbers {
    /// All of them.
    pub(crate) const fn total(self) -> usize {
        self.active + self.idle
    }
}

impl Work {
    /// The cases of this work for the sizes that were chosen.
    pub(crate) fn cases(self, sizes: &[usize]) -> Vec<Case> {
        let case = |transport, size| Case {
            work: self,
            transport,
            size,
            crowd: None,
            slow: None,
        };
        let slow = |slow| Case {
            slow: Some(slow),
            ..case(Transport::Tcp, ROUND_TRIP_SIZE)
        };
        let crowd = |(active, idle)| Case {
            crowd: Some(Numbers { active, idle }),
            ..case(Transport::Tcp, CROWD_SIZE)
        };
        match self {
            Self::PushPull | Self::DealerRouter => sizes
                .iter()
                .map(|&size| case(Transport::Tcp, size))
                .collect(),
            Self::ReqRep => vec![
                case(Transport::Tcp, ROUND_TRIP_SIZE),
                case(Transport::Ipc, ROUND_TRIP_SIZE),
            ],
            Self::Inproc => sizes
                .iter()
                .map(|&size| case(Transport::Inproc, size))
                .collect(),
            Self::Peers => vec![case(Transport::Tcp, 0)],
            Self::FanOut => SUBSCRIBERS.map(|count| crowd((count, 0))).to_vec(),
            Self::Busy => ASKERS.map(crowd).to_vec(),
            Self::Paced => vec![case(Transport::Tcp, PACED_SIZE)],
            Self::IdleWorkers => vec![case(Transport::Tcp, 0)],
            Self::Queue => vec![case(Transport::Tcp, QUEUE_SIZE)],
            Self::Hedged => SLOW.map(slow).to_vec(),
        }
    }

    /// How its messages move.
    pub(crate) fn shape(self) -> Shape {
        match self {
            Self::PushPull | Self::DealerRouter | Self::Paced => Shape::OneWay,
            Self::ReqRep => Shape::RoundTrip,
            Self::Inproc => Shape::OneProcess,
            Self::Peers => Shape::Idle,
            Self::FanOut => Shape::Publish,
            Self::Busy => Shape::Answer,
            Self::IdleWorkers => Shape::Beat,
            Self::Queue => Shape::Switch,
            Self::Hedged => Shape::Hedge,
        }
    }

    /// Whether it measures a pattern on sockets, see [`crate::pirates`], and not sockets alone.
    pub(crate) const fn is_of_a_pattern(self) -> bool {
        matches!(self, Self::IdleWorkers | Self::Queue | Self::Hedged)
    }

    /// The socket that connects; none if a crowd does, or a pattern.
    pub(crate) fn connecting(self) -> Option<SocketKind> {
        match self {
            Self::PushPull | Self::Inproc | Self::Paced => Some(SocketKind::Push),
            Self::DealerRouter => Some(SocketKind::Dealer),
            Self::ReqRep => Some(SocketKind::Req),
            Self::Peers | Self::FanOut | Self::Busy => None,
            Self::IdleWorkers | Self::Queue | Self::Hedged => None,
        }
    }

    /// The socket that binds.
    pub(crate) fn binding(self) -> SocketKind {
        match self {
            Self::PushPull | Self::Inproc | Self::Paced => SocketKind::Pull,
            Self::DealerRouter | Self::Peers | Self::Busy => SocketKind::Router,
            Self::IdleWorkers | Self::Queue | Self::Hedged => SocketKind::Router,
            Self::FanOut => SocketKind::Pub,
            Self::ReqRep => SocketKind::Rep,
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::PushPull => "PUSH/PULL",
            Self::DealerRouter => "DEALER/ROUTER",
            Self::ReqRep => "REQ/REP round trip",
            Self::Inproc => "PUSH/PULL in one process",
            Self::Peers => "idle peers of one ROUTER",
            Self::FanOut => "PUB to subscribers",
            Self::Busy => "peers that ask one ROUTER",
            Self::Paced => "PUSH/PULL at 1,000,000 messages/s",
            Self::IdleWorkers => "idle workers of one queue",
            Self::Queue => "requests through a queue to 4 workers",
            Self::Hedged => "2,000 calls/s to 3 servers",
        }
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} over {}", self.work.title(), word(self.transport))?;
        if self.size > 0 {
            write!(f, ", {}", octets(self.size))?;
        }
        match self.slow {
            Some(1) => write!(f, ", one of them slow")?,
            Some(many) => write!(f, ", one of them slow for 1 of {many}")?,
            None => {}
        }
        match self.crowd {
            Some(Numbers { active, idle: 0 }) => write!(f, ", {active} peers"),
            Some(Numbers { active, idle }) => write!(f, ", {active} peers and {idle} silent ones"),
            None => Ok(()),
        }
    }
}

/// The word for a choice on the command line.
pub(crate) fn word<V: ValueEnum + Copy>(value: V) -> String {
    value
        .to_possible_value()
        .map_or_else(String::new, |word| word.get_name().to_owned())
}

/// A size with its unit.
fn octets(size: usize) -> String {
    const KIB: usize = 1024;
    const MIB: usize = KIB * KIB;
    match size {
        _ if size >= MIB && size.is_multiple_of(MIB) => format!("{} MiB", size / MIB),
        _ if size >= KIB && size.is_multiple_of(KIB) => format!("{} KiB", size / KIB),
        _ => format!("{size} B"),
    }
}
