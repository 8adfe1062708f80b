//! [`Events`]: a subscription to what happens in a role.

use tokio::sync::broadcast;

/// Events that a subscription holds; a reader that is slower loses the oldest and is told how many.
const EVENTS: usize = 1024;

/// A subscription to what happens in a broker, a worker or a client. Any number may exist; none of them ever holds the
/// role up.
#[derive(Debug)]
pub struct Events<T>(broadcast::Receiver<T>);

impl<T: Clone> Events<T> {
    /// The next event; none once the role has ended.
    ///
    /// # Errors
    /// [`Lagged`](crate::core::Lagged) if more than 1,024 events came since the last call; the next call goes on with
    /// the oldest that is left. There is no other.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, it has taken no event.
    pub async fn next(&mut self) -> Result<Option<T>, crate::core::Lagged> {
        match self.0.recv().await {
            Ok(event) => Ok(Some(event)),
            Err(broadcast::error::RecvError::Closed) => Ok(None),
            Err(broadcast::error::RecvError::Lagged(lost)) => Err(crate::core::Lagged(lost)),
        }
    }
}

/// Where a role tells its events.
#[derive(Clone, Debug)]
pub(crate) struct EventSource<T>(broadcast::Sender<T>);

impl<T: Clone> EventSource<T> {
    pub(crate) fn new() -> Self {
        Self(broadcast::Sender::new(EVENTS))
    }

    pub(crate) fn subscribe(&self) -> Events<T> {
        Events(self.0.subscribe())
    }

    pub(crate) fn tell(&self, event: T) {
        // Nobody may be listening.
        let _unheard = self.0.send(event);
    }
}
