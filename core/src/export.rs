//! What a socket counts, told to the recorder of the `metrics` facade: see `SocketOptions::metrics` for the names.

use std::sync::{Arc, Weak};
use std::time::Duration;

use metrics::{
    Label, Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};
use tokio::task::AbortHandle;
use tokio::time::sleep;

use crate::socket::core::Core;
use crate::socket::counters::SocketStats;
use crate::socket_type::SocketType;
use crate::sync::Mutex;

/// How often a socket is looked at.
const EVERY: Duration = Duration::from_secs(1);

const ROUND_TRIP: &str = "privateer_round_trip_seconds";

/// Tells the recorder what came since it was told last, so that sockets of one name add up.
#[derive(Debug)]
pub(crate) struct Exporter {
    labels: [Label; 2],
    told: Mutex<Recorded>,
    task: Mutex<Option<AbortHandle>>,
}

/// What the recorder was told last.
#[derive(Debug, Default)]
struct Recorded {
    counters: [u64; COUNTERS.len()],
    gauges: [u64; GAUGES.len()],
}

/// One number of [`SocketStats`] under its name.
struct Row {
    name: &'static str,
    unit: Unit,
    description: &'static str,
    /// Several rows of one name differ in this label.
    reason: Option<&'static str>,
    number: fn(&SocketStats) -> u64,
}

impl Exporter {
    pub(crate) fn new(name: &Arc<str>, socket_type: SocketType) -> Self {
        for row in &COUNTERS {
            describe_counter!(row.name, row.unit, row.description);
        }
        for row in &GAUGES {
            describe_gauge!(row.name, row.unit, row.description);
        }
        describe_histogram!(
            ROUND_TRIP,
            Unit::Seconds,
            "Times that peers took to answer heartbeats"
        );
        let exporter = Self {
            labels: [
                Label::new("socket", Arc::clone(name)),
                Label::new("type", socket_type.as_str()),
            ],
            told: Mutex::default(),
            task: Mutex::default(),
        };
        // What is zero is there, too.
        exporter.tell(&SocketStats::default());
        exporter
    }

    fn tell(&self, stats: &SocketStats) {
        let mut told = self.told.lock();
        for (row, told) in COUNTERS.iter().zip(&mut told.counters) {
            // A connection that ends just now may be missing for a moment.
            let number = (row.number)(stats).max(*told);
            counter!(row.name, self.labels(row)).increment(number - *told);
            *told = number;
        }
        for (row, told) in GAUGES.iter().zip(&mut told.gauges) {
            let number = (row.number)(stats);
            let gauge = gauge!(row.name, self.labels(row));
            gauge.increment(number.saturating_sub(*told) as f64);
            gauge.decrement(told.saturating_sub(number) as f64);
            *told = number;
        }
    }

    fn labels(&self, row: &Row) -> Vec<Label> {
        let reason = row
            .reason
            .map(|reason| Label::from_static_parts("reason", reason));
        self.labels.iter().cloned().chain(reason).collect()
    }

    /// A peer has answered a heartbeat after this time.
    pub(crate) fn round_trip(&self, time: Duration) {
        histogram!(ROUND_TRIP, self.labels.to_vec()).record(time);
    }

    /// The last word on a socket that is gone.
    pub(crate) fn end(&self, stats: &SocketStats) {
        if let Some(task) = self.task.lock().take() {
            task.abort();
        }
        self.tell(&SocketStats {
            queued: 0,
            peers: 0,
            ..*stats
        });
    }
}

/// Looks at a socket until it is gone.
pub(crate) fn start(core: &Arc<Core>) {
    if let Some(exporter) = &core.exporter {
        let task = core.runtime.spawn(watch(Arc::downgrade(core)));
        *exporter.task.lock() = Some(task.abort_handle());
    }
}

async fn watch(core: Weak<Core>) {
    loop {
        sleep(EVERY).await;
        let Some(core) = core.upgrade() else { return };
        if let Some(exporter) = &core.exporter {
            exporter.tell(&core.stats());
        }
    }
}

const COUNTERS: [Row; 22] = [
    row(
        "privateer_messages_sent_total",
        "Messages accepted for sending",
        |stats| stats.sent,
    ),
    Row {
        unit: Unit::Bytes,
        ..row(
            "privateer_bytes_sent_total",
            "Bytes of messages accepted for sending, with framing",
            |stats| stats.sent_bytes,
        )
    },
    row(
        "privateer_messages_received_total",
        "Messages that arrived",
        |stats| stats.received,
    ),
    Row {
        unit: Unit::Bytes,
        ..row(
            "privateer_bytes_received_total",
            "Bytes of messages that arrived, with framing",
            |stats| stats.received_bytes,
        )
    },
    dropped("unroutable", |stats| stats.dropped_unroutable),
    dropped("full", |stats| stats.dropped_full),
    dropped("connection_lost", |stats| stats.dropped_connection_lost),
    dropped("linger_over", |stats| stats.dropped_linger_over),
    dropped("no_receiver", |stats| stats.dropped_no_receiver),
    dropped("no_delimiter", |stats| stats.dropped_no_delimiter),
    dropped("unexpected_reply", |stats| stats.dropped_unexpected_reply),
    row(
        "privateer_messages_unmatched_total",
        "Messages that were published when nobody had asked for them",
        |stats| stats.unmatched,
    ),
    row(
        "privateer_messages_conflated_total",
        "Messages whose place a later one took",
        |stats| stats.conflated,
    ),
    row(
        "privateer_connections_total",
        "Connections that were established",
        |stats| stats.connected,
    ),
    row(
        "privateer_reconnects_total",
        "Waits of connecting endpoints before the next try",
        |stats| stats.reconnects,
    ),
    failed("protocol", |stats| stats.handshakes_failed_protocol),
    failed("closed_by_peer", |stats| {
        stats.handshakes_failed_closed_by_peer
    }),
    failed("io", |stats| stats.handshakes_failed_io),
    failed("timed_out", |stats| stats.handshakes_failed_timed_out),
    failed("refused", |stats| stats.handshakes_failed_refused),
    row(
        "privateer_peers_misbehaved_total",
        "Connections closed because the peer broke the protocol",
        |stats| stats.misbehaved,
    ),
    row(
        "privateer_commands_ignored_total",
        "Commands that were malformed, unknown or of no use",
        |stats| stats.commands_ignored,
    ),
];

const GAUGES: [Row; 2] = [
    row(
        "privateer_messages_queued",
        "Messages that wait to be sent",
        |stats| stats.queued,
    ),
    row("privateer_peers", "Established connections", |stats| {
        stats.peers
    }),
];

const fn row(
    name: &'static str,
    description: &'static str,
    number: fn(&SocketStats) -> u64,
) -> Row {
    Row {
        name,
        unit: Unit::Count,
        description,
        reason: None,
        number,
    }
}

const fn dropped(reason: &'static str, number: fn(&SocketStats) -> u64) -> Row {
    Row {
        reason: Some(reason),
        ..row(
            "privateer_messages_dropped_total",
            "Messages that were dropped",
            number,
        )
    }
}

const fn failed(reason: &'static str, number: fn(&SocketStats) -> u64) -> Row {
    Row {
        reason: Some(reason),
        ..row(
            "privateer_handshakes_failed_total",
            "Connections that failed before they were established",
            number,
        )
    }
}

#[cfg(test)]
mod tests;
