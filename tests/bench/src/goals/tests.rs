//! Verdicts on made-up figures.

use super::*;
use crate::implementations::find;
use crate::runner::Outcome;
use crate::sample::Sample;
use crate::work::{Case, Transport};

fn block(work: Work, size: usize, figures: &[(&str, &[(Metric, f64)])]) -> Block {
    let rows = figures.iter().map(|(name, figures)| {
        let sample = figures.iter().copied().collect::<Sample>();
        (find(name).unwrap(), Outcome::Measured(vec![sample]))
    });
    Block {
        case: Case {
            work,
            transport: Transport::Tcp,
            size,
            crowd: None,
            slow: None,
        },
        rows: rows.collect(),
    }
}

fn standings(block: Block) -> Vec<Standing> {
    judge(&[block])
        .into_iter()
        .map(|verdict| verdict.result)
        .collect()
}

#[test]
fn small_messages_are_judged_by_cpu_and_by_rate() {
    let figures = |cpu, rate| {
        [
            (Metric::CpuNanosPerMessage, cpu),
            (Metric::MessagesPerSecond, rate),
        ]
    };
    let judged = block(
        Work::PushPull,
        16,
        &[
            ("ours", &figures(220.0, 7e6)),
            ("libzmq", &figures(400.0, 4e6)),
            ("omq-tokio", &figures(410.0, 6e6)),
        ],
    );
    assert_eq!(standings(judged), [Standing::Level, Standing::Fail]);
    let judged = block(
        Work::DealerRouter,
        16,
        &[
            ("ours", &figures(190.0, 9e6)),
            ("libzmq", &figures(400.0, 4e6)),
            ("ours-mt", &figures(270.0, 3.7e6)),
        ],
    );
    assert_eq!(standings(judged), [Standing::Pass; 4]);
}

#[test]
fn within_ten_percent_counts_as_level() {
    let ahead = |ours| {
        block(
            Work::Inproc,
            16,
            &[
                ("ours", &[(Metric::MessagesPerSecond, ours)]),
                ("rzmq", &[(Metric::MessagesPerSecond, 100.0)]),
            ],
        )
    };
    assert_eq!(standings(ahead(120.0)), [Standing::Pass]);
    assert_eq!(standings(ahead(109.0)), [Standing::Level]);
    assert_eq!(standings(ahead(91.0)), [Standing::Level]);
    assert_eq!(standings(ahead(89.0)), [Standing::Fail]);
}

#[test]
fn a_round_trip_is_compared_with_the_plain_stream_and_the_fastest_peer() {
    let micros = |value| [(Metric::MedianMicros, value)];
    let judged = block(
        Work::ReqRep,
        64,
        &[
            ("ours", &micros(25.0)),
            ("ours-asleep", &micros(27.0)),
            ("libzmq", &micros(80.0)),
            ("rzmq", &micros(30.0)),
            ("plain", &micros(20.0)),
        ],
    );
    let pass = Standing::Pass;
    let expected = [pass, Standing::Level, pass, pass];
    assert_eq!(standings(judged), expected);
}

#[test]
fn a_large_crowd_is_compared_with_a_small_one() {
    let crowd = |active, idle, cpu| {
        let mut block = block(
            Work::Busy,
            64,
            &[("ours", &[(Metric::CpuNanosPerMessage, cpu)])],
        );
        block.case.crowd = Some(Numbers { active, idle });
        block
    };
    let blocks = [
        crowd(10, 0, 100.0),
        crowd(10, 990, 190.0),
        crowd(1000, 0, 300.0),
    ];
    let standings: Vec<_> = judge(&blocks)
        .into_iter()
        .map(|verdict| verdict.result)
        .collect();
    assert_eq!(standings, [Standing::Pass, Standing::Fail]);
}

#[test]
fn heartbeats_have_a_bound_of_their_own() {
    let cpu = |value| [(Metric::CpuPercent, value)];
    let figures = [("ours", &cpu(4.0)[..]), ("plain", &cpu(2.5)[..])];
    let [verdict] = <[_; 1]>::try_from(judge(&[block(Work::IdleWorkers, 0, &figures)])).unwrap();
    assert_eq!(verdict.result, Standing::Pass);
    assert_eq!(verdict.figures, "4.0 %, plain 2.5 %");
    let too_much = block(Work::IdleWorkers, 0, &[("ours", &cpu(6.0))]);
    assert_eq!(standings(too_much), [Standing::Fail]);
}

#[test]
fn what_was_not_measured_is_not_judged() {
    assert!(
        standings(block(
            Work::ReqRep,
            64,
            &[("libzmq", &[(Metric::MedianMicros, 80.0)])]
        ))
        .is_empty()
    );
}
