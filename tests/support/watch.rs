//! Looks at processes from outside.

use std::fs;
use std::time::{Duration, Instant};

/// Every process below `root`, zombies included, as pid, state and command.
#[must_use]
pub fn descendants(root: u32) -> Vec<(u32, char, String)> {
    let mut all = Vec::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|n| n.parse().ok()) else {
            continue;
        };
        let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else {
            continue;
        };
        if let Some((parent, state, name)) = parse(&stat) {
            all.push((pid, parent, state, name));
        }
    }
    let mut family = vec![root];
    let mut found = Vec::new();
    let mut next = 0;
    while let Some(parent) = family.get(next).copied() {
        next += 1;
        for (pid, above, state, name) in &all {
            if *above == parent && !family.contains(pid) {
                family.push(*pid);
                found.push((*pid, *state, name.clone()));
            }
        }
    }
    found
}

fn parse(stat: &str) -> Option<(u32, char, String)> {
    let (open, close) = (stat.find('(')?, stat.rfind(')')?);
    let mut rest = stat[close + 1..].split_ascii_whitespace();
    let state = rest.next()?.chars().next()?;
    let parent = rest.next()?.parse().ok()?;
    Some((parent, state, stat[open + 1..close].to_owned()))
}

/// Waits until something holds.
///
/// # Panics
///
/// If it does not within a minute: then it never will.
pub fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(
            start.elapsed() < Duration::from_mins(1),
            "{what}: it never came"
        );
        std::thread::sleep(Duration::from_millis(2));
    }
}
