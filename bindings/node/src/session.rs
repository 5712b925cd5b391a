//! What JavaScript does with a session.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use napi_derive::napi;
use remuda::config::read_json;
use remuda::event::Failure;
use remuda::request::Answer as Said;
use remuda::{
    AskError, Change, Error, ErrorKind, InterruptOptions, Message, OnBusy, Operation, RequestId,
    SendOptions, Sent, Session, Source, TurnId, TurnResult,
};
use serde::Serialize;

use crate::calls::{Answer, Answered, Kept, elsewhere};
use crate::failure::{Refused, gone, json, refused};
use crate::joined::Joined;
use crate::pool::NativePool;
use crate::reader::{Kinds, Origin, Reader};

/// What became of a message, as JSON.
#[derive(Serialize)]
#[serde(tag = "sent", rename_all = "snake_case")]
enum Became {
    Started {
        turn: u64,
    },
    Queued {
        turn: u64,
        position: usize,
        why: Option<String>,
    },
    Steered {
        into: u64,
        /// The end of that turn has at least this `seq`.
        seq: u64,
    },
}

/// How a turn ended, as JSON.
#[derive(Serialize)]
#[serde(tag = "end", rename_all = "snake_case")]
enum End {
    Completed {
        result: TurnResult,
    },
    Failed {
        failure: Failure,
        result: TurnResult,
    },
    Interrupted {
        result: TurnResult,
    },
}

/// What a message became, with what its reader is to read.
fn became(sent: Sent, session: &Session, seq: u64) -> (Became, Origin) {
    match sent {
        Sent::Started(turn) => {
            let id = turn.id().get();
            (Became::Started { turn: id }, Origin::Turn(turn))
        }
        Sent::Queued {
            turn,
            position,
            why,
        } => {
            let id = turn.id().get();
            let became = Became::Queued {
                turn: id,
                position,
                why,
            };
            (became, Origin::Turn(turn))
        }
        Sent::Steered { into } => {
            let joined = Joined::new(session.clone(), into, seq);
            let into = into.get();
            (Became::Steered { into, seq }, Origin::Joined(joined))
        }
    }
}

/// How a turn will end.
type Ending = Pin<Box<dyn Future<Output = Result<TurnResult, AskError>> + Send>>;

fn ended(end: Result<TurnResult, AskError>) -> Answered {
    let end = match end {
        Ok(result) => End::Completed { result },
        Err(AskError::Failed { failure, result }) => End::Failed { failure, result },
        Err(AskError::Interrupted { result }) => End::Interrupted { result },
        Err(AskError::Refused(error)) => return Err(error),
        Err(other) => return Err(Error::new(ErrorKind::Internal, other.to_string())),
    };
    Ok(json(&end)?.into())
}

fn id(number: i64) -> u64 {
    // None has the number 0.
    u64::try_from(number).unwrap_or(0)
}

fn read<T: serde::de::DeserializeOwned>(name: &str, text: &str) -> Result<T, Refused> {
    read_json(name, text).map_err(|error| refused(&error))
}

/// Whether a file has to be read for it.
fn reads(message: &Message) -> bool {
    let mut sources = message.attachments.iter().map(|a| &a.source);
    sources.any(|source| matches!(source, Source::Path(_)))
}

impl NativePool {
    /// Whether a message of the session waits for a disk. What is sent next waits behind it.
    fn is_reading(&self, session: &Session) -> bool {
        let mut held = self.held.borrow_mut();
        let reading = held.reading.get_mut(&session.id().get());
        reading.is_some_and(|shared| Arc::get_mut(shared).is_none())
    }

    /// The next messages wait until this is dropped.
    fn begin_reading(&self, session: &Session) -> Arc<()> {
        let mut held = self.held.borrow_mut();
        Arc::clone(held.reading.entry(session.id().get()).or_default())
    }
}

#[napi]
impl NativePool {
    /// Sends a message whose fate is known at once, and gives it as JSON. `reader` is to read its turn. `None`: it
    /// waits for a disk, behind one that does, or for the agent, and `send_later` is to be called.
    #[napi(catch_unwind)]
    pub fn send(
        &self,
        session: i64,
        reader: u32,
        message: String,
        options: String,
    ) -> Result<Option<String>, Refused> {
        let session = self.session(session)?;
        let message: Message = read("message", &message)?;
        let options: SendOptions = read("options", &options)?;
        match options.on_busy {
            OnBusy::Steer => return Ok(None),
            OnBusy::Reject | OnBusy::Queue if reads(&message) || self.is_reading(&session) => {
                return Ok(None);
            }
            OnBusy::Reject | OnBusy::Queue => {}
        }
        let mut entering = pin!(session.send_with(message, options));
        let mut context = Context::from_waker(Waker::noop());
        let sent = match entering.as_mut().poll(&mut context) {
            Poll::Ready(sent) => sent,
            Poll::Pending => Err(Error::new(
                ErrorKind::Internal,
                "a message waits that need not",
            )),
        };
        let sent = sent.map_err(|error| refused(&error))?;
        let (became, origin) = became(sent, &session, 1);
        self.keep(reader, origin);
        json(&became).map(Some).map_err(|error| refused(&error))
    }

    /// Sends a message. Answered with what became of it; from then on `reader` reads its turn.
    #[napi(catch_unwind)]
    pub fn send_later(
        &self,
        session: i64,
        reader: u32,
        call: u32,
        message: String,
        options: String,
    ) -> Result<(), Refused> {
        let session = self.session(session)?;
        let message: Message = read("message", &message)?;
        let options: SendOptions = read("options", &options)?;
        let waits = reads(&message) || self.is_reading(&session);
        let reading = waits.then(|| self.begin_reading(&session));
        let seq = session.snapshot().next_seq;
        let sending = async move {
            let sent = session.send_with(message, options).await?;
            drop(reading);
            let (became, origin) = became(sent, &session, seq);
            Ok(Answer {
                json: json(&became)?,
                kept: Kept::Reader(reader, Box::new(origin)),
            })
        };
        if waits {
            self.call(call, elsewhere(sending));
        } else {
            self.call(call, sending);
        }
        Ok(())
    }

    /// The end of the turn that `reader` reads, whether it reads or not.
    #[napi(catch_unwind)]
    pub fn result(&self, reader: u32, call: u32) -> Result<(), Refused> {
        let end: Ending = match self.held.borrow().readers.get(&reader).map(Reader::origin) {
            Some(Origin::Turn(turn)) => Box::pin(turn.end()),
            Some(Origin::Joined(joined)) => Box::pin(joined.end()),
            Some(Origin::Session(_) | Origin::Lent(_)) | None => return Err(gone("turn")),
        };
        self.call(call, async move { ended(end.await) });
        Ok(())
    }

    /// A reader of the session's events from `seq` on, of all kinds or of these.
    #[napi(catch_unwind)]
    pub fn events(
        &self,
        session: i64,
        reader: u32,
        seq: i64,
        kinds: Option<Vec<String>>,
    ) -> Result<(), Refused> {
        let events = self.session(session)?.events(id(seq));
        let kinds = kinds.map(|names| Kinds::of(&names));
        let origin = Origin::Session(events);
        self.add_reader(reader, Reader::new(reader, origin, kinds, &self.ready));
        Ok(())
    }

    /// Interrupts a turn. Answered with the receipt.
    #[napi(catch_unwind)]
    pub fn interrupt(
        &self,
        session: i64,
        turn: i64,
        call: u32,
        options: String,
    ) -> Result<(), Refused> {
        let session = self.session(session)?;
        let options: InterruptOptions = read("options", &options)?;
        let turn = TurnId::from_raw(id(turn));
        self.call(call, async move {
            Ok(json(&session.interrupt_with(turn, options).await?)?.into())
        });
        Ok(())
    }

    /// Answers a question. Answered with nothing.
    #[napi(catch_unwind)]
    pub fn answer(
        &self,
        session: i64,
        request: i64,
        call: u32,
        answer: String,
    ) -> Result<(), Refused> {
        let session = self.session(session)?;
        let answer: Said = read("answer", &answer)?;
        let request = RequestId::from_raw(id(request));
        self.call(call, async move {
            session.answer(request, answer).await?;
            Ok("null".to_owned().into())
        });
        Ok(())
    }

    /// Changes settings. Answered with when they hold.
    #[napi(catch_unwind)]
    pub fn change(&self, session: i64, call: u32, change: String) -> Result<(), Refused> {
        let session = self.session(session)?;
        let change: Change = read("change", &change)?;
        self.call(call, async move {
            Ok(json(&session.change(change).await?)?.into())
        });
        Ok(())
    }

    /// Does something with the conversation. Answered with what it gives.
    #[napi(catch_unwind)]
    pub fn operate(&self, session: i64, call: u32, operation: String) -> Result<(), Refused> {
        let session = self.session(session)?;
        let operation: Operation = read("operation", &operation)?;
        self.call(call, async move {
            let given = session.operate(operation).await?;
            Ok(given.get().to_owned().into())
        });
        Ok(())
    }

    /// Puts another message in the place of a waiting one. Answered with nothing.
    #[napi(catch_unwind)]
    pub fn edit(&self, session: i64, turn: i64, call: u32, message: String) -> Result<(), Refused> {
        let session = self.session(session)?;
        let message: Message = read("message", &message)?;
        let turn = TurnId::from_raw(id(turn));
        self.call(
            call,
            elsewhere(async move {
                session.edit(turn, message)?;
                Ok("null".to_owned().into())
            }),
        );
        Ok(())
    }

    /// Takes a waiting message out of the queue.
    #[napi(catch_unwind)]
    pub fn cancel(&self, session: i64, turn: i64) -> Result<(), Refused> {
        let cancelled = self.session(session)?.cancel(TurnId::from_raw(id(turn)));
        cancelled.map_err(|error| refused(&error))
    }

    /// Keeps the session's process from eviction until `unhold` with the same number.
    #[napi(catch_unwind)]
    pub fn hold(&self, session: i64, hold: u32) -> Result<(), Refused> {
        let guard = self.session(session)?.hold();
        self.held.borrow_mut().holds.insert(hold, guard);
        Ok(())
    }

    /// Lets go. A second time does nothing.
    #[napi(catch_unwind)]
    pub fn unhold(&self, hold: u32) {
        let guard = self.held.borrow_mut().holds.remove(&hold);
        drop(guard);
    }

    /// The session at this moment, as JSON.
    #[napi(catch_unwind)]
    pub fn snapshot(&self, session: i64) -> Result<String, Refused> {
        json(&self.session(session)?.snapshot()).map_err(|error| refused(&error))
    }

    /// The options that the session was opened with, as JSON.
    #[napi(catch_unwind)]
    pub fn session_options(&self, session: i64) -> Result<String, Refused> {
        json(self.session(session)?.options()).map_err(|error| refused(&error))
    }

    /// Closes the session. Answered with the processes that are left.
    #[napi(catch_unwind)]
    pub fn close(&self, session: i64, call: u32) -> Result<(), Refused> {
        let session = self.session(session)?;
        session.close();
        self.call(
            call,
            async move { Ok(json(&session.closed().await)?.into()) },
        );
        Ok(())
    }

    /// JavaScript has the session no more. It is closed when no turn and no call of it is left either.
    #[napi(catch_unwind)]
    pub fn drop_session(&self, session: i64) {
        let session = {
            let mut held = self.held.borrow_mut();
            held.reading.remove(&id(session));
            held.sessions.remove(&id(session))
        };
        drop(session);
    }
}
