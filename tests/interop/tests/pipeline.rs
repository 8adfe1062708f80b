//! PUSH with PULL processes of pyzmq that are killed, stopped and restarted.

use std::num::NonZeroUsize;
use std::time::Duration;

use privateer_core::{Message, PushSocket, SocketOptions};
use privateer_interop::{
    Program, Python, body, connected, disconnected, message, soon, until, vacant,
};
use serde_json::Value;
use tokio::task::JoinHandle;

/// Messages of one run.
const MESSAGES: usize = 3000;

/// K15
#[tokio::test]
async fn a_killed_puller_leaves_the_others_whole_messages_in_order() {
    let Some(python) = Python::ready() else {
        return;
    };
    let push = PushSocket::new().unwrap();
    let mut monitor = push.monitor();
    let endpoint = push.bind("tcp://127.0.0.1:*").await.unwrap().to_string();
    let mut readers = Vec::new();
    for kill_after in [None, Some(MESSAGES / 10), None] {
        let mut puller = Program::start(&python, "pull.py", &["connect", &endpoint]);
        puller.listening().await;
        connected(&mut monitor).await;
        readers.push(read(puller, kill_after));
    }
    for number in 0..MESSAGES {
        soon(push.send(numbered(number))).await.unwrap();
    }
    disconnected(&mut monitor).await;
    end(&push, 2).await;
    let mut seen = vec![0; MESSAGES];
    for reader in readers {
        for number in numbers(&soon(reader).await.unwrap()) {
            seen[number] += 1;
        }
    }
    assert!(seen.iter().all(|times| *times <= 1));
    let lost = seen.iter().filter(|times| **times == 0).count();
    assert!(lost < MESSAGES / 2, "{lost} messages are lost");
}

/// K15: an endpoint that we connect to keeps its messages until its peer is back, and sends none of them twice.
#[tokio::test]
async fn a_killed_and_restarted_puller_gets_whole_messages_in_order_and_none_twice() {
    let Some(python) = Python::ready() else {
        return;
    };
    let options = SocketOptions::new()
        .send_hwm(NonZeroUsize::new(100))
        .reconnect_interval_max(Duration::from_millis(100));
    let push = PushSocket::with_options(options).unwrap();
    let mut monitor = push.monitor();
    let mut readers = Vec::new();
    let mut endpoints = Vec::new();
    for kill_after in [None, Some(MESSAGES / 10)] {
        let mut puller = Program::start(&python, "pull.py", &["bind", &vacant()]);
        let endpoint = puller.listening().await;
        push.connect(&*endpoint).unwrap();
        connected(&mut monitor).await;
        endpoints.push(endpoint);
        readers.push(read(puller, kill_after));
    }
    let sending = tokio::spawn(async move {
        for number in 0..MESSAGES / 2 {
            soon(push.send(numbered(number))).await.unwrap();
        }
        push
    });
    disconnected(&mut monitor).await;
    let mut restarted = Program::start(&python, "pull.py", &["bind", &endpoints[1]]);
    restarted.listening().await;
    connected(&mut monitor).await;
    readers.push(read(restarted, None));
    let push = soon(sending).await.unwrap();
    for number in MESSAGES / 2..MESSAGES {
        soon(push.send(numbered(number))).await.unwrap();
    }
    end(&push, 2).await;

    let mut seen = vec![0; MESSAGES];
    for reader in readers {
        let received = numbers(&soon(reader).await.unwrap());
        assert!(!received.is_empty());
        for number in received {
            seen[number] += 1;
        }
    }
    assert!(seen.iter().all(|times| *times <= 1));
}

/// K15
#[tokio::test]
async fn a_stopped_puller_is_passed_over_and_gets_its_messages_later() {
    let Some(python) = Python::ready() else {
        return;
    };
    let options = SocketOptions::new().send_hwm(NonZeroUsize::new(5));
    let push = PushSocket::with_options(options).unwrap();
    let mut monitor = push.monitor();
    let endpoint = push.bind("tcp://127.0.0.1:*").await.unwrap().to_string();
    let mut pullers = Vec::new();
    for _ in 0..2 {
        let mut puller = Program::start(&python, "pull.py", &["connect", &endpoint]);
        puller.listening().await;
        connected(&mut monitor).await;
        pullers.push(puller);
    }
    let (stopped, other) = (pullers.pop().unwrap(), pullers.pop().unwrap());
    stopped.stop();
    let other = read(other, None);
    let messages = 100;
    for number in 0..messages {
        let text = number.to_string();
        let sent = message([text.as_bytes(), &body(1024 * 1024), text.as_bytes()]);
        soon(push.send(sent)).await.unwrap();
    }
    stopped.resume();
    let stopped = read(stopped, None);
    end(&push, 2).await;
    let received = [soon(other).await.unwrap(), soon(stopped).await.unwrap()];
    let mut all: Vec<usize> = Vec::new();
    for lines in &received {
        let numbers: Vec<usize> = lines.iter().map(first).collect();
        assert!(numbers.is_sorted());
        all.extend(numbers);
    }
    all.sort_unstable();
    assert_eq!(all, Vec::from_iter(0..messages));
    assert!(received[0].len() > received[1].len());
}

/// A message of three frames, each of which tells which it is.
fn numbered(number: usize) -> Message {
    let text = number.to_string();
    message([text.as_bytes(), &body(middle(number)), text.as_bytes()])
}

/// How long the frame in the middle is: from nothing to what takes several writes.
const fn middle(number: usize) -> usize {
    number * 7919 % 60_000
}

/// Reads the lines of a puller until it ends; with `kill_after`, kills it after so many and reads what is left.
fn read(mut puller: Program, kill_after: Option<usize>) -> JoinHandle<Vec<Value>> {
    tokio::spawn(async move {
        let mut lines = Vec::new();
        while let Some(line) = puller.value().await {
            lines.push(line);
            if Some(lines.len()) == kill_after {
                puller.kill().await;
            }
        }
        lines
    })
}

/// Tells each of so many pullers that this was all.
async fn end(push: &PushSocket, pullers: usize) {
    // All have room then, so each is given one.
    until(|| push.stats().queued == 0).await;
    for _ in 0..pullers {
        push.send("end").await.unwrap();
    }
}

/// The numbers of the messages that a puller told of, which are whole and in order.
fn numbers(lines: &[Value]) -> Vec<usize> {
    let numbers: Vec<usize> = lines.iter().map(first).collect();
    for (line, number) in lines.iter().zip(&numbers) {
        let text = number.to_string();
        let sizes = serde_json::json!([text.len(), middle(*number), text.len()]);
        assert_eq!(line[1], text, "half a message");
        assert_eq!(line[2], sizes, "half a message");
    }
    assert!(numbers.is_sorted());
    numbers
}

fn first(line: &Value) -> usize {
    line[0].as_str().unwrap().parse().unwrap()
}
