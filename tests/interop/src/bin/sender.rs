//! Sends the numbers from 0 as messages of a PUSH, closes it, prints how many were not sent, and ends at once.
//!
//! `privateer-interop-sender ENDPOINT MESSAGES`

use std::error::Error;
use std::io::Write as _;
use std::time::Duration;

use privateer_core::{Linger, PushSocket};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let endpoint = arguments.next().ok_or("where to send to is missing")?;
    let messages: u64 = arguments.next().ok_or("how many is missing")?.parse()?;
    let push = PushSocket::new()?;
    push.connect(&*endpoint)?;
    for number in 0..messages {
        push.send(number.to_string()).await?;
    }
    let report = push.close_with(Linger::For(Duration::from_secs(60))).await;
    writeln!(std::io::stdout(), "{}", report.unsent)?;
    Ok(())
}
