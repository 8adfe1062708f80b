//! What `zcat` has to send.

use std::io::BufRead;

use privateer::core::{Frame, Message, SocketType};
use tokio::sync::mpsc;
use tokio::time::Interval;

use super::arguments::Arguments;

/// Messages of the command line, then lines of standard input.
pub(crate) struct Outbox {
    was_given: bool,
    given: Vec<Message>,
    next: usize,
    /// Whether the messages start over when they have all been sent.
    repeats: bool,
    pace: Option<Interval>,
    lines: Option<mpsc::Receiver<Message>>,
}

impl Outbox {
    pub(crate) fn new(arguments: &mut Arguments) -> Self {
        let given = std::mem::take(&mut arguments.given.0);
        let answers = arguments.socket == SocketType::Rep && arguments.count.is_some();
        Self {
            was_given: !given.is_empty() || arguments.stdin,
            repeats: !given.is_empty() && (arguments.interval.is_some() || answers),
            given,
            next: 0,
            pace: arguments.interval.map(tokio::time::interval),
            lines: arguments.stdin.then(read_lines),
        }
    }

    /// Whether there was anything to send from the beginning.
    pub(crate) const fn was_given(&self) -> bool {
        self.was_given
    }

    /// Whether only the user can say when there is nothing more to send.
    pub(crate) const fn is_endless(&self) -> bool {
        self.repeats || self.lines.is_some()
    }

    /// Whether there is nothing more to send.
    pub(crate) const fn is_empty(&self) -> bool {
        self.next == self.given.len() && !self.is_endless()
    }

    /// The next message; none if standard input ended. Dropped before it is ready, it has taken nothing.
    pub(crate) async fn next(&mut self) -> Option<Message> {
        if let Some(pace) = &mut self.pace {
            pace.tick().await;
        }
        if self.repeats && self.next == self.given.len() {
            self.next = 0;
        }
        if let Some(message) = self.given.get(self.next) {
            self.next += 1;
            return Some(message.clone());
        }
        let line = self.lines.as_mut()?.recv().await;
        if line.is_none() {
            self.lines = None;
        }
        line
    }
}

/// Reads in a thread of its own, which cannot keep the program from ending.
fn read_lines() -> mpsc::Receiver<Message> {
    let (to, lines) = mpsc::channel(1);
    std::thread::spawn(move || {
        let lines = std::io::stdin().lock().split(b'\n');
        for line in lines.map_while(Result::ok) {
            if to.blocking_send(Frame::from(line).into()).is_err() {
                return;
            }
        }
    });
    lines
}
