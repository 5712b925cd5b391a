//! The shapes of lines. They borrow from the line, take keys in any order and ignore what they do
//! not know.
//!
//! A field of the wrong type counts as missing where the line means something without it
//! ([`lenient`]).

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Deref;

use serde::de::{Error, IgnoredAny, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::provider::claude::field::{Field, lenient};

/// Text that is copied only if it holds escapes.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Text<'a>(pub Cow<'a, str>);

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;

        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Cow<'de, str>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("text")
            }

            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Cow::Borrowed(text))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Cow::Owned(text.to_owned()))
            }
        }

        deserializer.deserialize_str(TextVisitor).map(Text)
    }
}

/// Parses JSON, or not.
pub(super) fn parse<'a, T: Deserialize<'a>>(json: &'a str) -> Option<T> {
    serde_json::from_str(json).ok()
}

/// The plain text of an optional field.
pub(super) fn text<'a>(field: Option<&'a Text<'_>>) -> &'a str {
    field.map_or("", |text| &text.0)
}

/// Declares shapes whose fields are all optional and lenient.
macro_rules! shapes {
    ($($(#[$doc:meta])* $name:ident<$l:lifetime> {
        $($(#[$attribute:meta])* $field:ident: $type:ty,)*
    })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Default, Deserialize)]
        #[serde(default, bound(deserialize = "'de: 'a"))]
        pub(super) struct $name<$l> {
            $(
                $(#[$attribute])*
                #[serde(deserialize_with = "lenient")]
                pub $field: Option<$type>,
            )*
        }

        impl<$l> Field<$l> for $name<$l> {
            fn of(raw: &$l RawValue) -> Option<Self> {
                parse::<Option<Self>>(raw.get()).flatten()
            }
        }
    )*};
}

/// What every line may say of itself, and all of a stream event: most lines need no second look.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Line<'a> {
    #[serde(borrow, rename = "type")]
    pub kind: Option<Text<'a>>,
    #[serde(borrow)]
    pub subtype: Option<Text<'a>>,
    #[serde(borrow)]
    pub parent_tool_use_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub event: Option<StreamEvent<'a>>,
    pub abandoned_blocks: Option<IgnoredAny>,
}

/// An event of the Messages API.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct StreamEvent<'a> {
    #[serde(borrow, rename = "type")]
    pub kind: Option<Text<'a>>,
    #[serde(borrow)]
    pub delta: Option<Delta<'a>>,
    #[serde(borrow)]
    pub message: Option<&'a RawValue>,
    #[serde(borrow)]
    pub usage: Option<&'a RawValue>,
    #[serde(borrow)]
    pub content_block: Option<&'a RawValue>,
}

/// A piece of a block, or of a message's head.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Delta<'a> {
    #[serde(borrow, rename = "type")]
    pub kind: Option<Text<'a>>,
    #[serde(borrow)]
    pub text: Option<Text<'a>>,
    #[serde(borrow)]
    pub thinking: Option<Text<'a>>,
}

shapes! {
    /// The little that is needed of a line whose other parts are of wrong types.
    Head<'a> {
        #[serde(rename = "type")]
        kind: Text<'a>,
        subtype: Text<'a>,
    }
    /// `system/init`.
    Init<'a> {
        session_id: Text<'a>,
        model: Text<'a>,
        claude_code_version: Text<'a>,
        capabilities: IgnoredAny,
        user_message_uuids: Vec<Text<'a>>,
    }
    /// `command_lifecycle`.
    Lifecycle<'a> {
        command_uuid: Text<'a>,
        state: Text<'a>,
    }
    /// `assistant` and `user`.
    MessageLine<'a> {
        message: ApiMessage<'a>,
        parent_tool_use_id: Text<'a>,
        uuid: Text<'a>,
        error: Text<'a>,
        is_api_error_message: bool,
        #[serde(rename = "isReplay")]
        is_replay: bool,
        tool_use_result: &'a RawValue,
    }
    /// A message of the Messages API.
    ApiMessage<'a> {
        id: Text<'a>,
        model: Text<'a>,
        content: &'a RawValue,
        usage: Tokens,
    }
    /// A block of a message.
    Block<'a> {
        #[serde(rename = "type")]
        kind: Text<'a>,
        text: Text<'a>,
        thinking: Text<'a>,
        id: Text<'a>,
        name: Text<'a>,
        input: &'a RawValue,
        tool_use_id: Text<'a>,
        content: &'a RawValue,
        is_error: bool,
    }
    /// `system`, all but `init`.
    System<'a> {
        status: Text<'a>,
        compact_result: Text<'a>,
        compact_error: Text<'a>,
        #[serde(rename = "permissionMode")]
        permission_mode: Text<'a>,
        attempt: u64,
        max_retries: u64,
        retry_delay_ms: f64,
        error_status: u64,
        error: Text<'a>,
        compact_metadata: CompactMetadata,
        message: Text<'a>,
        task_id: Text<'a>,
        description: Text<'a>,
        patch: TaskPatch<'a>,
        is_backgrounded: bool,
        owned_by_subagent: bool,
        task_type: Text<'a>,
        tasks: Vec<TaskInfo<'a>>,
        commands: &'a RawValue,
        state: Text<'a>,
        title: Text<'a>,
        content: Text<'a>,
        level: Text<'a>,
        text: Text<'a>,
        hook_name: Text<'a>,
        outcome: Text<'a>,
    }
    /// A task in the list of all.
    TaskInfo<'a> {
        task_id: Text<'a>,
        task_type: Text<'a>,
        description: Text<'a>,
    }
    /// `task_updated`'s change.
    TaskPatch<'a> {
        status: Text<'a>,
    }
    /// `rate_limit_event`.
    RateLimitLine<'a> {
        rate_limit_info: &'a RawValue,
    }
    /// What it tells.
    RateLimitInfo<'a> {
        status: Text<'a>,
        #[serde(rename = "rateLimitType")]
        limit: Text<'a>,
        utilization: f64,
        #[serde(rename = "resetsAt")]
        resets_at: f64,
    }
    /// `tool_progress`, and the small talk.
    Talk<'a> {
        tool_name: Text<'a>,
        elapsed_time_seconds: f64,
        suggestion: Text<'a>,
        summary: Text<'a>,
        new_conversation_id: Text<'a>,
    }
    /// `result`.
    ResultLine<'a> {
        subtype: Text<'a>,
        is_error: bool,
        duration_ms: f64,
        num_turns: u32,
        stop_reason: Text<'a>,
        total_cost_usd: f64,
        usage: Tokens,
        #[serde(rename = "modelUsage")]
        model_usage: BTreeMap<Text<'a>, ModelUsage>,
        model_usage_since_last_result: BTreeMap<Text<'a>, ModelUsage>,
        result: Text<'a>,
        errors: Vec<Text<'a>>,
        terminal_reason: Text<'a>,
        api_error_status: u64,
        origin: Origin<'a>,
        user_message_uuid: Text<'a>,
        user_message_uuids: Vec<Text<'a>>,
        structured_output: &'a RawValue,
    }
    /// Who started a turn.
    Origin<'a> {
        kind: Text<'a>,
    }
    /// `control_request`.
    ControlRequest<'a> {
        request_id: Text<'a>,
        request: &'a RawValue,
    }
    /// `control_cancel_request`.
    ControlCancel<'a> {
        request_id: Text<'a>,
    }
    /// What is asked.
    Ask<'a> {
        subtype: Text<'a>,
        tool_name: Text<'a>,
        tool_use_id: Text<'a>,
        input: &'a RawValue,
        mcp_server: Mention<'a>,
        permission_suggestions: Vec<&'a RawValue>,
        suppress_always_allow_rule: bool,
        // Of an elicitation.
        message: Text<'a>,
        mcp_server_name: Text<'a>,
        mode: Text<'a>,
        requested_schema: &'a RawValue,
        url: Text<'a>,
        // Of a hook.
        callback_id: Text<'a>,
    }
    /// Something of which only the name matters.
    Mention<'a> {
        name: Text<'a>,
    }
    /// What a hook is told.
    HookInput<'a> {
        tool_name: Text<'a>,
    }
    /// A message for an MCP server of the host.
    McpAsk<'a> {
        server_name: Text<'a>,
        message: Rpc<'a>,
    }
    /// A message of JSON-RPC.
    Rpc<'a> {
        id: &'a RawValue,
        method: Text<'a>,
        params: RpcParams<'a>,
    }
    /// The parameters of all methods that are known.
    RpcParams<'a> {
        #[serde(rename = "protocolVersion")]
        protocol_version: Text<'a>,
        name: Text<'a>,
        arguments: &'a RawValue,
        #[serde(rename = "_meta")]
        meta: RpcMeta<'a>,
        #[serde(rename = "requestId")]
        request_id: &'a RawValue,
    }
    /// What stands beside them.
    RpcMeta<'a> {
        #[serde(rename = "claudecode/toolUseId")]
        tool_use_id: Text<'a>,
    }
    /// `control_response`.
    ControlResponse<'a> {
        response: ControlAnswer<'a>,
    }
    /// What is answered.
    ControlAnswer<'a> {
        subtype: Text<'a>,
        request_id: Text<'a>,
        error: Text<'a>,
        response: &'a RawValue,
    }
    /// The answer to `initialize`.
    Hello<'a> {
        claude_code_version: Text<'a>,
        models: &'a RawValue,
        commands: &'a RawValue,
    }
    /// The answer to `cancel_async_message`.
    Withdrawal<'a> {
        #[serde(rename = "message_uuid")]
        uuid: Text<'a>,
        cancelled: bool,
    }
    /// The answer to `mcp_set_servers`.
    ServersSet<'a> {
        errors: BTreeMap<Text<'a>, Text<'a>>,
    }
    /// The inputs of tools, as far as a title needs them.
    ToolInput<'a> {
        command: Text<'a>,
        file_path: Text<'a>,
        notebook_path: Text<'a>,
        path: Text<'a>,
        pattern: Text<'a>,
        url: Text<'a>,
        query: Text<'a>,
        description: Text<'a>,
        skill: Text<'a>,
        plan: Text<'a>,
        todos: Vec<Todo<'a>>,
        questions: Vec<Question<'a>>,
    }
    /// A step of `TodoWrite`.
    Todo<'a> {
        content: Text<'a>,
        status: Text<'a>,
    }
    /// A question of `AskUserQuestion`.
    Question<'a> {
        #[serde(rename = "question")]
        said: Text<'a>,
        header: Text<'a>,
        options: Vec<Choice<'a>>,
        #[serde(rename = "multiSelect")]
        several: bool,
    }
    /// What may be chosen.
    Choice<'a> {
        label: Text<'a>,
        description: Text<'a>,
    }
    /// What `Write` and `Edit` did.
    Edited<'a> {
        #[serde(rename = "type")]
        kind: Text<'a>,
        #[serde(rename = "filePath")]
        path: Text<'a>,
        content: Text<'a>,
        #[serde(rename = "structuredPatch")]
        patch: Vec<Hunk<'a>>,
    }
    /// A hunk of a change.
    Hunk<'a> {
        #[serde(rename = "oldStart")]
        old_start: u64,
        #[serde(rename = "oldLines")]
        old_lines: u64,
        #[serde(rename = "newStart")]
        new_start: u64,
        #[serde(rename = "newLines")]
        new_lines: u64,
        lines: Vec<Text<'a>>,
    }
}

/// Tokens, as the Messages API counts them.
#[expect(clippy::struct_field_names, reason = "they are the API's names")]
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Tokens {
    #[serde(deserialize_with = "lenient")]
    pub input_tokens: Option<u64>,
    #[serde(deserialize_with = "lenient")]
    pub output_tokens: Option<u64>,
    #[serde(deserialize_with = "lenient")]
    pub cache_read_input_tokens: Option<u64>,
    #[serde(deserialize_with = "lenient")]
    pub cache_creation_input_tokens: Option<u64>,
    #[serde(deserialize_with = "lenient")]
    pub output_tokens_details: Option<OutputDetails>,
}

/// The part of the output that was reasoning.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct OutputDetails {
    #[serde(deserialize_with = "lenient")]
    pub thinking_tokens: Option<u64>,
}

/// A model's part of the bill.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct ModelUsage {
    #[serde(rename = "costUSD", deserialize_with = "lenient")]
    pub cost_usd: Option<f64>,
    #[serde(deserialize_with = "lenient")]
    pub context_window: Option<u64>,
}

/// `compact_boundary`'s numbers.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct CompactMetadata {
    #[serde(deserialize_with = "lenient")]
    pub pre_tokens: Option<u64>,
    #[serde(deserialize_with = "lenient")]
    pub post_tokens: Option<u64>,
}
