//! What the pages show as the output of a program is what the program prints.
//!
//! A page has a mark, such as `<!-- quickstart output -->`, and below it the output. The two are compared by shape: line
//! by line, with numbers left out. With `PRIVATEER_BOOK=write` in the environment, the output is written into the
//! pages instead.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

mod programs;

use std::fs;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use privateer_book::root;
use programs::{executable, shape, writes};

/// No program here takes longer, if it works at all.
const DEADLINE: Duration = Duration::from_secs(60);

#[test]
fn quickstart_prints_what_the_pages_show() {
    let output = Program::start("quickstart", &[]).output();
    compare("../README.md", "quickstart", &output);
    compare("src/quickstart.md", "quickstart", &output);
}

#[test]
fn hello_prints_what_its_chapter_shows() {
    let mut server = Program::start("hwserver", &["--endpoint", "tcp://127.0.0.1:*"]);
    let endpoint = server.endpoint();
    let output = Program::start("hwclient", &["--endpoint", &endpoint]).output();
    compare("src/hello.md", "hwclient", &output);
}

#[test]
fn majordomo_prints_what_its_chapter_shows() {
    let mut broker = Program::start("mdbroker", &["--bind", "tcp://127.0.0.1:*"]);
    let endpoint = broker.endpoint();
    let _worker = Program::start("mdworker", &["--broker", &endpoint]);
    let client = [
        "--broker",
        &endpoint,
        "--requests",
        "1000",
        "--in-flight",
        "8",
    ];
    let output = Program::start("mdclient", &client).output();
    compare("src/majordomo.md", "mdclient", &output);
    // The worker is there, since it has answered.
    let output = Program::start("mmi", &["--broker", &endpoint, "service", "echo"]).output();
    compare("src/majordomo.md", "mmi", &output);
}

#[test]
fn the_lazy_pirate_prints_what_its_chapter_shows() {
    let mut server = Program::start("lpserver", &["--endpoint", "tcp://127.0.0.1:*"]);
    let endpoint = server.endpoint();
    let client = ["--endpoint", &endpoint, "--requests", "3"];
    let output = Program::start("lpclient", &client).output();
    compare("src/lazy-pirate.md", "lpclient", &output);
}

#[test]
fn the_paranoid_pirate_prints_what_its_chapter_shows() {
    let any = "tcp://127.0.0.1:*";
    let mut queue = Program::start("ppqueue", &["--frontend", any, "--backend", any]);
    let [frontend, backend] = queue.endpoints();
    let _workers =
        ["ppworker", "spworker"].map(|name| Program::start(name, &["--backend", &backend]));
    let client = ["--endpoint", &frontend, "--requests", "3"];
    let output = Program::start("lpclient", &client).output();
    compare("src/paranoid-pirate.md", "lpclient", &output);
}

/// Compares what a page shows below the mark of a program with what it printed, or writes it there.
fn compare(page: &str, program: &str, printed: &str) {
    let path = root().join(page);
    let text = fs::read_to_string(&path).expect("the page is there");
    let mark = format!("<!-- {program} output -->\n```text\n");
    let (before, rest) = text
        .split_once(&mark)
        .expect("the page has the mark and a block below it");
    let (shown, after) = rest.split_once("```").expect("the block has an end");
    if writes() {
        let text = format!("{before}{mark}{printed}```{after}");
        return fs::write(path, text).expect("the page can be written");
    }
    assert_eq!(
        shape(shown),
        shape(printed),
        "{program} printed:\n{printed}"
    );
}

/// A running program of examples/; killed when dropped.
struct Program {
    name: String,
    process: Child,
}

impl Program {
    fn start(name: &str, arguments: &[&str]) -> Self {
        let mut command = Command::new(executable(name));
        command
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        let process = command.spawn().expect("the program can be started");
        Self {
            name: name.to_owned(),
            process,
        }
    }

    /// Where it listens, which it prints first.
    fn endpoint(&mut self) -> String {
        let [endpoint] = self.endpoints();
        endpoint
    }

    /// Where it listens, if it does so at several places.
    fn endpoints<const COUNT: usize>(&mut self) -> [String; COUNT] {
        let lines = self.read(|stdout| {
            let mut lines = [const { String::new() }; COUNT];
            for line in &mut lines {
                stdout.read_line(line)?;
            }
            Ok(lines)
        });
        lines.map(|line| {
            let endpoint = line.trim_end().strip_prefix("listening on ");
            endpoint.expect("it prints where it listens").to_owned()
        })
    }

    /// All that it prints until it ends.
    fn output(mut self) -> String {
        self.read(|stdout| {
            let mut text = String::new();
            stdout.read_to_string(&mut text).map(|_| text)
        })
    }

    fn read<T, F>(&mut self, read: F) -> T
    where
        T: Send + 'static,
        F: FnOnce(&mut BufReader<ChildStdout>) -> io::Result<T> + Send + 'static,
    {
        let mut stdout = BufReader::new(self.process.stdout.take().expect("it is read once"));
        let (done, text) = mpsc::channel();
        std::thread::spawn(move || {
            // The test may have given up.
            let _gone = done.send(read(&mut stdout));
            // Nobody looks at the rest, but a program may not print to a pipe that is closed.
            io::copy(&mut stdout, &mut io::sink())
        });
        let text = text.recv_timeout(DEADLINE);
        let text = text.unwrap_or_else(|_elapsed| panic!("{} did not print in time", self.name));
        text.expect("it prints UTF-8")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ended = self.process.kill();
        let _status = self.process.wait();
    }
}
