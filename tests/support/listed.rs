//! Which tests there are, and with which agents they run, read off their files.

use std::path::PathBuf;

use remuda::Feature;
use remuda::config::Mode;
use serde::de::DeserializeOwned;

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

/// A test that drives a feature with a stand-in for the agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StandIn {
    /// The feature.
    pub feature: Feature,
    /// In which kind of process.
    pub mode: Mode,
    /// The test's name, without its file's.
    pub test: String,
}

impl StandIn {
    /// Whether it drives that.
    #[must_use]
    pub fn drives(&self, feature: Feature, mode: Mode) -> bool {
        self.feature == feature && self.mode == mode
    }
}

/// The tests that drive a provider's features with a stand-in, as the head of `stand_in_PROVIDER.rs` names them. None: it
/// has no such file, and is tried with the real agent.
///
/// # Panics
///
/// If the file names no test, or one that is not in it.
#[must_use]
pub fn stand_in(provider: &str) -> Option<Vec<StandIn>> {
    let file = format!("stand_in_{provider}");
    if !folder().join(format!("{file}.rs")).exists() {
        return None;
    }
    let known = plain_in(&file);
    let source = source(&file);
    let rows = source.lines().filter_map(|line| {
        let row = line.strip_prefix("//! | `")?.strip_suffix("` |")?;
        let [feature, mode, test] = row.split("` | `").collect::<Vec<_>>().try_into().ok()?;
        assert!(known.iter().any(|name| name == test), "{file}: {test}");
        Some(StandIn {
            feature: word(feature),
            mode: word(mode),
            test: test.to_owned(),
        })
    });
    let rows: Vec<_> = rows.collect();
    assert!(!rows.is_empty(), "{file} names no test");
    Some(rows)
}

/// What a word stands for in JSON.
fn word<T: DeserializeOwned>(word: &str) -> T {
    let found = serde_json::from_value(word.into());
    found.unwrap_or_else(|error| panic!("{word}: {error}"))
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
