//! Ending a turn from outside, and the commands that would outlive it.

use super::calls::{Call, Calls};
use super::thread::Thread;
use super::turn::{HostTurn, Stage};
use super::wire::RpcError;
use crate::provider::{Outcome, Output, TurnRef};

/// So often an interrupt is sent for one turn.
const TRIES: u8 = 3;

/// How far the interrupt of a turn is.
#[derive(Debug, Default)]
pub(super) struct Interrupt {
    stage: Stand,
    tries: u8,
    keep_commands: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stand {
    #[default]
    None,
    /// Waits until the turn has started, or shows that it still runs.
    Wanted,
    Sent,
}

impl Interrupt {
    /// That of a turn which begins now, if the host wanted its end before. `Some`: whether its commands
    /// go on.
    pub(super) fn wanted(keep_commands: Option<bool>) -> Self {
        keep_commands.map_or_else(Self::default, |keep_commands| Self {
            stage: Stand::Wanted,
            tries: 0,
            keep_commands,
        })
    }

    /// Whether the commands of a turn that ended so are to end with it. One that was to be
    /// interrupted and ended by itself all the same leaves none either.
    pub(super) fn stops_commands(&self, outcome: &Outcome) -> bool {
        let interrupted = *outcome == Outcome::Interrupted || self.stage != Stand::None;
        interrupted && !self.keep_commands
    }
}

impl Thread {
    /// The host wants that turn to end, and no other. One that waits for a turn of the agent's own was
    /// never sent and is over at once; one that is on its way is interrupted when it has started.
    pub(super) fn interrupt(
        &mut self,
        turn: TurnRef,
        keep_commands: bool,
        calls: &mut Calls,
        out: &mut Output,
    ) {
        let of_host = |host: &mut HostTurn| TurnRef::Host(host.turn) == turn;
        if let Some(host) = self.host.as_mut()
            && of_host(host)
        {
            let before = host.interrupt.unwrap_or(true);
            host.interrupt = Some(before && keep_commands);
            self.end_if_held(out);
            return;
        }
        if turn == TurnRef::None || self.current() != turn {
            return;
        }
        if self.interrupt.stage == Stand::None {
            self.interrupt = Interrupt::wanted(Some(keep_commands));
            self.resend_interrupt(calls, out);
        }
        self.interrupt.keep_commands &= keep_commands;
    }

    /// The session leaves: nothing is to run for it any more.
    pub(super) fn interrupt_all(&mut self, calls: &mut Calls, out: &mut Output) {
        let host = self.host.as_ref().map(|host| TurnRef::Host(host.turn));
        for turn in host.into_iter().chain([self.current()]) {
            self.interrupt(turn, false, calls, out);
        }
    }

    /// Ends the host's turn that was interrupted before it was sent.
    pub(super) fn end_if_held(&mut self, out: &mut Output) {
        let over =
            |host: &mut HostTurn| host.interrupt.is_some() && matches!(host.stage, Stage::Held);
        if let Some(host) = self.host.take_if(over) {
            self.end(TurnRef::Host(host.turn), Outcome::Interrupted, out);
        }
    }

    /// Sends an interrupt that waits, if a turn runs that can take it.
    pub(super) fn resend_interrupt(&mut self, calls: &mut Calls, out: &mut Output) {
        if self.interrupt.stage != Stand::Wanted {
            return;
        }
        let Some(running) = &self.running else { return };
        if self.interrupt.tries >= TRIES {
            return;
        }
        let id = running.inner.as_ref().unwrap_or(&running.id);
        let params = serde_json::json!({"threadId": &*self.id, "turnId": &**id});
        let call = Call::Interrupt(self.conversation);
        calls.write(call, "turn/interrupt", &params, out);
        self.interrupt.stage = Stand::Sent;
        self.interrupt.tries += 1;
    }

    /// An interrupt was refused. Either the server names the id it wants, or it does not see the
    /// turn as running yet; then the next word of the turn shows that it does.
    pub(super) fn interrupt_refused(
        &mut self,
        error: &RpcError,
        calls: &mut Calls,
        out: &mut Output,
    ) {
        if self.interrupt.stage != Stand::Sent {
            return;
        }
        let Some(running) = &mut self.running else {
            self.interrupt = Interrupt::default();
            return;
        };
        self.interrupt.stage = Stand::Wanted;
        if let Some((_, found)) = error.message.split_once("but found ") {
            let found = found.trim_matches(|c: char| c == '`' || c.is_whitespace());
            running.inner = Some(found.into());
            self.resend_interrupt(calls, out);
        }
    }

    /// Ends the commands that outlive their turns, and sub-agents at work with theirs.
    pub(super) fn stop_commands(&self, calls: &mut Calls, out: &mut Output) {
        self.stop_sub_agents(calls, out);
        self.clean(&self.id, calls, out);
    }

    /// Ends sub-agents at work, and their commands.
    pub(super) fn stop_sub_agents(&self, calls: &mut Calls, out: &mut Output) {
        for (id, child) in &self.children {
            if let Some(turn) = &child.running {
                let params = serde_json::json!({"threadId": &**id, "turnId": &**turn});
                calls.write(Call::Aside, "turn/interrupt", &params, out);
            }
            if child.running.is_some() || child.ledger.background(None) > 0 {
                self.clean(id, calls, out);
            }
        }
    }

    fn clean(&self, thread: &str, calls: &mut Calls, out: &mut Output) {
        let call = Call::Clean(self.conversation, thread.into());
        let params = serde_json::json!({"threadId": thread});
        calls.write(call, "thread/backgroundTerminals/clean", &params, out);
    }

    /// The agent told which commands of a thread still run.
    pub(super) fn commands_run_on(&mut self, thread: &str, listed: &[&str], out: &mut Output) {
        let running = self.running.as_ref().map(|r| r.turn);
        match self.children.get_mut(thread) {
            Some(child) => child.ledger.run_on(running, listed),
            None => self.ledger.run_on(running, listed),
        }
        self.count_background(out);
    }
}
