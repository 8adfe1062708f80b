//! What is measured: the kinds of work, and the cases that each of them has.
//!
//! A new kind of work is a variant of [`Work`] and its line in each `match` of this file; a new way to move messages is
//! a [`Shape`] and a flow in [`crate::child`].

use std::fmt;

use clap::ValueEnum;
use serde::Serialize;

/// Body of a request and of its reply, in octets.
const ROUND_TRIP_SIZE: usize = 64;

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
}

/// One line of the list of measurements: work, transport and body size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Case {
    /// The kind of work.
    pub(crate) work: Work,
    /// The transport.
    pub(crate) transport: Transport,
    /// Octets in a body; for [`Work::Peers`] 0.
    pub(crate) size: usize,
}

impl Work {
    /// The cases of this work for the sizes that were chosen.
    pub(crate) fn cases(self, sizes: &[usize]) -> Vec<Case> {
        let case = |transport, size| Case {
            work: self,
            transport,
            size,
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
        }
    }

    /// How its messages move.
    pub(crate) fn shape(self) -> Shape {
        match self {
            Self::PushPull | Self::DealerRouter => Shape::OneWay,
            Self::ReqRep => Shape::RoundTrip,
            Self::Inproc => Shape::OneProcess,
            Self::Peers => Shape::Idle,
        }
    }

    /// The socket that connects.
    pub(crate) fn connecting(self) -> SocketKind {
        match self {
            Self::PushPull | Self::Inproc => SocketKind::Push,
            Self::DealerRouter | Self::Peers => SocketKind::Dealer,
            Self::ReqRep => SocketKind::Req,
        }
    }

    /// The socket that binds.
    pub(crate) fn binding(self) -> SocketKind {
        match self {
            Self::PushPull | Self::Inproc => SocketKind::Pull,
            Self::DealerRouter | Self::Peers => SocketKind::Router,
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
        }
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} over {}", self.work.title(), word(self.transport))?;
        if self.size > 0 {
            write!(f, ", {}", octets(self.size))?;
        }
        Ok(())
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
