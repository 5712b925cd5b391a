//! Tool calls: what the agent says of each, piece by piece, as one use and one result.
//!
//! Lists in an update replace those before. A call is shown as soon as its input is known. The agent
//! may never say that it is over, may say it first, and may say it of one that was denied.

use std::collections::{HashMap, HashSet};

use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

use super::content::{self, Diff};
use super::profile::{LiveContent, Profile};
use super::wire::{Block, ToolMeta, Update, read};
use crate::event::{Body, FileChange, FileChangeKind, RawJson, ToolKind};
use crate::host_tools::SERVER;
use crate::provider::lines::one_line;
use crate::provider::{Conversation, Output, SignalBody, TurnRef};

/// Where something is shown.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub conversation: Conversation,
    pub turn: TurnRef,
}

impl Place {
    pub(super) fn show(&self, body: Body, out: &mut Output) {
        out.show(self.conversation, self.turn, body);
    }
}

/// A call that is not over.
#[derive(Debug, Default)]
pub(super) struct ToolCall {
    name: Option<String>,
    pub kind: String,
    title: String,
    input: Option<Box<RawValue>>,
    pub diffs: Vec<Diff>,
    text: String,
    pub locations: Vec<String>,
    output: Option<Box<RawValue>>,
    /// What a command wrote, where that comes beside the content.
    terminal: String,
    exit: Option<i64>,
    /// Whether it is one of the host's own tools.
    pub own: bool,
    /// Whether its use was shown.
    shown: bool,
    /// So many bytes of its text were shown as output.
    told: usize,
}

/// The calls of one turn.
#[derive(Debug, Default)]
pub(super) struct Tools {
    /// The names of the host's own tools.
    own: Vec<String>,
    open: HashMap<Box<str>, ToolCall>,
    over: HashSet<Box<str>>,
}

impl Tools {
    /// Knows the host's own tools by these names.
    pub(super) fn new(own: Vec<String>) -> Self {
        Self {
            own,
            ..Self::default()
        }
    }

    /// Takes `tool_call` or `tool_call_update`. `cancelled`: the turn is being interrupted, and
    /// what ends now did not end by itself, whatever the agent says.
    pub(super) fn update(
        &mut self,
        profile: &Profile,
        place: Place,
        update: &Update<'_>,
        cancelled: bool,
        out: &mut Output,
    ) -> Option<()> {
        let id = update.tool_call_id.as_deref()?;
        if self.over.contains(id) {
            return Some(());
        }
        let call = self.open.entry(id.into()).or_default();
        let meta = call.take(profile, id, update);
        call.own(&self.own);
        let status = update.status.as_deref().unwrap_or_default();
        let over = matches!(status, "completed" | "failed");
        let begun = update.tag.as_deref() == Some("tool_call") && status == "pending";
        let begun = begun || (profile.quirks.input_grows && status != "in_progress");
        if !call.shown && !over && !begun && call.is_whole(profile, status) {
            call.show(id, place, out);
        }
        call.pieces(profile, id, &meta, over, place, out);
        if over {
            self.end(id, place, status == "failed" || cancelled, out);
        } else {
            // A sign of life also where nothing is shown.
            out.signal(place.conversation, place.turn, SignalBody::Taken);
        }
        Some(())
    }

    /// The agent asks about a call: it is shown by now, with what is known of it.
    pub(super) fn ask(
        &mut self,
        profile: &Profile,
        place: Place,
        update: &Update<'_>,
        out: &mut Output,
    ) -> Option<&ToolCall> {
        let id = update.tool_call_id.as_deref()?;
        let call = self.open.entry(id.into()).or_default();
        // The text of a request is for people who decide. What was told before may be the arguments.
        let before = std::mem::take(&mut call.text);
        call.take(profile, id, update);
        call.own(&self.own);
        if call.input.as_deref().is_none_or(is_empty) {
            call.input = arguments(&before).or_else(|| call.input.take());
        }
        call.text = before;
        if !self.over.contains(id) {
            call.show(id, place, out);
        }
        self.open.get(id)
    }

    /// The agent speaks of something else than this call: the inputs of all others do not grow any
    /// more.
    pub(super) fn turn_to(&mut self, id: Option<&str>, place: Place, out: &mut Output) {
        let grown = self.open.iter_mut().filter(|(known, call)| {
            Some(&***known) != id && !call.shown && !call.input().is_none_or(is_empty)
        });
        let mut grown: Vec<_> = grown.collect();
        grown.sort_by(|a, b| a.0.cmp(b.0));
        for (id, call) in grown {
            call.show(id, place, out);
        }
    }

    /// Ends a call, once.
    pub(super) fn end(&mut self, id: &str, place: Place, is_error: bool, out: &mut Output) {
        if let Some(call) = self.open.remove(id) {
            call.end(id, place, is_error, out);
        }
        self.over.insert(id.into());
    }

    /// A call has ended, and nobody can read what it gave.
    pub(super) fn unread(&mut self, id: &str, place: Place, why: &str, out: &mut Output) {
        if self.over.contains(id) {
            return;
        }
        let call = self.open.entry(id.into()).or_default();
        call.text.clear();
        call.terminal.clear();
        call.output = None;
        call.diffs.clear();
        call.text.push_str(why);
        self.end(id, place, true, out);
    }

    /// The turn is over, and so is every call that the agent left open.
    pub(super) fn turn_over(&mut self, place: Place, out: &mut Output) {
        let mut left: Vec<_> = self.open.drain().collect();
        left.sort_by(|a, b| a.0.cmp(&b.0));
        for (id, call) in left {
            call.end(&id, place, true, out);
        }
        self.over.clear();
    }
}

impl ToolCall {
    /// Takes what an update says.
    fn take(&mut self, profile: &Profile, id: &str, update: &Update<'_>) -> ToolMeta {
        let meta: ToolMeta = read(update.meta).unwrap_or_default();
        let named = meta.claude.as_ref().and_then(|c| c.tool_name.clone());
        if let Some(name) = update.name.as_deref().map(str::to_owned).or(named) {
            self.name = Some(name);
        }
        if self.name.is_none() && profile.quirks.name_in_id {
            self.name = id.split_once("__").map(|(name, _)| name.to_owned());
        }
        if let Some(kind) = update.kind.as_deref() {
            kind.clone_into(&mut self.kind);
        }
        if let Some(title) = update.title.as_deref() {
            if self.name.is_none() && profile.quirks.title_is_name {
                self.name = Some(title.to_owned());
            }
            self.title = one_line(title);
        }
        if let Some(input) = update.raw_input {
            self.input = Some(input.to_owned());
        }
        if let Some(output) = update.raw_output {
            self.output = Some(output.to_owned());
        }
        if let Some(locations) = update.locations {
            self.locations = content::locations(locations);
        }
        if let Some(raw) = update.content {
            let (text, diffs) = content::read(raw);
            if !text.starts_with(&self.text) {
                // Another text, of which no piece can be told as more of the one before.
                self.told = text.len();
            }
            self.text = text;
            // The result of an edit may come without the change that was shown before.
            if !diffs.is_empty() {
                self.diffs = diffs;
            }
        }
        if let Some(exit) = meta.terminal_exit.as_ref().and_then(|e| e.exit_code) {
            self.exit = Some(exit);
        }
        meta
    }

    /// Finds out whether it is one of these tools of the host, and then names it as the host does.
    fn own(&mut self, tools: &[String]) {
        let named = self.name.as_deref().and_then(host_tool);
        if let Some(name) = named.filter(|name| tools.iter().any(|own| own == name)) {
            let name = name.to_owned();
            if self.name.as_ref() == Some(&self.title) {
                self.title.clear();
            }
            self.name = Some(name);
            self.own = true;
        }
    }

    /// Whether all that the use of the tool needs is known.
    fn is_whole(&self, profile: &Profile, status: &str) -> bool {
        match self.input.as_deref() {
            Some(input) if !is_empty(input) => true,
            Some(_) | None => {
                status == "in_progress" && profile.quirks.live_content != LiveContent::Arguments
            }
        }
    }

    pub(super) fn name(&self) -> &str {
        match (&self.name, self.kind.as_str()) {
            (Some(name), _) => name,
            (None, "") => "tool",
            (None, kind) => kind,
        }
    }

    /// One line for people: the agent's title, or what the input says it is about.
    pub(super) fn title(&self) -> String {
        if !self.title.is_empty() && self.title != self.name() {
            return self.title.clone();
        }
        let input: Value = read(self.input()).unwrap_or_default();
        about(&input).map_or_else(|| self.name().to_owned(), one_line)
    }

    pub(super) fn input(&self) -> Option<&RawValue> {
        self.input.as_deref()
    }

    /// The MCP server whose tool it is, where the name tells.
    pub(super) fn mcp_server(&self) -> Option<&str> {
        let rest = self.name.as_deref()?.strip_prefix("mcp_")?;
        let rest = rest.trim_start_matches('_');
        let (server, _) = rest.split_once("__").or_else(|| rest.split_once('_'))?;
        Some(server)
    }

    pub(super) fn tool_kind(&self) -> ToolKind {
        if self.own {
            return ToolKind::Host;
        }
        if self.mcp_server().is_some() {
            return ToolKind::Mcp;
        }
        match self.kind.as_str() {
            "execute" => ToolKind::Shell,
            "read" => ToolKind::Read,
            "edit" | "delete" | "move" => ToolKind::Edit,
            "search" => ToolKind::Search,
            "fetch" => ToolKind::Fetch,
            "switch_mode" => ToolKind::Plan,
            _ => ToolKind::Other,
        }
    }

    fn show(&mut self, id: &str, place: Place, out: &mut Output) {
        if std::mem::replace(&mut self.shown, true) {
            return;
        }
        let input = self.input.clone();
        let body = Body::ToolUse {
            id: id.to_owned(),
            name: self.name().to_owned(),
            kind: self.tool_kind(),
            title: self.title(),
            input: input.map_or_else(|| RawJson::from_text("{}"), RawJson::from),
            parent: None,
        };
        place.show(body, out);
    }

    /// Shows what is new of a running tool's output. `OpenCode` repeats all of it every time.
    fn pieces(
        &mut self,
        profile: &Profile,
        id: &str,
        meta: &ToolMeta,
        over: bool,
        place: Place,
        out: &mut Output,
    ) {
        let id = id.to_owned();
        if let Some(output) = &meta.terminal_output_delta
            && !output.data.is_empty()
        {
            self.show(&id, place, out);
            self.terminal.push_str(&output.data);
            let text = output.data.clone();
            return place.show(Body::ToolOutputDelta { id, text }, out);
        }
        if profile.quirks.live_content != LiveContent::Output || !self.shown || over {
            return;
        }
        let Some(piece) = self.text.get(self.told..).filter(|p| !p.is_empty()) else {
            return;
        };
        let text = piece.to_owned();
        self.told = self.text.len();
        place.show(Body::ToolOutputDelta { id, text }, out);
    }

    /// Shows the end: the use if it was never shown, what it changed, and the result.
    fn end(mut self, id: &str, place: Place, mut is_error: bool, out: &mut Output) {
        self.show(id, place, out);
        let output: Value = read(self.output.as_deref()).unwrap_or_default();
        let exit = [&output["metadata"]["exit"], &output["exit_code"]];
        let exit = self.exit.or_else(|| exit.iter().find_map(|e| e.as_i64()));
        is_error |= exit.is_some_and(|code| code != 0);
        let changes = if is_error {
            Vec::new()
        } else {
            self.changes(&output)
        };
        let id = id.to_owned();
        if !changes.is_empty() {
            let id = id.clone();
            place.show(Body::FileChange { id, changes }, out);
        }
        let text = output.as_str().or_else(|| output["output"].as_str());
        let structured = match (&output, exit) {
            (Value::Null | Value::String(_), None) => None,
            (Value::Null | Value::String(_), Some(code)) => {
                to_raw_value(&serde_json::json!({"exit_code": code})).ok()
            }
            _ => self.output.clone(),
        };
        let text = match text {
            Some(text) => text.to_owned(),
            None if self.text.is_empty() => self.terminal,
            None => self.text,
        };
        let result = Body::ToolResult {
            id,
            is_error,
            text,
            output: structured.map(RawJson::from),
            parent: None,
        };
        place.show(result, out);
    }

    /// The files that it changed. Where the agent shows no change, those that it names.
    fn changes(&self, output: &Value) -> Vec<FileChange> {
        if !self.diffs.is_empty() {
            return self.diffs.iter().map(Diff::change).collect();
        }
        let kind = match self.kind.as_str() {
            "edit" if output["metadata"]["exists"] == false => FileChangeKind::Add,
            "edit" => FileChangeKind::Update,
            "delete" => FileChangeKind::Delete,
            _ => return Vec::new(),
        };
        let files = self.locations.iter().map(|path| FileChange {
            path: path.clone(),
            kind,
            diff: String::new(),
            moved_to: None,
        });
        files.collect()
    }
}

/// The name of a tool of our MCP server: each agent has its own way to say whose tool it is.
fn host_tool(name: &str) -> Option<&str> {
    let marks = [
        ("mcp__", "__"),
        ("mcp_", "_"),
        ("mcp.", "."),
        ("", "_"),
        ("", "."),
    ];
    marks.iter().find_map(|(before, after)| {
        let rest = name.strip_prefix(before)?.strip_prefix(SERVER)?;
        rest.strip_prefix(after)
    })
}

/// Whether an input says nothing yet: some agents begin with an empty one.
fn is_empty(input: &RawValue) -> bool {
    matches!(input.get().trim(), "{}" | "null" | "\"\"")
}

/// The member of an input that says what a tool is about.
pub(super) fn about(input: &Value) -> Option<&str> {
    let members = [
        "command",
        "file_path",
        "filePath",
        "path",
        "pattern",
        "query",
        "url",
    ];
    members.iter().find_map(|member| input[*member].as_str())
}

/// Arguments that were streamed as text, once they are whole.
fn arguments(text: &str) -> Option<Box<RawValue>> {
    let raw: Box<RawValue> = serde_json::from_str(text).ok()?;
    raw.get().starts_with('{').then_some(raw)
}

/// The text of one block of content.
pub(super) fn block_text(raw: Option<&RawValue>) -> Option<String> {
    let block: Block<'_> = read(raw)?;
    Some(block.text?.to_string())
}
