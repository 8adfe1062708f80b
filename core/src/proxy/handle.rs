//! [`ProxyHandle`]: watches and steers a running proxy.

use std::pin::pin;
use std::sync::Arc;

use tokio::sync::{Notify, watch};
use tokio::task::coop::consume_budget;
use tokio::task::{JoinSet, yield_now};

use super::control::{self, ControlSocket};
use super::passage::{Gate, Obstacle, Passage};
use super::sockets::TapSocket;
use super::{ProxyEnd, ProxySide, ProxyStats};
use crate::socket::core::Core;

/// Watches and steers a [`Proxy`](super::Proxy). Cheap to clone.
#[derive(Clone, Debug)]
pub struct ProxyHandle(pub(super) Arc<Shared>);

/// What a proxy and its handles share.
#[derive(Debug)]
pub(super) struct Shared {
    forth: Passage,
    back: Option<Passage>,
    gate: Gate,
    stop: Notify,
    ended: watch::Sender<bool>,
}

impl ProxyHandle {
    /// Passes nothing on until [`resume`](Self::resume); what is received waits, up to the high-water marks.
    ///
    /// When this returns, no message is passed on any more.
    pub fn pause(&self) {
        self.0.pause();
    }

    /// Takes [`pause`](Self::pause) back.
    pub fn resume(&self) {
        self.0.gate.open();
    }

    /// Whether the proxy is paused, by whichever handle or program.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.0.gate.is_closed()
    }

    /// What the proxy has counted.
    #[must_use]
    pub fn stats(&self) -> ProxyStats {
        self.0.stats()
    }

    /// Ends the proxy; its [report](super::ProxyReport) gives the sockets back, with all that they have received.
    ///
    /// A proxy that does not run yet ends as soon as it runs.
    pub fn stop(&self) {
        self.0.stop.notify_one();
    }

    /// Waits until the proxy has ended, or it or its future was dropped.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, nothing has changed.
    pub async fn ended(&self) {
        let mut ended = self.0.ended.subscribe();
        // The sender is in `self`, so it cannot be gone.
        let _gone = ended.wait_for(|ended| *ended).await;
    }
}

impl Shared {
    pub(super) fn new(forth: Passage, back: Option<Passage>) -> Self {
        Self {
            forth,
            back,
            gate: Gate::default(),
            stop: Notify::new(),
            ended: watch::Sender::new(false),
        }
    }

    /// Runs to the end, and tells why it ended.
    pub(super) async fn run(
        &self,
        control: Option<&ControlSocket>,
        taps: &[TapSocket],
    ) -> ProxyEnd {
        let taps: Vec<Arc<Core>> = taps.iter().map(|tap| Arc::clone(tap.core())).collect();
        tokio::select! {
            () = self.stop.notified() => ProxyEnd::Stopped,
            () = control::serve(control, self) => ProxyEnd::Terminated,
            () = self.pass(&taps) => ProxyEnd::SocketClosed,
        }
    }

    /// Passes messages on, a burst in each direction in turn, until one of the two sockets is closed.
    ///
    /// Cancel safe: messages that are not passed on are where they were.
    async fn pass(&self, taps: &[Arc<Core>]) {
        let mut waits = JoinSet::new();
        let mut closed = pin!(self.forth.until_closed());
        let nothing = Notify::new();
        loop {
            consume_budget().await;
            while waits.try_join_next().is_some() {}
            let (forth, back) = self.burst(taps, &mut waits);
            let (Some(obstacle), Some(behind)) = (forth, back) else {
                // Sessions bring and take more.
                yield_now().await;
                continue;
            };
            let mut ahead = pin!(self.forth.change_of(obstacle, &self.gate).notified());
            ahead.as_mut().enable();
            let change = |back| Passage::change_of(back, behind, &self.gate);
            let mut behind = pin!(self.back.as_ref().map_or(&nothing, change).notified());
            behind.as_mut().enable();
            // What changed before that, nobody tells.
            if self.burst(taps, &mut waits) != (forth, back) {
                continue;
            }
            if self.passages().any(Passage::is_closed) {
                return;
            }
            tokio::select! {
                () = ahead => {}
                () = behind => {}
                () = &mut closed => {}
            }
        }
    }

    /// A burst in each direction, and what stopped it before it was used up.
    fn burst(
        &self,
        taps: &[Arc<Core>],
        waits: &mut JoinSet<()>,
    ) -> (Option<Obstacle>, Option<Obstacle>) {
        let forth = self.forth.burst(&self.gate, taps, waits);
        let back = match &self.back {
            Some(back) => back.burst(&self.gate, taps, waits),
            None => Some(Obstacle::NothingToSend),
        };
        (forth, back)
    }

    fn passages(&self) -> impl Iterator<Item = &Passage> {
        [&self.forth].into_iter().chain(&self.back)
    }

    /// Closes the gate, and waits for bursts that are in it.
    pub(super) fn pause(&self) {
        self.gate.close();
        self.passages().for_each(Passage::settle);
    }

    pub(super) fn resume(&self) {
        self.gate.open();
    }

    pub(super) fn stats(&self) -> ProxyStats {
        let forth = self.forth.tally();
        let back = self.back.as_ref().map(Passage::tally).unwrap_or_default();
        ProxyStats {
            frontend: ProxySide {
                received: forth.received,
                sent: back.sent,
            },
            backend: ProxySide {
                received: back.received,
                sent: forth.sent,
            },
            dropped: forth.dropped + back.dropped,
            tap_dropped: forth.tap_dropped + back.tap_dropped,
        }
    }
}

/// The end of a proxy, also if its future was dropped, or it never ran.
#[derive(Debug)]
pub(super) struct Ended(pub(super) Arc<Shared>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.passages().for_each(Passage::leave);
        self.0.ended.send_replace(true);
    }
}
