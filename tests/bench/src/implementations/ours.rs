//! Privateer itself, with the same high-water mark as all others.

use std::num::NonZeroUsize;
use std::time::Duration;

use privateer_core::{
    BusyPoll, Context, DealerSocket, Frame, PubSocket, PullSocket, PushSocket, RepSocket,
    ReqSocket, RouterSocket, SocketOptions,
};
use tokio::time::timeout;

use crate::Result;
use crate::implementations::{Socket, mark};
use crate::work::SocketKind;

/// The time limit of a receiver that has one.
const LIMIT: Duration = Duration::from_millis(1);

/// One of our sockets. The parameters say whether its receiver gives each message a time limit, and whether it sleeps until
/// an answer comes, in place of looking for it.
pub(crate) struct Ours<const LIMITED: bool = false, const ASLEEP: bool = false> {
    socket: Kind,
    body: Frame,
}

/// What the benchmark needs of a socket, by type.
enum Kind {
    Push(PushSocket),
    Pull(PullSocket),
    Dealer(DealerSocket),
    Router(RouterSocket),
    Req(ReqSocket),
    Rep(RepSocket),
    Pub(PubSocket),
}

/// Calls a method of whichever socket it is.
macro_rules! each {
    ($kind:expr, $socket:ident => $call:expr) => {
        match $kind {
            Kind::Push($socket) => $call,
            Kind::Pull($socket) => $call,
            Kind::Dealer($socket) => $call,
            Kind::Router($socket) => $call,
            Kind::Req($socket) => $call,
            Kind::Rep($socket) => $call,
            Kind::Pub($socket) => $call,
        }
    };
}

impl<const LIMITED: bool, const ASLEEP: bool> Socket for Ours<LIMITED, ASLEEP> {
    async fn bind(kind: SocketKind, endpoint: &str, size: usize) -> Result<(Self, String)> {
        let socket = Self::new(kind, size, &Context::global())?;
        let bound = each!(&socket.socket, socket => socket.bind(endpoint).await)?;
        Ok((socket, bound.to_string()))
    }

    async fn connect(kind: SocketKind, endpoint: &str, size: usize) -> Result<Self> {
        let socket = Self::new(kind, size, &Context::global())?;
        each!(&socket.socket, socket => socket.connect(endpoint))?;
        Ok(socket)
    }

    async fn pair(endpoint: &str, size: usize) -> Result<(Self, Self)> {
        let context = Context::new();
        let receiver = Self::new(SocketKind::Pull, size, &context)?;
        each!(&receiver.socket, socket => socket.bind(endpoint).await)?;
        let sender = Self::new(SocketKind::Push, size, &context)?;
        each!(&sender.socket, socket => socket.connect(endpoint))?;
        Ok((sender, receiver))
    }

    async fn send(&mut self, count: usize) -> Result<()> {
        let body = &self.body;
        for _ in 0..count {
            match &self.socket {
                Kind::Push(push) => push.send(body.clone()).await?,
                Kind::Dealer(dealer) => dealer.send(body.clone()).await?,
                Kind::Req(req) => req.send(body.clone()).await?,
                Kind::Rep(rep) => rep.send(body.clone()).await?,
                Kind::Pub(publisher) => publisher.send(body.clone()).await?,
                Kind::Pull(_) | Kind::Router(_) => return Err("does not send here".into()),
            }
        }
        Ok(())
    }

    async fn answer(&mut self, count: usize) -> Result<()> {
        let Kind::Router(router) = &self.socket else {
            return Err("only ROUTER answers a crowd".into());
        };
        for _ in 0..count {
            let (peer, request) = router.recv().await?;
            router.send(&peer, request).await?;
        }
        Ok(())
    }

    async fn receive(&mut self, count: usize) -> Result<usize> {
        let mut octets = 0;
        for _ in 0..count {
            let message = match &self.socket {
                Kind::Pull(pull) if LIMITED => loop {
                    if let Ok(received) = timeout(LIMIT, pull.recv()).await {
                        break received?;
                    }
                },
                Kind::Pull(pull) => pull.recv().await?,
                Kind::Router(router) => router.recv().await?.1,
                Kind::Req(req) => req.recv().await?,
                Kind::Rep(rep) => rep.recv().await?,
                Kind::Dealer(dealer) => dealer.recv().await?,
                Kind::Push(_) | Kind::Pub(_) => return Err("does not receive".into()),
            };
            octets += message.byte_len();
        }
        Ok(octets)
    }
}

impl<const LIMITED: bool, const ASLEEP: bool> Ours<LIMITED, ASLEEP> {
    fn new(kind: SocketKind, size: usize, context: &Context) -> Result<Self> {
        let mark = mark(kind).map(usize::try_from).transpose()?;
        let mark = mark.and_then(NonZeroUsize::new);
        let options = SocketOptions::new()
            .context(context)
            .send_hwm(mark)
            .recv_hwm(mark)
            .busy_poll(if ASLEEP {
                BusyPoll::Off
            } else {
                BusyPoll::Auto
            });
        let socket = match kind {
            SocketKind::Push => Kind::Push(PushSocket::with_options(options)?),
            SocketKind::Pull => Kind::Pull(PullSocket::with_options(options)?),
            SocketKind::Dealer => Kind::Dealer(DealerSocket::with_options(options)?),
            SocketKind::Router => Kind::Router(RouterSocket::with_options(options)?),
            SocketKind::Req => Kind::Req(ReqSocket::with_options(options)?),
            SocketKind::Rep => Kind::Rep(RepSocket::with_options(options)?),
            SocketKind::Pub => Kind::Pub(PubSocket::with_options(options)?),
        };
        let body = Frame::from(vec![0; size]);
        Ok(Self { socket, body })
    }
}
