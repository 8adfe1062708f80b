//! ipc: `ipc://path`, `ipc://@abstract` and `ipc://*`, over Unix sockets.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, FileTypeExt as _, MetadataExt as _};
use std::os::unix::net::UnixListener as StdUnixListener;
use std::path::{Path, PathBuf};
use std::task::{Context, Poll};

use socket2::{Domain, SockAddr, SockRef, Socket, Type};
use tokio::net::{UnixListener, UnixStream};

use super::credentials::Credentials;
use super::kernel::check_listening;
use super::transport::{DialError, Dialer, Listener, OtherSide, Stream};
use crate::endpoint::{Endpoint, IpcAddress};
use crate::options::KernelOptions;
use turn::Turn;

mod turn;

impl Stream for UnixStream {
    fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_read_ready(cx)
    }
}

/// A bound ipc endpoint.
pub(crate) struct IpcListener {
    /// What to remove when it closes. Dropped before the listener, which keeps the inode from being used again.
    _file: Option<SocketFile>,
    listener: UnixListener,
    endpoint: Endpoint,
    kernel: KernelOptions,
}

impl IpcListener {
    /// Listens on `address`.
    ///
    /// A socket that somebody listens on is in use; one that nobody listens on is replaced; any other file is left
    /// alone. libzmq removes whatever stands there.
    pub(crate) fn bind(
        address: &IpcAddress,
        backlog: u32,
        kernel: KernelOptions,
    ) -> io::Result<Self> {
        let (path, directory) = match address {
            IpcAddress::Abstract(name) => {
                return Ok(Self {
                    listener: listen(&format!("\0{name}"), backlog)?,
                    endpoint: Endpoint::ipc(address.clone()),
                    kernel,
                    _file: None,
                });
            }
            IpcAddress::Path(path) => (path.to_string(), None),
            IpcAddress::Wildcard => {
                let directory = temporary_directory()?;
                let path = directory.join("socket").to_string_lossy().into_owned();
                (path, Some(directory))
            }
        };
        let (listener, file) = {
            let _only = Turn::take(Path::new(&path))?;
            remove_stale(Path::new(&path))?;
            let listener = listen(&path, backlog)?;
            (listener, SocketFile::new(PathBuf::from(&path), directory)?)
        };
        let endpoint = Endpoint::ipc(IpcAddress::Path(path.into()));
        Ok(Self {
            listener,
            endpoint,
            kernel,
            _file: Some(file),
        })
    }

    /// Goes on with a listener that was made elsewhere; its file stays.
    pub(crate) fn adopt(listener: StdUnixListener, kernel: KernelOptions) -> io::Result<Self> {
        check_listening(&SockRef::from(&listener))?;
        listener.set_nonblocking(true)?;
        let address = SockRef::from(&listener).local_addr()?;
        let path = address.as_pathname().and_then(Path::to_str);
        let name = address.as_abstract_namespace();
        let name = name.and_then(|name| str::from_utf8(name).ok());
        let address = match (path, name) {
            (Some(path), _) => IpcAddress::Path(path.into()),
            (None, Some(name)) => IpcAddress::Abstract(name.into()),
            (None, None) => return Err(io::ErrorKind::InvalidInput.into()),
        };
        Ok(Self {
            listener: UnixListener::from_std(listener)?,
            endpoint: Endpoint::ipc(address),
            kernel,
            _file: None,
        })
    }
}

/// Listens at a path, or at an abstract name after a zero byte.
fn listen(path: &str, backlog: u32) -> io::Result<UnixListener> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SockAddr::unix(path)?)?;
    socket.listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
    UnixListener::from_std(socket.into())
}

/// Makes way for a new socket at `path` if nobody listens on the one there.
fn remove_stale(path: &Path) -> io::Result<()> {
    let Ok(found) = fs::symlink_metadata(path) else {
        return Ok(());
    };
    if !found.file_type().is_socket() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    let probe = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    probe.set_nonblocking(true)?;
    match probe.connect(&SockAddr::unix(path)?) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        // It answers, or its backlog is full: somebody is there.
        _ => Err(io::ErrorKind::AddrInUse.into()),
    }
}

fn temporary_directory() -> io::Result<PathBuf> {
    let directory = std::env::temp_dir().join(format!("privateer-{:016x}", fastrand::u64(..)));
    fs::DirBuilder::new().mode(0o700).create(&directory)?;
    Ok(directory)
}

/// The file of a bound socket; removed when dropped, if it is still the same file.
struct SocketFile {
    path: PathBuf,
    inode: (u64, u64),
    directory: Option<PathBuf>,
}

impl SocketFile {
    fn new(path: PathBuf, directory: Option<PathBuf>) -> io::Result<Self> {
        let inode = inode(&path)?;
        Ok(Self {
            path,
            inode,
            directory,
        })
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        // What cannot be removed is somebody else's by now.
        if inode(&self.path).is_ok_and(|inode| inode == self.inode) {
            let _kept = fs::remove_file(&self.path);
        }
        if let Some(directory) = &self.directory {
            let _kept = fs::remove_dir(directory);
        }
    }
}

fn inode(path: &Path) -> io::Result<(u64, u64)> {
    fs::symlink_metadata(path).map(|found| (found.dev(), found.ino()))
}

impl Listener for IpcListener {
    type Stream = UnixStream;

    async fn accept(&self) -> io::Result<(UnixStream, OtherSide)> {
        let (stream, _unnamed) = self.listener.accept().await?;
        self.kernel.set_buffers(&SockRef::from(&stream))?;
        let process = stream.peer_cred()?;
        let other = OtherSide {
            address: None,
            credentials: Some(Credentials {
                uid: process.uid(),
                gid: process.gid(),
            }),
        };
        Ok((stream, other))
    }

    fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }
}

/// Connects to an ipc endpoint.
pub(crate) struct IpcDialer {
    pub(crate) address: IpcAddress,
    pub(crate) kernel: KernelOptions,
}

impl Dialer for IpcDialer {
    type Stream = UnixStream;

    async fn dial(&self) -> Result<(UnixStream, Option<String>), DialError> {
        let stream = match &self.address {
            IpcAddress::Path(path) => UnixStream::connect(&**path).await?,
            IpcAddress::Abstract(name) => UnixStream::connect(format!("\0{name}")).await?,
            // Refused when the socket was told to connect.
            IpcAddress::Wildcard => return Err(io::Error::from(io::ErrorKind::InvalidInput).into()),
        };
        self.kernel.set_buffers(&SockRef::from(&stream))?;
        Ok((stream, None))
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use super::*;
    use crate::endpoint::Address;
    use crate::options::SocketOptions;

    /// Linux doubles what it is given, for its own records.
    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn kernel_buffers_are_as_the_options_say() {
        let options = SocketOptions::new()
            .send_buffer_size(NonZeroUsize::new(30_000))
            .recv_buffer_size(NonZeroUsize::new(20_000));
        let kernel = options.kernel;
        let listener = IpcListener::bind(&IpcAddress::Wildcard, 100, kernel).unwrap();
        let Address::Ipc(address) = listener.endpoint().address().clone() else {
            panic!("it is not ipc");
        };
        let dialer = IpcDialer { address, kernel };
        let (accepted, connected) = tokio::join!(listener.accept(), dialer.dial());
        let ((accepted, _), (connected, _)) = (accepted.unwrap(), connected.unwrap());
        for stream in [accepted, connected] {
            let socket = SockRef::from(&stream);
            assert_eq!(socket.send_buffer_size().unwrap(), 60_000);
            assert_eq!(socket.recv_buffer_size().unwrap(), 40_000);
        }
    }
}
