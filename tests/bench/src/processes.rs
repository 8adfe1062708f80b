//! The processes of a run: started from this very program, listened to, and stopped.

use std::net::SocketAddr;
use std::process::Stdio;

use nix::sys::prctl::set_pdeathsig;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::Signal;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::Result;
use crate::sample::{Report, Sample};

/// A process of this program that takes a role. It is killed when this value goes.
pub(crate) struct Process {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Process {
    /// Starts this program with the given arguments.
    pub(crate) fn start(arguments: &[String]) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command
            .args(arguments)
            .env("RUST_BACKTRACE", "0")
            .kill_on_drop(true);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let input = child.stdin.take().ok_or("no standard input")?;
        let output = child.stdout.take().ok_or("no standard output")?;
        Ok(Self {
            child,
            input,
            output: BufReader::new(output).lines(),
        })
    }

    /// Its process id.
    pub(crate) fn id(&self) -> Result<u32> {
        self.child
            .id()
            .ok_or_else(|| "the process has ended".into())
    }

    /// Tells it which process is its peer.
    pub(crate) async fn introduce(&mut self, peer: u32) -> Result<()> {
        Ok(self.input.write_all(format!("{peer}\n").as_bytes()).await?)
    }

    /// Waits for its endpoint.
    pub(crate) async fn endpoint(&mut self) -> Result<String> {
        match self.report().await? {
            Report::Endpoint(endpoint) => Ok(endpoint),
            other => Err(format!("an endpoint was expected, {other:?} came").into()),
        }
    }

    /// Waits for its sample.
    pub(crate) async fn sample(&mut self) -> Result<Sample> {
        match self.report().await? {
            Report::Sample(sample) => Ok(sample),
            other => Err(format!("a sample was expected, {other:?} came").into()),
        }
    }

    /// Waits for its next report; a failure that it tells becomes an error.
    pub(crate) async fn report(&mut self) -> Result<Report> {
        match self.output.next_line().await? {
            Some(line) => match serde_json::from_str(&line)? {
                Report::Failure(failure) => Err(failure.into()),
                report => Ok(report),
            },
            None => Err(format!("ended early, {}", self.child.wait().await?).into()),
        }
    }

    /// Kills it and waits until it is gone.
    pub(crate) async fn stop(mut self) -> Result<()> {
        Ok(self.child.kill().await?)
    }

    /// Waits for the address that its crowd tells its progress to.
    pub(crate) async fn progress(&mut self) -> Result<SocketAddr> {
        match self.report().await? {
            Report::Progress(address) => Ok(address),
            other => Err(format!("an address was expected, {other:?} came").into()),
        }
    }
}

/// The memory that a process has resident, in KiB.
pub(crate) fn resident(process: u32) -> Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .ok_or("no VmRSS")?;
    Ok(line.trim().trim_end_matches("kB").trim().parse()?)
}

/// Makes this process end when the one that started it does, however that ends.
pub(crate) fn end_with_parent() -> Result<()> {
    Ok(set_pdeathsig(Signal::SIGKILL)?)
}

/// Lets this process open as many files as the system allows it.
pub(crate) fn raise_file_limit() -> Result<()> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    Ok(setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?)
}
