//! libzmq through the crate `zmq`, with blocking calls and the default of one I/O thread.
//!
//! `zmq_send` copies the body, as every C program's call does; the wrapper has no `zmq_msg_copy`.

use zmq::{Context, Message, SocketType};

use crate::Result;
use crate::implementations::{HIGH_WATER_MARK, Socket, mark};
use crate::work::SocketKind;

/// A socket of libzmq.
pub(crate) struct Libzmq {
    socket: zmq::Socket,
    body: Vec<u8>,
    received: Message,
    has_routing_id: bool,
}

impl Socket for Libzmq {
    async fn bind(kind: SocketKind, endpoint: &str, size: usize) -> Result<(Self, String)> {
        let socket = Self::new(&Context::new(), kind, size)?;
        socket.socket.bind(endpoint)?;
        let bound = socket
            .socket
            .get_last_endpoint()?
            .map_err(|_| "the endpoint is not UTF-8")?;
        Ok((socket, bound))
    }

    async fn connect(kind: SocketKind, endpoint: &str, size: usize) -> Result<Self> {
        let socket = Self::new(&Context::new(), kind, size)?;
        socket.socket.connect(endpoint)?;
        Ok(socket)
    }

    async fn pair(endpoint: &str, size: usize) -> Result<(Self, Self)> {
        let context = Context::new();
        let receiver = Self::new(&context, SocketKind::Pull, size)?;
        receiver.socket.bind(endpoint)?;
        let sender = Self::new(&context, SocketKind::Push, size)?;
        sender.socket.connect(endpoint)?;
        Ok((sender, receiver))
    }

    async fn send(&mut self, count: usize) -> Result<()> {
        for _ in 0..count {
            self.socket.send(self.body.as_slice(), 0)?;
        }
        Ok(())
    }

    async fn answer(&mut self, count: usize) -> Result<()> {
        for _ in 0..count {
            let (mut routing_id, mut request) = (Message::new(), Message::new());
            self.socket.recv(&mut routing_id, 0)?;
            self.socket.recv(&mut request, 0)?;
            self.socket.send(routing_id, zmq::SNDMORE)?;
            self.socket.send(request, 0)?;
        }
        Ok(())
    }

    async fn receive(&mut self, count: usize) -> Result<usize> {
        let mut octets = 0;
        for _ in 0..count {
            if self.has_routing_id {
                self.socket.recv(&mut self.received, 0)?;
            }
            self.socket.recv(&mut self.received, 0)?;
            octets += self.received.len();
        }
        Ok(octets)
    }
}

impl Libzmq {
    fn new(context: &Context, kind: SocketKind, size: usize) -> Result<Self> {
        let socket = context.socket(match kind {
            SocketKind::Push => SocketType::PUSH,
            SocketKind::Pull => SocketType::PULL,
            SocketKind::Dealer => SocketType::DEALER,
            SocketKind::Router => SocketType::ROUTER,
            SocketKind::Req => SocketType::REQ,
            SocketKind::Rep => SocketType::REP,
            SocketKind::Pub => SocketType::PUB,
        })?;
        socket.set_sndhwm(i32::try_from(mark(kind).unwrap_or(0))?)?;
        socket.set_rcvhwm(i32::try_from(HIGH_WATER_MARK)?)?;
        let has_routing_id = kind == SocketKind::Router;
        Ok(Self {
            socket,
            body: vec![0; size],
            received: Message::new(),
            has_routing_id,
        })
    }
}
