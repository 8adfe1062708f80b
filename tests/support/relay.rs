//! A tcp relay that cuts its connections at a chosen octet.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

/// Carries octets between those who connect to it and a server, and cuts each connection after its share.
#[derive(Debug)]
pub(crate) struct Relay {
    address: SocketAddr,
    task: JoinHandle<()>,
    accepted: Arc<AtomicUsize>,
}

impl Relay {
    /// A relay to `server` (`tcp://...`); the n-th connection is cut after `cuts[n]` octets from its client, the ones
    /// after those never.
    pub(crate) async fn new(server: &str, cuts: Vec<usize>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = server.strip_prefix("tcp://").unwrap().to_owned();
        let accepted = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&accepted);
        let task = tokio::spawn(async move {
            // Dropped with the task, so that no connection outlives the relay.
            let mut connections = JoinSet::new();
            for share in cuts.into_iter().chain(std::iter::repeat(usize::MAX)) {
                let Ok((client, _)) = listener.accept().await else {
                    return;
                };
                count.fetch_add(1, Ordering::Relaxed);
                let server = server.clone();
                connections.spawn(async move {
                    if let Ok(server) = TcpStream::connect(server).await {
                        carry(client, server, share).await;
                    }
                });
            }
        });
        Self {
            address,
            task,
            accepted,
        }
    }

    /// How many connections it has carried.
    pub(crate) fn carried(&self) -> usize {
        self.accepted.load(Ordering::Relaxed)
    }

    /// Where to connect.
    pub(crate) fn endpoint(&self) -> String {
        format!("tcp://{}", self.address)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Carries `share` octets forth, and everything back meanwhile.
async fn carry(mut client: TcpStream, mut server: TcpStream, share: usize) {
    let (mut from_client, mut to_client) = client.split();
    let (mut from_server, mut to_server) = server.split();
    let forth = async {
        let mut left = share;
        let mut buffer = vec![0; 16 * 1024];
        while left > 0 {
            let most = buffer.len().min(left);
            match from_client.read(&mut buffer[..most]).await {
                Ok(read) if read > 0 && to_server.write_all(&buffer[..read]).await.is_ok() => {
                    left -= read
                }
                _ => break,
            }
        }
        // What the server has not read yet it may still read.
        let _gone = to_server.shutdown().await;
    };
    tokio::select! {
        () = forth => {}
        _ = tokio::io::copy(&mut from_server, &mut to_client) => {}
    }
}
