//! Proxies: what passes them, what holds them up, how they are steered (R09).

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

#[path = "../support/mod.rs"]
mod support;

mod flow;
mod news;
mod passing;
mod steering;
mod taps;

use std::num::NonZeroUsize;
use std::sync::Arc;

use privateer::core::{
    DealerSocket, Endpoint, Proxy, ProxyHandle, ProxyReport, PullSocket, PushSocket, RouterSocket,
    SocketOptions,
};
use tokio::task::JoinHandle;

use support::sockets::{Place, Socket, Transport, soon};

/// Both sockets of a proxy, bound, and where.
struct Sides<F, B> {
    frontend: Arc<F>,
    backend: Arc<B>,
    front: Endpoint,
    back: Endpoint,
    _places: [Place; 2],
}

type Queue = Sides<RouterSocket, DealerSocket>;
type Streamer = Sides<PullSocket, PushSocket>;
type Running<F, B> = JoinHandle<ProxyReport<Arc<F>, Arc<B>>>;

impl<F: Socket, B: Socket> Sides<F, B> {
    async fn bound(transport: Transport, options: SocketOptions) -> Self {
        let (frontend, backend) = (F::with(options.clone()), B::with(options));
        let places = [transport.place(), transport.place()];
        let [front, back] = match transport {
            Transport::Tcp => ["tcp://127.0.0.1:*"; 2],
            _ => [&*places[0].endpoint, &*places[1].endpoint],
        };
        Self {
            front: frontend.bind_to(front).await,
            back: backend.bind_to(back).await,
            frontend: Arc::new(frontend),
            backend: Arc::new(backend),
            _places: places,
        }
    }

    /// A socket that is a client's, once the proxy knows it.
    async fn client<S: Socket>(&self, options: SocketOptions) -> S {
        join(&*self.frontend, &self.front, options).await
    }

    /// A socket that is a worker's, once the proxy knows it.
    async fn worker<S: Socket>(&self, options: SocketOptions) -> S {
        join(&*self.backend, &self.back, options).await
    }
}

impl Queue {
    fn proxy(&self) -> Proxy<Arc<RouterSocket>, Arc<DealerSocket>> {
        Proxy::router_dealer(Arc::clone(&self.frontend), Arc::clone(&self.backend))
    }

    fn start(&self) -> (ProxyHandle, Running<RouterSocket, DealerSocket>) {
        let proxy = self.proxy();
        (proxy.handle(), tokio::spawn(proxy.run()))
    }
}

impl Streamer {
    fn proxy(&self) -> Proxy<Arc<PullSocket>, Arc<PushSocket>> {
        Proxy::pull_push(Arc::clone(&self.frontend), Arc::clone(&self.backend))
    }

    fn start(&self) -> (ProxyHandle, Running<PullSocket, PushSocket>) {
        let proxy = self.proxy();
        (proxy.handle(), tokio::spawn(proxy.run()))
    }
}

async fn join<S: Socket>(to: &impl Socket, endpoint: &Endpoint, options: SocketOptions) -> S {
    let socket = S::with(options);
    let mut watch = to.watch();
    socket.connect_to(endpoint);
    watch.connected().await;
    socket
}

/// Ends a proxy, and returns what it left.
async fn stop<F, B>(handle: &ProxyHandle, running: Running<F, B>) -> ProxyReport<Arc<F>, Arc<B>> {
    handle.stop();
    soon(running).await.unwrap()
}

/// Options with these high-water marks.
fn marks(messages: usize) -> SocketOptions {
    SocketOptions::new()
        .send_hwm(NonZeroUsize::new(messages))
        .recv_hwm(NonZeroUsize::new(messages))
}
