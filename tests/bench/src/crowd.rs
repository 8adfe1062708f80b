//! Many connections in one process, each a raw peer, which together stay silent, subscribe or ask,
//! or are the workers of a queue.
//!
//! ```text
//!  crowd                                        what is measured
//!    ── so many connections ──────────────────►
//!  Subscribe:                 a message now and then until every subscriber has one
//!    ── R: every subscriber has a message ────►
//!    ── G: the last of them has come ─────────►  from here on messages count
//!    ── P: every subscriber has 250 more ─────►
//! ```

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::{JoinSet, LocalSet, spawn_local};

use crate::command_line::{Crowd, Doing};
use crate::pirates::{beat, work};
use crate::processes::{end_with_parent, raise_file_limit};
use crate::publisher::{ALL_READY, GO, WINDOW};
use crate::raw_peer::{SUBSCRIBE_ALL, enter, message};
use crate::sample::Report;
use crate::{Result, runtime};

/// Handshakes under way at the same time, fewer than any library's backlog of connections.
const ABREAST: usize = 64;

/// How long the other side may think about whom it has let in, or may still be sending.
const SETTLING: Duration = Duration::from_millis(500);

/// Requests that one peer has under way.
const REQUESTS: usize = 10;

/// Octets that are read at once.
const READ: usize = 256 * 1024;

/// Opens the connections and does what it is told until this process is stopped.
pub(crate) fn run(crowd: &Crowd) -> ExitCode {
    let result = runtime::current_thread().and_then(|runtime| {
        let local = LocalSet::new();
        local.block_on(&runtime, take_part(crowd))
    });
    if let Err(error) = result {
        Report::Failure(error.to_string()).tell();
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

async fn take_part(crowd: &Crowd) -> Result<()> {
    end_with_parent()?;
    raise_file_limit()?;
    let socket_type = match crowd.doing {
        Doing::Subscribe => "SUB",
        _ => "DEALER",
    };
    let mut open = enter_all(crowd, socket_type).await?;
    tokio::time::sleep(SETTLING).await;
    let active = open.split_off(crowd.idle.min(open.len()));
    match (crowd.doing, crowd.progress) {
        (Doing::Nothing, _) => {
            let alive = open.iter().filter(|stream| is_open(stream)).count();
            Report::Opened(alive).tell();
        }
        (Doing::Ask, _) => ask(active, crowd.size)?,
        (Doing::Beat, _) => beat(active).await?,
        (Doing::Work, _) => work(active)?,
        (Doing::Subscribe, Some(progress)) => subscribe(active, crowd.size, progress).await?,
        (Doing::Subscribe, None) => return Err("nobody to tell the progress to".into()),
    }
    std::future::pending().await
}

async fn enter_all(crowd: &Crowd, socket_type: &'static str) -> Result<Vec<TcpStream>> {
    let address = crowd.endpoint.trim_start_matches("tcp://");
    let count = crowd.active + crowd.idle;
    let mut open = Vec::with_capacity(count);
    let mut handshakes = JoinSet::new();
    for _ in 0..count {
        if handshakes.len() == ABREAST
            && let Some(peer) = handshakes.join_next().await
        {
            open.push(peer??);
        }
        handshakes.spawn(enter(address.to_owned(), socket_type));
    }
    while let Some(peer) = handshakes.join_next().await {
        open.push(peer??);
    }
    Ok(open)
}

/// Whether the peer has not closed it; a heartbeat may have come.
fn is_open(stream: &TcpStream) -> bool {
    !matches!(stream.try_read(&mut [0; 64]), Ok(0))
}

/// Every peer sends some requests, waits for all replies, and begins again.
fn ask(peers: Vec<TcpStream>, size: usize) -> Result<()> {
    let request = message(u8::try_from(size)?);
    let requests: Rc<[u8]> = request.repeat(REQUESTS).into();
    for mut peer in peers {
        let requests = Rc::clone(&requests);
        told(async move {
            let mut replies = vec![0; requests.len()];
            loop {
                peer.write_all(&requests).await?;
                peer.read_exact(&mut replies).await?;
            }
        });
    }
    Ok(())
}

/// Runs a task of the crowd; the parent is told if it fails.
pub(crate) fn told(task: impl Future<Output = Result<()>> + 'static) {
    spawn_local(async {
        if let Err(error) = task.await {
            Report::Failure(error.to_string()).tell();
        }
    });
}

/// What all subscribers have got.
struct Tally {
    /// Octets of each, since they count.
    octets: Vec<Cell<usize>>,
    /// Octets of a window of messages.
    window: usize,
    /// How many subscribers are through with each window that not all have.
    through: RefCell<VecDeque<usize>>,
    /// Windows that all are through with.
    complete: Cell<usize>,
    changed: Notify,
    last_read: Cell<Instant>,
}

impl Tally {
    /// One subscriber has got more octets.
    fn add(&self, subscriber: usize, read: usize) {
        self.last_read.set(Instant::now());
        let Some(octets) = self.octets.get(subscriber) else {
            return;
        };
        let before = octets.get();
        octets.set(before + read);
        if before == 0 {
            self.changed.notify_one();
        }
        let mut through = self.through.borrow_mut();
        for window in before / self.window..(before + read) / self.window {
            let position = window - self.complete.get();
            if through.len() <= position {
                through.resize(position + 1, 0);
            }
            if let Some(count) = through.get_mut(position) {
                *count += 1;
            }
        }
        while through.front() == Some(&self.octets.len()) {
            through.pop_front();
            self.complete.set(self.complete.get() + 1);
            self.changed.notify_one();
        }
    }

    fn has_each_begun(&self) -> bool {
        self.octets.iter().all(|octets| octets.get() > 0)
    }

    fn begin_anew(&self) {
        self.octets.iter().for_each(|octets| octets.set(0));
        self.through.borrow_mut().clear();
        self.complete.set(0);
    }
}

/// Subscribes every peer to everything, and tells the publisher how far all are.
async fn subscribe(peers: Vec<TcpStream>, size: usize, progress: SocketAddr) -> Result<()> {
    let tally = Rc::new(Tally {
        octets: peers.iter().map(|_| Cell::new(0)).collect(),
        window: WINDOW * message(u8::try_from(size)?).len(),
        through: RefCell::new(VecDeque::new()),
        complete: Cell::new(0),
        changed: Notify::new(),
        last_read: Cell::new(Instant::now()),
    });
    let buffer = Rc::new(RefCell::new(vec![0; READ]));
    for (subscriber, mut peer) in peers.into_iter().enumerate() {
        let (tally, buffer) = (Rc::clone(&tally), Rc::clone(&buffer));
        told(async move {
            peer.write_all(SUBSCRIBE_ALL).await?;
            loop {
                peer.ready(Interest::READABLE).await?;
                match peer.try_read(&mut buffer.borrow_mut()) {
                    Ok(0) => return Err("the publisher has closed a connection".into()),
                    Ok(read) => tally.add(subscriber, read),
                    Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                    Err(error) => return Err(error.into()),
                }
            }
        });
    }
    tell_progress(&tally, TcpStream::connect(progress).await?).await
}

async fn tell_progress(tally: &Tally, mut publisher: TcpStream) -> Result<()> {
    publisher.set_nodelay(true)?;
    while !tally.has_each_begun() {
        tally.changed.notified().await;
    }
    publisher.write_all(&[ALL_READY]).await?;
    while tally.last_read.get().elapsed() < SETTLING {
        tokio::time::sleep(SETTLING).await;
    }
    tally.begin_anew();
    publisher.write_all(&[GO]).await?;
    let mut told = 0;
    loop {
        let complete = tally.complete.get();
        if told < complete {
            publisher.write_all(&vec![b'P'; complete - told]).await?;
            told = complete;
        }
        tally.changed.notified().await;
    }
}
