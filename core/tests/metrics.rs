//! What sockets count reaches the recorder of the `metrics` facade (R08). Time is virtual.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

use std::collections::BTreeMap;
use std::time::Duration;

use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};
use privateer_core::{
    Context, Linger, Monitor, PullSocket, PushSocket, RouterSocket, RoutingId, SocketEvent,
    SocketOptions,
};

/// As long as it takes until every socket has been looked at.
const LOOK: Duration = Duration::from_millis(1_500);

/// Runs a test with a recorder of its own.
fn record<F: Future<Output = ()>>(test: impl FnOnce(Told) -> F) {
    let recorder = DebuggingRecorder::new();
    let told = Told {
        snapshotter: recorder.snapshotter(),
        numbers: BTreeMap::new(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    metrics::with_local_recorder(&recorder, || runtime.block_on(test(told)));
}

/// What a recorder was told, by name and labels in one text, such as `privateer_peers socket=work type=PUSH`.
struct Told {
    snapshotter: Snapshotter,
    numbers: BTreeMap<String, f64>,
}

impl Told {
    /// A snapshot takes the numbers out of the recorder.
    fn update(&mut self) {
        for (key, _unit, description, value) in self.snapshotter.snapshot().into_vec() {
            assert!(description.is_some(), "{key:?} has no description");
            let mut text = key.key().name().to_owned();
            for label in key.key().labels() {
                text += &format!(" {}={}", label.key(), label.value());
            }
            let number = match value {
                DebugValue::Counter(number) => u32::try_from(number).unwrap().into(),
                DebugValue::Gauge(number) => number.into_inner(),
                // How many there were.
                DebugValue::Histogram(samples) => {
                    for sample in &samples {
                        assert!(
                            (sample.into_inner() - 0.04).abs() < 1e-9,
                            "{sample} seconds"
                        );
                    }
                    u32::try_from(samples.len()).unwrap().into()
                }
            };
            *self.numbers.entry(text).or_default() += number;
        }
    }

    #[track_caller]
    fn assert(&mut self, expected: &[(&str, f64)]) {
        self.update();
        for (text, number) in expected {
            let told = self.numbers.get(*text);
            assert_eq!(told, Some(number), "{text} in {:#?}", self.numbers);
        }
    }
}

/// A PUSH and a PULL of these options, connected.
async fn linked(push: SocketOptions, pull: SocketOptions) -> (PushSocket, PullSocket) {
    let pull = PullSocket::with_options(pull).unwrap();
    pull.bind("memory://work").await.unwrap();
    let push = PushSocket::with_options(push).unwrap();
    let mut monitor = push.monitor();
    push.connect("memory://work").unwrap();
    connected(&mut monitor).await;
    (push, pull)
}

async fn connected(monitor: &mut Monitor) {
    while !matches!(
        monitor.next().await.unwrap(),
        Some(SocketEvent::Connected { .. })
    ) {}
}

#[test]
fn messages_bytes_and_peers_are_told() {
    record(async |mut told| {
        let context = Context::new();
        let options = SocketOptions::new().context(&context);
        let (push, pull) = linked(
            options.clone().metrics("out"),
            options.clone().metrics("in"),
        )
        .await;
        for _ in 0..5 {
            push.send("12345678").await.unwrap();
            pull.recv().await.unwrap();
        }
        tokio::time::sleep(LOOK).await;
        told.assert(&[
            ("privateer_messages_sent_total socket=out type=PUSH", 5.0),
            ("privateer_bytes_sent_total socket=out type=PUSH", 50.0),
            ("privateer_messages_received_total socket=in type=PULL", 5.0),
            ("privateer_bytes_received_total socket=in type=PULL", 50.0),
            ("privateer_connections_total socket=in type=PULL", 1.0),
            ("privateer_peers socket=in type=PULL", 1.0),
            ("privateer_peers socket=out type=PUSH", 1.0),
            ("privateer_messages_queued socket=out type=PUSH", 0.0),
            // What is zero is there, too.
            ("privateer_messages_sent_total socket=in type=PULL", 0.0),
            ("privateer_reconnects_total socket=out type=PUSH", 0.0),
        ]);

        // The rest is told when a socket ends, not a second later.
        push.send("12345678").await.unwrap();
        pull.recv().await.unwrap();
        assert_eq!(push.close().await.unsent, 0);
        assert_eq!(pull.close().await.unsent, 0);
        told.assert(&[
            ("privateer_messages_sent_total socket=out type=PUSH", 6.0),
            ("privateer_messages_received_total socket=in type=PULL", 6.0),
            ("privateer_peers socket=in type=PULL", 0.0),
            ("privateer_peers socket=out type=PUSH", 0.0),
        ]);
    });
}

#[test]
fn what_waits_what_is_dropped_and_what_is_tried_again_is_told() {
    record(async |mut told| {
        let context = Context::new();
        let options = SocketOptions::new()
            .context(&context)
            .reconnect_interval_max(Duration::from_millis(100));
        let push = PushSocket::with_options(options.clone().metrics("push")).unwrap();
        push.connect("memory://nobody").unwrap();
        push.send("1").await.unwrap();
        push.send("2").await.unwrap();
        let lossy = options.clone().metrics("router").router_mandatory(false);
        let router = RouterSocket::with_options(lossy).unwrap();
        let nobody = RoutingId::new("nobody").unwrap();
        router.send(&nobody, "3").await.unwrap();
        tokio::time::sleep(LOOK).await;
        told.assert(&[
            ("privateer_messages_queued socket=push type=PUSH", 2.0),
            (
                "privateer_messages_dropped_total socket=router type=ROUTER reason=unroutable",
                1.0,
            ),
        ]);
        let tried = told.numbers["privateer_reconnects_total socket=push type=PUSH"];
        assert!(tried > 5.0, "{tried}");
        assert_eq!(push.close_with(Linger::Discard).await.unsent, 2);
    });
}

#[test]
fn round_trips_are_told() {
    record(async |mut told| {
        let context = Context::new();
        let options = SocketOptions::new().context(&context);
        let interval = Duration::from_secs(1);
        let asking = options.clone().heartbeat_interval(Some(interval));
        context.network().set_delay(Duration::from_millis(20));
        let (_push, _pull) = linked(asking.metrics("asking"), options.metrics("asked")).await;
        tokio::time::sleep(interval * 7 / 2).await;
        told.assert(&[("privateer_round_trip_seconds socket=asking type=PUSH", 3.0)]);
        let asked = "privateer_round_trip_seconds socket=asked type=PULL";
        assert!(!told.numbers.contains_key(asked));
    });
}

#[test]
fn sockets_of_one_name_add_up() {
    record(async |mut told| {
        for round in 1..=3_u8 {
            let context = Context::new();
            let options = SocketOptions::new().context(&context).metrics("both");
            let (push, pull) = linked(options.clone(), options).await;
            push.send("1").await.unwrap();
            pull.recv().await.unwrap();
            tokio::time::sleep(LOOK).await;
            let round = f64::from(round);
            told.assert(&[
                ("privateer_messages_sent_total socket=both type=PUSH", round),
                (
                    "privateer_messages_received_total socket=both type=PULL",
                    round,
                ),
                ("privateer_peers socket=both type=PULL", 1.0),
            ]);
            assert_eq!(push.close().await.unsent, 0);
            drop(pull);
        }
    });
}

#[test]
fn a_socket_without_the_option_tells_nothing() {
    record(async |mut told| {
        let context = Context::new();
        let options = SocketOptions::new().context(&context);
        let (push, pull) = linked(options.clone(), options).await;
        push.send("1").await.unwrap();
        pull.recv().await.unwrap();
        tokio::time::sleep(LOOK).await;
        told.update();
        assert_eq!(told.numbers, BTreeMap::new());
    });
}
