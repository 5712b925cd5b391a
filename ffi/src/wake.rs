//! A descriptor that is readable while something waits.

use crate::error::Failure;

/// One end that the library lights and clears, and the host polls.
#[derive(Debug)]
pub(crate) struct WakeFd {
    inner: os::Fd,
}

impl WakeFd {
    /// # Errors
    ///
    /// `SHORTAGE` when the system gives none, `UNSUPPORTED` where there is no such thing.
    pub(crate) fn new() -> Result<Self, Failure> {
        Ok(Self {
            inner: os::Fd::new()?,
        })
    }

    pub(crate) fn number(&self) -> i32 {
        self.inner.number()
    }

    pub(crate) fn light(&self) {
        self.inner.light();
    }

    pub(crate) fn clear(&self) {
        self.inner.clear();
    }
}

#[cfg(unix)]
mod os {
    use std::os::fd::{AsRawFd, OwnedFd};

    use rustix::io::Errno;

    use crate::error::Failure;
    use crate::status::REMUDA_STATUS_SHORTAGE;

    /// Neither end ever blocks: a host that reads it by mistake costs itself a wake-up, and us nothing.
    #[derive(Debug)]
    pub(super) struct Fd {
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

    impl Fd {
        pub(super) fn new() -> Result<Self, Failure> {
            let (read, write) = open().map_err(|why| {
                Failure::new(REMUDA_STATUS_SHORTAGE, format!("no descriptor: {why}"))
            })?;
            Ok(Self { read, write })
        }

        pub(super) fn number(&self) -> i32 {
            self.read.as_raw_fd()
        }

        pub(super) fn light(&self) {
            let fd = self.write.as_ref().unwrap_or(&self.read);
            // It can only be full, and then it is lit.
            let _ = rustix::io::write(fd, &1_u64.to_ne_bytes());
        }

        pub(super) fn clear(&self) {
            // It can only be empty, and then it is dark.
            let _ = rustix::io::read(&self.read, &mut [0_u8; 64]);
        }
    }
}

#[cfg(not(unix))]
mod os {
    use crate::error::Failure;
    use crate::status::REMUDA_STATUS_UNSUPPORTED;

    #[derive(Debug)]
    pub(super) struct Fd {}

    impl Fd {
        pub(super) fn new() -> Result<Self, Failure> {
            Err(Failure::new(
                REMUDA_STATUS_UNSUPPORTED,
                "there is no wake descriptor on this system yet; pull on a thread",
            ))
        }

        pub(super) fn number(&self) -> i32 {
            -1
        }

        pub(super) fn light(&self) {}

        pub(super) fn clear(&self) {}
    }
}
