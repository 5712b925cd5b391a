//! How sessions get out of a process: one by one while it goes on, or all at its end.

use tokio::time::Instant;

use super::{Actor, Running};
use crate::process::audience::Overflow;
use crate::process::seam::Control;
use crate::process::{Command, Report, Stop};
use crate::provider::{Conversation, Request};

impl Actor {
    /// A session leaves: the agent is asked to let go of its conversation.
    pub(super) fn leave<C: Control>(
        &mut self,
        conversation: Conversation,
        stop: Stop,
        running: &mut Running<C>,
    ) {
        if self.life.is_stopping() {
            return self.life.stop(stop, Instant::now());
        }
        // One that is at its end is gone soon.
        if self.life.is_output_closed() || !self.leaving.begin(conversation, Instant::now()) {
            return;
        }
        if self.facts.write_failed.is_some() {
            // It would not hear of it.
            return self.life.kill(Instant::now());
        }
        self.request(Request::Close { conversation }, running);
    }

    /// The agent has let go of these.
    pub(super) fn let_go(&mut self, conversations: Vec<Conversation>) {
        for conversation in conversations {
            if self.leaving.end(conversation) {
                self.audience.dismiss(conversation);
            }
        }
    }

    /// What is left of a tree that is not gone: never nothing.
    pub(super) fn left_of<C>(&self, running: &Running<C>) -> Vec<u32> {
        if self.left.is_empty() {
            vec![running.pid]
        } else {
            self.left.clone()
        }
    }

    /// Tells everybody that the process is gone, those too who come at the last moment.
    pub(super) async fn farewell(&mut self, left: Vec<u32>) {
        let gone = || Report::Gone { left: left.clone() };
        self.audience.all(Overflow::Keep, |_| gone());
        // Whoever sends from now on is told by the channel itself.
        self.commands.close();
        while let Some(command) = self.commands.recv().await {
            if let Command::Attach {
                conversation,
                reports,
            } = command
            {
                let mut since = self.facts.since(conversation);
                since.push(gone());
                self.audience
                    .attach(conversation, reports, self.facts.start(), since);
            }
        }
        while !self.audience.is_clear() {
            self.audience.progress().await;
        }
    }
}
