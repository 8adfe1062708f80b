//! [`LazyPirateServer`]: answers requests of REQ sockets and of Lazy Pirates.

use std::future::Future;
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use privateer_core::{Endpoint, EndpointError, Message, Peer, RouterSocket, SocketOptions};
use tokio::sync::Notify;
use tokio::time::timeout;

use super::desk::{Desk, Placed, Route};
use super::{LazyPirateError, PATTERN};
use crate::announcement::{PROPERTY, announce};
use crate::idempotency::ReplyCacheOptions;
use crate::paranoid_pirate::protocol::{ClientMessage, MAX_FRAMES};

/// A server of one kind of work: answers each request with what its handler makes of it, several at a time.
///
/// Envelopes come back untouched, so clients may be REQ sockets that correlate or not, Lazy Pirates, and queues. A Lazy
/// Pirate's tries have its call's key with them: the handler works on a call once, and later tries get the same answer.
#[derive(Debug)]
pub struct LazyPirateServer {
    router: RouterSocket,
    endpoint: Endpoint,
    handler: Handler,
    capacity: usize,
    cache: ReplyCacheOptions,
    drain: Duration,
    shared: Arc<Shared>,
}

/// Watches a running server, and stops it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ServerHandle(Arc<Shared>);

/// What a server counted since it was made, and what it holds now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerStats {
    /// Requests that were read.
    pub requests: u64,
    /// Those of them that repeat a call which is in hand, or was answered: they are not worked on.
    pub repeated: u64,
    /// Replies that were sent.
    pub replies: u64,
    /// Replies that were dropped since their clients were gone.
    pub client_gone: u64,
    /// Replies that were dropped since their clients did not take them.
    pub client_full: u64,
    /// Requests that get no reply since the same call was asked for eight times after them, before it was answered.
    pub forgotten: u64,
    /// Requests whose handlers panicked: their clients try again.
    pub panicked: u64,
    /// Messages that are no requests.
    pub malformed: u64,
    /// Requests that are worked on, now.
    pub in_hand: usize,
}

#[derive(Debug, Default)]
struct Shared {
    stats: Mutex<ServerStats>,
    stop: Notify,
}

type Answer = Pin<Box<dyn Future<Output = Message> + Send>>;

/// What a request becomes.
#[derive(Clone)]
struct Handler(Arc<dyn Fn(Message) -> Answer + Send + Sync>);

/// How many requests are worked on at a time, if nothing else is said.
const CAPACITY: usize = 256;
/// How long requests in hand may still be answered when a server is stopped.
const DRAIN: Duration = Duration::from_secs(5);

impl LazyPirateServer {
    /// A server that listens on an endpoint.
    ///
    /// # Errors
    /// [`LazyPirateError`] if there is no Tokio runtime, or the endpoint is none or cannot be bound; there is no other here.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, it does not listen.
    pub async fn bind<E, F, A>(endpoint: E, handler: F) -> Result<Self, LazyPirateError>
    where
        E: TryInto<Endpoint>,
        E::Error: Into<EndpointError>,
        F: Fn(Message) -> A + Send + Sync + 'static,
        A: Future<Output = Message> + Send + 'static,
    {
        let options = SocketOptions::new()
            .router_names_all()
            .property(PROPERTY, announce(&[PATTERN.to_owned()]))
            .unwrap_or_default();
        let router = RouterSocket::with_options(options)?;
        let endpoint = router.bind(endpoint).await?;
        let handler = move |request| -> Answer { Box::pin(handler(request)) };
        Ok(Self {
            router,
            endpoint,
            handler: Handler(Arc::new(handler)),
            capacity: CAPACITY,
            cache: ReplyCacheOptions::default(),
            drain: DRAIN,
            shared: Arc::default(),
        })
    }

    /// How many requests it works on at a time; others wait in their clients' connections.
    /// - Unit: requests    - Default: 256    - Range: 1 and up
    #[must_use]
    pub const fn capacity(mut self, requests: NonZeroUsize) -> Self {
        self.capacity = requests.get();
        self
    }

    /// Which answers are kept for callers that ask again.
    #[must_use]
    pub const fn reply_cache(mut self, cache: ReplyCacheOptions) -> Self {
        self.cache = cache;
        self
    }

    /// How long requests in hand may still be answered once the server is stopped.
    /// - Default: 5 s
    #[must_use]
    pub const fn drain(mut self, limit: Duration) -> Self {
        self.drain = limit;
        self
    }

    /// Where it listens, with wildcards resolved.
    #[must_use]
    pub const fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// A handle that watches and stops the server.
    #[must_use]
    pub fn handle(&self) -> ServerHandle {
        ServerHandle(Arc::clone(&self.shared))
    }

    /// Runs until [`ServerHandle::stop`]: then it reads no more requests, answers those in hand, and closes.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, the server ends at once; clients send again what was in hand, to the next one.
    pub async fn run(self) -> ServerStats {
        let mut desk = Desk::new(self.cache);
        loop {
            let has_room = desk.len() < self.capacity;
            tokio::select! {
                () = self.shared.stop.notified() => break,
                Some((routes, reply)) = desk.next() => self.answered(routes, reply.as_ref()),
                request = self.router.recv(), if has_room => match request {
                    Ok((client, request)) => self.begin(&mut desk, client, request),
                    Err(_closed) => break,
                },
            }
        }
        // It is bound, and if it were not, there would be nothing to do.
        let _unbound = self.router.unbind(&self.endpoint).await;
        let finish = async {
            while let Some((routes, reply)) = desk.next().await {
                self.answered(routes, reply.as_ref());
            }
        };
        // Whether all was answered or not, the next steps are the same.
        let _elapsed = timeout(self.drain, finish).await;
        let stats = *self.shared.stats();
        let report = self.router.close().await;
        tracing::info!(unsent = report.unsent, "server closed");
        stats
    }

    fn begin(&self, desk: &mut Desk, client: Peer, request: Message) {
        let Ok(request) = ClientMessage::read(request, MAX_FRAMES) else {
            self.shared.stats().malformed += 1;
            return;
        };
        self.shared.stats().requests += 1;
        let handler = self.handler.clone();
        match desk.place(client, request, move |request| (handler.0)(request)) {
            Placed::New => self.shared.stats().in_hand += 1,
            Placed::Joined { forgot_one } => {
                let mut stats = self.shared.stats();
                stats.repeated += 1;
                stats.forgotten += u64::from(forgot_one);
            }
            Placed::Repeated(route, reply) => {
                self.shared.stats().repeated += 1;
                self.reply(route, reply);
            }
        }
    }

    /// Sends an answer to all who asked for it; none if the handler panicked.
    fn answered(&self, routes: Vec<Route>, reply: Option<&Message>) {
        self.shared.stats().in_hand -= 1;
        for route in routes {
            match reply {
                Some(reply) => self.reply(route, reply.clone()),
                None => self.shared.stats().panicked += 1,
            }
        }
    }

    fn reply(&self, (client, envelope): Route, body: Message) {
        let message = ClientMessage { envelope, body }.into_message();
        let sent = self.router.try_send(&client, message);
        let mut stats = self.shared.stats();
        match sent {
            Ok(()) => stats.replies += 1,
            Err(error) if error.would_block() => stats.client_full += 1,
            Err(_gone) => stats.client_gone += 1,
        }
    }
}

impl ServerHandle {
    /// What the server has counted, and what it holds now.
    #[must_use]
    pub fn stats(&self) -> ServerStats {
        *self.0.stats()
    }

    /// Stops the server in an orderly way, see [`LazyPirateServer::run`].
    pub fn stop(&self) {
        self.0.stop.notify_one();
    }
}

impl Shared {
    fn stats(&self) -> MutexGuard<'_, ServerStats> {
        self.stats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Handler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Handler")
    }
}
