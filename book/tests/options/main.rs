//! The tables of options agree with the documentation of the options, with their values, and with libzmq's names.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

mod documentation;
mod zeromq;

use std::collections::BTreeMap;

use documentation::{Options, cells, documented, fact, field, listed, plain, source};
use privateer::core::SocketOptions;
use privateer::heartbeat::HeartbeatOptions;
use privateer::lazy_pirate::LazyPirateOptions;
use privateer::majordomo::broker::{BrokerOptions, ServiceOptions};
use privateer::majordomo::client::{CallOptions, ClientOptions};
use privateer::majordomo::worker::WorkerOptions;
use privateer::paranoid_pirate::QueueOptions;
use privateer::retry::RetryPolicy;
use privateer_book::root;

const SOCKETS: &str = include_str!("../../src/options.md");
const MAJORDOMO: &str = include_str!("../../src/defaults.md");
const LAZY_PIRATE: &str = include_str!("../../src/lazy-pirate.md");
const PARANOID_PIRATE: &str = include_str!("../../src/paranoid-pirate.md");
const HEARTBEATS: &str = include_str!("../../src/heartbeats.md");

/// Each option of sockets has a page with the same list, and a row.
#[test]
fn socket_options_are_as_documented() {
    let value = format!("{:?}", SocketOptions::default())
        // Four options share two fields.
        .replace("send: Limits { messages: ", "send: Limits { send_hwm: ")
        .replace("recv: Limits { messages: ", "recv: Limits { recv_hwm: ")
        .replacen(" bytes: ", " send_byte_budget: ", 1)
        .replacen(" bytes: ", " recv_byte_budget: ", 1)
        .replace(" properties: ", " property: ");
    let options = documented(
        &source(&root().join("../core/src/options")),
        "SocketOptions",
    );
    for (option, told) in &options {
        for item in ["default", "applies to", "takes effect", "libzmq"] {
            assert!(
                told.contains_key(item),
                "the page of SocketOptions::{option} does not tell: {item}"
            );
        }
        let is_switch = ["false", "true"].contains(&plain(fact(told, "default")).as_str());
        let is_handle = HANDLES.contains(&option.as_str());
        assert!(
            is_switch || is_handle || told.contains_key("range"),
            "the page of SocketOptions::{option} does not tell its range"
        );
    }
    check("SocketOptions", &options, &listed(SOCKETS), &value);
}

/// Every option of libzmq is somewhere in that chapter, once: as an option here, as something else, or as what is not
/// here.
#[test]
fn each_option_of_libzmq_is_accounted_for() {
    let mut places: BTreeMap<&str, usize> = zeromq::NAMES
        .split_whitespace()
        .map(|name| (name, 0))
        .collect();
    let rows = SOCKETS.lines().filter(|line| cells(line).is_some());
    for name in rows.flat_map(|row| row.split('`')) {
        if let Some(name) = name.strip_prefix("ZMQ_") {
            let count = places.get_mut(name);
            *count.unwrap_or_else(|| panic!("libzmq has no option ZMQ_{name}")) += 1;
        }
    }
    for (name, count) in places {
        assert_eq!(count, 1, "the rows that tell of ZMQ_{name}");
    }
}

#[test]
fn broker_options_are_as_documented() {
    let file = "patterns/src/majordomo/broker/options.rs";
    let value = format!("{:?}", BrokerOptions::default());
    let value = value.replace(" interval: ", " heartbeat_interval: ");
    check_pattern(MAJORDOMO, "BrokerOptions", file, &value);
    let value = format!("{:?}", ServiceOptions::default());
    check_pattern(MAJORDOMO, "ServiceOptions", file, &value);
}

#[test]
fn worker_options_are_as_documented() {
    let value = format!("{:?}", WorkerOptions::default());
    // This option has two values, of which the first is compared.
    let value = value.replace(" first_delay: ", " reconnect_delay: ");
    let value = value.replace(" interval: ", " heartbeat_interval: ");
    let file = "patterns/src/majordomo/worker/options.rs";
    check_pattern(MAJORDOMO, "WorkerOptions", file, &value);
}

#[test]
fn client_options_are_as_documented() {
    let file = "patterns/src/majordomo/client/options.rs";
    let value = format!("{:?}", ClientOptions::default());
    let value = value.replace(" budget: (10, 10)", " budget: 10 percent");
    check_pattern(MAJORDOMO, "ClientOptions", file, &value);
    let value = format!("{:?}", CallOptions::default());
    check_pattern(MAJORDOMO, "CallOptions", file, &value);
}

#[test]
fn lazy_pirate_options_are_as_documented() {
    let value = format!("{:?}", LazyPirateOptions::default())
        // The policy of its retries holds two options, and has a limit of its own.
        .replace(" attempts: ", " tries: ")
        .replace(" first_delay: ", " backoff: ")
        .replacen(" within: None", "", 1)
        // What no limit stands for.
        .replace(" within: None", " within: tries × timeout")
        .replace(" budget: (10, 10)", " budget: 10 percent");
    let file = "patterns/src/lazy_pirate/options.rs";
    check_pattern(LAZY_PIRATE, "LazyPirateOptions", file, &value);
}

#[test]
fn queue_options_are_as_documented() {
    let value = format!("{:?}", QueueOptions::default());
    let value = value.replace(" interval: ", " heartbeat_interval: ");
    let file = "patterns/src/paranoid_pirate/queue/options.rs";
    check_pattern(PARANOID_PIRATE, "QueueOptions", file, &value);
}

#[test]
fn heartbeat_options_and_retry_policies_are_as_documented() {
    let value = format!("{:?}", HeartbeatOptions::default());
    let value = value.replace(r#"Message(One("\x02"))"#, "02");
    let file = "patterns/src/heartbeat/options.rs";
    check_pattern(HEARTBEATS, "HeartbeatOptions", file, &value);
    let value = format!("{:?}", RetryPolicy::default())
        .replace(" first_delay: ", " backoff: ")
        .replace(" jitter: ", " jitter: Jitter::");
    let file = "patterns/src/retry/policy.rs";
    check_pattern(HEARTBEATS, "RetryPolicy", file, &value);
}

/// As [`check`], for a type of the patterns, whose table stands on its page under a heading of its own.
fn check_pattern(page: &str, name: &str, file: &str, value: &str) {
    let mut options = documented(&source(&root().join("..").join(file)), name);
    options.retain(|_method, told| told.contains_key("default"));
    let heading = format!("`{name}`\n\n");
    let (_, rest) = page.split_once(&heading).expect("the type has a heading");
    let table = rest.split("\n#").next().expect("a text has a beginning");
    check(name, &options, &listed(table), value);
}

/// Their values have no text, or are there only with a feature.
const HANDLES: [&str; 3] = ["context", "metrics", "runtime"];

/// Compares the documentation of the options of a type with the tables, and both with `value`, its default printed.
fn check(name: &str, documented: &Options, listed: &Options, value: &str) {
    let names = |options: &Options| options.keys().cloned().collect::<Vec<_>>();
    assert!(!documented.is_empty(), "no options of {name} found");
    assert_eq!(names(documented), names(listed), "the options of {name}");
    for (option, told) in documented {
        for (column, cell) in &listed[option] {
            if column != "why" {
                assert_eq!(
                    fact(told, column),
                    cell,
                    "{column} of {name}::{option}, documentation and table"
                );
            }
        }
        if !HANDLES.contains(&option.as_str()) {
            let actual = field(value, option).expect("an option has a field of its name");
            assert_eq!(
                plain(fact(told, "default")),
                plain(actual),
                "the value of {name}::{option}"
            );
        }
    }
}
