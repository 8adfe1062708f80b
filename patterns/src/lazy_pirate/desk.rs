//! [`Desk`]: what a server has in hand, and to whom it owes each answer.

use std::collections::HashMap;

use privateer_core::{Message, Peer};
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::Instant;

use crate::idempotency::{Calls, Found, IdempotencyKey, ReplyCacheOptions, join};
use crate::paranoid_pirate::protocol::ClientMessage;

/// Requests that are worked on. Those that repeat a call with a key wait for its answer, or get it at once.
#[derive(Debug)]
pub(super) struct Desk {
    working: JoinSet<Message>,
    jobs: HashMap<Id, Job>,
    calls: Calls<Id>,
}

#[derive(Debug)]
struct Job {
    key: Option<IdempotencyKey>,
    /// Who asked: once, or more often if it is repeated.
    routes: Vec<Route>,
}

/// Where an answer goes: a client, and the envelope of its request.
pub(super) type Route = (Peer, Option<Message>);

/// What becomes of a request.
#[derive(Debug)]
pub(super) enum Placed {
    /// It is worked on.
    New,
    /// It repeats one that is worked on, and waits for the same answer. The oldest of too many that wait is forgotten.
    Joined { forgot_one: bool },
    /// It repeats one that was answered with this.
    Repeated(Route, Message),
}

impl Desk {
    pub(super) fn new(cache: ReplyCacheOptions) -> Self {
        Self {
            working: JoinSet::new(),
            jobs: HashMap::new(),
            calls: Calls::new(cache),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.working.len()
    }

    /// Starts to work on a request if it repeats none that is known.
    pub(super) fn place<F>(
        &mut self,
        client: Peer,
        request: ClientMessage,
        work: impl FnOnce(Message) -> F + Send + 'static,
    ) -> Placed
    where
        F: Future<Output = Message> + Send + 'static,
    {
        let key = IdempotencyKey::read(request.envelope.as_ref());
        let route = (client, request.envelope.map(Message::detach));
        match key.map_or(Found::New, |key| {
            self.calls.find(Instant::now().into_std(), key)
        }) {
            Found::InHand(id) => Placed::Joined {
                forgot_one: self.join(id, route),
            },
            Found::Answered(reply) => Placed::Repeated(route, reply),
            Found::New | Found::Failed => {
                // In the task: if the handler panics before it has a future, that is the same.
                let task = async move { work(request.body).await };
                let id = self.working.spawn(task).id();
                let routes = vec![route];
                self.jobs.insert(id, Job { key, routes });
                if let Some(key) = key {
                    self.calls.begin(key, id);
                }
                Placed::New
            }
        }
    }

    fn join(&mut self, id: Id, route: Route) -> bool {
        let Some(job) = self.jobs.get_mut(&id) else {
            return true;
        };
        join(&mut job.routes, route).is_some()
    }

    /// The next answer, and where it goes; no answer if its handler panicked. Nothing if there is no request in hand.
    ///
    /// Cancel safe: dropped before it is ready, it has taken nothing.
    pub(super) async fn next(&mut self) -> Option<(Vec<Route>, Option<Message>)> {
        let done = self.working.join_next_with_id().await?;
        let (id, reply) = match done {
            Ok((id, reply)) => (id, Some(reply)),
            Err(error) => (JoinError::id(&error), None),
        };
        let job = self.jobs.remove(&id)?;
        match (job.key, &reply) {
            (Some(key), Some(reply)) => {
                self.calls.answered(Instant::now().into_std(), key, reply);
            }
            (Some(key), None) => self.calls.forget(key),
            (None, _) => {}
        }
        Some((job.routes, reply))
    }
}
