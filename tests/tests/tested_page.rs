//! `docs/providers/tested.md` says which test drives which part of turn control, with which agent. The page
//! is written by hand; this test fails when a test that it names does not run with the agent of its column,
//! when a cell says nothing, and when a test of turn control stands nowhere on it.

use std::collections::{BTreeMap, BTreeSet};

use remuda_tests::{listed_in, plain_in, root, runs_of, test_files};

/// What stands in the columns behind the first: providers, then tests without a real agent.
const COLUMNS: [&str; 3] = ["claude", "codex", "scripted"];

/// A cell that names the tests of the one before it.
const THE_SAME: &str = "the same";

/// One line of a table: what is tested, and by what in each column.
struct Line {
    what: String,
    cells: Vec<String>,
}

/// The lines of all tables of the page, without their heads.
fn lines() -> Vec<Line> {
    let page = root().join("docs/providers/tested.md");
    let page = std::fs::read_to_string(page).expect("the page");
    let rows = page.lines().filter_map(|line| {
        let row = line.strip_prefix("| ")?.strip_suffix(" |")?;
        let mut cells = row.split(" | ").map(str::to_owned);
        let what = cells.next()?;
        Some(Line {
            what,
            cells: cells.collect(),
        })
    });
    let lines: Vec<_> = rows.filter(|line| line.cells != COLUMNS).collect();
    assert!(lines.len() > 50, "the page has its tables");
    lines
}

/// The tests that a line names in each column.
fn named(line: &Line) -> BTreeMap<&'static str, Vec<String>> {
    assert_eq!(line.cells.len(), COLUMNS.len(), "{}", line.what);
    let mut before = Vec::new();
    let columns = COLUMNS.iter().zip(&line.cells).map(|(column, cell)| {
        if cell != THE_SAME {
            before = tests_in(cell);
        }
        (*column, before.clone())
    });
    columns.collect()
}

/// What stands in backquotes.
fn tests_in(cell: &str) -> Vec<String> {
    let parts = cell.split('`').skip(1).step_by(2);
    parts.map(str::to_owned).collect()
}

#[test]
fn every_test_that_the_page_names_runs_with_the_agent_of_its_column() {
    for line in lines() {
        for (column, tests) in named(&line) {
            for test in tests {
                if column == "scripted" {
                    let (file, name) = test.split_once("::").expect("a file and a name");
                    let known = plain_in(file).iter().any(|known| known == name);
                    assert!(known, "{}: there is no {test}", line.what);
                } else {
                    let runs = runs_of(&test);
                    let runs = runs.iter().any(|(provider, _)| *provider == column);
                    assert!(runs, "{}: {test} does not run with {column}", line.what);
                }
            }
        }
    }
}

#[test]
fn every_cell_names_a_test_or_says_why_there_is_none() {
    for line in lines() {
        for cell in &line.cells {
            let speaks = cell.chars().filter(|c| c.is_alphabetic()).count() > 3;
            assert!(speaks, "{}: {cell:?}", line.what);
        }
        let tests = named(&line).values().map(Vec::len).sum::<usize>();
        assert!(tests > 0, "{} is driven by no test", line.what);
    }
}

#[test]
fn every_test_of_turn_control_stands_on_the_page() {
    let lines = lines();
    let named: BTreeSet<String> = lines
        .iter()
        .flat_map(|line| named(line).into_values().flatten())
        .collect();
    let mut missing = Vec::new();
    for file in test_files("control_") {
        let listed = listed_in(&file).into_iter().map(|test| test.name);
        for name in listed.chain(plain_in(&file)) {
            let test = format!("{file}::{name}");
            if !named.contains(&test) {
                missing.push(test);
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}
