//! A broker of ours on a port of its own, and roles of ours that keep to its pace.

use std::num::NonZeroU16;
use std::time::Duration;

use privateer::core::{Endpoint, Message};
use privateer::majordomo::broker::{BrokerEvent, BrokerOptions, BrokerStats, ServiceOptions};
use privateer::majordomo::client::CallOptions;
use privateer::majordomo::worker::WorkerOptions;
use privateer::{Broker, BrokerHandle, Client, Events, Service, Worker};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::support::sockets::{scale, soon, until};

/// So long that no heartbeat comes between the messages that a test looks at, and nobody is presumed dead.
const PATIENT: Duration = Duration::from_secs(600);

/// A running broker.
#[derive(Debug)]
pub(crate) struct Hub {
    pub(crate) endpoint: Endpoint,
    pub(crate) handle: BrokerHandle,
    pub(crate) events: Events<BrokerEvent>,
    running: JoinHandle<BrokerStats>,
}

impl Hub {
    /// One that is patient.
    pub(crate) async fn start() -> Self {
        Self::with(patient()).await
    }

    pub(crate) async fn with(options: BrokerOptions) -> Self {
        let broker = Broker::with_options(options).unwrap();
        Self::run(broker, "tcp://127.0.0.1:*").await
    }

    pub(crate) async fn run(mut broker: Broker, endpoint: &str) -> Self {
        let endpoint = soon(broker.listen(endpoint)).await.unwrap();
        let handle = broker.handle();
        let events = handle.events();
        Self {
            endpoint,
            handle,
            events,
            running: tokio::spawn(broker.run()),
        }
    }

    pub(crate) fn stats(&self) -> BrokerStats {
        self.handle.stats()
    }

    /// What `pick` makes of the first event from here on that it takes.
    #[track_caller]
    pub(crate) fn find<T>(
        &mut self,
        mut pick: impl FnMut(BrokerEvent) -> Option<T>,
    ) -> impl Future<Output = T> {
        soon(async move {
            loop {
                let event = self.events.next().await.unwrap();
                if let Some(found) = pick(event.unwrap()) {
                    return found;
                }
            }
        })
    }

    /// Waits for an event; those before it are skipped.
    #[track_caller]
    pub(crate) fn expect(
        &mut self,
        wanted: impl Fn(&BrokerEvent) -> bool,
    ) -> impl Future<Output = BrokerEvent> {
        self.find(move |event| wanted(&event).then_some(event))
    }

    /// Waits until this many workers are registered.
    #[track_caller]
    pub(crate) fn workers(&self, count: usize) -> impl Future<Output = ()> {
        until(move || self.stats().workers == count)
    }

    /// A worker of ours in a task.
    pub(crate) fn worker(&self, service: Service) -> JoinHandle<()> {
        self.worker_with(service, patient_worker())
    }

    pub(crate) fn worker_with(&self, service: Service, options: WorkerOptions) -> JoinHandle<()> {
        let worker = Worker::connect(&self.endpoint, service)
            .unwrap()
            .options(options);
        tokio::spawn(async {
            worker.run().await.unwrap();
        })
    }

    /// A client of ours whose calls wait for as long as it takes.
    pub(crate) fn client(&self) -> Client {
        Client::connect(&self.endpoint)
            .unwrap()
            .call_options(no_limit())
    }

    /// Stops the broker and waits for its end.
    pub(crate) async fn stop(self) -> BrokerStats {
        self.handle.stop();
        soon(self.running).await.unwrap()
    }
}

/// Options of a broker that nobody has to send heartbeats to.
pub(crate) fn patient() -> BrokerOptions {
    BrokerOptions::default()
        .heartbeat_interval(PATIENT)
        .default_service(ServiceOptions::default().queue_ttl(PATIENT))
}

/// Options of a worker that needs no heartbeats.
pub(crate) fn patient_worker() -> WorkerOptions {
    WorkerOptions::default().heartbeat_interval(PATIENT)
}

/// The same with another capacity.
pub(crate) fn with_capacity(requests: u16) -> WorkerOptions {
    patient_worker().capacity(NonZeroU16::new(requests).unwrap())
}

/// Calls that wait for as long as it takes.
pub(crate) fn no_limit() -> CallOptions {
    CallOptions::default().attempt_timeout(None)
}

/// A service that answers with what it was asked.
pub(crate) fn echo(name: &'static str) -> Service {
    Service::frames(name, |request| async move { request })
}

/// A call of `echo` that is answered with what was asked.
pub(crate) async fn check(client: &Client, body: impl Into<Message>) {
    let body = body.into();
    let reply = soon(client.request("echo", body.clone())).await;
    assert_eq!(reply.unwrap(), body);
}

/// As much time as work takes that grows with the scale.
pub(crate) fn scaled(limit: Duration) -> Duration {
    limit.saturating_mul(u32::try_from(scale()).unwrap_or(u32::MAX))
}

/// Calls `echo` again and again, and is answered each time, whatever others do.
#[derive(Debug)]
pub(crate) struct Bystander {
    stop: oneshot::Sender<()>,
    calling: JoinHandle<u64>,
}

impl Bystander {
    /// Begins to call.
    pub(crate) fn of(hub: &Hub) -> Self {
        let client = hub.client();
        let (stop, mut stopped) = oneshot::channel();
        let calling = tokio::spawn(async move {
            let mut calls: u64 = 0;
            while stopped.try_recv().is_err() {
                check(&client, calls.to_string()).await;
                calls += 1;
            }
            let stats = client.stats();
            assert_eq!((stats.resent, stats.late_replies), (0, 0));
            calls
        });
        Self { stop, calling }
    }

    /// Ends, and tells how many calls there were.
    pub(crate) async fn stop(self) -> u64 {
        // If it is gone, its panic follows.
        let _gone = self.stop.send(());
        soon(self.calling).await.unwrap()
    }
}
