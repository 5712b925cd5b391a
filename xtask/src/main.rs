//! `cargo xtask`: the project's commands.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command speaks to its user"
)]

#[cfg(target_os = "linux")]
mod demo;
mod run;
mod test;

use std::process::ExitCode;

const USAGE: &str = "usage: cargo xtask <command>

  demo             four sessions on two slots: warm reuse, eviction, resume, a crash,
                   an interrupt; with scripted agents, so without an account
    --agent claude|codex             with the agent that is installed and logged in
    --agent claude|codex --offline   with the pinned agent and a model on loopback
  test [--quick]   installs what the tests need and runs them all;
                   --quick leaves out the real agents and the long runs";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (command, rest) = match arguments.split_first() {
        Some((command, rest)) if !asks_for_help(&arguments) => (command.as_str(), rest),
        Some(_) | None => ("help", [].as_slice()),
    };
    let outcome = match command {
        "demo" => demo(rest),
        "test" => test::run(rest),
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
fn demo(arguments: &[String]) -> Result<(), String> {
    demo::run(arguments)
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
