//! [`Session`]: one established connection: a stream and two pipes.
//!
//! ```text
//! outbound pipe ──take──► flight ──vectored write──► stream ──read──► traffic ──append──► inbound pipe
//!                          ▲ commands, at message boundaries              │ commands
//!                          ├───────────────────── PONG ◄──────────────────┤
//!               own subscriptions                               the peer's subscriptions
//! ```
//!
//! The two directions are state machines of their own; neither waits for the other. One task polls both; who sends may do
//! so in its place: [`Shared`](super::shared::Shared).

use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::task::{coop::has_budget_remaining, yield_now};
use tokio::time::{Instant, Sleep, sleep_until};
use tracing::Span;

use super::busy_poll::BusyPoller;
use super::heartbeat::{Due, Heartbeat};
use super::reader::Reader;
use super::topics::Topics;
use super::transport::Stream;
use super::writer::Writer;
use crate::monitor::DisconnectReason;
use crate::zmtp::command::{self, Command};
use crate::zmtp::traffic::Aside;

/// Commands that wait to be written, in bytes; a peer that makes us owe more is not read until they are gone.
const CONTROL_MAX: usize = 64 * 1024;

/// After so many bytes, and the rest of a large body, a session lets other tasks run: who receives finds them in the
/// processor's cache, and frees the memory that is read into next.
const TURN: usize = 256 * 1024;

/// One established connection.
pub(crate) struct Session<S> {
    pub(crate) stream: S,
    pub(crate) reader: Reader,
    pub(crate) writer: Writer,
    pub(crate) heartbeat: Heartbeat,
    /// The time to live that our PINGs announce, zero for none.
    pub(crate) time_to_live: Duration,
    /// Made when there is something to wait for.
    pub(crate) timer: Option<Pin<Box<Sleep>>>,
    /// Whether it wakes the task when it has run down.
    pub(crate) timer_waits: bool,
    /// None if it sleeps whenever there is nothing to do.
    pub(crate) busy_poller: Option<BusyPoller>,
    pub(crate) topics: Topics,
    /// What is told of it is told in it, whoever polls.
    pub(crate) span: Span,
    /// Wakes the task that polls it.
    pub(crate) task: Waker,
    /// Why the connection has ended: nothing is written any more.
    pub(crate) ended: Option<DisconnectReason>,
}

impl<S: Stream> Session<S> {
    /// Runs until the connection ends, and tells why.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<DisconnectReason> {
        if !self.task.will_wake(cx.waker()) {
            self.task.clone_from(cx.waker());
            self.timer_waits = false;
        }
        if let Some(reason) = self.ended {
            return Poll::Ready(reason);
        }
        let ended = self.poll_for(cx, usize::MAX);
        if let Poll::Ready(reason) = ended {
            self.ended = Some(reason);
        } else if self.looks_again() {
            // It is woken as soon as there is nothing else to do, and what the kernel has is known.
            let _pending = pin!(yield_now()).poll(cx);
        }
        ended
    }

    /// Whether an answer is looked for. By a clock that never stands still, as Tokio's may in tests.
    fn looks_again(&mut self) -> bool {
        let Some(busy_poller) = &mut self.busy_poller else {
            return false;
        };
        if self.heartbeat.is_suspended() {
            busy_poller.forget();
        }
        busy_poller.is_looking() && busy_poller.look_again(std::time::Instant::now())
    }

    /// As [`poll`](Self::poll), writing not much more than `most` bytes.
    fn poll_for(&mut self, cx: &mut Context<'_>, most: usize) -> Poll<DisconnectReason> {
        let read = self.poll_read(cx);
        if read.is_ready() {
            // What is not written yet is for the next connection.
            return read;
        }
        // A PONG or a PING that became due goes out now.
        let timer = self.poll_timer(cx);
        self.write(cx, most);
        if self.watch_output() {
            self.poll_timer(cx)
        } else {
            timer
        }
    }

    /// Writes what waits in the pipe, in the place of the task; tells whether there is nothing left for that to do.
    pub(crate) fn write_now(&mut self) -> bool {
        if self.ended.is_some() {
            return false;
        }
        let task = std::mem::replace(&mut self.task, Waker::noop().clone());
        self.write(&mut Context::from_waker(&task), TURN);
        self.task = task;
        let looks = self
            .busy_poller
            .as_ref()
            .is_some_and(BusyPoller::is_looking);
        self.writer.is_idle() && !self.writer.shut_down && !self.writer.has_failed() && !looks
    }

    /// Does what can be done, for a turn, in the place of the task.
    pub(crate) fn work_now(&mut self) {
        if self.ended.is_some() {
            return;
        }
        let task = self.task.clone();
        // The owner may be elsewhere; timers belong to the runtime of the socket.
        let runtime = self.topics.runtime().clone();
        let _entered = runtime.enter();
        if let Poll::Ready(reason) = self.poll_for(&mut Context::from_waker(&task), TURN) {
            self.ended = Some(reason);
            task.wake();
        }
    }

    fn write(&mut self, cx: &mut Context<'_>, most: usize) {
        if let Poll::Ready(error) = self.poll_write(cx, most) {
            // What the peer has sent before can still be read, and reading tells the end.
            tracing::debug!(parent: &self.span, %error, "writing failed");
            self.writer.fail();
            self.writer.discard_control(cx.waker());
        }
    }

    /// Tells the heartbeat whether a PING is written that was not before, and whether output is blocked; tells whether
    /// anything has changed.
    fn watch_output(&mut self) -> bool {
        let heartbeat = &mut self.heartbeat;
        let asked = heartbeat.is_asking() && self.writer.control.is_empty();
        // Who has not closed yet may still be reading our last: how long that may take is for the owner to say.
        let blocked =
            self.writer.shut_down || (!self.writer.is_idle() && !self.writer.has_failed());
        if asked {
            heartbeat.asked(Instant::now());
        }
        match (heartbeat.is_blocked(), blocked) {
            (false, true) => heartbeat.block(),
            (true, false) => heartbeat.unblock(Instant::now()),
            _ => return asked,
        }
        true
    }

    /// Pending for good, or the end of the connection.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<DisconnectReason> {
        let mut left = TURN;
        loop {
            let full = !self.reader.publish(cx.waker());
            if (full && self.reader.traffic.is_full()) || self.reader.is_over(cx.waker()) {
                self.heartbeat.suspend();
                return Poll::Pending;
            }
            if self.writer.control.len() >= CONTROL_MAX && !self.writer.has_failed() {
                self.writer.resumes_reading = true;
                self.heartbeat.suspend();
                return Poll::Pending;
            }
            if left == 0 && !self.reader.traffic.is_in_large_body() {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            if self.heartbeat.is_suspended() {
                self.heartbeat.resume(Instant::now());
            }
            match ready!(self.read_once(cx)) {
                Ok(read) => left = left.saturating_sub(read),
                Err(reason) => return Poll::Ready(reason),
            }
        }
    }

    /// Reads what is there, and walks it; tells how much it was.
    fn read_once(&mut self, cx: &mut Context<'_>) -> Poll<Result<usize, DisconnectReason>> {
        let traffic = &mut self.reader.traffic;
        match self.stream.poll_readable(cx) {
            Poll::Pending => {
                traffic.release();
                return Poll::Pending;
            }
            Poll::Ready(Err(error)) => {
                return Poll::Ready(Err(DisconnectReason::Io(error.kind())));
            }
            Poll::Ready(Ok(())) => {}
        }
        let mut target = traffic.read_target();
        let offered = target.limit();
        let read = pin!(self.stream.read_buf(&mut target)).poll(cx);
        let read = match read {
            Poll::Pending => {
                traffic.release();
                return Poll::Pending;
            }
            Poll::Ready(Err(error)) => {
                return Poll::Ready(Err(DisconnectReason::Io(error.kind())));
            }
            Poll::Ready(Ok(0)) => return Poll::Ready(Err(self.closed_by_peer())),
            Poll::Ready(Ok(read)) => read,
        };
        traffic.filled(read, offered);
        self.heartbeat.heard(Instant::now());
        if let Some(busy_poller) = &mut self.busy_poller {
            busy_poller.read(std::time::Instant::now());
        }
        Poll::Ready(self.walk().map(|()| read))
    }

    /// Looks at what is read and not walked yet, and serves the commands in it.
    pub(super) fn walk(&mut self) -> Result<(), DisconnectReason> {
        let control = &mut self.writer.control;
        let topics = &self.topics;
        let heartbeat = &mut self.heartbeat;
        let walked = self.reader.traffic.walk(&mut |aside| match aside {
            Aside::Subscription(body) => topics.heard_in_message(body),
            Aside::Command(body) => match Command::parse(body) {
                Ok(Command::Ping { ttl, context }) => {
                    control.extend_from_slice(&command::pong(context));
                    if !ttl.is_zero() {
                        heartbeat.allow(ttl, Instant::now());
                    }
                    Ok(None)
                }
                command => {
                    if matches!(command, Ok(Command::Pong { context: [] }))
                        && let Some(time) = heartbeat.answered(Instant::now())
                    {
                        topics.timed(time);
                    }
                    topics.heard(command)
                }
            },
        });
        walked.map_err(DisconnectReason::Misbehaved)
    }

    const fn closed_by_peer(&self) -> DisconnectReason {
        if self.writer.shut_down {
            DisconnectReason::ClosedHere
        } else {
            DisconnectReason::ClosedByPeer
        }
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, mut most: usize) -> Poll<io::Error> {
        if self.writer.has_failed() || self.writer.shut_down {
            self.writer.discard_control(cx.waker());
            return Poll::Pending;
        }
        loop {
            let is_done = self.writer.is_idle()
                && !self.writer.refill(cx)
                && !(self.topics.flush() && self.writer.refill(cx));
            // After the pipe was looked at: what its owner subscribed to before it sent something goes before that.
            self.topics.collect(&mut self.writer.control, cx.waker());
            if is_done && self.writer.is_idle() {
                return Poll::Pending;
            }
            if self.writer.is_idle() {
                // The pipe is finished: tell the peer, and let it close when it has read everything.
                match ready!(Pin::new(&mut self.stream).poll_shutdown(cx)) {
                    Ok(()) => self.writer.shut_down = true,
                    Err(error) => return Poll::Ready(error),
                }
                return Poll::Pending;
            }
            if most == 0 {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            let has_messages = !self.writer.flight.is_empty();
            match ready!(self.writer.poll_write(&mut self.stream, cx)) {
                Ok(written) => most = most.saturating_sub(written),
                Err(error) => return Poll::Ready(error),
            }
            if let Some(busy_poller) = &mut self.busy_poller
                && has_messages
                && self.writer.flight.is_empty()
            {
                busy_poller.wrote(std::time::Instant::now());
            }
        }
    }

    fn poll_timer(&mut self, cx: &mut Context<'_>) -> Poll<DisconnectReason> {
        while let Some(next) = self.heartbeat.next() {
            let timer = self
                .timer
                .get_or_insert_with(|| Box::pin(sleep_until(next)));
            // What was heard makes the next thing due later: that is looked at when the timer has run down, not before.
            if timer.deadline() > next || timer.is_elapsed() {
                timer.as_mut().reset(next);
            } else if self.timer_waits {
                return Poll::Pending;
            }
            // Without budget it does not even look.
            self.timer_waits = has_budget_remaining();
            ready!(timer.as_mut().poll(cx));
            match self.heartbeat.due(Instant::now()) {
                Due::Nothing => {}
                Due::Ping => self
                    .writer
                    .control
                    .extend_from_slice(&command::ping(self.time_to_live, &[])),
                Due::Unanswered => return Poll::Ready(DisconnectReason::HeartbeatTimeout),
                Due::Expired => return Poll::Ready(DisconnectReason::TimeToLiveExpired),
            }
        }
        Poll::Pending
    }
}

#[cfg(test)]
pub(super) mod tests;
