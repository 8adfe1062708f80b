//! The binding side against a crowd: it sends to all of them at the pace of the slowest, or answers them.

use std::time::{Duration, Instant};

use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::Result;
use crate::command_line::Role;
use crate::implementations::Socket;
use crate::meter::{Interval, Meter};
use crate::processes::{raise_file_limit, resident};
use crate::sample::{Metric, Report, Sample};
use crate::work::Numbers;

/// Messages after which the crowd tells that all have got them. Two windows are under way at most.
pub(crate) const WINDOW: usize = 250;

/// What the crowd says when every subscriber has got a message.
pub(crate) const ALL_READY: u8 = b'R';

/// What the crowd says when nothing comes any more.
pub(crate) const GO: u8 = b'G';

/// What passes before anything is counted.
const WARM_UP: Duration = Duration::from_millis(300);

/// Time between two messages for subscribers that may not be known yet.
const PROBING: Duration = Duration::from_millis(20);

/// Requests between two looks at the clock.
const BATCH: usize = 1000;

/// Sends to the crowd, window by window.
pub(crate) async fn publish<S: Socket>(role: &Role, crowd: Numbers) -> Result<()> {
    raise_file_limit()?;
    let (mut socket, endpoint) = S::bind(role.work.binding(), &role.endpoint, role.size).await?;
    let progress = TcpListener::bind("127.0.0.1:0").await?;
    Report::Endpoint(endpoint).tell();
    let before = resident(std::process::id())?;
    Report::Progress(progress.local_addr()?).tell();
    let (mut progress, _) = progress.accept().await?;
    while timeout(PROBING, said(&mut progress, ALL_READY))
        .await
        .is_err()
    {
        socket.send(1).await?;
    }
    said(&mut progress, GO).await?;
    let meter = Meter::new(None)?;
    let start = Instant::now();
    socket.send(WINDOW).await?;
    while start.elapsed() < WARM_UP {
        next_window(&mut socket, &mut progress).await?;
    }
    let (first, mut windows) = (meter.read()?, 0);
    while first.at.elapsed() < role.seconds {
        next_window(&mut socket, &mut progress).await?;
        windows += 1;
    }
    let interval = meter.read()?.since(first);
    tell(&interval, windows * WINDOW * crowd.active, before, crowd)
}

/// Answers the crowd.
pub(crate) async fn answer<S: Socket>(role: &Role, crowd: Numbers) -> Result<()> {
    raise_file_limit()?;
    let (mut socket, endpoint) = S::bind(role.work.binding(), &role.endpoint, role.size).await?;
    let before = resident(std::process::id())?;
    Report::Endpoint(endpoint).tell();
    socket.answer(1).await?;
    let meter = Meter::new(None)?;
    let start = Instant::now();
    while start.elapsed() < WARM_UP {
        socket.answer(BATCH).await?;
    }
    let (first, mut messages) = (meter.read()?, 0);
    while first.at.elapsed() < role.seconds {
        socket.answer(BATCH).await?;
        messages += BATCH;
    }
    let interval = meter.read()?.since(first);
    tell(&interval, messages, before, crowd)
}

/// Sends a window more, once all have got the one before the last.
async fn next_window<S: Socket>(socket: &mut S, progress: &mut TcpStream) -> Result<()> {
    socket.send(WINDOW).await?;
    progress.read_u8().await?;
    Ok(())
}

/// Waits for a word of the crowd. May be dropped: a word that was not read comes again.
async fn said(progress: &mut TcpStream, word: u8) -> Result<()> {
    match progress.read_u8().await? {
        said if said == word => Ok(()),
        other => Err(format!("the crowd said {other} instead of {word}").into()),
    }
}

fn tell(interval: &Interval, messages: usize, before: f64, crowd: Numbers) -> Result<()> {
    let grown = resident(std::process::id())? - before;
    let messages = messages as f64;
    Report::Sample(Sample::from([
        (Metric::CpuNanosPerMessage, interval.cpu * 1e9 / messages),
        (Metric::MessagesPerSecond, messages / interval.seconds),
        (Metric::KibPerPeer, grown / crowd.total() as f64),
        (Metric::OthersPercent, interval.others * 100.0),
    ]))
    .tell();
    std::process::exit(0)
}
