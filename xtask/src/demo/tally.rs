//! What is counted while the story goes on.

use std::time::Duration;

/// Times to first output, by whether a process had to be started for it.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    cold: Vec<Duration>,
    warm: Vec<Duration>,
}

impl Tally {
    pub(crate) fn first_output(&mut self, cold: bool, time: Duration) {
        let list = if cold { &mut self.cold } else { &mut self.warm };
        list.push(time);
    }

    /// For people.
    pub(crate) fn cold(&self) -> String {
        line(&self.cold)
    }

    /// For people.
    pub(crate) fn warm(&self) -> String {
        line(&self.warm)
    }
}

fn line(times: &[Duration]) -> String {
    let mut sorted = times.to_vec();
    sorted.sort();
    match sorted.get(sorted.len() / 2) {
        Some(middle) => format!("{} (median of {} turns)", brief(*middle), sorted.len()),
        None => "never".to_owned(),
    }
}

/// A duration as people write it.
pub(crate) fn brief(time: Duration) -> String {
    let ms = time.as_secs_f64() * 1000.0;
    if ms < 10.0 {
        format!("{ms:.1} ms")
    } else if ms < 10_000.0 {
        format!("{ms:.0} ms")
    } else {
        format!("{:.1} s", ms / 1000.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cold_and_warm_are_told_apart_and_the_middle_one_counts() {
        let mut tally = Tally::default();
        for ms in [30, 10, 20] {
            tally.first_output(true, Duration::from_millis(ms));
        }
        assert_eq!(tally.cold(), "20 ms (median of 3 turns)");
        assert_eq!(tally.warm(), "never");
    }
}
