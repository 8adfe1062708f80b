//! The figures for readers: tables, and the same as JSON.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::goals::Verdict;
use crate::implementations::OURS;
use crate::machine::About;
use crate::runner::{Block, Outcome};
use crate::sample::{Metric, Sample, median, ratio, spread};

/// The lines above all tables.
pub(crate) fn about(about: &About) -> String {
    format!(
        "{} cores, {}, Linux {}, load {} before the first run; libzmq {}\n\
         median of {} interleaved runs of {} s, cores {}; high-water mark {} where it can be set; {} idle peers\n\
         × ours: this line's figure divided by ours, median of the ratios inside each run\n\
         spread: best minus worst run, relative to the median; others: what other processes took of all cores\n",
        about.cores,
        about.processor,
        about.kernel,
        about.load,
        about.libzmq,
        about.runs,
        about.seconds,
        about.pinned,
        about.high_water_mark,
        about.peers
    )
}

/// The table of one case.
pub(crate) fn block(block: &Block) -> String {
    let metrics = Metric::of(block.case.work.shape());
    let compared = &metrics[..metrics.len().min(2)];
    let mut text = format!("{}\n{:<15} {:<24}", block.case, "", "runtime");
    for metric in metrics {
        write_cell(&mut text, metric.title());
    }
    write_cell(&mut text, "spread");
    for metric in compared {
        write_cell(&mut text, &format!("{} × ours", first_word(metric.title())));
    }
    let ours = block.samples(OURS).unwrap_or_default();
    for (implementation, outcome) in &block.rows {
        let _ = write!(
            text,
            "\n{:<15} {:<24}",
            implementation.name,
            implementation.runtime()
        );
        match outcome {
            Outcome::Measured(samples) => row(&mut text, samples, metrics, compared, ours),
            Outcome::Absent(why) => text.push_str(&format!("   {why}")),
            Outcome::Hung => write_cell(&mut text, "hung"),
            Outcome::Failed(error) => text.push_str(&format!("   failed: {error}")),
        }
    }
    text.push('\n');
    text
}

/// One line behind its name. The columns of ratios follow all others.
fn row(
    text: &mut String,
    samples: &[Sample],
    metrics: &[Metric],
    compared: &[Metric],
    ours: &[Sample],
) {
    let medians = median(samples);
    for metric in metrics {
        write_cell(
            text,
            &medians
                .get(metric)
                .map_or_else(|| "-".to_owned(), |value| figure(*value)),
        );
    }
    let spread = metrics
        .first()
        .map_or(0.0, |metric| spread(samples, *metric));
    write_cell(text, &format!("{:.0} %", spread * 100.0));
    for metric in compared {
        let ratio = ratio(samples, ours, *metric);
        write_cell(
            text,
            &ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}")),
        );
    }
}

/// The goals and whether they are reached.
pub(crate) fn verdicts(verdicts: &[Verdict]) -> String {
    let mut text = "Goals; within 10 % counts as level\n".to_owned();
    for verdict in verdicts {
        let _ = writeln!(
            text,
            "{:<6} {}: {}",
            verdict.result.word(),
            verdict.goal,
            verdict.figures
        );
    }
    if verdicts.is_empty() {
        text.push_str(
            "none could be judged: the implementations that they compare were not measured\n",
        );
    }
    text
}

/// A block as JSON, with every single run.
pub(crate) fn as_json(block: &Block) -> Value {
    let rows = block.rows.iter().map(|(implementation, outcome)| {
        let mut row =
            json!({ "implementation": implementation.name, "runtime": implementation.runtime() });
        match outcome {
            Outcome::Measured(samples) => {
                row["median"] = json!(median(samples));
                row["runs"] = json!(samples);
            }
            Outcome::Absent(why) => row["absent"] = json!(why),
            Outcome::Hung => row["hung"] = json!(true),
            Outcome::Failed(error) => row["failed"] = json!(error),
        }
        row
    });
    let rows: Vec<_> = rows.collect();
    json!({ "case": block.case, "rows": rows })
}

fn write_cell(text: &mut String, cell: &str) {
    let _ = write!(text, " {cell:>16}");
}

/// A number with three significant digits, or all of them before the point, with separators.
fn figure(value: f64) -> String {
    match value {
        _ if value >= 100.0 => separated(value.round() as u64),
        _ if value >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

fn separated(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn first_word(text: &str) -> &str {
    text.split([' ', '/']).next().unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_short() {
        assert_eq!(figure(12_934_567.8), "12,934,568");
        assert_eq!(figure(132.4), "132");
        assert_eq!(figure(20.04), "20.0");
        assert_eq!(figure(0.512), "0.51");
    }
}
