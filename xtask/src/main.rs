//! `cargo xtask`: the project's commands.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command speaks to its user"
)]

#[cfg(target_os = "linux")]
mod demo;
#[cfg(unix)]
mod dist;
#[cfg(target_os = "linux")]
mod instructions;
#[cfg(unix)]
mod library;
#[cfg(unix)]
mod node;
#[cfg(unix)]
mod python;
mod run;
mod test;

use std::process::ExitCode;

const USAGE: &str = "usage: cargo xtask <command>

  demo             four sessions on two slots: warm reuse, eviction, resume, a crash,
                   an interrupt; with scripted agents, so without an account
    --agent claude|codex             with the agent that is installed and logged in
    --agent claude|codex --offline   with the pinned agent and a model on loopback
  test [--quick]   installs what the tests need and runs them all;
                   --quick leaves out the real agents and the long runs
  bench [NAME …]   what Remuda costs, beside the limit and the libraries of others: a to f, or
                   one of them; writes bench/results, docs/performance.md and its charts
  python [--quick] the Python package alone: builds, installs and tests it
  dist [--dev]     the C library with headers, libraries and licences, as a folder and an
                   archive in target/dist; --dev: not optimised, and only the folder
  node [--quick]   the tests of the npm package
  node --package   the packages of npm, as they are published, for this platform
  consumer         packs the C library and builds a project with it, by cmake and pkg-config
  fuzz-ffi [SECONDS]  sequences of calls of the C library, for 600 s; keeps the corpus";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (command, rest) = match arguments.split_first() {
        Some((command, rest)) if !asks_for_help(&arguments) => (command.as_str(), rest),
        Some(_) | None => ("help", [].as_slice()),
    };
    let outcome = match command {
        "demo" => demo(rest),
        "test" => test::run(rest),
        "bench" => bench(rest),
        "python" => python(rest),
        "dist" => dist(rest),
        "consumer" => consumer(),
        "node" => node(rest),
        "fuzz-ffi" => fuzz_ffi(rest),
        "help" => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        other => Err(format!("{other} is not a command\n\n{USAGE}")),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("xtask: {why}");
            ExitCode::FAILURE
        }
    }
}

/// Whether the usage is wanted, of whichever command.
fn asks_for_help(arguments: &[String]) -> bool {
    arguments.iter().any(|a| a == "--help" || a == "-h")
}

#[cfg(target_os = "linux")]
fn bench(arguments: &[String]) -> Result<(), String> {
    // The comparisons with the real agents need them.
    test::agents()?;
    let mut bench = run::cargo();
    bench.args([
        "run",
        "--quiet",
        "--profile",
        "measured",
        "--package",
        "remuda-bench",
    ]);
    bench.args(["--bin", "remuda-bench", "--"]).args(arguments);
    let status = bench.env("CARGO_INCREMENTAL", "0").status();
    let status = status.map_err(|why| why.to_string())?;
    status
        .success()
        .then_some(())
        .ok_or_else(|| status.to_string())
}

#[cfg(not(target_os = "linux"))]
fn bench(_: &[String]) -> Result<(), String> {
    Err("bench runs on Linux only: it reads memory and CPU time from /proc".to_owned())
}

#[cfg(target_os = "linux")]
fn demo(arguments: &[String]) -> Result<(), String> {
    demo::run(arguments)
}

#[cfg(unix)]
fn python(arguments: &[String]) -> Result<(), String> {
    match arguments {
        [] => python::run(false),
        [flag] if flag == "--quick" => python::run(true),
        _ => Err("python takes --quick or nothing".to_owned()),
    }
}

#[cfg(not(unix))]
fn python(_: &[String]) -> Result<(), String> {
    Err("the Python package is for Unix so far".to_owned())
}

#[cfg(unix)]
fn dist(arguments: &[String]) -> Result<(), String> {
    dist::run(arguments)
}

#[cfg(unix)]
fn consumer() -> Result<(), String> {
    library::package()
}

#[cfg(unix)]
fn node(arguments: &[String]) -> Result<(), String> {
    match arguments {
        [] => node::test(false),
        [flag] if flag == "--quick" => node::test(true),
        [flag] if flag == "--package" => node::package(),
        _ => Err("node takes --quick, --package or nothing".to_owned()),
    }
}

#[cfg(unix)]
fn fuzz_ffi(arguments: &[String]) -> Result<(), String> {
    library::fuzz(arguments)
}

#[cfg(not(unix))]
fn dist(_: &[String]) -> Result<(), String> {
    Err("dist packs libraries as Unix names them".to_owned())
}

#[cfg(not(unix))]
fn consumer() -> Result<(), String> {
    dist(&[])
}

#[cfg(not(unix))]
fn node(_: &[String]) -> Result<(), String> {
    dist(&[])
}

#[cfg(not(unix))]
fn fuzz_ffi(_: &[String]) -> Result<(), String> {
    Err("fuzz-ffi needs the sanitizers of a Unix".to_owned())
}

#[cfg(not(target_os = "linux"))]
fn demo(_: &[String]) -> Result<(), String> {
    Err("demo runs on Linux only: it proves with /proc that nothing is left".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_tells_its_usage_when_asked() {
        let asks = |line: &str| {
            let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            asks_for_help(&words)
        };
        for line in [
            "--help",
            "-h",
            "demo --help",
            "demo --offline -h",
            "test --help",
        ] {
            assert!(asks(line), "{line}");
        }
        assert!(!asks("demo --offline"));
    }
}
