//! What can be asked without a pool.

use napi_derive::napi;
use remuda::{capabilities, capabilities_of};

use crate::failure::{Refused, json, refused};

/// What a provider's agent can do, or all of them, as JSON.
#[napi(catch_unwind)]
pub(crate) fn native_capabilities(provider: Option<String>) -> Result<String, Refused> {
    let table = match provider {
        Some(name) => capabilities_of(&name).and_then(|table| json(&table)),
        None => json(&capabilities()),
    };
    table.map_err(|error| refused(&error))
}

/// The version of the library.
#[napi]
pub(crate) fn native_version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}
