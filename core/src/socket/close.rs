//! The end of a socket: [`Owned`], [`Closing`], and how what is queued drains.

use std::ops::Deref;
use std::sync::Arc;

use tokio::sync::OnceCell;
use tokio::time::{Instant, sleep, sleep_until};

use super::core::{Core, Phase};
use crate::error::CloseReport;
use crate::io::inproc;
use crate::monitor::{DisconnectReason, DropReason};
use crate::options::Linger;
use crate::pipe::Pipe;
use crate::watch;

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
        self.core.close(linger).await
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
        drop(core.close(linger));
    }
}

/// How a socket closes, whoever wants it to: its owner, its context, or both.
#[derive(Debug, Default)]
pub(crate) struct Closing {
    /// Until when what is queued may still go out; none for ever.
    until: watch::Sender<Option<Instant>>,
    report: OnceCell<CloseReport>,
}

impl Closing {
    /// Lets nothing go out after the linger time from now on; what was shorter stays so.
    fn shorten(&self, linger: Linger) {
        let now = Instant::now();
        let end = match linger {
            Linger::Discard => Some(now),
            Linger::For(limit) => now.checked_add(limit),
            Linger::Forever => None,
        };
        if let Some(end) = end {
            self.until.send_modify(|until| {
                *until = Some(until.map_or(end, |until| until.min(end)));
            });
        }
    }

    /// Waits until nothing may go out any more.
    async fn is_over(&self) {
        let mut until = self.until.subscribe();
        loop {
            let end = until.see();
            // A timer would take a moment, in which something might still go out.
            if end.is_some_and(|end| end <= Instant::now()) {
                return;
            }
            let over = async {
                match end {
                    Some(end) => sleep_until(end).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = over => return,
                // The sender is here.
                _ = until.changed() => {}
            }
        }
    }
}

impl Core {
    /// Closes the socket in the background, or lets one that closes already linger no longer than this.
    pub(crate) fn close(
        self: &Arc<Self>,
        linger: Linger,
    ) -> impl Future<Output = CloseReport> + Send + use<> {
        self.closing.shorten(linger);
        let core = Arc::clone(self);
        let closing = self.runtime.spawn({
            let core = Arc::clone(self);
            async move { *core.closing.report.get_or_init(|| close(&core)).await }
        });
        async move {
            // It fails only if the runtime is gone, and everything unsent with it.
            closing.await.unwrap_or_else(|_gone| CloseReport {
                unsent: unsent_now(&core),
            })
        }
    }

    /// Lets nobody begin anything, and wakes whoever waits.
    pub(crate) fn seal(&self) {
        self.endpoints.lock().closed = true;
        // In this order: whoever waits to send looks whether the inbox is closed.
        self.inbox.close();
        self.outbox.close();
        self.fan_out.close(self);
        self.subscriber.close();
    }
}

/// Stops everything, in order: accepting, taking messages, connections.
async fn close(core: &Arc<Core>) -> CloseReport {
    core.seal();
    let (bound, connected, leaving) = {
        let mut endpoints = core.endpoints.lock();
        let leaving = endpoints.leaving_phases();
        let connected = endpoints.take_connected(|_| true);
        (std::mem::take(&mut endpoints.bound), connected, leaving)
    };
    for endpoint in bound {
        endpoint.stop(core).await;
    }
    let links = core.links();
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
        .map(|endpoint| &*endpoint.phase)
        .chain(leaving.iter().map(|phase| &**phase))
        .chain([&core.phase]);
    let never_bound = drain(core, phases, core.closing.is_over()).await;
    if let Some(queue) = core.peers.lock().queue.take() {
        let lost = (queue.counts().queued, DropReason::LingerOver);
        core.retire(&queue, lost, None);
        pipes.push(queue);
    }
    core.events.end();
    CloseReport {
        unsent: unsent(&pipes) + never_bound + u64::from(core.requests.is_unsent()),
    }
}

/// Waits for the end of a linger time that begins now.
pub(crate) async fn lingered(linger: Linger) {
    match linger {
        Linger::Discard => {}
        Linger::For(limit) => sleep(limit).await,
        Linger::Forever => std::future::pending().await,
    }
}

/// Lets the tasks that follow `phases` drain until `over` is ready, then ends them; returns when all are gone.
///
/// Returns how many messages waited until then for an inproc name to be bound.
pub(crate) async fn drain<'a>(
    core: &Core,
    phases: impl Iterator<Item = &'a watch::Sender<Phase>> + Clone,
    over: impl Future<Output = ()>,
) -> u64 {
    let all_gone = async || {
        for phase in phases.clone() {
            phase.closed().await;
        }
    };
    let say = |what: Phase| {
        for phase in phases.clone() {
            phase.send_replace(what);
        }
        inproc::give_up(core)
    };
    say(Phase::Draining);
    tokio::select! {
        biased;
        () = over => {}
        () = all_gone() => {}
    }
    let never_bound = say(Phase::Abort);
    all_gone().await;
    never_bound
}

/// What would be lost if the socket ended now.
fn unsent_now(core: &Core) -> u64 {
    unsent(&core.pipes_at_risk()) + u64::from(core.requests.is_unsent())
}

pub(crate) fn unsent(pipes: &[Arc<Pipe>]) -> u64 {
    pipes.iter().map(|pipe| pipe.counts().queued as u64).sum()
}
