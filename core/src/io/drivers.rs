//! What the Tokio runtime of a socket must have: its time driver always, its I/O driver for tcp and ipc.
//!
//! Tokio tells only by a panic where a driver is missing. It is asked where an error can be returned, so that no task
//! finds it in the background.

use std::panic::catch_unwind;
use std::time::Duration;

use tokio::runtime::Handle;

pub(crate) fn has_timer(runtime: &Handle) -> bool {
    let _entered = runtime.enter();
    catch_unwind(|| drop(tokio::time::sleep(Duration::ZERO))).is_ok()
}

/// Fails if sockets of this runtime can use neither tcp nor ipc.
pub(crate) fn check_io<E>(runtime: &Handle, error: E) -> Result<(), E> {
    if has_io(runtime) { Ok(()) } else { Err(error) }
}

fn has_io(runtime: &Handle) -> bool {
    let _entered = runtime.enter();
    catch_unwind(register).is_ok()
}

/// Registers something with the driver; that the system has nothing to register says nothing about the driver.
#[cfg(unix)]
fn register() {
    if let Ok(socket) = std::os::unix::net::UnixDatagram::unbound()
        && socket.set_nonblocking(true).is_ok()
    {
        drop(tokio::net::UnixDatagram::from_std(socket));
    }
}

/// See above.
#[cfg(not(unix))]
fn register() {
    let address = (std::net::Ipv4Addr::LOCALHOST, 0);
    if let Ok(socket) = std::net::UdpSocket::bind(address)
        && socket.set_nonblocking(true).is_ok()
    {
        drop(tokio::net::UdpSocket::from_std(socket));
    }
}
