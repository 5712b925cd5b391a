//! How messages come in.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::budget::Budget;
use crate::capabilities::Feature;
use crate::config::{Mode, Requests, SessionOptions};
use crate::delivery::Mark;
use crate::error::{Error, ErrorKind};
use crate::ids::TurnId;
use crate::media::Media;
use crate::message::Message;
use crate::provider::Capabilities;
use crate::session::call::Call;
use crate::session::gate::{Entered, Entry};
use crate::session::handle::SessionInner;
use crate::session::machine::Need;
use crate::session::turn::Turn;

/// How a message is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SendOptions {
    /// A mark of the host's own that comes back in the turn's first event.
    pub tag: Option<u64>,
    /// What becomes of it while a turn runs. Default: it is refused.
    pub on_busy: OnBusy,
    /// What the turn may use up. Default: no limit.
    pub budget: Budget,
}

/// What becomes of a message while a turn runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnBusy {
    /// It is refused with `turn_in_progress`.
    #[default]
    Reject,
    /// It waits, and runs as a turn of its own.
    Queue,
    /// It joins the running turn; where the agent cannot do that, or the turn is too far, it waits.
    Steer,
}

/// What became of a message.
#[derive(Debug)]
pub enum Sent {
    /// It runs.
    Started(Turn),
    /// It waits.
    Queued {
        /// Its turn.
        turn: Turn,
        /// How many wait before it.
        position: usize,
        /// Why it did not join the running turn, if that was wanted.
        why: Option<String>,
    },
    /// It joined this turn, and has no end of its own.
    Steered {
        /// The running turn.
        into: TurnId,
    },
}

/// What a message may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MessageLimits {
    pub(crate) bytes: usize,
    pub(crate) capabilities: Capabilities,
}

impl MessageLimits {
    /// Whether the agent can take it in a process of this kind.
    fn check(&self, message: &Message, mode: Mode) -> Result<(), Error> {
        let text = &message.text;
        if text.trim().is_empty() && message.attachments.is_empty() {
            return Err(Error::invalid("message", "it is empty"));
        }
        if text.len() > self.bytes {
            let (is, most) = (text.len(), self.bytes);
            let message = format!("message of {is} bytes; the most is {most} (max_message)");
            return Err(Error::new(ErrorKind::TooLarge, message));
        }
        if text.contains('\0') {
            return Err(Error::invalid("message", "it has a NUL character"));
        }
        if let Some(most) = self.capabilities.max_prompt_chars
            // Bytes bound characters from above: counting is needed only near the limit.
            && text.len() > most
            && text.chars().nth(most).is_some()
        {
            let message = format!("message of more than {most} characters, the agent's limit");
            return Err(Error::new(ErrorKind::TooLarge, message));
        }
        self.check_features(message, mode)
    }

    /// Whether the budget is one, and the agent tells all that it bounds.
    fn check_budget(&self, budget: &Budget, mode: Mode) -> Result<(), Error> {
        budget.check()?;
        if budget.max_cost_usd.is_some() && !self.capabilities.can(Feature::Cost, mode) {
            let message = "the agent does not tell what a turn costs (max_cost_usd)";
            return Err(Error::new(ErrorKind::Unsupported, message));
        }
        Ok(())
    }

    fn check_features(&self, message: &Message, mode: Mode) -> Result<(), Error> {
        for Need { feature, what } in needs(message) {
            if !self.capabilities.can(feature, mode) {
                let message = format!("the agent does not take {what} here");
                return Err(Error::new(ErrorKind::Unsupported, message));
            }
        }
        Ok(())
    }
}

/// What the agent has to be able to do for a message.
pub(super) fn needs(message: &Message) -> Vec<Need> {
    let attached = message.attachments.iter();
    let attached = attached.map(|attachment| {
        let kind = attachment.media_type.as_deref().unwrap_or("files");
        match Media::of(kind) {
            Some(Media::Image) => (Feature::Images, kind),
            Some(Media::Document) => (Feature::Documents, kind),
            Some(Media::Text) | None => (Feature::TextFiles, kind),
        }
    });
    let schema = message.output_schema.is_some();
    let schema = schema.then_some((Feature::OutputSchema, "an output schema"));
    let all = attached.chain(schema);
    all.map(|(feature, what)| Need {
        feature,
        what: what.to_owned(),
    })
    .collect()
}

/// Whether the host wants to be asked things that the agent asks only in a warm process.
pub(crate) fn asks_only_warm(options: &SessionOptions, capabilities: &Capabilities) -> bool {
    let asks = options.requests == Requests::Host || !options.rules.is_empty();
    let asked: &[Feature] = if asks {
        &[
            Feature::CommandApproval,
            Feature::FileChangeApproval,
            Feature::PermissionEscalation,
            Feature::PlanApproval,
            Feature::UserQuestion,
            Feature::Elicitation,
        ]
    } else {
        &[]
    };
    let called: &[Feature] = if options.tools.is_empty() {
        &[]
    } else {
        &[Feature::HostTools]
    };
    let client: &[Feature] = if options.client.is_any() {
        &[Feature::ClientFiles, Feature::ClientTerminals]
    } else {
        &[]
    };
    let only_warm = |feature: &Feature| {
        let support = capabilities.support(*feature);
        support.warm && !support.one_shot
    };
    asked.iter().chain(called).chain(client).any(only_warm)
}

impl SessionInner {
    /// Reads and checks a message, so that nothing is wrong with it once it is accepted.
    pub(crate) fn admit(&self, message: impl Into<Message>) -> Result<Arc<Message>, Error> {
        let mut message = message.into();
        message.load(&self.options.cwd)?;
        self.limits.check(&message, self.shared.mode())?;
        Ok(Arc::new(message))
    }

    /// Whether the agent can be held to the budget.
    pub(crate) fn check_budget(&self, budget: &Budget) -> Result<(), Error> {
        self.limits.check_budget(budget, self.shared.mode())
    }

    /// Starts or queues it, or refuses it, at once.
    pub(crate) fn enter(
        self: &Arc<Self>,
        message: Arc<Message>,
        options: SendOptions,
        queue: bool,
        why: Option<String>,
    ) -> Result<Sent, Error> {
        self.check_backlog()?;
        let from_seq = self.shared.log.next_seq();
        let entry = Entry {
            tag: options.tag,
            message,
            budget: options.budget.bounded(),
        };
        let told = why.clone();
        let log = &self.shared.log;
        let entered = self.shared.gate.enter(entry, queue, why, |turn, entry| {
            let mark = Mark::new(log, turn, from_seq);
            let call = match entry {
                Some(entry) => Call::Send { turn, entry },
                None => Call::Queued(turn),
            };
            self.inbox.send(call).ok().map(|()| mark)
        })?;
        let (entered, mark) = entered;
        let turn = |turn, end| Turn::new(Arc::clone(self), turn, mark, end);
        Ok(match entered {
            Entered::Started { turn: id, end } => Sent::Started(turn(id, end)),
            Entered::Queued {
                turn: id,
                position,
                end,
            } => Sent::Queued {
                turn: turn(id, end),
                position,
                why: told,
            },
        })
    }

    /// Lets it join the running turn, or else starts or queues it.
    pub(crate) async fn steer(
        self: &Arc<Self>,
        message: Arc<Message>,
        options: SendOptions,
    ) -> Result<Sent, Error> {
        if self.shared.gate.running().is_none() {
            return self.enter(message, options, true, None);
        }
        // The running turn has its own.
        let own = match (options.budget == Budget::default(), &message.output_schema) {
            (true, None) => None,
            (false, _) => Some("a budget"),
            (true, Some(_)) => Some("an output schema"),
        };
        if let Some(own) = own {
            let why = format!("a message with {own} needs a turn of its own");
            return self.enter(message, options, true, Some(why));
        }
        self.check_backlog()?;
        let (reply, outcome) = self.places.reply()?;
        let call = Call::Steer {
            message: Arc::clone(&message),
            tag: options.tag,
            reply,
        };
        self.inbox
            .send(call)
            .map_err(|_| Error::closed("session"))?;
        let lost = |_| {
            if self.shared.gate.is_closed() {
                return Error::closed("session");
            }
            let message = "the agent does not say whether the message joined the turn";
            Error::new(ErrorKind::FirstOutputTimeout, message)
        };
        match outcome.await.map_err(lost)? {
            Ok(into) => Ok(Sent::Steered { into }),
            Err(why) => self.enter(message, options, true, Some(why)),
        }
    }
}
