//! What pages say about the code is so: limits, times, and which test shows a line of a contract.

#![allow(clippy::expect_used, reason = "a test fails by a panic")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use privateer_book::root;

/// Where the code has a value and how it writes it; where a page has it and what it says.
const NAMED: [[&str; 4]; 37] = [
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
        CONNECTION,
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
    [
        LAZY_SERVER,
        "CAPACITY: usize = 256;",
        LAZY_PIRATE,
        "works on at a time | 256, by `LazyPirateServer::capacity` |",
    ],
    [
        LAZY_SERVER,
        "DRAIN: Duration = Duration::from_secs(5);",
        LAZY_PIRATE,
        "when it is stopped | 5 s, by `LazyPirateServer::drain` |",
    ],
    [
        "patterns/src/lazy_pirate/lanes.rs",
        "RECONNECT_DELAY: Duration = Duration::from_millis(250);",
        LAZY_PIRATE,
        "is made anew | 250 ms |",
    ],
    [
        CONNECTION,
        "RECONNECT_MAX: Duration = Duration::from_millis(500);",
        LAZY_PIRATE,
        "is looked for | at most 500 ms apart |",
    ],
    [
        "patterns/src/heartbeat/ahead.rs",
        "MOST: usize = 1000;",
        HEARTBEATS,
        "up to 1,000 messages",
    ],
    [
        "patterns/src/heartbeat/ahead.rs",
        "MOST_OCTETS: usize = 64 << 20;",
        HEARTBEATS,
        "1,000 messages or 64 MiB",
    ],
    [
        "patterns/src/paranoid_pirate/queue/options.rs",
        "waiting_bytes: 64 << 20,",
        PARANOID_PIRATE,
        "| `waiting_bytes` | bytes | 64 MiB |",
    ],
    [
        "patterns/src/retry/budget.rs",
        "Self::new(10, 10)",
        HEARTBEATS,
        "is 10 percent of the calls, and 10 retries from the start.",
    ],
    [
        "patterns/src/retry/policy.rs",
        "longest_delay: Duration::from_secs(5),",
        LAZY_PIRATE,
        "it doubles up to 5 seconds",
    ],
    [
        "patterns/src/retry/policy.rs",
        "longest_delay: Duration::from_secs(5),",
        HEARTBEATS,
        "it doubles up to 5 seconds |",
    ],
    [
        "patterns/src/heartbeat/dealer.rs",
        "FIRST_DELAY: Duration = Duration::from_millis(100);",
        HEARTBEATS,
        "doubles from 100 ms to 5 seconds",
    ],
    [
        "patterns/src/heartbeat/dealer.rs",
        "LONGEST_DELAY: Duration = Duration::from_secs(5);",
        HEARTBEATS,
        "doubles from 100 ms to 5 seconds",
    ],
    [
        QUEUE,
        "DRAIN: Duration = Duration::from_secs(5);",
        PARANOID_PIRATE,
        "when it is stopped | 5 s, by `Queue::drain` |",
    ],
    [
        QUEUE,
        ".heartbeat_timeout(interval.saturating_mul(2))",
        PARANOID_PIRATE,
        "after 3 seconds at the latest, if it speaks ZMTP 3.1",
    ],
    [
        WORKER,
        "DRAIN: Duration = Duration::from_secs(30);",
        PARANOID_PIRATE,
        "when it is stopped | 30 s, by `PirateWorker::drain` |",
    ],
    [
        "patterns/src/paranoid_pirate/worker.rs",
        "INTERVAL: Duration = Duration::from_secs(1);",
        PARANOID_PIRATE,
        "a worker's heartbeats | 1 second apart |",
    ],
    [
        "patterns/src/heartbeat/engine.rs",
        "let early = 0.1 *",
        HEARTBEATS,
        "up to a tenth of the interval early",
    ],
];

const CLIENT: &str = "patterns/src/majordomo/client/task.rs";
const BROKER: &str = "patterns/src/majordomo/broker/task.rs";
const CONNECTION: &str = "patterns/src/connection.rs";
const WORKER: &str = "patterns/src/majordomo/worker/task.rs";
const PROTOCOL: &str = "patterns/src/majordomo/protocol.rs";
const DEFAULTS: &str = "book/src/defaults.md";
const LAZY_SERVER: &str = "patterns/src/lazy_pirate/server.rs";
const LAZY_PIRATE: &str = "book/src/lazy-pirate.md";
const QUEUE: &str = "patterns/src/paranoid_pirate/queue/task.rs";
const PARANOID_PIRATE: &str = "book/src/paranoid-pirate.md";
const HEARTBEATS: &str = "book/src/heartbeats.md";

/// The chapters with a contract, and how many lines it has at least.
const CONTRACTS: [(&str, usize); 4] = [
    ("book/src/majordomo.md", 20),
    (LAZY_PIRATE, 15),
    (PARANOID_PIRATE, 15),
    (HEARTBEATS, 15),
];

/// Where a type of counters is, and the chapter with its table.
const COUNTED: [[&str; 3]; 4] = [
    [
        "LazyPirateStats",
        "patterns/src/lazy_pirate/output.rs",
        LAZY_PIRATE,
    ],
    ["ServerStats", LAZY_SERVER, LAZY_PIRATE],
    [
        "QueueStats",
        "patterns/src/paranoid_pirate/queue/output.rs",
        PARANOID_PIRATE,
    ],
    [
        "HeartbeatStats",
        "patterns/src/heartbeat/stats.rs",
        HEARTBEATS,
    ],
];

#[test]
fn limits_are_as_the_pages_say() {
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
fn each_line_of_a_contract_has_its_test() {
    let mut tests = String::new();
    for directory in ["patterns/src", "patterns/tests", "tests"] {
        gather(&root().join("..").join(directory), &mut tests);
    }
    for (page, least) in CONTRACTS {
        let chapter = read(page);
        let contract = chapter.split_once("## The contract\n");
        let (_, contract) = contract.expect("the chapter has a contract");
        let contract = contract.split("\n## ").next().unwrap_or(contract);
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
        assert!(lines >= least, "the contract of {page} has its lines");
    }
}

#[test]
fn all_that_is_counted_is_told() {
    for [name, file, page] in COUNTED {
        let (code, chapter) = (read(file), read(page));
        let (_, fields) = code
            .split_once(&format!("pub struct {name} {{\n"))
            .expect("the type is there");
        let fields = fields.split("\n}").next().unwrap_or(fields);
        let fields: BTreeSet<_> = fields
            .lines()
            .filter_map(|line| line.trim().strip_prefix("pub ")?.split_once(':'))
            .map(|(field, _)| field)
            .collect();
        let (_, table) = chapter
            .split_once(&format!("| `{name}` | counts |\n"))
            .expect("the type has a table");
        let table = table.split("\n\n").next().unwrap_or(table);
        let told = table
            .lines()
            .filter_map(|row| row.strip_prefix("| ")?.split_once(" | "));
        let told = told.flat_map(|(names, _)| names.split(", "));
        let told: BTreeSet<_> = told.map(|name| name.trim_matches('`')).collect();
        // Those that are counted by reason have a method each.
        let told = told.into_iter().filter(|name| !name.ends_with(')'));
        assert_eq!(told.collect::<BTreeSet<_>>(), fields, "{name} in {page}");
    }
}

/// Heartbeats and retries in a plain DEALER worker: the same in the documentation and in the book, and no longer than that.
#[test]
fn a_worker_with_heartbeats_and_retries_takes_ten_lines() {
    let chapter = read(HEARTBEATS);
    let (_, code) = chapter
        .split_once("```rust\n")
        .expect("the chapter has code");
    let (code, _) = code.split_once("```").expect("a block has an end");
    let documentation = read("patterns/src/retry/mod.rs").replace("//! ", "");
    let documentation = documentation.replace("//!\n", "\n");
    assert!(documentation.contains(&format!("```\n{code}```")));
    let lines = code
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with("# "));
    assert!(lines.count() <= 10);
}

fn read(file: &str) -> String {
    fs::read_to_string(root().join("..").join(file)).expect("the file is there")
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
