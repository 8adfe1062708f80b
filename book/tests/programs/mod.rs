//! The programs of examples/, and how what they print is compared with what a page shows.

use std::path::PathBuf;
use std::process::Command;

use privateer_book::root;

/// The text with each number, sign and decimals included, replaced by a letter.
pub(crate) fn shape(text: &str) -> String {
    let mut shape = String::new();
    let mut rest = text;
    while let Some(start) = rest.find(|next: char| next.is_ascii_digit()) {
        let number = rest[start..].trim_start_matches(|next: char| next.is_ascii_digit());
        let fraction = number
            .strip_prefix('.')
            .filter(|f| f.starts_with(|c: char| c.is_ascii_digit()));
        let after = fraction.map_or(number, |f| {
            f.trim_start_matches(|c: char| c.is_ascii_digit())
        });
        let before = &rest[..start];
        shape.push_str(before.strip_suffix('-').unwrap_or(before));
        shape.push('N');
        rest = after;
    }
    shape + rest
}

/// Whether what was printed goes into the pages instead of being compared with them.
pub(crate) fn writes() -> bool {
    std::env::var("PRIVATEER_BOOK").is_ok_and(|what| what == "write")
}

/// The program, which `cargo test` at the top builds beside this test; it is built now if that was not done.
pub(crate) fn executable(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a test knows where it is");
    // Tests are target/PROFILE/deps/NAME.
    let directory = test
        .ancestors()
        .nth(2)
        .expect("it is in a directory")
        .join("examples");
    let executable = directory.join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    if !executable.exists() {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--package", "privateer-workspace", "--examples"]);
        if !cfg!(debug_assertions) {
            cargo.arg("--release");
        }
        let built = cargo
            .current_dir(root())
            .status()
            .expect("cargo can be started");
        assert!(
            built.success() && executable.exists(),
            "the examples cannot be built"
        );
    }
    executable
}
