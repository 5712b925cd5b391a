//! Tokens, as the agent counts them.

use serde::Deserialize;

use crate::event::Usage;

/// One count. `input` and `output` are inclusive: cached input is part of the input, reasoning part
/// of the output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Tokens {
    pub total_tokens: u64,
    #[serde(alias = "input_tokens")]
    pub input_tokens: u64,
    #[serde(alias = "cached_input_tokens")]
    pub cached_input_tokens: u64,
    #[serde(alias = "cache_write_input_tokens")]
    pub cache_write_input_tokens: u64,
    #[serde(alias = "output_tokens")]
    pub output_tokens: u64,
    #[serde(alias = "reasoning_output_tokens")]
    pub reasoning_output_tokens: u64,
}

impl Tokens {
    /// What came since an earlier count of the same thread.
    pub(super) fn since(self, earlier: Self) -> Self {
        Self {
            total_tokens: self.total_tokens.saturating_sub(earlier.total_tokens),
            input_tokens: self.input_tokens.saturating_sub(earlier.input_tokens),
            cached_input_tokens: self
                .cached_input_tokens
                .saturating_sub(earlier.cached_input_tokens),
            cache_write_input_tokens: self
                .cache_write_input_tokens
                .saturating_sub(earlier.cache_write_input_tokens),
            output_tokens: self.output_tokens.saturating_sub(earlier.output_tokens),
            reasoning_output_tokens: self
                .reasoning_output_tokens
                .saturating_sub(earlier.reasoning_output_tokens),
        }
    }

    /// The same in the words of events, where input is without the cache.
    pub(super) fn usage(self) -> Usage {
        Usage {
            input_tokens: self
                .input_tokens
                .saturating_sub(self.cached_input_tokens)
                .saturating_sub(self.cache_write_input_tokens),
            output_tokens: self.output_tokens,
            cache_read_tokens: self.cached_input_tokens,
            cache_write_tokens: self.cache_write_input_tokens,
            reasoning_tokens: Some(self.reasoning_output_tokens),
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
