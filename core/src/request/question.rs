//! What a user is asked.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One question to the user.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Question {
    /// Names it in [`crate::request::Answer::Answers`].
    pub id: String,
    /// A word or two over it.
    pub header: String,
    /// The question.
    pub text: String,
    /// What may be chosen. Empty: only free text.
    pub choices: Vec<Choice>,
    /// Whether several may be chosen.
    pub several: bool,
    /// Whether the user may say something else.
    pub free_text: bool,
    /// Whether the answer is a secret and must not be shown.
    pub secret: bool,
}

/// One thing that may be chosen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Choice {
    /// What is answered.
    pub label: String,
    /// What it means.
    pub description: String,
}
