//! omq-tokio.
//!
//! On `Drive::OwnThread` with a context of its own, whose I/O thread is what its manual recommends; on the other
//! runtimes with the runtime of the caller. A small body travels inside its message, as in its own benchmark.

use bytes::Bytes;
use omq_tokio::{Context, Message, Options, SocketType};

use crate::Result;
use crate::implementations::{HIGH_WATER_MARK, Socket};
use crate::work::SocketKind;

/// A socket of omq-tokio. The parameter says whether its context has an I/O thread of its own.
pub(crate) struct Omq<const OWN_THREAD: bool> {
    socket: omq_tokio::Socket,
    message: Message,
    /// The I/O thread ends with its context.
    _context: Context,
}

impl<const OWN_THREAD: bool> Socket for Omq<OWN_THREAD> {
    async fn bind(kind: SocketKind, endpoint: &str, size: usize) -> Result<(Self, String)> {
        let socket = Self::new(Self::context(), kind, size);
        let bound = socket.socket.bind(endpoint).await?;
        Ok((socket, bound.to_string()))
    }

    async fn connect(kind: SocketKind, endpoint: &str, size: usize) -> Result<Self> {
        let socket = Self::new(Self::context(), kind, size);
        socket.socket.connect(endpoint).await?;
        Ok(socket)
    }

    async fn pair(endpoint: &str, size: usize) -> Result<(Self, Self)> {
        let context = Self::context();
        let receiver = Self::new(context.clone(), SocketKind::Pull, size);
        receiver.socket.bind(endpoint).await?;
        let sender = Self::new(context, SocketKind::Push, size);
        sender.socket.connect(endpoint).await?;
        Ok((sender, receiver))
    }

    async fn send(&mut self, count: usize) -> Result<()> {
        for _ in 0..count {
            self.socket.send(self.message.clone()).await?;
        }
        Ok(())
    }

    async fn answer(&mut self, count: usize) -> Result<()> {
        for _ in 0..count {
            let request = self.socket.recv().await?;
            self.socket.send(request).await?;
        }
        Ok(())
    }

    async fn receive(&mut self, count: usize) -> Result<usize> {
        let mut octets = 0;
        for _ in 0..count {
            let message = self.socket.recv().await?;
            octets += message.get(message.len() - 1).map_or(0, <[u8]>::len);
        }
        Ok(octets)
    }
}

impl<const OWN_THREAD: bool> Omq<OWN_THREAD> {
    fn context() -> Context {
        if OWN_THREAD {
            Context::new()
        } else {
            Context::current()
        }
    }

    fn new(context: Context, kind: SocketKind, size: usize) -> Self {
        let kind = match kind {
            SocketKind::Push => SocketType::Push,
            SocketKind::Pull => SocketType::Pull,
            SocketKind::Dealer => SocketType::Dealer,
            SocketKind::Router => SocketType::Router,
            SocketKind::Req => SocketType::Req,
            SocketKind::Rep => SocketType::Rep,
            SocketKind::Pub => SocketType::Pub,
        };
        let options = Options::default()
            .send_hwm(HIGH_WATER_MARK)
            .recv_hwm(HIGH_WATER_MARK);
        let message = Message::single(Bytes::from(vec![0; size]));
        Self {
            socket: context.socket(kind, options),
            message,
            _context: context,
        }
    }
}
