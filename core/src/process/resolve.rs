//! From a program's name to its file.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};

/// There is no such program.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no executable file {program:?} in {looked_in:?}")]
pub(crate) struct NotFound {
    /// What was asked for.
    pub program: OsString,
    /// The files or folders that were looked at, in this order.
    pub looked_in: Vec<PathBuf>,
    /// What has the name and cannot be executed, the first of them.
    pub unfit: Option<PathBuf>,
}

/// The absolute path of the program.
///
/// A name with a slash is a path, relative to `cwd`. Any other is looked for in the folders of `path`. Those that are
/// not absolute are left out: what a working directory contains must not decide what runs. On Windows the name must have
/// its extension.
pub(crate) fn resolve(
    program: &OsStr,
    path: Option<&OsStr>,
    cwd: &Path,
) -> Result<PathBuf, NotFound> {
    let as_path = Path::new(program);
    let mut looked_in = Vec::new();
    let mut unfit = None;
    if as_path.is_absolute() || as_path.components().count() > 1 || has_slash(program) {
        let file = cwd.join(as_path);
        if is_executable(&file) {
            return Ok(file);
        }
        unfit = file.exists().then(|| file.clone());
        looked_in.push(file);
    } else if !program.is_empty() {
        for folder in path
            .into_iter()
            .flat_map(env::split_paths)
            .filter(|folder| folder.is_absolute())
        {
            let file = folder.join(as_path);
            if is_executable(&file) {
                return Ok(file);
            }
            if unfit.is_none() && file.exists() {
                unfit = Some(file);
            }
            looked_in.push(folder);
        }
    }
    Err(NotFound {
        program: program.to_owned(),
        looked_in,
        unfit,
    })
}

fn has_slash(program: &OsStr) -> bool {
    program
        .as_encoded_bytes()
        .iter()
        .any(|byte| std::path::is_separator(char::from(*byte)))
}

#[cfg(unix)]
fn is_executable(file: &Path) -> bool {
    let regular = fs::metadata(file).is_ok_and(|found| found.is_file());
    regular && rustix::fs::access(file, rustix::fs::Access::EXEC_OK).is_ok()
}

#[cfg(not(unix))]
fn is_executable(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|found| found.is_file())
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn place(folder: &Path, name: &str, mode: u32) -> std::io::Result<PathBuf> {
        let file = folder.join(name);
        fs::write(&file, "#!/bin/sh\n")?;
        fs::set_permissions(&file, fs::Permissions::from_mode(mode))?;
        Ok(file)
    }

    #[test]
    fn a_name_is_looked_for_in_the_path_in_order() -> std::io::Result<()> {
        let (first, second) = (tempfile::tempdir()?, tempfile::tempdir()?);
        let file = place(second.path(), "agent", 0o755)?;
        let path = env::join_paths([first.path(), second.path()]).map_err(std::io::Error::other)?;
        assert_eq!(
            resolve("agent".as_ref(), Some(&path), Path::new("/")),
            Ok(file)
        );
        let missing = NotFound {
            program: "other".into(),
            looked_in: vec![first.path().to_owned(), second.path().to_owned()],
            unfit: None,
        };
        assert_eq!(
            resolve("other".as_ref(), Some(&path), Path::new("/")),
            Err(missing)
        );
        Ok(())
    }

    #[test]
    fn the_working_directory_counts_only_for_a_name_with_a_slash() -> std::io::Result<()> {
        let folder = tempfile::tempdir()?;
        let file = place(folder.path(), "agent", 0o755)?;
        for path in ["", ".", "::"] {
            assert!(
                resolve("agent".as_ref(), Some(path.as_ref()), folder.path()).is_err(),
                "{path:?}"
            );
        }
        let found = resolve("./agent".as_ref(), None, folder.path());
        assert_eq!(found, Ok(folder.path().join("./agent")));
        assert!(file.is_file());
        Ok(())
    }

    #[test]
    fn what_has_the_name_and_cannot_be_executed_is_told() -> std::io::Result<()> {
        let folder = tempfile::tempdir()?;
        let plain = place(folder.path(), "plain", 0o644)?;
        for program in [plain.as_os_str(), "plain".as_ref()] {
            let found = resolve(program, Some(folder.path().as_os_str()), Path::new("/"));
            let unfit = found.map_err(|missing| missing.unfit);
            assert_eq!(unfit, Err(Some(plain.clone())), "{program:?}");
        }
        Ok(())
    }

    #[test]
    fn folders_and_files_that_cannot_be_executed_are_passed_over() -> std::io::Result<()> {
        let (first, second) = (tempfile::tempdir()?, tempfile::tempdir()?);
        place(first.path(), "plain", 0o644)?;
        fs::create_dir(first.path().join("folder"))?;
        let plain = place(second.path(), "plain", 0o755)?;
        let folder = place(second.path(), "folder", 0o755)?;
        let path = env::join_paths([first.path(), second.path()]).map_err(std::io::Error::other)?;
        assert_eq!(
            resolve("plain".as_ref(), Some(&path), Path::new("/")),
            Ok(plain)
        );
        assert_eq!(
            resolve("folder".as_ref(), Some(&path), Path::new("/")),
            Ok(folder)
        );
        Ok(())
    }
}
