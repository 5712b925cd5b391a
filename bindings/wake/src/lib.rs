//! A descriptor that is readable while something waits.

use std::io;

/// One end that the library lights and clears, and a host's loop polls. Closed when it is dropped.
#[derive(Debug)]
pub struct WakeFd {
    inner: os::Fd,
}

impl WakeFd {
    /// Dark. Neither end ever blocks: a host that reads it by mistake costs itself a wake-up, and us nothing.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::Unsupported`] where there is no such thing; else the system gives none.
    pub fn new() -> io::Result<Self> {
        os::Fd::new().map(|inner| Self { inner })
    }

    /// What the host polls for input.
    #[must_use]
    pub fn number(&self) -> i32 {
        self.inner.number()
    }

    /// Makes it readable.
    pub fn light(&self) {
        self.inner.light();
    }

    /// Makes it dark, however often it was lit.
    pub fn clear(&self) {
        self.inner.clear();
    }
}

#[cfg(unix)]
mod os {
    use std::io;
    use std::os::fd::{AsRawFd, OwnedFd};

    use rustix::io::Errno;

    #[derive(Debug)]
    pub(super) struct Fd {
        pub(super) read: OwnedFd,
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
        pub(super) fn new() -> io::Result<Self> {
            let (read, write) = open()?;
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
            // It can only be empty, and then it is dark. A pipe may have been lit more often than one read takes.
            while matches!(rustix::io::read(&self.read, &mut [0_u8; 512]), Ok(512)) {}
        }
    }
}

#[cfg(not(unix))]
mod os {
    use std::io;

    #[derive(Debug)]
    pub(super) struct Fd {}

    impl Fd {
        pub(super) fn new() -> io::Result<Self> {
            let message = "there is no wake descriptor on this system yet; pull on a thread";
            Err(io::Error::new(io::ErrorKind::Unsupported, message))
        }

        #[expect(clippy::unused_self, reason = "there is none")]
        pub(super) const fn number(&self) -> i32 {
            -1
        }

        #[expect(clippy::unused_self, reason = "there is none")]
        pub(super) const fn light(&self) {}

        #[expect(clippy::unused_self, reason = "there is none")]
        pub(super) const fn clear(&self) {}
    }
}

#[cfg(all(test, unix))]
mod tests {
    use rustix::event::{PollFd, PollFlags, poll};

    use super::WakeFd;

    fn is_lit(fd: &WakeFd) -> bool {
        let polled = &mut [PollFd::new(&fd.inner.read, PollFlags::IN)];
        poll(polled, Some(&rustix::event::Timespec::default())).expect("a poll") == 1
    }

    #[test]
    fn it_is_readable_from_the_first_light_to_the_next_clearing() {
        let fd = WakeFd::new().expect("a descriptor");
        assert!(!is_lit(&fd));
        (0..1000).for_each(|_| fd.light());
        assert!(is_lit(&fd));
        fd.clear();
        assert!(!is_lit(&fd));
        fd.clear();
        fd.light();
        assert!(is_lit(&fd));
    }
}
