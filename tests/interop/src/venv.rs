//! [`Python`]: an interpreter with pyzmq, in a virtual environment below the target directory.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What pip installs.
const REQUIREMENT: &str = "pyzmq==27.*";

/// An interpreter with pyzmq.
#[derive(Clone, Debug)]
pub struct Python(PathBuf);

impl Python {
    /// The interpreter; the first test of a run that asks makes its environment, if an earlier run has not.
    ///
    /// None, and a loud line on standard error, if there is no Python or no way to install pyzmq; where the environment
    /// variable `CI` is `true`, that fails the test.
    #[must_use]
    pub fn ready() -> Option<Self> {
        match interpreter() {
            Ok(interpreter) => Some(Self(interpreter)),
            Err(error) => {
                skip(&error);
                None
            }
        }
    }

    pub(crate) fn interpreter(&self) -> &Path {
        &self.0
    }
}

/// The interpreter of the virtual environment, which is made under a lock: several tests may ask at once.
fn interpreter() -> io::Result<PathBuf> {
    let program = std::env::current_exe()?;
    // Test programs are target/PROFILE/deps/NAME.
    let target = program.ancestors().nth(3).ok_or(io::ErrorKind::NotFound)?;
    let environment = target.join("tmp").join("pyzmq-venv");
    fs::create_dir_all(target.join("tmp"))?;
    let lock = File::create(environment.with_extension("lock"))?;
    lock.lock()?;
    let (interpreter, installed) = (
        environment.join("bin/python"),
        environment.join("installed"),
    );
    let is_ready = fs::read_to_string(&installed).is_ok_and(|what| what == REQUIREMENT);
    if !is_ready || !interpreter.exists() {
        run(Command::new("python3")
            .args(["-m", "venv", "--clear"])
            .arg(&environment))?;
        let pip = [
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            REQUIREMENT,
        ];
        run(Command::new(&interpreter).args(pip))?;
        fs::write(installed, REQUIREMENT)?;
    }
    Ok(interpreter)
}

fn run(command: &mut Command) -> io::Result<()> {
    let output = command.stdin(Stdio::null()).output()?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    Err(io::Error::other(format!(
        "{command:?}: {}",
        String::from_utf8_lossy(&said)
    )))
}

/// Tells what is missing, on the standard error that the test harness does not capture.
fn skip(error: &io::Error) {
    let told = format!(
        "NOT TESTED against pyzmq: it takes python3 with venv and pip (Debian: python3-venv): {error}"
    );
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{told}");
    // Where standard error is closed, nobody reads it.
    let _closed = writeln!(io::stderr(), "{told}");
}
