//! [`Ending`]: a request to end a connection, which its task follows.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

use crate::monitor::DisconnectReason;
use crate::sync::Mutex;

/// A request to end a connection.
#[derive(Debug, Default)]
pub(crate) struct Ending {
    reason: Mutex<Option<DisconnectReason>>,
    is_requested: AtomicBool,
    requested: Notify,
}

impl Ending {
    /// Asks for the end; the first reason counts.
    pub(crate) fn request(&self, reason: DisconnectReason) {
        self.reason.lock().get_or_insert(reason);
        self.is_requested.store(true, Ordering::Release);
        self.requested.notify_one();
    }

    /// Whether the end was requested.
    pub(crate) fn is_requested(&self) -> bool {
        self.is_requested.load(Ordering::Acquire)
    }

    /// Why the end was requested, if it was.
    pub(crate) fn reason(&self) -> Option<DisconnectReason> {
        *self.reason.lock()
    }

    /// Waits until the end is requested.
    pub(crate) async fn requested(&self) -> DisconnectReason {
        loop {
            if let Some(reason) = self.reason() {
                return reason;
            }
            self.requested.notified().await;
        }
    }
}
