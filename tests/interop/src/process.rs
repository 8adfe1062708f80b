//! [`Program`]: a process of `peers/`, which is killed when its handle is dropped.

use std::path::Path;
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::venv::Python;
use crate::wait::soon;

/// A process that runs one of `peers/*.py`, killed when this is dropped. What it prints is read line by line.
#[derive(Debug)]
pub struct Program {
    child: Child,
    stdin: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Program {
    /// Starts a script of `peers/`.
    #[must_use]
    pub fn start(python: &Python, script: &str, arguments: &[&str]) -> Self {
        let peers = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers");
        let mut child = Command::new(python.interpreter())
            .arg(peers.join(script))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let stdin = child.stdin.take().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self {
            child,
            stdin,
            lines,
        }
    }

    /// The endpoint of a line `listening on ENDPOINT`, which has to be the next.
    pub async fn listening(&mut self) -> String {
        let line = soon(self.line()).await.unwrap();
        line.strip_prefix("listening on ").unwrap().to_owned()
    }

    /// The next line; none if the process has ended.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, it has read no line.
    pub async fn line(&mut self) -> Option<String> {
        self.lines.next_line().await.unwrap()
    }

    /// The next line, which is JSON; none if the process has ended, even in the middle of a line.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, it has read no line.
    pub async fn value(&mut self) -> Option<Value> {
        serde_json::from_str(&self.line().await?).ok()
    }

    /// Writes a line to the process.
    pub async fn tell(&mut self, value: &Value) {
        self.stdin
            .write_all(format!("{value}\n").as_bytes())
            .await
            .unwrap();
    }

    /// Kills the process (SIGKILL) and waits until it is gone. What it has printed can still be read.
    pub async fn kill(&mut self) {
        soon(self.child.kill()).await.unwrap();
    }

    /// Stops the process (SIGSTOP): it does nothing, and its connections stay.
    pub fn stop(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets a stopped process go on (SIGCONT).
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        let id = self.child.id().and_then(|id| i32::try_from(id).ok());
        kill_process(id.and_then(Pid::from_raw).unwrap(), signal).unwrap();
    }
}
