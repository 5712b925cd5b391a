//! What of this machine a host needs to know before it opens a session: which agents are there,
//! which version, whether somebody is logged in, and how surely process trees end.
//!
//! | file | holds |
//! |---|---|
//! | `report` | what the host gets |
//! | `examine` | from the providers to the report |
//! | `login` | what can be seen of a login without a request |
//! | `version` | asking a program for its version, under the guard and a deadline |

mod examine;
mod login;
mod report;
#[cfg(all(test, target_os = "linux"))]
mod tests;
mod version;

pub use examine::doctor;
pub use report::{AgentReport, Doctor, Login};
