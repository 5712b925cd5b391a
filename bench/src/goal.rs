//! What is to hold, and whether it does.

use std::fmt::Write as _;
use std::path::Path;

use crate::result::Comparison;

/// One figure.
pub(crate) struct Line {
    /// The comparison that it is of.
    pub of: &'static str,
    pub figure: String,
    pub goal: String,
    pub seen: String,
    /// `None`: it was not measured.
    pub holds: Option<bool>,
}

/// How a figure is bounded.
enum Bound {
    /// So many times the number of this host, at most.
    Times(f64, &'static str),
    /// Below the numbers of all these hosts.
    Below(&'static [&'static str]),
    /// At most this.
    Most(f64),
}

/// A figure of one host.
struct Goal {
    of: &'static str,
    figure: &'static str,
    host: &'static str,
    number: &'static str,
    bound: Bound,
    unit: &'static str,
    /// From the number as it was measured to that unit.
    scale: f64,
}

const PYTHON: &[&str] = &["claude-agent-sdk, Python", "agent-client-protocol, Python"];
const NODE: &[&str] = &["claude-agent-sdk, Node", "agentclientprotocol/sdk, Node"];
const RUST: &[&str] = &["claude-codes", "codex-codes", "agent-client-protocol, Rust"];

const fn goal(
    of: &'static str,
    figure: &'static str,
    host: &'static str,
    number: &'static str,
    bound: Bound,
) -> Goal {
    Goal {
        of,
        figure,
        host,
        number,
        bound,
        unit: "",
        scale: 1.0,
    }
}

const fn absolute(mut goal: Goal, unit: &'static str, scale: f64) -> Goal {
    goal.unit = unit;
    goal.scale = scale;
    goal
}

use Bound::{Below, Most, Times};

const GOALS: &[Goal] = &[
    goal(
        "a",
        "A, Rust: CPU per delta",
        "Remuda, Rust",
        "cpu_us",
        Times(1.2, "serde_json, typed"),
    ),
    goal(
        "a",
        "A, C push",
        "Remuda, C push",
        "cpu_us",
        Times(1.2, "Remuda, Rust"),
    ),
    goal(
        "a",
        "A, C pull",
        "Remuda, C pull",
        "cpu_us",
        Times(1.2, "Remuda, Rust"),
    ),
    goal(
        "a",
        "A, Rust, against peers",
        "Remuda, Rust",
        "cpu_us",
        Below(RUST),
    ),
    goal(
        "a",
        "A, Node",
        "Remuda, Node",
        "cpu_us",
        Times(0.4, "claude-agent-sdk, Node"),
    ),
    goal(
        "a",
        "A, Node, against peers",
        "Remuda, Node",
        "cpu_us",
        Below(NODE),
    ),
    goal(
        "a",
        "A, Python",
        "Remuda, Python",
        "cpu_us",
        Times(0.15, "claude-agent-sdk, Python"),
    ),
    goal(
        "a",
        "A, Python, against peers",
        "Remuda, Python",
        "cpu_us",
        Below(PYTHON),
    ),
    goal(
        "b",
        "B, Rust: p50 added",
        "Remuda, Rust",
        "p50_us",
        Times(3.0, "limit"),
    ),
    goal(
        "b",
        "B, C push",
        "Remuda, C push",
        "p50_us",
        Times(3.0, "limit"),
    ),
    goal(
        "b",
        "B, C pull",
        "Remuda, C pull",
        "p50_us",
        Times(3.0, "limit"),
    ),
    goal(
        "b",
        "B, Node",
        "Remuda, Node",
        "p50_us",
        Times(0.6, "claude-agent-sdk, Node"),
    ),
    goal(
        "b",
        "B, Python",
        "Remuda, Python",
        "p50_us",
        Times(0.5, "claude-agent-sdk, Python"),
    ),
    goal(
        "c-warm",
        "C, warm turns, Rust",
        "Remuda, Rust",
        "wall_us",
        Times(1.5, "limit"),
    ),
    goal(
        "c-warm",
        "C, warm turns, Rust, against peers",
        "Remuda, Rust",
        "wall_us",
        Below(RUST),
    ),
    goal(
        "c-warm",
        "C, warm turns, Node",
        "Remuda, Node",
        "wall_us",
        Below(NODE),
    ),
    goal(
        "c-warm",
        "C, warm turns, Python",
        "Remuda, Python",
        "wall_us",
        Below(PYTHON),
    ),
    absolute(
        goal(
            "d-500",
            "D, 500 sessions: p99 latency",
            "Remuda, Rust",
            "p99_us",
            Most(5.0),
        ),
        "ms",
        1e-3,
    ),
    absolute(
        goal(
            "d-500",
            "D: memory per idle warm session",
            "Remuda, Rust",
            "idle_kb",
            Most(64.0),
        ),
        "KiB",
        1.0,
    ),
    goal(
        "e-64",
        "E, 64 MB: time",
        "Remuda, Rust",
        "wall_us",
        Times(2.0, "limit"),
    ),
    absolute(
        goal(
            "e-64",
            "E, 64 MB: peak memory, times its size",
            "Remuda, Rust",
            "peak_kb",
            Most(3.0),
        ),
        "×",
        1024.0 / 64e6,
    ),
];

/// All figures.
pub(crate) fn table(found: &[Comparison]) -> Vec<Line> {
    let mut lines: Vec<_> = GOALS.iter().map(|goal| goal.judged(found)).collect();
    for (agent, least) in [("claude", 10.0), ("codex", 3.0)] {
        lines.push(faster(found, agent, least));
        lines.push(overhead(found, agent));
    }
    lines
}

fn median(found: &[Comparison], of: &str, host: &str, number: &str) -> Option<f64> {
    found.iter().find(|c| c.name == of)?.median(host, number)
}

impl Goal {
    fn judged(&self, found: &[Comparison]) -> Line {
        let other = |host| median(found, self.of, host, self.number);
        let own = other(self.host);
        let (goal, seen, holds) = match &self.bound {
            Times(most, host) => {
                let ratio = own.zip(other(host)).map(|(own, other)| own / other);
                let goal = format!("≤ {most} × {host}");
                (
                    goal,
                    ratio.map(|r| format!("{r:.2} ×")),
                    ratio.map(|r| r <= *most),
                )
            }
            Below(hosts) => {
                let others: Option<Vec<f64>> = hosts.iter().map(|host| other(host)).collect();
                let least = others.map(|all| all.into_iter().fold(f64::INFINITY, f64::min));
                let ratio = own.zip(least).map(|(own, least)| own / least);
                let goal = "below each of them".to_owned();
                (
                    goal,
                    ratio.map(|r| format!("{r:.2} × the best")),
                    ratio.map(|r| r < 1.0),
                )
            }
            Most(most) => {
                let own = own.map(|own| own * self.scale);
                let goal = format!("≤ {most} {}", self.unit);
                (
                    goal,
                    own.map(|own| format!("{own:.2} {}", self.unit)),
                    own.map(|own| own <= *most),
                )
            }
        };
        Line {
            of: self.of,
            figure: self.figure.to_owned(),
            goal,
            seen: seen.unwrap_or_else(|| "not measured".to_owned()),
            holds,
        }
    }
}

/// Warm against one process per turn, with the real agent.
fn faster(found: &[Comparison], agent: &str, least: f64) -> Line {
    let first = |kind: &str| {
        median(
            found,
            &format!("f-{agent}-{kind}"),
            "Remuda, Rust",
            "first_us",
        )
    };
    let ratio = first("each")
        .zip(first("warm"))
        .map(|(each, warm)| each / warm);
    Line {
        of: if agent == "claude" {
            "f-claude-warm"
        } else {
            "f-codex-warm"
        },
        figure: format!("F, {agent}: time to the first delta, one process per turn against warm"),
        goal: format!("≥ {least} ×"),
        seen: ratio.map_or_else(|| "not measured".to_owned(), |r| format!("{r:.1} ×")),
        holds: ratio.map(|r| r >= least),
    }
}

/// What the library adds to a warm turn of the real agent.
fn overhead(found: &[Comparison], agent: &str) -> Line {
    let of = if agent == "claude" {
        "f-claude-warm"
    } else {
        "f-codex-warm"
    };
    let first = |host| median(found, of, host, "first_us");
    let added = first("Remuda, Rust")
        .zip(first("limit"))
        .map(|(own, bare)| (own - bare) / 1e3);
    Line {
        of,
        figure: format!("F, {agent}, warm: added to a bare driver"),
        goal: "≤ 1 ms".to_owned(),
        seen: added.map_or_else(|| "not measured".to_owned(), |ms| format!("{ms:.2} ms")),
        holds: added.map(|ms| ms <= 1.0),
    }
}

/// The table, as Markdown.
pub(crate) fn shown(table: &[Line]) -> String {
    let mut text = String::from("| figure | goal | seen | verdict |\n|---|---|---|---|\n");
    for line in table {
        let verdict = match line.holds {
            Some(true) => "holds",
            Some(false) => "**does not hold**",
            None => "**not measured**",
        };
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "| {} | {} | {} | {verdict} |",
            line.figure, line.goal, line.seen
        );
    }
    text
}

const BEGIN: &str = "<!-- measured: from here on `cargo xtask bench` writes -->\n";
const END: &str = "<!-- measured: up to here -->";

/// Puts the table and the numbers into the page.
pub(crate) fn publish(table: &[Line], found: &[Comparison], docs: &Path) -> Result<(), String> {
    let file = docs.join("performance.md");
    let page =
        std::fs::read_to_string(&file).map_err(|why| format!("{}: {why}", file.display()))?;
    let (before, rest) = page
        .split_once(BEGIN)
        .ok_or("docs/performance.md has lost its marks")?;
    let (_, after) = rest
        .split_once(END)
        .ok_or("docs/performance.md has lost its marks")?;
    let text = format!(
        "{before}{BEGIN}\n{}{}\n{END}{after}",
        shown(table),
        numbers(found)
    );
    std::fs::write(&file, text).map_err(|why| why.to_string())
}

fn numbers(found: &[Comparison]) -> String {
    let mut text = String::new();
    for comparison in found {
        let machine = &comparison.machine;
        let _ = writeln!(
            text,
            "\n### {}\n\n![{}](performance/{}.svg)\n\n{}, {} cores, Linux {}, load {:.1} at the start. Medians, least and most.\n",
            heading(&comparison.title),
            comparison.title,
            comparison.name,
            machine.processor,
            machine.cores,
            machine.kernel,
            machine.load,
        );
        text.push_str(head(&comparison.name));
        for entry in comparison
            .entries
            .iter()
            .filter(|entry| entry.missing.is_none())
        {
            text.push_str(&row(comparison, entry));
        }
        for entry in comparison
            .entries
            .iter()
            .filter(|entry| entry.missing.is_some())
        {
            let _ = writeln!(text, "\n{} did not run.", entry.host);
        }
    }
    text
}

fn heading(title: &str) -> String {
    let mut letters = title.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string());
    first.unwrap_or_default() + letters.as_str()
}

fn head(name: &str) -> &'static str {
    match name.as_bytes().first() {
        Some(b'b') => "| host | p50 added, µs | p99, µs | max, µs |\n|---|---|---|---|\n",
        Some(b'd') => {
            "| host | p50, ms | p99, ms | CPU, s | wall, s | memory per session, KiB |\n|---|---|---|---|---|---|\n"
        }
        Some(b'f') => "| host | first delta, ms | end, ms |\n|---|---|---|\n",
        Some(_) | None => {
            "| host | CPU each, µs | wall, s | events delivered | peak memory, MiB |\n|---|---|---|---|---|\n"
        }
    }
}

fn row(comparison: &Comparison, entry: &crate::result::Entry) -> String {
    let number = |name| entry.number(name).median;
    let spread = |name, by: f64| {
        let of = entry.number(name).over(by);
        format!("{:.3} ({:.3} to {:.3})", of.median, of.min, of.max)
    };
    let host = &entry.host;
    match comparison.name.as_bytes().first() {
        Some(b'b') => format!(
            "| {host} | {} | {:.1} | {:.0} |\n",
            spread("p50_us", 1.0),
            number("p99_us"),
            number("max_us")
        ),
        Some(b'd') => format!(
            "| {host} | {} | {} | {:.2} | {:.2} | {:.0} |\n",
            spread("p50_us", 1e3),
            spread("p99_us", 1e3),
            number("cpu_us") / 1e6,
            number("wall_us") / 1e6,
            number("idle_kb")
        ),
        Some(b'f') => format!(
            "| {host} | {} | {} |\n",
            spread("first_us", 1e3),
            spread("end_us", 1e3)
        ),
        Some(_) | None => format!(
            "| {host} | {} | {} | {:.0} | {:.1} |\n",
            spread("cpu_us", comparison.units),
            spread("wall_us", 1e6),
            number("events"),
            number("peak_kb") / 1024.0
        ),
    }
}
