//! Calls to three servers, one of them slow: what the slowest calls take with hedging and without.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use privateer::core::Message;
use privateer::lazy_pirate::{LazyPirate, LazyPirateOptions, LazyPirateServer, LazyPirateStats};
use tokio::task::JoinSet;
use tokio::time::{Instant, interval, sleep};

use crate::Result;
use crate::child::peer_from_parent;
use crate::command_line::Role;
use crate::implementations::Library;
use crate::meter::Meter;
use crate::sample::{Metric, Report, Sample, quantile};

/// Servers; the first is the slow one.
pub(super) const SERVERS: usize = 3;

/// What a slow request takes.
const SLOWNESS: Duration = Duration::from_millis(50);

/// After which time the second server is asked.
const HEDGE_AFTER: Duration = Duration::from_millis(5);

/// Retries and hedges that a server gets, in percent of its calls: enough if one of the servers is always slow.
const BUDGET: u32 = 100;

/// Retries and hedges that a server gets before there were calls.
const RESERVE: u32 = 10;

/// Calls in each millisecond, however long those before take.
const CALLS: usize = 2;

/// What passes before anything is counted.
const WARM_UP: Duration = Duration::from_millis(300);

/// Answers as all servers at once, until it is stopped.
pub(super) async fn answer(role: &Role) -> Result<()> {
    let slow = role.slow.ok_or("no slow server")?;
    let mut servers = JoinSet::new();
    for index in 0..SERVERS {
        let asked = AtomicU32::new(0);
        let server = LazyPirateServer::bind(role.endpoint.as_str(), move |request: Message| {
            let turn = asked.fetch_add(1, Ordering::Relaxed);
            let is_slow = index == 0 && turn.is_multiple_of(slow);
            async move {
                if is_slow {
                    sleep(SLOWNESS).await;
                }
                request
            }
        })
        .await?;
        Report::Endpoint(server.endpoint().to_string()).tell();
        servers.spawn(server.run());
    }
    servers.join_all().await;
    Ok(())
}

/// Calls, and takes the time of each.
pub(super) async fn ask(role: &Role) -> Result<()> {
    let meter = Meter::new(Some(peer_from_parent()?))?;
    let is_hedged = role.implementation.library != Library::OursUnhedged;
    let options = LazyPirateOptions::default()
        .hedge_after(is_hedged.then_some(HEDGE_AFTER))
        .budget(BUDGET, RESERVE);
    let client = LazyPirate::with_options(role.endpoint.split(' '), options)?;
    call(&client, role.size, WARM_UP).await?;
    let (before, first) = (client.stats(), meter.read()?);
    let mut times = call(&client, role.size, role.seconds).await?;
    let interval = meter.read()?.since(first);
    let count = |stats: &LazyPirateStats| (stats.sent as f64, stats.calls as f64);
    let ((sent, calls), (sent_before, calls_before)) = (count(&client.stats()), count(&before));
    let extra = (sent - sent_before) / (calls - calls_before) - 1.0;
    times.sort_by(f64::total_cmp);
    let part = |part| quantile(&times, part).unwrap_or_default();
    Report::Sample(Sample::from([
        (Metric::MedianMicros, part(0.5)),
        (Metric::Percentile99Micros, part(0.99)),
        (Metric::ExtraPercent, extra * 100.0),
        (Metric::OthersPercent, interval.others * 100.0),
    ]))
    .tell();
    std::process::exit(0)
}

/// Calls at the pace for some time; returns what each took, in microseconds.
async fn call(client: &LazyPirate, size: usize, time: Duration) -> Result<Vec<f64>> {
    let (start, mut pace) = (Instant::now(), interval(Duration::from_millis(1)));
    let (body, mut calls) = (Message::from(vec![0; size]), JoinSet::new());
    while start.elapsed() < time {
        pace.tick().await;
        for _ in 0..CALLS {
            let (client, body) = (client.clone(), body.clone());
            calls.spawn(async move {
                let asked = Instant::now();
                client.request(body).await?;
                Ok(asked.elapsed().as_secs_f64() * 1e6)
            });
        }
    }
    calls.join_all().await.into_iter().collect()
}
