//! The files in which the agent keeps its sessions, as some of the captured runs left them.
//!
//! They are no protocol: no codec reads them. What the library builds on is that a session lies under
//! the id that the agent told, because that id alone is kept to resume it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::harness::{Player, capture, files, folder, scenarios};
use crate::provider::SignalBody;

/// A file of a session: below it lie those of its sub-agents.
struct Stored {
    path: PathBuf,
    /// The run that left it, as `version/scenario`.
    scenario: String,
    /// The id under which it lies.
    id: String,
}

/// Every file that is kept, by the places that tell what it is.
fn stored() -> Vec<Stored> {
    let all = files().into_iter().filter_map(|path| {
        let parts: Vec<_> = path.split('/').collect();
        let ["transcripts", version, scenario, "-project", id, ..] = parts[..] else {
            return None;
        };
        Some(Stored {
            scenario: format!("{version}/{scenario}"),
            id: id.trim_end_matches(".jsonl").to_owned(),
            path: folder().join(path),
        })
    });
    all.collect()
}

/// The ids that the agent told in a captured run, and the one that it was started with.
fn told(scenario: &str) -> BTreeSet<String> {
    let player = Player::play(scenario, true);
    let bound = player.signals().filter_map(|signal| match &signal.body {
        SignalBody::Bound {
            provider_session_id,
            ..
        } => Some(provider_session_id.clone()),
        _ => None,
    });
    let mut ids: BTreeSet<_> = bound.collect();
    assert!(!ids.is_empty(), "{scenario}: no id was told");
    let spawn = capture(scenario);
    let resumed = spawn.lines().next().and_then(|l| l.split_once("--resume "));
    ids.extend(resumed.and_then(|(_, rest)| Some(rest.split_whitespace().next()?.to_owned())));
    ids
}

fn is_lines(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension == "jsonl")
}

#[test]
fn a_session_is_stored_under_the_id_that_the_agent_told() {
    let played: BTreeSet<_> = scenarios().into_iter().collect();
    let mut left: BTreeSet<(String, String)> = BTreeSet::new();
    for Stored { scenario, id, .. } in stored() {
        left.insert((scenario, id));
    }
    let runs: BTreeSet<_> = left.iter().map(|(scenario, _)| scenario.clone()).collect();
    let runs: Vec<_> = runs.intersection(&played).collect();
    assert_eq!(runs.len(), 8, "{runs:?}");
    for scenario in runs {
        let left = left.iter().filter(|(of, _)| of == scenario);
        let left: BTreeSet<_> = left.map(|(_, id)| id.clone()).collect();
        assert_eq!(left, told(scenario), "{scenario}");
    }
}

#[test]
fn every_line_of_a_stored_session_names_its_id() {
    for Stored { path, id, .. } in stored() {
        let text = std::fs::read_to_string(&path).expect("the file is readable");
        let lines = is_lines(&path);
        let path = path.display();
        if !lines {
            // What is said of a sub-agent as a whole.
            let about: Value = serde_json::from_str(&text).expect("JSON");
            assert!(about["agentType"].is_string(), "{path}");
            continue;
        }
        for line in text.lines() {
            let entry: Value = serde_json::from_str(line).expect("JSON");
            assert_eq!(entry["sessionId"], id.as_str(), "{path}: {line}");
        }
    }
}

#[test]
fn a_killed_process_and_the_one_that_resumes_it_share_one_stored_session() {
    let [before, after] = ["2.1.327/kill_stream", "2.1.327/kill_stream_resume"].map(told);
    assert_eq!(before, after);
    assert_eq!(before.len(), 1);
}
