//! Tokens, as the agent counts them.

use serde::Deserialize;

use crate::event::Usage;

/// One count. `input` and `output` are inclusive: cached input is part of the input, reasoning part
/// of the output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct Tokens {
    #[serde(rename = "totalTokens")]
    pub total: u64,
    #[serde(rename = "inputTokens", alias = "input_tokens")]
    pub input: u64,
    #[serde(rename = "cachedInputTokens", alias = "cached_input_tokens")]
    pub cached: u64,
    #[serde(rename = "cacheWriteInputTokens", alias = "cache_write_input_tokens")]
    pub cache_write: u64,
    #[serde(rename = "outputTokens", alias = "output_tokens")]
    pub output: u64,
    #[serde(rename = "reasoningOutputTokens", alias = "reasoning_output_tokens")]
    pub reasoning: u64,
}

impl Tokens {
    /// What came since an earlier count of the same thread.
    pub(super) fn since(self, earlier: Self) -> Self {
        Self {
            total: self.total.saturating_sub(earlier.total),
            input: self.input.saturating_sub(earlier.input),
            cached: self.cached.saturating_sub(earlier.cached),
            cache_write: self.cache_write.saturating_sub(earlier.cache_write),
            output: self.output.saturating_sub(earlier.output),
            reasoning: self.reasoning.saturating_sub(earlier.reasoning),
        }
    }

    /// The same in the words of events, where input is without the cache.
    pub(super) fn usage(self) -> Usage {
        Usage {
            input_tokens: self
                .input
                .saturating_sub(self.cached)
                .saturating_sub(self.cache_write),
            output_tokens: self.output,
            cache_read_tokens: self.cached,
            cache_write_tokens: self.cache_write,
            reasoning_tokens: Some(self.reasoning),
        }
    }
}

/// Adds a count to a sum.
pub(super) fn add(sum: &mut Usage, more: Usage) {
    sum.input_tokens = sum.input_tokens.saturating_add(more.input_tokens);
    sum.output_tokens = sum.output_tokens.saturating_add(more.output_tokens);
    sum.cache_read_tokens = sum.cache_read_tokens.saturating_add(more.cache_read_tokens);
    sum.cache_write_tokens = sum
        .cache_write_tokens
        .saturating_add(more.cache_write_tokens);
    let reasoning = sum.reasoning_tokens.unwrap_or(0);
    sum.reasoning_tokens = more
        .reasoning_tokens
        .map(|more| reasoning.saturating_add(more))
        .or(sum.reasoning_tokens);
}

/// `tokenUsage` of `thread/tokenUsage/updated`.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct TokenUsage {
    /// Of the thread's whole life.
    pub total: Tokens,
    /// Of the last model call.
    pub last: Tokens,
    pub model_context_window: Option<u64>,
}

/// The counts of one thread, update by update.
///
/// Counts by the difference of the totals: around a compaction the agent repeats `last`, and after
/// it `last` holds the size of the new context.
#[derive(Debug, Default)]
pub(super) struct Meter {
    total: Option<Tokens>,
}

impl Meter {
    /// For a thread without a past.
    pub(super) fn from_zero() -> Self {
        Self {
            total: Some(Tokens::default()),
        }
    }

    /// Takes an update: what was used since the one before. `None`: nothing.
    pub(super) fn update(&mut self, usage: &TokenUsage) -> Option<Usage> {
        let used = match self.total.replace(usage.total) {
            Some(before) => usage.total.since(before),
            None => usage.last,
        };
        (used != Tokens::default()).then(|| used.usage())
    }
}
