//! A timer that moves all the time and is set anew seldom.

use std::pin::Pin;
use std::time::Instant;

use tokio::time::Sleep;

/// Wakes at the machine's deadline. Deadlines move with every line of the agent; the timer is set
/// anew only when it must be earlier, and otherwise finds out when it rings.
#[derive(Default)]
pub(super) struct Alarm {
    sleep: Option<Pin<Box<Sleep>>>,
    at: Option<Instant>,
}

impl Alarm {
    pub(super) fn set(&mut self, deadline: Option<Instant>) {
        let Some(deadline) = deadline else { return };
        if self.at.is_some_and(|at| at <= deadline) {
            return;
        }
        self.at = Some(deadline);
        let deadline = tokio::time::Instant::from_std(deadline);
        match &mut self.sleep {
            Some(sleep) => sleep.as_mut().reset(deadline),
            None => self.sleep = Some(Box::pin(tokio::time::sleep_until(deadline))),
        }
    }

    /// Waits until it rings. Cancel safe: it only looks.
    pub(super) async fn wait(&mut self) {
        match (&mut self.sleep, self.at) {
            (Some(sleep), Some(_)) => {
                sleep.await;
                self.at = None;
            }
            (_, _) => std::future::pending().await,
        }
    }
}
