//! [`ControlSocket`]: the protocol of libzmq's `zmq_proxy_steerable`.

use super::ProxyStats;
use super::handle::Shared;
use crate::error::RecvError;
use crate::frame::Frame;
use crate::message::Message;
use crate::{PairSocket, RepSocket};

/// A socket over which programs steer a proxy: REP or PAIR. See [`Proxy::control`](super::Proxy::control).
#[derive(Debug)]
pub struct ControlSocket(Kind);

#[derive(Debug)]
enum Kind {
    Rep(RepSocket),
    Pair(PairSocket),
}

/// What a program may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Command {
    Pause,
    Resume,
    Terminate,
    Statistics,
}

/// Does what programs ask for until one asks for the end; without a socket it waits for ever.
pub(super) async fn serve(control: Option<&ControlSocket>, shared: &Shared) {
    if let Some(control) = control {
        while let Ok(request) = control.recv().await {
            let command = Command::read(&request);
            match command {
                Some(Command::Pause) => shared.pause(),
                Some(Command::Resume) => shared.resume(),
                Some(Command::Terminate | Command::Statistics) | None => {}
            }
            let statistics = command == Some(Command::Statistics);
            control.answer(statistics.then(|| encode(&shared.stats())));
            if command == Some(Command::Terminate) {
                return;
            }
        }
    }
    std::future::pending().await
}

impl Command {
    fn read(request: &Message) -> Option<Self> {
        match request.frames() {
            [command] => match command.as_slice() {
                b"PAUSE" => Some(Self::Pause),
                b"RESUME" => Some(Self::Resume),
                b"TERMINATE" => Some(Self::Terminate),
                b"STATISTICS" => Some(Self::Statistics),
                _ => None,
            },
            _ => None,
        }
    }
}

/// The eight numbers, in libzmq's order; it counts frames.
fn encode(stats: &ProxyStats) -> Message {
    let sides = [
        stats.frontend.received,
        stats.frontend.sent,
        stats.backend.received,
        stats.backend.sent,
    ];
    let [a, b, c, d] = sides.map(|volume| {
        [volume.frames, volume.bytes].map(|number| Frame::from(number.to_ne_bytes()))
    });
    let frames = [a, b, c, d].into_iter().flatten().collect();
    Message::from_frames(frames).unwrap_or_else(|| Message::from(Frame::empty()))
}

impl ControlSocket {
    async fn recv(&self) -> Result<Message, RecvError> {
        match &self.0 {
            Kind::Rep(socket) => socket.recv().await,
            Kind::Pair(socket) => socket.recv().await,
        }
    }

    /// Answers with the statistics, or that there are none: a REP has to, a PAIR says nothing then.
    fn answer(&self, statistics: Option<Message>) {
        match (&self.0, statistics) {
            (Kind::Rep(socket), statistics) => {
                let answer = statistics.unwrap_or_else(|| Message::from(Frame::empty()));
                // Who does not read its answers must not hold the others up.
                if socket.try_send(answer).is_err() {
                    socket.forgo();
                }
            }
            (Kind::Pair(socket), Some(statistics)) => {
                // Who does not read the answers does not need another.
                let _full = socket.try_send(statistics);
            }
            (Kind::Pair(_), None) => {}
        }
    }

    /// Closes it once the last answer is out, or the linger time over.
    pub(super) async fn close(self) {
        let report = match self.0 {
            Kind::Rep(socket) => socket.close().await,
            Kind::Pair(socket) => socket.close().await,
        };
        tracing::debug!(unsent = report.unsent, "the control socket is closed");
    }
}

impl From<RepSocket> for ControlSocket {
    fn from(socket: RepSocket) -> Self {
        Self(Kind::Rep(socket))
    }
}

impl From<PairSocket> for ControlSocket {
    fn from(socket: PairSocket) -> Self {
        Self(Kind::Pair(socket))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ProxySide, Volume};

    #[test]
    fn only_the_four_commands_are_commands() {
        let read = |text: &str| Command::read(&Message::from(text));
        assert_eq!(read("PAUSE"), Some(Command::Pause));
        assert_eq!(read("RESUME"), Some(Command::Resume));
        assert_eq!(read("TERMINATE"), Some(Command::Terminate));
        assert_eq!(read("STATISTICS"), Some(Command::Statistics));
        assert_eq!(read("pause"), None);
        assert_eq!(read(""), None);
        let two = Message::from([Frame::from("PAUSE"), Frame::empty()]);
        assert_eq!(Command::read(&two), None);
    }

    /// zmq_proxy_steerable(3): (frn, frb, fsn, fsb, brn, brb, bsn, bsb), native byte order.
    #[test]
    fn statistics_are_eight_numbers() {
        let volume = |frames, bytes| Volume {
            messages: 99,
            frames,
            bytes,
        };
        let side = |a, b, c, d| ProxySide {
            received: volume(a, b),
            sent: volume(c, d),
        };
        let stats = ProxyStats {
            frontend: side(1, 2, 3, 4),
            backend: side(5, 6, 7, 8),
            ..ProxyStats::default()
        };
        let expected = (1..=8_u64).map(|number| Frame::from(number.to_ne_bytes()));
        assert!(encode(&stats).into_iter().eq(expected));
    }
}
