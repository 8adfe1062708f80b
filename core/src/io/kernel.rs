//! What the operating system is told of the sockets that it keeps for us.

use std::io;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive as Probes};

use crate::options::{KernelOptions, TcpKeepalive};

/// The most seconds that Linux takes for a time of its probes.
const PROBE_SECONDS_MAX: u64 = 32_767;
/// The most probes that Linux takes.
const PROBES_MAX: u32 = 127;

/// The longest TCP_USER_TIMEOUT: Linux takes milliseconds in 31 bits.
#[cfg(any(target_os = "linux", target_os = "android", target_os = "fuchsia"))]
const USER_TIMEOUT_MAX: Duration = Duration::from_secs(24 * 24 * 60 * 60);

impl KernelOptions {
    /// What has to be said before a tcp socket listens or connects, which is when the size of its window is agreed.
    pub(crate) fn prepare_tcp(&self, socket: &SockRef<'_>, is_ipv6: bool) -> io::Result<()> {
        self.set_buffers(socket)?;
        self.set_type_of_service(socket, is_ipv6)
    }

    /// What has to be said of each tcp connection.
    pub(crate) fn tune_tcp(&self, stream: &SockRef<'_>, is_ipv6: bool) -> io::Result<()> {
        // Messages are gathered before they are written.
        stream.set_tcp_nodelay(true)?;
        self.set_type_of_service(stream, is_ipv6)?;
        self.set_maxrt(stream)?;
        match self.tcp_keepalive {
            TcpKeepalive::System => Ok(()),
            TcpKeepalive::Off => stream.set_keepalive(false),
            TcpKeepalive::On => stream.set_tcp_keepalive(&self.probes()),
        }
    }

    pub(crate) fn set_buffers(&self, socket: &SockRef<'_>) -> io::Result<()> {
        // More than this the system's interface cannot say.
        let most = i32::MAX as usize;
        if let Some(size) = self.send_buffer_size {
            socket.set_send_buffer_size(size.get().min(most))?;
        }
        if let Some(size) = self.recv_buffer_size {
            socket.set_recv_buffer_size(size.get().min(most))?;
        }
        Ok(())
    }

    fn set_type_of_service(&self, socket: &SockRef<'_>, is_ipv6: bool) -> io::Result<()> {
        let octet = u32::from(self.type_of_service);
        if octet == 0 {
            return Ok(());
        }
        if !is_ipv6 {
            return socket.set_tos_v4(octet);
        }
        // An IPv6 socket may carry IPv4 too; not every system can be told so.
        let _not_told = socket.set_tos_v4(octet);
        set_traffic_class(socket, octet)
    }

    #[cfg(any(target_os = "linux", target_os = "android", target_os = "fuchsia"))]
    fn set_maxrt(&self, stream: &SockRef<'_>) -> io::Result<()> {
        match self.tcp_maxrt {
            Some(time) => stream.set_tcp_user_timeout(Some(time.min(USER_TIMEOUT_MAX))),
            None => Ok(()),
        }
    }

    #[cfg(not(any(target_os = "linux", target_os = "android", target_os = "fuchsia")))]
    fn set_maxrt(&self, _stream: &SockRef<'_>) -> io::Result<()> {
        Ok(())
    }

    fn probes(&self) -> Probes {
        let seconds = |time: Duration| {
            let begun = u64::from(time.subsec_nanos() > 0);
            let rounded_up = time.as_secs().saturating_add(begun);
            Duration::from_secs(rounded_up.clamp(1, PROBE_SECONDS_MAX))
        };
        let mut probes = Probes::new();
        if let Some(idle) = self.tcp_keepalive_idle {
            probes = probes.with_time(seconds(idle));
        }
        #[cfg(not(any(target_os = "openbsd", target_os = "haiku")))]
        {
            if let Some(interval) = self.tcp_keepalive_interval {
                probes = probes.with_interval(seconds(interval));
            }
            if let Some(count) = self.tcp_keepalive_count {
                probes = probes.with_retries(count.get().min(PROBES_MAX));
            }
        }
        probes
    }
}

/// Refuses what is no listener, where the system can tell.
pub(super) fn check_listening(socket: &SockRef<'_>) -> io::Result<()> {
    #[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
    if !socket.is_listener()? {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let _elsewhere = socket;
    Ok(())
}

#[cfg(unix)]
fn set_traffic_class(socket: &SockRef<'_>, octet: u32) -> io::Result<()> {
    socket.set_tclass_v6(octet)
}

/// Windows has no such option, and libzmq sets none there.
#[cfg(not(unix))]
fn set_traffic_class(_socket: &SockRef<'_>, _octet: u32) -> io::Result<()> {
    Ok(())
}
