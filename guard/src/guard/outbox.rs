//! What the host has yet to be told.
//!
//! A host that does not read must not stop the guard from killing, so nothing here blocks, and of each kind of reply
//! only the last is kept.

use super::sys::{self, Fd, Pid};
use crate::protocol::{Ending, MAX_LEFT, REPLY_LEN, Reply, Step};

/// The replies that wait, in the order in which the host must see them.
#[derive(Default)]
pub(crate) struct Outbox {
    started: Option<Reply>,
    exited: Option<Reply>,
    left: Option<Reply>,
    gone: Option<Reply>,
    /// The reply that is being sent and how much of it is out.
    current: Option<([u8; REPLY_LEN], usize)>,
}

impl Outbox {
    pub(crate) fn started(&mut self, pid: Pid) {
        self.started = Some(Reply::Started {
            pid: pid.cast_unsigned(),
        });
    }

    pub(crate) fn failed(&mut self, step: Step, errno: i32) {
        self.started = Some(Reply::Failed { step, errno });
    }

    pub(crate) fn exited(&mut self, ending: Ending) {
        self.exited = Some(Reply::Exited(ending));
    }

    pub(crate) fn left(&mut self, pids: [u32; MAX_LEFT]) {
        self.left = Some(Reply::Left(pids));
    }

    pub(crate) fn gone(&mut self) {
        self.left = None;
        self.gone = Some(Reply::Gone);
    }

    pub(crate) fn is_empty(&self) -> bool {
        let waiting = [self.started, self.exited, self.left, self.gone];
        self.current.is_none() && waiting.iter().all(Option::is_none)
    }

    /// Drops everything: there is nobody to tell.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Sends what the socket takes now.
    pub(crate) fn flush(&mut self, control: Fd) {
        while let Some((bytes, sent)) = self.current.or_else(|| self.next()) {
            match sys::send(control, &bytes[sent..]) {
                Ok(len) if sent + len == REPLY_LEN => self.current = None,
                Ok(len) => self.current = Some((bytes, sent + len)),
                Err(sys::EAGAIN) => {
                    self.current = Some((bytes, sent));
                    return;
                }
                Err(sys::EINTR) => self.current = Some((bytes, sent)),
                Err(_) => return self.clear(),
            }
        }
    }

    fn next(&mut self) -> Option<([u8; REPLY_LEN], usize)> {
        let waiting = [
            &mut self.started,
            &mut self.exited,
            &mut self.left,
            &mut self.gone,
        ];
        let reply = waiting.into_iter().find_map(Option::take)?;
        Some((reply.encode(), 0))
    }
}
