//! Makes the hosts, runs them in turn, and compares.

use std::path::{Path, PathBuf};
use std::process::Command;

/// So often is each host run.
const ROUNDS: usize = 5;

/// The goal: what a host in C pays more than one in Rust for a piece of text, at the most.
const GOAL_US: f64 = 0.3;

/// A prompt, and how many pieces of text the agent answers with.
struct Load {
    name: &'static str,
    prompt: &'static str,
    pieces: u32,
}

const LOADS: [Load; 2] = [
    Load {
        name: "as fast as it can",
        prompt: "[[flood 200000]]",
        pieces: 200_000,
    },
    Load {
        name: "2000 per second",
        prompt: "[[paced 2000 per second 4000]]",
        pieces: 4000,
    },
];

/// What one run of a host cost, and what it was given.
#[derive(Clone, Copy)]
struct Run {
    cpu_us: f64,
    events: f64,
    bytes: f64,
}

/// What is made before anything is measured.
struct Hosts {
    agent: PathBuf,
    /// The name of the host, its program, its first argument.
    all: [(&'static str, PathBuf, &'static str); 3],
    folder: tempfile::TempDir,
}

#[expect(clippy::print_stdout, reason = "a benchmark speaks to its user")]
pub(crate) fn run() {
    let hosts = Hosts::make();
    for load in &LOADS {
        println!("{} pieces, {}:", load.pieces, load.name);
        let runs = hosts.run(load);
        let pieces = f64::from(load.pieces);
        let base = median(&runs[0], |run| run.cpu_us) / pieces;
        for ((name, _, _), runs) in hosts.all.iter().zip(&runs) {
            let cpu = median(runs, |run| run.cpu_us);
            println!(
                "  {name:7} {:8.3} µs per piece ({:+.3}), {:8.3} µs per event, {:7.0} events",
                cpu / pieces,
                cpu / pieces - base,
                median(runs, |run| run.cpu_us / run.events),
                median(runs, |run| run.events),
            );
        }
        let added = median(&runs[1], |run| run.cpu_us) / pieces - base;
        let verdict = if added < GOAL_US { "below" } else { "ABOVE" };
        println!("  push adds {added:.3} µs per piece, {verdict} the goal of {GOAL_US} µs");
    }
}

impl Hosts {
    fn make() -> Self {
        let own = std::env::current_exe().expect("a path");
        let built = own.parent().expect("a folder").to_owned();
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let folder = tempfile::tempdir().expect("a folder");
        must(
            Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
                .args(["build", "--quiet", "--release"])
                .args(["--package", "remuda-ffi", "--package", "scripted-agent"])
                .arg("--target-dir")
                .arg(built.parent().expect("a target folder"))
                .current_dir(&root),
        );
        let link = folder.path().join("libremuda.so.0");
        std::os::unix::fs::symlink(built.join("libremuda.so"), &link).expect("a link");
        let host = folder.path().join("host");
        let mut rpath = std::ffi::OsString::from("-Wl,-rpath,");
        rpath.push(folder.path());
        must(
            Command::new("cc")
                .args(["-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", "-I"])
                .arg(root.join("include"))
                .arg(root.join("ffi/bench/src/host.c"))
                .args([link.as_os_str(), rpath.as_os_str()])
                .args(["-lpthread", "-o"])
                .arg(&host),
        );
        Self {
            agent: built.join("scripted-agent"),
            all: [
                ("Rust", own, "rust"),
                ("C push", host.clone(), "push"),
                ("C pull", host, "pull"),
            ],
            folder,
        }
    }

    /// The runs of each host.
    fn run(&self, load: &Load) -> [Vec<Run>; 3] {
        let mut runs = [const { Vec::new() }; 3];
        for _ in 0..ROUNDS {
            for ((_, program, how), runs) in self.all.iter().zip(&mut runs) {
                let mut command = Command::new(program);
                command.arg(how).arg(&self.agent).arg(self.folder.path());
                runs.push(Run::read(&must(command.arg(load.prompt))));
            }
        }
        let bytes: Vec<f64> = runs.iter().flatten().map(|run| run.bytes).collect();
        assert!(bytes[0] > 0.0, "there was no text");
        assert!(
            bytes.iter().all(|of| of.total_cmp(&bytes[0]).is_eq()),
            "each host was given the whole text: {bytes:?}"
        );
        runs
    }
}

impl Run {
    fn read(line: &str) -> Self {
        let number = |text: &str| text.parse().expect("a number");
        let numbers: Vec<f64> = line.split_whitespace().map(number).collect();
        match numbers.as_slice() {
            &[cpu_us, events, bytes] => Self {
                cpu_us,
                events,
                bytes,
            },
            _ => panic!("{line}"),
        }
    }
}

fn median(runs: &[Run], of: impl Fn(&Run) -> f64) -> f64 {
    let mut values: Vec<f64> = runs.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Runs a program that must go well, and gives what it said.
fn must(command: &mut Command) -> String {
    command.stderr(std::process::Stdio::inherit());
    let output = command.output().expect("it starts");
    assert!(output.status.success(), "{command:?}: {}", output.status);
    String::from_utf8(output.stdout).expect("text")
}
