//! Conversations come and go: the handshake, opening, and leaving.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::calls::Call;
use super::failure::{one_line, open_kind};
use super::options::open_params;
use super::server::{AppServer, Route};
use super::settings::{Configured, Settings};
use super::thread::Thread;
use super::usage::Meter;
use super::wire::{RpcError, Text, read, write_notification};
use crate::config::{PermissionMode, SessionOptions};
use crate::error::ErrorKind;
use crate::provider::{Conversation, Output, SignalBody, TurnRef};

/// So often a thread that is being closed is asked for again.
const TRIES: u8 = 3;

/// The state of the handshake.
#[derive(Debug, Default)]
pub(super) enum Handshake {
    #[default]
    Open,
    Done,
    Failed(String),
}

/// A conversation that is being opened.
#[derive(Debug)]
pub(super) struct Opening {
    pub options: Arc<SessionOptions>,
    pub resume: Option<String>,
    pub tries: u8,
}

impl AppServer {
    /// Opens a conversation, as soon as the handshake is over.
    pub(super) fn open(&mut self, conversation: Conversation, out: &mut Output) {
        for notice in std::mem::take(&mut self.notices) {
            out.show(conversation, TurnRef::None, notice);
        }
        match &self.handshake {
            Handshake::Open => {}
            Handshake::Failed(message) => {
                let message = message.clone();
                self.opening.remove(&conversation);
                out.signal(conversation, TurnRef::None, SignalBody::Broken { message });
            }
            Handshake::Done => {
                let Some(opening) = self.opening.get(&conversation) else {
                    return;
                };
                let resume = opening.resume.as_deref();
                let params = open_params(&opening.options, resume);
                let method = if resume.is_some() {
                    "thread/resume"
                } else {
                    "thread/start"
                };
                self.calls
                    .write(Call::Open(conversation), method, &params, out);
            }
        }
    }

    /// `initialize` was answered.
    pub(super) fn greeted(
        &mut self,
        result: Option<&RawValue>,
        error: Option<RpcError>,
        out: &mut Output,
    ) {
        if let Some(error) = error {
            let message = format!("initialize: {}", one_line(&error.message));
            self.handshake = Handshake::Failed(message);
        } else {
            let greeting: Option<Greeting<'_>> = read(result);
            self.version = greeting.and_then(|g| version_of(&g.user_agent));
            self.handshake = Handshake::Done;
            write_notification(&mut out.bytes, "initialized");
        }
        let waiting: Vec<_> = self.opening.keys().copied().collect();
        for conversation in waiting {
            self.open(conversation, out);
        }
    }

    /// `thread/start` or `thread/resume` was answered.
    pub(super) fn opened(
        &mut self,
        conversation: Conversation,
        result: Option<&RawValue>,
        error: Option<RpcError>,
        out: &mut Output,
    ) {
        let opened: Option<Opened<'_>> = read(result);
        if let Some(error) = &error
            && self.wait_for_closing(conversation, error, out)
        {
            return;
        }
        let Some(opening) = self.opening.remove(&conversation) else {
            // Closed before it was open.
            let left = self.abandoned.take(&conversation);
            match opened {
                Some(opened) => self.leave(&opened.thread.id, left, out),
                None => out.left.extend(left),
            }
            return;
        };
        let resumed = opening.resume.is_some();
        let refusal = match (error, &opened) {
            (Some(e), _) => Some((open_kind(resumed, &e.message), one_line(&e.message))),
            (None, Some(opened)) => {
                let message = self.take_over(&opened.thread.id);
                message.map(|message| (ErrorKind::ResumeFailed, message))
            }
            (None, None) => {
                let message = "the answer names no thread".to_owned();
                Some((ErrorKind::ProtocolError, message))
            }
        };
        if let Some((code, message)) = refusal {
            let refused = SignalBody::Refused { code, message };
            out.signal(conversation, TurnRef::None, refused);
        } else if let Some(opened) = &opened {
            self.enter(conversation, opening, opened, out);
        }
    }

    /// The thread is open: from here on, the conversation takes turns.
    fn enter(
        &mut self,
        conversation: Conversation,
        opening: Opening,
        opened: &Opened<'_>,
        out: &mut Output,
    ) {
        let resumed = opening.resume.is_some();
        let id = &*opened.thread.id;
        let meter = if resumed {
            Meter::default()
        } else {
            Meter::from_zero()
        };
        let model = opened.model.as_deref().map(str::to_owned);
        let mut settings = Settings::new(&opening.options, model.clone());
        if opened.is_planning() {
            settings.was_planning();
        }
        // A resumed thread shows what it was last told instead.
        let plain = opening.options.permission_mode == PermissionMode::Default
            && !opening.options.read_only
            && !resumed;
        if let (true, Some(configured)) = (plain, opened.configured()) {
            settings.learn(configured);
        }
        let thread = Thread::new(conversation, id, opening.options, settings, meter);
        let child = false;
        let route = Route {
            conversation,
            child,
        };
        self.routes.insert(id.into(), route);
        self.threads.insert(conversation, thread);
        let bound = SignalBody::Bound {
            provider_session_id: id.to_owned(),
            model,
            resumed,
        };
        out.signal(conversation, TurnRef::None, bound);
        let version = self.version.clone();
        out.signal(conversation, TurnRef::None, SignalBody::Ready { version });
    }

    /// Takes a thread from the conversation that had it: a session that left the process and came
    /// back is another conversation. Gives back why that cannot be.
    fn take_over(&mut self, thread_id: &str) -> Option<String> {
        let old = self.routes.get(thread_id)?.conversation;
        if self.threads.get(&old).is_some_and(Thread::is_busy) {
            return Some("the conversation runs a turn for another session".to_owned());
        }
        self.forget(old);
        None
    }

    /// A session leaves: what runs for it ends, and the thread is free for other processes. A turn
    /// that is only on its way cannot be ended yet, and is waited for.
    pub(super) fn close(&mut self, conversation: Conversation, out: &mut Output) {
        if let Some(opening) = self.opening.remove(&conversation) {
            if self.is_asked_for(&opening) {
                self.abandoned.insert(conversation);
            } else {
                out.left.push(conversation);
            }
            return;
        }
        let Some(thread) = self.threads.get_mut(&conversation) else {
            // It was refused.
            out.left.push(conversation);
            return;
        };
        thread.interrupt_all(&mut self.calls, out);
        if thread.is_busy() && thread.running.is_none() {
            thread.leaving = true;
            return;
        }
        if thread.is_busy() || thread.has_background() {
            thread.stop_commands(&mut self.calls, out);
        }
        let id = thread.id.clone();
        self.forget(conversation);
        self.leave(&id, Some(conversation), out);
    }

    /// Whether the server will answer for a conversation that is being opened.
    fn is_asked_for(&self, opening: &Opening) -> bool {
        let resume = opening.resume.as_deref();
        let waits = opening.tries > 0 && resume.is_some_and(|id| self.closing.contains_key(id));
        match self.handshake {
            Handshake::Open | Handshake::Failed(_) => false,
            Handshake::Done => !waits,
        }
    }

    /// A turn is over. If the session has left, so can the thread.
    pub(super) fn close_if_left(&mut self, conversation: Conversation, out: &mut Output) {
        if self.threads.get(&conversation).is_some_and(|t| t.leaving) {
            self.close(conversation, out);
        }
    }

    fn forget(&mut self, conversation: Conversation) {
        self.threads.remove(&conversation);
        self.routes
            .retain(|_, route| route.conversation != conversation);
        self.questions.forget(conversation);
    }

    /// Leaves a thread, which was this conversation if it was any. The agent closes it soon after, and
    /// nobody can resume it until then.
    pub(super) fn leave(
        &mut self,
        thread_id: &str,
        conversation: Option<Conversation>,
        out: &mut Output,
    ) {
        self.ignore(thread_id);
        self.closing.insert(thread_id.into(), conversation);
        let params = serde_json::json!({"threadId": thread_id});
        let call = Call::Leave(thread_id.into());
        self.calls.write(call, "thread/unsubscribe", &params, out);
    }

    /// Whether the thread that is wanted is still being closed. Then it is asked for again when
    /// that is done.
    fn wait_for_closing(
        &mut self,
        conversation: Conversation,
        error: &RpcError,
        out: &mut Output,
    ) -> bool {
        let Some(opening) = self.opening.get_mut(&conversation) else {
            return false;
        };
        let Some(resume) = opening.resume.as_deref() else {
            return false;
        };
        if !error.message.contains("is closing") || opening.tries >= TRIES {
            return false;
        }
        opening.tries += 1;
        if !self.closing.contains_key(resume) {
            self.open(conversation, out);
        }
        true
    }

    /// A thread is closed, or was not open: who waits for that can have it.
    pub(super) fn closed(&mut self, thread_id: &str, out: &mut Output) {
        let Some(conversation) = self.closing.remove(thread_id) else {
            return;
        };
        out.left.extend(conversation);
        let wants = |o: &Opening| o.tries > 0 && o.resume.as_deref() == Some(thread_id);
        let waiting: Vec<_> = self.opening.iter().filter(|(_, o)| wants(o)).collect();
        let waiting: Vec<_> = waiting.into_iter().map(|(c, _)| *c).collect();
        for conversation in waiting {
            self.open(conversation, out);
        }
    }
}

/// The answer to `initialize`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Greeting<'a> {
    #[serde(borrow)]
    user_agent: Text<'a>,
}

/// The answer to `thread/start`, `thread/resume` and `thread/fork`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Opened<'a> {
    #[serde(borrow)]
    pub thread: OpenedThread<'a>,
    #[serde(borrow, default)]
    model: Option<Text<'a>>,
    #[serde(borrow, default)]
    approval_policy: Option<&'a RawValue>,
    #[serde(borrow, default)]
    sandbox: Option<&'a RawValue>,
    #[serde(borrow, default)]
    collaboration_mode: Option<&'a RawValue>,
}

#[derive(Deserialize)]
pub(super) struct OpenedThread<'a> {
    #[serde(borrow)]
    pub id: Text<'a>,
}

impl Opened<'_> {
    /// The permissions that the thread has without being told any.
    pub(super) fn configured(&self) -> Option<Configured> {
        Some(Configured {
            approval_policy: read(self.approval_policy)?,
            sandbox_policy: read(self.sandbox)?,
        })
    }

    fn is_planning(&self) -> bool {
        let mode: Option<Value> = read(self.collaboration_mode);
        mode.is_some_and(|mode| mode["mode"] == "plan")
    }
}

/// The version in `remuda/0.169.0 (Debian …) …`.
fn version_of(user_agent: &str) -> Option<String> {
    let (_, rest) = user_agent.split_once('/')?;
    Some(rest.split(' ').next()?.to_owned())
}
