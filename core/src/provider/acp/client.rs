//! What the agent has done by its client: read from its requests, passed on, answered.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::tool::Place;
use super::wire::{CANCELLED, INTERNAL, INVALID, MISSING, read, write_failure, write_result};
use crate::client::{CALLS, ClientCall, Done, Ended, Failure, NewTerminal, Outcome, Why};
use crate::config::{Client as Offered, ClientFiles};
use crate::event::RawJson;
use crate::provider::{AgentRequest, Called, Conversation, Output, SignalBody};

/// A call that waits for what becomes of it.
#[derive(Debug)]
struct Open {
    /// The agent's id, as it wrote it.
    id: Box<RawValue>,
    place: Place,
    ends_with_turn: bool,
    /// The file that is read.
    reads: Option<String>,
}

/// The calls of one process.
#[derive(Debug)]
pub(super) struct Client {
    offered: Offered,
    /// A file that is not there is told as an empty one.
    missing_is_empty: bool,
    open: BTreeMap<AgentRequest, Open>,
}

#[derive(Deserialize)]
struct ReadFile {
    path: String,
    #[serde(default)]
    line: Option<u64>,
    #[serde(default)]
    limit: Option<u64>,
}

#[derive(Deserialize)]
struct WriteFile {
    path: String,
    content: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Create {
    command: String,
    #[serde(default)]
    args: Option<Vec<String>>,
    #[serde(default)]
    env: Option<Vec<Variable>>,
    #[serde(default)]
    cwd: Option<String>,
    #[serde(default)]
    output_byte_limit: Option<u64>,
}

#[derive(Deserialize)]
struct Variable {
    name: String,
    value: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Named {
    terminal_id: String,
}

impl Client {
    pub(super) fn new(offered: Offered, missing_is_empty: bool) -> Self {
        Self {
            offered,
            missing_is_empty,
            open: BTreeMap::new(),
        }
    }

    /// What `initialize` tells the agent of it: files, terminals.
    pub(super) fn capabilities(&self) -> (Value, bool) {
        let (reads, writes) = self.files();
        let files = json!({"readTextFile": reads, "writeTextFile": writes});
        (files, self.offered.terminals)
    }

    /// Whether files are read, and written.
    fn files(&self) -> (bool, bool) {
        match self.offered.files {
            ClientFiles::None => (false, false),
            ClientFiles::Read => (true, false),
            ClientFiles::ReadWrite => (true, true),
        }
    }

    /// Whether the agent was told that it may call this.
    pub(super) fn offers(&self, method: &str) -> bool {
        let (reads, writes) = self.files();
        match method {
            "fs/read_text_file" => reads,
            "fs/write_text_file" => writes,
            "terminal/create"
            | "terminal/output"
            | "terminal/wait_for_exit"
            | "terminal/kill"
            | "terminal/release" => self.offered.terminals,
            _ => false,
        }
    }

    /// Passes a call on, or refuses it. `place`: where; `None`: in no session that is open.
    pub(super) fn call(
        &mut self,
        (method, id): (&str, &RawValue),
        request: AgentRequest,
        place: Option<Place>,
        params: Option<&RawValue>,
        out: &mut Output,
    ) {
        let mut refuse = |code, why: &str| write_failure(&mut out.bytes, id, code, why, None);
        let Some(place) = place else {
            return refuse(INVALID, "no such session is open");
        };
        let Some((call, raw)) = read_call(method, params).zip(params) else {
            return refuse(INVALID, "its parameters are not those of the protocol");
        };
        let of_it = |open: &&Open| open.place.conversation == place.conversation;
        if self.open.values().filter(of_it).count() >= CALLS {
            return refuse(INTERNAL, &format!("{CALLS} calls wait"));
        }
        let open = Open {
            id: id.to_owned(),
            place,
            ends_with_turn: call.ends_with_turn(),
            reads: match &call {
                ClientCall::Read { path, .. } => Some(path.clone()),
                ClientCall::Write { .. }
                | ClientCall::Create(_)
                | ClientCall::Output { .. }
                | ClientCall::Wait { .. }
                | ClientCall::Kill { .. }
                | ClientCall::Release { .. } => None,
            },
        };
        self.open.insert(request, open);
        let called = Called {
            request,
            call,
            raw: RawJson::from(raw.to_owned()),
        };
        let body = SignalBody::Called(Box::new(called));
        out.signal(place.conversation, place.turn, body);
    }

    /// Writes what became of a call.
    pub(super) fn served(
        &mut self,
        conversation: Conversation,
        request: AgentRequest,
        outcome: Outcome,
        out: &mut Output,
    ) {
        let open = self.open.get(&request);
        if open.is_none_or(|open| open.place.conversation != conversation) {
            return;
        }
        let Some(open) = self.open.remove(&request) else {
            return;
        };
        match outcome {
            Ok(done) => write_result(&mut out.bytes, &open.id, &result(done)),
            Err(failure) if self.is_empty(&open, &failure) => {
                write_result(&mut out.bytes, &open.id, &json!({"content": ""}));
            }
            Err(Failure { why, message }) => {
                let (code, data) = match why {
                    Why::Missing => (MISSING, open.reads.map(|path| json!({"uri": path}))),
                    Why::Refused | Why::Denied => (INVALID, None),
                    Why::Failed => (INTERNAL, None),
                };
                write_failure(&mut out.bytes, &open.id, code, &message, data);
            }
        }
    }

    /// Whether the agent needs to hear of an empty file instead.
    fn is_empty(&self, open: &Open, failure: &Failure) -> bool {
        self.missing_is_empty && open.reads.is_some() && failure.why == Why::Missing
    }

    /// The turn of a conversation ends, and what is of no use after it with it.
    pub(super) fn turn_ends(&mut self, conversation: Conversation, out: &mut Output) {
        self.forgo(
            |open| open.ends_with_turn && open.place.conversation == conversation,
            out,
        );
    }

    /// The conversation is left.
    pub(super) fn leave(&mut self, conversation: Conversation, out: &mut Output) {
        self.forgo(|open| open.place.conversation == conversation, out);
    }

    /// The agent takes a request back, and still wants an answer. `false`: it is no call.
    pub(super) fn taken_back(&mut self, id: &RawValue, out: &mut Output) -> bool {
        self.forgo(|open| open.id.get() == id.get(), out)
    }

    /// Answers these without having done them. `false`: there are none.
    fn forgo(&mut self, these: impl Fn(&Open) -> bool, out: &mut Output) -> bool {
        let gone = self.open.iter().filter(|(_, open)| these(open));
        let gone: Vec<_> = gone.map(|(request, _)| *request).collect();
        for request in &gone {
            let request = *request;
            let Some(open) = self.open.remove(&request) else {
                continue;
            };
            write_failure(&mut out.bytes, &open.id, CANCELLED, "cancelled", None);
            let body = SignalBody::Forgone { request };
            out.signal(open.place.conversation, open.place.turn, body);
        }
        !gone.is_empty()
    }
}

fn read_call(method: &str, params: Option<&RawValue>) -> Option<ClientCall> {
    fn of<T: DeserializeOwned>(params: Option<&RawValue>) -> Option<T> {
        read(params)
    }
    let terminal = |params| of::<Named>(params).map(|named| named.terminal_id);
    Some(match method {
        "fs/read_text_file" => {
            let ReadFile { path, line, limit } = of(params)?;
            ClientCall::Read { path, line, limit }
        }
        "fs/write_text_file" => {
            let WriteFile { path, content } = of(params)?;
            ClientCall::Write { path, content }
        }
        "terminal/create" => {
            let create: Create = of(params)?;
            let env = create.env.unwrap_or_default().into_iter();
            ClientCall::Create(NewTerminal {
                command: create.command,
                args: create.args.unwrap_or_default(),
                env: env.map(|v| (v.name, v.value)).collect(),
                cwd: create.cwd,
                output_limit: create.output_byte_limit,
            })
        }
        "terminal/output" => ClientCall::Output {
            terminal: terminal(params)?,
        },
        "terminal/wait_for_exit" => ClientCall::Wait {
            terminal: terminal(params)?,
        },
        "terminal/kill" => ClientCall::Kill {
            terminal: terminal(params)?,
        },
        "terminal/release" => ClientCall::Release {
            terminal: terminal(params)?,
        },
        _ => return None,
    })
}

fn result(done: Done) -> Value {
    match done {
        Done::Nothing => json!({}),
        Done::Text(content) => json!({"content": content}),
        Done::Terminal(id) => json!({"terminalId": id}),
        Done::Output {
            text,
            truncated,
            ended,
        } => {
            let mut result = json!({"output": text, "truncated": truncated});
            if let Some(ended) = ended {
                result["exitStatus"] = exit_status(ended);
            }
            result
        }
        Done::Ended(ended) => exit_status(ended),
    }
}

fn exit_status(ended: Ended) -> Value {
    let mut status = json!({});
    if let Some(code) = ended.code {
        status["exitCode"] = code.into();
    }
    if let Some(number) = ended.signal {
        status["signal"] = signal(number).into();
    }
    status
}

/// A signal's name, where it is one that commands die of.
fn signal(number: i32) -> String {
    let name = match number {
        1 => "SIGHUP",
        2 => "SIGINT",
        3 => "SIGQUIT",
        6 => "SIGABRT",
        8 => "SIGFPE",
        9 => "SIGKILL",
        11 => "SIGSEGV",
        13 => "SIGPIPE",
        15 => "SIGTERM",
        other => return other.to_string(),
    };
    name.to_owned()
}
