//! The npm package: builds its native half once, and runs all of its tests.

use std::path::PathBuf;
use std::process::Command;

use crate::run::{cargo, root, step};

/// The profile of Cargo with which the tests run. The workspace is built with it anyway.
const PROFILE: &str = "dev";
/// The oldest Node that the tests run with; the package itself asks for less.
const OLDEST: u32 = 20;

/// Tests the package with this machine's Node.
pub(crate) fn test(quick: bool) -> Result<(), String> {
    check_node()?;
    let own = folder();
    let tests = own.join("test");
    if is_stale(&tests) {
        let mut install = Command::new("npm");
        // Scripts of packages would fetch what no test here needs, Electron above all.
        install.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]);
        step("packages of npm", install.current_dir(&tests))?;
    }
    step(
        "agents and the model",
        cargo().args(["build", "-p", "scripted-agent", "-p", "model-api", "--bins"]),
    )?;
    step("native half", &mut script("build.mjs"))?;
    let mut run = script("test.mjs");
    if quick {
        run.env("REMUDA_TEST_QUICK", "1");
    }
    step("node:test", &mut run)
}

/// The packages as they are published, for this platform alone: `bindings/node/dist`.
pub(crate) fn package() -> Result<(), String> {
    let own = folder();
    let licences = crate::dist::third_party("remuda-node")?;
    let file = own.join("THIRD-PARTY");
    std::fs::write(&file, licences).map_err(|why| format!("{}: {why}", file.display()))?;
    step(
        "native half",
        script("build.mjs").env("REMUDA_NODE_PROFILE", "release"),
    )?;
    step("packages", &mut script("assemble.mjs"))
}

fn folder() -> PathBuf {
    root().join("bindings/node")
}

/// A script of the package.
fn script(name: &str) -> Command {
    let own = folder();
    let mut node = Command::new("node");
    node.arg(own.join("scripts").join(name))
        .env("REMUDA_NODE_PROFILE", PROFILE)
        .current_dir(own);
    node
}

/// Whether what is installed is older than the lock file.
fn is_stale(tests: &std::path::Path) -> bool {
    let age = |file: &str| {
        let facts = std::fs::metadata(tests.join(file));
        facts.and_then(|facts| facts.modified()).ok()
    };
    match (
        age("node_modules/.package-lock.json"),
        age("package-lock.json"),
    ) {
        (Some(done), Some(lock)) => done < lock,
        (None, _) | (_, None) => true,
    }
}

fn check_node() -> Result<(), String> {
    let said = Command::new("node").arg("--version").output();
    let said = said.map_err(|why| format!("node: {why}; the tests need Node {OLDEST} and npm"))?;
    let version = String::from_utf8_lossy(&said.stdout).trim().to_owned();
    let major = version.trim_start_matches('v').split('.').next();
    match major.and_then(|major| major.parse::<u32>().ok()) {
        Some(major) if major >= OLDEST => Ok(()),
        Some(_) | None => Err(format!(
            "node {version:?}: the tests need {OLDEST} or later"
        )),
    }
}
