//! The end of a socket: [`Owned`], and how what is queued drains.

use std::ops::Deref;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::time::timeout;

use super::core::{Core, Phase};
use crate::error::CloseReport;
use crate::monitor::DisconnectReason;
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
            unsent: unsent(&core.outbound_pipes()),
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
        let linger = core.options.linger;
        let unsent = unsent(&core.outbound_pipes());
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
    let pipes = core.outbound_pipes();
    let (bound, connected) = {
        let mut endpoints = core.endpoints.lock();
        endpoints.closed = true;
        (
            std::mem::take(&mut endpoints.bound),
            std::mem::take(&mut endpoints.connected),
        )
    };
    for endpoint in bound {
        endpoint.stop(&core).await;
    }
    core.outbox.close();
    core.inbox.close();
    let links: Vec<_> = core.peers.lock().by_id.values().cloned().collect();
    // What is in a pipe between two sockets of this process, the other one can still receive.
    let delivered = |pipe: &Arc<Pipe>| {
        links
            .iter()
            .any(|link| link.partner.get().is_some() && Arc::ptr_eq(&link.outbound, pipe))
    };
    let pipes: Vec<_> = pipes.into_iter().filter(|pipe| !delivered(pipe)).collect();
    for pipe in &pipes {
        pipe.finish();
    }
    for link in &links {
        link.inbound.finish();
        link.outbound.finish();
        if link.partner.get().is_some() {
            core.end(link, DisconnectReason::ClosedHere);
        }
    }
    let phases = connected
        .iter()
        .map(|endpoint| &endpoint.phase)
        .chain([&core.phase]);
    drain(phases, linger).await;
    CloseReport {
        unsent: unsent(&pipes),
    }
}

/// Lets the tasks that follow `phases` drain for as long as `linger` allows, then ends them; returns when all are gone.
pub(crate) async fn drain<'a>(
    phases: impl Iterator<Item = &'a watch::Sender<Phase>> + Clone,
    linger: Linger,
) {
    let all_gone = async |phases| {
        for phase in phases {
            watch::Sender::closed(phase).await;
        }
    };
    let say = |what: Phase| {
        for phase in phases.clone() {
            phase.send_replace(what);
        }
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
    say(Phase::Abort);
    all_gone(phases).await;
}

fn unsent(pipes: &[Arc<Pipe>]) -> u64 {
    pipes.iter().map(|pipe| pipe.counts().queued as u64).sum()
}
