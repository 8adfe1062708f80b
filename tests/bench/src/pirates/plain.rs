//! A queue for workers without work that is no more than its system calls: it reads heartbeats and sends them.
//!
//! What it costs is what this machine takes for so many small messages on so many connections, whoever handles them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::interval;

use crate::Result;
use crate::raw_peer::{PIRATE_HEARTBEAT, shake_hands};

/// The interval of heartbeats, as the guide has it.
const INTERVAL: Duration = Duration::from_secs(1);

/// How many workers there are.
#[derive(Clone, Default)]
pub(super) struct Count(Arc<AtomicUsize>);

impl Count {
    /// The number.
    pub(super) fn workers(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// Listens, and serves whoever comes.
pub(super) async fn start(endpoint: &str) -> Result<(String, Count)> {
    let address = endpoint.trim_start_matches("tcp://");
    let listener = TcpListener::bind(address).await?;
    let endpoint = format!("tcp://{}", listener.local_addr()?);
    let count = Count::default();
    let serving = count.clone();
    tokio::spawn(async move {
        while let Ok((worker, _)) = listener.accept().await {
            let count = serving.clone();
            tokio::spawn(async move {
                // Why a worker ended does not matter: that it is gone is noticed.
                let _ended = serve(worker, &count).await;
                count.0.fetch_sub(1, Ordering::Relaxed);
            });
        }
    });
    Ok((endpoint, count))
}

async fn serve(mut worker: TcpStream, count: &Count) -> Result<()> {
    count.0.fetch_add(1, Ordering::Relaxed);
    worker.set_nodelay(true)?;
    shake_hands(&mut worker, "ROUTER").await?;
    let mut beat = interval(INTERVAL);
    let mut read = [0; 64];
    loop {
        tokio::select! {
            _ = beat.tick() => worker.write_all(PIRATE_HEARTBEAT).await?,
            read = worker.read(&mut read) => if read? == 0 {
                return Ok(());
            },
        }
    }
}
