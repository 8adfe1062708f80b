//! What pages say about the code is so: limits, times, and which test shows a line of a contract.

#![allow(clippy::expect_used, reason = "a test fails by a panic")]

use std::fs;
use std::path::Path;

use privateer_book::root;

/// Where the code has a value and how it writes it; where a page has it and what it says.
const NAMED: [[&str; 4]; 20] = [
    [
        "core/src/io/listener.rs",
        "HANDSHAKES_MAX: usize = 1024;",
        "core/README.md",
        "under way | 1,024 |",
    ],
    [
        "core/src/io/crowd.rs",
        "CROWDED: usize = 768;",
        "core/README.md",
        "no more of them than 64 | 768 |",
    ],
    [
        "core/src/io/crowd.rs",
        "SHARE: usize = 64;",
        "core/README.md",
        "no more of them than 64 | 768 |",
    ],
    [
        "core/src/zmtp/traffic.rs",
        "COMMAND_MAX: usize = 128 * 1024;",
        "core/README.md",
        "is a message | 128 KiB |",
    ],
    [
        "core/src/socket/subscriber.rs",
        "TOPIC_MAX: usize = 64 * 1024;",
        "core/README.md",
        "subscribes to | 64 KiB |",
    ],
    [
        "core/src/options/pubsub.rs",
        "NonZeroUsize::new(100_000)",
        "core/README.md",
        "| 100,000 and 16 MiB, by option |",
    ],
    [
        "core/src/options/pubsub.rs",
        "NonZeroUsize::new(16 * 1024 * 1024)",
        "core/README.md",
        "| 100,000 and 16 MiB, by option |",
    ],
    [
        "core/src/zmtp/traffic.rs",
        "MESSAGE_FRAMES_MAX: usize = 64 * 1024;",
        "core/README.md",
        "of a message | 65,536 |",
    ],
    [
        "core/src/zmtp/traffic.rs",
        "MESSAGE_SIZE_FACTOR: u64 = 4;",
        "core/README.md",
        "four times that |",
    ],
    [
        "core/src/options/mod.rs",
        "64 * 1024 * 1024",
        "core/README.md",
        "| 64 MiB, by option;",
    ],
    [
        "core/src/options/metadata.rs",
        "PROPERTY_MAX: usize = 16 * 1024;",
        "core/README.md",
        "all together | 16 KiB |",
    ],
    [
        "core/src/options/mod.rs",
        "NonZeroUsize::new(1000)",
        "core/README.md",
        "| 1,000 each, by option |",
    ],
    [
        "core/src/monitor.rs",
        "EVENTS: usize = 1024;",
        "core/README.md",
        "a monitor holds | 1,024 |",
    ],
    [
        CLIENT,
        "NonZeroUsize::new(256)",
        DEFAULTS,
        "calls in flight of one client | 256;",
    ],
    [
        "core/src/read_buffer.rs",
        "KEPT: usize = 16 * 1024 * 1024;",
        "core/README.md",
        "the process keeps to read into | 16 MiB",
    ],
    [
        BROKER,
        "DRAIN: Duration = Duration::from_secs(5);",
        DEFAULTS,
        "when it is stopped | 5 s, by `Broker::drain`",
    ],
    [
        WORKER,
        "DRAIN: Duration = Duration::from_secs(30);",
        DEFAULTS,
        "when it is stopped | 30 s, by `Worker::drain`",
    ],
    [
        WORKER,
        "RECONNECT_MAX: Duration = Duration::from_millis(500);",
        DEFAULTS,
        "absent broker | at most 500 ms",
    ],
    [
        PROTOCOL,
        "MAX_SERVICE_NAME: usize = 255;",
        DEFAULTS,
        "a name of a service | 1 to 255 bytes",
    ],
    [
        PROTOCOL,
        "RESERVED_PREFIX: &[u8] = b\"mmi.\";",
        DEFAULTS,
        "`mmi.` is the broker's |",
    ],
];

const CLIENT: &str = "patterns/src/majordomo/client/task.rs";
const BROKER: &str = "patterns/src/majordomo/broker/task.rs";
const WORKER: &str = "patterns/src/majordomo/worker/task.rs";
const PROTOCOL: &str = "patterns/src/majordomo/protocol.rs";
const DEFAULTS: &str = "book/src/defaults.md";

#[test]
fn limits_are_as_the_pages_say() {
    let read = |file| fs::read_to_string(root().join("..").join(file)).expect("the file is there");
    for [code, definition, page, text] in NAMED {
        assert!(
            read(code).contains(definition),
            "{definition:?} is not in {code}, as {page} says"
        );
        assert!(
            read(page).contains(text),
            "{text:?} is not in {page}, as {code} says"
        );
    }
}

#[test]
fn each_line_of_the_contract_has_its_test() {
    let mut tests = String::new();
    for directory in ["patterns/src", "patterns/tests"] {
        gather(&root().join("..").join(directory), &mut tests);
    }
    let chapter = include_str!("../src/majordomo.md");
    let (_, contract) = chapter
        .split_once("## The contract")
        .expect("the chapter has a contract");
    let (contract, _) = contract
        .split_once("## What goes wrong")
        .expect("the contract has an end");
    let rows = contract
        .lines()
        .filter(|line| line.starts_with("| ") && !line.ends_with("| test |"));
    let mut lines = 0;
    for row in rows {
        let name = row.rsplit('`').nth(1).expect("each line names a test");
        assert!(
            tests.contains(&format!("fn {name}()")),
            "there is no test {name}: {row}"
        );
        lines += 1;
    }
    assert!(lines > 20, "the contract has its lines");
}

/// Appends all Rust below a directory.
fn gather(directory: &Path, rust: &mut String) {
    for entry in fs::read_dir(directory).expect("the directory is there") {
        let path = entry.expect("it can be read").path();
        if path.is_dir() {
            gather(&path, rust);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            rust.push_str(&fs::read_to_string(&path).expect("it is text"));
        }
    }
}
