//! The client of a queue: one connection with many requests under way, which counts replies and reads the queue's clock.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::Result;
use crate::child::peer_from_parent;
use crate::command_line::Role;
use crate::meter::Meter;
use crate::raw_peer::{Said, enter, first, pong, request};
use crate::sample::{Metric, Report, Sample};

/// Requests under way.
const IN_FLIGHT: usize = 100;

/// What passes before anything is counted.
const WARM_UP: Duration = Duration::from_millis(300);

/// Replies between two looks at the clock, at least.
const BATCH: usize = 200;

/// Asks, and measures what the queue needs for it.
pub(super) async fn ask(role: &Role) -> Result<()> {
    let queue = Meter::of(peer_from_parent()?)?;
    let mut client = Client::connect(role).await?;
    let start = Instant::now();
    while start.elapsed() < WARM_UP {
        client.ask(BATCH).await?;
    }
    let (first, mut replies) = (queue.read()?, 0);
    while first.at.elapsed() < role.seconds {
        replies += client.ask(BATCH).await?;
    }
    let interval = queue.read()?.since(first);
    let replies = replies as f64;
    Report::Sample(Sample::from([
        (Metric::MessagesPerSecond, replies / interval.seconds),
        (Metric::CpuNanosPerMessage, interval.cpu * 1e9 / replies),
        (Metric::OthersPercent, interval.others * 100.0),
    ]))
    .tell();
    std::process::exit(0)
}

/// A DEALER that speaks as a REQ does, many times at once.
struct Client {
    stream: TcpStream,
    request: Vec<u8>,
    input: Vec<u8>,
}

impl Client {
    /// Connects, and sends the first requests.
    async fn connect(role: &Role) -> Result<Self> {
        let address = role.endpoint.trim_start_matches("tcp://").to_owned();
        let mut stream = enter(address, "DEALER").await?;
        stream.set_nodelay(true)?;
        let request = request(u8::try_from(role.size)?);
        stream.write_all(&request.repeat(IN_FLIGHT)).await?;
        Ok(Self {
            stream,
            request,
            input: Vec::new(),
        })
    }

    /// Takes at least so many replies, and asks again for each; returns how many came.
    async fn ask(&mut self, at_least: usize) -> Result<usize> {
        let mut replies = 0;
        while replies < at_least {
            if self.stream.read_buf(&mut self.input).await? == 0 {
                return Err("the queue has closed the connection".into());
            }
            let (read, output) = self.take()?;
            self.stream.write_all(&output).await?;
            replies += read;
        }
        Ok(replies)
    }

    /// Takes the replies that are complete; returns how many, and what to send next.
    fn take(&mut self) -> Result<(usize, Vec<u8>)> {
        let (mut replies, mut done, mut output) = (0, 0, Vec::new());
        while let Some((said, size)) = first(self.input.get(done..).unwrap_or_default()) {
            match said {
                Said::Message(_) if size != self.request.len() => {
                    return Err("a reply of another size than the request".into());
                }
                Said::Message(_) => {
                    replies += 1;
                    output.extend_from_slice(&self.request);
                }
                Said::Ping(context) => output.extend(pong(context)),
                Said::Other => {}
            }
            done += size;
        }
        self.input.drain(..done);
        Ok((replies, output))
    }
}
