//! What the README says is so.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use remuda::{EventKind, PoolOptions};
use remuda_tests::{isolated, root, scripted_agent};
use serde_json::Value;
use tempfile::TempDir;

fn readme() -> String {
    fs::read_to_string(root().join("README.md")).expect("the README is there")
}

#[test]
fn the_quick_start_is_the_example() {
    let example = fs::read_to_string(root().join("core/examples/quick_start.rs"));
    let example = example.expect("the example is there");
    let start = example.find("use std::").expect("it begins with its uses");
    let block = format!("```rust\n{}```\n", &example[start..]);
    assert!(readme().contains(&block), "the README has another program");
}

/// The program runs as it stands: only `claude` is the scripted agent.
#[test]
fn the_quick_start_runs_and_leaves_nothing() {
    isolated(|| {
        let folder = TempDir::new().expect("a temporary folder");
        let agent = scripted_agent();
        symlink(&agent, folder.path().join("claude")).expect("a link");
        let programs = agent.parent().expect("a folder");
        let run = Command::new(programs.join("examples/quick_start"))
            .current_dir(folder.path())
            .env_clear()
            .env("PATH", folder.path())
            .output()
            .expect("the example is built: cargo build --workspace --examples");
        let said = String::from_utf8_lossy(&run.stdout);
        let lines: Vec<&str> = said.lines().collect();
        assert!(run.status.success(), "{run:?}");
        assert_eq!(lines.len(), 3, "two answers and the end: {said}");
        assert!(!lines[0].is_empty(), "the first answer came in pieces");
        assert!(lines[1].ends_with(" ms)"), "{said}");
        assert_eq!(lines[2], "left: []");
    });
}

#[test]
fn every_kind_of_event_is_in_the_table() {
    let readme = readme();
    for kind in EventKind::ALL {
        let name = kind.name();
        assert!(readme.contains(&format!("`{name}`")), "{name} is missing");
    }
}

#[test]
fn the_settings_and_their_defaults_are_those_of_the_library() {
    let options = PoolOptions::default();
    assert_eq!(options.process_limit(), 2 * options.max_warm);
    let mut rows = Vec::new();
    let json = serde_json::to_value(&options).expect("options are JSON");
    settings("", &json, &mut rows);
    let readme = readme();
    let section = readme.split("## Settings").nth(1).expect("a section");
    let section = section.split("\n## ").next().expect("its end");
    let table: Vec<&str> = section.lines().filter(|l| l.starts_with("| `")).collect();
    for row in &rows {
        let there = table.iter().any(|line| line.starts_with(row.as_str()));
        assert!(there, "the README has no row that begins with {row}");
    }
    assert_eq!(table.len(), rows.len(), "a setting that is none");
}

/// The beginning of each row: the name and the default.
fn settings(prefix: &str, options: &Value, rows: &mut Vec<String>) {
    for (name, value) in options.as_object().expect("an object") {
        if value.is_object() {
            settings(&format!("{name}."), value, rows);
            continue;
        }
        let plain = name.trim_end_matches("_ms");
        rows.push(format!("| `{prefix}{plain}` | {} |", default(name, value)));
    }
}

fn default(name: &str, value: &Value) -> String {
    if let Some(word) = value.as_str() {
        return format!("`{word}`");
    }
    let Some(number) = value.as_u64() else {
        assert!(value.is_null(), "{name}: {value}");
        return match name {
            "max_processes" => "2 × `max_warm`".to_owned(),
            _ => "the provider's".to_owned(),
        };
    };
    if name.ends_with("_ms") {
        return match number / 1000 {
            seconds if seconds >= 120 => format!("{} min", seconds / 60),
            seconds => format!("{seconds} s"),
        };
    }
    match number >> 20 {
        0 => number.to_string(),
        mebibytes => format!("{mebibytes} MiB"),
    }
}
