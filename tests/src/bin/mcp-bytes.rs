//! An MCP server over stdio. Its tools: `make` gives as many bytes as it is asked for, `erase` is said to
//! destroy something, `ask` asks the user for a colour, `visit` sends the user to a page; these two give
//! the answer.

use std::io::{BufRead, Lines, StdinLock, Write};

use serde_json::{Value, json};

fn main() -> std::io::Result<()> {
    let mut lines = std::io::stdin().lock().lines();
    while let Some(line) = lines.next() {
        let Ok(message) = serde_json::from_str::<Value>(&line?) else {
            continue;
        };
        // What has no id wants no answer, and what has no method is one.
        let (Some(id), Some(method)) = (message.get("id"), message["method"].as_str()) else {
            continue;
        };
        let asks = match method {
            "tools/call" => asks(&message["params"]["name"]),
            _ => None,
        };
        let result = match asks {
            Some(params) => Some(ask(&params, &mut lines)?),
            None => answer(method, &message["params"]),
        };
        write(&match result {
            Some(result) => json!({"jsonrpc": "2.0", "id": id, "result": result}),
            None => json!({"jsonrpc": "2.0", "id": id,
                "error": {"code": -32601, "message": "no such method"}}),
        })?;
    }
    Ok(())
}

fn write(message: &Value) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{message}")?;
    out.flush()
}

/// What a tool asks the user, if it asks.
fn asks(tool: &Value) -> Option<Value> {
    match tool.as_str()? {
        "ask" => Some(json!({
            "message": "Pick a colour",
            "requestedSchema": {
                "type": "object",
                "properties": {"colour": {"type": "string", "enum": ["red", "blue"]}},
                "required": ["colour"],
            },
        })),
        "visit" => Some(json!({
            "mode": "url",
            "message": "Log in there",
            "url": "https://example.com/login",
            "elicitationId": "login",
        })),
        _ => None,
    }
}

/// Asks the user, and waits for the answer.
fn ask(params: &Value, lines: &mut Lines<StdinLock<'_>>) -> std::io::Result<Value> {
    write(
        &json!({"jsonrpc": "2.0", "id": "ask", "method": "elicitation/create",
        "params": params}),
    )?;
    for line in lines {
        let message: Value = serde_json::from_str(&line?).unwrap_or_default();
        if message["id"] == "ask" {
            let said = message.get("result").unwrap_or(&message["error"]);
            return Ok(text(&said.to_string()));
        }
    }
    Ok(text("nobody answered"))
}

fn text(text: &str) -> Value {
    json!({"content": [{"type": "text", "text": text}]})
}

fn answer(method: &str, params: &Value) -> Option<Value> {
    match method {
        "initialize" => Some(json!({
            "protocolVersion": params["protocolVersion"],
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "bytes", "version": "1"},
        })),
        "ping" => Some(json!({})),
        "tools/list" => Some(json!({"tools": [
            {
                "name": "make",
                "description": "Gives so many bytes.",
                "annotations": {"readOnlyHint": true},
                "inputSchema": {
                    "type": "object",
                    "properties": {"bytes": {"type": "integer"}},
                    "required": ["bytes"],
                },
            },
            {
                "name": "ask",
                "description": "Asks the user for a colour.",
                "annotations": {"readOnlyHint": true},
                "inputSchema": {"type": "object", "properties": {}},
            },
            {
                "name": "visit",
                "description": "Sends the user to a page.",
                "annotations": {"readOnlyHint": true},
                "inputSchema": {"type": "object", "properties": {}},
            },
            {
                "name": "erase",
                "description": "Erases everything.",
                "annotations": {"destructiveHint": true},
                "inputSchema": {"type": "object", "properties": {}},
            },
        ]})),
        "tools/call" if params["name"] == "erase" => Some(text("all erased")),
        "tools/call" => {
            let bytes = params["arguments"]["bytes"].as_u64()?;
            Some(text(&"x".repeat(usize::try_from(bytes).ok()?)))
        }
        _ => None,
    }
}
