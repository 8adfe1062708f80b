//! [`Foreign`]: either of the two, for tests that are the same with both.

use std::time::Duration;

use privateer_core::{Message, SocketType};

use crate::libzmq::Libzmq;
use crate::pyzmq::Pyzmq;
use crate::venv::Python;
use crate::wait::soon;

/// How often a foreign socket is asked whether there is anything.
const LOOK: Duration = Duration::from_millis(1);

/// Where foreign sockets come from.
#[derive(Clone, Debug)]
pub enum Library {
    /// libzmq, on a thread.
    Libzmq,
    /// pyzmq, in a process.
    Pyzmq(Python),
}

/// A foreign socket.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "there are few, and none moves often"
)]
pub enum Foreign {
    /// On a thread.
    Libzmq(Libzmq),
    /// In a process.
    Pyzmq(Pyzmq),
}

/// Which side binds, which connects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// This one binds.
    Bind,
    /// This one connects.
    Connect,
}

impl Library {
    /// All that there are here.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let pyzmq = Python::ready().map(Self::Pyzmq);
        [Self::Libzmq].into_iter().chain(pyzmq).collect()
    }

    /// A socket of this type.
    #[must_use]
    pub fn socket(&self, kind: SocketType) -> Foreign {
        match self {
            Self::Libzmq => Foreign::Libzmq(Libzmq::new(kind)),
            Self::Pyzmq(python) => Foreign::Pyzmq(Pyzmq::new(python, kind)),
        }
    }
}

impl Foreign {
    /// Binds, or connects; returns the endpoint.
    pub async fn attach(&self, role: Role, endpoint: &str) -> String {
        match (self, role) {
            (Self::Libzmq(socket), Role::Bind) => return socket.bind(endpoint).await,
            (Self::Pyzmq(socket), Role::Bind) => return socket.bind(endpoint).await,
            (Self::Libzmq(socket), Role::Connect) => socket.connect(endpoint).await,
            (Self::Pyzmq(socket), Role::Connect) => socket.connect(endpoint).await,
        }
        endpoint.to_owned()
    }

    /// Sends a message of short frames.
    pub async fn send<F: AsRef<[u8]>>(&self, frames: impl IntoIterator<Item = F>) {
        match self {
            Self::Libzmq(socket) => socket.send(frames).await,
            Self::Pyzmq(socket) => socket.send(frames).await,
        }
    }

    /// The next message, which has to come.
    pub async fn recv(&self) -> Message {
        match self {
            Self::Libzmq(socket) => socket.recv().await,
            Self::Pyzmq(socket) => socket.recv().await,
        }
    }

    /// Lets it take notice of connections, which it does only when its owner asks it for something; until `done`.
    pub async fn attend<T>(&self, done: impl Future<Output = T>) -> T {
        let mut done = std::pin::pin!(soon(done));
        loop {
            let look = async {
                match self {
                    Self::Libzmq(socket) => socket.look().await,
                    Self::Pyzmq(socket) => socket.look().await,
                }
            };
            tokio::select! {
                biased;
                done = &mut done => return done,
                () = tokio::time::sleep(LOOK) => look.await,
            }
        }
    }

    /// Asks for messages that begin so: a SUB by its option, an XSUB by a message.
    pub async fn subscribe(&self, kind: SocketType, topic: &[u8]) {
        self.ask_for(kind, 1, topic).await;
    }

    /// Takes [`subscribe`](Self::subscribe) back.
    pub async fn unsubscribe(&self, kind: SocketType, topic: &[u8]) {
        self.ask_for(kind, 0, topic).await;
    }

    async fn ask_for(&self, kind: SocketType, octet: u8, topic: &[u8]) {
        if kind == SocketType::Xsub {
            return self.send([[&[octet], topic].concat()]).await;
        }
        match self {
            Self::Libzmq(socket) => {
                let topic = topic.to_vec();
                let set = move |socket: &zmq::Socket| match octet {
                    1 => socket.set_subscribe(&topic),
                    _ => socket.set_unsubscribe(&topic),
                };
                socket.run(set).await.unwrap();
            }
            Self::Pyzmq(socket) => {
                let option = if octet == 1 {
                    "SUBSCRIBE"
                } else {
                    "UNSUBSCRIBE"
                };
                let topic: String = topic.iter().copied().map(char::from).collect();
                socket.set(option, topic).await;
            }
        }
    }

    /// Makes a PUSH socket beside this PULL, and sends there whatever comes, until this is dropped.
    pub async fn forward(&self, role: Role, endpoint: &str) -> String {
        match (self, role) {
            (Self::Libzmq(socket), role) => socket.forward(role, endpoint).await,
            (Self::Pyzmq(socket), Role::Bind) => socket.forward("bind", endpoint).await,
            (Self::Pyzmq(socket), Role::Connect) => socket.forward("connect", endpoint).await,
        }
    }

    /// Sends `first`, if there is one, and then back whatever comes, until this is dropped.
    pub async fn echo(&self, first: Option<&[&str]>) {
        match self {
            Self::Libzmq(socket) => socket.echo(first).await,
            Self::Pyzmq(socket) => socket.echo(first).await,
        }
    }
}
