//! No ZeroMQ at all: a TCP or Unix stream of Tokio, as the limit for whoever stands on Tokio.
//!
//! One way it writes the octets that ZMTP would write for the same messages, headers included, in pieces of 64 KiB. A
//! round trip is one write and one read on each side.

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

use crate::Result;
use crate::implementations::Socket;
use crate::implementations::tally::{PIECE, Tally};
use crate::work::SocketKind;

/// A stream of Tokio that counts messages.
pub(crate) struct Plain {
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
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

impl Socket for Plain {
    async fn bind(kind: SocketKind, endpoint: &str, size: usize) -> Result<(Self, String)> {
        if let Some(path) = endpoint.strip_prefix("ipc://") {
            let state = State::Unix(UnixListener::bind(path)?);
            return Ok((Self::new(state, kind, size), endpoint.to_owned()));
        }
        let listener = TcpListener::bind(endpoint.trim_start_matches("tcp://")).await?;
        let bound = format!("tcp://{}", listener.local_addr()?);
        Ok((Self::new(State::Tcp(listener), kind, size), bound))
    }

    async fn connect(kind: SocketKind, endpoint: &str, size: usize) -> Result<Self> {
        let stream: Box<dyn Stream> = match endpoint.strip_prefix("ipc://") {
            Some(path) => Box::new(UnixStream::connect(path).await?),
            None => {
                without_delay(TcpStream::connect(endpoint.trim_start_matches("tcp://")).await?)?
            }
        };
        Ok(Self::new(State::Open(stream), kind, size))
    }

    async fn send(&mut self, count: usize) -> Result<()> {
        let stream = self.state.open().await?;
        self.tally.owe(count);
        while let Some(piece) = self.tally.next_piece() {
            stream.write_all(&self.buffer[..piece]).await?;
        }
        Ok(())
    }

    async fn receive(&mut self, count: usize) -> Result<usize> {
        let stream = self.state.open().await?;
        while self.tally.lacks(count) {
            self.tally.arrived(stream.read(&mut self.buffer).await?)?;
        }
        Ok(self.tally.take(count))
    }
}

impl Plain {
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
    async fn open(&mut self) -> Result<&mut Box<dyn Stream>> {
        match self {
            Self::Tcp(listener) => *self = Self::Open(without_delay(listener.accept().await?.0)?),
            Self::Unix(listener) => *self = Self::Open(Box::new(listener.accept().await?.0)),
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
