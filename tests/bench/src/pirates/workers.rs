//! Paranoid Pirate workers (RFC 6) of a crowd: they say READY and send heartbeats, and some answer.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::TcpStream;
use tokio::time::interval;

use crate::Result;
use crate::crowd::told;
use crate::raw_peer::{PIRATE_HEARTBEAT, PIRATE_READY, Said, first, pong};
use crate::sample::Report;

/// The interval of heartbeats, as the guide has it.
const INTERVAL: Duration = Duration::from_secs(1);

/// How long a worker may hear nothing.
const EXPIRY: Duration = Duration::from_secs(3);

/// Octets that are read at once.
const READ: usize = 64 * 1024;

/// Lets workers live without any work: their heartbeats are spread evenly over the interval.
///
/// # Errors
/// Fails when one of them has heard nothing for three intervals.
pub(crate) async fn beat(workers: Vec<TcpStream>) -> Result<()> {
    let workers: Arc<[TcpStream]> = workers.into();
    let heard: Rc<[Cell<bool>]> = workers.iter().map(|_| Cell::new(false)).collect();
    let buffer = Rc::new(RefCell::new(vec![0; READ]));
    for index in 0..workers.len() {
        let (workers, heard) = (Arc::clone(&workers), Rc::clone(&heard));
        let buffer = Rc::clone(&buffer);
        told(async move {
            let (Some(worker), Some(heard)) = (workers.get(index), heard.get(index)) else {
                return Ok(());
            };
            loop {
                worker.ready(Interest::READABLE).await?;
                hear(worker, heard, &mut buffer.borrow_mut())?;
            }
        });
    }
    thread::spawn(move || {
        if let Err(error) = keep_beating(&workers) {
            Report::Failure(error.to_string()).tell();
        }
    });
    // All of them say READY during the first interval.
    tokio::time::sleep(INTERVAL).await;
    loop {
        tokio::time::sleep(EXPIRY).await;
        let silent = heard.iter().filter(|heard| !heard.replace(false)).count();
        if silent > 0 {
            return Err(format!("{silent} workers have heard nothing for {EXPIRY:?}").into());
        }
    }
}

/// Reads what came, and answers PINGs.
fn hear(worker: &TcpStream, heard: &Cell<bool>, buffer: &mut [u8]) -> Result<()> {
    let read = match worker.try_read(buffer) {
        Ok(0) => return Err("the queue has closed a connection".into()),
        Ok(read) => read,
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    let mut rest = buffer.get(..read).unwrap_or_default();
    while !rest.is_empty() {
        let (said, size) = first(rest).ok_or("the queue said half a word")?;
        match said {
            Said::Ping(context) => drop(worker.try_write(&pong(context))?),
            Said::Message(1) => heard.set(true),
            Said::Message(_) => return Err("a request came, and nobody asked".into()),
            Said::Other => {}
        }
        rest = rest.get(size..).unwrap_or_default();
    }
    Ok(())
}

/// READY of each, then a heartbeat of each in every interval, all at times of their own: a thread, since the timers of
/// the runtime would send those of a millisecond together.
fn keep_beating(workers: &[TcpStream]) -> Result<()> {
    let pause = INTERVAL / u32::try_from(workers.len())?;
    let mut next = Instant::now();
    let mut word = PIRATE_READY;
    loop {
        for worker in workers {
            thread::sleep(next.saturating_duration_since(Instant::now()));
            if worker.try_write(word)? != word.len() {
                return Err("the queue does not read".into());
            }
            next += pause;
        }
        word = PIRATE_HEARTBEAT;
    }
}

/// Lets workers answer with what was asked; each has its heartbeats.
///
/// # Errors
/// None; a worker that fails tells.
pub(crate) fn work(workers: Vec<TcpStream>) -> Result<()> {
    for mut worker in workers {
        told(async move {
            worker.write_all(PIRATE_READY).await?;
            let mut beat = interval(INTERVAL);
            let (mut input, mut output) = (Vec::with_capacity(READ), Vec::new());
            loop {
                tokio::select! {
                    _ = beat.tick() => output.extend_from_slice(PIRATE_HEARTBEAT),
                    read = worker.read_buf(&mut input) => {
                        if read? == 0 {
                            return Err("the queue has closed a connection".into());
                        }
                        answer(&mut input, &mut output);
                    }
                }
                worker.write_all(&output).await?;
                output.clear();
            }
        });
    }
    Ok(())
}

/// Answers what is complete: requests with themselves.
fn answer(input: &mut Vec<u8>, output: &mut Vec<u8>) {
    let mut done = 0;
    while let Some(rest) = input.get(done..)
        && let Some((said, size)) = first(rest)
    {
        match said {
            Said::Message(1) | Said::Other => {}
            Said::Message(_) => output.extend(rest.iter().take(size)),
            Said::Ping(context) => output.extend(pong(context)),
        }
        done += size;
    }
    input.drain(..done);
}
