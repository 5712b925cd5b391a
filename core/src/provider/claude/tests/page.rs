//! The provider's page names every kind of line that was ever captured.

use std::collections::BTreeSet;

use serde_json::Value;

use super::harness::{agent_lines, capture, scenarios};

#[test]
fn every_captured_kind_of_line_stands_in_the_page() {
    let page = include_str!("../../../../../docs/providers/claude.md");
    let table: Vec<_> = page
        .lines()
        .filter(|line| line.starts_with("| `"))
        .collect();
    let mut missing = BTreeSet::new();
    for scenario in scenarios() {
        let capture = capture(&scenario);
        for line in agent_lines(&capture) {
            let line: Value = serde_json::from_str(line).expect("the agent writes JSON");
            let kind = line["type"].as_str().expect("a type");
            let part = match kind {
                "stream_event" => &line["event"]["type"],
                "control_request" => &line["request"]["subtype"],
                _ => &line["subtype"],
            };
            let name = match part.as_str() {
                Some(part) => format!("| `{kind}/{part}`"),
                None => format!("| `{kind}`"),
            };
            if !table.iter().any(|row| row.starts_with(&name)) {
                missing.insert(name);
            }
        }
    }
    assert_eq!(missing, BTreeSet::new());
}
