//! Figures: what one run gives, and what many give together.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::work::Shape;

/// A figure that a run gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Metric {
    /// Messages that arrived in a second.
    MessagesPerSecond,
    /// User and system time of both processes for one message, in nanoseconds; with a crowd, of the binding process only;
    /// through a queue, a request and its reply are one message, and the time is the queue's.
    CpuNanosPerMessage,
    /// Bodies that arrived in a second, in 10^6 octets.
    MegabytesPerSecond,
    /// The round trip that half of all stay below, in microseconds.
    MedianMicros,
    /// The round trip that 99 of 100 stay below, in microseconds.
    Percentile99Micros,
    /// User and system time of both processes for one round trip, in microseconds.
    CpuMicrosPerTrip,
    /// Resident memory of the binding process for one peer, in KiB.
    KibPerPeer,
    /// User and system time of the binding process, as a part of one core.
    CpuPercent,
    /// Requests that were sent beyond one for each call.
    ExtraPercent,
    /// The part of all cores that other processes used while it counted.
    OthersPercent,
}

/// The figures of one run.
pub(crate) type Sample = BTreeMap<Metric, f64>;

/// What a child process tells its parent, one per line, as JSON.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Report {
    /// It is bound here.
    Endpoint(String),
    /// Its crowd tells here how far it is.
    Progress(SocketAddr),
    /// It has opened this many connections.
    Opened(usize),
    /// It has measured.
    Sample(Sample),
    /// It could not.
    Failure(String),
}

impl Report {
    /// Prints it for the parent; a parent that is gone needs none.
    pub(crate) fn tell(&self) {
        if let Ok(line) = serde_json::to_string(self) {
            println!("{line}");
        }
    }
}

impl Metric {
    /// The metrics of a shape, in the order of the columns; the first is the one that counts.
    pub(crate) fn of(shape: Shape) -> &'static [Self] {
        match shape {
            Shape::OneWay | Shape::OneProcess => &[
                Self::MessagesPerSecond,
                Self::CpuNanosPerMessage,
                Self::MegabytesPerSecond,
                Self::OthersPercent,
            ],
            Shape::RoundTrip => &[
                Self::MedianMicros,
                Self::Percentile99Micros,
                Self::CpuMicrosPerTrip,
                Self::OthersPercent,
            ],
            Shape::Idle => &[Self::KibPerPeer],
            Shape::Beat => &[Self::CpuPercent, Self::KibPerPeer, Self::OthersPercent],
            Shape::Switch => &[
                Self::MessagesPerSecond,
                Self::CpuNanosPerMessage,
                Self::OthersPercent,
            ],
            Shape::Hedge => &[
                Self::Percentile99Micros,
                Self::MedianMicros,
                Self::ExtraPercent,
                Self::OthersPercent,
            ],
            Shape::Publish | Shape::Answer => &[
                Self::CpuNanosPerMessage,
                Self::MessagesPerSecond,
                Self::KibPerPeer,
                Self::OthersPercent,
            ],
        }
    }

    /// The head of its column.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::MessagesPerSecond => "messages/s",
            Self::CpuNanosPerMessage => "CPU ns/message",
            Self::MegabytesPerSecond => "MB/s",
            Self::MedianMicros => "p50 µs",
            Self::Percentile99Micros => "p99 µs",
            Self::CpuMicrosPerTrip => "CPU µs/trip",
            Self::KibPerPeer => "KiB/peer",
            Self::CpuPercent => "CPU % of a core",
            Self::ExtraPercent => "extra load %",
            Self::OthersPercent => "others %",
        }
    }
}

/// The median of each metric on its own.
pub(crate) fn median(samples: &[Sample]) -> Sample {
    let metrics = samples
        .first()
        .map(|sample| sample.keys().copied())
        .into_iter()
        .flatten();
    metrics
        .filter_map(|metric| Some((metric, middle(&values(samples, metric))?)))
        .collect()
}

/// One implementation's figure as a multiple of another's: the median of the ratios inside each interleaved run, which a
/// machine that is fast in one minute and slow in the next does not disturb.
pub(crate) fn ratio(samples: &[Sample], others: &[Sample], metric: Metric) -> Option<f64> {
    let pairs = samples.iter().zip(others);
    let mut ratios: Vec<f64> = pairs
        .filter_map(|(one, other)| Some(one.get(&metric)? / other.get(&metric)?))
        .collect();
    ratios.sort_by(f64::total_cmp);
    middle(&ratios)
}

/// Distance of the best from the worst run, as a part of the median; 0 for a single run.
pub(crate) fn spread(samples: &[Sample], metric: Metric) -> f64 {
    let values = values(samples, metric);
    match (values.first(), values.last(), middle(&values)) {
        (Some(least), Some(most), Some(middle)) if middle > 0.0 => (most - least) / middle,
        _ => 0.0,
    }
}

/// The value below which the given part of all values lies. The values must be in order.
pub(crate) fn quantile<T: Copy>(ordered: &[T], part: f64) -> Option<T> {
    let last = ordered.len().checked_sub(1)?;
    ordered.get((last as f64 * part).round() as usize).copied()
}

fn middle(ordered: &[f64]) -> Option<f64> {
    let (low, high) = (
        ordered.get(ordered.len().checked_sub(1)? / 2)?,
        ordered.get(ordered.len() / 2)?,
    );
    Some(f64::midpoint(*low, *high))
}

fn values(samples: &[Sample], metric: Metric) -> Vec<f64> {
    let mut values: Vec<f64> = samples
        .iter()
        .filter_map(|sample| sample.get(&metric).copied())
        .collect();
    values.sort_by(f64::total_cmp);
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs(rates: &[f64]) -> Vec<Sample> {
        rates
            .iter()
            .map(|&rate| Sample::from([(Metric::MessagesPerSecond, rate)]))
            .collect()
    }

    #[test]
    fn the_median_ignores_order_and_outliers() {
        assert_eq!(
            median(&runs(&[3.0, 1.0, 900.0]))[&Metric::MessagesPerSecond],
            3.0
        );
        assert_eq!(median(&runs(&[4.0, 2.0]))[&Metric::MessagesPerSecond], 3.0);
        assert!(median(&[]).is_empty());
    }

    #[test]
    fn the_spread_is_relative_to_the_median() {
        assert_eq!(
            spread(&runs(&[2.0, 4.0, 5.0]), Metric::MessagesPerSecond),
            0.75
        );
        assert_eq!(spread(&[], Metric::MessagesPerSecond), 0.0);
    }

    #[test]
    fn a_ratio_is_taken_inside_each_run() {
        let (fast, slow) = (runs(&[10.0, 100.0, 30.0]), runs(&[20.0, 200.0, 30.0]));
        assert_eq!(ratio(&fast, &slow, Metric::MessagesPerSecond), Some(0.5));
        assert_eq!(ratio(&fast, &slow, Metric::KibPerPeer), None);
    }

    #[test]
    fn quantiles_take_the_nearest_value() {
        let ordered: Vec<u64> = (0..=100).collect();
        assert_eq!(quantile(&ordered, 0.5), Some(50));
        assert_eq!(quantile(&ordered, 0.99), Some(99));
        assert_eq!(quantile::<u64>(&[], 0.5), None);
    }
}
