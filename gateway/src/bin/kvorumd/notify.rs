//! Telling systemd that the server serves: one datagram to the socket that `NOTIFY_SOCKET` names.

use std::io;

/// Says `READY=1`. Answers whether somebody wanted to know.
#[cfg(unix)]
pub(crate) fn ready() -> io::Result<bool> {
    let Some(path) = std::env::var_os("NOTIFY_SOCKET").filter(|path| !path.is_empty()) else {
        return Ok(false);
    };
    send(&path)?;
    Ok(true)
}

#[cfg(unix)]
fn send(path: &std::ffi::OsStr) -> io::Result<()> {
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::net::{SocketAddr, UnixDatagram};
    let address = match path.as_bytes() {
        #[cfg(target_os = "linux")]
        [b'@', name @ ..] => {
            use std::os::linux::net::SocketAddrExt;
            SocketAddr::from_abstract_name(name)?
        }
        _ => SocketAddr::from_pathname(path)?,
    };
    UnixDatagram::unbound()?.send_to_addr(b"READY=1", &address).map(drop)
}

/// Elsewhere there is no systemd.
#[cfg(not(unix))]
pub(crate) fn ready() -> io::Result<bool> {
    Ok(false)
}
