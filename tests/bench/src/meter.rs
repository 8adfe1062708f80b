//! Clocks: the wall clock, and the CPU clocks of the processes that take part and of the machine.

use std::fs;
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use nix::time::ClockId;
use nix::unistd::Pid;

use crate::Result;

/// Reads wall time and CPU time, this process's and its peer's added.
#[derive(Debug)]
pub(crate) struct Meter {
    clocks: Vec<ClockId>,
}

/// What the clocks showed at one moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading {
    /// The moment.
    pub(crate) at: Instant,
    /// User and system time of all processes that are read, since they started.
    pub(crate) cpu: Duration,
    /// The same of everything on this machine, what its host took away included, in ticks of 10 ms.
    pub(crate) machine: Duration,
}

/// What passed between two readings.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Interval {
    /// Wall time in seconds.
    pub(crate) seconds: f64,
    /// CPU time of all processes that are read, in seconds.
    pub(crate) cpu: f64,
    /// Which part of all cores everybody else used; the more, the less the figures are worth.
    pub(crate) others: f64,
}

impl Reading {
    /// What passed since an earlier reading.
    pub(crate) fn since(self, first: Self) -> Interval {
        let seconds = (self.at - first.at).as_secs_f64();
        let cpu = (self.cpu - first.cpu).as_secs_f64();
        let cores = available_parallelism().map_or(1, usize::from) as f64;
        let others = (self.machine - first.machine).as_secs_f64() - cpu;
        let others = (others / (seconds * cores)).max(0.0);
        Interval {
            seconds,
            cpu,
            others,
        }
    }
}

impl Meter {
    /// A meter for this process and, if there is one, its peer.
    ///
    /// # Errors
    /// Fails if the peer is no process.
    pub(crate) fn new(peer: Option<i32>) -> Result<Self> {
        let mut clocks = vec![ClockId::CLOCK_PROCESS_CPUTIME_ID];
        if let Some(peer) = peer {
            clocks.push(ClockId::pid_cpu_clock_id(Pid::from_raw(peer))?);
        }
        Ok(Self { clocks })
    }

    /// A meter for another process alone.
    ///
    /// # Errors
    /// Fails if it is no process.
    pub(crate) fn of(process: i32) -> Result<Self> {
        let clock = ClockId::pid_cpu_clock_id(Pid::from_raw(process))?;
        Ok(Self {
            clocks: vec![clock],
        })
    }

    /// Reads all clocks.
    ///
    /// # Errors
    /// Fails if the peer has ended.
    pub(crate) fn read(&self) -> Result<Reading> {
        let mut cpu = Duration::ZERO;
        for clock in &self.clocks {
            cpu += Duration::from(clock.now()?);
        }
        let machine = machine_time()?;
        Ok(Reading {
            at: Instant::now(),
            cpu,
            machine,
        })
    }
}

/// The time that the machine's cores were not idle, since it started.
fn machine_time() -> Result<Duration> {
    /// Of the fields of the first line (`proc_stat(5)`), those for idling.
    const IDLE: [usize; 2] = [3, 4];
    /// Where the time of guests follows, which is part of other fields.
    const GUESTS: usize = 8;
    let stat = fs::read_to_string("/proc/stat")?;
    let line = stat.lines().next().unwrap_or_default();
    let fields = line.split_whitespace().skip(1).take(GUESTS).enumerate();
    let mut ticks = 0;
    for (_, field) in fields.filter(|(position, _)| !IDLE.contains(position)) {
        ticks += field.parse::<u64>()?;
    }
    Ok(Duration::from_millis(ticks * 10))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_process_uses_cpu_time() {
        let meter = Meter::new(Some(i32::try_from(std::process::id()).unwrap())).unwrap();
        let first = meter.read().unwrap();
        while first.at.elapsed() < Duration::from_millis(20) {}
        let last = meter.read().unwrap();
        assert!(last.cpu - first.cpu >= Duration::from_millis(2));
        assert!(last.machine >= first.machine);
        assert!(last.since(first).seconds >= 0.02);
    }
}
