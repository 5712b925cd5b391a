//! What can be seen of a login without a request. Looks at names and at whether files are there, never into them.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::report::Login;
use crate::provider::{AgentFile, LoginSigns};

/// Whether there is a login, and where that was seen. `env` is the environment that the agent would get.
pub(super) fn login(signs: &LoginSigns, env: &[(OsString, OsString)]) -> (Login, Option<String>) {
    let named = |names: &[&'static str]| {
        let set = |name: &&&str| value(env, name).is_some_and(|value| !value.is_empty());
        names.iter().find(set).map(|name| (*name).to_owned())
    };
    let there = |files: &[AgentFile]| {
        let paths = files.iter().filter_map(|file| place(file, env));
        let seen: Vec<_> = paths.map(|path| (look(&path), path)).collect();
        let found = seen.iter().find(|(seen, _)| *seen == Seen::There);
        let found = found.map(|(_, path)| path.display().to_string());
        (found, seen.iter().any(|(seen, _)| *seen == Seen::Hidden))
    };
    if let Some(name) = named(signs.variables) {
        return (Login::LoggedIn, Some(name));
    }
    let (found, doubtful) = there(signs.files);
    if found.is_some() {
        return (Login::LoggedIn, found);
    }
    let other = named(signs.other_variables).or_else(|| there(signs.other_files).0);
    if other.is_some() || doubtful || signs.hidden {
        return (Login::Unknown, other);
    }
    (Login::LoggedOut, None)
}

fn value<'a>(env: &'a [(OsString, OsString)], name: &str) -> Option<&'a OsStr> {
    let found = env.iter().find(|(known, _)| known == name);
    found.map(|(_, value)| value.as_os_str())
}

/// Where a file would be. `None`: there is no home.
fn place(file: &AgentFile, env: &[(OsString, OsString)]) -> Option<PathBuf> {
    let set = |name| value(env, name).filter(|value| !value.is_empty());
    let folder = match set(file.variable) {
        Some(folder) => PathBuf::from(folder),
        None => Path::new(set("HOME").or_else(|| set("USERPROFILE"))?).join(file.below_home),
    };
    Some(folder.join(file.path))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Seen {
    There,
    Missing,
    /// Somebody else's folder.
    Hidden,
}

/// An empty file holds no login, and a folder is as good as a file.
fn look(path: &Path) -> Seen {
    match fs::metadata(path) {
        Ok(found) if found.len() > 0 => Seen::There,
        Ok(_) => Seen::Missing,
        Err(why) if why.kind() == io::ErrorKind::NotFound => Seen::Missing,
        Err(why) if why.kind() == io::ErrorKind::NotADirectory => Seen::Missing,
        Err(_) => Seen::Hidden,
    }
}
