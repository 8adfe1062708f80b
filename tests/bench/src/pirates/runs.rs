//! The runs: which processes take part, the guide's queue among them.

use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::sleep;

use super::hedged::SERVERS;
use crate::Result;
use crate::command_line::{Crowd, Doing, Role, Settings, Side};
use crate::implementations::Library;
use crate::processes::Process;
use crate::sample::Sample;
use crate::work::Work;

/// Where the guide's queue listens for clients and for workers.
const GUIDE_PORTS: [u16; 2] = [5555, 5556];

/// How often it is tried whether the guide's queue listens.
const TRYING: Duration = Duration::from_millis(20);

/// Workers behind a queue.
const WORKERS: usize = 4;

/// Why an implementation cannot be measured with these settings.
pub(crate) fn absent(library: Library, settings: &Settings) -> Option<&'static str> {
    let is_absent = library == Library::Guide && settings.guide_queue.is_none();
    is_absent.then_some("needs --guide-queue PATH, the guide's ppqueue in C")
}

/// One run: all processes from their start to their end. `role` is that of the binding side.
pub(crate) async fn measure(role: &Role, settings: &Settings) -> Result<Sample> {
    match role.work {
        Work::IdleWorkers => idle_workers(role, settings.peers).await,
        Work::Hedged => hedged(role).await,
        _ => match &settings.guide_queue {
            Some(path) if role.implementation.library == Library::Guide => {
                let queue = GuideQueue::start(path).await?;
                let endpoints = GUIDE_PORTS.map(|port| format!("tcp://127.0.0.1:{port}"));
                through(role, queue.id()?, endpoints).await
            }
            _ => {
                let mut queue = Process::start(&role.arguments())?;
                let endpoints = [queue.endpoint().await?, queue.endpoint().await?];
                let sample = through(role, queue.id()?, endpoints).await;
                queue.stop().await?;
                sample
            }
        },
    }
}

async fn idle_workers(role: &Role, count: usize) -> Result<Sample> {
    let (active, idle) = (Some(count), Some(0));
    let role = Role {
        active,
        idle,
        ..role.clone()
    };
    let mut queue = Process::start(&role.arguments())?;
    let endpoint = queue.endpoint().await?;
    let mut workers = crowd(Doing::Beat, endpoint, count)?;
    let sample = first_of(&mut queue, &mut workers).await;
    queue.stop().await?;
    workers.stop().await?;
    sample
}

async fn hedged(role: &Role) -> Result<Sample> {
    let mut servers = Process::start(&role.arguments())?;
    let mut endpoints = Vec::new();
    for _ in 0..SERVERS {
        endpoints.push(servers.endpoint().await?);
    }
    let mut client = Process::start(&connecting(role, endpoints.join(" ")).arguments())?;
    client.introduce(servers.id()?).await?;
    let sample = first_of(&mut client, &mut servers).await;
    client.stop().await?;
    servers.stop().await?;
    sample
}

/// Requests through a queue that listens at these endpoints.
async fn through(role: &Role, queue: u32, [frontend, backend]: [String; 2]) -> Result<Sample> {
    let mut workers = crowd(Doing::Work, backend, WORKERS)?;
    let mut client = Process::start(&connecting(role, frontend).arguments())?;
    client.introduce(queue).await?;
    let sample = first_of(&mut client, &mut workers).await;
    client.stop().await?;
    workers.stop().await?;
    sample
}

fn connecting(role: &Role, endpoint: String) -> Role {
    Role {
        side: Side::Connect,
        endpoint,
        ..role.clone()
    }
}

fn crowd(doing: Doing, endpoint: String, active: usize) -> Result<Process> {
    let crowd = Crowd {
        endpoint,
        doing,
        active,
        idle: 0,
        size: 0,
        progress: None,
    };
    Process::start(&crowd.arguments())
}

/// Waits for the sample of one process while watching that the other lives.
async fn first_of(measures: &mut Process, other: &mut Process) -> Result<Sample> {
    tokio::select! {
        biased;
        sample = measures.sample() => sample,
        report = other.report() => Err(report.err().unwrap_or_else(|| "spoke out of turn".into())),
    }
}

/// The guide's queue. It is killed when this value goes.
struct GuideQueue(Child);

impl GuideQueue {
    /// Starts it, and waits until it listens.
    async fn start(path: &Path) -> Result<Self> {
        for port in GUIDE_PORTS {
            TcpListener::bind((Ipv4Addr::UNSPECIFIED, port))
                .map_err(|error| format!("port {port} of the guide's queue: {error}"))?;
        }
        let mut command = Command::new(path);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let mut queue = Self(command.stderr(Stdio::null()).kill_on_drop(true).spawn()?);
        for port in GUIDE_PORTS {
            while TcpStream::connect((Ipv4Addr::LOCALHOST, port))
                .await
                .is_err()
            {
                if let Some(status) = queue.0.try_wait()? {
                    return Err(format!("the guide's queue ended early, {status}").into());
                }
                sleep(TRYING).await;
            }
        }
        Ok(queue)
    }

    fn id(&self) -> Result<u32> {
        Ok(self.0.id().ok_or("the guide's queue has ended")?)
    }
}
