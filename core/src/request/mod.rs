//! Questions of agents, and what hosts answer.
//!
//! A question is shown as [`crate::Body::RequestOpened`] with all that is known of it, stands in the
//! session's snapshot while it is open, and is answered once, by its id. What nobody answers in
//! time is denied.

mod answer;
mod fit;
mod question;
mod rule;
mod shell;

pub use answer::{Answer, Decision, Scope};
pub(crate) use fit::check_fit;
pub use question::{Choice, Question};
pub use rule::{Action, Place, Rule};
pub(crate) use rule::{Subject, Verdict, decide};
