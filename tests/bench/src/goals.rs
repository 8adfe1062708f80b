//! The goals for Privateer's speed, and whether the figures reach them.
//!
//! A difference within 10 % counts as level. So *ahead* wants more than that, *not behind* grants it, and a goal with a
//! factor of its own that is missed by less than that is neither reached nor failed.

use serde::Serialize;

use crate::implementations::{
    GUIDE, LIBZMQ, OURS, OURS_ASLEEP, OURS_LIMITED, OURS_MT, OURS_UNHEDGED, PLAIN,
};
use crate::runner::Block;
use crate::sample::{Metric, median, ratio};
use crate::work::{Numbers, Work};

/// What counts as level, as a part.
const LEVEL: f64 = 0.10;

/// How much more a message may cost in a large crowd.
const FLAT: f64 = 2.0;

/// What the heartbeats of 10,000 idle workers may cost a queue, in percent of a core.
const HEARTBEATS: f64 = 5.0;

/// Peers of a small crowd, at most.
const SMALL: usize = 10;

/// One goal and how it stands.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Verdict {
    /// The case and what is wanted there.
    pub(crate) goal: String,
    /// How it stands.
    pub(crate) result: Standing,
    /// The figures that say so.
    pub(crate) figures: String,
}

/// Whether a goal is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Standing {
    /// It is.
    Pass,
    /// Too close to tell.
    Level,
    /// It is not.
    Fail,
}

impl Standing {
    /// The word at the start of the line.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Pass => "PASS",
            Self::Level => "LEVEL",
            Self::Fail => "FAIL",
        }
    }
}

/// With whom a goal compares.
#[derive(Clone, Copy, Debug)]
enum Rival {
    /// The best of all other implementations of ZeroMQ.
    EveryPeer,
    /// One line of the table.
    Named(&'static str),
}

/// How much is wanted, as a multiple of the rival's figure.
#[derive(Clone, Copy, Debug)]
enum Wanted {
    /// Better by more than what counts as level.
    Ahead,
    /// Not worse by more than that.
    NotBehind,
    /// At least so many times as much, or at most, where less is better.
    Times(f64),
}

impl Wanted {
    /// The multiple of the rival's figure that is the bound.
    fn factor(self) -> f64 {
        match self {
            Self::Ahead | Self::NotBehind => 1.0,
            Self::Times(times) => times,
        }
    }

    /// How a figure stands that is so many times better than the bound.
    fn standing(self, better: f64) -> Standing {
        let passes = match self {
            Self::Ahead => 1.0 + LEVEL,
            Self::NotBehind => 1.0 - LEVEL,
            Self::Times(_) => 1.0,
        };
        match better {
            _ if better >= passes => Standing::Pass,
            _ if better >= 1.0 - LEVEL => Standing::Level,
            _ => Standing::Fail,
        }
    }
}

/// A goal for one of our lines in one case.
struct Goal {
    ours: &'static str,
    metric: Metric,
    rival: Rival,
    wanted: Wanted,
}

const fn goal(ours: &'static str, metric: Metric, rival: Rival, wanted: Wanted) -> Goal {
    Goal {
        ours,
        metric,
        rival,
        wanted,
    }
}

/// Judges all goals whose figures were taken.
pub(crate) fn judge(blocks: &[Block]) -> Vec<Verdict> {
    let alone = blocks.iter().flat_map(|block| {
        goals(block)
            .into_iter()
            .filter_map(|goal| goal.judge(block))
    });
    alone
        .chain(flat(blocks))
        .chain(blocks.iter().filter_map(heartbeats))
        .collect()
}

/// PP-9: whether heartbeats cost no more than [`HEARTBEATS`]; beside it what the system calls alone cost on this machine.
fn heartbeats(block: &Block) -> Option<Verdict> {
    let cpu = Metric::CpuPercent;
    let percent = |name| median(block.samples(name)?).get(&cpu).copied();
    let ours = percent(OURS)?;
    let plain = percent(PLAIN).map(|plain| format!(", {PLAIN} {plain:.1} %"));
    Some(Verdict {
        goal: format!("{}, {OURS}: {} below {HEARTBEATS}", block.case, cpu.title()),
        result: Wanted::Times(HEARTBEATS).standing(HEARTBEATS / ours),
        figures: format!("{ours:.1} %{}", plain.unwrap_or_default()),
    })
}

/// Whether a message costs the same, within [`FLAT`], in a large crowd as in a small one.
fn flat(blocks: &[Block]) -> Vec<Verdict> {
    let cpu = Metric::CpuNanosPerMessage;
    let mut verdicts = Vec::new();
    for block in blocks {
        if block.case.crowd.is_none_or(|crowd| crowd.total() <= SMALL) {
            continue;
        }
        let small = blocks.iter().find(|other| {
            let is_small = |crowd: Numbers| (SMALL / 2..=SMALL).contains(&crowd.total());
            other.case.work == block.case.work && other.case.crowd.is_some_and(is_small)
        });
        let Some((small, few)) = small.and_then(|small| Some((small, small.samples(OURS)?))) else {
            continue;
        };
        let Some(ratio) = block.samples(OURS).and_then(|many| ratio(many, few, cpu)) else {
            continue;
        };
        verdicts.push(Verdict {
            goal: format!(
                "{}, {OURS}: {} at most {FLAT} × that of a small crowd",
                block.case,
                cpu.title()
            ),
            result: Wanted::Times(FLAT).standing(FLAT / ratio),
            figures: format!(
                "{ratio:.2} × {} peers",
                small.case.crowd.map_or(0, Numbers::total)
            ),
        });
    }
    verdicts
}

/// The goals of one case.
fn goals(block: &Block) -> Vec<Goal> {
    use Metric::{
        CpuNanosPerMessage as Cpu, KibPerPeer, MedianMicros, MegabytesPerSecond,
        MessagesPerSecond as Rate, Percentile99Micros as Tail,
    };
    use Rival::{EveryPeer, Named};
    use Wanted::{Ahead, NotBehind, Times};
    let small = |times, times_mt| {
        vec![
            goal(OURS, Cpu, Named(LIBZMQ), Times(times)),
            goal(OURS, Rate, EveryPeer, Times(1.5)),
            goal(OURS_MT, Cpu, Named(LIBZMQ), Times(times_mt)),
            goal(OURS_MT, Rate, EveryPeer, NotBehind),
        ]
    };
    match (block.case.work, block.case.size) {
        (Work::PushPull | Work::DealerRouter, ..256) => small(0.5, 0.7),
        (Work::PushPull | Work::DealerRouter, 256..4096) => small(0.33, 0.4),
        (Work::PushPull | Work::DealerRouter, size) => vec![
            match size {
                0x4000..=0x10000 => goal(OURS, MegabytesPerSecond, EveryPeer, Times(2.0)),
                _ => goal(OURS, MegabytesPerSecond, EveryPeer, Ahead),
            },
            goal(OURS, MegabytesPerSecond, Named(PLAIN), NotBehind),
        ],
        (Work::ReqRep, _) => {
            vec![
                goal(OURS, MedianMicros, Named(PLAIN), Times(1.3)),
                // The plain stream sleeps, too.
                goal(OURS_ASLEEP, MedianMicros, Named(PLAIN), Times(1.3)),
                goal(OURS, MedianMicros, EveryPeer, Ahead),
                goal(OURS_ASLEEP, MedianMicros, EveryPeer, NotBehind),
            ]
        }
        (Work::Inproc, _) => vec![goal(OURS, Rate, EveryPeer, Ahead)],
        (Work::Peers, _) => vec![goal(OURS, KibPerPeer, Named(LIBZMQ), Ahead)],
        (Work::FanOut, _) => vec![
            goal(OURS, Cpu, Named(LIBZMQ), Times(0.5)),
            goal(OURS_MT, Cpu, Named(LIBZMQ), Times(0.5)),
        ],
        (Work::Busy, _) => vec![goal(OURS, Cpu, Named(LIBZMQ), NotBehind)],
        (Work::IdleWorkers, _) => Vec::new(),
        (Work::Queue, _) => vec![
            goal(OURS, Rate, Named(GUIDE), NotBehind),
            goal(OURS, Cpu, Named(GUIDE), NotBehind),
        ],
        (Work::Hedged, _) => vec![goal(OURS, Tail, Named(OURS_UNHEDGED), Times(0.5))],
        (Work::Paced, _) => vec![goal(OURS_LIMITED, Rate, Named(OURS), NotBehind)],
    }
}

impl Goal {
    /// How it stands; nothing if one of the two was not measured.
    fn judge(&self, block: &Block) -> Option<Verdict> {
        let (name, ratio) = self.closest_rival(block)?;
        let wanted = self.wanted.factor();
        let better = if self.less_is_better() {
            wanted / ratio
        } else {
            ratio / wanted
        };
        Some(Verdict {
            goal: format!(
                "{}, {}: {} {}",
                block.case,
                self.ours,
                self.metric.title(),
                self.words()
            ),
            result: self.wanted.standing(better),
            figures: format!("{ratio:.2} × {name}"),
        })
    }

    /// What is wanted, in words.
    fn words(&self) -> String {
        let whom = match self.rival {
            Rival::EveryPeer => "the best peer",
            Rival::Named(name) => name,
        };
        match self.wanted {
            Wanted::Ahead => format!("ahead of {whom}"),
            Wanted::NotBehind => format!("not behind {whom}"),
            Wanted::Times(times) if self.less_is_better() => format!("at most {times} × {whom}"),
            Wanted::Times(times) => format!("at least {times} × {whom}"),
        }
    }

    /// The rival that comes closest or is ahead, and our figure as a multiple of its.
    fn closest_rival(&self, block: &Block) -> Option<(&'static str, f64)> {
        let ours = block.samples(self.ours)?;
        let ratios = block.measured().filter_map(|(implementation, samples)| {
            let is_rival = match self.rival {
                Rival::EveryPeer => implementation.is_peer(),
                Rival::Named(name) => implementation.name == name,
            };
            let ratio = ratio(ours, samples, self.metric)?;
            is_rival.then_some((implementation.name, ratio))
        });
        let order = |one: &(&str, f64), other: &(&str, f64)| one.1.total_cmp(&other.1);
        if self.less_is_better() {
            ratios.max_by(order)
        } else {
            ratios.min_by(order)
        }
    }

    fn less_is_better(&self) -> bool {
        !matches!(
            self.metric,
            Metric::MessagesPerSecond | Metric::MegabytesPerSecond
        )
    }
}

#[cfg(test)]
mod tests;
