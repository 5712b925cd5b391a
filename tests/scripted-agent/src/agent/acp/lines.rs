//! The objects of the Agent Client Protocol, version 1, as the real agents write them.

use serde_json::{Value, json};

use super::features::{Feature, Features};
use super::hub::Session;
use crate::voice::{Step, Tool};

/// Modes: id, name, what it means.
pub(super) const MODES: &[(&str, &str, &str)] = &[
    ("default", "Default", "Asks before it changes anything"),
    ("autoEdit", "Auto edit", "Changes files without asking"),
    ("yolo", "YOLO", "Does everything without asking"),
    ("plan", "Plan", "Changes nothing"),
];

pub(super) const MODELS: &[(&str, &str)] = &[("large", "Large"), ("small", "Small")];

pub(super) const THINKING: &[(&str, &str)] =
    &[("low", "Low"), ("medium", "Medium"), ("high", "High")];

pub(super) fn update(session: &str, update: &Value) -> Value {
    json!({"jsonrpc": "2.0", "method": "session/update",
        "params": {"sessionId": session, "update": update}})
}

fn text(text: &str) -> Value {
    json!({"type": "text", "text": text})
}

/// A piece of what is said or thought; `kind` is the update's tag.
pub(super) fn chunk(kind: &str, message: Option<&str>, said: &str) -> Value {
    let mut update = json!({"sessionUpdate": kind, "content": text(said)});
    if let Some(message) = message {
        update["messageId"] = json!(message);
    }
    update
}

/// The answer to `initialize`.
pub(super) fn initialized(features: &Features) -> Value {
    let mut session = json!({});
    for (feature, name) in [
        (Feature::NoList, "list"),
        (Feature::NoResume, "resume"),
        (Feature::NoClose, "close"),
        (Feature::NoFork, "fork"),
    ] {
        if features.lacks(feature) {
            session[name] = json!({});
        }
    }
    let mut result = json!({
        "protocolVersion": if features.has(Feature::VersionTwo) { 2 } else { 1 },
        "agentInfo": {"name": "scripted-agent", "title": "Scripted agent", "version": super::version()},
        "agentCapabilities": {
            "loadSession": features.lacks(Feature::NoLoad),
            "promptCapabilities": {"image": features.lacks(Feature::NoImages), "audio": false, "embeddedContext": true},
            "mcpCapabilities": {"http": features.lacks(Feature::NoHttp), "sse": features.lacks(Feature::NoSse)},
            "sessionCapabilities": session,
        },
        "authMethods": auth_methods(features),
    });
    if features.has(Feature::Steering) {
        result["_meta"] = json!({"steering": {"supported": true}});
    }
    result
}

pub(super) fn auth_methods(features: &Features) -> Value {
    if features.has(Feature::NeedsLogin) {
        return json!([{"id": "login", "type": "terminal", "name": "Log in",
            "description": "Open the login in a terminal.", "args": ["--login"], "env": {}}]);
    }
    json!([{"id": "api-key", "name": "API key", "description": "Takes the key of the environment"}])
}

/// What the answer to an opened session says beside its id.
pub(super) fn opened(features: &Features, session: &Session, booleans: bool) -> Value {
    let mut result = json!({});
    if features.lacks(Feature::NoModes) {
        let modes = MODES
            .iter()
            .map(|(id, name, meaning)| json!({"id": id, "name": name, "description": meaning}));
        result["modes"] =
            json!({"availableModes": modes.collect::<Vec<_>>(), "currentModeId": session.mode});
    }
    if features.has(Feature::Models) {
        let models = MODELS
            .iter()
            .map(|(id, name)| json!({"modelId": id, "name": name}));
        result["models"] =
            json!({"availableModels": models.collect::<Vec<_>>(), "currentModelId": session.model});
    }
    if features.lacks(Feature::NoConfig) {
        result["configOptions"] = options(session, booleans);
    }
    result
}

/// The configuration options, whole.
pub(super) fn options(session: &Session, booleans: bool) -> Value {
    let select = |id: &str, name: &str, category: &str, current: &str, values: Vec<Value>| {
        json!({"id": id, "name": name, "category": category, "type": "select",
            "currentValue": current, "options": values})
    };
    let pairs = |pairs: &[(&str, &str)]| {
        let values = pairs
            .iter()
            .map(|(value, name)| json!({"value": value, "name": name}));
        values.collect::<Vec<_>>()
    };
    let modes = MODES.iter().map(
        |(value, name, meaning)| json!({"value": value, "name": name, "description": meaning}),
    );
    let mut all = vec![
        select("model", "Model", "model", &session.model, pairs(MODELS)),
        select(
            "thinking",
            "Thinking",
            "thought_level",
            &session.thinking,
            pairs(THINKING),
        ),
        select("mode", "Mode", "mode", &session.mode, modes.collect()),
    ];
    if booleans {
        all.push(
            json!({"id": "fast", "name": "Fast", "category": "model_config",
            "type": "boolean", "currentValue": session.fast}),
        );
    }
    json!(all)
}

pub(super) fn commands() -> Value {
    json!({"sessionUpdate": "available_commands_update", "availableCommands": [
        {"name": "compact", "description": "Make the context smaller.", "input": {"hint": "<what to keep>"}},
        {"name": "review", "description": "Look at changes."},
    ]})
}

pub(super) fn plan(steps: &[Step]) -> Value {
    let entries: Vec<Value> = steps
        .iter()
        .map(|step| json!({"content": step.text, "priority": "medium", "status": step.state}))
        .collect();
    json!({"sessionUpdate": "plan", "entries": entries})
}

fn kind(tool: &Tool) -> &'static str {
    match tool.name.as_str() {
        "Bash" | "shell" => "execute",
        "Write" | "Edit" => "edit",
        "Read" => "read",
        "Grep" | "Glob" => "search",
        "WebFetch" => "fetch",
        _ => "other",
    }
}

/// Whether a tool changes a file.
pub(super) fn is_edit(tool: &Tool) -> bool {
    kind(tool) == "edit"
}

/// The file that a tool is about, if it is about one.
fn path(tool: &Tool, cwd: &str) -> Option<String> {
    let members = tool.members();
    let named = members["file_path"].as_str().or(members["path"].as_str());
    let named = named.or_else(|| (kind(tool) == "read").then_some(tool.input.as_str()))?;
    let absolute = named.starts_with('/');
    Some(if absolute {
        named.to_owned()
    } else {
        format!("{cwd}/{named}")
    })
}

/// What a tool changes, as a list with one diff; empty for other tools.
fn change(tool: &Tool, cwd: &str) -> Vec<Value> {
    let path = path(tool, cwd).filter(|_| is_edit(tool));
    let diff = path.map(|path| {
        let content = tool.members()["content"].clone();
        json!({"type": "diff", "path": path, "oldText": null,
            "newText": content.as_str().unwrap_or("x\n")})
    });
    diff.into_iter().collect()
}

/// What all updates of a tool share, and its permission request.
pub(super) fn tool(tool: &Tool, cwd: &str, status: &str) -> Value {
    let locations: Vec<Value> = path(tool, cwd)
        .map(|path| json!({"path": path}))
        .into_iter()
        .collect();
    json!({
        "toolCallId": tool.id, "title": if kind(tool) == "execute" { &tool.input } else { &tool.name },
        "name": tool.name, "kind": kind(tool), "status": status, "content": change(tool, cwd),
        "locations": locations, "rawInput": tool.members(),
    })
}

/// The last update of a tool.
pub(super) fn tool_over(tool: &Tool, cwd: &str, status: &str, output: &str) -> Value {
    let mut content = change(tool, cwd);
    if content.is_empty() || status == "failed" {
        content = vec![json!({"type": "content", "content": text(output)})];
    }
    let raw = if kind(tool) == "execute" && status == "completed" {
        json!({"output": output, "metadata": {"exit": 0, "truncated": false}})
    } else {
        json!({"output": output})
    };
    json!({"sessionUpdate": "tool_call_update", "toolCallId": tool.id, "status": status,
        "content": content, "rawOutput": raw})
}

/// What may be answered to a question: id, name, kind.
pub(super) fn permission_options() -> Value {
    json!([
        {"optionId": "allow-once", "name": "Allow", "kind": "allow_once"},
        {"optionId": "allow-always", "name": "Always allow", "kind": "allow_always"},
        {"optionId": "reject-once", "name": "Reject", "kind": "reject_once"},
    ])
}

pub(super) fn usage(used: u64) -> Value {
    json!({"sessionUpdate": "usage_update", "used": used, "size": 200_000})
}

/// The text of a prompt.
pub(super) fn text_of(prompt: &Value) -> String {
    let texts: Vec<&str> = prompt
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|block| {
            block["text"]
                .as_str()
                .or(block["resource"]["text"].as_str())
        })
        .collect();
    texts.join("\n")
}

/// Messages of kinds that nobody knows, where it can be about a known session.
pub(crate) fn unknown(session: &str) -> [Value; 4] {
    [
        json!({"jsonrpc": "2.0", "method": "session/from_the_future", "params": {"sessionId": session}}),
        update(
            session,
            &json!({"sessionUpdate": "from_the_future", "payload": {"a": [1, 2, null]}}),
        ),
        update(
            session,
            &json!({"sessionUpdate": "agent_message_chunk", "content": {"type": "from_the_future"}}),
        ),
        json!({"jsonrpc": "2.0", "no_method": true}),
    ]
}

/// Messages whose members have wrong types, where it can be about a known session.
pub(crate) fn wrong(session: &str) -> [Value; 5] {
    [
        json!({"jsonrpc": "2.0", "method": 5, "params": []}),
        update(
            session,
            &json!({"sessionUpdate": "agent_message_chunk", "content": "not an object"}),
        ),
        update(
            session,
            &json!({"sessionUpdate": "tool_call", "toolCallId": 7, "content": {}, "locations": "x"}),
        ),
        json!({"jsonrpc": "2.0", "method": "session/update", "params": "not an object"}),
        json!(["not", "an", "object"]),
    ]
}
