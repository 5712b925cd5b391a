//! What a host can set, with the defaults. The only home of defaults.
//!
//! Every type here is plain data with a JSON form and a JSON Schema: C, Python and Node send the
//! same options as JSON. Unknown members are refused by name.

mod client;
pub(crate) mod millis;
mod pool;
mod session;

pub use client::{Client, ClientFiles};
pub use pool::{Downgrade, PoolOptions, WhenFull};
pub use session::{
    Environment, HostTool, McpServer, Mode, PermissionMode, Persistent, Requests, SessionOptions,
    Sharing, Timeouts,
};

pub(crate) use session::{check_no_nul, check_text};

use std::time::Duration;

use serde::de::DeserializeOwned;

use crate::error::{Error, ErrorKind};

/// As long as anything is waited for. Longer durations mean the same, and no sum of instants
/// overflows.
const FOREVER: Duration = Duration::from_hours(24 * 365 * 100);

/// A duration that can be added to any instant.
pub(crate) fn bounded(duration: Duration) -> Duration {
    duration.min(FOREVER)
}

/// Reads options from JSON.
///
/// # Errors
///
/// [`ErrorKind::InvalidArgument`], naming the member or the position at fault.
pub fn from_json<T: DeserializeOwned>(json: &str) -> Result<T, Error> {
    read_json("options", json)
}

/// Reads something else than options from JSON: an answer, a change, an operation. `name` is what
/// the error calls it.
///
/// # Errors
///
/// [`ErrorKind::InvalidArgument`], naming the member or the position at fault.
pub fn read_json<T: DeserializeOwned>(name: &str, json: &str) -> Result<T, Error> {
    let value = json.trim_start();
    if !value.starts_with('{') {
        let before = &json[..json.len() - value.len()];
        let line = before.matches('\n').count() + 1;
        let column = before.len() - before.rfind('\n').map_or(0, |at| at + 1) + 1;
        let why = format!("this is not a JSON object at line {line} column {column}");
        return Err(Error::invalid(name, why));
    }
    let mut reader = serde_json::Deserializer::from_str(json);
    let fail = |path: String, why: &dyn std::fmt::Display| {
        let place = if path == "." {
            String::new()
        } else {
            format!("{path}: ")
        };
        Error::new(ErrorKind::InvalidArgument, format!("{name}: {place}{why}"))
    };
    let value = serde_path_to_error::deserialize(&mut reader)
        .map_err(|e| fail(e.path().to_string(), e.inner()))?;
    reader.end().map_err(|e| fail(".".to_owned(), &e))?;
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_option_is_named_with_its_place() {
        for (json, name) in [
            (r#"{"max_warm": "a"}"#, "max_warm"),
            (r#"{"max_warm": -1}"#, "max_warm"),
            (r#"{"timeouts": {"start_ms": []}}"#, "timeouts.start_ms"),
            (r#"{"max_wram": 1}"#, "max_wram"),
            ("[]", "not a JSON object"),
            (r#"{"max_warm": 1} x"#, "trailing"),
        ] {
            let error = from_json::<PoolOptions>(json).expect_err(json);
            assert!(error.message().contains(name), "{json}: {error}");
        }
    }

    #[test]
    fn a_time_without_end_can_be_added_to_now() {
        let now = std::time::Instant::now();
        assert!(now.checked_add(bounded(Duration::MAX)).is_some());
    }
}
