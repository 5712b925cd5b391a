//! What a turn costs, from the totals that the agent tells.

/// The agent's running total, and where it stood.
///
/// The total counts from the start of the process. After a resume newer versions go on from the
/// conversation's saved total, and `/clear` begins anew.
#[derive(Debug, Default)]
pub(super) struct Cost {
    total: f64,
    /// The total that a resumed process may go on from, until its first result is in.
    saved: Option<f64>,
}

impl Cost {
    /// The process goes on with a conversation that has cost this much so far.
    pub(super) fn resume_from(&mut self, saved: f64) {
        self.saved = Some(saved);
    }

    /// The agent is known to count anew in each process.
    pub(super) fn counts_anew(&mut self) {
        self.saved = None;
    }

    /// What the turn cost. `since` is the agent's own difference, where it tells.
    pub(super) fn turn(&mut self, total: Option<f64>, since: Option<f64>) -> Option<f64> {
        let sane = |usd: &f64| usd.is_finite() && *usd >= 0.0;
        let total = total.filter(sane)?;
        let since = since.filter(sane);
        let first_after_resume = self.saved.take();
        let base = first_after_resume.unwrap_or(self.total);
        let step = if total >= base { total - base } else { total };
        self.total = total;
        match (first_after_resume, since) {
            // The agent's difference may hold the saved total, and so may ours.
            (Some(_), Some(since)) => Some(step.min(since)),
            // A conversation of another pool: its saved total is not known.
            (Some(0.0), None) => None,
            (Some(_), None) => Some(step),
            (None, since) => Some(since.unwrap_or(step)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: Option<f64>, b: f64) -> bool {
        a.is_some_and(|a| (a - b).abs() < 1e-9)
    }

    #[test]
    fn totals_become_differences_and_a_reset_begins_anew() {
        let mut cost = Cost::default();
        assert!(close(cost.turn(Some(0.5), None), 0.5));
        assert!(close(cost.turn(Some(0.7), None), 0.2));
        assert!(close(cost.turn(Some(0.1), None), 0.1), "after /clear");
        assert_eq!(cost.turn(None, None), None);
        assert_eq!(cost.turn(Some(f64::NAN), None), None);
    }

    #[test]
    fn a_resumed_process_that_goes_on_counting_adds_only_the_new_part() {
        let mut cost = Cost::default();
        cost.resume_from(1.0);
        assert!(close(cost.turn(Some(1.25), None), 0.25));
        assert!(close(cost.turn(Some(1.5), Some(0.25)), 0.25));
    }

    #[test]
    fn a_resumed_process_that_counts_anew_adds_all_of_it() {
        let mut cost = Cost::default();
        cost.resume_from(0.1);
        cost.counts_anew();
        assert!(close(cost.turn(Some(0.25), None), 0.25));
    }

    #[test]
    fn the_first_turn_of_a_foreign_conversation_costs_an_unknown_sum() {
        let mut cost = Cost::default();
        cost.resume_from(0.0);
        assert_eq!(cost.turn(Some(3.0), None), None);
        assert!(close(cost.turn(Some(3.5), None), 0.5));
    }
}
