//! The labs of the chapters print what their pages show.
//!
//! A lab is a block of `sh`: a script that ends by itself. The block below it, of `text`, is what it prints, to the
//! letter; or by shape, with numbers left out, if the page says `<!-- numbers vary -->` in between. With
//! `PRIVATEER_BOOK=write` in the environment, what the labs print is written into the pages instead.
#![cfg(target_os = "linux")]
#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

mod programs;

use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use privateer_book::root;
use programs::{executable, shape, writes};

/// No lab takes longer, if it works at all.
const DEADLINE: Duration = Duration::from_secs(60);

/// What stands between a lab and what it prints.
const PRINTS: &str = "\n```\n\n```text\n";
const PRINTS_ABOUT: &str = "\n```\n\n<!-- numbers vary -->\n```text\n";

#[test]
fn each_lab_prints_what_its_page_shows() {
    let examples = fs::read_dir(root().join("../examples")).expect("there are examples");
    for example in examples {
        let path = example.expect("it can be read").path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            executable(&path.file_stem().expect("it has a name").to_string_lossy());
        }
    }
    let chapters = fs::read_dir(root().join("src")).expect("there are chapters");
    let pages: Vec<_> = chapters
        .map(|page| page.expect("it can be read").path())
        .collect();
    let labs: usize = thread::scope(|scope| {
        let checks = pages.iter().map(|page| scope.spawn(|| check(page)));
        let checks: Vec<_> = checks.collect();
        let done = checks.into_iter().map(|check| check.join());
        done.map(|labs| labs.expect("all labs of the page are right"))
            .sum()
    });
    assert!(labs > 0, "there are labs");
}

/// Runs all labs of a page, one after the other, and tells how many there are.
fn check(page: &Path) -> usize {
    let text = fs::read_to_string(page).expect("the page is there");
    let mut parts = text.split("\n```sh\n");
    let mut written = parts.next().unwrap_or_default().to_owned();
    let mut labs = 0;
    for part in parts {
        let (script, rest) = part.split_once("\n```\n").expect("a script has an end");
        let below = &part[script.len()..];
        let (mark, about) = match below.starts_with(PRINTS_ABOUT) {
            true => (PRINTS_ABOUT, true),
            false => (PRINTS, false),
        };
        let prints = below.strip_prefix(mark);
        let prints = prints.unwrap_or_else(|| panic!("what does it print? {script}\n{rest}"));
        let (shown, rest) = prints.split_once("```\n").expect("a block has an end");
        let printed = run(script);
        let same = match about {
            true => shape(shown) == shape(&printed),
            false => shown == printed,
        };
        assert!(
            same || writes(),
            "{} has the lab\n{script}\nwhich printed:\n{printed}",
            page.display()
        );
        written += &format!("\n```sh\n{script}{mark}{printed}```\n{rest}");
        labs += 1;
    }
    if writes() && labs > 0 {
        fs::write(page, written).expect("the page can be written");
    }
    labs
}

/// What a script prints, in a directory of its own, with the programs at hand.
fn run(script: &str) -> String {
    let directory = tempfile::tempdir().expect("there is room");
    let errors = directory.path().join("errors");
    let programs = executable("zcat");
    let programs = programs.parent().expect("it is in a directory").display();
    let path = std::env::var("PATH").expect("there is a path");
    let mut shell = Command::new("sh")
        .args(["-c", script])
        .current_dir(directory.path())
        .env("PATH", format!("{programs}:{path}"))
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(File::create(&errors).expect("it can be written"))
        .spawn()
        .expect("a shell can be started");
    let mut stdout = shell.stdout.take().expect("it is read once");
    let (done, printed) = mpsc::channel();
    thread::spawn(move || {
        let mut text = String::new();
        let read = stdout.read_to_string(&mut text).map(|_| text);
        // The test may have given up.
        let _gone = done.send(read);
    });
    let printed = printed.recv_timeout(DEADLINE);
    // Whatever is left of it.
    let group = format!("-{}", shell.id());
    let mut kill = Command::new("kill");
    let kill = kill.args(["-KILL", "--", &group]).stderr(Stdio::null());
    let _nobody = kill.status();
    let _status = shell.wait();
    let told = fs::read_to_string(&errors).expect("it is text");
    let printed = printed.unwrap_or_else(|_elapsed| panic!("it does not end: {script}\n{told}"));
    let printed = printed.expect("it prints UTF-8");
    eprintln!("{script}\n{printed}{told}");
    printed
}
