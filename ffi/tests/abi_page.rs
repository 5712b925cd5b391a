//! `docs/abi.md` names tests that exist, functions that exist, and every function of Rust that a host has.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use remuda_tests::root;

fn page() -> String {
    fs::read_to_string(root().join("docs/abi.md")).expect("the page is there")
}

/// Everything in backquotes that begins so.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

fn sources(folder: &Path, all: &mut String) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, all);
        } else if let Ok(text) = fs::read_to_string(&path) {
            all.push_str(&text);
        }
    }
}

#[test]
fn every_promise_names_tests_that_are_run() {
    let mut tests = String::new();
    sources(&root().join("ffi/tests"), &mut tests);
    let page = page();
    let rows: Vec<&str> = page
        .lines()
        .filter(|line| line.starts_with("| T"))
        .collect();
    assert_eq!(rows.len(), 12);
    for (number, row) in (1..).zip(rows) {
        assert!(row.starts_with(&format!("| T{number} |")), "{row}");
        let held = row.trim_end_matches(" |").rsplit(" | ").next();
        let names: Vec<&str> = quoted(held.expect("a cell")).collect();
        assert!(!names.is_empty(), "T{number} names no test");
        assert!(
            names
                .iter()
                .any(|name| name.starts_with(&format!("t{number}_"))),
            "T{number} has no test with its number: {names:?}"
        );
        for name in names {
            let registered = format!("TEST({name})");
            let in_rust = format!("#[test]\nfn {name}()");
            let in_cpp = format!("    {name}();");
            assert!(
                [registered, in_rust, in_cpp]
                    .iter()
                    .any(|how| tests.contains(how)),
                "T{number}: {name} is not run"
            );
        }
    }
}

#[test]
fn every_function_that_the_page_names_is_in_the_header() {
    let header = fs::read_to_string(root().join("include/remuda.h")).expect("the header");
    let page = page();
    let word = |name: &str| name.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    let names = quoted(&page).map(|name| name.trim_end_matches("()"));
    let names: Vec<&str> = names
        .filter(|name| name.starts_with("remuda_") && word(name))
        .collect();
    assert!(names.len() > 20);
    for name in names {
        assert!(header.contains(&format!("{name}(")), "{name}");
    }
}

/// The public functions of a type in a source file of core.
fn functions(file: &str, of: &str) -> BTreeSet<String> {
    let text = fs::read_to_string(root().join("core/src").join(file)).expect("a source");
    let start = format!("\nimpl {of} {{");
    let mut names = BTreeSet::new();
    for block in text.split(start.as_str()).skip(1) {
        let block = block.split("\n}").next().unwrap_or_default();
        for line in block.lines() {
            let line = line.trim_start();
            let rest = ["pub fn ", "pub async fn ", "pub const fn "]
                .iter()
                .find_map(|start| line.strip_prefix(start));
            if let Some(name) = rest.and_then(|rest| rest.split(['(', '<']).next()) {
                names.insert(format!("{of}::{name}"));
            }
        }
    }
    names
}

#[test]
fn every_function_of_a_rust_host_has_its_row() {
    let page = page();
    let named: BTreeSet<&str> = quoted(&page).collect();
    let mut wanted = BTreeSet::new();
    for (file, of) in [
        ("pool/handle.rs", "Pool"),
        ("session/handle.rs", "Session"),
        ("session/turn.rs", "Turn"),
    ] {
        let found = functions(file, of);
        assert!(found.len() >= 4, "{of}: {found:?}");
        wanted.extend(found);
    }
    for name in wanted {
        assert!(
            named.contains(name.as_str()),
            "{name} has no row in docs/abi.md"
        );
    }
}
