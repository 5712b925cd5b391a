//! Reads the body of a Gemini request. The model and the stream are in the path.
//!
//! Lenient: what is missing or unknown is left out.

use serde_json::Value;

use crate::conversation::{Conversation, OfferedTool, Role, ToolInput};

pub(crate) fn conversation(body: &Value) -> Conversation {
    let config = &body["generationConfig"];
    let thinking = &config["thinkingConfig"];
    let mut made = Conversation {
        effort: thinking["thinkingLevel"].as_str().map(str::to_owned),
        thinking_budget: thinking["thinkingBudget"].as_u64(),
        output_schema: config["responseMimeType"] == "application/json",
        ..Conversation::default()
    };
    let lists = body["tools"].as_array().into_iter().flatten();
    for tool in lists
        .filter_map(|list| list["functionDeclarations"].as_array())
        .flatten()
    {
        if let Some(name) = tool["name"].as_str() {
            made.tools.push(OfferedTool {
                name: name.to_owned(),
                input: ToolInput::Json,
                namespace: None,
            });
        }
    }
    for content in body["contents"].as_array().into_iter().flatten() {
        let is_model = content["role"] == "model";
        for part in content["parts"].as_array().into_iter().flatten() {
            say_part(&mut made, is_model, part);
        }
    }
    made
}

fn say_part(made: &mut Conversation, is_model: bool, part: &Value) {
    if let Some(response) = part.get("functionResponse") {
        let output = &response["response"];
        let text = output["output"].as_str().or(output["error"].as_str());
        made.say(
            Role::Result,
            text.map_or_else(|| output.to_string(), str::to_owned),
        );
    } else if let Some(call) = part.get("functionCall") {
        let name = call["name"].as_str().unwrap_or_default();
        made.say(Role::Model, format!("{name} {}", call["args"]));
    } else if let Some(text) = part["text"].as_str() {
        let role = if is_model {
            Role::Model
        } else {
            Role::of_user_text(text)
        };
        made.say(role, text);
    } else if let Some(mime) = part["inlineData"]["mimeType"].as_str() {
        if mime.starts_with("image/") {
            made.images += 1;
        } else {
            made.documents += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn calls_and_their_results_are_no_prompts() {
        let body = json!({
            "tools": [{"functionDeclarations": [{"name": "run_shell_command"}]}],
            "generationConfig": {"thinkingConfig": {"thinkingBudget": 8192}},
            "contents": [
                {"role": "user", "parts": [{"text": "<session_context>\nfacts"}]},
                {"role": "user", "parts": [{"text": "do it"},
                    {"inlineData": {"mimeType": "image/png", "data": ""}}]},
                {"role": "model", "parts": [{"text": "hm", "thought": true},
                    {"functionCall": {"name": "run_shell_command", "args": {"command": "ls"}}}]},
                {"role": "user", "parts": [{"functionResponse": {
                    "name": "run_shell_command", "response": {"output": "a.txt"}}}]},
            ],
        });
        let made = conversation(&body);
        assert_eq!(
            (made.prompt(), made.prompts(), made.call(), made.images),
            ("do it", 1, 1, 1)
        );
        assert_eq!(made.tools[0].name, "run_shell_command");
        assert_eq!(made.thinking_budget, Some(8192));
        assert_eq!(
            made.entries.last().map(|entry| entry.text.as_str()),
            Some("a.txt")
        );
    }
}
