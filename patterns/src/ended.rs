//! [`Running`] and [`Ended`]: handles learn that a role has ended, whether it was run or not.

use tokio::sync::watch;

/// What a role owns for as long as it has not ended.
#[derive(Debug)]
pub(crate) struct Running(
    #[expect(dead_code, reason = "its end is what it tells")] watch::Sender<()>,
);

/// What handles of a role have.
#[derive(Clone, Debug)]
pub(crate) struct Ended(watch::Receiver<()>);

impl Running {
    /// A role that has not ended, and what its handles get.
    pub(crate) fn new() -> (Self, Ended) {
        let (running, ended) = watch::channel(());
        (Self(running), Ended(ended))
    }
}

impl Ended {
    /// Waits until the [`Running`] is gone.
    ///
    /// Cancel safe: dropped before it is ready, nothing has changed.
    pub(crate) async fn wait(&self) {
        let mut running = self.0.clone();
        while running.changed().await.is_ok() {}
    }
}
