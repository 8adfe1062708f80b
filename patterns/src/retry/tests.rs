//! Tests of retries, on virtual time.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use super::*;

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn plenty() -> RetryBudget {
    RetryBudget::new(100, 1000)
}

fn attempts(attempts: u32) -> RetryPolicy {
    RetryPolicy::default().attempts(NonZeroU32::new(attempts).unwrap())
}

/// F-6: the pause before attempt n is between nothing and 100 ms × 2^(n-1), at most the longest.
#[test]
fn pauses_double_with_full_jitter_up_to_the_longest() {
    let policy = attempts(10).backoff(ms(100), ms(1000));
    let mut longest = [Duration::ZERO; 6];
    for seed in 0..200 {
        let (now, budget) = (Instant::now(), plenty());
        let mut retry = Retry::new(now, &policy, seed);
        for (index, full) in [100, 200, 400, 800, 1000, 1000].into_iter().enumerate() {
            retry.dispatched(&budget);
            let Next::At(at) = retry.failed(now, Failure::NoAnswer, &budget) else {
                panic!("no other attempt");
            };
            assert!(at - now <= ms(full), "{:?} of {full}", at - now);
            longest[index] = longest[index].max(at - now);
        }
    }
    assert!(longest[0] > ms(80) && longest[3] > ms(640) && longest[5] > ms(800));
}

/// Requests that were never sent use no attempt and no budget up.
#[test]
fn what_was_not_sent_burns_no_attempt() {
    let (now, budget) = (Instant::now(), RetryBudget::new(10, 2));
    let mut retry = Retry::new(now, &attempts(2), 7);
    for _ in 0..100 {
        let next = retry.failed(now, Failure::NotSent, &budget);
        assert!(matches!(next, Next::At(_)));
    }
    assert_eq!((retry.attempts(), budget.left()), (0, 2));
    retry.dispatched(&budget);
    assert!(matches!(
        retry.failed(now, Failure::NoAnswer, &budget),
        Next::At(_)
    ));
    retry.dispatched(&budget);
    let next = retry.failed(now, Failure::NoAnswer, &budget);
    assert_eq!(next, Next::GiveUp(GaveUp::AttemptsUsed));
}

/// F-6: whatever fails, at most a tenth more requests go out than calls, after the reserve.
#[test]
fn a_destination_gets_at_most_a_tenth_more_requests() {
    let (now, budget) = (Instant::now(), RetryBudget::default());
    let shared = budget.clone();
    let (mut sent, mut spent) = (0, 0);
    for call in 0..10_000 {
        let budget = if call % 2 == 0 { &budget } else { &shared };
        let mut retry = Retry::new(now, &attempts(5), call);
        loop {
            retry.dispatched(budget);
            match retry.failed(now, Failure::NoAnswer, budget) {
                Next::At(_) => {}
                Next::GiveUp(reason) => {
                    spent += u32::from(reason == GaveUp::BudgetSpent);
                    break;
                }
            }
        }
        sent += retry.attempts();
    }
    assert!(sent <= 10_000 + 1_000 + 10, "{sent}");
    assert!(sent >= 10_000 + 1_000 && spent > 8_000, "{sent} {spent}");
}

#[test]
fn a_server_that_pushes_back_is_obeyed() {
    let (now, budget) = (Instant::now(), plenty());
    let policy = RetryPolicy::default().within(Some(ms(5000)));
    let mut retry = Retry::new(now, &policy, 7);
    retry.dispatched(&budget);
    let next = retry.failed(now, Failure::Pushback(ms(3000)), &budget);
    assert_eq!(next, Next::At(now + ms(3000)));
    retry.dispatched(&budget);
    let next = retry.failed(now, Failure::Pushback(ms(6000)), &budget);
    assert_eq!(next, Next::GiveUp(GaveUp::DeadlineOver));
}

/// F-4.
#[test]
fn no_attempt_begins_at_or_after_the_deadline() {
    let (now, budget) = (Instant::now(), plenty());
    let policy = RetryPolicy::default().within(Some(ms(1000)));
    let earlier = Some(now + ms(500));
    let mut retry = Retry::new(now, &policy, 7).until(earlier);
    assert_eq!(retry.deadline(), earlier);
    for failure in [Failure::NoAnswer, Failure::NotSent] {
        retry.dispatched(&budget);
        let next = retry.failed(now + ms(500), failure, &budget);
        assert_eq!(next, Next::GiveUp(GaveUp::DeadlineOver));
    }
    let next = Retry::new(now, &policy, 7).failed(now, Failure::Final, &budget);
    assert_eq!(next, Next::GiveUp(GaveUp::Final));
}

#[tokio::test(start_paused = true)]
async fn a_future_is_retried_until_it_succeeds() {
    let (policy, budget) = (attempts(5), plenty());
    let start = tokio::time::Instant::now();
    let outcome = policy.run(&budget, |attempt| async move {
        match attempt {
            1 => Err(Failure::NoAnswer),
            2 => Err(Failure::Pushback(ms(700))),
            _ => Ok(attempt),
        }
    });
    assert_eq!(outcome.await, Ok(3));
    assert!(start.elapsed() >= ms(700));
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_hangs_ends_with_the_deadline() {
    let policy = RetryPolicy::default().within(Some(ms(900)));
    let start = tokio::time::Instant::now();
    let hang = |_| std::future::pending::<Result<(), Failure>>();
    let error = policy.run(&plenty(), hang).await.unwrap_err();
    assert_eq!((error.attempts, error.reason), (1, GaveUp::DeadlineOver));
    assert_eq!(start.elapsed(), ms(900));

    let policy = RetryPolicy::default().within(Some(ms(2000)));
    let budget = plenty();
    let error = policy.run(&budget, async |_| Err::<(), _>(Failure::NotSent));
    let error = error.await.unwrap_err();
    assert_eq!((error.attempts, error.last), (0, Failure::NotSent));
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_hangs_is_followed_by_another() {
    let (policy, budget) = (
        RetryPolicy::default().attempt_timeout(Some(ms(200))),
        plenty(),
    );
    let start = tokio::time::Instant::now();
    let outcome = policy.run(&budget, |attempt| async move {
        if attempt == 1 {
            std::future::pending::<()>().await;
        }
        Ok(attempt)
    });
    assert_eq!(outcome.await, Ok(2));
    assert!(start.elapsed() >= ms(200) && start.elapsed() <= ms(300));
}
