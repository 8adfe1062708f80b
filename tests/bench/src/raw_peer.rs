//! Many idle connections, each a DEALER that knows just enough ZMTP 3.1 to be let in.
//!
//! It needs no library, so the other side is whichever ROUTER is measured, and costs this process little.
//!
//! ```text
//!  DEALER                                 ROUTER
//!    ── greeting, 64 octets ──────────────►      (RFC 37, Greeting; mechanism NULL)
//!    ◄────────────── greeting, 64 octets ──
//!    ── READY: Socket-Type, Identity ─────►      (RFC 37, NULL)
//!    ◄───────────────────────────── READY ──
//! ```

use std::process::ExitCode;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::command_line::Crowd;
use crate::processes::{end_with_parent, raise_file_limit};
use crate::sample::Report;
use crate::{Error, Result, runtime};

/// Handshakes under way at the same time, fewer than any library's backlog of connections.
const ABREAST: usize = 64;

/// How long a ROUTER may think about whom it has let in.
const SETTLING: Duration = Duration::from_millis(500);

/// Octets of a greeting.
const GREETING: usize = 64;

/// Bit of a frame's flags: the size has eight octets.
const LONG: u8 = 0x02;

/// Bit of a frame's flags: it is a command.
const COMMAND: u8 = 0x04;

/// Opens the connections, tells the parent, and holds them until this process is stopped.
pub(crate) fn run(crowd: &Crowd) -> ExitCode {
    let result = runtime::current_thread().and_then(|runtime| runtime.block_on(hold(crowd)));
    if let Err(error) = result {
        Report::Failure(error.to_string()).tell();
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

async fn hold(crowd: &Crowd) -> Result<()> {
    end_with_parent()?;
    raise_file_limit()?;
    let address = crowd.endpoint.trim_start_matches("tcp://");
    let mut open = Vec::with_capacity(crowd.count);
    let mut handshakes = JoinSet::new();
    for _ in 0..crowd.count {
        if handshakes.len() == ABREAST
            && let Some(peer) = handshakes.join_next().await
        {
            open.push(peer??);
        }
        handshakes.spawn(enter(address.to_owned()));
    }
    while let Some(peer) = handshakes.join_next().await {
        open.push(peer??);
    }
    tokio::time::sleep(SETTLING).await;
    let alive = open.iter().filter(|stream| is_open(stream)).count();
    Report::Opened(alive).tell();
    loop {
        tokio::time::sleep(Duration::from_secs(3600)).await;
    }
}

/// Whether the peer has not closed it; a heartbeat may have come.
fn is_open(stream: &TcpStream) -> bool {
    !matches!(stream.try_read(&mut [0; 64]), Ok(0))
}

/// Connects and shakes hands.
async fn enter(address: String) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(&greeting()).await?;
    let mut theirs = [0; GREETING];
    stream.read_exact(&mut theirs).await?;
    if theirs[0] != 0xFF || theirs[10] < 3 {
        return Err("the greeting is not ZMTP 3".into());
    }
    stream.write_all(&ready()).await?;
    let flags = stream.read_u8().await?;
    let size = if flags & LONG == 0 {
        u64::from(stream.read_u8().await?)
    } else {
        stream.read_u64().await?
    };
    let mut command = vec![0; usize::try_from(size.min(65_536))?];
    stream.read_exact(&mut command).await?;
    if flags & COMMAND == 0 || !command.starts_with(b"\x05READY") {
        return Err(Error::from("the peer did not answer READY"));
    }
    Ok(stream)
}

/// RFC 37, Greeting: signature, version 3.1, mechanism NULL, no server, filler.
fn greeting() -> [u8; GREETING] {
    let mut greeting = [0; GREETING];
    greeting[0] = 0xFF;
    greeting[8] = 0x01;
    greeting[9] = 0x7F;
    greeting[10] = 3;
    greeting[11] = 1;
    greeting[12..16].copy_from_slice(b"NULL");
    greeting
}

/// RFC 37, NULL: the command READY with its metadata, in a short frame.
fn ready() -> Vec<u8> {
    let mut body = b"\x05READY".to_vec();
    for (name, value) in [("Socket-Type", "DEALER"), ("Identity", "")] {
        body.push(name.len() as u8);
        body.extend_from_slice(name.as_bytes());
        body.extend_from_slice(&(value.len() as u32).to_be_bytes());
        body.extend_from_slice(value.as_bytes());
    }
    let mut frame = vec![COMMAND, body.len() as u8];
    frame.append(&mut body);
    frame
}
