//! Finds the shape in which an agent takes a tool call.
//!
//! Which tools there are depends on the model and the settings of the agent,
//! so the decision follows what the request offers.

use serde_json::{Map, Value, json};

use crate::conversation::{Conversation, ToolInput};
use crate::script::{Shell, Tool};

/// The free-text tool that runs JavaScript, in which all other tools are
/// functions ("code mode").
const CODE_MODE: &str = "exec";

/// A call in the shape of the API.
#[derive(Debug, PartialEq)]
pub(crate) struct Call {
    pub(crate) name: String,
    pub(crate) namespace: Option<String>,
    pub(crate) input: CallInput,
}

#[derive(Debug, PartialEq)]
pub(crate) enum CallInput {
    /// Arguments of a function, as the text of a JSON object.
    Arguments(String),
    FreeText(String),
}

/// The call for a tool by its own name.
pub(crate) fn tool(conversation: &Conversation, tool: &Tool) -> Call {
    let offered = conversation.tool(&tool.name);
    let code_mode = conversation.tool(CODE_MODE);
    let free_text = |text: &Value| {
        text.as_str()
            .map_or_else(|| text.to_string(), str::to_owned)
    };
    match (offered, code_mode) {
        (Some(offered), _) => Call {
            name: tool.name.clone(),
            namespace: offered.namespace.clone(),
            input: match offered.input {
                ToolInput::FreeText => CallInput::FreeText(free_text(&tool.input)),
                ToolInput::Json => CallInput::Arguments(tool.input.to_string()),
            },
        },
        (None, Some(code_mode)) => Call {
            name: CODE_MODE.to_owned(),
            namespace: code_mode.namespace.clone(),
            input: CallInput::FreeText(format!(
                "const result = await tools.{}({});\n\
                 text(typeof result === \"string\" ? result : JSON.stringify(result));\n",
                tool.name, tool.input
            )),
        },
        (None, None) => Call {
            name: tool.name.clone(),
            namespace: None,
            input: CallInput::Arguments(tool.input.to_string()),
        },
    }
}

/// The call for a shell command.
pub(crate) fn shell(conversation: &Conversation, shell: &Shell) -> Call {
    let offers = |name| conversation.tool(name).is_some();
    let (name, field, command) = if offers("shell_command") {
        ("shell_command", "command", json!(shell.command))
    } else if offers("shell") {
        ("shell", "command", json!(["bash", "-lc", shell.command]))
    } else {
        ("exec_command", "cmd", json!(shell.command))
    };
    let mut input = Map::new();
    input.insert(field.to_owned(), command);
    input.extend(shell.with.clone());
    tool(
        conversation,
        &Tool {
            name: name.to_owned(),
            input: Value::Object(input),
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversation::OfferedTool;

    fn offering(name: &str, input: ToolInput) -> Conversation {
        Conversation {
            tools: vec![OfferedTool {
                name: name.to_owned(),
                input,
                namespace: None,
            }],
            ..Conversation::default()
        }
    }

    fn ls() -> Shell {
        Shell {
            command: "ls".to_owned(),
            with: Map::new(),
        }
    }

    #[test]
    fn a_shell_command_takes_the_tool_on_offer() {
        let made = |name| shell(&offering(name, ToolInput::Json), &ls()).input;
        let arguments = |text: &str| CallInput::Arguments(text.to_owned());
        assert_eq!(made("exec_command"), arguments(r#"{"cmd":"ls"}"#));
        assert_eq!(made("shell_command"), arguments(r#"{"command":"ls"}"#));
        let listed = r#"{"command":["bash","-lc","ls"]}"#;
        assert_eq!(made("shell"), arguments(listed));
    }

    #[test]
    fn in_code_mode_a_shell_command_is_javascript() {
        let call = shell(&offering(CODE_MODE, ToolInput::FreeText), &ls());
        let CallInput::FreeText(code) = call.input else {
            panic!("{call:?}");
        };
        assert!(
            code.contains(r#"tools.exec_command({"cmd":"ls"})"#),
            "{code}"
        );
    }

    #[test]
    fn a_free_text_tool_takes_its_input_as_it_is() {
        let patch = Tool {
            name: "apply_patch".to_owned(),
            input: json!("*** Begin Patch"),
        };
        let call = tool(&offering("apply_patch", ToolInput::FreeText), &patch);
        assert_eq!(
            call.input,
            CallInput::FreeText("*** Begin Patch".to_owned())
        );
    }
}
