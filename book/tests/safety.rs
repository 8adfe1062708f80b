//! R06: no unsafe code anywhere, and no indexing where octets of a peer are read.

#![allow(clippy::expect_used, reason = "a test fails by a panic")]

use std::fs;
use std::path::{Path, PathBuf};

use privateer_book::root;

fn top() -> PathBuf {
    root().join("..")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).expect("it is a text")
}

/// Appends the paths of all files below a directory that end so.
fn gather(directory: &Path, end: &str, paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).expect("the directory is there") {
        let path = entry.expect("it can be read").path();
        let name = path.file_name().expect("it has a name").to_string_lossy();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            gather(&path, end, paths);
        } else if name.ends_with(end) {
            paths.push(path);
        }
    }
}

/// R06: unsafe code is forbidden in the workspace, and each of its packages says that it obeys.
#[test]
fn every_package_forbids_unsafe_code() {
    let mut manifests = Vec::new();
    gather(&top(), "Cargo.toml", &mut manifests);
    let workspace = read(&top().join("Cargo.toml"));
    assert!(workspace.contains("\nunsafe_code = \"forbid\"\n"));
    // Fuzz targets are a workspace of their own, made by a macro of libFuzzer's.
    manifests.retain(|path| !path.components().any(|part| part.as_os_str() == "fuzz"));
    assert!(manifests.len() >= 7, "{manifests:?}");
    for path in manifests {
        let text = read(&path);
        assert!(
            text.contains("\n[lints]\nworkspace = true\n"),
            "{} does not take the workspace's lints",
            path.display()
        );
    }
}

/// R06: what reads the octets of a peer may not index, so that no input can panic by that.
#[test]
fn what_parses_does_not_index() {
    let mut sources = Vec::new();
    gather(&top().join("core/src"), ".rs", &mut sources);
    sources.retain(|path| read(path).starts_with("//! PURE. "));
    for name in [
        "command.rs",
        "frame.rs",
        "greeting.rs",
        "handshake.rs",
        "traffic.rs",
    ] {
        sources.push(top().join("core/src/zmtp").join(name));
    }
    sources.push(top().join("patterns/src/majordomo/protocol.rs"));
    for path in sources {
        let text = read(&path);
        let denied = text.contains("#![deny(") && text.contains("clippy::indexing_slicing");
        assert!(denied, "{} does not deny indexing", path.display());
    }
}
