//! tcp: `tcp://host:port`.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use socket2::SockRef;
use tokio::net::{TcpSocket, TcpStream};

use super::kernel::check_listening;
use super::resolve::{Resolver, SystemResolver, canonical, resolve, source_for};
use super::transport::{DialError, Dialer, Listener, OtherSide, Stream};
use crate::endpoint::{Endpoint, HostPort, TcpAddress};
use crate::options::KernelOptions;

impl Stream for TcpStream {
    fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_read_ready(cx)
    }

    fn local_address(&self) -> Option<String> {
        let address = self.local_addr().ok()?;
        Some(canonical(address).to_string())
    }
}

/// A bound tcp endpoint.
pub(crate) struct TcpListener {
    listener: tokio::net::TcpListener,
    endpoint: Endpoint,
    kernel: KernelOptions,
}

impl TcpListener {
    /// Listens on the first address of `address` that this machine has.
    pub(crate) async fn bind(
        address: &HostPort,
        backlog: u32,
        kernel: KernelOptions,
    ) -> io::Result<Self> {
        let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
        for address in resolve(&SystemResolver, address, kernel.ipv6).await? {
            match listen(address, backlog, &kernel) {
                Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable => last = error,
                listening => return Self::new(listening?, kernel),
            }
        }
        Err(last)
    }

    /// Goes on with a listener that was made elsewhere.
    pub(crate) fn adopt(
        listener: std::net::TcpListener,
        kernel: KernelOptions,
    ) -> io::Result<Self> {
        let socket = SockRef::from(&listener);
        check_listening(&socket)?;
        kernel.prepare_tcp(&socket, listener.local_addr()?.is_ipv6())?;
        listener.set_nonblocking(true)?;
        Self::new(tokio::net::TcpListener::from_std(listener)?, kernel)
    }

    fn new(listener: tokio::net::TcpListener, kernel: KernelOptions) -> io::Result<Self> {
        let endpoint = Endpoint::tcp(listener.local_addr()?);
        Ok(Self {
            listener,
            endpoint,
            kernel,
        })
    }
}

fn listen(
    address: SocketAddr,
    backlog: u32,
    kernel: &KernelOptions,
) -> io::Result<tokio::net::TcpListener> {
    let socket = socket_for(address, kernel)?;
    // A restarted server must not wait until the kernel forgets its old connections.
    #[cfg(not(windows))]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(backlog)
}

fn socket_for(address: SocketAddr, kernel: &KernelOptions) -> io::Result<TcpSocket> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        let socket = TcpSocket::new_v6()?;
        // Some systems have it the other way.
        SockRef::from(&socket).set_only_v6(false)?;
        socket
    };
    kernel.prepare_tcp(&SockRef::from(&socket), address.is_ipv6())?;
    Ok(socket)
}

impl Listener for TcpListener {
    type Stream = TcpStream;

    async fn accept(&self) -> io::Result<(TcpStream, OtherSide)> {
        let (stream, remote) = self.listener.accept().await?;
        self.kernel
            .tune_tcp(&SockRef::from(&stream), remote.is_ipv6())?;
        let other = OtherSide {
            address: Some(canonical(remote)),
            credentials: None,
        };
        Ok((stream, other))
    }

    fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }
}

/// Connects to a tcp endpoint.
pub(crate) struct TcpDialer<R = SystemResolver> {
    address: TcpAddress,
    kernel: KernelOptions,
    resolver: R,
    /// Which of the target's addresses to begin with: the last that was good, or the one after the last that was not.
    next: AtomicUsize,
}

impl TcpDialer {
    pub(crate) const fn new(address: TcpAddress, kernel: KernelOptions) -> Self {
        Self {
            address,
            kernel,
            resolver: SystemResolver,
            next: AtomicUsize::new(0),
        }
    }
}

impl<R: Resolver> TcpDialer<R> {
    async fn resolve(&self, address: &HostPort) -> Result<Vec<SocketAddr>, DialError> {
        let found = resolve(&self.resolver, address, self.kernel.ipv6).await;
        match found.map_err(DialError::Unresolved)? {
            none if none.is_empty() => Err(DialError::Unresolved(
                io::ErrorKind::AddrNotAvailable.into(),
            )),
            found => Ok(found),
        }
    }

    async fn connect(
        &self,
        source: Option<SocketAddr>,
        target: SocketAddr,
    ) -> io::Result<TcpStream> {
        let socket = socket_for(target, &self.kernel)?;
        if let Some(source) = source {
            socket.set_reuseaddr(true)?;
            socket.bind(source)?;
        }
        let stream = socket.connect(target).await?;
        // A port of the range for clients can be connected to itself while its server is away.
        if stream.local_addr()? == stream.peer_addr()? {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        self.kernel
            .tune_tcp(&SockRef::from(&stream), target.is_ipv6())?;
        Ok(stream)
    }
}

impl<R: Resolver> Dialer for TcpDialer<R> {
    type Stream = TcpStream;

    /// Tries the target's addresses in turn. An address that does not answer takes all the time that a try has; the
    /// next try begins with the one after.
    async fn dial(&self) -> Result<(TcpStream, Option<String>), DialError> {
        let sources = match &self.address.source {
            Some(source) => Some(self.resolve(source).await?),
            None => None,
        };
        let targets = self.resolve(&self.address.target).await?;
        let first = self.next.load(Ordering::Relaxed);
        let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
        for step in 0..targets.len() {
            let index = (first + step) % targets.len();
            let target = targets[index];
            let source = sources.as_ref().map(|sources| source_for(sources, target));
            if source == Some(None) {
                continue;
            }
            self.next.store(index + 1, Ordering::Relaxed);
            match self.connect(source.flatten(), target).await {
                Ok(stream) => {
                    self.next.store(index, Ordering::Relaxed);
                    return Ok((stream, Some(target.to_string())));
                }
                Err(error) => last = error,
            }
        }
        Err(last.into())
    }
}

#[cfg(test)]
mod tests;
