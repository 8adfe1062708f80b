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
    /// None, and a loud line on standard error, if there is no Python or no way to install pyzmq.
    ///
    /// # Panics
    /// Panics instead if the environment variable `CI` is `true`.
    #[must_use]
    pub fn ready() -> Option<Self> {
        match environment() {
            Ok(environment) => Some(Self(environment.join("bin").join("python"))),
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

/// The virtual environment, made under a lock: tests of several programs may ask at once.
fn environment() -> io::Result<PathBuf> {
    let program = std::env::current_exe()?;
    // Test programs are target/PROFILE/deps/NAME.
    let target = program.ancestors().nth(3).ok_or(io::ErrorKind::NotFound)?;
    let environment = target.join("tmp").join("pyzmq-venv");
    fs::create_dir_all(target.join("tmp"))?;
    let lock = File::create(environment.with_extension("lock"))?;
    lock.lock()?;
    let installed = environment.join("installed");
    if fs::read_to_string(&installed).is_ok_and(|what| what == REQUIREMENT) {
        return Ok(environment);
    }
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
    run(Command::new(environment.join("bin").join("python")).args(pip))?;
    fs::write(installed, REQUIREMENT)?;
    Ok(environment)
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
