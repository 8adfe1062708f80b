//! [`World`]: the lines of a play, its rules, and its end.

use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpListener};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fastrand::Rng;
use privateer::core::{Context, Network, SocketOptions};
use privateer_faults::Link;
use tokio::time::sleep;

use super::ledger::Ledger;

/// Where two sockets meet.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    /// Where one binds.
    pub(crate) bind: String,
    /// Where the other connects.
    pub(crate) connect: String,
    pub(crate) faults: Arc<dyn Faults>,
}

/// What can be done to a line.
pub(crate) trait Faults: std::fmt::Debug + Send + Sync {
    /// Breaks its connections.
    fn cut(&self);
    /// Breaks its connections after so many octets, in the midst of whatever that is.
    fn tear(&self, octets: usize);
    /// Lets nothing through, without a sign of it.
    fn stall(&self);
    /// Refuses new connections.
    fn refuse(&self);
    /// Octets are so long on their way.
    fn delay(&self, delay: Duration);
    /// Octets arrive in pieces of so many.
    fn split(&self, octets: usize);
    /// Takes everything back but broken connections.
    fn heal(&self);
}

/// Octets arrive in pieces of so many at most, which is never more than a read buffer has room for: how large the memory
/// is that a socket happens to read into makes no difference to a simulation.
const PIECE_OCTETS: usize = 2 * 1024;

impl Faults for Network {
    fn cut(&self) {
        Self::cut(self);
    }
    fn tear(&self, octets: usize) {
        self.cut_after(octets);
    }
    fn stall(&self) {
        Self::stall(self);
    }
    fn refuse(&self) {
        Self::refuse(self);
    }
    fn delay(&self, delay: Duration) {
        self.set_delay(delay);
    }
    fn split(&self, octets: usize) {
        self.split_at(octets);
    }
    fn heal(&self) {
        Self::heal(self);
        self.split_at(PIECE_OCTETS);
    }
}

impl Faults for Link {
    fn cut(&self) {
        Self::cut(self);
    }
    fn tear(&self, _: usize) {
        // The kernel's buffers end where they end.
        Self::cut(self);
    }
    fn stall(&self) {
        self.black_hole();
    }
    fn refuse(&self) {
        Self::refuse(self);
    }
    fn delay(&self, delay: Duration) {
        Self::delay(self, delay);
    }
    fn split(&self, octets: usize) {
        self.throttle(u32::try_from(octets).unwrap_or(1).saturating_mul(50_000));
    }
    fn heal(&self) {
        Self::heal(self);
    }
}

/// What goes wrong in a play.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rules {
    /// Lines are slow and stop for a while, senders end in order: no message may be missing that no counter tells of.
    Gentle,
    /// Connections break, and sockets stay: no more may be missing than was on the lines.
    Lossy,
    /// Connections break, and sockets end without notice: what arrives is still whole and in order.
    Violent,
}

/// What lines are made of.
#[derive(Clone, Debug)]
pub(crate) enum Stage {
    /// `memory://`, under virtual time.
    Memory(Context),
    /// tcp and ipc, through links; the files of ipc are in this directory.
    Real(PathBuf),
}

/// Lines, rules, and the end of a play.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) ledger: Ledger,
    pub(crate) rules: Rules,
    stage: Stage,
    lines: Mutex<Vec<Line>>,
    faults: AtomicU64,
    over: AtomicBool,
}

impl World {
    pub(crate) fn new(stage: Stage, rules: Rules) -> Arc<Self> {
        Arc::new(Self {
            ledger: Ledger::new(),
            rules,
            stage,
            lines: Mutex::default(),
            faults: AtomicU64::new(0),
            over: AtomicBool::new(false),
        })
    }

    /// A new line.
    pub(crate) async fn line(&self) -> Line {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let line = match &self.stage {
            Stage::Memory(context) => {
                let endpoint = format!("memory://line-{number}");
                let faults = context.network().at(&endpoint);
                faults.split_at(PIECE_OCTETS);
                Line {
                    faults: Arc::new(faults),
                    connect: endpoint.clone(),
                    bind: endpoint,
                }
            }
            Stage::Real(directory) => {
                let bind = match number % 2 {
                    0 => own_tcp_endpoint(),
                    _ => format!("ipc://{}", directory.join(number.to_string()).display()),
                };
                let link = Link::to(&bind.parse().unwrap()).await;
                Line {
                    bind,
                    connect: link.endpoint().to_string(),
                    faults: Arc::new(link),
                }
            }
        };
        self.lines.lock().unwrap().push(line.clone());
        line
    }

    /// All lines.
    pub(crate) fn lines(&self) -> Vec<Line> {
        self.lines.lock().unwrap().clone()
    }

    /// Options that let sockets find each other soon.
    pub(crate) fn plain_options(&self) -> SocketOptions {
        let options = SocketOptions::new()
            .reconnect_interval(Duration::from_millis(5))
            .reconnect_interval_max(Duration::from_millis(500));
        match &self.stage {
            // What waits for a handshake on a line that is dead is not to wait for long.
            Stage::Memory(context) => options
                .handshake_timeout(Duration::from_secs(2))
                .context(context),
            // On a busy machine both may be there and slow.
            Stage::Real(_) => options.handshake_timeout(Duration::from_secs(10)),
        }
    }

    /// Options as any program might choose them.
    pub(crate) fn options(&self, rng: &mut Rng) -> SocketOptions {
        let marks = [Some(1), Some(2), Some(7), Some(100), Some(1000), None];
        let budgets = [None, None, Some(1), Some(50_000)];
        let mut mark = || rng.choice(marks).flatten().and_then(NonZeroUsize::new);
        let options = self.plain_options().send_hwm(mark()).recv_hwm(mark());
        let mut budget = || rng.choice(budgets).flatten().and_then(NonZeroUsize::new);
        let options = options
            .send_byte_budget(budget())
            .recv_byte_budget(budget());
        if self.rules == Rules::Gentle {
            // Nobody gives up a line that is only slow. A handshake is given up by one side alone if the other has all that
            // it needs: what that has sent meanwhile is lost.
            return options
                .heartbeat_interval(None)
                .handshake_timeout(self.patience());
        }
        // On a busy machine a peer takes long to answer without being dead.
        let least = match self.stage {
            Stage::Memory(_) => 50,
            Stage::Real(_) => 5_000,
        };
        let mut time = || Duration::from_millis(least + rng.u64(0..1_000));
        let interval = Some(time()).filter(|time| time.as_millis() % 2 == 0);
        options
            .heartbeat_interval(interval)
            .heartbeat_timeout(time())
    }

    /// Ends the play: actors come to their ends, and nothing fails any more.
    pub(crate) fn end(&self) {
        self.over.store(true, Ordering::Relaxed);
        for line in self.lines() {
            if self.rules != Rules::Gentle {
                // One that is to be torn later is torn now.
                line.faults.cut();
            }
            line.faults.heal();
        }
    }

    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    /// Something was done to a line.
    pub(crate) fn count_fault(&self) {
        self.faults.fetch_add(1, Ordering::Relaxed);
    }

    /// How often something was done to a line.
    pub(crate) fn faults(&self) -> u64 {
        self.faults.load(Ordering::Relaxed)
    }

    /// Octets that were on lines when those broke.
    pub(crate) fn lost_octets(&self) -> Option<u64> {
        match &self.stage {
            Stage::Memory(context) => Some(context.network().lost_octets()),
            Stage::Real(_) => None,
        }
    }

    /// Whether what a line has taken arrives if only sockets end, also on a line where both sides say something.
    ///
    /// A kernel resets a tcp connection on which the peer says something when nobody reads it any more, as a subscriber
    /// may, and forgets what it has taken; under other rules than [`Rules::Gentle`] nobody minds.
    pub(crate) fn keeps_what_is_taken(&self) -> bool {
        matches!(self.stage, Stage::Memory(_)) || self.rules != Rules::Gentle
    }

    /// So long after a connection broke both sides know, if nothing hinders them.
    pub(crate) const fn noticed(&self) -> Duration {
        match self.stage {
            Stage::Memory(_) => Duration::from_secs(1),
            Stage::Real(_) => Duration::from_secs(3),
        }
    }

    /// How long something may take once nothing fails any more.
    pub(crate) const fn patience(&self) -> Duration {
        match self.stage {
            Stage::Memory(_) => Duration::from_secs(600),
            Stage::Real(_) => Duration::from_secs(60),
        }
    }

    /// After so long without a message none comes any more.
    pub(crate) const fn quiet(&self) -> Duration {
        match self.stage {
            Stage::Memory(_) => Duration::from_secs(60),
            Stage::Real(_) => Duration::from_secs(3),
        }
    }
}

/// Waits for a moment, mostly a short one.
pub(crate) async fn pause(rng: &mut Rng) {
    let most = match rng.u8(..) {
        0..128 => 2_000,
        128..240 => 50_000,
        _ => 1_000_000,
    };
    sleep(Duration::from_micros(rng.u64(0..most))).await;
}

/// An address of this machine that no other line is ever given, since whoever is bound there may begin anew at any time,
/// and that nothing else uses: not even as the near end of a connection.
fn own_tcp_endpoint() -> String {
    static GIVEN: Mutex<BTreeSet<SocketAddr>> = Mutex::new(BTreeSet::new());
    let [_, _, high, low] = std::process::id().to_be_bytes();
    loop {
        let listener = TcpListener::bind(SocketAddr::from(([127, 77, high, low], 0))).unwrap();
        let address = listener.local_addr().unwrap();
        if GIVEN.lock().unwrap().insert(address) {
            return format!("tcp://{address}");
        }
    }
}
