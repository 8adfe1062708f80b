//! A connection that knows just enough ZMTP 3.1 to be let in.
//!
//! It needs no library, so the other side is whichever library is measured, and costs this process little.
//!
//! ```text
//!  DEALER or SUB                    ROUTER or PUB
//!    ── greeting, 64 octets ──────────────►      (RFC 37, Greeting; mechanism NULL)
//!    ◄────────────── greeting, 64 octets ──
//!    ── READY: Socket-Type, Identity ─────►      (RFC 37, NULL)
//!    ◄───────────────────────────── READY ──
//! ```

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::{Error, Result};

/// Octets of a greeting.
const GREETING: usize = 64;

/// Bit of a frame's flags: the size has eight octets.
const LONG: u8 = 0x02;

/// Bit of a frame's flags: it is a command.
const COMMAND: u8 = 0x04;

/// RFC 37, SUBSCRIBE to everything, in a short frame.
pub(crate) const SUBSCRIBE_ALL: &[u8] = b"\x04\x0A\x09SUBSCRIBE";

/// A message of one body without content, in one short frame, of this many octets in all.
pub(crate) fn message(size: u8) -> Vec<u8> {
    let mut frame = vec![0, size];
    frame.resize(2 + usize::from(size), 0);
    frame
}

/// Connects and shakes hands.
pub(crate) async fn enter(address: String, socket_type: &'static str) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(&greeting()).await?;
    let mut theirs = [0; GREETING];
    stream.read_exact(&mut theirs).await?;
    if theirs[0] != 0xFF || theirs[10] < 3 {
        return Err("the greeting is not ZMTP 3".into());
    }
    stream.write_all(&ready(socket_type)).await?;
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
fn ready(socket_type: &str) -> Vec<u8> {
    let mut body = b"\x05READY".to_vec();
    for (name, value) in [("Socket-Type", socket_type), ("Identity", "")] {
        body.push(name.len() as u8);
        body.extend_from_slice(name.as_bytes());
        body.extend_from_slice(&(value.len() as u32).to_be_bytes());
        body.extend_from_slice(value.as_bytes());
    }
    let mut frame = vec![COMMAND, body.len() as u8];
    frame.append(&mut body);
    frame
}
