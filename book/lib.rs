//! The book: `cargo run -p privateer-book` builds it into `target/book`.
//!
//! The Rust in its chapters, and in the README at the top, is compiled and run as documentation tests of this crate.

use std::error::Error;
use std::path::{Path, PathBuf};

use mdbook_driver::MDBook;

/// Makes the chapters, and the README at the top, documentation tests.
macro_rules! pages {
    ($($name:ident: $path:literal,)*) => {
        $(
            #[cfg(doctest)]
            #[doc = include_str!($path)]
            mod $name {}
        )*
    };
}

pages! {
    readme: "../README.md",
    introduction: "src/introduction.md",
    quickstart: "src/quickstart.md",
    hello: "src/hello.md",
    news: "src/news.md",
    work: "src/work.md",
    brokers: "src/brokers.md",
    reliability: "src/reliability.md",
    lazy_pirate: "src/lazy-pirate.md",
    paranoid_pirate: "src/paranoid-pirate.md",
    majordomo: "src/majordomo.md",
    heartbeats: "src/heartbeats.md",
    libzmq: "src/libzmq.md",
    options: "src/options.md",
    defaults: "src/defaults.md",
    architecture: "src/architecture.md",
}

/// Where the book's sources are.
#[must_use]
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Builds the book into a directory, whose contents it replaces, and returns its first page.
///
/// # Errors
/// If the sources cannot be read or the pages not be written; the text tells which.
pub fn build(into: &Path) -> Result<PathBuf, Box<dyn Error + Send + Sync>> {
    let mut book = MDBook::load(root())?;
    book.config.build.build_dir = std::path::absolute(into)?;
    book.build()?;
    Ok(into.join("index.html"))
}

/// The directory for what is built: cargo's own.
#[must_use]
pub fn output_directory() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| root().join("../target"), PathBuf::from);
    target.join("book")
}
