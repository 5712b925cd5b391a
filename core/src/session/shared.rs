//! What the actor of a session and its handles both see.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::config::Mode;
use crate::delivery::Log;
use crate::ids::SessionId;
use crate::session::gate::Gate;

/// A session's face: the actor writes, hosts read.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) id: SessionId,
    pub(crate) log: Arc<Log>,
    pub(crate) gate: Gate,
    face: Mutex<Face>,
}

#[derive(Debug)]
struct Face {
    conversation: Option<String>,
    mode: Mode,
}

impl Shared {
    pub(crate) fn new(id: SessionId, log_bytes: usize, resume: Option<String>, mode: Mode) -> Self {
        Self {
            id,
            log: Log::new(id, log_bytes),
            gate: Gate::default(),
            face: Mutex::new(Face {
                conversation: resume,
                mode,
            }),
        }
    }

    pub(crate) fn bind(&self, conversation: &str) {
        self.face.lock().conversation = Some(conversation.to_owned());
    }

    pub(crate) fn conversation(&self) -> Option<String> {
        self.face.lock().conversation.clone()
    }

    pub(crate) fn set_mode(&self, mode: Mode) {
        self.face.lock().mode = mode;
    }

    pub(crate) fn mode(&self) -> Mode {
        self.face.lock().mode
    }
}
