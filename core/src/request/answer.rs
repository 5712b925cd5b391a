//! What a host says to a question.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::event::RawJson;

/// An answer. Which ones a question takes stands in its `decisions`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "answer", rename_all = "snake_case", deny_unknown_fields)]
pub enum Answer {
    /// Yes.
    Allow {
        /// For how long.
        #[serde(default)]
        scope: Scope,
        /// Instead of the tool's input, this one, whole. Only where `allow_changed` stands among
        /// the decisions.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        input: Option<RawJson>,
    },
    /// No.
    Deny {
        /// What the agent is told.
        #[serde(default)]
        message: String,
        /// Whether the turn ends as well, as interrupted.
        #[serde(default)]
        interrupt: bool,
    },
    /// What the user said to each question, by the question's id. Several texts where several
    /// choices were allowed; a text of the user's own where free text was.
    Answers {
        /// By question.
        answers: BTreeMap<String, Vec<String>>,
    },
    /// The content that an MCP server asked for.
    Content {
        /// An object that fits the schema in the question.
        content: RawJson,
    },
    /// What the host's tool gave.
    Result {
        /// For the model.
        text: String,
        /// Whether the tool failed.
        #[serde(default)]
        is_error: bool,
    },
}

/// For how long a yes holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// This once.
    #[default]
    Once,
    /// Until the agent's process ends, for what the agent finds to be the same.
    Session,
    /// For ever: the agent writes the rule that it proposed into its own settings.
    Remember,
}

/// What a question can be answered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Decision {
    /// [`Answer::Allow`], once.
    AllowOnce,
    /// [`Answer::Allow`] for the session.
    AllowSession,
    /// [`Answer::Allow`] for ever.
    AllowRemember,
    /// [`Answer::Allow`] with another input.
    AllowChanged,
    /// [`Answer::Deny`].
    Deny,
    /// [`Answer::Deny`] that ends the turn.
    DenyInterrupt,
    /// [`Answer::Answers`].
    Answers,
    /// [`Answer::Content`].
    Content,
    /// [`Answer::Result`].
    Result,
}

impl Answer {
    /// The decision that must be allowed for this answer.
    #[must_use]
    pub const fn decision(&self) -> Decision {
        match self {
            Self::Allow { input: Some(_), .. } => Decision::AllowChanged,
            Self::Allow { scope, .. } => match scope {
                Scope::Once => Decision::AllowOnce,
                Scope::Session => Decision::AllowSession,
                Scope::Remember => Decision::AllowRemember,
            },
            Self::Deny {
                interrupt: true, ..
            } => Decision::DenyInterrupt,
            Self::Deny { .. } => Decision::Deny,
            Self::Answers { .. } => Decision::Answers,
            Self::Content { .. } => Decision::Content,
            Self::Result { .. } => Decision::Result,
        }
    }
}
