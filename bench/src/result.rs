//! What a comparison found: of each host the median, the least and the most of each number.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::host::Sample;

/// One number over all rounds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Spread {
    pub median: f64,
    pub min: f64,
    pub max: f64,
}

/// One host in one comparison.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub host: String,
    pub rounds: usize,
    pub numbers: BTreeMap<String, Spread>,
    /// Why it did not run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<String>,
}

/// One comparison.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Comparison {
    pub name: String,
    pub title: String,
    /// What the main number is counted per: deltas, turns.
    pub units: f64,
    pub machine: Machine,
    pub entries: Vec<Entry>,
}

/// Where it was measured.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Machine {
    pub processor: String,
    pub cores: usize,
    pub kernel: String,
    /// Runnable programs beside those of the benchmark, when it began: one per core means that it shared them all.
    pub load: f64,
}

impl Spread {
    /// Of these values. All zero without any.
    pub(crate) fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let at = |index: usize| values.get(index).copied().unwrap_or_default();
        let middle = values.len() / 2;
        let median = if values.len().is_multiple_of(2) && middle > 0 {
            f64::midpoint(at(middle - 1), at(middle))
        } else {
            at(middle)
        };
        Self {
            median,
            min: at(0),
            max: at(values.len().saturating_sub(1)),
        }
    }

    pub(crate) fn over(self, by: f64) -> Self {
        Self {
            median: self.median / by,
            min: self.min / by,
            max: self.max / by,
        }
    }
}

impl Entry {
    pub(crate) fn of(host: &str, samples: &[Sample]) -> Self {
        let mut numbers: BTreeMap<String, Vec<f64>> = BTreeMap::new();
        for (name, number) in samples.iter().flat_map(Sample::numbers) {
            numbers.entry(name.to_owned()).or_default().push(number);
        }
        let spreads = numbers
            .into_iter()
            .map(|(name, all)| (name, Spread::of(all)));
        Self {
            host: host.to_owned(),
            rounds: samples.len(),
            numbers: spreads.collect(),
            missing: None,
        }
    }

    pub(crate) fn missing(host: &str, why: String) -> Self {
        Self {
            host: host.to_owned(),
            missing: Some(why),
            ..Self::default()
        }
    }

    pub(crate) fn number(&self, name: &str) -> Spread {
        self.numbers.get(name).copied().unwrap_or_default()
    }
}

impl Comparison {
    /// A number of a host's, if it ran.
    pub(crate) fn median(&self, host: &str, number: &str) -> Option<f64> {
        let entry = self.entries.iter().find(|entry| entry.host == host)?;
        entry.missing.is_none().then(|| entry.number(number).median)
    }

    /// Reads it back. `None`: it was not measured.
    pub(crate) fn read(folder: &Path, name: &str) -> Option<Self> {
        let text = std::fs::read_to_string(folder.join(format!("{name}.json"))).ok()?;
        serde_json::from_str(&text).ok()
    }

    /// Writes it beside the others.
    pub(crate) fn write(&self, folder: &Path) -> Result<(), String> {
        let file = folder.join(format!("{}.json", self.name));
        let text = serde_json::to_string_pretty(self).map_err(|why| why.to_string())?;
        std::fs::write(&file, text + "\n").map_err(|why| format!("{}: {why}", file.display()))
    }
}

impl Machine {
    pub(crate) fn this() -> Self {
        let read = |path| std::fs::read_to_string(path).unwrap_or_default();
        let processors = read("/proc/cpuinfo");
        let model = processors
            .lines()
            .find_map(|line| line.strip_prefix("model name"));
        Self {
            processor: model
                .map(|name| name.trim_start_matches([' ', '\t', ':']).to_owned())
                .unwrap_or_default(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            load: read("/proc/loadavg")
                .split(' ')
                .next()
                .and_then(|l| l.parse().ok())
                .unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle_and_one_outlier_does_not_move_it() {
        let spread = Spread::of(vec![3.0, 1.0, 900.0, 2.0, 2.5]);
        let expected = Spread {
            median: 2.5,
            min: 1.0,
            max: 900.0,
        };
        assert_eq!(spread, expected);
        assert!((Spread::of(vec![1.0, 2.0]).median - 1.5).abs() < 1e-9);
        assert_eq!(Spread::of(Vec::new()), Spread::default());
    }
}
