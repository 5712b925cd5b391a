//! What this agent can do and how it differs from the plain one: the words of `SCRIPTED_AGENT_ACP`.

use std::collections::HashSet;

use serde::Deserialize;
use serde_json::json;

/// One word, in kebab case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Feature {
    /// Sessions cannot be loaded.
    NoLoad,
    /// Sessions cannot be resumed without a replay.
    NoResume,
    /// Sessions cannot be listed.
    NoList,
    /// Sessions cannot be closed.
    NoClose,
    /// Sessions cannot be forked.
    NoFork,
    /// No MCP servers over HTTP.
    NoHttp,
    /// No MCP servers over server-sent events.
    NoSse,
    /// Prompts take no images.
    NoImages,
    /// There are no modes.
    NoModes,
    /// There are no configuration options.
    NoConfig,
    /// Chunks carry no message id.
    NoMessageIds,
    /// Nothing is said about tokens.
    NoUsage,
    /// Models are offered as in the withdrawn draft, for `session/set_model`.
    Models,
    /// A running turn takes more input.
    Steering,
    /// Sessions need `authenticate` first.
    NeedsAuth,
    /// Sessions need a login in a terminal, which nobody can do here.
    NeedsLogin,
    /// The answer to a load comes before the replay.
    LateReplay,
    /// The usage of a turn comes after its end.
    LateUsage,
    /// A cancelled turn ends only when its open questions are answered.
    CancelWaits,
    /// A failure of the model ends the turn without a word.
    SilentErrors,
    /// A failure of the model has the HTTP status as its code.
    HttpCodes,
    /// The agent speaks version 2 alone.
    VersionTwo,
}

/// The words that are set.
#[derive(Debug, Default)]
pub(super) struct Features(HashSet<Feature>);

impl Features {
    /// Reads words between spaces or commas. A word that is not known is an error: it is a slip in a test.
    pub(super) fn read(words: &str) -> Result<Self, String> {
        let words = words.split([' ', ',']).filter(|word| !word.is_empty());
        let known = words.map(|word| {
            serde_json::from_value(json!(word)).map_err(|why| format!("SCRIPTED_AGENT_ACP: {why}"))
        });
        known.collect::<Result<_, _>>().map(Self)
    }

    pub(super) fn has(&self, feature: Feature) -> bool {
        self.0.contains(&feature)
    }

    /// Whether the word that takes something away is not set.
    pub(super) fn lacks(&self, feature: Feature) -> bool {
        !self.has(feature)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_and_a_slip_is_named() {
        let read = Features::read("no-load, steering");
        assert!(read.is_ok_and(|features| {
            features.has(Feature::NoLoad)
                && features.has(Feature::Steering)
                && features.lacks(Feature::NoResume)
        }));
        let slip = Features::read("no-laod").err();
        assert!(slip.is_some_and(|why| why.contains("no-laod")));
    }
}
