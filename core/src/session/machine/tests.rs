use std::time::Duration;

use super::*;
use crate::error::ErrorKind;
use crate::event::{EventKind, Resolution, ToolKind};
use crate::provider::{AgentRequest, Outcome, SignalBody, TurnEnd, TurnRef};

const POLICY: Policy = Policy {
    timeouts: Timeouts {
        start: Duration::from_secs(30),
        first_sign: Duration::from_secs(10),
        first_output: Duration::from_secs(90),
        silence: Duration::from_mins(3),
        tool_silence: Duration::from_mins(30),
        write: Duration::from_secs(30),
        interrupt_grace: Duration::from_secs(5),
        request: Duration::from_mins(5),
    },
    downgrade: Downgrade::Sticky,
    warm: true,
    resume: true,
    first_sign: true,
    one_shot_deltas: true,
};

/// A machine with a clock that the test moves, and what it did.
struct Bench {
    machine: Machine,
    now: Instant,
    shown: Vec<(Option<TurnId>, Body)>,
    process: Option<ProcessId>,
    resume: Option<String>,
}

impl Bench {
    fn new(policy: Policy) -> Self {
        let now = Instant::now();
        Self {
            machine: Machine::new(policy, None, now),
            now,
            shown: Vec::new(),
            process: None,
            resume: None,
        }
    }

    /// Steps, and gives back the names of what is to be done beside showing.
    fn step(&mut self, input: Input) -> Vec<String> {
        let mut out = Vec::new();
        self.machine.step(self.now, input, &mut out);
        let mut names = Vec::new();
        for effect in out {
            names.push(match effect {
                Effect::Show(turn, body) => {
                    self.shown.push((turn, body));
                    continue;
                }
                Effect::Start {
                    process,
                    mode,
                    resume,
                    ..
                } => {
                    self.process = Some(process);
                    self.resume = resume;
                    format!("start {mode:?}")
                }
                Effect::Acquire(want) => format!("acquire {want:?}"),
                Effect::Ask(_, Request::Turn { .. }) => "ask turn".into(),
                Effect::Ask(_, Request::Interrupt { .. }) => "ask interrupt".into(),
                Effect::Ask(_, Request::Answer { .. }) => "answer".into(),
                Effect::Ask(_, Request::Open { .. }) => "open".into(),
                Effect::Ask(_, Request::Steer { .. }) => "ask steer".into(),
                Effect::Ask(_, Request::Change { .. }) => "ask change".into(),
                Effect::Ask(_, Request::Operate { .. }) => "ask operate".into(),
                Effect::Ask(_, Request::Close { .. }) => "ask close".into(),
                Effect::Stop(_, Stop::Kill) => "kill".into(),
                Effect::Stop(_, Stop::Gently { .. }) => "stop".into(),
                Effect::Receipt(receipt) => format!("{receipt:?}"),
                Effect::Abandon => "abandon".into(),
                Effect::StartDone => "start done".into(),
                Effect::FreeSlot => "free slot".into(),
                Effect::Idle => "idle".into(),
                Effect::Busy => "busy".into(),
                Effect::RefuseEviction => "refuse".into(),
                Effect::Closed => "closed".into(),
            });
        }
        names
    }

    fn send(&mut self) -> (TurnId, Vec<String>) {
        let turn = TurnId::next();
        let message = Arc::new("hello".into());
        let names = self.step(Input::Send {
            turn,
            tag: None,
            message,
        });
        (turn, names)
    }

    fn current(&self) -> ProcessId {
        self.process.expect("a process was started")
    }

    fn says(&mut self, turn: TurnRef, body: SignalBody) -> Vec<String> {
        let signal = Signal {
            conversation: ONLY,
            turn,
            body,
        };
        self.step(Input::Signal(self.current(), signal))
    }

    fn shows(&mut self, turn: TurnId, body: Body) -> Vec<String> {
        self.says(TurnRef::Host(turn), SignalBody::Show(body))
    }

    fn ready(&mut self) -> Vec<String> {
        let spawned = Report::Spawned {
            pid: 42,
            containment: Containment::Guard,
        };
        self.step(Input::Report(self.current(), spawned));
        self.says(TurnRef::None, SignalBody::Ready { version: None })
    }

    fn ends(&mut self, turn: TurnId, outcome: Outcome) -> Vec<String> {
        let end = TurnEnd {
            outcome,
            ..TurnEnd::default()
        };
        self.says(TurnRef::Host(turn), SignalBody::Ended(Box::new(end)))
    }

    fn bound(&mut self, id: &str) {
        let body = SignalBody::Bound {
            provider_session_id: id.into(),
            model: None,
            resumed: false,
        };
        self.says(TurnRef::None, body);
    }

    fn dies(&mut self) -> Vec<String> {
        let exit = Exit {
            signal: Some(9),
            ..Exit::default()
        };
        let process = self.current();
        let exited = Report::Exited {
            exit,
            stderr: "last words".into(),
        };
        let mut names = self.step(Input::Report(process, exited));
        names.extend(self.step(Input::Report(process, Report::OutputClosed)));
        names
    }

    /// The session in the middle of a turn.
    fn running(policy: Policy) -> (Self, TurnId) {
        let mut bench = Self::new(policy);
        let (turn, _) = bench.send();
        bench.step(Input::Granted(Given::Slot));
        bench.bound("conversation");
        assert_eq!(bench.ready(), ["start done", "ask turn"]);
        (bench, turn)
    }

    /// The session between turns.
    fn idle(policy: Policy) -> Self {
        let (mut bench, turn) = Self::running(policy);
        assert_eq!(bench.ends(turn, Outcome::Completed), ["idle"]);
        bench
    }

    fn kinds(&self) -> Vec<EventKind> {
        self.shown.iter().map(|(_, body)| body.kind()).collect()
    }

    fn last(&self) -> &Body {
        &self.shown.last().expect("something was shown").1
    }
}

fn delta(text: &str) -> Body {
    Body::TextDelta {
        text: text.into(),
        parent: None,
    }
}

fn tool(id: &str) -> Body {
    Body::ToolUse {
        id: id.into(),
        name: "Bash".into(),
        kind: ToolKind::Shell,
        title: "ls".into(),
        input: crate::event::RawJson::from_text("{}"),
        parent: None,
    }
}

#[test]
fn a_warm_process_answers_turn_after_turn() {
    let mut bench = Bench::idle(POLICY);
    for _ in 0..3 {
        let (turn, names) = bench.send();
        assert_eq!(names, ["ask turn", "busy"]);
        bench.shows(turn, delta("hi"));
        assert_eq!(bench.ends(turn, Outcome::Completed), ["idle"]);
    }
}

#[test]
fn eviction_takes_the_process_and_leaves_the_session() {
    let (mut bench, turn) = Bench::running(POLICY);
    let evict = || Input::Evict(EvictionReason::LeastRecentlyUsed);
    assert_eq!(bench.step(evict()), ["refuse"], "a busy session stays");
    bench.ends(turn, Outcome::Completed);
    assert_eq!(bench.step(evict()), ["stop", "free slot"]);
    let (_, names) = bench.send();
    assert_eq!(names, ["acquire Warm"]);
    bench.step(Input::Granted(Given::Slot));
    assert_eq!(bench.resume.as_deref(), Some("conversation"));
}

#[test]
fn death_before_any_sign_of_the_turn_runs_it_again_in_a_process_of_its_own() {
    let (mut bench, turn) = Bench::running(POLICY);
    assert_eq!(bench.dies(), ["kill", "free slot", "acquire OneShot"]);
    assert_eq!(
        bench.step(Input::Granted(Given::OneShot)),
        ["start OneShot"]
    );
    bench.ready();
    bench.shows(turn, delta("hi"));
    assert_eq!(bench.ends(turn, Outcome::Completed), ["stop"]);
    let ends = bench.kinds().iter().filter(|k| k.is_turn_end()).count();
    let starts = bench
        .kinds()
        .iter()
        .filter(|k| **k == EventKind::TurnStarted)
        .count();
    assert_eq!((starts, ends), (1, 1), "the host sees one turn");
    assert!(bench.kinds().contains(&EventKind::Downgraded));
    assert_eq!(bench.send().1, ["acquire OneShot"]);
}

#[test]
fn death_after_a_sign_fails_the_turn_with_exit_and_stderr_and_downgrades() {
    let (mut bench, turn) = Bench::running(POLICY);
    bench.says(TurnRef::Host(turn), SignalBody::Taken);
    assert_eq!(bench.dies(), ["kill", "free slot"]);
    let Body::TurnFailed { failure, .. } = bench.last() else {
        panic!("expected a failure, got {:?}", bench.last());
    };
    assert_eq!(failure.code, ErrorKind::ProcessExit);
    assert_eq!(failure.exit.and_then(|e| e.signal), Some(9));
    assert_eq!(failure.stderr.as_deref(), Some("last words"));
    assert_eq!(bench.send().1, ["acquire OneShot"]);
    bench.step(Input::Granted(Given::OneShot));
    assert_eq!(bench.resume.as_deref(), Some("conversation"));
}

#[test]
fn a_turn_is_tried_again_only_once() {
    let (mut bench, _) = Bench::running(POLICY);
    bench.dies();
    bench.step(Input::Granted(Given::OneShot));
    bench.ready();
    assert_eq!(bench.dies(), ["kill"]);
    assert_eq!(bench.last().kind(), EventKind::TurnFailed);
}

#[test]
fn an_end_that_comes_before_the_exit_is_joined_wins() {
    let (mut bench, turn) = Bench::running(POLICY);
    bench.shows(turn, delta("hi"));
    let exited = Report::Exited {
        exit: Exit::default(),
        stderr: String::new(),
    };
    assert_eq!(bench.step(Input::Report(bench.current(), exited)), [""; 0]);
    bench.ends(turn, Outcome::Completed);
    assert_eq!(bench.last().kind(), EventKind::TurnCompleted);
    let names = bench.step(Input::Report(bench.current(), Report::OutputClosed));
    assert_eq!(names, ["kill", "free slot"]);
    assert!(!bench.kinds().contains(&EventKind::Downgraded));
}

#[test]
fn an_idle_process_that_dies_costs_nothing() {
    let mut bench = Bench::idle(POLICY);
    assert_eq!(bench.dies(), ["kill", "free slot"]);
    let gone = Report::Gone { left: vec![] };
    bench.step(Input::Report(bench.current(), gone));
    assert!(matches!(
        bench.last(),
        Body::ProcessStopped {
            reason: StopReason::Exited,
            ..
        }
    ));
    assert_eq!(bench.send().1, ["acquire Warm"]);
}

#[test]
fn errors_of_the_model_or_the_account_never_downgrade() {
    for code in [
        ErrorKind::ModelError,
        ErrorKind::AccountError,
        ErrorKind::RateLimited,
        ErrorKind::ContextFull,
    ] {
        let (mut bench, turn) = Bench::running(POLICY);
        let message = "no".to_owned();
        assert_eq!(
            bench.ends(turn, Outcome::Failed { code, message }),
            ["idle"]
        );
        assert_eq!(bench.last().kind(), EventKind::TurnFailed);
        assert!(!bench.kinds().contains(&EventKind::Downgraded));
    }
}

#[test]
fn an_interrupt_ends_the_turn_as_interrupted_and_the_process_stays() {
    let (mut bench, turn) = Bench::running(POLICY);
    assert_eq!(
        bench.step(Input::Interrupt(turn)),
        ["Delivered", "ask interrupt"]
    );
    assert_eq!(
        bench.step(Input::Interrupt(turn)),
        ["Delivered"],
        "sent once"
    );
    assert_eq!(bench.ends(turn, Outcome::Interrupted), ["idle"]);
    assert_eq!(bench.last().kind(), EventKind::TurnInterrupted);
    assert_eq!(bench.step(Input::Interrupt(turn)), ["TooLate"]);
}

#[test]
fn an_interrupt_without_effect_replaces_the_process_after_the_grace_time() {
    let (mut bench, turn) = Bench::running(POLICY);
    bench.step(Input::Interrupt(turn));
    bench.now += POLICY.timeouts.interrupt_grace;
    assert_eq!(bench.machine.deadline(), Some(bench.now));
    assert_eq!(bench.step(Input::Tick), ["kill", "free slot"]);
    assert_eq!(bench.last().kind(), EventKind::TurnInterrupted);
    assert_eq!(bench.send().1, ["acquire Warm"], "no downgrade");
}

#[test]
fn an_interrupt_before_the_process_has_the_turn_ends_it_at_once() {
    let mut bench = Bench::new(POLICY);
    let (turn, _) = bench.send();
    assert_eq!(bench.step(Input::Interrupt(turn)), ["Delivered", "abandon"]);
    assert_eq!(bench.last().kind(), EventKind::TurnInterrupted);
    let (turn, _) = bench.send();
    bench.step(Input::Granted(Given::Slot));
    assert_eq!(bench.step(Input::Interrupt(turn)), ["Delivered"]);
    assert_eq!(bench.last().kind(), EventKind::TurnInterrupted);
    assert_eq!(
        bench.ready(),
        ["start done", "idle"],
        "it serves the next turn"
    );
}

#[test]
fn death_after_an_interrupt_is_an_interrupted_turn_without_downgrade() {
    let (mut bench, turn) = Bench::running(POLICY);
    bench.step(Input::Interrupt(turn));
    bench.dies();
    assert_eq!(bench.last().kind(), EventKind::TurnInterrupted);
    assert_eq!(bench.send().1, ["acquire Warm"]);
}

#[test]
fn each_deadline_fails_with_its_own_kind() {
    let mut bench = Bench::new(POLICY);
    bench.send();
    bench.step(Input::Granted(Given::Slot));
    bench.now += POLICY.timeouts.start;
    assert_eq!(
        bench.step(Input::Tick),
        ["start done", "kill", "free slot", "acquire OneShot"]
    );

    let (mut bench, _) = Bench::running(POLICY);
    bench.now += POLICY.timeouts.first_sign;
    assert_eq!(
        bench.step(Input::Tick),
        ["kill", "free slot", "acquire OneShot"]
    );

    let failed = |bench: &Bench| match bench.last() {
        Body::TurnFailed { failure, .. } => failure.code,
        other => panic!("expected a failure, got {other:?}"),
    };
    let (mut bench, turn) = Bench::running(POLICY);
    bench.says(TurnRef::Host(turn), SignalBody::Taken);
    bench.now += POLICY.timeouts.first_output;
    bench.step(Input::Tick);
    assert_eq!(failed(&bench), ErrorKind::FirstOutputTimeout);

    let (mut bench, turn) = Bench::running(POLICY);
    bench.shows(turn, delta("a"));
    bench.now += POLICY.timeouts.silence;
    bench.step(Input::Tick);
    assert_eq!(failed(&bench), ErrorKind::SilenceTimeout);

    let (mut bench, turn) = Bench::running(POLICY);
    bench.shows(turn, tool("t"));
    bench.now += POLICY.timeouts.silence;
    assert_eq!(
        bench.step(Input::Tick),
        [""; 0],
        "a tool may be silent for long"
    );
    bench.now += Duration::from_mins(27);
    bench.step(Input::Tick);
    assert_eq!(failed(&bench), ErrorKind::SilenceTimeout);
}

#[test]
fn while_the_host_is_behind_the_agent_cannot_be_silent() {
    let (mut bench, turn) = Bench::running(POLICY);
    bench.shows(turn, delta("a"));
    bench.step(Input::Paused(true));
    assert_eq!(bench.machine.deadline(), None);
    bench.now += Duration::from_hours(1);
    assert_eq!(bench.step(Input::Tick), [""; 0]);
    bench.step(Input::Paused(false));
    assert_eq!(
        bench.machine.deadline(),
        Some(bench.now + POLICY.timeouts.silence)
    );
}

#[test]
fn a_turn_in_which_a_tool_has_started_is_never_sent_twice() {
    let (mut bench, turn) = Bench::running(POLICY);
    bench.shows(turn, tool("t"));
    let names = bench.dies();
    assert!(!names.iter().any(|n| n.starts_with("acquire")), "{names:?}");
    assert_eq!(bench.last().kind(), EventKind::TurnFailed);
}

#[test]
fn a_repeated_tool_id_is_dropped() {
    let (mut bench, turn) = Bench::running(POLICY);
    bench.shows(turn, tool("t"));
    bench.shows(turn, tool("t"));
    bench.shows(turn, tool("u"));
    let uses = bench
        .kinds()
        .iter()
        .filter(|k| **k == EventKind::ToolUse)
        .count();
    assert_eq!(uses, 2);
}

#[test]
fn output_of_an_old_turn_becomes_one_note_and_never_touches_the_new_one() {
    let mut bench = Bench::idle(POLICY);
    let (old, _) = bench.send();
    bench.ends(old, Outcome::Completed);
    let (new, _) = bench.send();
    bench.shown.clear();
    bench.shows(old, delta("late"));
    bench.shows(old, delta("later"));
    bench.ends(old, Outcome::Completed);
    assert_eq!(bench.kinds(), [EventKind::Warning]);
    assert_eq!(bench.shown[0].0, None);
    bench.shows(new, delta("mine"));
    bench.ends(new, Outcome::Completed);
    assert_eq!(bench.last().kind(), EventKind::TurnCompleted);
}

#[test]
fn what_an_old_process_says_is_dropped() {
    let (mut bench, turn) = Bench::running(POLICY);
    let old = bench.current();
    bench.dies();
    bench.step(Input::Granted(Given::OneShot));
    bench.ready();
    bench.shown.clear();
    let signal = Signal {
        conversation: ONLY,
        turn: TurnRef::Host(turn),
        body: SignalBody::Ended(Box::default()),
    };
    bench.step(Input::Signal(old, signal));
    assert_eq!(bench.shown, []);
}

#[test]
fn work_that_the_agent_starts_is_a_turn_of_its_own_and_keeps_the_session_busy() {
    let mut bench = Bench::idle(POLICY);
    assert_eq!(
        bench.says(TurnRef::Agent(1), SignalBody::AgentTurn),
        ["busy"]
    );
    assert!(matches!(
        bench.last(),
        Body::TurnStarted {
            origin: TurnOrigin::Agent,
            ..
        }
    ));
    assert_eq!(
        bench.step(Input::Evict(EvictionReason::IdleTimeout)),
        ["refuse"]
    );
    let (turn, names) = bench.send();
    assert_eq!(names, ["ask turn"]);
    bench.now += POLICY.timeouts.first_output;
    assert_eq!(
        bench.step(Input::Tick),
        [""; 0],
        "the agent has not come to it yet"
    );
    let end = SignalBody::Ended(Box::default());
    bench.says(TurnRef::Agent(1), end);
    assert_eq!(bench.last().kind(), EventKind::TurnCompleted);
    assert_eq!(bench.ends(turn, Outcome::Completed), ["idle"]);
}

#[test]
fn background_work_keeps_the_session_busy() {
    let mut bench = Bench::idle(POLICY);
    let background = |tasks| SignalBody::Background { tasks };
    assert_eq!(bench.says(TurnRef::None, background(1)), ["busy"]);
    assert_eq!(
        bench.step(Input::Evict(EvictionReason::IdleTimeout)),
        ["refuse"]
    );
    assert_eq!(bench.says(TurnRef::None, background(0)), ["idle"]);
}

#[test]
fn a_held_session_is_not_evicted() {
    let mut bench = Bench::idle(POLICY);
    assert_eq!(bench.step(Input::Hold(true)), ["busy"]);
    assert_eq!(
        bench.step(Input::Evict(EvictionReason::IdleTimeout)),
        ["refuse"]
    );
    assert_eq!(bench.step(Input::Hold(false)), ["idle"]);
}

#[test]
fn a_question_is_denied_at_once_when_nobody_is_there_to_answer() {
    let (mut bench, turn) = Bench::running(POLICY);
    let asked = SignalBody::Asked(Box::new(crate::provider::Asked {
        request: crate::provider::AgentRequest(1),
        kind: crate::event::RequestKind::CommandApproval,
        tool: None,
        title: "rm -rf /".into(),
        subject: crate::request::Subject::default(),
        decisions: vec![crate::request::Decision::Deny],
        questions: Vec::new(),
        input: None,
        raw: crate::event::RawJson::from_text("{}"),
    }));
    assert_eq!(bench.says(TurnRef::Host(turn), asked), ["answer"]);
    let [.., (_, opened), (_, resolved)] = bench.shown.as_slice() else {
        panic!("two events");
    };
    assert_eq!(opened.kind(), EventKind::RequestOpened);
    assert!(matches!(
        resolved,
        Body::RequestResolved {
            resolution: Resolution::Denied,
            ..
        }
    ));
}

#[test]
fn closing_ends_the_turn_first_and_is_over_when_the_tree_is_gone() {
    let (mut bench, _) = Bench::running(POLICY);
    let close = || Input::Close {
        reason: CloseReason::Host,
        by: None,
    };
    assert_eq!(bench.step(close()), ["ask interrupt", "stop", "free slot"]);
    assert_eq!(bench.last().kind(), EventKind::TurnFailed);
    let gone = Report::Gone { left: vec![77] };
    assert_eq!(bench.step(Input::Report(bench.current(), gone)), ["closed"]);
    let Body::SessionClosed { left, .. } = bench.last() else {
        panic!("expected the close, got {:?}", bench.last());
    };
    assert_eq!(left, &[77]);
    let count = bench.shown.len();
    bench.send();
    bench.step(close());
    assert_eq!(bench.shown.len(), count, "nothing follows");
}

#[test]
fn a_conversation_that_the_agent_never_kept_begins_anew() {
    let (mut bench, turn) = Bench::running(POLICY);
    bench.says(TurnRef::Host(turn), SignalBody::Taken);
    bench.dies();
    let (turn, _) = bench.send();
    bench.step(Input::Granted(Given::OneShot));
    bench.ready();
    let code = ErrorKind::ResumeFailed;
    let message = "No conversation found".to_owned();
    let names = bench.ends(turn, Outcome::Failed { code, message });
    assert_eq!(names, ["stop", "acquire OneShot"]);
    bench.step(Input::Granted(Given::OneShot));
    assert_eq!(bench.resume, None);
}

#[test]
fn a_kept_conversation_that_cannot_be_resumed_fails_the_turn() {
    let mut bench = Bench::idle(POLICY);
    bench.step(Input::Evict(EvictionReason::IdleTimeout));
    let (_, _) = bench.send();
    bench.step(Input::Granted(Given::Slot));
    let refused = SignalBody::Refused {
        code: ErrorKind::ResumeFailed,
        message: "unknown".into(),
    };
    assert_eq!(
        bench.says(TurnRef::None, refused),
        ["start done", "stop", "free slot"]
    );
    assert_eq!(bench.last().kind(), EventKind::TurnFailed);
    assert!(!bench.kinds().contains(&EventKind::Downgraded));
}

#[test]
fn probation_leads_back_to_a_warm_process_once() {
    let policy = Policy {
        downgrade: Downgrade::Probation { turns: 2 },
        ..POLICY
    };
    let (mut bench, turn) = Bench::running(policy);
    bench.says(TurnRef::Host(turn), SignalBody::Taken);
    bench.dies();
    for _ in 0..2 {
        let (turn, names) = bench.send();
        assert_eq!(names, ["acquire OneShot"]);
        bench.step(Input::Granted(Given::OneShot));
        bench.ready();
        bench.ends(turn, Outcome::Completed);
    }
    assert!(bench.kinds().contains(&EventKind::Restored));
    let (turn, names) = bench.send();
    assert_eq!(names, ["acquire Warm"]);
    bench.step(Input::Granted(Given::Slot));
    bench.ready();
    bench.says(TurnRef::Host(turn), SignalBody::Taken);
    bench.dies();
    for _ in 0..3 {
        let (turn, names) = bench.send();
        assert_eq!(names, ["acquire OneShot"], "the one try was made");
        bench.step(Input::Granted(Given::OneShot));
        bench.ready();
        bench.ends(turn, Outcome::Completed);
    }
}

#[test]
fn a_program_that_is_missing_fails_the_turn_and_downgrades_nothing() {
    let mut bench = Bench::new(POLICY);
    bench.send();
    bench.step(Input::Granted(Given::Slot));
    let error = Error::new(ErrorKind::ProgramNotFound, "claude: not in /usr/bin");
    let failed = Report::SpawnFailed(error);
    assert_eq!(
        bench.step(Input::Report(bench.current(), failed)),
        ["start done", "kill", "free slot"]
    );
    assert_eq!(bench.last().kind(), EventKind::TurnFailed);
    assert_eq!(bench.send().1, ["acquire Warm"]);
}
