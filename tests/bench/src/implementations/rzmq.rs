//! rzmq, without `io_uring`, which is off by default.
//!
//! Its ROUTER and DEALER put an empty frame before every message unless `AUTO_DELIMITER` is off; off, they do what every
//! other library does. Its default high-water mark is 256.

use bytes::Bytes;
use rzmq::socket::options::{AUTO_DELIMITER, LAST_ENDPOINT, MAX_CONNECTIONS, RCVHWM, SNDHWM};
use rzmq::{Context, Msg, SocketType};

use crate::Result;
use crate::implementations::{HIGH_WATER_MARK, Socket};
use crate::work::SocketKind;

/// Connections that a ROUTER accepts, instead of 1024; its value for no limit, -1, panics inside Tokio's semaphore.
const CONNECTIONS: i32 = 20_000;

/// A socket of rzmq.
pub(crate) struct Rzmq {
    socket: rzmq::Socket,
    body: Bytes,
    has_routing_id: bool,
    /// Sockets end with their context.
    _context: Context,
}

impl Socket for Rzmq {
    async fn bind(kind: SocketKind, endpoint: &str, size: usize) -> Result<(Self, String)> {
        let socket = Self::new(Context::new()?, kind, size).await?;
        socket.socket.bind(endpoint).await?;
        let bound = String::from_utf8(socket.socket.get_option(LAST_ENDPOINT).await?)?;
        Ok((socket, bound.trim_end_matches('\0').to_owned()))
    }

    async fn connect(kind: SocketKind, endpoint: &str, size: usize) -> Result<Self> {
        let socket = Self::new(Context::new()?, kind, size).await?;
        socket.socket.connect(endpoint).await?;
        Ok(socket)
    }

    async fn pair(endpoint: &str, size: usize) -> Result<(Self, Self)> {
        let context = Context::new()?;
        let receiver = Self::new(context.clone(), SocketKind::Pull, size).await?;
        receiver.socket.bind(endpoint).await?;
        let sender = Self::new(context, SocketKind::Push, size).await?;
        sender.socket.connect(endpoint).await?;
        Ok((sender, receiver))
    }

    async fn send(&mut self, count: usize) -> Result<()> {
        for _ in 0..count {
            self.socket.send(Msg::from_bytes(self.body.clone())).await?;
        }
        Ok(())
    }

    async fn receive(&mut self, count: usize) -> Result<usize> {
        let mut octets = 0;
        for _ in 0..count {
            octets += if self.has_routing_id {
                self.socket
                    .recv_multipart()
                    .await?
                    .last()
                    .map_or(0, Msg::size)
            } else {
                self.socket.recv().await?.size()
            };
        }
        Ok(octets)
    }
}

impl Rzmq {
    async fn new(context: Context, kind: SocketKind, size: usize) -> Result<Self> {
        let socket = context.socket(match kind {
            SocketKind::Push => SocketType::Push,
            SocketKind::Pull => SocketType::Pull,
            SocketKind::Dealer => SocketType::Dealer,
            SocketKind::Router => SocketType::Router,
            SocketKind::Req => SocketType::Req,
            SocketKind::Rep => SocketType::Rep,
            SocketKind::Pub => SocketType::Pub,
        })?;
        socket.set_option(SNDHWM, HIGH_WATER_MARK).await?;
        socket.set_option(RCVHWM, HIGH_WATER_MARK).await?;
        if matches!(kind, SocketKind::Dealer | SocketKind::Router) {
            socket.set_option(AUTO_DELIMITER, false).await?;
        }
        let has_routing_id = kind == SocketKind::Router;
        if has_routing_id {
            socket.set_option(MAX_CONNECTIONS, CONNECTIONS).await?;
        }
        Ok(Self {
            socket,
            body: vec![0; size].into(),
            has_routing_id,
            _context: context,
        })
    }
}
