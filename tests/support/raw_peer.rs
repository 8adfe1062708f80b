//! [`RawPeer`]: a peer that says exactly the octets that a test wants, and hears exactly ours.

use std::io;
use std::net::SocketAddr;

use privateer::core::Endpoint;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::sockets::soon;

/// The frame flags (RFC 37, Framing).
pub(crate) const MORE: u8 = 1;
pub(crate) const LONG: u8 = 2;
pub(crate) const COMMAND: u8 = 4;

/// One side of a TCP connection, without a socket behind it.
#[derive(Debug)]
pub(crate) struct RawPeer(TcpStream);

impl RawPeer {
    /// Connects to a bound socket, and says nothing.
    pub(crate) async fn connect(endpoint: &Endpoint) -> Self {
        let address = endpoint.to_string();
        let address: SocketAddr = address.strip_prefix("tcp://").unwrap().parse().unwrap();
        Self::new(soon(TcpStream::connect(address)).await.unwrap())
    }

    /// Connects to a bound socket, as a socket of this type, up to and including READY.
    pub(crate) async fn connect_as(endpoint: &Endpoint, socket_type: &str) -> Self {
        let mut peer = Self::connect(endpoint).await;
        peer.shake_hands(&ready(socket_type)).await;
        peer
    }

    fn new(stream: TcpStream) -> Self {
        // What is sent in pieces is to arrive in pieces, as far as that can be had.
        stream.set_nodelay(true).unwrap();
        Self(stream)
    }

    /// Greets, says this READY, and returns the body of the command that comes for it.
    pub(crate) async fn shake_hands(&mut self, ready: &[u8]) -> Vec<u8> {
        self.send(&greeting()).await;
        self.expect_greeting().await;
        self.send(ready).await;
        let (flags, body) = self.frame().await;
        assert_eq!(flags, COMMAND);
        body
    }

    pub(crate) async fn send(&mut self, octets: &[u8]) {
        soon(self.0.write_all(octets)).await.unwrap();
    }

    /// Says octets that the other side may not want to hear.
    pub(crate) async fn send_anyway(&mut self, octets: &[u8]) {
        if let Err(error) = soon(self.0.write_all(octets)).await {
            assert!(is_end(&error), "{error}");
        }
    }

    /// Says as much of `octets` as can be said at once; returns how much.
    pub(crate) fn try_send(&self, octets: &[u8]) -> usize {
        match self.0.try_write(octets) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            written => written.unwrap(),
        }
    }

    /// Says nothing after this, and can still hear.
    pub(crate) async fn end(&mut self) {
        soon(self.0.shutdown()).await.unwrap();
    }

    /// The next `len` octets.
    #[track_caller]
    pub(crate) fn read(&mut self, len: usize) -> impl Future<Output = Vec<u8>> {
        let mut octets = vec![0; len];
        soon(async move {
            self.0.read_exact(&mut octets).await.unwrap();
            octets
        })
    }

    /// The next octets have to be these.
    #[track_caller]
    pub(crate) fn expect(&mut self, octets: &[u8]) -> impl Future<Output = ()> {
        let caller = std::panic::Location::caller();
        let reading = self.read(octets.len());
        async move {
            let found = reading.await;
            let both = (found.escape_ascii(), octets.escape_ascii());
            assert!(
                found == octets,
                "{caller}: found {}, expected {}",
                both.0,
                both.1
            );
        }
    }

    /// The next octets have to be our greeting, without a routing id.
    pub(crate) async fn expect_greeting(&mut self) {
        self.expect(&greeting()).await;
    }

    /// The next frame: its flags without the one for a long size, and its body.
    #[track_caller]
    pub(crate) fn frame(&mut self) -> impl Future<Output = (u8, Vec<u8>)> {
        let caller = std::panic::Location::caller();
        async move {
            let flags = self.read(1).await[0];
            assert!(flags < 8, "{caller}: reserved flags {flags:#04x}");
            let size = self.read(if flags & LONG == 0 { 1 } else { 8 }).await;
            let size = size
                .iter()
                .fold(0, |size, octet| size << 8 | usize::from(*octet));
            (flags & !LONG, self.read(size).await)
        }
    }

    /// The other side has nothing more to say, and ends the connection.
    #[track_caller]
    pub(crate) fn expect_end(&mut self) -> impl Future<Output = ()> {
        let caller = std::panic::Location::caller();
        soon(async move {
            match self.0.read(&mut [0; 64]).await {
                Ok(0) => {}
                Ok(read) => panic!("{caller}: {read} octets before the end"),
                Err(error) => assert!(is_end(&error), "{caller}: {error}"),
            }
        })
    }

    /// Ends when the other side ends the connection, whatever it says before.
    pub(crate) async fn drain(&mut self) {
        let mut ignored = Vec::new();
        if let Err(error) = soon(self.0.read_to_end(&mut ignored)).await {
            assert!(is_end(&error), "{error}");
        }
    }

    /// Whether nothing is here to be read.
    pub(crate) fn hears_nothing(&self) -> bool {
        matches!(self.0.try_read(&mut [0; 1]), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }
}

/// A place to connect to, without a socket behind it.
#[derive(Debug)]
pub(crate) struct RawListener(TcpListener);

impl RawListener {
    pub(crate) async fn bind() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("tcp://{}", self.0.local_addr().unwrap())
    }

    /// The next connection, however long it takes to come; none if there can be none.
    pub(crate) async fn next(&self) -> Option<RawPeer> {
        let (stream, _address) = self.0.accept().await.ok()?;
        Some(RawPeer::new(stream))
    }

    /// The next connection; nothing is said on it.
    pub(crate) async fn accept(&self) -> RawPeer {
        RawPeer::new(soon(self.0.accept()).await.unwrap().0)
    }
}

/// The greeting of a libzmq 4.3.5 without a routing id (and ours).
pub(crate) fn greeting() -> Vec<u8> {
    let mut greeting = b"\xFF\0\0\0\0\0\0\0\x01\x7F\x03\x01NULL".to_vec();
    greeting.resize(64, 0);
    greeting
}

/// The READY of a socket of this type.
pub(crate) fn ready(socket_type: &str) -> Vec<u8> {
    ready_with(&[("Socket-Type", socket_type.as_bytes())])
}

/// A READY of these properties.
pub(crate) fn ready_with(properties: &[(&str, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, value) in properties {
        body.push(u8::try_from(name.len()).unwrap());
        body.extend(name.as_bytes());
        body.extend(u32::try_from(value.len()).unwrap().to_be_bytes());
        body.extend(*value);
    }
    command("READY", &body)
}

/// A command frame.
pub(crate) fn command(name: &str, data: &[u8]) -> Vec<u8> {
    let name_len = u8::try_from(name.len()).unwrap();
    frame(COMMAND, &[&[name_len], name.as_bytes(), data].concat())
}

/// A message of these frames.
pub(crate) fn message<const N: usize>(frames: [&[u8]; N]) -> Vec<u8> {
    let more = |index| if index + 1 < N { MORE } else { 0 };
    let encoded = frames
        .iter()
        .enumerate()
        .map(|(index, body)| frame(more(index), body));
    encoded.collect::<Vec<_>>().concat()
}

/// A frame with the shortest header.
pub(crate) fn frame(flags: u8, body: &[u8]) -> Vec<u8> {
    match u8::try_from(body.len()) {
        Ok(size) => [&[flags, size], body].concat(),
        Err(_) => long_frame(flags, body),
    }
}

/// A frame with a long header, whether it needs one or not.
pub(crate) fn long_frame(flags: u8, body: &[u8]) -> Vec<u8> {
    [&long_header(flags, body.len() as u64), body].concat()
}

/// A long header that claims a body of this size.
pub(crate) fn long_header(flags: u8, size: u64) -> Vec<u8> {
    [&[flags | LONG][..], &size.to_be_bytes()].concat()
}

/// Whether the other side has ended the connection, and with octets of ours unread perhaps.
fn is_end(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe
    )
}
