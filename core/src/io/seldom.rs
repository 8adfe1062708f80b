//! [`Seldom`]: a future that is polled only when it was woken itself.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use crate::sync::Mutex;

/// A future beside others in one task, polled only when it was woken itself.
///
/// A session is woken for each read and write, and the wish that it may end comes once: to ask for it each time costs more
/// than a small read.
pub(crate) struct Seldom<F> {
    future: Pin<Box<F>>,
    gate: Arc<Gate>,
    waker: Waker,
    /// The task that the gate wakes.
    task: Waker,
}

#[derive(Debug)]
struct Gate {
    woken: AtomicBool,
    task: Mutex<Waker>,
}

impl<F: Future> Seldom<F> {
    pub(crate) fn new(future: F) -> Self {
        let gate = Arc::new(Gate {
            woken: AtomicBool::new(true),
            task: Mutex::new(Waker::noop().clone()),
        });
        Self {
            future: Box::pin(future),
            waker: Waker::from(Arc::clone(&gate)),
            gate,
            task: Waker::noop().clone(),
        }
    }

    pub(crate) fn poll(&mut self, cx: &Context<'_>) -> Poll<F::Output> {
        if !self.task.will_wake(cx.waker()) {
            self.task.clone_from(cx.waker());
            self.gate.task.lock().clone_from(cx.waker());
        }
        // After the task is set: who wakes the one before has said so already.
        if !self.gate.woken.load(Ordering::Acquire) {
            return Poll::Pending;
        }
        // A swap, so that all is seen that was there before the last wake-up.
        self.gate.woken.swap(false, Ordering::AcqRel);
        self.future
            .as_mut()
            .poll(&mut Context::from_waker(&self.waker))
    }
}

impl Wake for Gate {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.store(true, Ordering::Release);
        let task = self.task.lock().clone();
        task.wake();
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::future::poll_fn;

    use tokio::sync::Notify;

    use super::*;

    /// However often the task is woken for other reasons, the future is polled when its own event comes, and then always.
    #[tokio::test]
    async fn it_is_polled_when_its_own_event_comes() {
        let event = Notify::new();
        let polls = Cell::new(0);
        let mut notified = std::pin::pin!(event.notified());
        let mut seldom = Seldom::new(poll_fn(|cx| {
            polls.set(polls.get() + 1);
            notified.as_mut().poll(cx)
        }));
        let mut others = 0;
        poll_fn(|cx| {
            let polled = seldom.poll(cx);
            others += 1;
            if others == 100 {
                event.notify_one();
            } else if polled.is_pending() {
                cx.waker().wake_by_ref();
            }
            polled
        })
        .await;
        assert_eq!((polls.get(), others), (2, 101));
    }

    /// It may move to another task between two polls.
    #[tokio::test]
    async fn it_wakes_the_task_that_polled_last() {
        let event = Arc::new(Notify::new());
        let waiting = Arc::clone(&event);
        let mut seldom = Seldom::new(async move { waiting.notified().await });
        assert!(
            seldom
                .poll(&Context::from_waker(Waker::noop()))
                .is_pending()
        );
        let task = tokio::spawn(async move { poll_fn(|cx| seldom.poll(cx)).await });
        tokio::task::yield_now().await;
        event.notify_one();
        task.await.unwrap();
    }
}
