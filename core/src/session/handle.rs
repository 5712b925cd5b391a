//! What a host holds of a session.

use std::fmt;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use crate::capabilities::Feature;
use crate::config::{Mode, SessionOptions};
use crate::delivery::Events;
use crate::error::{Error, ErrorKind};
use crate::event::{Changed, CloseReason, RawJson, TurnResult};
use crate::ids::{RequestId, SessionId, TurnId};
use crate::message::Message;
use crate::operation::Operation;
use crate::pool::PoolInner;
use crate::request::Answer;
use crate::session::call::Call;
use crate::session::gate::QueuedTurn;
use crate::session::replies::{Places, Reply};
use crate::session::send::{MessageLimits, OnBusy, SendOptions, Sent};
use crate::session::shared::{CurrentProcess, CurrentSettings, OpenRequest};
use crate::session::turn::{AskError, Turn};
use crate::session::{Receipt, Shared};
use crate::settings::Change;

/// One conversation with an agent. It outlives the agent's processes.
///
/// Clones are the same session. It is closed by [`close`](Self::close), or when the last clone and
/// the last [`Turn`] and [`Hold`] of it are dropped. Every method may be called from any thread; none waits for
/// the agent unless it is `async`.
#[derive(Clone)]
pub struct Session {
    pub(crate) inner: Arc<SessionInner>,
}

pub(crate) struct SessionInner {
    pub(crate) shared: Arc<Shared>,
    pub(crate) inbox: mpsc::UnboundedSender<Call>,
    pub(crate) options: Arc<SessionOptions>,
    pub(crate) limits: MessageLimits,
    pub(crate) places: Places,
    /// The pool lives as long as its sessions.
    pub(crate) pool: Arc<PoolInner>,
}

/// What goes with an interrupted turn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct InterruptOptions {
    /// Commands that the agent leaves running go on, where it leaves any. Default: they are ended.
    pub keep_commands: bool,
    /// What waits in the queue is cancelled, unless the interrupt was too late. Default: it stays.
    pub drop_queue: bool,
}

/// A session at one moment: all that events before `next_seq` told is in it. It may hold what an event
/// from there on tells again, but nothing is in neither.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct SessionSnapshot {
    /// The session.
    pub id: SessionId,
    /// The provider's name.
    pub provider: String,
    /// The agent's own id of the conversation, once it has one; resumes it in any pool.
    pub provider_session_id: Option<String>,
    /// Whether turns run in a warm process, or each in its own.
    pub mode: Mode,
    /// The process that it uses.
    pub process: Option<CurrentProcess>,
    /// The settings as they were last set; which of them wait for a new process stands in the events.
    pub settings: CurrentSettings,
    /// The host's turn that runs.
    pub running: Option<TurnId>,
    /// The agent's own turn that runs.
    pub agent_turn: Option<TurnId>,
    /// How many tasks the agent has in the background.
    pub background: u32,
    /// What waits for it to end, in order.
    pub queued: Vec<QueuedTurn>,
    /// Questions that wait for the host.
    pub requests: Vec<OpenRequest>,
    /// Whether it takes no turns any more.
    pub closed: bool,
    /// Whether events that no reader took fill the log: the agent is not listened to until the reader
    /// that is behind reads or is dropped. See [`Events`].
    pub held_back: bool,
    /// The `seq` that the next event will have.
    pub next_seq: u64,
}

impl Session {
    /// The session's number.
    #[must_use]
    pub fn id(&self) -> SessionId {
        self.inner.shared.id
    }

    /// The options it was opened with.
    #[must_use]
    pub fn options(&self) -> &SessionOptions {
        &self.inner.options
    }

    /// What the session is at this moment.
    #[must_use]
    pub fn snapshot(&self) -> SessionSnapshot {
        let shared = &self.inner.shared;
        // Comes first: what was told before it was noted before it was told.
        let next_seq = shared.log.next_seq();
        let sight = shared.gate.look();
        let face = shared.face();
        SessionSnapshot {
            id: shared.id,
            provider: self.inner.options.provider.clone(),
            provider_session_id: face.conversation,
            mode: face.standing.mode,
            process: face.standing.process,
            settings: CurrentSettings::from(&*face.options),
            running: sight.running,
            agent_turn: face.agent_turn,
            background: face.standing.background,
            queued: sight.queued,
            requests: face.requests.into_values().collect(),
            closed: sight.closed,
            held_back: !shared.log.has_room(),
            next_seq,
        }
    }

    /// Sends a message. Accepted or refused at once: an accepted turn gets exactly one end. Text is
    /// a message; see [`Message`] for what can be attached, which is read before this returns.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::TurnInProgress`], [`ErrorKind::Closed`], [`ErrorKind::TooLarge`],
    /// [`ErrorKind::Backlog`] when a reader of the events is too far behind,
    /// [`ErrorKind::Unsupported`] for what the agent does not take, or
    /// [`ErrorKind::InvalidArgument`] for an empty message or one with a NUL character. A refused
    /// message causes no event.
    pub fn send(&self, message: impl Into<Message>) -> Result<Turn, Error> {
        self.send_tagged(message, None)
    }

    /// Like [`send`](Self::send), with a mark of the host's own that comes back in the turn's first
    /// event.
    ///
    /// # Errors
    ///
    /// Those of [`send`](Self::send).
    pub fn send_tagged(
        &self,
        message: impl Into<Message>,
        tag: Option<u64>,
    ) -> Result<Turn, Error> {
        let message = self.inner.admit(message)?;
        let options = SendOptions {
            tag,
            ..SendOptions::default()
        };
        match self.inner.enter(message, options, false, None)? {
            Sent::Started(turn) | Sent::Queued { turn, .. } => Ok(turn),
            Sent::Steered { .. } => {
                Err(Error::new(ErrorKind::Internal, "it was not to be steered"))
            }
        }
    }

    /// Like [`send`](Self::send), and says what became of the message: it runs, it waits for the
    /// running turn, or it joined it. Waits only for the last, until the agent has shown it.
    ///
    /// Dropping the future of a message that is to join leaves open whether it does.
    ///
    /// # Errors
    ///
    /// Those of [`send`](Self::send); [`ErrorKind::Unsupported`] for a budget that the agent cannot be
    /// held to; [`ErrorKind::TurnInProgress`] also when the queue is full;
    /// [`ErrorKind::FirstOutputTimeout`] when the agent does not say whether a message joined a turn
    /// that is over: it is not sent again.
    pub async fn send_with(
        &self,
        message: impl Into<Message>,
        options: SendOptions,
    ) -> Result<Sent, Error> {
        let message = self.inner.admit(message)?;
        self.inner.check_budget(&options.budget)?;
        match options.on_busy {
            OnBusy::Reject => self.inner.enter(message, options, false, None),
            OnBusy::Queue => self.inner.enter(message, options, true, None),
            OnBusy::Steer => self.inner.steer(message, options).await,
        }
    }

    /// Sends a message and waits for the result.
    ///
    /// # Errors
    ///
    /// Those of [`send`](Self::send), and the two ends that are not good ones.
    pub async fn ask(&self, message: impl Into<Message>) -> Result<TurnResult, AskError> {
        self.send(message)?.result().await
    }

    /// Takes a waiting message out of the queue. Its turn ends as interrupted.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Stale`] when it began, or never waited; [`ErrorKind::Closed`] when the close ends it.
    pub fn cancel(&self, turn: TurnId) -> Result<(), Error> {
        self.inner.cancel(turn)
    }

    /// Puts another message in the place of a waiting one.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Stale`] when it began, or never waited; those of [`send`](Self::send).
    pub fn edit(&self, turn: TurnId, message: impl Into<Message>) -> Result<(), Error> {
        let message = self.inner.admit(message)?;
        self.inner.shared.gate.edit(turn, message)
    }

    /// Answers a question of the agent, once.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::AlreadyAnswered`] saying by whom, [`ErrorKind::Stale`],
    /// [`ErrorKind::InvalidArgument`] for an answer that the question does not take (it stays open),
    /// [`ErrorKind::Closed`], [`ErrorKind::Backlog`] when too many calls wait for their answers.
    pub async fn answer(&self, request: RequestId, answer: Answer) -> Result<(), Error> {
        let answer = |reply| Call::Answer {
            request,
            answer,
            reply,
        };
        self.inner.call(answer).await?
    }

    /// Changes settings: in the running process where the agent can, else by replacing it between
    /// two turns. The answer, and an event, say which. An agent that does not answer is replaced.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unsupported`] or [`ErrorKind::InvalidArgument`] for what the agent cannot take,
    /// [`ErrorKind::AgentError`] with its words when it refuses; nothing is changed then. What an
    /// agent took of a change before it refused the rest holds until its process is replaced, which
    /// is when the running turn is over. [`ErrorKind::Backlog`] when a reader of the events is too far
    /// behind, or too many calls wait for their answers. [`ErrorKind::Closed`].
    pub async fn change(&self, change: Change) -> Result<Changed, Error> {
        if change.settings().is_empty() {
            return Err(Error::invalid("change", "it names no setting"));
        }
        self.inner.check_backlog()?;
        let change = |reply| Call::Change { change, reply };
        self.inner.call(change).await?
    }

    /// Does something with the conversation. Starts a process if none runs.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unsupported`] for what the agent cannot do, its own refusal,
    /// [`ErrorKind::PoolFull`], [`ErrorKind::ProcessExit`], [`ErrorKind::Closed`];
    /// [`ErrorKind::Backlog`] as for [`change`](Self::change);
    /// [`ErrorKind::FirstOutputTimeout`] when it does not answer within
    /// [`Timeouts::first_output`](crate::config::Timeouts::first_output).
    pub async fn operate(&self, operation: Operation) -> Result<RawJson, Error> {
        let feature = Feature::from(operation.kind());
        let capabilities = self.inner.limits.capabilities;
        if !capabilities.can(feature, self.inner.shared.mode()) {
            let message = format!("the agent cannot do this here: {:?}", operation.kind());
            return Err(Error::new(ErrorKind::Unsupported, message));
        }
        self.inner.check_backlog()?;
        let operate = |reply| Call::Operate { operation, reply };
        self.inner.call(operate).await?
    }

    /// The session's events from `seq` on (1 is the first), then live. Any number of readers may
    /// read. A reader holds the session back when it does not read; see [`Events`].
    #[must_use]
    pub fn events(&self, from_seq: u64) -> Events {
        Events::new(Arc::clone(&self.inner.shared.log), from_seq)
    }

    /// Ends the turn that runs, the host's or the agent's own, or that waits. See
    /// [`Turn::interrupt`]. What else waits in the queue stays, and the next of it begins.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Closed`] when the session is gone, [`ErrorKind::Backlog`] when more than a thousand
    /// calls wait for their answers.
    pub async fn interrupt(&self, turn: TurnId) -> Result<Receipt, Error> {
        self.inner
            .interrupt(turn, InterruptOptions::default())
            .await
    }

    /// Like [`interrupt`](Self::interrupt), with a say in what goes with the turn.
    ///
    /// # Errors
    ///
    /// Those of [`interrupt`](Self::interrupt).
    pub async fn interrupt_with(
        &self,
        turn: TurnId,
        options: InterruptOptions,
    ) -> Result<Receipt, Error> {
        self.inner.interrupt(turn, options).await
    }

    /// Keeps the session's process from eviction while the guard lives.
    pub fn hold(&self) -> Hold {
        Hold::new(Arc::clone(&self.inner))
    }

    /// Closes the session: a running turn ends as failed with `closed`, the process is stopped, and
    /// when its whole tree is gone comes the last event, `session_closed`. A process that it shares is
    /// left, and goes on. Returns at once; a second call does nothing.
    pub fn close(&self) {
        self.inner.close();
    }

    /// Closes the session and waits until its tree is gone, or it is out of a process that it shares.
    /// The answer names processes that are left, or not proved to be gone, by pid; it is empty where
    /// everything ended.
    pub async fn closed(&self) -> Vec<u32> {
        self.close();
        let shared = &self.inner.shared;
        let mut events = self.events(shared.log.next_seq().saturating_sub(1));
        let mut left = Vec::new();
        while let Some(event) = events.next().await {
            if let crate::Body::SessionClosed { left: pids, .. } = &event.body {
                left.clone_from(pids);
            }
        }
        left
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("id", &self.id())
            .finish_non_exhaustive()
    }
}

impl SessionInner {
    pub(crate) async fn interrupt(
        &self,
        turn: TurnId,
        options: InterruptOptions,
    ) -> Result<Receipt, Error> {
        // What waits has nothing to interrupt: it is taken out.
        let waited = if options.drop_queue {
            let gate = &self.shared.gate;
            gate.cancel_queue(turn, |turn| self.tell_cancelled(turn))
        } else {
            self.cancel(turn)
        };
        if waited.is_ok() {
            return Ok(Receipt::Held);
        }
        let interrupt = |reply| Call::Interrupt {
            turn,
            keep_commands: options.keep_commands,
            drop_queue: options.drop_queue,
            reply,
        };
        self.call(interrupt).await
    }

    fn cancel(&self, turn: TurnId) -> Result<(), Error> {
        let gate = &self.shared.gate;
        gate.cancel(turn, |turn| self.tell_cancelled(turn))
    }

    /// Runs under the lock of the gate: it comes before the close, or does not come. An actor that is
    /// gone ends what waits without being told.
    fn tell_cancelled(&self, turn: TurnId) {
        let _ = self.inbox.send(Call::Cancelled(turn));
    }

    /// Whether the host may cause events. The memory is bounded also where it does not read them.
    pub(crate) fn check_backlog(&self) -> Result<(), Error> {
        if self.shared.log.is_backed_up() {
            let message = "a reader of the session's events is too far behind";
            return Err(Error::new(ErrorKind::Backlog, message));
        }
        Ok(())
    }

    async fn call<T>(&self, call: impl FnOnce(Reply<T>) -> Call) -> Result<T, Error> {
        let gone = || Error::closed("session");
        let (reply, answer) = self.places.reply()?;
        self.inbox.send(call(reply)).map_err(|_| gone())?;
        answer.await.map_err(|_| gone())
    }

    fn close(&self) {
        if self.shared.gate.close() {
            // A session that is gone is closed.
            let _ = self.inbox.send(Call::Close {
                reason: CloseReason::Host,
                by: None,
            });
        }
    }
}

impl Drop for SessionInner {
    fn drop(&mut self) {
        // In a forked copy nobody would hear it, and the locks may be held for ever.
        if self.pool.is_ours() {
            self.close();
        }
    }
}

/// Keeps a session's process from eviction. Dropping it lets go.
#[must_use = "dropping it lets the session go"]
pub struct Hold {
    inner: Arc<SessionInner>,
}

impl Hold {
    fn new(inner: Arc<SessionInner>) -> Self {
        if inner.shared.holds.add() {
            // A session that is gone needs no hold.
            let _ = inner.inbox.send(Call::Held);
        }
        Self { inner }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if self.inner.pool.is_ours() && self.inner.shared.holds.remove() {
            let _ = self.inner.inbox.send(Call::Held);
        }
    }
}

impl fmt::Debug for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Hold").field(&self.inner.shared.id).finish()
    }
}
