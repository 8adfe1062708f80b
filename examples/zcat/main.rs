//! Any socket on the command line.
//!
//! ```text
//! $ cargo run --release --example zcat -- pull --bind tcp://127.0.0.1:5557 --count 2
//! listening on tcp://127.0.0.1:5557
//! one
//! two     more
//! ```
//!
//! while another terminal has
//!
//! ```text
//! $ cargo run --release --example zcat -- push --connect tcp://127.0.0.1:5557 --send one --send two --frame more
//! ```
//!
//! A message is a line, frames are divided by a tab. `--help` tells the rest.

use std::error::Error;
use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use privateer::core::{
    Frame, Linger, Message, SendError, SendErrorKind, SocketOptions, SocketType,
};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until};

#[path = "../common"]
mod common {
    pub(crate) mod listening;
    pub(crate) mod program;
    pub(crate) mod text;
}
mod arguments;
mod outbox;
mod socket;

use arguments::Arguments;
use common::listening::listening;
use common::program::{Result, Stop, run};
use common::text::text;
use outbox::Outbox;
use socket::Socket;

/// A socket, and what is done with it.
struct Exchange {
    arguments: Arguments,
    socket: Socket,
    outbox: Outbox,
    /// The message that is sent next.
    pending: Option<Message>,
    /// A request was sent (REQ) or received (REP), and its reply was not.
    reply_due: bool,
    /// Enough peers are subscribed to the first message.
    has_subscribers: bool,
    sent: u64,
    received: u64,
}

fn main() -> ExitCode {
    run(cat)
}

async fn cat(arguments: Arguments, stop: Stop) -> Result {
    arguments.check()?;
    let timeout = arguments.timeout;
    let mut exchange = Exchange::open(arguments).await?;
    let mut peers = exchange.socket.monitor();
    let mut deadline = timeout.map(|timeout| Instant::now() + timeout);
    let mut stopped = false;
    while !stopped && !exchange.is_done() {
        let (has_peers, activity) = (exchange.has_peers(), exchange.sent + exchange.received);
        let (sends, receives) = (exchange.may_send(), exchange.may_receive());
        tokio::select! {
            () = stop.requested(), if !exchange.is_answering() => stopped = true,
            () = expired(deadline) => return Err("nothing was sent or received in time".into()),
            _event = peers.next(), if !has_peers => {}
            () = exchange.socket.wait_for(&exchange.pending, exchange.arguments.wait_peers), if !has_peers => exchange.has_subscribers = true,
            message = exchange.socket.recv(), if receives => exchange.take(message?)?,
            message = exchange.outbox.next(), if sends && exchange.pending.is_none() => exchange.pending = message,
            sent = exchange.socket.send(&exchange.pending), if has_peers && sends && exchange.pending.is_some() => exchange.confirm(sent)?,
        }
        if exchange.sent + exchange.received > activity {
            deadline = timeout.map(|timeout| Instant::now() + timeout);
        }
    }
    let linger = match timeout {
        _ if stopped || exchange.sent == 0 => Linger::For(Duration::from_secs(1)),
        Some(timeout) => Linger::For(timeout),
        None => Linger::Forever,
    };
    let unsent = tokio::select! {
        report = exchange.socket.close(linger) => report.unsent,
        () = stop.requested(), if !stopped => return Err("not all messages were sent".into()),
    };
    match unsent {
        0 => Ok(()),
        _ => Err(format!("{unsent} messages were not sent").into()),
    }
}

impl Exchange {
    async fn open(mut arguments: Arguments) -> std::result::Result<Self, Box<dyn Error>> {
        let mut options = SocketOptions::new();
        if let Some(id) = arguments.routing_id.take() {
            options = options.routing_id(id);
        }
        if arguments.echo {
            // To send a notification back, which is empty, would close the connection.
            options = options.stream_notify(false);
        }
        if !arguments.correlate {
            options = options.req_lockstep();
        }
        let socket = Socket::new(arguments.socket, options)?;
        let subscribes = matches!(arguments.socket, SocketType::Sub | SocketType::Collector);
        if subscribes && arguments.subscribe.is_empty() {
            arguments.subscribe.push(String::new());
        }
        for topic in &arguments.subscribe {
            socket.subscribe(topic)?;
        }
        for endpoint in &arguments.bind {
            listening(&socket.bind(endpoint).await?)?;
        }
        for endpoint in &arguments.connect {
            socket.connect(endpoint)?;
        }
        let outbox = Outbox::new(&mut arguments);
        Ok(Self {
            arguments,
            socket,
            outbox,
            pending: None,
            reply_due: false,
            has_subscribers: false,
            sent: 0,
            received: 0,
        })
    }

    /// Whether all is sent and received that was asked for.
    fn is_done(&self) -> bool {
        let all_sent = self.pending.is_none() && self.outbox.is_empty();
        let counts = |messages| self.arguments.count.is_some_and(|count| messages >= count);
        match self.arguments.socket {
            SocketType::Push | SocketType::Pub => counts(self.sent) || all_sent,
            SocketType::Req => !self.reply_due && (counts(self.received) || all_sent),
            SocketType::Rep if counts(self.received) => !self.reply_due,
            _ if counts(self.received) => all_sent || self.outbox.is_endless(),
            SocketType::Rep => self.outbox.was_given() && all_sent,
            _ => self.outbox.was_given() && all_sent && self.arguments.count.is_none(),
        }
    }

    fn has_peers(&self) -> bool {
        match (self.arguments.wait_peers, self.arguments.socket) {
            (0, _) => true,
            (_, SocketType::Pub | SocketType::Xpub) => self.has_subscribers,
            (peers, _) => self.socket.peers() >= peers,
        }
    }

    fn may_send(&self) -> bool {
        match self.arguments.socket {
            SocketType::Req => !self.reply_due,
            SocketType::Rep => self.reply_due,
            _ => self.pending.is_some() || !self.outbox.is_empty(),
        }
    }

    fn may_receive(&self) -> bool {
        match self.arguments.socket {
            SocketType::Req => self.reply_due,
            SocketType::Rep => !self.reply_due,
            // What is sent back does not pile up.
            _ => !self.arguments.echo || self.pending.is_none(),
        }
    }

    /// Whether a reply is on its way, which is not left unsent.
    fn is_answering(&self) -> bool {
        self.arguments.socket == SocketType::Rep && self.pending.is_some()
    }

    fn take(&mut self, message: Message) -> Result {
        self.received += 1;
        self.reply_due = self.arguments.socket == SocketType::Rep;
        let line = match self.arguments.json {
            true => json(&message),
            false => text(&message),
        };
        writeln!(std::io::stdout(), "{line}")?;
        if self.arguments.echo {
            self.pending = Some(message);
        }
        Ok(())
    }

    fn confirm(&mut self, sent: std::result::Result<(), SendError>) -> Result {
        match sent {
            Ok(()) => self.sent += 1,
            Err(error) if self.arguments.echo && error.kind() == SendErrorKind::Unroutable => {
                eprintln!("a peer is gone; its message was not sent back");
            }
            Err(error) => return Err(error.into()),
        }
        self.pending = None;
        self.reply_due = self.arguments.socket == SocketType::Req;
        Ok(())
    }
}

async fn expired(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// A message as an array of its frames; one that is not UTF-8 in hexadecimal digits.
fn json(message: &Message) -> String {
    let frame = |frame: &Frame| match std::str::from_utf8(frame) {
        Ok(text) => json!(text),
        Err(_) => {
            json!({ "hex": frame.iter().map(|byte| format!("{byte:02x}")).collect::<String>() })
        }
    };
    Value::from_iter(message.frames().iter().map(frame)).to_string()
}
