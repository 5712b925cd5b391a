//! The Python package: built as `pip` builds it, installed in a clean environment, and tested there.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::run::{root, step};

/// The environment that everything is installed in.
fn environment() -> PathBuf {
    root().join("target/python")
}

/// A program of the environment, started in the package's folder.
fn tool(name: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(environment().join("bin").join(name));
    command
        .args(arguments)
        .current_dir(root().join("bindings/python"));
    command
}

/// Runs all its tests; `quick` leaves out the real agents and the long runs.
pub(crate) fn run(quick: bool) -> Result<(), String> {
    install()?;
    let recipes = recipes(&root().join("bindings/python/recipes"))?;
    step("python: lints", &mut tool("ruff", &["check"]))?;
    step("python: format", &mut tool("ruff", &["format", "--check"]))?;
    step("python: types", &mut tool("mypy", &["-p", "remuda"]))?;
    let mut types = tool("mypy", &[]);
    step("python: types of the recipes", types.args(&recipes))?;
    let mut types = tool("pyright", &["--pythonpath"]);
    types.arg(environment().join("bin/python"));
    step("python: types, again", &mut types)?;
    let stubs = ["-m", "mypy.stubtest", "remuda._remuda"];
    step("python: stubs", &mut tool("python", &stubs))?;
    let mut tests = tool("pytest", &[]);
    if quick {
        tests.args(["-m", "not real"]).env("REMUDA_TEST_QUICK", "1");
    }
    step("python: tests", &mut tests)
}

/// A virtual environment with the test tools and the package, which is built from its sources.
fn install() -> Result<(), String> {
    let folder = environment();
    if !folder.join("bin/pip").is_file() {
        let mut make = Command::new("python3");
        step(
            "python: environment",
            make.args(["-m", "venv"]).arg(&folder),
        )?;
    }
    let quiet = ["install", "--quiet", "--disable-pip-version-check"];
    let mut tools = tool("pip", &quiet);
    step(
        "python: tools",
        tools.args(["-r", "tests/requirements.txt"]),
    )?;
    let mut package = tool("pip", &quiet);
    package
        .args(["--force-reinstall", "--no-deps", "."])
        .env("MATURIN_PEP517_ARGS", "--profile dev-opt");
    step("python: package", &mut package)
}

/// The programs of the manual.
fn recipes(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let entries = std::fs::read_dir(folder).map_err(|error| format!("recipes: {error}"))?;
    let paths = entries.flatten().map(|entry| entry.path());
    Ok(paths
        .filter(|path| path.extension().is_some_and(|ending| ending == "py"))
        .collect())
}
