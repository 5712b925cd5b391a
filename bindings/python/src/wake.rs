//! A descriptor that is readable while something waits.

use std::os::fd::{AsRawFd, OwnedFd};

use rustix::io::Errno;

/// One end that a waker lights, and a loop polls and clears. Neither end ever blocks.
#[derive(Debug)]
pub(crate) struct WakeFd {
    read: OwnedFd,
    /// `None`: the same descriptor.
    write: Option<OwnedFd>,
}

#[cfg(target_os = "linux")]
fn open() -> Result<(OwnedFd, Option<OwnedFd>), Errno> {
    use rustix::event::{EventfdFlags, eventfd};
    let fd = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
    Ok((fd, None))
}

#[cfg(not(target_os = "linux"))]
fn open() -> Result<(OwnedFd, Option<OwnedFd>), Errno> {
    use rustix::io::{FdFlags, fcntl_setfd, ioctl_fionbio};
    let (read, write) = rustix::pipe::pipe()?;
    for fd in [&read, &write] {
        fcntl_setfd(fd, FdFlags::CLOEXEC)?;
        ioctl_fionbio(fd, true)?;
    }
    Ok((read, Some(write)))
}

impl WakeFd {
    /// # Errors
    ///
    /// The system gives no descriptor.
    pub(crate) fn new() -> std::io::Result<Self> {
        let (read, write) = open()?;
        Ok(Self { read, write })
    }

    pub(crate) fn number(&self) -> i32 {
        self.read.as_raw_fd()
    }

    pub(crate) fn light(&self) {
        let fd = self.write.as_ref().unwrap_or(&self.read);
        // It can only be full, and then it is lit.
        let _ = rustix::io::write(fd, &1_u64.to_ne_bytes());
    }

    pub(crate) fn clear(&self) {
        // It can only be empty, and then it is dark.
        let _ = rustix::io::read(&self.read, &mut [0_u8; 64]);
    }
}
