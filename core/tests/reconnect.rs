//! How long an endpoint waits between its tries to connect, in virtual time.
#![expect(clippy::unwrap_used, reason = "a test that fails panics")]

use std::time::Duration;

use privateer_core::{
    ConnectFailure, Context, DisconnectReason, FailureClass, Monitor, PullSocket, PushSocket,
    RepSocket, SocketEvent, SocketOptions,
};
use tokio::time::{Instant, sleep};

const INTERVAL: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(30);
/// What a connection has to last.
const STABLE: Duration = Duration::from_secs(1);

fn options(context: &Context) -> SocketOptions {
    SocketOptions::new().context(context)
}

async fn bound(context: &Context) -> PullSocket {
    let pull = PullSocket::with_options(options(context)).unwrap();
    pull.bind("memory://server").await.unwrap();
    pull
}

/// The next wait, and why.
async fn retrying(monitor: &mut Monitor) -> (ConnectFailure, Duration) {
    loop {
        if let SocketEvent::Retrying { failure, after, .. } = monitor.next().await.unwrap().unwrap()
        {
            return (failure, after);
        }
    }
}

async fn connected(monitor: &mut Monitor) {
    while !matches!(
        monitor.next().await.unwrap().unwrap(),
        SocketEvent::Connected { .. }
    ) {}
}

/// The bound of each wait in turn.
fn bounds() -> impl Iterator<Item = Duration> {
    (0..).map(|tries| {
        INTERVAL
            .saturating_mul(2_u32.saturating_pow(tries))
            .min(LONGEST)
    })
}

/// Q11: each wait is a random part of one that doubles up to the longest, and it is waited in full.
#[tokio::test(start_paused = true)]
async fn waits_double_and_are_random_parts() {
    let mut parts = Vec::new();
    for _ in 0..20 {
        let context = Context::new();
        let push = PushSocket::with_options(options(&context)).unwrap();
        let mut monitor = push.monitor();
        push.connect("memory://server").unwrap();
        for bound in bounds().take(20) {
            let (failure, after) = retrying(&mut monitor).await;
            assert_eq!(failure.class(), FailureClass::Refused);
            assert!(after <= bound, "{after:?} of {bound:?}");
            parts.push(after.as_secs_f64() / bound.as_secs_f64());
            let begun = Instant::now();
            while !matches!(
                monitor.next().await.unwrap().unwrap(),
                SocketEvent::Connecting { .. }
            ) {}
            assert!(begun.elapsed() >= after);
        }
    }
    // In each quarter a quarter of them, and not as few or as many as hardly ever happens.
    for quarter in 0..4 {
        let quarter = f64::from(quarter) / 4.0;
        let found = parts
            .iter()
            .filter(|part| (quarter..quarter + 0.25).contains(*part));
        let found = found.count();
        assert!((60..140).contains(&found), "{found} of 400 from {quarter}");
    }
}

/// Q11: without a longer wait every wait is a random part of the interval.
#[tokio::test(start_paused = true)]
async fn without_a_longest_the_waits_stay_short() {
    let context = Context::new();
    let options = options(&context).reconnect_interval_max(Duration::ZERO);
    let push = PushSocket::with_options(options).unwrap();
    let mut monitor = push.monitor();
    push.connect("memory://server").unwrap();
    for _ in 0..100 {
        assert!(retrying(&mut monitor).await.1 <= INTERVAL);
    }
}

/// That the waits of the next failures are those of one that goes on and on: with 30 of them that all begin anew, so long
/// a sum never happens.
async fn assert_waits_grow(monitor: &mut Monitor, class: FailureClass) {
    let mut sum = Duration::ZERO;
    for bound in bounds().take(30) {
        let (failure, after) = retrying(monitor).await;
        assert_eq!(failure.class(), class);
        assert!(after <= bound, "{after:?} of {bound:?}");
        sum += after;
    }
    assert!(sum > INTERVAL * 30, "{sum:?}");
}

/// Q11: a server that takes connections and refuses them in the handshake is not hammered.
#[tokio::test(start_paused = true)]
async fn a_failed_handshake_does_not_begin_anew() {
    let context = Context::new();
    let rep = RepSocket::with_options(options(&context)).unwrap();
    rep.bind("memory://server").await.unwrap();
    let push = PushSocket::with_options(options(&context)).unwrap();
    let mut monitor = push.monitor();
    push.connect("memory://server").unwrap();
    assert_waits_grow(&mut monitor, FailureClass::Handshake).await;
}

/// Q11: nor one that ends connections soon after the handshake; only a stable second makes waits short again.
#[tokio::test(start_paused = true)]
async fn a_short_connection_does_not_begin_anew_and_a_stable_one_does() {
    let context = Context::new();
    let _pull = bound(&context).await;
    let push = PushSocket::with_options(options(&context)).unwrap();
    let (mut monitor, mut cutting) = (push.monitor(), push.monitor());
    let network = context.network().clone();
    let cutter = tokio::spawn(async move {
        loop {
            connected(&mut cutting).await;
            sleep(STABLE - Duration::from_millis(1)).await;
            network.cut();
        }
    });
    push.connect("memory://server").unwrap();
    assert_waits_grow(&mut monitor, FailureClass::Lost).await;
    cutter.abort();
    for _ in 0..10 {
        connected(&mut monitor).await;
        sleep(STABLE).await;
        context.network().cut();
        let (failure, after) = retrying(&mut monitor).await;
        assert!(matches!(
            failure,
            ConnectFailure::Lost(DisconnectReason::Io(_))
        ));
        assert!(after <= INTERVAL, "{after:?}");
    }
}

/// How many of the connections of `pull` came in each `part` of the time since `begun`, until there are `count`.
async fn arrivals(
    monitor: &mut Monitor,
    count: usize,
    begun: Instant,
    part: Duration,
) -> Vec<usize> {
    let mut parts = Vec::new();
    for _ in 0..count {
        connected(monitor).await;
        let index = usize::try_from(begun.elapsed().as_millis() / part.as_millis()).unwrap();
        if parts.len() <= index {
            parts.resize(index + 1, 0);
        }
        parts[index] += 1;
    }
    parts
}

/// Q11: a thousand clients whose server restarts do not come back at once, whether it is back at once or after long.
#[tokio::test(start_paused = true)]
async fn a_storm_of_clients_spreads_over_the_window() {
    const CLIENTS: usize = 1000;
    let context = Context::new();
    let pull = bound(&context).await;
    let mut monitor = pull.monitor();
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        let push = PushSocket::with_options(options(&context)).unwrap();
        push.connect("memory://server").unwrap();
        connected(&mut monitor).await;
        clients.push(push);
    }
    sleep(STABLE).await;

    context.network().cut();
    let parts = arrivals(&mut pull.monitor(), CLIENTS, Instant::now(), INTERVAL / 10).await;
    assert!(parts.len() <= 11, "{parts:?}");
    for (part, found) in parts.iter().enumerate().take(10) {
        assert!(
            (40..200).contains(found),
            "{found} in part {part}: {parts:?}"
        );
    }

    sleep(STABLE).await;
    context.network().refuse();
    context.network().cut();
    sleep(LONGEST * 20).await;
    context.network().heal();
    let second = Duration::from_secs(1);
    let parts = arrivals(&mut pull.monitor(), CLIENTS, Instant::now(), second).await;
    assert!(parts.len() <= 31, "{parts:?}");
    // A client that waits when the server is back has on average the third of the longest wait left: more come early than
    // late, 65 of a thousand in the first second.
    for (part, found) in parts.iter().enumerate() {
        assert!(*found < 130, "{found} in second {part}: {parts:?}");
    }
    drop(clients);
}
