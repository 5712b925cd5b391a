//! Reads the body of a Responses request.
//!
//! Lenient: what is missing or unknown is left out.

use serde_json::Value;

use crate::conversation::{Conversation, OfferedTool, Role, ToolInput};

pub(crate) fn conversation(body: &Value) -> Conversation {
    let mut made = Conversation {
        model: body["model"].as_str().unwrap_or_default().to_owned(),
        stream: body["stream"].as_bool().unwrap_or(false),
        id: body["prompt_cache_key"]
            .as_str()
            .unwrap_or_default()
            .to_owned(),
        effort: body["reasoning"]["effort"].as_str().map(str::to_owned),
        output_schema: body["text"]["format"]["type"] == "json_schema",
        ..Conversation::default()
    };
    offer(&mut made.tools, &body["tools"], None);
    let input = &body["input"];
    if let Some(text) = input.as_str() {
        made.say(Role::of_user_text(text), text);
    }
    for item in input.as_array().into_iter().flatten() {
        read_item(&mut made, item);
    }
    made
}

/// Lists tools; those in a namespace carry its name.
fn offer(tools: &mut Vec<OfferedTool>, list: &Value, namespace: Option<&str>) {
    for tool in list.as_array().into_iter().flatten() {
        let kind = tool["type"].as_str().unwrap_or_default();
        let name = tool["name"].as_str().unwrap_or(kind);
        if kind == "namespace" {
            offer(tools, &tool["tools"], Some(name));
            continue;
        }
        tools.push(OfferedTool {
            name: name.to_owned(),
            input: if kind == "custom" {
                ToolInput::FreeText
            } else {
                ToolInput::Json
            },
            namespace: namespace.map(str::to_owned),
        });
    }
}

fn read_item(made: &mut Conversation, item: &Value) {
    match item["type"].as_str().unwrap_or("message") {
        "message" => read_message(made, item),
        "additional_tools" => offer(&mut made.tools, &item["tools"], None),
        "function_call_output" | "custom_tool_call_output" => {
            made.say(Role::Result, texts(&item["output"]));
        }
        "reasoning" => made.say(Role::Model, texts(&item["summary"])),
        kind if kind.ends_with("_call") => {
            let name = item["name"].as_str().unwrap_or(kind);
            let input = item["arguments"].as_str().or(item["input"].as_str());
            made.say(Role::Model, format!("{name} {}", input.unwrap_or_default()));
        }
        _ => {}
    }
}

fn read_message(made: &mut Conversation, item: &Value) {
    match item["role"].as_str().unwrap_or_default() {
        "assistant" => made.say(Role::Model, texts(&item["content"])),
        "user" => {
            let content = &item["content"];
            let parts = content.as_array().into_iter().flatten();
            let is_image = |part: &&Value| part["type"] == "input_image";
            made.images += parts.clone().filter(is_image).count();
            let texts = parts.filter_map(|part| part["text"].as_str());
            for text in content.as_str().into_iter().chain(texts) {
                made.say(Role::of_user_text(text), text);
            }
        }
        _ => made.say(Role::Context, texts(&item["content"])),
    }
}

/// The texts of a string, of a list of parts, or of an object with a text.
fn texts(content: &Value) -> String {
    if let Some(text) = content.as_str() {
        return text.to_owned();
    }
    let parts: Vec<&str> = content
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|part| part["text"].as_str())
        .collect();
    parts.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn reasoning_and_a_call_are_one_answer() {
        let body = json!({"model": "m", "stream": true, "input": [
            {"type": "message", "role": "developer", "content": [
                {"type": "input_text", "text": "rules"}]},
            {"type": "message", "role": "user", "content": [
                {"type": "input_text", "text": "<environment_context>x"}]},
            {"type": "message", "role": "user", "content": [
                {"type": "input_text", "text": "do it"}]},
            {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]},
            {"type": "function_call", "name": "exec_command", "arguments": "{}"},
            {"type": "function_call_output", "output": "a.txt"},
        ]});
        let made = conversation(&body);
        assert_eq!(
            (made.prompt(), made.prompts(), made.call()),
            ("do it", 1, 1)
        );
    }

    #[test]
    fn images_effort_and_schema_are_seen() {
        let body = json!({
            "reasoning": {"effort": "high"},
            "text": {"format": {"type": "json_schema"}},
            "input": [{"type": "message", "role": "user", "content": [
                {"type": "input_text", "text": "look"},
                {"type": "input_image", "image_url": "data:"}]}],
        });
        let made = conversation(&body);
        assert_eq!((made.images, made.prompts()), (1, 1));
        assert_eq!(
            (made.effort.as_deref(), made.output_schema),
            (Some("high"), true)
        );
    }

    #[test]
    fn tools_are_found_in_namespaces_and_in_the_input() {
        let body = json!({"input": [{"type": "additional_tools", "tools": [
            {"type": "namespace", "name": "functions", "tools": [
                {"type": "custom", "name": "exec"}]}]}]});
        assert_eq!(
            conversation(&body).tools,
            [OfferedTool {
                name: "exec".to_owned(),
                input: ToolInput::FreeText,
                namespace: Some("functions".to_owned()),
            }]
        );
    }
}
