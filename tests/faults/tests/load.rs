//! Calls that go on, whatever fails.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use privateer::Client;
use privateer::majordomo::client::ClientStats;
use privateer_faults::{soon, until};
use tokio::task::JoinSet;

/// Callers that call `echo` one time after the other; each of their calls has to be answered with what it asked.
#[derive(Debug)]
pub(crate) struct Load {
    client: Client,
    callers: JoinSet<()>,
    done: Arc<AtomicBool>,
}

impl Load {
    /// Starts so many callers.
    pub(crate) fn start(client: &Client, callers: usize) -> Self {
        let mut load = Self {
            client: client.clone(),
            callers: JoinSet::new(),
            done: Arc::default(),
        };
        for caller in 0..callers {
            let (client, done) = (client.clone(), Arc::clone(&load.done));
            load.callers.spawn(async move {
                let mut call = 0;
                while !done.load(Ordering::Relaxed) {
                    let body = format!("{caller}:{call}");
                    let reply = client.request("echo", body.clone()).await.unwrap();
                    assert_eq!((reply.len(), &reply[0]), (1, &body.into()));
                    call += 1;
                }
            });
        }
        load
    }

    /// Waits until so many more calls are answered.
    pub(crate) async fn progress(&self, calls: u64) {
        let goal = self.client.stats().replies + calls;
        until(|| self.client.stats().replies >= goal).await;
    }

    /// Makes no more calls, and waits for the last ones.
    pub(crate) async fn end(self) -> ClientStats {
        self.done.store(true, Ordering::Relaxed);
        soon(self.callers.join_all()).await;
        let stats = self.client.stats();
        assert_eq!((stats.replies, stats.in_flight), (stats.calls, 0));
        stats
    }
}
