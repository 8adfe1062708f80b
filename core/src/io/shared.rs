//! [`Shared`]: a session that its own task polls, and that the socket's owner may let work before it has to wait.
//!
//! Between two tasks that wait for each other every batch costs two wake-ups, and on a multi-threaded runtime a second
//! thread that takes one of them over. A request or a reply is a batch of its own: to wake another task for it would cost
//! more than to write it. What the session itself waits for wakes its own task, never the owner's.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use super::session::Session;
use super::transport::Stream;
use crate::monitor::DisconnectReason;
use crate::sync::Mutex;

/// A session until its end; no memory of it is kept for whoever still knows it then.
pub(crate) struct Shared<S>(Mutex<Option<Box<Session<S>>>>);

/// What the socket knows of it. Nobody waits for a session that is at work but its own task, which waits for a turn at most.
pub(crate) trait Work: Send + Sync {
    /// Writes what waits in the outbound pipe; false if the session's task has to be woken for it.
    fn write_now(&self) -> bool;
    /// Does what can be done, for a turn.
    fn work_now(&self);
}

impl<S: Stream> Work for Shared<S> {
    fn write_now(&self) -> bool {
        let session = self.0.try_lock();
        session
            .is_some_and(|mut session| session.as_mut().is_some_and(|session| session.write_now()))
    }

    fn work_now(&self) {
        if let Some(mut session) = self.0.try_lock()
            && let Some(session) = session.as_mut()
        {
            session.work_now();
        }
    }
}

impl<S: Stream> Shared<S> {
    pub(crate) fn new(session: Session<S>) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Some(Box::new(session)))))
    }

    /// Runs until the connection ends, and tells why.
    pub(crate) async fn run(&self) -> DisconnectReason {
        // Traffic may have come together with the end of the handshake.
        if let Some(Err(reason)) = self.0.lock().as_mut().map(|session| session.walk()) {
            return reason;
        }
        poll_fn(|cx| match self.0.lock().as_mut() {
            Some(session) => session.poll(cx),
            None => Poll::Pending,
        })
        .await
    }

    /// The session, which nobody lets work any more; what was not written is still in its flight and the pipe.
    pub(crate) fn take(&self) -> Option<Box<Session<S>>> {
        self.0.lock().take()
    }
}

#[cfg(test)]
mod tests;
