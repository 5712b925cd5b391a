//! An MCP server over stdio with one tool, `make`, which gives as many bytes as it is asked for.

use std::io::{BufRead, Write};

use serde_json::{Value, json};

fn main() -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let Ok(message) = serde_json::from_str::<Value>(&line?) else {
            continue;
        };
        // What has no id wants no answer.
        let Some(id) = message.get("id") else {
            continue;
        };
        let answer = match answer(&message) {
            Some(result) => json!({"jsonrpc": "2.0", "id": id, "result": result}),
            None => json!({"jsonrpc": "2.0", "id": id,
                "error": {"code": -32601, "message": "no such method"}}),
        };
        writeln!(out, "{answer}")?;
        out.flush()?;
    }
    Ok(())
}

fn answer(message: &Value) -> Option<Value> {
    match message["method"].as_str()? {
        "initialize" => Some(json!({
            "protocolVersion": message["params"]["protocolVersion"],
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "bytes", "version": "1"},
        })),
        "ping" => Some(json!({})),
        "tools/list" => Some(json!({"tools": [{
            "name": "make",
            "description": "Gives so many bytes.",
            "annotations": {"readOnlyHint": true},
            "inputSchema": {
                "type": "object",
                "properties": {"bytes": {"type": "integer"}},
                "required": ["bytes"],
            },
        }]})),
        "tools/call" => {
            let bytes = message["params"]["arguments"]["bytes"].as_u64()?;
            let text = "x".repeat(usize::try_from(bytes).ok()?);
            Some(json!({"content": [{"type": "text", "text": text}]}))
        }
        _ => None,
    }
}
