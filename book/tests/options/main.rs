//! The tables of options agree with the documentation of the options, with their values, and with libzmq's names.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

mod documentation;
mod zeromq;

use std::collections::BTreeMap;

use documentation::{Options, cells, documented, fact, field, listed, plain, source};
use privateer::core::SocketOptions;
use privateer::majordomo::broker::{BrokerOptions, ServiceOptions};
use privateer::majordomo::client::{CallOptions, ClientOptions};
use privateer::majordomo::worker::WorkerOptions;
use privateer_book::root;

const SOCKETS: &str = include_str!("../../src/options.md");
const PATTERNS: &str = include_str!("../../src/defaults.md");

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
    check_pattern("BrokerOptions", file, &value);
    check_pattern(
        "ServiceOptions",
        file,
        &format!("{:?}", ServiceOptions::default()),
    );
}

#[test]
fn worker_options_are_as_documented() {
    let value = format!("{:?}", WorkerOptions::default());
    // This option has two values, of which the first is compared.
    let value = value.replace(" first_delay: ", " reconnect_delay: ");
    let value = value.replace(" interval: ", " heartbeat_interval: ");
    check_pattern(
        "WorkerOptions",
        "patterns/src/majordomo/worker/options.rs",
        &value,
    );
}

#[test]
fn client_options_are_as_documented() {
    let file = "patterns/src/majordomo/client/options.rs";
    check_pattern(
        "ClientOptions",
        file,
        &format!("{:?}", ClientOptions::default()),
    );
    check_pattern(
        "CallOptions",
        file,
        &format!("{:?}", CallOptions::default()),
    );
}

/// As [`check`], for a type of the patterns, whose tables stand under headings of their own.
fn check_pattern(name: &str, file: &str, value: &str) {
    let mut options = documented(&source(&root().join("..").join(file)), name);
    options.retain(|_method, told| told.contains_key("default"));
    let heading = format!("`{name}`\n\n");
    let (_, rest) = PATTERNS
        .split_once(&heading)
        .expect("the type has a heading");
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
