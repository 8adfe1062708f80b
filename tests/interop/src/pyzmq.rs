//! [`Pyzmq`]: a pyzmq socket in a process of its own, which does what it is told.

use privateer_core::{Message, SocketType};
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::process::Program;
use crate::venv::Python;
use crate::wait::soon;

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
    ///
    /// # Panics
    /// Panics if pyzmq refuses it.
    pub async fn set(&self, option: &str, value: impl Into<Value>) {
        self.ask(json!({"set": [option, value.into()]})).await;
    }

    /// Binds, and returns the resolved endpoint.
    ///
    /// # Panics
    /// Panics if that fails.
    pub async fn bind(&self, endpoint: &str) -> String {
        self.ask(json!({"bind": endpoint}))
            .await
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// Connects.
    ///
    /// # Panics
    /// Panics if that fails.
    pub async fn connect(&self, endpoint: &str) {
        self.ask(json!({"connect": endpoint})).await;
    }

    /// Sends a message of short frames.
    ///
    /// # Panics
    /// Panics if pyzmq refuses it, or waits for too long.
    pub async fn send<F: AsRef<[u8]>>(&self, frames: impl IntoIterator<Item = F>) {
        let frames: Vec<String> = frames
            .into_iter()
            .map(|frame| text(frame.as_ref()))
            .collect();
        self.ask(json!({"send": frames})).await;
    }

    /// Answers at once, and then sends `count` copies of a message, waiting for room.
    ///
    /// # Panics
    /// Panics if the process is gone.
    pub async fn flood(&self, frame: &str, count: usize) {
        self.ask(json!({"flood": [frame, count]})).await;
    }

    /// The next message, which has to come.
    ///
    /// # Panics
    /// Panics if it does not.
    pub async fn recv(&self) -> Message {
        let frames = self.ask(json!({"recv": null})).await;
        crate::message(frames.as_array().unwrap().iter().map(bytes))
    }

    /// Whether no message comes for a moment.
    ///
    /// # Panics
    /// Panics if the process is gone.
    pub async fn has_nothing(&self) -> bool {
        self.ask(json!({"poll": 100})).await == 0
    }

    /// A property of the connection that the last message came from (`zmq_msg_gets`).
    ///
    /// # Panics
    /// Panics if the process is gone.
    pub async fn property(&self, name: &str) -> Option<String> {
        self.ask(json!({"property": name}))
            .await
            .as_str()
            .map(ToOwned::to_owned)
    }

    /// Watches the connections from now on, for [`event`](Self::event).
    ///
    /// # Panics
    /// Panics if the process is gone.
    pub async fn monitor(&self) {
        self.ask(json!({"monitor": null})).await;
    }

    /// Waits for the next event of this name; others before it are passed over.
    ///
    /// # Panics
    /// Panics if it does not come.
    pub async fn event(&self, name: &str) {
        self.ask(json!({"event": name})).await;
    }

    /// Closes the socket, waiting for nothing.
    ///
    /// # Panics
    /// Panics if the process is gone.
    pub async fn close(&self) {
        self.ask(json!({"close": null})).await;
    }

    /// Makes a PUSH socket beside this PULL, to which [`echo`](Self::echo) goes; `role` is `bind` or `connect`.
    ///
    /// # Panics
    /// Panics if that fails.
    pub async fn forward(&self, role: &str, endpoint: &str) -> String {
        self.ask(json!({"forward": [role, endpoint]}))
            .await
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// Sends `first`, if there is one, and then back whatever comes, until this is dropped.
    ///
    /// # Panics
    /// Panics if the process is gone.
    pub async fn echo(&self, first: Option<&[&str]>) {
        self.ask(json!({"echo": first})).await;
    }

    /// The process, for signals.
    pub fn process(&mut self) -> &mut Program {
        self.0.get_mut()
    }

    #[track_caller]
    fn ask(&self, line: Value) -> impl Future<Output = Value> {
        soon(async move {
            let mut program = self.0.lock().await;
            program.tell(&line).await;
            program.value().await.unwrap()
        })
    }
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
