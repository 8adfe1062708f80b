//! A load-balancing broker: each request goes to the worker that has waited longest.
//!
//! ```text
//! $ cargo run --release --example lbbroker
//! listening on tcp://0.0.0.0:5555
//! listening on tcp://0.0.0.0:5556
//! ```
//!
//! Clients and workers are REQ sockets. A worker sends READY, then answers each request with its client's address, an empty
//! frame and the reply. It has no heartbeats: what a dying worker has in hand is lost, as in the guide. `mdbroker` is the
//! broker for services that shall survive.

use std::collections::VecDeque;
use std::process::ExitCode;

use clap::Parser;
use privateer::core::{Endpoint, Frame, Message, Peer, PeerEvent, RouterSocket, RoutingId};

mod common {
    pub(crate) mod listening;
    pub(crate) mod program;
}

use common::listening::listening;
use common::program::{Result, Stop, run};

/// Gives requests to the workers that are ready.
#[derive(Parser)]
#[command(
    name = "lbbroker",
    after_help = "Example: lbbroker --frontend tcp://*:5555 --backend tcp://*:5556"
)]
struct Options {
    /// Where clients connect
    #[arg(long, value_name = "EP", default_value = "tcp://*:5555")]
    frontend: Endpoint,
    /// Where workers connect
    #[arg(long, value_name = "EP", default_value = "tcp://*:5556")]
    backend: Endpoint,
    /// Nothing more is printed; here for scripts that give it to every program
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    run(balance)
}

async fn balance(options: Options, stop: Stop) -> Result {
    let _prints_nothing_more = options.json;
    let (frontend, backend) = (RouterSocket::new()?, RouterSocket::new()?);
    listening(&frontend.bind(options.frontend).await?)?;
    listening(&backend.bind(options.backend).await?)?;
    // The one that has waited longest first.
    let mut ready: VecDeque<Peer> = VecDeque::new();
    loop {
        tokio::select! {
            event = backend.recv_event() => match event? {
                PeerEvent::Message(worker, message) => {
                    answer(&frontend, message);
                    ready.push_back(worker);
                }
                PeerEvent::Down(worker) => ready.retain(|other| *other != worker),
                _ => {}
            },
            request = frontend.recv(), if !ready.is_empty() => {
                let (client, request) = request?;
                dispatch(&backend, &mut ready, &client, request);
            }
            () = stop.requested() => break,
        }
    }
    let unsent = frontend.close().await.unsent + backend.close().await.unsent;
    match unsent {
        0 => Ok(()),
        unsent => Err(format!("{unsent} messages were not sent").into()),
    }
}

/// Gives a request, with its client's address, to the next worker that is still there.
fn dispatch(backend: &RouterSocket, ready: &mut VecDeque<Peer>, client: &Peer, request: Message) {
    let address = client.routing_id().as_frame().clone();
    let envelope = [Frame::empty(), address].into_iter().chain(request);
    let Some(mut message) = Message::from_frames(envelope.collect()) else {
        return;
    };
    while let Some(worker) = ready.pop_front() {
        match backend.try_send(&worker, message) {
            Ok(()) => return,
            Err(error) => message = error.into_message(),
        }
    }
    eprintln!("a request is lost: the last worker went as it was given");
}

/// Sends a worker's reply on to its client; READY is none.
fn answer(frontend: &RouterSocket, message: Message) {
    let mut frames = message.into_frames().into_iter();
    // The delimiter, then the address.
    let Some(client) = frames.nth(1) else { return };
    if let Some(reply) = Message::from_frames(frames.collect())
        && let Err(error) = frontend.try_send(&RoutingId::from_frame(client), reply)
    {
        eprintln!("a reply is lost: {error}");
    }
}
