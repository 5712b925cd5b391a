//! Reading and writing text files of the session's directory. Blocks, so it runs where that does no harm.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, fchmod, fstat, openat, renameat, unlinkat};
use rustix::io::Errno;

use super::beneath::{Root, Spot, explain};
use super::call::{Failure, Why};
use super::{MAX_TEXT, lines};

/// The session's directory, as one process of it has it.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    /// Opened when it is first needed, and not anew for a directory that was put in its place.
    root: OnceLock<Root>,
}

impl Folder {
    pub(super) fn new(path: &Path) -> Self {
        let path = path.to_owned();
        let root = OnceLock::new();
        Self { path, root }
    }

    fn root(&self) -> Result<&Root, Failure> {
        if let Some(root) = self.root.get() {
            return Ok(root);
        }
        let opened = Root::open(&self.path).map_err(|error| {
            let path = self.path.display();
            Failure::new(Why::Failed, format!("{path}: {error}"))
        })?;
        Ok(self.root.get_or_init(|| opened))
    }

    /// Reads so many lines from that one on.
    pub(super) fn read(
        &self,
        path: &str,
        line: Option<u64>,
        limit: Option<u64>,
    ) -> Result<String, Failure> {
        let file = self.root()?.open_file(path)?;
        let (_, size) = regular(path, &file)?;
        check_size(path, size)?;
        let mut bytes = Vec::new();
        // It may grow while it is read.
        let read = File::from(file).take(MAX_TEXT + 1).read_to_end(&mut bytes);
        read.map_err(|error| Failure::new(Why::Failed, format!("{path}: {error}")))?;
        check_size(path, bytes.len() as u64)?;
        let text = String::from_utf8(bytes)
            .map_err(|_| Failure::refused(format!("{path}: it is no text in UTF-8")))?;
        match (line, limit) {
            (None, None) => Ok(text),
            _ => Ok(lines::part(&text, line, limit).to_owned()),
        }
    }

    /// Writes a file whole, in place of one that was there: whoever reads it meanwhile sees the one or the
    /// other. Its mode stays. Folders are not made.
    pub(super) fn write(&self, path: &str, content: &str) -> Result<(), Failure> {
        check_size(path, content.len() as u64)?;
        let spot = self.root()?.spot(path)?;
        let mode = mode_of(path, &spot)?;
        let new = format!(".remuda-{}", uuid::Uuid::new_v4().simple());
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let made_with = mode.map_or(Mode::from_raw_mode(0o666), |_| Mode::RUSR | Mode::WUSR);
        let file = openat(&spot.folder, &new, flags | OFlags::NOFOLLOW, made_with)
            .map_err(|error| explain(path, error))?;
        let written = fill(path, file, content, mode).and_then(|()| {
            let into = (&spot.folder, &spot.name);
            renameat(&spot.folder, &new, into.0, into.1).map_err(|error| explain(path, error))
        });
        if written.is_err() {
            // If this fails too, nothing can be done about it.
            let _left = unlinkat(&spot.folder, &new, AtFlags::empty());
        }
        written
    }

    /// The name of a folder in the directory.
    pub(super) fn folder(&self, path: Option<&str>) -> Result<PathBuf, Failure> {
        self.root()?.folder(path.unwrap_or("."))
    }
}

fn fill(path: &str, file: OwnedFd, content: &str, mode: Option<Mode>) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::new(Why::Failed, format!("{path}: {error}"));
    let mut file = File::from(file);
    file.write_all(content.as_bytes()).map_err(failed)?;
    if let Some(mode) = mode {
        fchmod(&file, mode).map_err(|error| failed(error.into()))?;
    }
    Ok(())
}

/// The mode of the file that is there, which is a regular one that may be written. `None`: there is none.
fn mode_of(path: &str, spot: &Spot) -> Result<Option<Mode>, Failure> {
    let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::NOFOLLOW;
    match openat(
        &spot.folder,
        &spot.name,
        flags | OFlags::CLOEXEC,
        Mode::empty(),
    ) {
        Ok(file) => regular(path, &file).map(|(mode, _)| Some(mode)),
        Err(Errno::NOENT) => Ok(None),
        Err(error) => Err(explain(path, error)),
    }
}

/// Sees that it is a regular file, and gives the part of its mode that says who may do what, and its size.
fn regular(path: &str, file: &OwnedFd) -> Result<(Mode, u64), Failure> {
    let found = fstat(file).map_err(|error| explain(path, error))?;
    if FileType::from_raw_mode(found.st_mode) != FileType::RegularFile {
        return Err(Failure::refused(format!("{path}: it is no regular file")));
    }
    let mode = Mode::from_raw_mode(found.st_mode) & (Mode::RWXU | Mode::RWXG | Mode::RWXO);
    Ok((mode, u64::try_from(found.st_size).unwrap_or(u64::MAX)))
}

fn check_size(path: &str, size: u64) -> Result<(), Failure> {
    if size <= MAX_TEXT {
        return Ok(());
    }
    let message = format!("{path}: it has more than {MAX_TEXT} bytes");
    Err(Failure::refused(message))
}

#[cfg(test)]
#[path = "files_tests.rs"]
mod tests;
