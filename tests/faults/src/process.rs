//! [`Process`]: a program that runs, and that is killed when its handle is dropped.

use std::path::Path;
use std::process::{ExitStatus, Stdio};

use privateer::core::Endpoint;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::programs::program;
use crate::wait::soon;

/// A process, killed when this is dropped. What it prints is read line by line; what it logs goes to standard error.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    stdin: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Process {
    /// Starts an example program.
    ///
    /// # Panics
    /// Panics if that fails.
    #[must_use]
    pub fn example(name: &str, arguments: &[&str]) -> Self {
        Self::start(program(name), arguments)
    }

    /// Starts any program.
    ///
    /// # Panics
    /// Panics if that fails.
    #[must_use]
    pub fn start(program: &Path, arguments: &[&str]) -> Self {
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        Self {
            name: format!("{} {}", program.display(), arguments.join(" ")),
            stdin: child.stdin.take().unwrap(),
            lines: BufReader::new(child.stdout.take().unwrap()).lines(),
            child,
        }
    }

    /// A Majordomo broker, once it listens, and where.
    ///
    /// # Panics
    /// Panics if it does not.
    pub async fn broker(endpoint: &str, arguments: &[&str]) -> (Self, Endpoint) {
        let arguments = [&["--bind", endpoint], arguments].concat();
        let mut broker = Self::example("mdbroker", &arguments);
        let line = soon(broker.line()).await;
        let endpoint = line.strip_prefix("listening on ").unwrap();
        let endpoint = endpoint.parse().unwrap();
        (broker, endpoint)
    }

    /// The next line.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, it has read no line.
    ///
    /// # Panics
    /// Panics if the process has ended.
    pub async fn line(&mut self) -> String {
        let line = self.lines.next_line().await.unwrap();
        line.unwrap_or_else(|| panic!("{} printed no more", self.name))
    }

    /// Reads lines until there is this one.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, it has read some lines.
    ///
    /// # Panics
    /// Panics if the process ends without it.
    pub async fn expect(&mut self, line: &str) {
        while self.line().await != line {}
    }

    /// The rest of what it prints until it ends, and how it ended.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, it has read some lines.
    ///
    /// # Panics
    /// Panics if what it prints cannot be read.
    pub async fn end(&mut self) -> (Vec<String>, ExitStatus) {
        let mut lines = Vec::new();
        while let Some(line) = self.lines.next_line().await.unwrap() {
            lines.push(line);
        }
        (lines, self.child.wait().await.unwrap())
    }

    /// As [`end`](Self::end), for a program that succeeds and whose last line is JSON.
    ///
    /// # Panics
    /// Panics if it is none.
    pub async fn report(&mut self) -> Value {
        let (lines, status) = self.end().await;
        let last = lines.last().map_or("", String::as_str);
        assert!(status.success(), "{}: {status}: {last}", self.name);
        serde_json::from_str(last).unwrap_or_else(|error| panic!("{}: {error}: {last}", self.name))
    }

    /// Writes a line to it.
    ///
    /// # Panics
    /// Panics if it does not read it.
    pub async fn tell(&mut self, line: &str) {
        self.stdin
            .write_all(format!("{line}\n").as_bytes())
            .await
            .unwrap();
    }

    /// Kills it (SIGKILL), and waits until it is gone.
    ///
    /// # Panics
    /// Panics if it cannot be killed.
    pub async fn kill(&mut self) {
        soon(self.child.kill()).await.unwrap();
    }

    /// Stops it (SIGSTOP): it does nothing, and its connections stay.
    ///
    /// # Panics
    /// Panics if it is gone.
    pub fn stop(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on after [`stop`](Self::stop) (SIGCONT).
    ///
    /// # Panics
    /// Panics if it is gone.
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    /// Asks it to end (SIGTERM).
    ///
    /// # Panics
    /// Panics if it is gone.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Whether it has ended.
    ///
    /// # Panics
    /// Panics if the system does not tell.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// How many files and sockets it has open.
    /// - Only on Linux
    ///
    /// # Panics
    /// Panics if the process is gone or the system does not tell.
    #[must_use]
    pub fn open_files(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.id()))
            .unwrap()
            .count()
    }

    /// The most memory that it ever had.
    /// - Unit: bytes    - Only on Linux
    ///
    /// # Panics
    /// Panics if the process is gone or the system does not tell.
    #[must_use]
    pub fn peak_memory(&self) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kibibytes = line
            .and_then(|line| line.trim().strip_suffix(" kB"))
            .unwrap();
        kibibytes.parse::<usize>().unwrap() * 1024
    }

    fn id(&self) -> u32 {
        self.child
            .id()
            .unwrap_or_else(|| panic!("{} is gone", self.name))
    }

    fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.id()).ok().and_then(Pid::from_raw);
        kill_process(id.unwrap(), signal).unwrap();
    }
}
