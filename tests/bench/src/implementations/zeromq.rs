//! zmq.rs, the crate `zeromq`.
//!
//! It has no option for high-water marks: up to 100,000 messages wait for a peer. It asks for TCP buffers of 4 MiB.

use bytes::Bytes;
use zeromq::{
    DealerSocket, PullSocket, PushSocket, RepSocket, ReqSocket, RouterSocket, Socket as _,
    SocketRecv, SocketSend, ZmqMessage,
};

use crate::Result;
use crate::implementations::Socket;
use crate::work::SocketKind;

/// A socket of zmq.rs.
pub(crate) struct Zeromq {
    socket: Typed,
    body: Bytes,
}

enum Typed {
    Push(PushSocket),
    Pull(PullSocket),
    Dealer(DealerSocket),
    Router(RouterSocket),
    Req(ReqSocket),
    Rep(RepSocket),
}

/// Runs the same code on whichever socket it is.
macro_rules! each {
    ($typed:expr, $socket:ident => $code:expr) => {
        match $typed {
            Typed::Push($socket) => $code,
            Typed::Pull($socket) => $code,
            Typed::Dealer($socket) => $code,
            Typed::Router($socket) => $code,
            Typed::Req($socket) => $code,
            Typed::Rep($socket) => $code,
        }
    };
}

impl Socket for Zeromq {
    async fn bind(kind: SocketKind, endpoint: &str, size: usize) -> Result<(Self, String)> {
        let mut socket = Self::new(kind, size)?;
        let bound = each!(&mut socket.socket, it => it.bind(endpoint).await?);
        Ok((socket, bound.to_string()))
    }

    async fn connect(kind: SocketKind, endpoint: &str, size: usize) -> Result<Self> {
        let mut socket = Self::new(kind, size)?;
        each!(&mut socket.socket, it => it.connect(endpoint).await?);
        Ok(socket)
    }

    async fn send(&mut self, count: usize) -> Result<()> {
        match &mut self.socket {
            Typed::Push(socket) => send(socket, &self.body, count).await,
            Typed::Dealer(socket) => send(socket, &self.body, count).await,
            Typed::Req(socket) => send(socket, &self.body, count).await,
            Typed::Rep(socket) => send(socket, &self.body, count).await,
            Typed::Pull(_) | Typed::Router(_) => Err("this socket only receives here".into()),
        }
    }

    async fn receive(&mut self, count: usize) -> Result<usize> {
        match &mut self.socket {
            Typed::Pull(socket) => receive(socket, count).await,
            Typed::Router(socket) => receive(socket, count).await,
            Typed::Req(socket) => receive(socket, count).await,
            Typed::Rep(socket) => receive(socket, count).await,
            Typed::Push(_) | Typed::Dealer(_) => Err("this socket only sends here".into()),
        }
    }
}

impl Zeromq {
    fn new(kind: SocketKind, size: usize) -> Result<Self> {
        let socket = match kind {
            SocketKind::Push => Typed::Push(PushSocket::new()),
            SocketKind::Pull => Typed::Pull(PullSocket::new()),
            SocketKind::Dealer => Typed::Dealer(DealerSocket::new()),
            SocketKind::Router => Typed::Router(RouterSocket::new()),
            SocketKind::Req => Typed::Req(ReqSocket::new()),
            SocketKind::Rep => Typed::Rep(RepSocket::new()),
            SocketKind::Pub => return Err("publishes to no crowd".into()),
        };
        Ok(Self {
            socket,
            body: vec![0; size].into(),
        })
    }
}

async fn send<S: SocketSend + Send>(socket: &mut S, body: &Bytes, count: usize) -> Result<()> {
    for _ in 0..count {
        socket.send(ZmqMessage::from(body.clone())).await?;
    }
    Ok(())
}

async fn receive<S: SocketRecv + Send>(socket: &mut S, count: usize) -> Result<usize> {
    let mut octets = 0;
    for _ in 0..count {
        let message = socket.recv().await?;
        octets += message.get(message.len() - 1).map_or(0, Bytes::len);
    }
    Ok(octets)
}
