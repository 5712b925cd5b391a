//! Tools: what kind they are, what to call a call, what a result says and changed.

use std::collections::HashMap;
use std::fmt::Write;

use serde_json::value::RawValue;

use crate::event::{Body, FileChange, FileChangeKind, PlanEntry, PlanStatus, ToolKind};
use crate::provider::claude::codec::one_line;
use crate::provider::claude::wire::{Block, Edited, ToolInput, parse, text};

/// How long a title may be, in characters.
const TITLE_LENGTH: usize = 200;

pub(super) fn kind(name: &str) -> ToolKind {
    match name {
        "Bash" | "PowerShell" | "BashOutput" | "KillBash" | "KillShell" | "Monitor" => {
            ToolKind::Shell
        }
        "Read" | "NotebookRead" => ToolKind::Read,
        "Write" | "Edit" | "MultiEdit" | "NotebookEdit" => ToolKind::Edit,
        "Glob" | "Grep" | "LS" | "LSP" | "ToolSearch" => ToolKind::Search,
        "WebFetch" | "WebSearch" | "web_search" | "web_fetch" => ToolKind::Fetch,
        "Agent" | "Task" => ToolKind::Agent,
        "TodoWrite" | "TaskCreate" | "TaskGet" | "TaskList" | "TaskUpdate" | "EnterPlanMode"
        | "ExitPlanMode" => ToolKind::Plan,
        _ if name.starts_with("mcp__") => ToolKind::Mcp,
        _ => ToolKind::Other,
    }
}

/// Whether a call could change anything. What is not known could; so could every tool of an MCP
/// server. What only starts or asks something does not: its own calls are judged one by one.
pub(super) fn writes(name: &str) -> bool {
    match kind(name) {
        ToolKind::Read | ToolKind::Search | ToolKind::Fetch | ToolKind::Agent | ToolKind::Plan => {
            false
        }
        ToolKind::Shell => name != "BashOutput",
        ToolKind::Other => !matches!(
            name,
            "AskUserQuestion"
                | "CronList"
                | "ListAgents"
                | "ListMcpResourcesTool"
                | "ReadMcpResourceTool"
                | "Skill"
                | "StructuredOutput"
                | "TaskOutput"
        ),
        ToolKind::Edit | ToolKind::Mcp | ToolKind::Host => true,
    }
}

/// The server and the tool in the name of an MCP tool.
pub(super) fn mcp(name: &str) -> Option<(&str, &str)> {
    name.strip_prefix("mcp__")?.split_once("__")
}

/// One line for people: the command, the path, the query; else what the model calls it.
pub(super) fn title(name: &str, input: &str) -> String {
    let input = parse::<ToolInput<'_>>(input).unwrap_or_default();
    let question = input.questions.as_ref().and_then(|all| all.first());
    let candidates = [
        input.command.as_ref(),
        input.file_path.as_ref(),
        input.notebook_path.as_ref(),
        input.pattern.as_ref(),
        input.url.as_ref(),
        input.query.as_ref(),
        question.and_then(|question| question.said.as_ref()),
        input.description.as_ref(),
        input.skill.as_ref(),
        input.plan.as_ref(),
        input.path.as_ref(),
    ];
    let words = candidates
        .into_iter()
        .flatten()
        .find(|words| !words.is_empty());
    one_line(words.map_or(name, |words| &words.0), TITLE_LENGTH)
}

/// The plan that a call sets.
pub(super) fn plan(name: &str, input: &str) -> Option<Body> {
    if name != "TodoWrite" {
        return None;
    }
    let todos = parse::<ToolInput<'_>>(input)?.todos?;
    let entries = todos
        .iter()
        .map(|todo| PlanEntry {
            text: text(todo.content.as_ref()).to_owned(),
            status: match text(todo.status.as_ref()) {
                "completed" => PlanStatus::Completed,
                "in_progress" => PlanStatus::InProgress,
                _ => PlanStatus::Pending,
            },
        })
        .collect();
    Some(Body::Plan {
        entries,
        explanation: None,
    })
}

/// A result's content as text, and whether there is more in it than text.
pub(super) fn output_text(content: Option<&RawValue>) -> (String, bool) {
    let Some(content) = content else {
        return (String::new(), false);
    };
    if let Some(said) = parse::<String>(content.get()) {
        return (said, false);
    }
    let Some(blocks) = parse::<Vec<Block<'_>>>(content.get()) else {
        return (String::new(), content.get() != "null");
    };
    let mut said = String::new();
    let mut more = false;
    for block in &blocks {
        match &block.text {
            Some(text) => {
                if !said.is_empty() {
                    said.push('\n');
                }
                said.push_str(text);
            }
            None => more = true,
        }
    }
    (said, more)
}

/// How many calls that change files are remembered: far more than ever run at the same time.
const EDITS: usize = 256;

/// Calls that change files and have not ended: by id, the path.
#[derive(Debug, Default)]
pub(super) struct Edits(HashMap<String, String>);

impl Edits {
    pub(super) fn called(&mut self, id: &str, name: &str, input: &str) {
        if kind(name) != ToolKind::Edit {
            return;
        }
        let input = parse::<ToolInput<'_>>(input).unwrap_or_default();
        if self.0.len() == EDITS {
            self.0.clear();
        }
        if let Some(path) = input.file_path.or(input.notebook_path) {
            self.0.insert(id.to_owned(), path.0.into_owned());
        }
    }

    /// What the call changed. Sub-agents' calls, and older tools, only tell that they did.
    pub(super) fn ended(
        &mut self,
        id: &str,
        is_error: bool,
        output: Option<&RawValue>,
        said: &str,
    ) -> Option<Vec<FileChange>> {
        let path = self.0.remove(id)?;
        if is_error {
            return None;
        }
        let edited = output
            .and_then(|raw| parse::<Edited<'_>>(raw.get()))
            .unwrap_or_default();
        let created = match &edited.kind {
            Some(kind) => &**kind == "create",
            None => said.starts_with("File created"),
        };
        let (kind, diff) = if created {
            (
                FileChangeKind::Add,
                text(edited.content.as_ref()).to_owned(),
            )
        } else {
            (FileChangeKind::Update, hunks(&edited))
        };
        Some(vec![FileChange {
            path: edited.path.map_or(path, |path| path.0.into_owned()),
            kind,
            diff,
            moved_to: None,
        }])
    }
}

fn hunks(edited: &Edited<'_>) -> String {
    let mut diff = String::new();
    for hunk in edited.patch.iter().flatten() {
        let number = |n: Option<u64>| n.unwrap_or(0);
        // Writing to a string cannot fail.
        let _ = writeln!(
            diff,
            "@@ -{},{} +{},{} @@",
            number(hunk.old_start),
            number(hunk.old_lines),
            number(hunk.new_start),
            number(hunk.new_lines),
        );
        for line in hunk.lines.iter().flatten() {
            diff.push_str(line);
            diff.push('\n');
        }
    }
    diff
}
