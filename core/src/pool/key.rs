//! What a shared process is: two sessions whose keys are the same would have started the same one.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::config::Client;

/// All that decides a launch, except what is told to the agent per conversation. What must not mix
/// (logins, configuration homes, environments, arguments, programs) is told apart by it.
///
/// Clones are the same key. It may hold secrets, so it shows nothing of itself.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct ShareKey(Arc<Facts>);

/// What is compared.
#[derive(PartialEq, Eq, Hash)]
pub(crate) struct Facts {
    pub provider: &'static str,
    /// The program's file.
    pub program: PathBuf,
    pub args: Vec<OsString>,
    pub env: Vec<(OsString, OsString)>,
    /// Where it is started, if anything in the rest means another thing elsewhere.
    pub place: Option<PathBuf>,
    /// What the agent is told that its client does: it is told once.
    pub client: Client,
    /// How long writing may make no progress: the process has one input.
    pub write: Duration,
}

impl ShareKey {
    pub(crate) fn new(facts: Facts) -> Self {
        Self(Arc::new(facts))
    }
}

impl fmt::Debug for ShareKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ShareKey").field(&self.0.provider).finish()
    }
}

/// Whether anything that the agent is started with may mean another thing in another directory.
/// Arguments are not looked into: any may name a file. Of a variable it is enough that a relative
/// part of it names something that is there.
pub(crate) fn means_place(cwd: &Path, extra_args: &[String], env: &[(OsString, OsString)]) -> bool {
    let named = |part: PathBuf| {
        let relative = part.is_relative() && !part.as_os_str().is_empty();
        relative && (part.starts_with(".") || part.starts_with("..") || cwd.join(part).exists())
    };
    !extra_args.is_empty()
        || env
            .iter()
            .any(|(_, value)| std::env::split_paths(value).any(named))
}

#[cfg(test)]
impl ShareKey {
    /// A key that is told apart by a number.
    pub(crate) fn of(number: u8) -> Self {
        Self::new(Facts {
            provider: "test",
            program: PathBuf::new(),
            args: vec![number.to_string().into()],
            env: Vec::new(),
            place: None,
            client: Client::default(),
            write: Duration::ZERO,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_shows_no_secret() {
        let key = ShareKey::new(Facts {
            provider: "test",
            program: "/bin/agent".into(),
            args: vec!["--token=hidden".into()],
            env: vec![("KEY".into(), "hidden".into())],
            place: None,
            client: Client::default(),
            write: Duration::ZERO,
        });
        assert!(!format!("{key:?}").contains("hidden"));
    }

    #[test]
    fn a_place_counts_only_where_something_is_named_relative_to_it() {
        let here = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(here.path().join("home")).expect("a folder");
        let env = |value: &str| vec![(OsString::from("X"), OsString::from(value))];
        let place = |value: &str| means_place(here.path(), &[], &env(value));
        for harmless in [
            "",
            "1",
            "en_US.UTF-8",
            "/etc",
            "sk-0123",
            "/bin:/usr/bin",
            "/a:",
        ] {
            assert!(!place(harmless), "{harmless:?}");
        }
        for relative in ["home", "./later", "../up", "/bin:home", "/bin:./bin"] {
            assert!(place(relative), "{relative:?}");
        }
        assert!(means_place(here.path(), &["-x".to_owned()], &[]));
    }
}
