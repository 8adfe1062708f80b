use metrics_util::debugging::{DebugValue, DebuggingRecorder};

use super::*;

/// A socket each of whose counters has another number.
const STATS: SocketStats = SocketStats {
    sent: 1,
    sent_bytes: 2,
    received: 3,
    received_bytes: 4,
    queued: 5,
    peers: 6,
    connected: 7,
    reconnects: 8,
    handshakes_failed: 0,
    handshakes_failed_protocol: 9,
    handshakes_failed_closed_by_peer: 10,
    handshakes_failed_io: 11,
    handshakes_failed_timed_out: 12,
    handshakes_failed_refused: 13,
    misbehaved: 14,
    commands_ignored: 15,
    dropped_unroutable: 16,
    dropped_full: 17,
    dropped_connection_lost: 18,
    dropped_linger_over: 21,
    dropped_no_delimiter: 19,
    dropped_no_receiver: 22,
    dropped_unexpected_reply: 20,
    unmatched: 23,
    conflated: 24,
};

/// The name, the reason and the number of each.
const EXPECTED: [(&str, Option<&str>, u64); 24] = [
    ("privateer_messages_sent_total", None, 1),
    ("privateer_bytes_sent_total", None, 2),
    ("privateer_messages_received_total", None, 3),
    ("privateer_bytes_received_total", None, 4),
    ("privateer_messages_queued", None, 5),
    ("privateer_peers", None, 6),
    ("privateer_connections_total", None, 7),
    ("privateer_reconnects_total", None, 8),
    ("privateer_handshakes_failed_total", Some("protocol"), 9),
    (
        "privateer_handshakes_failed_total",
        Some("closed_by_peer"),
        10,
    ),
    ("privateer_handshakes_failed_total", Some("io"), 11),
    ("privateer_handshakes_failed_total", Some("timed_out"), 12),
    ("privateer_handshakes_failed_total", Some("refused"), 13),
    ("privateer_peers_misbehaved_total", None, 14),
    ("privateer_commands_ignored_total", None, 15),
    ("privateer_messages_dropped_total", Some("unroutable"), 16),
    ("privateer_messages_dropped_total", Some("full"), 17),
    (
        "privateer_messages_dropped_total",
        Some("connection_lost"),
        18,
    ),
    ("privateer_messages_dropped_total", Some("linger_over"), 21),
    ("privateer_messages_dropped_total", Some("no_delimiter"), 19),
    ("privateer_messages_dropped_total", Some("no_receiver"), 22),
    ("privateer_messages_unmatched_total", None, 23),
    ("privateer_messages_conflated_total", None, 24),
    (
        "privateer_messages_dropped_total",
        Some("unexpected_reply"),
        20,
    ),
];

/// Each number is told under its own name and reason.
#[test]
fn each_number_has_a_row() {
    let recorder = DebuggingRecorder::new();
    metrics::with_local_recorder(&recorder, || {
        let exporter = Exporter::new(&"name".into(), SocketType::Push);
        exporter.tell(&STATS);
        // The same again changes nothing, and what is missing for a moment takes nothing back.
        exporter.tell(&STATS);
        exporter.tell(&SocketStats { sent: 0, ..STATS });
        exporter.tell(&STATS);
    });
    let told = recorder.snapshotter().snapshot().into_vec();
    assert_eq!(told.len(), EXPECTED.len());
    for (key, _unit, _description, value) in told {
        let key = key.key();
        let mut labels = key.labels().map(|label| (label.key(), label.value()));
        assert_eq!(labels.next(), Some(("socket", "name")));
        assert_eq!(labels.next(), Some(("type", "PUSH")));
        let reason = labels.next().map(|(key, reason)| {
            assert_eq!(key, "reason");
            reason
        });
        let number = match value {
            DebugValue::Counter(number) => number,
            DebugValue::Gauge(number) => number.into_inner() as u64,
            DebugValue::Histogram(_) => panic!("no number is a histogram"),
        };
        let row = (key.name(), reason, number);
        assert!(EXPECTED.contains(&row), "{row:?}");
    }
}

/// The page of the option has each name and each reason.
#[test]
fn the_names_are_as_documented() {
    let page = include_str!("../options/metrics.rs");
    for row in COUNTERS.iter().chain(&GAUGES) {
        let line = page
            .lines()
            .find(|line| line.contains(&format!("`{}`", row.name)));
        let line = line.unwrap_or_else(|| panic!("{} is not documented", row.name));
        if let Some(reason) = row.reason {
            assert!(
                line.contains(&format!("`{reason}`")),
                "{reason} is not in {line}"
            );
        }
    }
    let told = page.matches("`privateer_").count();
    let mut names: Vec<_> = COUNTERS.iter().chain(&GAUGES).map(|row| row.name).collect();
    names.dedup();
    names.push(ROUND_TRIP);
    assert!(page.contains(&format!("`{ROUND_TRIP}`")));
    assert_eq!(told, names.len());
}
