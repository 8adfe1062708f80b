//! PUSH, and PULLs in processes that are killed.

use std::collections::HashSet;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use privateer::core::{Frame, Message, PushSocket, SocketOptions};
use privateer_faults::{Process, scale, soon, until, within};
use tokio::task::JoinHandle;

/// A program that prints what it pulls, a line each, frames divided by tabs.
fn puller(side: &str, endpoint: &str) -> Process {
    Process::example("zcat", &["pull", side, endpoint])
}

/// One that listens, and where.
async fn listening(endpoint: &str) -> (Process, String) {
    let mut puller = puller("--bind", endpoint);
    let line = soon(puller.line()).await;
    let endpoint = line.strip_prefix("listening on ").unwrap().to_owned();
    (puller, endpoint)
}

/// Message `number`: two frames, the second as long as the number says, and never longer than `largest`.
fn numbered(number: usize, largest: usize) -> Message {
    let body = "x".repeat(length(number, largest));
    [Frame::from(number.to_string()), Frame::from(body)].into()
}

fn length(number: usize, largest: usize) -> usize {
    number * 7919 % largest
}

/// The number of a message in a line; none if it is not whole.
fn number(line: &str, largest: usize) -> Option<usize> {
    let (number, body) = line.split_once('\t')?;
    let number = number.parse().ok()?;
    let is_whole = body.len() == length(number, largest) && body.bytes().all(|octet| octet == b'x');
    is_whole.then_some(number)
}

/// What a puller gets until the end, which is told to it.
fn read(mut puller: Process, largest: usize) -> JoinHandle<Vec<usize>> {
    tokio::spawn(async move {
        let mut numbers = Vec::new();
        loop {
            match soon(puller.line()).await {
                end if end == "end" => return numbers,
                line => numbers.push(number(&line, largest).unwrap()),
            }
        }
    })
}

/// What a puller has printed that is killed now.
async fn killed(mut puller: Process, largest: usize) -> Vec<usize> {
    puller.kill().await;
    let (mut lines, status) = puller.end().await;
    assert!(!status.success());
    // Its last line may be cut: that is its output, not what it pulled.
    let last = lines.pop().and_then(|line| number(&line, largest));
    let numbers = lines.iter().map(|line| number(line, largest).unwrap());
    numbers.chain(last).collect()
}

/// Tells the pullers the end until all have heard of it, and gives what each got.
async fn end(push: &PushSocket, readers: Vec<JoinHandle<Vec<usize>>>) -> Vec<Vec<usize>> {
    let telling = async {
        loop {
            push.send("end").await.unwrap();
            tokio::task::yield_now().await;
        }
    };
    let reading = async {
        let mut all = Vec::new();
        for reader in readers {
            all.push(reader.await.unwrap());
        }
        all
    };
    within(Duration::from_secs(60), async {
        tokio::select! {
            all = reading => all,
            () = telling => unreachable!(),
        }
    })
    .await
}

/// That each puller got its messages in order, and together they got none twice; how many they got.
fn check(all: &[Vec<usize>]) -> usize {
    let mut seen = HashSet::new();
    for numbers in all {
        assert!(numbers.is_sorted_by(|one, next| one < next), "{numbers:?}");
        assert!(numbers.iter().all(|number| seen.insert(*number)));
    }
    seen.len()
}

/// K15: a PULL that is killed with kill -9 takes only its own with it: PUSH goes on to the others, each gets its messages
/// whole and in order, and nobody one that another has.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn push_goes_on_to_the_others_when_a_puller_is_killed() {
    const LARGEST: usize = 20_000;
    const MARK: usize = 20;
    let half = 2000 * scale();
    let options = SocketOptions::new().send_hwm(NonZeroUsize::new(MARK));
    let push = Arc::new(PushSocket::with_options(options).unwrap());
    let endpoint = push.bind("tcp://127.0.0.1:*").await.unwrap().to_string();
    let mut doomed = puller("--connect", &endpoint);
    let others = [(); 2].map(|()| puller("--connect", &endpoint));
    until(|| push.peers().len() == 3).await;
    let readers = others.map(|puller| read(puller, LARGEST)).into();

    let sending = tokio::spawn({
        let push = Arc::clone(&push);
        async move {
            for number in 0..half {
                push.send(numbered(number, LARGEST)).await.unwrap();
            }
        }
    });
    // It has some, and is about to get more.
    let first = number(&soon(doomed.line()).await, LARGEST).unwrap();
    let mut its_own = killed(doomed, LARGEST).await;
    its_own.insert(0, first);
    within(Duration::from_secs(60), sending).await.unwrap();
    until(|| push.peers().len() == 2).await;
    for number in half..2 * half {
        soon(push.send(numbered(number, LARGEST))).await.unwrap();
    }

    let mut all = end(&push, readers).await;
    for numbers in &all {
        assert!(
            numbers.iter().any(|number| *number >= half),
            "it got nothing afterwards"
        );
    }
    let of_the_others: usize = all.iter().map(Vec::len).sum();
    // What is lost is what was queued for the one, or on its way to it.
    assert_eq!(push.stats().connected, 3);
    assert!(of_the_others >= half, "{of_the_others}");
    all.push(its_own);
    check(&all);
}

/// K15: a PULL that PUSH connects to is killed with kill -9 in the middle of messages that it does not read, and comes
/// back: it gets whole messages only, behind those that it had, and none twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_puller_that_comes_back_gets_no_half_of_a_message() {
    const LARGEST: usize = 300_000;
    const MARK: usize = 10;
    let options = SocketOptions::new()
        .send_hwm(NonZeroUsize::new(MARK))
        .reconnect_interval_max(Duration::from_millis(100));
    let push = PushSocket::with_options(options).unwrap();
    let (other, endpoint) = listening("tcp://127.0.0.1:*").await;
    push.connect(&*endpoint).unwrap();
    let (mut doomed, endpoint) = listening("tcp://127.0.0.1:*").await;
    push.connect(&*endpoint).unwrap();
    until(|| push.peers().len() == 2).await;
    let other = read(other, LARGEST);

    let mut sent = 0;
    let mut send = async |messages: usize| {
        for _ in 0..messages {
            soon(push.send(numbered(sent, LARGEST))).await.unwrap();
            sent += 1;
        }
    };
    send(MARK).await;
    let first = number(&soon(doomed.line()).await, LARGEST).unwrap();
    doomed.stop();
    // Far more than the kernel holds for it, so that a message is half written; the other one gets the rest.
    send(200).await;
    let mut before = killed(doomed, LARGEST).await;
    before.insert(0, first);
    let (again, _) = listening(&endpoint).await;
    until(|| push.stats().connected == 3).await;
    let again = read(again, LARGEST);
    send(100 * scale()).await;

    let mut all = end(&push, vec![other, again]).await;
    let after = all.last_mut().unwrap();
    assert!(
        after.len() > MARK,
        "what was queued for it, and more: {}",
        after.len()
    );
    // One endpoint, one order.
    before.append(after);
    *after = before;
    check(&all);
}
