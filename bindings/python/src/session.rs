//! A session, as Python holds it.

use parking_lot::Mutex;
use pyo3::prelude::*;
use runtime::config::read_json;
use runtime::request::Answer;
use runtime::{Change, InterruptOptions, Message, Operation, RequestId, SendOptions, Sent, TurnId};
use serde::Serialize;

use crate::call::{Call, Value};
use crate::error::{Failure, refused};
use crate::life::Ours;
use crate::reader::Reader;
use crate::turn::{Turn, sent};

/// One conversation with an agent.
#[pyclass(frozen, module = "remuda._remuda")]
pub(crate) struct Session {
    session: Ours<runtime::Session>,
}

impl Session {
    pub(crate) fn new(session: runtime::Session) -> Self {
        Self {
            session: Ours::new(session),
        }
    }
}

fn json(value: &impl Serialize) -> PyResult<String> {
    Ok(serde_json::to_string(value).map_err(Failure::from)?)
}

fn message(text: String, more: Option<&str>) -> PyResult<Message> {
    let Some(more) = more else {
        return Ok(Message::from(text));
    };
    let mut message: Message = read_json("message", more).map_err(refused)?;
    message.text = text;
    Ok(message)
}

#[pymethods]
impl Session {
    /// The session's number.
    #[getter]
    fn id(&self) -> PyResult<u64> {
        Ok(self.session.get()?.id().get())
    }

    /// What the session is at this moment, as JSON.
    fn snapshot(&self, py: Python<'_>) -> PyResult<String> {
        let session = self.session.get()?;
        json(&py.detach(|| session.snapshot()))
    }

    /// Sends a message: text, and as JSON what else is in it. Accepted or refused at once.
    fn send(
        &self,
        py: Python<'_>,
        text: String,
        more: Option<&str>,
        tag: Option<u64>,
    ) -> PyResult<Turn> {
        let session = self.session.get()?;
        let message = message(text, more)?;
        let turn = py.detach(|| session.send_tagged(message, tag));
        Ok(Turn::new(turn.map_err(refused)?, None))
    }

    /// Sends a message with options, and says what became of it: a `Turn`, or the number of the one that it joined.
    fn send_with(&self, text: String, more: Option<&str>, options: &str) -> PyResult<Call> {
        let session = self.session.get()?.clone();
        let message = message(text, more)?;
        let options: SendOptions = read_json("options", options).map_err(refused)?;
        Ok(Call::new(async move {
            let became: Sent = session.send_with(message, options).await?;
            Ok(sent(became))
        }))
    }

    /// Takes a waiting message out of the queue.
    fn cancel(&self, py: Python<'_>, turn: u64) -> PyResult<()> {
        let session = self.session.get()?;
        let turn = TurnId::from_raw(turn);
        py.detach(|| session.cancel(turn)).map_err(refused)
    }

    /// Puts another message in the place of a waiting one.
    fn edit(&self, py: Python<'_>, turn: u64, text: String, more: Option<&str>) -> PyResult<()> {
        let session = self.session.get()?;
        let message = message(text, more)?;
        let turn = TurnId::from_raw(turn);
        py.detach(|| session.edit(turn, message)).map_err(refused)
    }

    /// Ends the turn that runs or waits. Gives the receipt as JSON.
    fn interrupt(&self, turn: u64, options: &str) -> PyResult<Call> {
        let session = self.session.get()?.clone();
        let options: InterruptOptions = read_json("options", options).map_err(refused)?;
        Ok(Call::new(async move {
            let turn = TurnId::from_raw(turn);
            Value::json(&session.interrupt_with(turn, options).await?)
        }))
    }

    /// Answers a question of the agent, once.
    fn answer(&self, request: u64, answer: &str) -> PyResult<Call> {
        let session = self.session.get()?.clone();
        let answer: Answer = read_json("answer", answer).map_err(refused)?;
        Ok(Call::new(async move {
            let request = RequestId::from_raw(request);
            session.answer(request, answer).await?;
            Ok(Value::Done)
        }))
    }

    /// Changes settings. Gives, as JSON, when they hold.
    fn change(&self, change: &str) -> PyResult<Call> {
        let session = self.session.get()?.clone();
        let change: Change = read_json("change", change).map_err(refused)?;
        Ok(Call::new(async move {
            Value::json(&session.change(change).await?)
        }))
    }

    /// Does something with the conversation. Gives what the agent says, as JSON.
    fn operate(&self, operation: &str) -> PyResult<Call> {
        let session = self.session.get()?.clone();
        let operation: Operation = read_json("operation", operation).map_err(refused)?;
        Ok(Call::new(async move {
            let said = session.operate(operation).await?;
            Ok(Value::Json(said.get().to_owned()))
        }))
    }

    /// A reader of the events from `from_seq` on; of all, or of those kinds, by number.
    #[pyo3(signature = (from_seq, kinds = None))]
    fn events(&self, from_seq: u64, kinds: Option<Vec<u16>>) -> PyResult<Reader> {
        Ok(Reader::new(self.session.get()?.events(from_seq), kinds))
    }

    /// Keeps the session's process from eviction until it is released.
    fn hold(&self) -> PyResult<Hold> {
        let hold = self.session.get()?.hold();
        Ok(Hold(Ours::new(Mutex::new(Some(hold)))))
    }

    /// Closes the session. Returns at once.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        let session = self.session.get()?;
        py.detach(|| session.close());
        Ok(())
    }

    /// Closes the session and waits until its tree is gone. Gives the pids that are left, as JSON.
    fn closed(&self) -> PyResult<Call> {
        let session = self.session.get()?.clone();
        Ok(Call::new(
            async move { Value::json(&session.closed().await) },
        ))
    }
}

/// Keeps a session's process from eviction.
#[pyclass(frozen, module = "remuda._remuda")]
pub(crate) struct Hold(Ours<Mutex<Option<runtime::Hold>>>);

#[pymethods]
impl Hold {
    /// Lets go. A second time changes nothing.
    fn release(&self) -> PyResult<()> {
        let hold = self.0.get()?.lock().take();
        drop(hold);
        Ok(())
    }
}
