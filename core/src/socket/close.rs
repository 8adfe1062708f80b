//! The end of a socket: [`Owned`], and how what is queued drains.

use std::ops::Deref;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::time::timeout;

use super::core::{Core, Phase};
use crate::error::CloseReport;
use crate::io::inproc;
use crate::monitor::{DisconnectReason, DropReason};
use crate::options::Linger;
use crate::pipe::Pipe;

/// The owner's handle of a [`Core`]: dropping it closes the socket in the background.
#[derive(Debug)]
pub(crate) struct Owned {
    core: Arc<Core>,
    closed: bool,
}

impl Owned {
    pub(crate) const fn new(core: Arc<Core>) -> Self {
        Self {
            core,
            closed: false,
        }
    }

    pub(crate) async fn close(mut self, linger: Linger) -> CloseReport {
        self.closed = true;
        let core = Arc::clone(&self.core);
        let closing = core.runtime.spawn(close(Arc::clone(&core), linger));
        // It fails only if the runtime is gone, and everything unsent with it.
        closing.await.unwrap_or_else(|_gone| CloseReport {
            unsent: unsent_now(&core),
        })
    }
}

impl Deref for Owned {
    type Target = Arc<Core>;

    fn deref(&self) -> &Arc<Core> {
        &self.core
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        if self.closed {
            return;
        }
        let core = Arc::clone(&self.core);
        let linger = core.live.linger();
        let unsent = unsent_now(&core);
        if unsent > 0 {
            tracing::warn!(
                socket = %core.socket_type,
                unsent,
                "a socket was dropped with unsent messages; `close().await` waits for them and tells how many are lost"
            );
        }
        core.runtime.spawn(close(Arc::clone(&core), linger));
    }
}

/// Stops everything, in order: accepting, taking messages, connections.
async fn close(core: Arc<Core>, linger: Linger) -> CloseReport {
    let (bound, connected) = {
        let mut endpoints = core.endpoints.lock();
        endpoints.closed = true;
        let connected = endpoints.take_connected(|_| true);
        (std::mem::take(&mut endpoints.bound), connected)
    };
    for endpoint in bound {
        endpoint.stop(&core).await;
    }
    core.outbox.close();
    core.fan_out.close(&core);
    core.inbox.close();
    let links: Vec<_> = core.peers.lock().by_id.values().cloned().collect();
    // What another socket of this process has, it can still receive.
    let sessions = links
        .iter()
        .filter(|link| !link.is_inproc() && link.outbound_is_own);
    let of_links = sessions.map(|link| Arc::clone(&link.outbound));
    let (waiting, dialling): (Vec<_>, Vec<_>) = connected.iter().partition(|one| one.is_inproc());
    let mut pipes: Vec<_> = of_links
        .chain(dialling.iter().filter_map(|one| one.outbound.pipe()))
        .collect();
    let waiting: Vec<_> = waiting
        .iter()
        .filter_map(|one| one.outbound.pipe())
        .collect();
    let queue = core.peers.lock().queue.clone();
    for pipe in waiting.iter().chain(&pipes).chain(&queue) {
        pipe.finish();
    }
    for link in &links {
        link.inbound.finish();
        if link.is_inproc() {
            core.end(link, DisconnectReason::ClosedHere);
        }
    }
    let phases = connected
        .iter()
        .map(|endpoint| &endpoint.phase)
        .chain([&core.phase]);
    let never_bound = drain(&core, phases, linger).await;
    if let Some(queue) = core.peers.lock().queue.take() {
        let lost = (queue.counts().queued, DropReason::LingerOver);
        core.retire(&queue, lost, None);
        pipes.push(queue);
    }
    CloseReport {
        unsent: unsent(&pipes) + never_bound + u64::from(core.requests.is_unsent()),
    }
}

/// Lets the tasks that follow `phases` drain for as long as `linger` allows, then ends them; returns when all are gone.
///
/// Returns how many messages waited until then for an inproc name to be bound.
pub(crate) async fn drain<'a>(
    core: &Core,
    phases: impl Iterator<Item = &'a watch::Sender<Phase>> + Clone,
    linger: Linger,
) -> u64 {
    let all_gone = async |phases| {
        for phase in phases {
            watch::Sender::closed(phase).await;
        }
    };
    let say = |what: Phase| {
        for phase in phases.clone() {
            phase.send_replace(what);
        }
        inproc::give_up(core)
    };
    match linger {
        Linger::Discard => {}
        Linger::For(limit) => {
            say(Phase::Draining);
            // Elapsed or not, the next step is the same.
            drop(timeout(limit, all_gone(phases.clone())).await);
        }
        Linger::Forever => {
            say(Phase::Draining);
            all_gone(phases.clone()).await;
        }
    }
    let never_bound = say(Phase::Abort);
    all_gone(phases).await;
    never_bound
}

/// What would be lost if the socket ended now.
fn unsent_now(core: &Core) -> u64 {
    unsent(&core.pipes_at_risk()) + u64::from(core.requests.is_unsent())
}

pub(crate) fn unsent(pipes: &[Arc<Pipe>]) -> u64 {
    pipes.iter().map(|pipe| pipe.counts().queued as u64).sum()
}
