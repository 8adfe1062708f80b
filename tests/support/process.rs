//! Programs of `examples/` as processes: built, started, read line by line, signalled, and waited for.
//!
//! ```ignore
//! let mut server = Process::start("hwserver", &["--endpoint", "tcp://127.0.0.1:*"]);
//! let endpoint = server.listening().await;
//! server.signal("TERM");
//! assert_eq!(server.end().await.code, Some(0));
//! ```

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::OnceLock;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::task::JoinHandle;

use super::sockets::within;

/// How long a program may take for its next line, or to end.
const LIMIT: Duration = Duration::from_secs(60);

/// A running program; dropped, it is killed.
pub(crate) struct Process {
    name: String,
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Lines<BufReader<ChildStdout>>,
    errors: JoinHandle<String>,
}

/// How a program ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// The exit code; none if a signal ended it.
    pub(crate) code: Option<i32>,
    /// The lines of standard output that were not read before.
    pub(crate) lines: Vec<String>,
    /// Standard error.
    pub(crate) errors: String,
}

impl Process {
    /// Starts an example. What it reads comes from [`type_in`](Self::type_in).
    #[track_caller]
    pub(crate) fn start(name: &str, arguments: &[&str]) -> Self {
        let mut child = Command::new(example(name))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| panic!("{name} cannot be started: {error}"));
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().unwrap();
        let mut stderr = child.stderr.take().unwrap();
        let errors = tokio::spawn(async move {
            let mut text = Vec::new();
            // What came before an error counts.
            let _read = stderr.read_to_end(&mut text).await;
            String::from_utf8_lossy(&text).into_owned()
        });
        Self {
            name: name.to_owned(),
            child,
            stdin,
            lines: BufReader::new(stdout).lines(),
            errors,
        }
    }

    /// Starts an example, and returns how it ended.
    pub(crate) async fn run(name: &str, arguments: &[&str]) -> Ended {
        Self::start(name, arguments).end().await
    }

    /// The next line of standard output.
    pub(crate) async fn line(&mut self) -> String {
        let line = within(LIMIT, self.lines.next_line()).await.unwrap();
        match line {
            Some(line) => line,
            None => {
                let errors = within(LIMIT, &mut self.errors).await.unwrap();
                panic!(
                    "{} ended without another line; it said: {errors}",
                    self.name
                )
            }
        }
    }

    /// The endpoint of the next line, which says where the program listens.
    pub(crate) async fn listening(&mut self) -> String {
        let line = self.line().await;
        let endpoint = line.strip_prefix("listening on ");
        endpoint
            .unwrap_or_else(|| panic!("{} said {line:?}", self.name))
            .to_owned()
    }

    /// Writes to the program's standard input, and ends that.
    pub(crate) async fn type_in(&mut self, bytes: &[u8]) {
        let mut stdin = self.stdin.take().unwrap();
        within(LIMIT, stdin.write_all(bytes)).await.unwrap();
    }

    /// The number of the process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id().unwrap()
    }

    /// Sends a signal, named as in `kill -TERM`: TERM, INT, KILL, STOP, CONT.
    pub(crate) fn signal(&self, name: &str) {
        if let Some(id) = self.child.id() {
            signal(id, name);
        }
    }

    /// Whether it has ended.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Waits until it has ended by itself.
    pub(crate) async fn end(mut self) -> Ended {
        let ended = within(LIMIT, async {
            let mut lines = Vec::new();
            while let Some(line) = self.lines.next_line().await.unwrap() {
                lines.push(line);
            }
            let code = self.child.wait().await.unwrap().code();
            Ended {
                code,
                lines,
                errors: (&mut self.errors).await.unwrap(),
            }
        });
        ended.await
    }
}

impl Ended {
    /// Asserts that it did its job, and returns the lines.
    #[track_caller]
    pub(crate) fn well(self) -> Vec<String> {
        assert_eq!(
            (self.code, &*self.errors),
            (Some(0), ""),
            "{:?}",
            self.lines
        );
        self.lines
    }
}

/// Sends a signal to any process.
fn signal(id: u32, name: &str) {
    // The shell's own `kill` is everywhere; the process may have ended just now.
    let kill = format!("kill -{name} {id} 2>&-");
    let _ended = std::process::Command::new("sh")
        .args(["-c", &kill])
        .status()
        .unwrap();
}

/// Where an example is, built from the sources of now.
fn example(name: &str) -> PathBuf {
    static EXAMPLES: OnceLock<PathBuf> = OnceLock::new();
    let suffix = std::env::consts::EXE_SUFFIX;
    EXAMPLES.get_or_init(build).join(format!("{name}{suffix}"))
}

/// Builds all examples as this test was built, since a test alone does not build them; returns their folder.
fn build() -> PathBuf {
    // target/PROFILE/deps/TEST
    let test = std::env::current_exe().unwrap();
    let [_, _, profile, target] = test.ancestors().take(4).collect::<Vec<_>>()[..] else {
        panic!("{} is not in a target folder", test.display())
    };
    let profile_name = match profile.file_name().and_then(|name| name.to_str()).unwrap() {
        "debug" => "dev",
        other => other,
    };
    let manifest_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let is_workspace = |folder: &&Path| folder.join("Cargo.lock").exists();
    let workspace = manifest_folder.ancestors().find(is_workspace).unwrap();
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| env!("CARGO").into());
    let built = std::process::Command::new(cargo)
        .args([
            "build",
            "--quiet",
            "--examples",
            "--profile",
            profile_name,
            "--target-dir",
        ])
        .arg(target)
        .current_dir(workspace)
        .output()
        .unwrap();
    assert!(
        built.status.success(),
        "{}",
        String::from_utf8_lossy(&built.stderr)
    );
    profile.join("examples")
}
