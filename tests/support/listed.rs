//! Which tests there are, and with which agents they run, read off their files.

use std::path::PathBuf;

use remuda::config::Mode;

use crate::generated::root;

/// The lists of tests in `with_real_agents!`: for which providers, and in which kind of process.
const LISTS: &[(&str, &[&str], Mode)] = &[
    ("", &["claude", "codex"], Mode::Warm),
    ("claude:", &["claude"], Mode::Warm),
    ("codex:", &["codex"], Mode::Warm),
    ("one_shot_claude:", &["claude"], Mode::OneShot),
    ("one_shot_codex:", &["codex"], Mode::OneShot),
];

/// A test with a real agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its name, without its file's.
    pub name: String,
    /// With which agents it runs, and in which kind of process.
    pub runs: Vec<(&'static str, Mode)>,
}

/// The tests of a file that run with real agents. None: it has no such tests.
///
/// # Panics
///
/// If there is no such file, or its list cannot be read.
#[must_use]
pub fn listed_in(file: &str) -> Vec<Listed> {
    let source = source(file);
    let Some((_, lists)) = source.split_once("with_real_agents! {") else {
        return Vec::new();
    };
    let (lists, _) = lists.split_once('}').expect("the end of the lists");
    let mut found: Vec<Listed> = Vec::new();
    for list in lists.split(';') {
        let mut words = list.split_whitespace().peekable();
        let head = words.next_if(|word| word.ends_with(':')).unwrap_or("");
        let (_, providers, mode) = LISTS.iter().find(|l| l.0 == head).expect("a known list");
        for name in words {
            let known = found.iter().position(|test| test.name == name);
            let place = known.unwrap_or_else(|| {
                let (name, runs) = (name.to_owned(), Vec::new());
                found.push(Listed { name, runs });
                found.len() - 1
            });
            let runs = providers.iter().map(|provider| (*provider, *mode));
            found[place].runs.extend(runs);
        }
    }
    found
}

/// The tests of a file that need no real agent.
///
/// # Panics
///
/// If there is no such file.
#[must_use]
pub fn plain_in(file: &str) -> Vec<String> {
    let source = source(file);
    let tests = source.split("#[test]").skip(1).filter_map(|test| {
        let (_, test) = test.split_once("fn ")?;
        let (name, _) = test.split_once('(')?;
        Some(name.to_owned())
    });
    tests.collect()
}

/// For which provider and in which kinds of processes a test runs: `FILE::NAME`.
///
/// # Panics
///
/// If it is in no list.
#[must_use]
pub fn runs_of(test: &str) -> Vec<(&'static str, Mode)> {
    let (file, name) = test.split_once("::").expect("a file and a name");
    let found = listed_in(file).into_iter().find(|test| test.name == name);
    let found = found.unwrap_or_else(|| panic!("{test} is in no list"));
    found.runs
}

/// The files of tests whose name begins so, without their ending.
///
/// # Panics
///
/// If the folder cannot be read.
#[must_use]
pub fn test_files(prefix: &str) -> Vec<String> {
    let files = std::fs::read_dir(folder()).expect("the folder of tests");
    let names = files.flatten().filter_map(|file| {
        let name = file.file_name().into_string().ok()?;
        let name = name.strip_suffix(".rs")?;
        name.starts_with(prefix).then(|| name.to_owned())
    });
    let mut names: Vec<_> = names.collect();
    names.sort_unstable();
    names
}

fn source(file: &str) -> String {
    let path = folder().join(format!("{file}.rs"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn folder() -> PathBuf {
    root().join("tests/tests")
}
