//! What the documentation of options says, and what the tables of the book say.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// What is told of one option: by the heading of a column, or by the first words of an item. What is not told is a dash.
pub(crate) type Told = BTreeMap<String, String>;

/// What is told of each option of one type.
pub(crate) type Options = BTreeMap<String, Told>;

const NOTHING: &str = "–";

/// The text of a file, or of all files of a folder.
pub(crate) fn source(path: &Path) -> String {
    if path.is_file() {
        return fs::read_to_string(path).expect("the source is there");
    }
    let files = fs::read_dir(path).expect("the sources are there");
    let paths = files.map(|file| file.expect("it can be read").path());
    paths.map(|path| source(&path)).collect()
}

/// The public methods of each `impl name` but `new`, and the items of the list in their documentation.
pub(crate) fn documented(source: &str, name: &str) -> Options {
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
                (None, Some(item)) => *item = format!("{item} {}", text.trim_start()),
                (None, None) => {}
            }
        } else if let Some((_, signature)) = line.split_once("pub ") {
            let setter = signature
                .trim_start_matches("const ")
                .strip_prefix("fn ")
                .and_then(|rest| rest.split_once('('));
            if let Some((setter, _)) = setter.filter(|(setter, _)| *setter != "new") {
                let split = items.iter().filter_map(|item| item.split_once(": "));
                let told = split.map(|(key, fact)| (key.to_lowercase(), fact.to_owned()));
                options.insert(setter.to_owned(), told.collect());
            }
            items.clear();
        }
    }
    options
}

/// All tables of a text whose first column is called `option`.
pub(crate) fn listed(text: &str) -> Options {
    let mut options = Options::new();
    let mut columns: Vec<String> = Vec::new();
    for line in text.lines() {
        let Some(cells) = cells(line) else {
            columns.clear();
            continue;
        };
        if columns.is_empty() {
            columns = cells;
        } else if columns[0] == "option" && !cells[0].starts_with("---") {
            assert_eq!(cells.len(), columns.len(), "the cells of {line}");
            let option = cells[0].trim_matches('`').to_owned();
            let told = columns.iter().cloned().zip(cells).skip(1).collect();
            assert!(
                options.insert(option, told).is_none(),
                "an option that is listed twice: {line}"
            );
        }
    }
    options
}

/// The cells of a table's row.
pub(crate) fn cells(line: &str) -> Option<Vec<String>> {
    let row = line.strip_prefix('|')?.strip_suffix('|')?;
    Some(row.split('|').map(|cell| cell.trim().to_owned()).collect())
}

/// What the documentation tells under a heading, as a table would have it: without reasons and exceptions, which follow a
/// semicolon or, in two columns, a comma.
pub(crate) fn fact<'a>(told: &'a Told, column: &str) -> &'a str {
    let fact = told.get(column).map_or(NOTHING, String::as_str);
    match column {
        "unit" | "default" => before_reason(fact),
        "libzmq" => fact,
        _ => fact.split(';').next().unwrap_or(fact),
    }
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
pub(crate) fn field<'a>(value: &'a str, name: &str) -> Option<&'a str> {
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
pub(crate) fn plain(default: &str) -> String {
    let wrapped = |open: &str| default.strip_prefix(open)?.strip_suffix(')');
    let inner = wrapped("Some(")
        .or_else(|| wrapped("For("))
        .unwrap_or(default);
    let text = inner
        .to_lowercase()
        .replace("one second", "1s")
        .replace("seconds", "s")
        .replace("second", "s");
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
