//! The files in which the agent keeps its threads, as some of the captured runs left them.
//!
//! They are no protocol: no codec reads them. What the library builds on is that a thread lies under
//! the id that the agent told, because that id alone is kept to resume it.

use std::collections::BTreeSet;

use serde_json::Value;

use super::play::{folder, play, stored};
use crate::provider::SignalBody;

/// Each of the files, and the captured runs that wrote to it.
const WRITTEN_BY: &[(&str, &[&str])] = &[
    // Its run was not captured.
    ("rollout-legacy", &[]),
    (
        "rollout-paginated-after-sigkill-and-resume",
        &[
            "17-resume-after-sigkill-1-before",
            "17-resume-after-sigkill-2-after",
        ],
    ),
    ("rollout-paginated-commands", &["02-reasoning-command"]),
    ("rollout-paginated-compaction", &["19-compact-auto"]),
    ("rollout-paginated-interrupted", &["12-interrupt-command"]),
    ("rollout-paginated-patches", &["04-file-change-auto"]),
    (
        "rollout-paginated-revert-1-original-file",
        &["18-resume-cold"],
    ),
    ("rollout-paginated-revert-2-new-file", &["18-resume-cold"]),
];

fn entries(name: &str) -> Vec<Value> {
    let path = folder().join(format!("{name}.jsonl"));
    let text = std::fs::read_to_string(path).expect("the file is there");
    let parse = |line| serde_json::from_str(line).expect("JSON");
    text.lines().map(parse).collect()
}

/// The ids of the threads that the agent told in a captured run.
fn told(capture: &str) -> BTreeSet<String> {
    let player = play(capture);
    let bound = player
        .signals
        .iter()
        .filter_map(|signal| match &signal.body {
            SignalBody::Bound {
                provider_session_id,
                ..
            } => Some(provider_session_id.clone()),
            _ => None,
        });
    bound.collect()
}

#[test]
fn a_thread_is_stored_under_the_id_that_the_agent_told_to_each_of_its_processes() {
    let known: Vec<_> = WRITTEN_BY.iter().map(|(name, _)| *name).collect();
    assert_eq!(stored(), known);
    for (name, runs) in WRITTEN_BY {
        let entries = entries(name);
        assert_eq!(entries[0]["type"], "session_meta", "{name}");
        let id = entries[0]["payload"]["id"].as_str().expect("an id");
        for run in *runs {
            assert!(told(run).contains(id), "{name}, {run}: {id}");
        }
    }
}

#[test]
fn every_entry_of_a_stored_thread_has_a_kind_and_nothing_of_a_message() {
    for name in stored() {
        for entry in entries(&name) {
            assert!(entry["type"].is_string(), "{name}: {entry}");
            assert!(entry["payload"].is_object(), "{name}: {entry}");
            for member in ["id", "method", "result", "params"] {
                assert!(entry.get(member).is_none(), "{name}: {entry}");
            }
        }
    }
}
