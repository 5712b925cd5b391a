//! What Remuda costs, beside the limit and beside what users have today. `cargo xtask bench [name …]`.
//!
//! | file | holds |
//! |---|---|
//! | `plan` | which comparisons there are, and who takes part |
//! | `setup` | makes what is measured |
//! | `host` | one run of one host |
//! | `result` | what was found |
//! | `goal` | what is to hold, and whether it does |
//! | `chart` | pictures |
//! | `bin/host.rs`, `../hosts`, `../peers` | the programs that are measured |
//!
//! Hosts take turns: of each round every one runs once, so that other load on the machine meets all of them. The first round
//! is not counted. Beside wall time stands the CPU time of the host's own process, of all its threads.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark speaks to its user"
)]

mod chart;
mod goal;
mod host;
mod plan;
mod result;
mod setup;

use std::process::ExitCode;

use host::Sample;
use plan::{NAMES, Plan};
use result::{Comparison, Entry, Machine};
use setup::Setup;

const USAGE: &str = "bench [--rounds N] [--built] [--show] [NAME …]; a name stands for all that begin with it: c, f-claude";

fn main() -> ExitCode {
    match run(&std::env::args().skip(1).collect::<Vec<_>>()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            eprintln!("bench: {why}");
            ExitCode::FAILURE
        }
    }
}

/// Whether everything ran and every goal holds.
fn run(arguments: &[String]) -> Result<bool, String> {
    let (mut rounds, mut wanted, mut measures, mut builds) = (None, Vec::new(), true, true);
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--rounds" => {
                let number = arguments.next().and_then(|number| number.parse().ok());
                rounds = Some(number.ok_or(USAGE)?);
            }
            // Measures what was built before.
            "--built" => builds = false,
            // Only tells again what the files say.
            "--show" => measures = false,
            name if name.starts_with('-') => return Err(USAGE.to_owned()),
            name => wanted.push(name),
        }
    }
    let names = NAMES.iter().filter(|name| is_wanted(name, &wanted));
    let names: Vec<_> = names.copied().collect();
    if names.is_empty() {
        return Err(format!("{wanted:?} is none of {}", NAMES.join(", ")));
    }
    let setup = Setup::new(measures && builds)?;
    let mut whole = true;
    if measures {
        for name in &names {
            let comparison = measure(&Plan::of(name, &setup)?, rounds)?;
            whole &= comparison
                .entries
                .iter()
                .all(|entry| entry.missing.is_none());
            comparison.write(&setup.results())?;
        }
    }
    let found: Vec<_> = NAMES
        .iter()
        .filter_map(|name| Comparison::read(&setup.results(), name))
        .collect();
    chart::draw(&found, &setup.docs())?;
    let table = goal::table(&found);
    print!("\n{}", goal::shown(&table));
    goal::publish(&table, &found, &setup.docs())?;
    let of_these = |line: &&goal::Line| names.contains(&line.of);
    Ok(whole
        && table
            .iter()
            .filter(of_these)
            .all(|line| line.holds == Some(true)))
}

fn is_wanted(name: &str, wanted: &[&str]) -> bool {
    let begins = |wanted: &&&str| {
        name == **wanted
            || name
                .strip_prefix(**wanted)
                .is_some_and(|rest| rest.starts_with('-'))
    };
    wanted.is_empty() || wanted.iter().any(|wanted| begins(&wanted))
}

/// Runs all hosts in turn.
fn measure(plan: &Plan, rounds: Option<usize>) -> Result<Comparison, String> {
    let rounds = rounds.unwrap_or(plan.rounds);
    println!("\n=== {}: {}; {rounds} rounds", plan.name, plan.title);
    let machine = Machine::this();
    let mut samples: Vec<Result<Vec<Sample>, String>> = Vec::new();
    samples.extend(
        plan.players
            .iter()
            .map(|player| player.host().map(|_| Vec::new())),
    );
    for round in 0..=rounds {
        for (player, samples) in plan.players.iter().zip(&mut samples) {
            let folder = tempfile::tempdir().map_err(|why| why.to_string())?;
            let Ok(known) = samples else { continue };
            match player
                .host()
                .and_then(|host| host.run(&player.task, folder.path()))
            {
                Err(why) => *samples = Err(why),
                // The first fills caches.
                Ok(_) if round == 0 => {}
                Ok(sample) => known.push(sample),
            }
        }
    }
    let told = plan.players.iter().zip(samples);
    let entries = told.map(|(player, samples)| match samples {
        Ok(samples) => Entry::of(player.label, &samples),
        Err(why) => Entry::missing(player.label, why),
    });
    let comparison = Comparison {
        name: plan.name.to_owned(),
        title: plan.title.to_owned(),
        units: plan.units,
        machine,
        entries: entries.collect(),
    };
    show(&comparison);
    Ok(comparison)
}

/// The medians of all hosts, with least and most.
fn show(comparison: &Comparison) {
    for entry in &comparison.entries {
        if let Some(why) = &entry.missing {
            println!("  {:30} DID NOT RUN: {why}", entry.host);
            continue;
        }
        let cpu = entry.number("cpu_us").over(comparison.units);
        let wall = entry.number("wall_us");
        let number = |name| entry.number(name).median;
        println!(
            "  {:30} {:8.3} µs CPU each ({:.3} to {:.3}), {:7.3} s, {:7.0} events, {:6.1} MiB, first {:.3} ms, end {:.3} ms, latency {:.1} / {:.1} / {:.0} µs, {:.0} KiB each",
            entry.host,
            cpu.median,
            cpu.min,
            cpu.max,
            wall.median / 1e6,
            number("events"),
            number("peak_kb") / 1024.0,
            number("first_us") / 1e3,
            number("end_us") / 1e3,
            number("p50_us"),
            number("p99_us"),
            number("max_us"),
            number("idle_kb"),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stands_for_all_that_begin_with_it_at_a_hyphen() {
        assert!(is_wanted("c-warm", &["c"]));
        assert!(is_wanted("a", &[]));
        assert!(!is_wanted("f-claude-warm", &["f-cl"]));
        assert!(!is_wanted("a", &["c"]));
    }
}
