//! One side of a run: a process of its own that binds or connects a socket and sends, counts, asks or answers.
//!
//! A child that binds prints its endpoint. The child that measures waits for its peer's process id on standard input,
//! and prints a sample. The other goes on until it is stopped.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;

use crate::Result;
use crate::command_line::{Pin, Role, Side};
use crate::implementations::libzmq::Libzmq;
use crate::implementations::omq::Omq;
use crate::implementations::ours::Ours;
use crate::implementations::plain::Plain;
use crate::implementations::plain_blocking::PlainBlocking;
use crate::implementations::rzmq::Rzmq;
use crate::implementations::zeromq::Zeromq;
use crate::implementations::{Library, Socket};
use crate::meter::{Interval, Meter};
use crate::processes::{end_with_parent, raise_file_limit};
use crate::publisher;
use crate::runtime::Drive;
use crate::sample::{Metric, Report, Sample, quantile};
use crate::work::{Shape, Work};

/// What passes before anything is counted.
const WARM_UP: Duration = Duration::from_millis(300);

/// Octets between two looks at the clock, roughly: often enough for slow libraries, and rare enough to cost nothing.
const BATCH_OCTETS: usize = 256 * 1024;

/// The most messages between two looks at the clock.
const BATCH_MESSAGES: usize = 1024;

/// Takes the role; ends the process without waiting for what a library may still want to do.
pub(crate) fn run(role: &Role) -> ExitCode {
    let result = match (role.implementation.library, role.implementation.drive) {
        (Library::Ours, _) => start::<Ours>(role),
        (Library::OursLimited, _) => start::<Ours<true>>(role),
        (Library::OursAsleep, _) => start::<Ours<false, true>>(role),
        (Library::Libzmq, _) => start::<Libzmq>(role),
        (Library::Zeromq, _) => start::<Zeromq>(role),
        (Library::Rzmq, _) => start::<Rzmq>(role),
        (Library::Omq, Drive::OwnThread) => start::<Omq<true>>(role),
        (Library::Omq, _) => start::<Omq<false>>(role),
        (Library::Plain, _) => start::<Plain>(role),
        (Library::PlainBlocking, _) => start::<PlainBlocking>(role),
        (Library::OursUnhedged | Library::Guide, _) => Err("measures patterns only".into()),
    };
    if let Err(error) = result {
        Report::Failure(error.to_string()).tell();
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn start<S: Socket>(role: &Role) -> Result<()> {
    let drive = role.implementation.drive;
    pin(role.pin, role.side)?;
    end_with_parent()?;
    let role = role.clone();
    drive.run(async move {
        match role.side {
            Side::Bind => bind::<S>(&role).await,
            Side::Connect => connect::<S>(&role).await,
            Side::Both => both::<S>(&role).await,
        }
    })
}

async fn bind<S: Socket>(role: &Role) -> Result<()> {
    match role.work.shape() {
        Shape::Publish => return publisher::publish::<S>(role, role.crowd()?).await,
        Shape::Answer => return publisher::answer::<S>(role, role.crowd()?).await,
        Shape::Idle => raise_file_limit()?,
        Shape::Beat | Shape::Switch | Shape::Hedge => return Err("is of a pattern".into()),
        Shape::OneWay | Shape::RoundTrip | Shape::OneProcess => {}
    }
    let (mut socket, endpoint) = S::bind(role.work.binding(), &role.endpoint, role.size).await?;
    Report::Endpoint(endpoint).tell();
    match role.work.shape() {
        Shape::OneWay => count(&mut socket, role, &Meter::new(Some(peer_from_parent()?))?).await,
        Shape::RoundTrip => answer(&mut socket).await,
        _ => socket.receive(usize::MAX).await.map(drop),
    }
}

async fn connect<S: Socket>(role: &Role) -> Result<()> {
    let kind = role.work.connecting().ok_or("only a crowd connects")?;
    let mut socket = S::connect(kind, &role.endpoint, role.size).await?;
    match (role.work, role.work.shape()) {
        (_, Shape::RoundTrip) => {
            ask(&mut socket, role, &Meter::new(Some(peer_from_parent()?))?).await
        }
        (Work::Paced, _) => send_at_a_pace(socket).await,
        _ => send(socket, role.size).await,
    }
}

async fn both<S: Socket>(role: &Role) -> Result<()> {
    let (sender, mut receiver) = S::pair(&role.endpoint, role.size).await?;
    role.implementation.drive.beside(send(sender, role.size));
    count(&mut receiver, role, &Meter::new(None)?).await
}

/// Sends until it is stopped.
async fn send<S: Socket>(mut socket: S, size: usize) -> Result<()> {
    loop {
        socket.send(batch(size)).await?;
    }
}

/// Sends a million messages each second until it is stopped.
async fn send_at_a_pace<S: Socket>(mut socket: S) -> Result<()> {
    let mut pace = tokio::time::interval(Duration::from_millis(1));
    loop {
        pace.tick().await;
        socket.send(1000).await?;
    }
}

/// Answers until it is stopped.
async fn answer<S: Socket>(socket: &mut S) -> Result<()> {
    loop {
        socket.receive(1).await?;
        socket.send(1).await?;
    }
}

/// Counts what arrives.
async fn count<S: Socket>(socket: &mut S, role: &Role, meter: &Meter) -> Result<()> {
    let batch = batch(role.size);
    let start = Instant::now();
    while start.elapsed() < WARM_UP {
        socket.receive(batch).await?;
    }
    let (first, mut messages, mut octets) = (meter.read()?, 0, 0);
    while first.at.elapsed() < role.seconds {
        octets += socket.receive(batch).await?;
        messages += batch;
    }
    let last = meter.read()?;
    if octets != messages * role.size {
        return Err(format!(
            "{messages} bodies of {} octets became {octets} octets",
            role.size
        )
        .into());
    }
    let Interval {
        seconds,
        cpu,
        others,
    } = last.since(first);
    Report::Sample(Sample::from([
        (Metric::MessagesPerSecond, messages as f64 / seconds),
        (Metric::MegabytesPerSecond, octets as f64 / seconds / 1e6),
        (Metric::CpuNanosPerMessage, cpu * 1e9 / messages as f64),
        (Metric::OthersPercent, others * 100.0),
    ]))
    .tell();
    std::process::exit(0)
}

/// Takes the time of round trips.
async fn ask<S: Socket>(socket: &mut S, role: &Role, meter: &Meter) -> Result<()> {
    let start = Instant::now();
    while start.elapsed() < WARM_UP {
        socket.send(1).await?;
        socket.receive(1).await?;
    }
    let (first, mut trips) = (meter.read()?, Vec::with_capacity(1_000_000));
    let mut asked = first.at;
    while asked - first.at < role.seconds {
        socket.send(1).await?;
        if socket.receive(1).await? != role.size {
            return Err("a reply of another size than the request".into());
        }
        let answered = Instant::now();
        trips.push((answered - asked).as_secs_f64() * 1e6);
        asked = answered;
    }
    let Interval { cpu, others, .. } = meter.read()?.since(first);
    let count = trips.len() as f64;
    trips.sort_by(f64::total_cmp);
    Report::Sample(Sample::from([
        (
            Metric::MedianMicros,
            quantile(&trips, 0.5).unwrap_or_default(),
        ),
        (
            Metric::Percentile99Micros,
            quantile(&trips, 0.99).unwrap_or_default(),
        ),
        (Metric::CpuMicrosPerTrip, cpu * 1e6 / count),
        (Metric::OthersPercent, others * 100.0),
    ]))
    .tell();
    std::process::exit(0)
}

/// Keeps this process on the core that is meant for its side.
pub(crate) fn pin(pin: Option<Pin>, side: Side) -> Result<()> {
    let core = match (pin, side) {
        (None, _) | (_, Side::Both) => return Ok(()),
        (Some(Pin::Apart), Side::Connect) => 1,
        (Some(_), _) => 0,
    };
    let mut cores = CpuSet::new();
    cores.set(core)?;
    Ok(sched_setaffinity(Pid::from_raw(0), &cores)?)
}

/// Messages between two looks at the clock.
fn batch(size: usize) -> usize {
    (BATCH_OCTETS / size.max(1)).clamp(1, BATCH_MESSAGES)
}

/// The process id of the other side, once it has been started.
pub(crate) fn peer_from_parent() -> Result<i32> {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line)?;
    Ok(line.trim().parse()?)
}
