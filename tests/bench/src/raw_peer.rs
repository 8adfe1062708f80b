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

/// Bit of a frame's flags: another frame of the same message follows.
const MORE: u8 = 0x01;

/// Bit of a frame's flags: the size has eight octets.
const LONG: u8 = 0x02;

/// Bit of a frame's flags: it is a command.
const COMMAND: u8 = 0x04;

/// RFC 37, SUBSCRIBE to everything, in a short frame.
pub(crate) const SUBSCRIBE_ALL: &[u8] = b"\x04\x0A\x09SUBSCRIBE";

/// A Paranoid Pirate worker's READY (RFC 6), in a short frame.
pub(crate) const PIRATE_READY: &[u8] = b"\x00\x01\x01";

/// A Paranoid Pirate's HEARTBEAT (RFC 6), in a short frame.
pub(crate) const PIRATE_HEARTBEAT: &[u8] = b"\x00\x01\x02";

/// RFC 37, the name of the command PING with the size of that name.
const PING: &[u8] = b"\x04PING";

/// Octets of a PING before its context: name and time to live.
const PING_HEAD: usize = 7;

/// What a peer said.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Said<'a> {
    /// A message of so many frames.
    Message(usize),
    /// A PING with this context, which wants a PONG.
    Ping(&'a [u8]),
    /// Another command.
    Other,
}

/// What stands first in what was read, and how many octets it takes; nothing if it is not complete yet.
pub(crate) fn first(read: &[u8]) -> Option<(Said<'_>, usize)> {
    let (mut frames, mut end) = (0, 0);
    loop {
        let (flags, body) = frame(read.get(end..)?)?;
        let (start, size) = body;
        let body = read.get(end + start..end + start + size)?;
        end += start + size;
        if flags & COMMAND != 0 {
            let said = match body.starts_with(PING) {
                true => Said::Ping(body.get(PING_HEAD..).unwrap_or_default()),
                false => Said::Other,
            };
            return Some((said, end));
        }
        frames += 1;
        if flags & MORE == 0 {
            return Some((Said::Message(frames), end));
        }
    }
}

/// The flags of the first frame, where its body starts, and how many octets that has.
fn frame(read: &[u8]) -> Option<(u8, (usize, usize))> {
    let flags = *read.first()?;
    if flags & LONG == 0 {
        return Some((flags, (2, usize::from(*read.get(1)?))));
    }
    let size = u64::from_be_bytes(read.get(1..9)?.try_into().ok()?);
    Some((flags, (9, usize::try_from(size).ok()?)))
}

/// RFC 37, the command PONG, in a short frame.
pub(crate) fn pong(context: &[u8]) -> Vec<u8> {
    let size = 5 + context.len().min(16) as u8;
    [&[COMMAND, size], b"\x04PONG".as_slice(), context].concat()
}

/// A message as a REQ sends it, an empty frame and a body of so many octets, in short frames.
pub(crate) fn request(size: u8) -> Vec<u8> {
    let mut message = vec![MORE, 0];
    message.extend(self::message(size));
    message
}

/// A message of one body without content, in one short frame, of this many octets in all.
pub(crate) fn message(size: u8) -> Vec<u8> {
    let mut frame = vec![0, size];
    frame.resize(2 + usize::from(size), 0);
    frame
}

/// Connects and shakes hands.
pub(crate) async fn enter(address: String, socket_type: &'static str) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(address).await?;
    shake_hands(&mut stream, socket_type).await?;
    Ok(stream)
}

/// Shakes hands, which both sides do alike.
pub(crate) async fn shake_hands(stream: &mut TcpStream, socket_type: &str) -> Result<()> {
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
    Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_is_read_one_by_one() {
        let mut read = [PIRATE_HEARTBEAT, b"\x04\x08\x04PING\x00\x00x"].concat();
        read.extend(request(3));
        assert_eq!(first(&read), Some((Said::Message(1), 3)));
        assert_eq!(first(&read[3..]), Some((Said::Ping(b"x"), 10)));
        assert_eq!(first(&read[13..]), Some((Said::Message(2), 7)));
        for end in 13..read.len() {
            assert_eq!(first(&read[13..end]), None);
        }
        assert_eq!(pong(b"x"), b"\x04\x06\x04PONGx");
    }
}
