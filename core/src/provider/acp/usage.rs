//! Tokens and models, as the answer to a prompt tells them.

use serde_json::Value;

use crate::event::Usage;

/// The tokens of a turn. Gemini has them only beside the protocol.
pub(super) fn of_turn(result: &Value) -> Option<Usage> {
    let usage = &result["usage"];
    if !usage.is_object() {
        let count = &result["_meta"]["quota"]["token_count"];
        return count.is_object().then(|| Usage {
            input_tokens: number(&count["input_tokens"]),
            output_tokens: number(&count["output_tokens"]),
            ..Usage::default()
        });
    }
    let (input, output) = (
        number(&usage["inputTokens"]),
        number(&usage["outputTokens"]),
    );
    let read = number(&usage["cachedReadTokens"]);
    let written = number(&usage["cachedWriteTokens"]);
    // Whether the input counts what was cached the protocol leaves open; the sum tells.
    let inclusive = input.saturating_add(output) == number(&usage["totalTokens"]);
    let cached = read.saturating_add(written);
    Some(Usage {
        input_tokens: if inclusive {
            input.saturating_sub(cached)
        } else {
            input
        },
        output_tokens: output,
        cache_read_tokens: read,
        cache_write_tokens: written,
        reasoning_tokens: usage["thoughtTokens"].as_u64(),
    })
}

/// Whether the agent says that the turn took no tokens, or says nothing of them.
pub(super) fn is_none(result: &Value) -> bool {
    of_turn(result).is_none_or(|usage| usage.input_tokens == 0 && usage.output_tokens == 0)
}

/// The model that answered, where the answer names one. Helpers may be named too; the one that took
/// the most counts.
pub(super) fn model(result: &Value) -> Option<String> {
    let models = result["_meta"]["quota"]["model_usage"].as_array()?.iter();
    let input = |m: &&Value| {
        let count = &m["token_count"];
        number(&count["input_tokens"]).max(number(&count["inputTokens"]))
    };
    // The first of those that took as much.
    let most = models.rev().max_by_key(input)?;
    most["model"].as_str().map(str::to_owned)
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_default()
}
