//! The same as [`super::plain`] with blocking calls: what Tokio itself costs is the difference.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};

use crate::Result;
use crate::implementations::Socket;
use crate::implementations::tally::{PIECE, Tally};
use crate::work::SocketKind;

/// A blocking stream that counts messages.
pub(crate) struct PlainBlocking {
    state: State,
    buffer: Vec<u8>,
    tally: Tally,
}

enum State {
    Tcp(TcpListener),
    Unix(UnixListener),
    Open(Box<dyn Stream>),
}

/// What TCP and Unix streams have in common.
trait Stream: Read + Write + Send {}

impl<S: Read + Write + Send> Stream for S {}

impl Socket for PlainBlocking {
    async fn bind(kind: SocketKind, endpoint: &str, size: usize) -> Result<(Self, String)> {
        if let Some(path) = endpoint.strip_prefix("ipc://") {
            let state = State::Unix(UnixListener::bind(path)?);
            return Ok((Self::new(state, kind, size), endpoint.to_owned()));
        }
        let listener = TcpListener::bind(endpoint.trim_start_matches("tcp://"))?;
        let bound = format!("tcp://{}", listener.local_addr()?);
        Ok((Self::new(State::Tcp(listener), kind, size), bound))
    }

    async fn connect(kind: SocketKind, endpoint: &str, size: usize) -> Result<Self> {
        let stream: Box<dyn Stream> = match endpoint.strip_prefix("ipc://") {
            Some(path) => Box::new(UnixStream::connect(path)?),
            None => without_delay(TcpStream::connect(endpoint.trim_start_matches("tcp://"))?)?,
        };
        Ok(Self::new(State::Open(stream), kind, size))
    }

    async fn send(&mut self, count: usize) -> Result<()> {
        let stream = self.state.open()?;
        self.tally.owe(count);
        while let Some(piece) = self.tally.next_piece() {
            stream.write_all(&self.buffer[..piece])?;
        }
        Ok(())
    }

    async fn receive(&mut self, count: usize) -> Result<usize> {
        let stream = self.state.open()?;
        while self.tally.lacks(count) {
            self.tally.arrived(stream.read(&mut self.buffer)?)?;
        }
        Ok(self.tally.take(count))
    }
}

impl PlainBlocking {
    fn new(state: State, kind: SocketKind, size: usize) -> Self {
        Self {
            state,
            buffer: vec![0; PIECE],
            tally: Tally::new(kind, size),
        }
    }
}

impl State {
    /// The stream to the one peer, which is accepted first if there is none yet.
    fn open(&mut self) -> Result<&mut Box<dyn Stream>> {
        match self {
            Self::Tcp(listener) => *self = Self::Open(without_delay(listener.accept()?.0)?),
            Self::Unix(listener) => *self = Self::Open(Box::new(listener.accept()?.0)),
            Self::Open(_) => {}
        }
        match self {
            Self::Open(stream) => Ok(stream),
            Self::Tcp(_) | Self::Unix(_) => Err("no peer yet".into()),
        }
    }
}

fn without_delay(stream: TcpStream) -> Result<Box<dyn Stream>> {
    stream.set_nodelay(true)?;
    Ok(Box::new(stream))
}
