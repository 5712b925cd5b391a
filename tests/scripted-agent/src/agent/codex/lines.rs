//! The objects of Codex, as version 0.169.0 writes them.

use serde_json::{Value, json};

use crate::ids;
use crate::voice::Tool;

pub(crate) fn seconds() -> u64 {
    ids::now_ms() / 1000
}

/// What a thread was started with.
#[derive(Debug, Clone)]
pub(crate) struct Setup {
    pub(crate) cwd: String,
    pub(crate) model: String,
    pub(crate) approval: Value,
    pub(crate) sandbox: Value,
    pub(crate) ephemeral: bool,
    pub(crate) forked_from: Option<String>,
}

impl Setup {
    /// Reads the parameters of `thread/start` and its like over earlier values.
    pub(crate) fn read(params: &Value, before: Option<&Self>) -> Self {
        let cwd = std::env::current_dir().unwrap_or_default();
        let text = |name: &str| params[name].as_str().map(str::to_owned);
        let sandbox = match params["sandbox"].as_str() {
            Some("workspace-write") => json!({
                "type": "workspaceWrite", "writableRoots": [], "networkAccess": false,
                "excludeTmpdirEnvVar": false, "excludeSlashTmp": false,
            }),
            Some("danger-full-access") => json!({"type": "dangerFullAccess"}),
            _ => before.map_or_else(
                || json!({"type": "readOnly", "networkAccess": false}),
                |setup| setup.sandbox.clone(),
            ),
        };
        let approval = if params["approvalPolicy"].is_null() {
            before.map_or_else(|| json!("on-request"), |setup| setup.approval.clone())
        } else {
            params["approvalPolicy"].clone()
        };
        Self {
            cwd: text("cwd")
                .or_else(|| before.map(|setup| setup.cwd.clone()))
                .unwrap_or_else(|| cwd.to_string_lossy().into_owned()),
            model: text("model")
                .or_else(|| before.map(|setup| setup.model.clone()))
                .unwrap_or_else(|| "gpt-6.1-sol".to_owned()),
            approval,
            sandbox,
            ephemeral: params["ephemeral"] == json!(true),
            forked_from: before.and_then(|setup| setup.forked_from.clone()),
        }
    }
}

/// What is said about a thread beside its setup.
#[derive(Debug, Clone)]
pub(crate) struct Facts<'a> {
    pub(crate) id: &'a str,
    pub(crate) originator: &'a str,
    pub(crate) preview: &'a str,
    pub(crate) created: u64,
    pub(crate) status: Value,
    pub(crate) turns: Value,
}

pub(crate) fn thread(setup: &Setup, facts: &Facts<'_>) -> Value {
    let Facts {
        id,
        originator,
        preview,
        created,
        status,
        turns,
    } = facts;
    let path = (!setup.ephemeral).then(|| format!("/home/user/.codex/sessions/rollout-{id}.jsonl"));
    json!({
        "id": id, "environments": [{"environmentId": "local", "cwd": setup.cwd, "runtimeWorkspaceRoots": [setup.cwd]}],
        "extra": null, "sessionId": id, "forkedFromId": setup.forked_from, "attachedToThreadId": null,
        "parentThreadId": null, "preview": preview, "ephemeral": setup.ephemeral, "section": null,
        "sectionEnteredAt": null, "projectId": null, "historyMode": "paginated", "modelProvider": "scripted",
        "model": setup.model, "reasoningEffort": null, "createdAt": created, "updatedAt": seconds(),
        "recencyAt": created, "status": status, "path": path, "cwd": setup.cwd, "cliVersion": super::version(),
        "originator": originator, "source": "vscode", "canAcceptDirectInput": true, "threadSource": null,
        "agentNickname": null, "agentRole": null, "gitInfo": null, "name": null, "daybreakEnabled": null,
        "turns": turns,
    })
}

/// The response of `thread/start` and its like.
pub(crate) fn opened(setup: &Setup, thread: &Value) -> Value {
    json!({
        "thread": thread, "model": setup.model, "modelProvider": "scripted", "serviceTier": null,
        "disabledPluginIds": [], "cwd": setup.cwd, "runtimeWorkspaceRoots": [setup.cwd],
        "instructionSources": [], "approvalPolicy": setup.approval, "approvalsReviewer": "user",
        "sandbox": setup.sandbox, "activePermissionProfile": null, "reasoningEffort": null,
        "multiAgentMode": "explicitRequestOnly",
    })
}

pub(crate) fn turn(
    id: &str,
    status: &str,
    items: &Value,
    times: (Option<u64>, Option<u64>),
    error: &Value,
) -> Value {
    let (started, completed) = times;
    let summary = items.as_array().is_some_and(|items| !items.is_empty());
    let duration = started
        .zip(completed)
        .map(|(start, end)| end.saturating_sub(start));
    json!({
        "id": id, "rootTurnId": id, "items": items, "itemsView": if summary { "summary" } else { "notLoaded" },
        "status": status, "error": error, "startedAt": started.map(|ms| ms / 1000),
        "completedAt": completed.map(|ms| ms / 1000), "durationMs": duration,
    })
}

pub(crate) fn user_message(id: &str, client: &Value, input: &Value, at: u64, done: bool) -> Value {
    let mut content = input.clone();
    for element in content.as_array_mut().into_iter().flatten() {
        if element["type"] == json!("text") {
            element["text_elements"] = json!([]);
        }
    }
    json!({
        "type": "userMessage", "id": id, "clientId": client, "content": content,
        "startedAtMs": at, "completedAtMs": done.then_some(at),
    })
}

pub(crate) fn agent_message(id: &str, text: &str, started: u64, completed: Option<u64>) -> Value {
    json!({
        "type": "agentMessage", "moderation": null, "id": id, "text": text, "phase": null,
        "memoryCitation": null, "delivery": null, "questions": null, "startedAtMs": started,
        "completedAtMs": completed,
    })
}

pub(crate) fn reasoning(id: &str, text: &str, at: u64, done: bool) -> Value {
    let summary = if done { json!([text]) } else { json!([]) };
    json!({
        "type": "reasoning", "id": id, "summary": summary, "content": [],
        "startedAtMs": at, "completedAtMs": done.then_some(at),
    })
}

/// Whether a tool shows as a file change.
pub(crate) fn is_patch(tool: &Tool) -> bool {
    matches!(tool.name.as_str(), "Write" | "Edit" | "apply_patch")
}

pub(crate) fn command_line(tool: &Tool) -> String {
    format!("/bin/bash -lc '{}'", tool.input)
}

pub(crate) fn tool(tool: &Tool, cwd: &str, status: &str, started: u64) -> Value {
    let over = status != "inProgress";
    let completed = over.then(ids::now_ms);
    if is_patch(tool) {
        return json!({
            "type": "fileChange", "id": tool.id,
            "changes": [{"path": format!("{cwd}/{}", tool.input), "kind": {"type": "add"}, "diff": "x\n"}],
            "status": status, "startedAtMs": started, "completedAtMs": completed,
        });
    }
    let ran = status == "completed";
    json!({
        "type": "commandExecution", "id": tool.id, "pluginId": null, "scriptPath": null,
        "command": command_line(tool), "cwd": cwd, "processId": ran.then_some("4711"),
        "source": if over { "unifiedExecStartup" } else { "agent" }, "status": status,
        "commandActions": [{"type": "unknown", "command": tool.input}],
        "aggregatedOutput": ran.then(|| tool.output()), "exitCode": ran.then_some(0),
        "durationMs": ran.then_some(tool.ms), "startedAtMs": started, "completedAtMs": completed,
    })
}

pub(crate) fn tokens(calls: u64) -> Value {
    json!({
        "totalTokens": 1050 * calls, "inputTokens": 1000 * calls, "cachedInputTokens": 100 * calls,
        "cacheWriteInputTokens": 0, "outputTokens": 50 * calls, "reasoningOutputTokens": 7 * calls,
    })
}

pub(crate) fn rate_limits() -> Value {
    json!({"rateLimits": {
        "limitId": "codex", "limitName": null, "normalModelSlug": null, "primary": null, "secondary": null,
        "credits": null, "individualLimit": null, "spendControlReached": null, "planType": null,
        "rateLimitReachedType": null,
    }})
}

/// The one model that there is to choose.
pub(crate) fn model() -> Value {
    json!({
        "id": "gpt-6.1-sol", "model": "gpt-6.1-sol", "displayName": "gpt-6.1-sol",
        "description": "The scripted one.", "hidden": false, "isDefault": true,
    })
}

/// The one skill of a folder.
pub(crate) fn skills(params: &Value) -> Value {
    let skill = json!({"name": "review", "description": "Looks at changes.", "enabled": true});
    json!({"cwd": params["cwds"][0], "skills": [skill], "errors": []})
}

/// The text of an `input` array.
pub(crate) fn text_of(input: &Value) -> String {
    let texts: Vec<&str> = input
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|element| element["text"].as_str())
        .collect();
    texts.join("\n")
}
