//! How many instructions an event of an agent takes on its way to a reader: it may not grow unnoticed.
//!
//! Counted is the program of core's unit tests as they were built, not optimised: what is done counts, not how well it was
//! compiled, and nothing has to be built for it. The figure is of one processor and one toolchain.
//! `REMUDA_UPDATE_INSTRUCTIONS=1 cargo xtask test` takes the present one as the known one.

use std::fs;
use std::process::Command;

use crate::run::{cargo, root};

const KNOWN: &str = "core/instructions.txt";
const UPDATE: &str = "REMUDA_UPDATE_INSTRUCTIONS";
const TEST: &str = "session::hot_path_tests::captures_go_from_the_codec_to_the_reader";
const COUNTED: &str = "--toggle-collect=remuda::session::hot_path_tests::replay*";

/// More than this, in percent, is a growth.
const MOST: u64 = 5;

/// Counts, and compares with what is known.
///
/// # Errors
///
/// It has grown, or cannot be counted.
pub(crate) fn check() -> Result<(), String> {
    println!("\n=== instructions of the hot path");
    let seen = count(&program()?)?;
    let machine = std::env::consts::ARCH;
    let file = root().join(KNOWN);
    let known = fs::read_to_string(&file).map_err(|why| format!("{KNOWN}: {why}"))?;
    if std::env::var_os(UPDATE).is_some() {
        return fs::write(&file, updated(&known, machine, seen))
            .map_err(|why| format!("{KNOWN}: {why}"));
    }
    let Some(before) = figure(&known, machine) else {
        println!("{seen}; {KNOWN} knows no figure for {machine}");
        return Ok(());
    };
    println!("{seen}, known are {before}");
    judge(seen, before)
}

fn judge(seen: u64, before: u64) -> Result<(), String> {
    if seen * 100 > before * (100 + MOST) {
        return Err(format!(
            "an event takes {seen} instructions where it took {before}, more than {MOST} % above it: see {KNOWN}"
        ));
    }
    Ok(())
}

/// The program of core's unit tests.
fn program() -> Result<String, String> {
    let mut build = cargo();
    build.args(["test", "--workspace", "--lib", "--no-run", "--quiet"]);
    build.arg("--message-format=json");
    let told = build.output().map_err(|why| format!("cargo: {why}"))?;
    let told = String::from_utf8_lossy(&told.stdout);
    let own = |line: &&str| line.contains("/core#remuda@") && line.contains("\"test\":true");
    let mut programs = told.lines().filter(own).filter_map(|line| {
        let (_, rest) = line.split_once("\"executable\":\"")?;
        rest.split_once('"').map(|(path, _)| path.to_owned())
    });
    programs
        .next_back()
        .ok_or_else(|| "core's unit tests were not built".to_owned())
}

fn count(program: &str) -> Result<u64, String> {
    let run = Command::new("valgrind")
        .args([
            "--tool=callgrind",
            "--callgrind-out-file=/dev/null",
            COUNTED,
        ])
        .args([program, "--exact", TEST, "--test-threads=1"])
        .current_dir(root().join("core"))
        .output()
        .map_err(|why| format!("valgrind: {why}"))?;
    let said = String::from_utf8_lossy(&run.stderr);
    let number = said
        .lines()
        .find_map(|line| line.split_once("Collected : "));
    let number = number.and_then(|(_, number)| number.trim().parse().ok());
    // Without the test, or without its function, nothing is collected.
    number
        .filter(|number| *number > 0)
        .ok_or_else(|| format!("nothing was counted:\n{said}"))
}

fn figure(known: &str, machine: &str) -> Option<u64> {
    let figures = known.lines().filter_map(|line| line.split_once(' '));
    figures
        .filter(|(of, _)| *of == machine)
        .find_map(|(_, number)| number.trim().parse().ok())
}

fn updated(known: &str, machine: &str, seen: u64) -> String {
    let others = known
        .lines()
        .filter(|line| !line.starts_with(&format!("{machine} ")));
    let mut lines: Vec<_> = others.map(str::to_owned).collect();
    lines.push(format!("{machine} {seen}"));
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_growth_beyond_the_bound_is_refused_and_less_is_not() {
        assert!(judge(105, 100).is_ok());
        assert!(judge(106, 100).is_err());
        assert!(judge(50, 100).is_ok());
    }

    #[test]
    fn a_figure_is_of_one_processor() {
        let known = updated("aarch64 7\n", "x86_64", 9);
        assert_eq!(figure(&known, "aarch64"), Some(7));
        assert_eq!(figure(&updated(&known, "x86_64", 10), "x86_64"), Some(10));
        assert_eq!(figure(&known, "riscv64"), None);
    }
}
