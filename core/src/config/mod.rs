//! What a host can set, with the defaults. The only home of defaults.
//!
//! Every type here is plain data with a JSON form and a JSON Schema: C, Python and Node send the
//! same options as JSON. Unknown members are refused by name.

pub(crate) mod millis;
mod pool;
mod session;

pub use pool::{Downgrade, PoolOptions, WhenFull};
pub use session::{
    Environment, HostTool, McpServer, Mode, PermissionMode, Persistent, Requests, SessionOptions,
    Timeouts,
};

use serde::de::DeserializeOwned;

use crate::error::{Error, ErrorKind};

/// Reads options from JSON.
///
/// # Errors
///
/// [`ErrorKind::InvalidArgument`], naming the member or the position at fault.
pub fn from_json<T: DeserializeOwned>(json: &str) -> Result<T, Error> {
    serde_json::from_str(json)
        .map_err(|e| Error::new(ErrorKind::InvalidArgument, format!("options: {e}")))
}
