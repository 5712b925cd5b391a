//! `cargo xtask test`: everything that must hold, in one command.

use std::process::Command;

use crate::run::{cargo, root, step};

pub(crate) fn run(arguments: &[String]) -> Result<(), String> {
    let quick = match arguments {
        [] => false,
        [flag] if flag == "--quick" => true,
        [flag, provider] if flag == "--provider" => return conformance(provider),
        _ => return Err("test takes --quick, --provider NAME or nothing".to_owned()),
    };
    step("format", cargo().args(["fmt", "--all", "--check"]))?;
    // A later toolchain brings lints that nobody here has seen: they are shown, and break nothing.
    let strict = if is_known_toolchain() {
        &["-D", "warnings"][..]
    } else {
        &[]
    };
    let lints = ["clippy", "--workspace", "--all-targets", "--"];
    step("lints", cargo().args(lints).args(strict))?;
    let docs = ["doc", "--workspace", "--no-deps", "--quiet"];
    step(
        "documentation",
        cargo().args(docs).env("RUSTDOCFLAGS", strict.join(" ")),
    )?;
    if !quick {
        agents()?;
    }
    #[cfg(target_os = "linux")]
    crate::library::tools()?;
    step(
        "build",
        cargo().args(["build", "--workspace", "--bins", "--examples"]),
    )?;
    let mut tests = cargo();
    tests.args(["test", "--workspace", "--no-fail-fast"]);
    if quick {
        tests.env("REMUDA_TEST_QUICK", "1");
    }
    step("tests", &mut tests)?;
    #[cfg(target_os = "linux")]
    if is_known_toolchain() {
        crate::instructions::check()?;
    }
    #[cfg(target_os = "linux")]
    crate::library::package()?;
    #[cfg(target_os = "linux")]
    crate::node::test(quick)?;
    #[cfg(unix)]
    crate::python::run(quick)?;
    Ok(())
}

/// Whether this is the toolchain that the workspace names as its own.
fn is_known_toolchain() -> bool {
    let known = format!("rustc {}.", env!("CARGO_PKG_RUST_VERSION"));
    let version = Command::new("rustc").arg("--version").output();
    version.is_ok_and(|said| said.stdout.starts_with(known.as_bytes()))
}

/// The conformance suite alone, with the real agent of one provider.
fn conformance(provider: &str) -> Result<(), String> {
    agents()?;
    step("build", cargo().args(["build", "--workspace", "--bins"]))?;
    let suite = ["test", "-p", "remuda-tests", "--test", "conformance"];
    let name = format!("real::{}::", provider.replace('-', "_"));
    let mut list = cargo();
    list.args(suite).args(["--quiet", "--", "--list", &name]);
    let listed = list.output().map_err(|error| format!("list: {error}"))?;
    if !String::from_utf8_lossy(&listed.stdout).contains(&name) {
        return Err(format!("{provider:?} is no provider with a real agent"));
    }
    step("conformance", cargo().args(suite).arg(&name))
}

/// Installs the real agents, at the versions that the lock file names.
pub(crate) fn agents() -> Result<(), String> {
    let folder = root().join("tests/real-agents");
    let done = folder.join("node_modules/.package-lock.json");
    let lock = folder.join("package-lock.json");
    let age = |path| {
        std::fs::metadata(path)
            .and_then(|facts| facts.modified())
            .ok()
    };
    if let (Some(done), Some(lock)) = (age(&done), age(&lock))
        && done >= lock
    {
        return Ok(());
    }
    step(
        "real agents",
        Command::new("npm")
            // Scripts of packages would build what no agent here needs.
            .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
            .current_dir(folder),
    )
}
