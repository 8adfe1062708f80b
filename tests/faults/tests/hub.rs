//! A broker in this process, which can be asked what it sees, and puppets.

use std::num::NonZeroU32;
use std::path::Path;
use std::time::Duration;

use privateer::core::Endpoint;
use privateer::majordomo::broker::{BrokerEvent, BrokerOptions, BrokerStats, Departure};
use privateer::majordomo::client::CallOptions;
use privateer::{Broker, BrokerHandle, Client, Events};
use privateer_faults::{Process, soon, until};

/// The interval of heartbeats in tests that wait for their absence.
pub(crate) const INTERVAL: Duration = Duration::from_millis(300);

/// The same as an argument.
pub(crate) const HEARTBEAT: [&str; 2] = ["--heartbeat", "300"];

/// After how many silent intervals a worker is presumed dead.
pub(crate) const LIVENESS: u32 = 3;

/// A running broker.
#[derive(Debug)]
pub(crate) struct Hub {
    pub(crate) endpoint: Endpoint,
    pub(crate) handle: BrokerHandle,
    events: Events<BrokerEvent>,
}

impl Hub {
    pub(crate) async fn start() -> Self {
        Self::with_liveness(LIVENESS).await
    }

    pub(crate) async fn with_liveness(intervals: u32) -> Self {
        let options = BrokerOptions::default()
            .heartbeat_interval(INTERVAL)
            .liveness(NonZeroU32::new(intervals).unwrap());
        let mut broker = Broker::with_options(options).unwrap();
        let endpoint = broker.listen("tcp://127.0.0.1:*").await.unwrap();
        let handle = broker.handle();
        let events = handle.events();
        tokio::spawn(broker.run());
        Self {
            endpoint,
            handle,
            events,
        }
    }

    pub(crate) fn stats(&self) -> BrokerStats {
        self.handle.stats()
    }

    /// A client whose calls wait for as long as it takes.
    pub(crate) fn client(&self) -> Client {
        patient_client(&self.endpoint)
    }

    /// Waits until a worker is lost, and tells how.
    pub(crate) async fn loss(&mut self) -> Departure {
        loop {
            let event = self.events.next().await.unwrap().unwrap();
            if let BrokerEvent::WorkerLost { departure, .. } = event {
                return departure;
            }
        }
    }

    /// Waits until so many workers are registered.
    pub(crate) async fn workers(&self, count: usize) {
        until(|| self.stats().workers == count).await;
    }
}

/// A client whose calls wait for as long as it takes.
pub(crate) fn patient_client(broker: &Endpoint) -> Client {
    let options = CallOptions::default().attempt_timeout(None);
    Client::connect(broker).unwrap().call_options(options)
}

/// A puppet that offers `echo`, once it has said READY.
pub(crate) async fn puppet(broker: &Endpoint, arguments: &[&str]) -> Process {
    let broker = broker.to_string();
    let arguments = [&[&*broker, "echo"], arguments].concat();
    let mut puppet = Process::start(Path::new(env!("CARGO_BIN_EXE_puppet")), &arguments);
    soon(puppet.expect("event Registered")).await;
    puppet
}
