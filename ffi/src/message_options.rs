//! The long tail of a message, which comes as JSON. A file of its own, for the test that makes its schema.

use runtime::event::RawJson;
use runtime::{Attachment, Budget};
use schemars::JsonSchema;
use serde::Deserialize;

/// The long tail of a message.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct MessageOptions {
    /// Images and files.
    pub(crate) attachments: Vec<Attachment>,
    /// A JSON Schema that the final answer must fit, for agents that can.
    pub(crate) output_schema: Option<RawJson>,
    /// What the turn may use up. Default: no limit.
    pub(crate) budget: Budget,
}
