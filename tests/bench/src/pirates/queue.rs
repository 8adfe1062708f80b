//! The process of our queue: it switches requests, or keeps workers that have nothing to do.

use std::time::Duration;

use privateer::paranoid_pirate::{Queue, QueueHandle};
use tokio::time::sleep;

use super::plain;
use crate::Result;
use crate::command_line::Role;
use crate::implementations::Library;
use crate::meter::Meter;
use crate::processes::{raise_file_limit, resident};
use crate::sample::{Metric, Report, Sample};

/// How often it is looked whether all workers are there.
const LOOKING: Duration = Duration::from_millis(50);

/// How long all workers are there before anything is counted: some heartbeat intervals.
const SETTLING: Duration = Duration::from_secs(2);

/// Times `--seconds` that are counted: the interval of heartbeats is a second.
const LONGER: u32 = 4;

/// Keeps workers and measures what that costs.
pub(super) async fn live(role: &Role) -> Result<()> {
    raise_file_limit()?;
    let workers = role.crowd()?.active;
    let (endpoint, host) = Host::start(role).await?;
    let before = resident(std::process::id())?;
    Report::Endpoint(endpoint).tell();
    while host.workers() < workers {
        sleep(LOOKING).await;
    }
    sleep(SETTLING).await;
    let meter = Meter::new(None)?;
    let first = meter.read()?;
    sleep(role.seconds * LONGER).await;
    let interval = meter.read()?.since(first);
    if host.workers() != workers || host.given_up() > 0 {
        let (now, given_up) = (host.workers(), host.given_up());
        return Err(format!("of {workers} workers {now} are left, {given_up} given up").into());
    }
    let grown = resident(std::process::id())? - before;
    Report::Sample(Sample::from([
        (Metric::CpuPercent, interval.cpu / interval.seconds * 100.0),
        (Metric::KibPerPeer, grown / workers as f64),
        (Metric::OthersPercent, interval.others * 100.0),
    ]))
    .tell();
    std::process::exit(0)
}

/// Switches requests until it is stopped.
pub(super) async fn switch(role: &Role) -> Result<()> {
    let queue = start(role).await?;
    Report::Endpoint(queue.frontend().to_string()).tell();
    Report::Endpoint(queue.backend().to_string()).tell();
    queue.run().await;
    Ok(())
}

async fn start(role: &Role) -> Result<Queue> {
    Ok(Queue::bind(role.endpoint.as_str(), role.endpoint.as_str()).await?)
}

/// Who keeps the workers.
enum Host {
    Ours(QueueHandle),
    Plain(plain::Count),
}

impl Host {
    /// Starts it; returns where workers connect, too.
    async fn start(role: &Role) -> Result<(String, Self)> {
        if role.implementation.library == Library::Plain {
            let (endpoint, count) = plain::start(&role.endpoint).await?;
            return Ok((endpoint, Self::Plain(count)));
        }
        let queue = start(role).await?;
        let started = (queue.backend().to_string(), Self::Ours(queue.handle()));
        tokio::spawn(queue.run());
        Ok(started)
    }

    /// How many workers there are.
    fn workers(&self) -> usize {
        match self {
            Self::Ours(handle) => handle.stats().workers,
            Self::Plain(count) => count.workers(),
        }
    }

    /// How many were given up.
    fn given_up(&self) -> u64 {
        match self {
            Self::Ours(handle) => handle.stats().expired_workers,
            Self::Plain(_) => 0,
        }
    }
}
