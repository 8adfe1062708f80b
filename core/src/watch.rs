//! A value that tasks watch, as Tokio's `watch`, except that who waits is woken in the order in which they began to wait.
//!
//! Tokio's order is random, and a simulation has to be the same every time.

use std::pin::pin;
use std::sync::Arc;

use tokio::sync::Notify;

use crate::sync::Mutex;

/// Changes the value.
#[derive(Debug)]
pub(crate) struct Sender<T>(Arc<Shared<T>>);

/// Sees the value and its changes.
#[derive(Debug)]
pub(crate) struct Receiver<T> {
    shared: Arc<Shared<T>>,
    /// The last version that it has seen.
    seen: u64,
}

#[derive(Debug)]
struct Shared<T> {
    state: Mutex<State<T>>,
    /// There is another value, or will be none any more.
    changed: Notify,
    /// Nobody watches any more.
    unwatched: Notify,
}

#[derive(Debug)]
struct State<T> {
    value: T,
    version: u64,
    receivers: usize,
    /// The sender is gone.
    is_final: bool,
}

/// The sender is gone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gone;

pub(crate) fn channel<T: Copy>(value: T) -> (Sender<T>, Receiver<T>) {
    let sender = Sender::new(value);
    let receiver = sender.subscribe();
    (sender, receiver)
}

impl<T: Copy + Default> Default for Sender<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T: Copy> Sender<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(Arc::new(Shared {
            state: Mutex::new(State {
                value,
                version: 0,
                receivers: 0,
                is_final: false,
            }),
            changed: Notify::new(),
            unwatched: Notify::new(),
        }))
    }

    /// One that has seen the value that there is.
    pub(crate) fn subscribe(&self) -> Receiver<T> {
        let mut state = self.0.state.lock();
        state.receivers += 1;
        Receiver {
            shared: Arc::clone(&self.0),
            seen: state.version,
        }
    }

    pub(crate) fn send_replace(&self, value: T) {
        self.send_modify(|old| *old = value);
    }

    pub(crate) fn send_modify(&self, modify: impl FnOnce(&mut T)) {
        {
            let mut state = self.0.state.lock();
            modify(&mut state.value);
            state.version += 1;
        }
        self.0.changed.notify_waiters();
    }

    /// Waits until nobody watches.
    ///
    /// Cancel safe: it changes nothing.
    pub(crate) async fn closed(&self) {
        loop {
            let mut unwatched = pin!(self.0.unwatched.notified());
            unwatched.as_mut().enable();
            if self.0.state.lock().receivers == 0 {
                return;
            }
            unwatched.await;
        }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.0.state.lock().is_final = true;
        self.0.changed.notify_waiters();
    }
}

impl<T: Copy> Receiver<T> {
    pub(crate) fn get(&self) -> T {
        self.shared.state.lock().value
    }

    /// The value, which counts as seen.
    pub(crate) fn see(&mut self) -> T {
        let state = self.shared.state.lock();
        self.seen = state.version;
        state.value
    }

    /// Whether the value is no more the one that was seen.
    pub(crate) fn has_changed(&self) -> Result<bool, Gone> {
        let state = self.shared.state.lock();
        if state.is_final {
            return Err(Gone);
        }
        Ok(state.version != self.seen)
    }

    /// Waits for a value that was not seen, which counts as seen then.
    ///
    /// Cancel safe: dropped before it is ready, it has seen nothing.
    pub(crate) async fn changed(&mut self) -> Result<(), Gone> {
        let shared = Arc::clone(&self.shared);
        loop {
            let mut changed = pin!(shared.changed.notified());
            changed.as_mut().enable();
            {
                let state = shared.state.lock();
                if state.version != self.seen {
                    self.seen = state.version;
                    return Ok(());
                }
                if state.is_final {
                    return Err(Gone);
                }
            }
            changed.await;
        }
    }

    /// Waits for a value such as this, seen or not.
    ///
    /// Cancel safe: dropped before it is ready, the value may count as seen.
    pub(crate) async fn wait_for(&mut self, is_it: impl Fn(&T) -> bool) -> Result<T, Gone> {
        loop {
            let value = self.see();
            if is_it(&value) {
                return Ok(value);
            }
            self.changed().await?;
        }
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        let is_last = {
            let mut state = self.shared.state.lock();
            state.receivers -= 1;
            state.receivers == 0
        };
        if is_last {
            self.shared.unwatched.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Who began to wait first is woken first.
    #[tokio::test]
    async fn waiters_are_woken_in_order() {
        let sender = Sender::new(0);
        let (put, mut take) = tokio::sync::mpsc::unbounded_channel();
        for number in 0..50 {
            let (mut receiver, put) = (sender.subscribe(), put.clone());
            tokio::spawn(async move {
                while receiver.changed().await.is_ok() {
                    put.send(number).unwrap();
                }
            });
        }
        for round in 1..4 {
            tokio::task::yield_now().await;
            sender.send_replace(round);
            for number in 0..50 {
                assert_eq!(take.recv().await, Some(number));
            }
        }
    }

    /// A change that nobody waited for is seen; the last one also when the sender is gone.
    #[tokio::test]
    async fn no_change_is_missed() {
        let (sender, mut receiver) = channel(0);
        assert!(!receiver.has_changed().unwrap());
        sender.send_replace(1);
        assert!(receiver.has_changed().unwrap());
        receiver.changed().await.unwrap();
        assert_eq!(receiver.get(), 1);
        sender.send_replace(2);
        drop(sender);
        assert!(receiver.has_changed().is_err());
        receiver.changed().await.unwrap();
        assert_eq!(receiver.see(), 2);
        assert!(receiver.changed().await.is_err());
        assert_eq!(receiver.wait_for(|value| *value == 2).await.unwrap(), 2);
        assert!(receiver.wait_for(|value| *value == 3).await.is_err());
    }

    /// `closed` waits for the last receiver.
    #[tokio::test]
    async fn the_end_of_the_last_receiver_is_noticed() {
        let (sender, receiver) = channel(0);
        let other = sender.subscribe();
        drop(receiver);
        let closed = tokio::spawn(async move { sender.closed().await });
        tokio::task::yield_now().await;
        assert!(!closed.is_finished());
        drop(other);
        closed.await.unwrap();
    }
}
