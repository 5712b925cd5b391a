//! The open sessions of a pool, and what each of them asked last.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use crate::error::{Error, ErrorKind};
use crate::event::CloseReason;
use crate::ids::SessionId;
use crate::pool::founding::Recipe;
use crate::session::Call;

/// Reaches the sessions. When it is dropped nobody answers them any more, and they are told so.
#[derive(Default)]
pub(super) struct Members(HashMap<SessionId, Member>);

struct Member {
    inbox: mpsc::UnboundedSender<Call>,
    ticket: u64,
    /// How to start what it asked for, if sessions may share it.
    recipe: Option<Recipe>,
}

impl Members {
    pub(super) fn add(&mut self, session: SessionId, inbox: mpsc::UnboundedSender<Call>) {
        let member = Member {
            inbox,
            ticket: 0,
            recipe: None,
        };
        self.0.insert(session, member);
    }

    pub(super) fn remove(&mut self, session: SessionId) {
        self.0.remove(&session);
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = SessionId> {
        self.0.keys().copied()
    }

    /// Takes note of a session's last question. `false`: there is no such session.
    pub(super) fn asks(&mut self, session: SessionId, ticket: u64, recipe: Option<Recipe>) -> bool {
        let Some(member) = self.0.get_mut(&session) else {
            return false;
        };
        member.ticket = ticket;
        member.recipe = recipe;
        true
    }

    pub(super) fn take_recipe(&mut self, session: SessionId) -> Option<Recipe> {
        self.0.get_mut(&session)?.recipe.take()
    }

    /// The last question of a session; 0 if it has asked nothing.
    pub(super) fn ticket(&self, session: SessionId) -> u64 {
        self.0.get(&session).map_or(0, |m| m.ticket)
    }

    /// A session that is gone needs no news.
    pub(super) fn tell(&self, session: SessionId, call: Call) {
        if let Some(member) = self.0.get(&session) {
            let _ = member.inbox.send(call);
        }
    }

    /// Closes every session.
    pub(super) fn close_all(&self, by: Instant) {
        for session in self.0.keys() {
            self.close(*session, by);
        }
    }

    pub(super) fn close(&self, session: SessionId, by: Instant) {
        let close = Call::Close {
            reason: CloseReason::Shutdown,
            by: Some(kill_by(by)),
        };
        self.tell(session, close);
    }

    /// Refuses a session what it asked, because the pool cannot give anything any more.
    pub(super) fn disappoint(&self, session: SessionId) {
        let ticket = self.ticket(session);
        let error = lost();
        self.tell(session, Call::Denied { ticket, error });
    }

    pub(super) fn disappoint_all(&self) {
        for session in self.0.keys() {
            self.disappoint(*session);
        }
    }
}

impl Drop for Members {
    fn drop(&mut self) {
        self.disappoint_all();
    }
}

/// The kill comes some time before a deadline, so that its effect can be seen.
pub(super) fn kill_by(deadline: Instant) -> Instant {
    let now = Instant::now();
    let time = deadline.saturating_duration_since(now);
    let proof = (time / 3).min(Duration::from_secs(1));
    deadline.checked_sub(proof).unwrap_or(now)
}

/// What is said of a pool that has lost count of its processes.
pub(crate) fn lost() -> Error {
    let message = "the pool has lost count of its processes and starts none any more";
    Error::new(ErrorKind::Internal, message)
}
