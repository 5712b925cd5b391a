//! Reads the body of a Messages request.
//!
//! Lenient: what is missing or unknown is left out.

use serde_json::Value;

use crate::conversation::{Conversation, OfferedTool, Role, ToolInput};

pub(crate) fn conversation(body: &Value) -> Conversation {
    let mut made = Conversation {
        model: body["model"].as_str().unwrap_or_default().to_owned(),
        stream: body["stream"].as_bool().unwrap_or(false),
        id: body["metadata"]["user_id"]
            .as_str()
            .unwrap_or_default()
            .to_owned(),
        effort: body["output_config"]["effort"].as_str().map(str::to_owned),
        thinking_budget: body["thinking"]["budget_tokens"].as_u64(),
        output_schema: body["output_config"]["format"]["type"] == "json_schema",
        ..Conversation::default()
    };
    for tool in body["tools"].as_array().into_iter().flatten() {
        if let Some(name) = tool["name"].as_str() {
            made.tools.push(OfferedTool {
                name: name.to_owned(),
                input: ToolInput::Json,
                namespace: None,
            });
        }
    }
    for message in body["messages"].as_array().into_iter().flatten() {
        let role = message["role"].as_str().unwrap_or_default();
        let content = &message["content"];
        if let Some(text) = content.as_str() {
            say_text(&mut made, role, text);
        }
        for block in content.as_array().into_iter().flatten() {
            say_block(&mut made, role, block);
        }
    }
    made
}

fn say_text(made: &mut Conversation, role: &str, text: &str) {
    let role = match role {
        "assistant" => Role::Model,
        "user" => Role::of_user_text(text),
        _ => Role::of_context_text(text),
    };
    made.say(role, text);
}

fn say_block(made: &mut Conversation, role: &str, block: &Value) {
    match block["type"].as_str().unwrap_or_default() {
        "text" => say_text(made, role, block["text"].as_str().unwrap_or_default()),
        "tool_result" => made.say(Role::Result, result_text(&block["content"])),
        "tool_use" => {
            let name = block["name"].as_str().unwrap_or_default();
            made.say(Role::Model, format!("{name} {}", block["input"]));
        }
        "image" => made.images += 1,
        "document" => {
            made.documents += 1;
            if let Some(text) = block["source"]["data"]
                .as_str()
                .filter(|_| block["source"]["type"] == "text")
            {
                made.say(Role::Context, text);
            }
        }
        "thinking" => made.say(Role::Model, block["thinking"].as_str().unwrap_or_default()),
        _ if role == "assistant" => made.say(Role::Model, ""),
        _ => {}
    }
}

fn result_text(content: &Value) -> String {
    if let Some(text) = content.as_str() {
        return text.to_owned();
    }
    let texts: Vec<&str> = content
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|block| block["text"].as_str())
        .collect();
    texts.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn attachments_effort_and_budget_are_seen() {
        let body = json!({
            "output_config": {"effort": "high"},
            "thinking": {"type": "enabled", "budget_tokens": 2000},
            "messages": [{"role": "user", "content": [
                {"type": "text", "text": "look"},
                {"type": "image", "source": {}},
                {"type": "document", "source": {}}]}],
        });
        let made = conversation(&body);
        assert_eq!((made.images, made.documents, made.prompts()), (1, 1, 1));
        assert_eq!(made.effort.as_deref(), Some("high"));
        assert_eq!(made.thinking_budget, Some(2000));
    }

    #[test]
    fn tool_results_and_reminders_are_no_prompts() {
        let body = json!({"model": "m", "stream": true, "messages": [
            {"role": "user", "content": [
                {"type": "text", "text": "<system-reminder>x</system-reminder>"},
                {"type": "text", "text": "do it"}]},
            {"role": "system", "content": "environment"},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "hm", "signature": "s"},
                {"type": "tool_use", "id": "t", "name": "Bash", "input": {"command": "ls"}}]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "t", "content": [
                    {"type": "text", "text": "a.txt"}]}]},
        ]});
        let made = conversation(&body);
        assert_eq!(
            (made.prompt(), made.prompts(), made.call()),
            ("do it", 1, 1)
        );
    }
}
