//! The tables of the chapter on defaults agree with the documentation of the options and with their values.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use privateer::core::SocketOptions;
use privateer::majordomo::broker::{BrokerOptions, ServiceOptions};
use privateer::majordomo::client::{CallOptions, ClientOptions};
use privateer::majordomo::worker::WorkerOptions;
use privateer_book::root;

/// What a table or the documentation tells of one option; a dash where it tells nothing.
#[derive(Debug, PartialEq, Eq)]
struct Told {
    unit: String,
    default: String,
    libzmq: String,
}

type Options = BTreeMap<String, Told>;

const NOTHING: &str = "–";

#[test]
fn socket_options_are_as_documented() {
    let value = format!("{:?}", SocketOptions::default())
        // Four options share two fields.
        .replace("send: Limits { messages: ", "send: Limits { send_hwm: ")
        .replace("recv: Limits { messages: ", "recv: Limits { recv_hwm: ")
        .replacen(" bytes: ", " send_byte_budget: ", 1)
        .replacen(" bytes: ", " recv_byte_budget: ", 1)
        .replace(" properties: ", " property: ");
    check("SocketOptions", "core/src/options", &value);
}

#[test]
fn broker_options_are_as_documented() {
    let file = "patterns/src/majordomo/broker/options.rs";
    check(
        "BrokerOptions",
        file,
        &format!("{:?}", BrokerOptions::default()),
    );
    check(
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
    check(
        "WorkerOptions",
        "patterns/src/majordomo/worker/options.rs",
        &value,
    );
}

#[test]
fn client_options_are_as_documented() {
    let file = "patterns/src/majordomo/client/options.rs";
    check(
        "ClientOptions",
        file,
        &format!("{:?}", ClientOptions::default()),
    );
    check(
        "CallOptions",
        file,
        &format!("{:?}", CallOptions::default()),
    );
}

/// Compares the table of a type with the documentation of its setters, and both with `value`, its default printed.
/// `file` may be a folder of files.
fn check(name: &str, file: &str, value: &str) {
    /// Their values are handles, which have no text.
    const HANDLES: [&str; 2] = ["context", "runtime"];
    let source = source(&root().join("..").join(file));
    let documented = documented(&source, name);
    let listed = listed(include_str!("../src/defaults.md"), name);
    let names = |options: &Options| options.keys().cloned().collect::<Vec<_>>();
    assert!(
        !documented.is_empty(),
        "no options of {name} found in {file}"
    );
    assert_eq!(names(&documented), names(&listed), "the options of {name}");
    for (option, docs) in &documented {
        assert_eq!(
            docs, &listed[option],
            "documentation and table of {name}::{option}"
        );
        if !HANDLES.contains(&option.as_str()) {
            let actual = field(value, option).expect("an option has a field of its name");
            assert_eq!(
                plain(&docs.default),
                plain(actual),
                "the value of {name}::{option}"
            );
        }
    }
}

/// The text of a file, or of all files of a folder.
fn source(path: &Path) -> String {
    if path.is_file() {
        return fs::read_to_string(path).expect("the source is there");
    }
    let files = fs::read_dir(path).expect("the sources are there");
    let paths = files.map(|file| file.expect("it can be read").path());
    paths.map(|path| source(&path)).collect()
}

/// The setters of each `impl name` whose documentation tells a default.
fn documented(source: &str, name: &str) -> Options {
    let start = format!("\nimpl {name} {{");
    let impls = source.split(&start).skip(1);
    let body: String = impls
        .filter_map(|rest| rest.split("\n}\n").next())
        .collect();
    let mut options = Options::new();
    let mut items: Vec<String> = Vec::new();
    for line in body.lines().map(str::trim) {
        if let Some(text) = line.strip_prefix("///") {
            match (text.trim_start().strip_prefix("- "), items.last_mut()) {
                (Some(item), _) => items.extend(item.split("    - ").map(str::to_owned)),
                // An empty line is the end of the list.
                (None, Some(_)) if text.is_empty() => items.push(String::new()),
                (None, Some(item)) => item.push_str(text),
                (None, None) => {}
            }
        } else if let Some((_, signature)) = line.split_once("fn ") {
            let told = |key: &str| items.iter().find_map(|item| item.strip_prefix(key));
            if let (Some(default), Some((setter, _))) =
                (told("Default: "), signature.split_once('('))
            {
                let unit = told("Unit: ").unwrap_or(NOTHING);
                let unit = before_reason(unit).to_owned();
                let libzmq = told("libzmq: ").unwrap_or(NOTHING).to_owned();
                let default = before_reason(default).to_owned();
                options.insert(
                    setter.to_owned(),
                    Told {
                        unit,
                        default,
                        libzmq,
                    },
                );
            }
            items.clear();
        }
    }
    options
}

/// The table under the heading of this name: option, unit, default, libzmq's name where the type has one, why.
fn listed(chapter: &str, name: &str) -> Options {
    let start = chapter
        .find(&format!("`{name}`\n\n"))
        .expect("the type has a heading");
    let lines = chapter[start..]
        .lines()
        .skip_while(|line| !line.starts_with('|'));
    let rows = lines.take_while(|line| line.starts_with('|')).skip(2);
    let option = |row: &str| {
        let cells: Vec<_> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        let (option, unit, default, libzmq) = match cells[..] {
            [option, unit, default, libzmq, _why] => (option, unit, default, libzmq),
            [option, unit, default, _why] => (option, unit, default, NOTHING),
            _ => panic!("a row of {name} has another number of cells: {row}"),
        };
        let [unit, default, libzmq] = [unit, default, libzmq].map(str::to_owned);
        (
            option.trim_matches('`').to_owned(),
            Told {
                unit,
                default,
                libzmq,
            },
        )
    };
    rows.map(option).collect()
}

/// The fact itself, without what a semicolon or a comma sets off; a comma before a digit belongs to a number.
fn before_reason(fact: &str) -> &str {
    let is_end = |at: &usize| !fact[at + 1..].starts_with(|next: char| next.is_ascii_digit());
    let end = fact
        .match_indices([';', ','])
        .map(|(at, _)| at)
        .find(is_end);
    &fact[..end.unwrap_or(fact.len())]
}

/// The value of a field in what `Debug` prints of a struct.
fn field<'a>(value: &'a str, name: &str) -> Option<&'a str> {
    let key = format!(" {name}: ");
    let rest = &value[value.find(&key)? + key.len()..];
    let mut depth = 0;
    let end = rest.find(|next: char| {
        depth += i32::from("([{".contains(next)) - i32::from(")]}".contains(next));
        depth < 0 || (depth == 0 && next == ',')
    });
    Some(rest[..end.unwrap_or(rest.len())].trim())
}

/// A default in words, or as `Debug` prints it, in one form.
fn plain(default: &str) -> String {
    let wrapped = |open: &str| default.strip_prefix(open)?.strip_suffix(')');
    let inner = wrapped("Some(")
        .or_else(|| wrapped("For("))
        .unwrap_or(default);
    let text = inner
        .to_lowercase()
        .replace("one second", "1s")
        .replace("seconds", "s");
    let text = text.replace(['`', ',', ' '], "");
    let mebibytes = text
        .strip_suffix("mib")
        .and_then(|number| number.parse::<u64>().ok());
    match (text.as_str(), mebibytes) {
        (_, Some(mebibytes)) => (mebibytes << 20).to_string(),
        ("off", _) => "false".to_owned(),
        ("on", _) => "true".to_owned(),
        ("[]" | "{}", _) => "none".to_owned(),
        _ => text,
    }
}
