//! The book can be built, and its pages keep the rules of the book.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use privateer_book::{build, output_directory, root};

#[test]
fn the_book_is_built_with_all_includes_resolved() {
    let first = build(&output_directory()).expect("the book can be built");
    assert!(first.is_file());
    for chapter in chapters() {
        let page = output_directory().join(chapter).with_extension("html");
        // An include that fails is left in the text.
        assert!(
            !read(&page).contains("{{#"),
            "an include of {} failed",
            page.display()
        );
    }
}

#[test]
fn each_chapter_is_in_the_summary_and_among_the_documentation_tests() {
    let listed: BTreeSet<_> = chapters().into_iter().collect();
    let files = fs::read_dir(root().join("src")).expect("there are chapters");
    let name = |file: fs::DirEntry| file.file_name().into_string().expect("UTF-8");
    let names = files.map(|file| name(file.expect("it can be read")));
    let written: BTreeSet<_> = names.filter(|name| name != "SUMMARY.md").collect();
    assert_eq!(listed, written);
    let tested = read(&root().join("lib.rs"));
    for chapter in written {
        let is_tested = tested.contains(&format!("\"src/{chapter}\""));
        assert!(is_tested, "{chapter} is not in lib.rs");
    }
}

/// Rust is tested as it stands, or is a file of examples/, which cargo builds.
#[test]
fn no_line_of_rust_is_untested() {
    for (page, text) in pages() {
        for (language, block) in code_blocks(&text) {
            let is_include = |line: &str| line.starts_with("{{#include ../../examples/");
            match language.as_str() {
                "rust" | "rust,no_run" => assert!(!block.contains("{{#"), "in {page}: {block}"),
                "rs" => assert!(block.lines().all(is_include), "in {page}: {block}"),
                // labs.rs runs those of sh.
                "text" | "console" | "toml" | "json" | "sh" => {}
                other => panic!("{page} has a block of {other:?}: {block}"),
            }
        }
    }
}

/// By anchor or as a whole file, since line numbers move.
#[test]
fn code_is_included_by_anchor() {
    for (page, text) in pages() {
        for include in text.split("{{#include ").skip(1) {
            let (path, _) = include.split_once("}}").expect("an include has an end");
            let (file, anchor) = path.split_once(':').unwrap_or((path, ""));
            let code = read(&root().join("src").join(file));
            let is_there = anchor.is_empty() || code.contains(&format!("ANCHOR: {anchor}\n"));
            assert!(is_there, "{page} includes {path}");
        }
    }
}

#[test]
fn links_lead_to_files_that_are_there() {
    let readme = "../README.md".to_owned();
    let text = read(&root().join(&readme));
    for (page, text) in pages().into_iter().chain([(readme, text)]) {
        let page = root().join(page);
        let directory = page.parent().expect("a file has a directory");
        for link in links(&text) {
            let (file, _) = link.split_once('#').unwrap_or((link, ""));
            assert!(
                directory.join(file).exists(),
                "{} links to {link}",
                page.display()
            );
        }
    }
}

/// The files of the chapters, as the summary lists them.
fn chapters() -> Vec<String> {
    let summary = read(&root().join("src/SUMMARY.md"));
    links(&summary).into_iter().map(str::to_owned).collect()
}

/// Each chapter with its path from the book's root.
fn pages() -> Vec<(String, String)> {
    let pages = chapters().into_iter().map(|name| format!("src/{name}"));
    pages
        .map(|page| (page.clone(), read(&root().join(page))))
        .collect()
}

/// Where links lead that go neither to the network nor to a place in the page.
fn links(text: &str) -> Vec<&str> {
    let targets = text
        .split("](")
        .skip(1)
        .filter_map(|rest| Some(rest.split_once(')')?.0));
    targets
        .filter(|link| !link.starts_with("https:") && !link.starts_with('#'))
        .collect()
}

/// The fenced blocks of a page with their languages.
fn code_blocks(text: &str) -> Vec<(String, String)> {
    let mut blocks = Vec::new();
    let mut parts = text.split("\n```").skip(1);
    while let (Some(block), Some(_between)) = (parts.next(), parts.next()) {
        let (language, code) = block.split_once('\n').unwrap_or((block, ""));
        blocks.push((language.to_owned(), code.to_owned()));
    }
    blocks
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
