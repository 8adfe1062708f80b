//! The implementations that are measured, behind one trait.
//!
//! Every file here does the same with one library: bind or connect a socket, send and receive so many messages. The
//! loops stand inside the implementations, so that nothing of the benchmark is paid per message.

use std::future::Future;

use crate::Result;
use crate::runtime::Drive;
use crate::work::{Case, SocketKind, Transport, Work};

pub(crate) mod libzmq;
pub(crate) mod omq;
pub(crate) mod ours;
pub(crate) mod plain;
pub(crate) mod plain_blocking;
pub(crate) mod rzmq;
mod tally;
pub(crate) mod zeromq;

/// Messages that may wait for one peer, on each side, where a library lets us say so.
pub(crate) const HIGH_WATER_MARK: u32 = 1000;

/// The mark of a socket of this kind. A publisher has none where a library lets us say so: the crowd paces it, and libzmq
/// hears too late of what was read to publish fast without dropping.
pub(crate) fn mark(kind: SocketKind) -> Option<u32> {
    (kind != SocketKind::Pub).then_some(HIGH_WATER_MARK)
}

/// A socket of some library, with the body that it sends.
pub(crate) trait Socket: Sized + Send + 'static {
    /// Binds a socket; returns it with the endpoint that a peer connects to.
    fn bind(
        kind: SocketKind,
        endpoint: &str,
        size: usize,
    ) -> impl Future<Output = Result<(Self, String)>> + Send;

    /// Connects a socket.
    fn connect(
        kind: SocketKind,
        endpoint: &str,
        size: usize,
    ) -> impl Future<Output = Result<Self>> + Send;

    /// Makes a socket that sends and one that receives, joined inside this process.
    fn pair(_endpoint: &str, _size: usize) -> impl Future<Output = Result<(Self, Self)>> + Send {
        async { Err("has no inproc transport".into()) }
    }

    /// Sends so many messages of one body each.
    fn send(&mut self, count: usize) -> impl Future<Output = Result<()>> + Send;

    /// Receives so many messages and sends each back to where it came from.
    fn answer(&mut self, _count: usize) -> impl Future<Output = Result<()>> + Send {
        async { Err("does not answer a crowd".into()) }
    }

    /// Receives so many messages; returns how many octets their bodies had, routing ids not counted.
    fn receive(&mut self, count: usize) -> impl Future<Output = Result<usize>> + Send;
}

/// Which library an implementation is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Library {
    /// Privateer.
    Ours,
    /// Privateer, by a receiver that gives each message a time limit.
    OursLimited,
    /// Privateer, that sleeps until an answer comes.
    OursAsleep,
    /// Privateer's Lazy Pirate without hedging.
    OursUnhedged,
    /// The queue of the guide, in C, on CZMQ.
    Guide,
    /// The reference, in C++.
    Libzmq,
    /// zmq.rs.
    Zeromq,
    /// rzmq.
    Rzmq,
    /// omq-tokio.
    Omq,
    /// A stream of Tokio without any ZeroMQ.
    Plain,
    /// The same with blocking calls.
    PlainBlocking,
}

/// A library on a runtime: a line of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Implementation {
    /// Its name on the command line and in the table.
    pub(crate) name: &'static str,
    /// The library.
    pub(crate) library: Library,
    /// What drives it.
    pub(crate) drive: Drive,
    /// Whether it is measured if nobody chooses.
    chosen: bool,
}

/// The name of the line that all others are compared with.
pub(crate) const OURS: &str = "ours";
/// The name of our line whose receiver gives each message a time limit.
pub(crate) const OURS_LIMITED: &str = "ours-limited";
/// The name of our line that does not look for answers before it sleeps.
pub(crate) const OURS_ASLEEP: &str = "ours-asleep";
/// The name of our line without hedging.
pub(crate) const OURS_UNHEDGED: &str = "ours-unhedged";
/// The name of the guide's own program.
pub(crate) const GUIDE: &str = "guide";
/// The name of our line on the multi-thread runtime.
pub(crate) const OURS_MT: &str = "ours-mt";
/// The name of the line without any ZeroMQ.
pub(crate) const PLAIN: &str = "plain";
/// The name of the reference implementation.
pub(crate) const LIBZMQ: &str = "libzmq";

/// All implementations, in the order of the table. A library on several runtimes is chosen on those where it is best at
/// some work; the goals compare with whichever of its lines is best.
pub(crate) const ALL: [Implementation; 17] = [
    implementation(OURS, Library::Ours, Drive::CurrentThread, true),
    implementation(OURS_MT, Library::Ours, Drive::TwoWorkers, true),
    implementation(
        OURS_LIMITED,
        Library::OursLimited,
        Drive::CurrentThread,
        true,
    ),
    implementation(OURS_ASLEEP, Library::OursAsleep, Drive::CurrentThread, true),
    implementation(
        OURS_UNHEDGED,
        Library::OursUnhedged,
        Drive::CurrentThread,
        true,
    ),
    implementation(GUIDE, Library::Guide, Drive::Blocking, true),
    implementation(LIBZMQ, Library::Libzmq, Drive::Blocking, true),
    implementation("zeromq", Library::Zeromq, Drive::CurrentThread, true),
    implementation("zeromq-mt", Library::Zeromq, Drive::TwoWorkers, false),
    implementation("rzmq", Library::Rzmq, Drive::CurrentThread, true),
    implementation("rzmq-mt", Library::Rzmq, Drive::TwoWorkers, true),
    implementation("omq-tokio", Library::Omq, Drive::OwnThread, true),
    implementation("omq-tokio-ct", Library::Omq, Drive::CurrentThread, true),
    implementation("omq-tokio-mt", Library::Omq, Drive::TwoWorkers, false),
    implementation(PLAIN, Library::Plain, Drive::CurrentThread, true),
    implementation("plain-mt", Library::Plain, Drive::TwoWorkers, false),
    implementation(
        "plain-blocking",
        Library::PlainBlocking,
        Drive::Blocking,
        false,
    ),
];

const fn implementation(
    name: &'static str,
    library: Library,
    drive: Drive,
    chosen: bool,
) -> Implementation {
    Implementation {
        name,
        library,
        drive,
        chosen,
    }
}

/// The implementation of this name.
pub(crate) fn find(name: &str) -> Option<Implementation> {
    ALL.into_iter()
        .find(|implementation| implementation.name == name)
}

/// What is measured if nobody chooses; the idle peers only for us and the reference.
pub(crate) fn by_default(work: Work) -> Vec<Implementation> {
    let wanted = |it: &Implementation| match work {
        Work::Peers => [OURS, LIBZMQ].contains(&it.name),
        Work::Paced => [OURS, OURS_LIMITED].contains(&it.name),
        Work::IdleWorkers => [OURS, PLAIN].contains(&it.name),
        Work::Hedged => [OURS, OURS_UNHEDGED].contains(&it.name),
        _ => it.chosen,
    };
    ALL.into_iter().filter(wanted).collect()
}

impl Implementation {
    /// Whether the library can do this at all.
    pub(crate) fn does(&self, case: &Case) -> bool {
        if case.work.is_of_a_pattern() {
            return match self.library {
                Library::Ours => true,
                Library::OursUnhedged => case.work == Work::Hedged,
                Library::Guide => case.work == Work::Queue,
                Library::Plain => case.work == Work::IdleWorkers,
                _ => false,
            };
        }
        match self.library {
            Library::Zeromq => case.transport != Transport::Inproc && case.crowd.is_none(),
            Library::Plain | Library::PlainBlocking => {
                case.transport != Transport::Inproc
                    && case.work != Work::Peers
                    && case.crowd.is_none()
            }
            Library::Rzmq => case.crowd.is_none(),
            Library::OursLimited => case.work == Work::Paced,
            Library::OursAsleep => case.work == Work::ReqRep,
            Library::OursUnhedged | Library::Guide => false,
            Library::Ours | Library::Libzmq | Library::Omq => true,
        }
    }

    /// Whether this is a line of somebody else's ZeroMQ.
    pub(crate) fn is_peer(&self) -> bool {
        !matches!(
            self.library,
            Library::Ours
                | Library::OursLimited
                | Library::OursAsleep
                | Library::OursUnhedged
                | Library::Plain
                | Library::PlainBlocking
        )
    }

    /// What the table says about it.
    pub(crate) fn runtime(&self) -> String {
        match self.library {
            Library::Libzmq | Library::Guide => "1 I/O thread, blocking".to_owned(),
            _ => self.drive.title().to_owned(),
        }
    }
}
