//! Builds the book into `target/book` and prints where its first page is.

use std::error::Error;

fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let first = privateer_book::build(&privateer_book::output_directory())?;
    println!("{}", first.canonicalize()?.display());
    Ok(())
}
