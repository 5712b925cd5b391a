//! Where the guard's program is executed from.
//!
//! It travels inside this library. Best is a file that exists only in memory; where the system refuses to execute one,
//! a private file of this user is used. Either is made once per process.

use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use rustix::fs::OFlags;

static IMAGE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/guard"));

/// A place from which a program can be executed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// A file in memory.
    Memory,
    /// A private folder in this one.
    Folder(PathBuf),
}

impl Place {
    /// The places that are tried, best first. None if this library was built without a guard.
    pub(super) fn usual() -> Vec<Self> {
        if IMAGE.is_empty() {
            return Vec::new();
        }
        // Each may be mounted so that nothing in it is executed.
        let folders = ["/var/tmp", "/tmp", "/dev/shm"].map(|folder| Self::Folder(folder.into()));
        #[cfg(target_os = "linux")]
        let memory = Some(Self::Memory);
        #[cfg(not(target_os = "linux"))]
        let memory = None;
        memory.into_iter().chain(folders).collect()
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory => write!(formatter, "file in memory"),
            Self::Folder(folder) => write!(formatter, "private file in {}", folder.display()),
        }
    }
}

/// The guard's program as a file that can be executed.
#[derive(Debug)]
pub(super) struct GuardImage {
    place: Place,
    path: PathBuf,
    /// What the path must still lead to.
    file: (u64, u64),
    /// Keeps a file in memory alive.
    memory: Option<File>,
}

/// The images that were made in this process, one per place.
static IMAGES: Mutex<Vec<Arc<GuardImage>>> = Mutex::new(Vec::new());

impl GuardImage {
    /// The image in this place. It is made if there is none yet, or if it is no longer what was made.
    pub(super) fn obtain(place: &Place) -> io::Result<Arc<Self>> {
        let mut images = IMAGES.lock();
        if let Some(index) = images.iter().position(|image| image.place == *place) {
            if images[index].is_intact() {
                return Ok(Arc::clone(&images[index]));
            }
            images.swap_remove(index).forget();
        }
        let image = Arc::new(match place {
            Place::Memory => Self::in_memory()?,
            Place::Folder(folder) => Self::in_folder(folder)?,
        });
        images.push(Arc::clone(&image));
        Ok(image)
    }

    /// The path to execute.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the path still leads to the same file. A host may close descriptors that it does not know, and the
    /// number may then be that of another file.
    fn is_intact(&self) -> bool {
        let expected = (self.file, IMAGE.len() as u64);
        fs::metadata(&self.path)
            .is_ok_and(|found| ((found.dev(), found.ino()), found.len()) == expected)
    }

    /// Drops this without closing a descriptor that is no longer ours.
    fn forget(self: Arc<Self>) {
        if self.memory.is_some() {
            std::mem::forget(self);
        }
    }

    #[cfg(target_os = "linux")]
    fn in_memory() -> io::Result<Self> {
        use std::os::fd::AsRawFd;

        use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};

        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let create = |flags| memfd_create("remuda-guard", flags);
        // Kernels before 6.3 do not know the flag and always allow execution.
        let file = create(flags | MemfdFlags::EXEC).or_else(|error| match error {
            rustix::io::Errno::INVAL => create(flags),
            other => Err(other),
        })?;
        check_room(IMAGE.len() as u64)?;
        // Not one of the first three, which are given to the child before it is executed.
        let mut file = File::from(rustix::io::fcntl_dupfd_cloexec(&file, 3)?);
        file.write_all(IMAGE)?;
        fcntl_add_seals(
            &file,
            SealFlags::WRITE | SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL,
        )?;
        let path = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
        let metadata = file.metadata()?;
        Ok(Self {
            place: Place::Memory,
            path,
            file: (metadata.dev(), metadata.ino()),
            memory: Some(file),
        })
    }

    #[cfg(not(target_os = "linux"))]
    fn in_memory() -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// The image in a private folder of this user. It is used again by later processes.
    fn in_folder(parent: &Path) -> io::Result<Self> {
        let user = rustix::process::geteuid().as_raw();
        let folder = private_folder(parent.join(format!("remuda-{user}")), user)?;
        let path = folder.join(format!("guard-{:016x}", fingerprint(IMAGE)));
        let metadata = match existing(&path, user) {
            Ok(metadata) => metadata,
            Err(_) => written(&folder, &path)?,
        };
        let place = Place::Folder(parent.to_owned());
        Ok(Self {
            place,
            path,
            file: (metadata.dev(), metadata.ino()),
            memory: None,
        })
    }
}

/// Makes the folder if it is not there, and refuses one in which others could put files.
fn private_folder(folder: PathBuf, user: u32) -> io::Result<PathBuf> {
    match DirBuilder::new().mode(0o700).create(&folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let flags = OFlags::NOFOLLOW | OFlags::DIRECTORY;
    let found = open_flags(&folder, flags)?.metadata()?;
    let private = found.uid() == user && found.mode() & 0o7777 == 0o700;
    private
        .then_some(folder)
        .ok_or_else(|| io::Error::other("the folder belongs to others"))
}

/// The image that an earlier process left there, byte for byte.
fn existing(path: &Path, user: u32) -> io::Result<fs::Metadata> {
    let mut file = open_flags(path, OFlags::NOFOLLOW)?;
    let metadata = file.metadata()?;
    let mut found = Vec::with_capacity(IMAGE.len());
    (&mut file)
        .take(IMAGE.len() as u64 + 1)
        .read_to_end(&mut found)?;
    let same = metadata.is_file()
        && metadata.uid() == user
        && metadata.mode() & 0o7777 == 0o700
        && found == IMAGE;
    same.then_some(metadata)
        .ok_or_else(|| io::Error::other("another file"))
}

/// Writes the image beside its place and moves it there, so that nobody executes half of it.
fn written(folder: &Path, path: &Path) -> io::Result<fs::Metadata> {
    let draft = folder.join(format!("draft-{}", uuid::Uuid::new_v4().simple()));
    check_room(IMAGE.len() as u64)?;
    let write = || {
        let flags = OFlags::NOFOLLOW.bits().cast_signed();
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o700)
            .custom_flags(flags)
            .open(&draft)?;
        // The mask of the host may have taken away more than it should.
        rustix::fs::fchmod(&file, rustix::fs::Mode::RWXU)?;
        file.write_all(IMAGE)?;
        let metadata = file.metadata()?;
        drop(file);
        fs::rename(&draft, path)?;
        Ok(metadata)
    };
    write().inspect_err(|_| drop(fs::remove_file(&draft)))
}

/// Whether a file of that size may be written. Who writes more than the limit is sent SIGXFSZ, and that
/// would end the host.
fn check_room(size: u64) -> io::Result<()> {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Fsize).current;
    match limit {
        Some(most) if most < size => Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("the host may write files of {most} bytes, and it has {size}"),
        )),
        Some(_) | None => Ok(()),
    }
}

fn open_flags(path: &Path, flags: OFlags) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits().cast_signed())
        .open(path)
}

/// Tells versions apart; that the content is right is compared (FNV-1a).
fn fingerprint(bytes: &[u8]) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, step)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;
    use crate::process::test_host::alone;

    #[test]
    fn a_host_that_may_write_no_such_file_is_told_so_and_lives() {
        alone(|_| {
            use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
            let before = getrlimit(Resource::Fsize);
            let current = Some(IMAGE.len() as u64 - 1);
            setrlimit(Resource::Fsize, Rlimit { current, ..before }).expect("lower is allowed");
            let folder = tempfile::tempdir().expect("a folder");
            let memory = GuardImage::in_memory().map_err(|error| error.kind());
            let private = GuardImage::in_folder(folder.path()).map_err(|error| error.kind());
            setrlimit(Resource::Fsize, before).expect("the maximum is as before");
            assert_eq!(memory.err(), Some(io::ErrorKind::FileTooLarge));
            assert_eq!(private.err(), Some(io::ErrorKind::FileTooLarge));
            assert!(GuardImage::in_memory().is_ok());
        });
    }

    #[test]
    fn a_private_file_is_written_once_and_used_again() -> io::Result<()> {
        let parent = tempfile::tempdir()?;
        let first = GuardImage::in_folder(parent.path())?;
        let again = GuardImage::in_folder(parent.path())?;
        assert_eq!((&first.path, first.file), (&again.path, again.file));
        assert_eq!(fs::read(&first.path)?, IMAGE);
        Ok(())
    }

    #[test]
    fn a_changed_file_is_replaced() -> io::Result<()> {
        let parent = tempfile::tempdir()?;
        let first = GuardImage::in_folder(parent.path())?;
        fs::write(&first.path, "something else")?;
        assert!(!first.is_intact());
        let again = GuardImage::in_folder(parent.path())?;
        assert_eq!(fs::read(&again.path)?, IMAGE);
        Ok(())
    }

    #[test]
    fn a_folder_that_others_may_enter_is_refused() -> io::Result<()> {
        let parent = tempfile::tempdir()?;
        let user = rustix::process::geteuid().as_raw();
        let folder = parent.path().join(format!("remuda-{user}"));
        fs::create_dir(&folder)?;
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755))?;
        assert!(GuardImage::in_folder(parent.path()).is_err());
        fs::remove_dir(&folder)?;
        let elsewhere = tempfile::tempdir()?;
        symlink(elsewhere.path(), &folder)?;
        assert!(GuardImage::in_folder(parent.path()).is_err());
        Ok(())
    }
}
