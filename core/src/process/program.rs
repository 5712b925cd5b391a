//! Which file an agent's name means.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::error::{Error, ErrorKind};
use crate::process::resolve::resolve;

/// Follows wrappers and launcher scripts to the native program.
pub(crate) type Native = Box<dyn Fn(&Path) -> PathBuf + Send>;

/// An agent's program, by name or by path.
pub(crate) struct Program {
    pub name: PathBuf,
    /// The `PATH` that it is looked for in.
    pub path: Option<OsString>,
    pub native: Native,
}

impl Program {
    /// Looks at the file system.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::ProgramNotFound`], saying where it was looked for, or what is there that cannot be
    /// executed.
    pub(crate) fn resolve(&self, cwd: &Path) -> Result<PathBuf, Error> {
        let found = resolve(self.name.as_os_str(), self.path.as_deref(), cwd);
        let found = found.map_err(|missing| {
            let places: Vec<_> = missing
                .looked_in
                .iter()
                .map(|p| p.display().to_string())
                .collect();
            let name = self.name.display();
            let message = if let Some(unfit) = &missing.unfit {
                let unfit = unfit.display();
                format!("{name}: {unfit} is there, and is no file that this user may execute")
            } else if places.is_empty() {
                format!("{name} was not found: PATH names no folder")
            } else {
                format!("{name} was not found; looked in {}", places.join(", "))
            };
            Error::new(ErrorKind::ProgramNotFound, message)
        })?;
        Ok((self.native)(&found))
    }
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Program")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
