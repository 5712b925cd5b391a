//! The lines of Claude Code, as version 2.1.327 writes them.

use serde_json::{Value, json};

use crate::ids;

/// What every line of a conversation is written with.
#[derive(Debug, Clone)]
pub(crate) struct Header {
    pub(crate) session: String,
    /// The uuids of the user lines that the running turn answers.
    pub(crate) users: Vec<String>,
    pub(crate) model: String,
    pub(crate) mode: String,
}

/// Numbers of a turn and of the process.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tally {
    pub(crate) results: u64,
    pub(crate) calls: u64,
    pub(crate) turn_calls: u64,
    pub(crate) duration_ms: u64,
    pub(crate) denials: Vec<Value>,
}

const CAPABILITIES: &[&str] = &[
    "interrupt_receipt_v1",
    "interrupt_cancel_queued_v1",
    "interrupt_send_now_v1",
    "msg_lifecycle_v1",
    "request_marker_lists_v1",
];

fn directory() -> String {
    std::env::current_dir()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

fn with_users(mut line: Value, users: &[String], also_last: bool) -> Value {
    if let (Some(members), Some(last)) = (line.as_object_mut(), users.last()) {
        if also_last {
            members.insert("user_message_uuid".to_owned(), json!(last));
        }
        members.insert("user_message_uuids".to_owned(), json!(users));
    }
    line
}

pub(crate) fn init(header: &Header) -> Value {
    let cwd = directory();
    let line = json!({
        "type": "system", "subtype": "init", "cwd": cwd, "session_id": header.session,
        "tools": ["Task", "Bash", "Edit", "Read", "WebFetch", "Write"], "mcp_servers": [],
        "model": header.model, "permissionMode": header.mode,
        "slash_commands": ["clear", "compact", "context"], "terminal_slash_commands": ["doctor"],
        "apiKeySource": "ANTHROPIC_API_KEY", "claude_code_version": super::version(),
        "output_style": "default", "agents": ["claude", "general-purpose"], "skills": [], "plugins": [],
        "capabilities": CAPABILITIES, "analytics_disabled": true, "product_feedback_disabled": true,
        "uuid": ids::v4(), "memory_paths": {"auto": "/home/user/.claude/projects/-project/memory/"},
        "original_cwd": cwd, "additional_directories": [], "messaging_socket_path": "/nowhere/agent.sock",
        "fast_mode_state": "off", "fast_mode_disabled_reason": "sdk_opt_in_required",
        "per_turn_effort_active": true, "ultrathink_available": false, "ultrathink_typed_raises": false,
        "view_mode": "default",
    });
    with_users(line, &header.users, false)
}

pub(crate) fn status(header: &Header) -> Value {
    let line = json!({
        "type": "system", "subtype": "status", "status": "requesting",
        "session_id": header.session, "uuid": ids::v4(),
    });
    with_users(line, &header.users, false)
}

pub(crate) fn mode_status(header: &Header) -> Value {
    json!({
        "type": "system", "subtype": "status", "status": null, "permissionMode": header.mode,
        "session_id": header.session, "uuid": ids::v4(),
    })
}

pub(crate) fn lifecycle(session: &str, command: &str, state: &str) -> Value {
    json!({
        "type": "command_lifecycle", "command_uuid": command, "state": state,
        "uuid": ids::v4(), "session_id": session,
    })
}

pub(crate) fn echo(session: &str, content: &Value, uuid: &str) -> Value {
    json!({
        "type": "user", "message": {"role": "user", "content": content}, "session_id": session,
        "parent_tool_use_id": null, "uuid": uuid, "timestamp": ids::timestamp(), "isReplay": true,
    })
}

pub(crate) fn message(header: &Header, id: &str, content: &Value) -> Value {
    json!({
        "id": id, "type": "message", "role": "assistant", "model": header.model, "content": content,
        "stop_reason": null, "stop_sequence": null,
        "usage": {
            "input_tokens": 100, "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0, "output_tokens": 1,
        },
    })
}

pub(crate) fn assistant(header: &Header, id: &str, block: &Value) -> Value {
    let mut message = message(header, id, &json!([block]));
    message["context_management"] = Value::Null;
    let line = json!({
        "type": "assistant", "message": message, "parent_tool_use_id": null, "session_id": header.session,
        "uuid": ids::v4(), "timestamp": ids::timestamp(), "request_id": ids::tagged("req"),
    });
    with_users(line, &header.users, true)
}

/// A text of the program itself: errors and the like.
pub(crate) fn synthetic(header: &Header, text: &str) -> Value {
    let mut line = assistant(header, &ids::v4(), &json!({"type": "text", "text": text}));
    line["message"]["model"] = json!("<synthetic>");
    line["message"]["stop_reason"] = json!("stop_sequence");
    line
}

pub(crate) fn stream_event(header: &Header, message: &str, event: &Value) -> Value {
    json!({
        "type": "stream_event", "event": event, "session_id": header.session,
        "parent_tool_use_id": null, "uuid": ids::v4(), "api_message_id": message,
    })
}

pub(crate) fn message_start(header: &Header, id: &str) -> Value {
    let mut line = stream_event(
        header,
        id,
        &json!({"type": "message_start", "message": message(header, id, &json!([]))}),
    );
    line["ttft_ms"] = json!(5);
    line["thinking_display"] = json!("updates");
    line["owed_rows"] = json!([]);
    with_users(line, &header.users, true)
}

pub(crate) fn text_delta(text: &str) -> Value {
    json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}})
}

/// A line that the program puts into the user's mouth.
pub(crate) fn injected(header: &Header, text: &str) -> Value {
    json!({
        "type": "user", "message": {"role": "user", "content": [{"type": "text", "text": text}]},
        "parent_tool_use_id": null, "session_id": header.session, "uuid": ids::v4(),
        "timestamp": ids::timestamp(),
    })
}

pub(crate) fn tool_result(header: &Header, tool: &str, content: &str, refused: bool) -> Value {
    let (structured, meta) = if refused {
        (
            json!("User rejected tool use"),
            json!({"id": tool, "non_execution_kind": "user-rejected"}),
        )
    } else {
        (
            json!({"stdout": content, "stderr": "", "interrupted": false, "isImage": false, "noOutputExpected": false}),
            json!({"id": tool, "permission_decision": {"decision": "accept", "source": "user_temporary"}}),
        )
    };
    json!({
        "type": "user",
        "message": {"role": "user", "content": [
            {"tool_use_id": tool, "type": "tool_result", "content": content, "is_error": refused},
        ]},
        "parent_tool_use_id": null, "session_id": header.session, "uuid": ids::v4(),
        "timestamp": ids::timestamp(), "tool_use_result": structured, "tool_result_meta": [meta],
    })
}

fn usage(calls: u64) -> Value {
    json!({
        "input_tokens": 100 * calls, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0,
        "output_tokens": 20 * calls, "output_tokens_details": {"thinking_tokens": 0},
        "server_tool_use": {"web_search_requests": 0, "web_fetch_requests": 0}, "service_tier": "standard",
        "cache_creation": {"ephemeral_1h_input_tokens": 0, "ephemeral_5m_input_tokens": 0},
        "inference_geo": "", "iterations": [], "speed": "standard", "fallback_credit": null,
    })
}

/// The part of a result that every kind of it has.
pub(crate) fn result(header: &Header, tally: &Tally, subtype: &str, terminal: &str) -> Value {
    let cost = 0.0008 * f64::from(u32::try_from(tally.calls).unwrap_or(u32::MAX));
    let line = json!({
        "duration_api_ms": tally.duration_ms, "stop_reason": "end_turn", "session_id": header.session,
        "total_cost_usd": cost, "usage": usage(tally.turn_calls),
        "modelUsage": { &header.model: {
            "inputTokens": 100 * tally.calls, "outputTokens": 20 * tally.calls, "cacheReadInputTokens": 0,
            "cacheCreationInputTokens": 0, "webSearchRequests": 0, "costUSD": cost,
            "contextWindow": 1_000_000, "maxOutputTokens": 128_000,
        }},
        "permission_denials": tally.denials, "terminal_reason": terminal, "fast_mode_state": "off",
        "fast_mode_disabled_reason": "sdk_opt_in_required", "safety_stops": 0, "is_error": false,
        "num_turns": tally.turn_calls.max(1), "subtype": subtype, "type": "result",
        "duration_ms": tally.duration_ms, "uuid": ids::v4(), "queued_turn_count": 0,
        "result_index": tally.results,
    });
    with_users(line, &header.users, true)
}

pub(crate) fn resume_failed(session: &str, why: &str) -> Value {
    json!({
        "type": "result", "subtype": "error_during_execution", "duration_ms": 0, "duration_api_ms": 0,
        "is_error": true, "num_turns": 0, "stop_reason": null, "session_id": session, "total_cost_usd": 0,
        "usage": usage(0), "modelUsage": {}, "permission_denials": [], "uuid": ids::v4(),
        "errors": [why], "result_index": 0,
    })
}

/// The answer to `initialize`, without its envelope.
pub(crate) fn initialized(header: &Header, busy: bool) -> Value {
    json!({
        "commands": [{"name": "compact", "description": "Compact the conversation", "argumentHint": ""}],
        "agents": [{"name": "claude", "description": "General agent"}],
        "output_style": "default", "available_output_styles": ["default"], "user_output_styles_dir": "/home/user/.claude/output-styles",
        "models": [{
            "value": "default", "resolvedModel": header.model, "displayName": "Default", "description": "Default model",
            "supportsEffort": true, "supportedEffortLevels": ["low", "medium", "high"], "supportsAdaptiveThinking": true,
        }],
        "account": {"tokenSource": "none", "apiKeySource": "ANTHROPIC_API_KEY", "apiProvider": "firstParty"},
        "pid": std::process::id(), "claude_code_version": super::version(),
        "current_permission_mode": header.mode, "hook_on_failure_supported": true, "hooks_when_unanswered_kept": 0,
        "other_hook_ask_outranks_host": true, "feedback_mode": {"kind": "disabled"}, "analytics_disabled": true,
        "remote_control_auto_enable": false, "remote_control_auto_connect_default": false,
        "remote_control_available": false, "remote_control_auto_on_by_default": false,
        "ide_rc_auto_enable_gate": false, "fast_mode_state": "off",
        "fast_mode_disabled_reason": "sdk_opt_in_required",
        "session_state": if busy { "running" } else { "idle" }, "capabilities": ["ui_surface_v1"],
    })
}
