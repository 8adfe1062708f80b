//! Builds the example programs, and finds them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

/// Where an example program is; all of them are built when the first is asked for.
///
/// # Panics
/// Panics if they cannot be built or there is no such example.
#[must_use]
pub fn program(name: &str) -> &'static Path {
    static PROGRAMS: OnceLock<HashMap<String, PathBuf>> = OnceLock::new();
    let found = PROGRAMS.get_or_init(build).get(name);
    found.unwrap_or_else(|| panic!("there is no example {name}"))
}

/// Lets cargo build the examples, and reads from its messages where they are.
fn build() -> HashMap<String, PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| env!("CARGO").into());
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let output = Command::new(cargo)
        .args(["build", "--examples", "--profile", &profile()])
        .arg("--message-format=json-render-diagnostics")
        .current_dir(workspace)
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(output.status.success(), "the examples cannot be built");
    let messages = String::from_utf8(output.stdout).unwrap();
    messages.lines().filter_map(built_example).collect()
}

/// The profile of this very program, which names the directory that it is in: `target/debug/deps`.
fn profile() -> String {
    let program = std::env::current_exe().unwrap();
    let directory = program.ancestors().nth(2).and_then(Path::file_name);
    match directory.and_then(|name| name.to_str()).unwrap() {
        "debug" => "dev".into(),
        name => name.into(),
    }
}

/// The name and the path of an example that a message of cargo tells of.
fn built_example(message: &str) -> Option<(String, PathBuf)> {
    let message: Value = serde_json::from_str(message).ok()?;
    let (target, path) = (&message["target"], message["executable"].as_str()?);
    let is_example = target["kind"]
        .as_array()?
        .iter()
        .any(|kind| kind == "example");
    let name = target["name"].as_str()?;
    is_example.then(|| (name.into(), path.into()))
}
