//! Each connection has a span of `tracing`, and what is told of it is told in it (R08). Time is virtual.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use privateer_core::{Context, PullSocket, PushSocket, SocketEvent, SocketOptions};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context as Layered, Layer, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;

/// What becomes of the spans of this crate, in the order in which they were made.
#[derive(Clone, Debug, Default)]
struct Recorder(Arc<Mutex<Vec<Connection>>>);

/// One span.
#[derive(Clone, Debug, Default)]
struct Connection {
    id: Option<Id>,
    fields: BTreeMap<&'static str, String>,
    /// The fields of each event in it, as one text.
    events: Vec<String>,
    is_closed: bool,
}

impl Recorder {
    /// The spans of sockets of this type.
    fn of(&self, socket_type: &str) -> Vec<Connection> {
        let spans = self.0.lock().unwrap();
        let all = spans.iter();
        all.filter(|span| span.fields["socket"] == socket_type)
            .cloned()
            .collect()
    }

    /// Changes the span of this id, if it is one of these.
    fn change(&self, id: &Id, change: impl FnOnce(&mut Connection)) {
        let mut spans = self.0.lock().unwrap();
        // An id may be given again when its span is closed.
        let found = spans.iter_mut().rfind(|span| span.id.as_ref() == Some(id));
        if let Some(span) = found {
            change(span);
        }
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Recorder {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, _: Layered<'_, S>) {
        if attributes.metadata().target() == "privateer::connection" {
            let mut connection = Connection {
                id: Some(id.clone()),
                ..Connection::default()
            };
            attributes.record(&mut connection);
            self.0.lock().unwrap().push(connection);
        }
    }

    fn on_record(&self, id: &Id, record: &Record<'_>, _: Layered<'_, S>) {
        self.change(id, |connection| record.record(connection));
    }

    fn on_event(&self, event: &Event<'_>, layered: Layered<'_, S>) {
        if let Some(id) = layered.current_span().id() {
            let mut told = Connection::default();
            event.record(&mut told);
            let told = format!("{:?}", told.fields);
            self.change(id, |connection| connection.events.push(told));
        }
    }

    fn on_close(&self, id: Id, _: Layered<'_, S>) {
        self.change(&id, |connection| connection.is_closed = true);
    }
}

impl Visit for Connection {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.fields.insert(field.name(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.fields.insert(field.name(), format!("{value:?}"));
    }
}

#[tokio::test(start_paused = true)]
async fn each_connection_has_a_span() {
    let recorder = Recorder::default();
    let subscriber = tracing_subscriber::registry().with(recorder.clone());
    let _guard = tracing::subscriber::set_default(subscriber);
    let context = Context::new();
    let options = || SocketOptions::new().context(&context);
    let pull = PullSocket::with_options(options()).unwrap();
    pull.bind("memory://work").await.unwrap();
    let mut monitor = pull.monitor();
    let mut ids = Vec::new();
    for _ in 0..2 {
        let push = PushSocket::with_options(options()).unwrap();
        push.connect("memory://work").unwrap();
        push.send("work").await.unwrap();
        let (peer, _message) = pull.recv_from().await.unwrap();
        ids.push(peer.id().to_string());
        assert_eq!(push.close().await.unsent, 0);
        while !matches!(
            monitor.next().await.unwrap(),
            Some(SocketEvent::Disconnected { .. })
        ) {}
    }
    assert_eq!(pull.close().await.unsent, 0);

    let accepted = recorder.of("PULL");
    assert_eq!(accepted.len(), 2);
    for (span, id) in accepted.iter().zip(ids) {
        assert_eq!(span.fields["endpoint"], "memory://work");
        assert_eq!(span.fields["direction"], "Accepted");
        assert_eq!(span.fields["peer"], id);
    }
    let connected = recorder.of("PUSH");
    assert_eq!(connected.len(), 2);
    for span in accepted.iter().chain(&connected) {
        assert!(span.is_closed, "{span:?}");
        for event in ["Connected", "Disconnected"] {
            let told = span.events.iter().filter(|told| told.contains(event));
            assert_eq!(told.count(), 1, "{event} in {span:?}");
        }
    }
}

/// What fails is told in a span, too.
#[tokio::test(start_paused = true)]
async fn a_failed_handshake_is_told_in_its_span() {
    let recorder = Recorder::default();
    let subscriber = tracing_subscriber::registry().with(recorder.clone());
    let _guard = tracing::subscriber::set_default(subscriber);
    let context = Context::new();
    let options = || SocketOptions::new().context(&context);
    let pull = PullSocket::with_options(options()).unwrap();
    pull.bind("memory://work").await.unwrap();
    let mut monitor = pull.monitor();
    let wrong = PullSocket::with_options(options()).unwrap();
    wrong.connect("memory://work").unwrap();
    while !matches!(
        monitor.next().await.unwrap(),
        Some(SocketEvent::HandshakeFailed { .. })
    ) {}
    let spans = recorder.of("PULL");
    let accepted = spans
        .iter()
        .find(|span| span.fields["direction"] == "Accepted");
    let accepted = accepted.unwrap();
    assert!(!accepted.fields.contains_key("peer"), "{accepted:?}");
    assert!(
        accepted
            .events
            .iter()
            .any(|told| told.contains("HandshakeFailed"))
    );
}
