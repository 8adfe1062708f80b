//! [`Pyzmq`]: a pyzmq socket in a process of its own, which does what it is told.

use std::time::Duration;

use privateer_core::{Message, SocketType};
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::process::Program;
use crate::venv::Python;
use crate::wait::{soon, within};

/// A pyzmq socket in a process of its own (`peers/peer.py`).
///
/// Each call is one line there and one back; two calls take turns.
#[derive(Debug)]
pub struct Pyzmq(Mutex<Program>);

impl Pyzmq {
    /// A socket of this type; its linger is zero.
    #[must_use]
    pub fn new(python: &Python, kind: SocketType) -> Self {
        Self(Mutex::new(Program::start(
            python,
            "peer.py",
            &[kind.as_str()],
        )))
    }

    /// Sets an option by its libzmq name without `ZMQ_`, or by its number.
    pub async fn set(&self, option: &str, value: impl Into<Value>) {
        self.ask(json!({"set": [option, value.into()]})).await;
    }

    /// Binds, and returns the resolved endpoint.
    pub async fn bind(&self, endpoint: &str) -> String {
        self.ask(json!({"bind": endpoint}))
            .await
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// Connects.
    pub async fn connect(&self, endpoint: &str) {
        self.ask(json!({"connect": endpoint})).await;
    }

    /// Sends a message of short frames.
    pub async fn send<F: AsRef<[u8]>>(&self, frames: impl IntoIterator<Item = F>) {
        let frames: Vec<String> = frames
            .into_iter()
            .map(|frame| text(frame.as_ref()))
            .collect();
        self.ask(json!({"send": frames})).await;
    }

    /// Answers at once, and then sends `count` copies of a message, waiting for room.
    pub async fn flood(&self, frame: &str, count: usize) {
        self.ask(json!({"flood": [frame, count]})).await;
    }

    /// Answers at once, and then sends one [`body`](crate::body) of this size.
    pub async fn send_body(&self, size: usize) {
        self.ask(json!({"send_body": size})).await;
    }

    /// The next message, which has to come.
    pub async fn recv(&self) -> Message {
        let frames = self.ask(json!({"recv": null})).await;
        crate::message(frames.as_array().unwrap().iter().map(bytes))
    }

    /// Receives so many messages, and tells whether they are the numbers from 0, in order.
    pub async fn count(&self, messages: usize) -> bool {
        within(WORK, self.ask_at_leisure(json!({"count": messages}))).await == true
    }

    /// Makes so many DEALER sockets in turn, each of which connects there, has a message answered with itself, and closes;
    /// tells whether all were.
    pub async fn churn(&self, endpoint: &str, times: usize) -> bool {
        let churned = self.ask_at_leisure(json!({"churn": [endpoint, times]}));
        within(WORK, churned).await == true
    }

    /// Receives so many messages, and returns their first frames.
    pub async fn collect(&self, messages: usize) -> Vec<Vec<u8>> {
        let frames = self.ask(json!({"collect": messages})).await;
        frames.as_array().unwrap().iter().map(bytes).collect()
    }

    /// Receives so many messages of one [`body`](crate::body) each, and returns their sizes.
    pub async fn bodies(&self, messages: usize) -> Vec<usize> {
        sizes(&self.ask(json!({"bodies": messages})).await)
    }

    /// As [`bodies`](Self::bodies), until none comes for a moment.
    pub async fn rest(&self) -> Vec<usize> {
        sizes(&self.ask(json!({"rest": null})).await)
    }

    /// Whether no message comes for a moment.
    pub async fn has_nothing(&self) -> bool {
        self.ask(json!({"poll": QUIET_MS})).await == 0
    }

    /// Lets it take notice of what came, as every call does that sends or receives.
    pub async fn look(&self) {
        self.ask(json!({"poll": 0})).await;
    }

    /// A property of the connection that the last message came from (`zmq_msg_gets`).
    pub async fn property(&self, name: &str) -> Option<String> {
        self.ask(json!({"property": name}))
            .await
            .as_str()
            .map(ToOwned::to_owned)
    }

    /// Watches the connections from now on, for [`event`](Self::event).
    pub async fn monitor(&self) {
        self.ask(json!({"monitor": null})).await;
    }

    /// Waits for the next event of this name; others before it are passed over.
    pub async fn event(&self, name: &str) {
        self.ask(json!({"event": name})).await;
    }

    /// Closes the socket, waiting for nothing.
    pub async fn close(&self) {
        self.ask(json!({"close": null})).await;
    }

    /// Makes a PUSH socket beside this PULL, to which [`echo`](Self::echo) goes; `role` is `bind` or `connect`.
    pub async fn forward(&self, role: &str, endpoint: &str) -> String {
        self.ask(json!({"forward": [role, endpoint]}))
            .await
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// Sends `first`, if there is one, and then back whatever comes, until this is dropped.
    pub async fn echo(&self, first: Option<&[&str]>) {
        self.ask(json!({"echo": first})).await;
    }

    /// The process, for signals.
    pub fn process(&mut self) -> &mut Program {
        self.0.get_mut()
    }

    #[track_caller]
    fn ask(&self, line: Value) -> impl Future<Output = Value> {
        soon(self.ask_at_leisure(line))
    }

    async fn ask_at_leisure(&self, line: Value) -> Value {
        let mut program = self.0.lock().await;
        program.tell(&line).await;
        program.value().await.unwrap()
    }
}

/// How long it may be at work.
const WORK: Duration = Duration::from_secs(180);

/// After so long nothing more is expected.
const QUIET_MS: u32 = 100;

fn sizes(answer: &Value) -> Vec<usize> {
    let sizes = answer.as_array().unwrap().iter();
    sizes
        .map(|size| usize::try_from(size.as_u64().unwrap()).unwrap())
        .collect()
}

/// Bytes as the characters of the same numbers, as JSON can carry them.
fn text(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

fn bytes(text: &Value) -> Vec<u8> {
    text.as_str()
        .unwrap()
        .chars()
        .map(|char| u8::try_from(char).unwrap())
        .collect()
}
