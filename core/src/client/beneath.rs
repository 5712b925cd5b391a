//! Opening what lies in a directory, and nothing else.
//!
//! On Linux the kernel sees to it: whatever a path names, and whatever is put in the place of a folder
//! while it is walked, leads out of the directory nowhere. Elsewhere, and on kernels that cannot, the path is
//! walked folder by folder, and no link is followed.

use std::ffi::OsStr;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::Errno;

use super::call::{Failure, Why};

/// So many links are followed from a file to the one that it names.
const LINKS: usize = 8;

/// A directory, held open. One that is put in its place later is another one.
#[derive(Debug)]
pub(super) struct Root {
    folder: OwnedFd,
    /// Its names: as the session has it, and without links.
    names: Vec<PathBuf>,
}

/// A file's place: the folder that it is, or would be, in, and its name there.
#[derive(Debug)]
pub(super) struct Spot {
    pub folder: OwnedFd,
    pub name: PathBuf,
}

impl Root {
    /// Opens the directory.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC;
        let folder = openat(CWD, path, flags, Mode::empty())?;
        let mut names = vec![path.to_owned()];
        let real = path.canonicalize()?;
        if real != path {
            names.push(real);
        }
        Ok(Self { folder, names })
    }

    /// The rest of a path behind the directory.
    fn rest<'a>(&self, path: &'a str) -> Result<&'a Path, Failure> {
        let path = Path::new(path);
        if path.is_relative() {
            return Ok(path);
        }
        let mut rests = self
            .names
            .iter()
            .filter_map(|name| path.strip_prefix(name).ok());
        rests.next().ok_or_else(|| outside(path))
    }

    /// Opens what is there, also a device, if it lies in the directory. Never waits.
    pub(super) fn open_file(&self, path: &str) -> Result<OwnedFd, Failure> {
        let rest = self.rest(path)?;
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY;
        self.at(rest, flags).map_err(|error| explain(path, error))
    }

    /// The directory's real name with the rest of this path, which is a folder that lies in it.
    pub(super) fn folder(&self, path: &str) -> Result<PathBuf, Failure> {
        let rest = self.rest(path)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        self.at(rest, flags).map_err(|error| explain(path, error))?;
        let name = self.names.last().map(|name| name.join(rest));
        Ok(name.unwrap_or_default())
    }

    /// Finds where a file is, or would be: a link stands for what it names.
    pub(super) fn spot(&self, path: &str) -> Result<Spot, Failure> {
        let mut rest = self.rest(path)?.to_owned();
        for _ in 0..LINKS {
            let name = match rest.components().next_back() {
                Some(Component::Normal(name)) => PathBuf::from(name),
                Some(_) | None => {
                    return Err(Failure::refused(format!("{path}: it names no file")));
                }
            };
            let parent = rest.parent().unwrap_or(Path::new("")).to_owned();
            let flags = OFlags::RDONLY | OFlags::DIRECTORY;
            let folder = self.at(&parent, flags).map_err(|error| match error {
                Errno::NOENT => {
                    Failure::new(Why::Missing, format!("{path}: its folder is not there"))
                }
                error => explain(path, error),
            })?;
            match rustix::fs::readlinkat(&folder, &name, Vec::new()) {
                Ok(target) => {
                    use std::os::unix::ffi::OsStrExt;
                    let target = Path::new(OsStr::from_bytes(target.as_bytes()));
                    if target.is_absolute() {
                        return Err(outside(Path::new(path)));
                    }
                    rest = parent.join(target);
                }
                // It is no link, or is not there.
                Err(Errno::INVAL | Errno::NOENT) => return Ok(Spot { folder, name }),
                Err(error) => return Err(explain(path, error)),
            }
        }
        Err(explain(path, Errno::LOOP))
    }

    fn at(&self, rest: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
        let rest = if rest.as_os_str().is_empty() {
            Path::new(".")
        } else {
            rest
        };
        kernel::open(&self.folder, rest, flags | OFlags::CLOEXEC)
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod kernel {
    use rustix::fs::{Mode, OFlags, ResolveFlags, openat2};

    use super::{Errno, OwnedFd, Path, walk};

    /// So often it is tried again where the kernel cannot tell, because folders are being moved.
    const TRIES: usize = 64;

    pub(super) fn open(folder: &OwnedFd, rest: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        let attempt = || openat2(folder, rest, flags, Mode::empty(), resolve);
        let mut opened = attempt();
        for _ in 1..TRIES {
            match opened {
                Err(Errno::AGAIN | Errno::INTR) => opened = attempt(),
                Ok(_) | Err(_) => break,
            }
        }
        match opened {
            // An old kernel, or a container that does not know the call.
            Err(Errno::NOSYS | Errno::PERM) => walk(folder, rest, flags),
            other => other,
        }
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod kernel {
    pub(super) use super::walk as open;
}

/// Opens a path folder by folder. Nothing is followed, so that nothing leads out.
fn walk(folder: &OwnedFd, rest: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
    let mut parts = rest
        .components()
        .filter(|part| *part != Component::CurDir)
        .peekable();
    let into = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let mut at: Option<OwnedFd> = None;
    while let Some(part) = parts.next() {
        let Component::Normal(name) = part else {
            return Err(Errno::XDEV);
        };
        let flags = if parts.peek().is_some() {
            into
        } else {
            flags | OFlags::NOFOLLOW
        };
        at = Some(openat(
            at.as_ref().unwrap_or(folder),
            name,
            flags,
            Mode::empty(),
        )?);
    }
    match at {
        Some(found) => Ok(found),
        None => openat(folder, ".", flags, Mode::empty()),
    }
}

fn outside(path: &Path) -> Failure {
    let path = path.display();
    Failure::refused(format!("{path}: it is outside of the session's directory"))
}

/// What an error means to who named the path.
pub(super) fn explain(path: &str, error: Errno) -> Failure {
    match error {
        Errno::NOENT | Errno::NOTDIR => {
            Failure::new(Why::Missing, format!("{path}: there is no such file"))
        }
        Errno::XDEV | Errno::LOOP => outside(Path::new(path)),
        // A pipe that nobody reads, or a socket.
        Errno::NXIO => Failure::refused(format!("{path}: it is no regular file")),
        Errno::ISDIR => Failure::refused(format!("{path}: it is a folder")),
        Errno::ACCESS | Errno::PERM => {
            Failure::refused(format!("{path}: the user may not do this with it"))
        }
        error => Failure::new(Why::Failed, format!("{path}: {}", io::Error::from(error))),
    }
}

#[cfg(test)]
#[path = "beneath_tests.rs"]
mod tests;
