//! Raw peers: sockets that send and receive frames as the protocol's own tables write them.
//!
//! A message is written in hexadecimal, its frames divided by ` · `, an empty frame as `∅`.

use privateer::core::{
    DealerSocket, Endpoint, Frame, Linger, Message, Peer, RouterSocket, SocketOptions,
};

use crate::support::sockets::{Socket, soon};

/// REQUEST of a client to the service `echo`, and the REPLY to it, with the body `Hi`.
pub(crate) const REQUEST: &str = "∅ · 4d4450433031 · 6563686f · 4869";
/// READY of a worker of `echo`.
pub(crate) const READY: &str = "∅ · 4d4450573031 · 01 · 6563686f";
/// REQUEST to a worker, for the client 006b8b4567.
pub(crate) const W_REQUEST: &str = "∅ · 4d4450573031 · 02 · 006b8b4567 · ∅ · 4869";
/// REPLY of a worker to that.
pub(crate) const W_REPLY: &str = "∅ · 4d4450573031 · 03 · 006b8b4567 · ∅ · 4869";
/// HEARTBEAT, both ways.
pub(crate) const HEARTBEAT: &str = "∅ · 4d4450573031 · 04";
/// DISCONNECT, both ways.
pub(crate) const DISCONNECT: &str = "∅ · 4d4450573031 · 05";
/// The reply of RFC 8 to a client that asked for a service without workers.
pub(crate) const MMI_404: &str = "∅ · 4d4450433031 · 6d6d692e73657276696365 · 343034";

/// REPLY of a worker to the request with this address.
pub(crate) fn w_reply(address: &str) -> String {
    W_REPLY.replace("006b8b4567", address)
}

/// The message that this text stands for.
pub(crate) fn message(text: &str) -> Message {
    let frames = text.split(" · ").map(|frame| Frame::from(octets(frame)));
    Message::from_frames(frames.collect()).unwrap()
}

/// The text for a message.
pub(crate) fn text(message: &Message) -> String {
    let frames: Vec<_> = message.frames().iter().map(|frame| hex(frame)).collect();
    frames.join(" · ")
}

/// The text for a frame.
pub(crate) fn hex(frame: &[u8]) -> String {
    match frame {
        [] => "∅".into(),
        octets => octets.iter().map(|octet| format!("{octet:02x}")).collect(),
    }
}

fn octets(frame: &str) -> Vec<u8> {
    let digits = frame.trim_matches('∅').as_bytes();
    let pairs = digits
        .chunks(2)
        .map(|pair| std::str::from_utf8(pair).unwrap());
    pairs
        .map(|pair| u8::from_str_radix(pair, 16).unwrap())
        .collect()
}

/// A worker or client of another implementation: a DEALER whose frames are all its own.
#[derive(Debug)]
pub(crate) struct Raw(pub(crate) DealerSocket);

impl Raw {
    /// Connects, and waits until the connection stands.
    pub(crate) async fn connect(endpoint: &Endpoint) -> Self {
        Self::with(SocketOptions::new().send_hwm(None), endpoint).await
    }

    pub(crate) async fn with(options: SocketOptions, endpoint: &Endpoint) -> Self {
        let socket = DealerSocket::with(options);
        let mut watch = socket.watch();
        socket.connect_to(endpoint);
        watch.connected().await;
        Self(socket)
    }

    /// A raw worker of `echo`. Whether the broker has read READY is another matter.
    pub(crate) async fn worker(endpoint: &Endpoint) -> Self {
        let worker = Self::connect(endpoint).await;
        worker.send(READY);
        worker
    }

    pub(crate) fn send(&self, text: &str) {
        self.0.try_send(message(text)).unwrap();
    }

    /// The next message as text.
    #[track_caller]
    pub(crate) fn recv(&self) -> impl Future<Output = String> {
        soon(async { text(&self.0.recv().await.unwrap()) })
    }

    /// The address of the next REQUEST to this worker, which must be one.
    pub(crate) async fn request(&self) -> String {
        let request = self.recv().await;
        let address = request
            .split(" · ")
            .nth(3)
            .unwrap_or_else(|| panic!("no address in {request}"));
        assert_eq!(request, W_REQUEST.replace("006b8b4567", address));
        address.into()
    }

    /// Ends at once, as a process does that is killed.
    pub(crate) async fn cut(self) {
        let _unsent = self.0.end(Linger::Discard).await;
    }
}

/// A broker of another implementation: a ROUTER that announces nothing of itself.
#[derive(Debug)]
pub(crate) struct RawBroker {
    pub(crate) router: RouterSocket,
    pub(crate) endpoint: Endpoint,
}

impl RawBroker {
    pub(crate) async fn bind() -> Self {
        Self::with(SocketOptions::new()).await
    }

    pub(crate) async fn with(options: SocketOptions) -> Self {
        let router = RouterSocket::with(options);
        let endpoint = router.bind_to("tcp://127.0.0.1:*").await;
        Self { router, endpoint }
    }

    /// The next message as text, and who sent it.
    #[track_caller]
    pub(crate) fn recv(&self) -> impl Future<Output = (Peer, String)> {
        soon(async {
            let (peer, message) = self.router.recv().await.unwrap();
            (peer, text(&message))
        })
    }

    pub(crate) fn send(&self, to: &Peer, text: &str) {
        self.router.try_send(to, message(text)).unwrap();
    }
}

mod tests {
    use super::*;

    #[test]
    fn messages_are_written_as_they_are_read() {
        for golden in [
            REQUEST, READY, W_REQUEST, W_REPLY, HEARTBEAT, DISCONNECT, MMI_404,
        ] {
            assert_eq!(text(&message(golden)), golden);
        }
    }
}
