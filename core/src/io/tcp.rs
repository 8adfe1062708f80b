//! tcp: `tcp://host:port`.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV6};
use std::task::{Context, Poll};

use tokio::net::{TcpSocket, TcpStream, lookup_host};

use super::transport::{Dialer, Listener, Stream};
use crate::endpoint::{Endpoint, Host, HostPort, TcpAddress};

impl Stream for TcpStream {
    fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_read_ready(cx)
    }
}

/// A bound tcp endpoint.
pub(crate) struct TcpListener {
    listener: tokio::net::TcpListener,
    endpoint: Endpoint,
}

impl TcpListener {
    /// Listens on the first address of `address` that can be had.
    pub(crate) async fn bind(address: &HostPort, backlog: u32) -> io::Result<Self> {
        let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
        for address in resolve(address).await? {
            match listen(address, backlog) {
                Ok(listener) => {
                    let endpoint = Endpoint::tcp(listener.local_addr()?);
                    return Ok(Self { listener, endpoint });
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

fn listen(address: SocketAddr, backlog: u32) -> io::Result<tokio::net::TcpListener> {
    let socket = socket_for(address)?;
    // A restarted server must not wait until the kernel forgets its old connections.
    #[cfg(not(windows))]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(backlog)
}

fn socket_for(address: SocketAddr) -> io::Result<TcpSocket> {
    if address.is_ipv4() {
        TcpSocket::new_v4()
    } else {
        TcpSocket::new_v6()
    }
}

impl Listener for TcpListener {
    type Stream = TcpStream;

    async fn accept(&self) -> io::Result<(TcpStream, Option<String>)> {
        let (stream, remote) = self.listener.accept().await?;
        stream.set_nodelay(true)?;
        Ok((stream, Some(remote.to_string())))
    }

    fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }
}

impl Dialer for TcpAddress {
    type Stream = TcpStream;

    async fn dial(&self) -> io::Result<(TcpStream, Option<String>)> {
        let sources = match &self.source {
            Some(source) => resolve(source).await?,
            None => Vec::new(),
        };
        let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
        for target in resolve(&self.target).await? {
            let source = sources
                .iter()
                .find(|source| source.is_ipv4() == target.is_ipv4());
            match connect(source, target).await {
                Ok(stream) => return Ok((stream, Some(target.to_string()))),
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

async fn connect(source: Option<&SocketAddr>, target: SocketAddr) -> io::Result<TcpStream> {
    let socket = socket_for(target)?;
    if let Some(source) = source {
        socket.set_reuseaddr(true)?;
        socket.bind(*source)?;
    }
    let stream = socket.connect(target).await?;
    // A port of the range for clients can be connected to itself while its server is away.
    if stream.local_addr()? == stream.peer_addr()? {
        return Err(io::ErrorKind::ConnectionRefused.into());
    }
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// All addresses that a host stands for: its own, an interface's, or what the resolver says now.
async fn resolve(address: &HostPort) -> io::Result<Vec<SocketAddr>> {
    let port = address.port;
    match &address.host {
        Host::Wildcard => Ok(vec![(Ipv4Addr::UNSPECIFIED, port).into()]),
        Host::Ip(ip) => Ok(vec![(*ip, port).into()]),
        Host::Scoped { ip, scope } => {
            let index = match scope.parse() {
                Ok(index) => index,
                Err(_name) => interface_index(scope)?,
            };
            Ok(vec![SocketAddrV6::new(*ip, port, 0, index).into()])
        }
        Host::Name(name) => {
            let interface = interface_addresses(name)?;
            if !interface.is_empty() {
                return Ok(interface.into_iter().map(|ip| (ip, port).into()).collect());
            }
            let mut found: Vec<SocketAddr> = lookup_host((&**name, port)).await?.collect();
            // As libzmq does unless told otherwise: a name stands for its IPv4 addresses first.
            found.sort_by_key(SocketAddr::is_ipv6);
            Ok(found)
        }
    }
}

fn interface_addresses(name: &str) -> io::Result<Vec<IpAddr>> {
    let all = if_addrs::get_if_addrs()?;
    let mut found: Vec<IpAddr> = all
        .iter()
        .filter(|interface| interface.name == name)
        .map(if_addrs::Interface::ip)
        .collect();
    found.sort_by_key(IpAddr::is_ipv6);
    Ok(found)
}

fn interface_index(name: &str) -> io::Result<u32> {
    let all = if_addrs::get_if_addrs()?;
    let index = all
        .iter()
        .find(|interface| interface.name == name)
        .and_then(|interface| interface.index);
    index.ok_or_else(|| io::ErrorKind::AddrNotAvailable.into())
}
