//! What processes do wrong, and what it costs.

use super::*;

#[test]
fn death_before_any_sign_of_the_turn_runs_it_again_in_a_process_of_its_own() {
    let (mut bench, turn) = Bench::running(POLICY);
    assert_eq!(bench.dies(), ["kill", "free slot", "acquire OneShot"]);
    bench.gone();
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
fn a_served_process_that_ended_well_as_the_turn_was_sent_is_replaced_without_downgrade() {
    let mut bench = Bench::idle(POLICY);
    let (turn, _) = bench.send();
    let process = bench.current();
    let exit = Exit {
        code: Some(0),
        ..Exit::default()
    };
    let stderr = String::new();
    bench.step(Input::Report(process, Report::Exited { exit, stderr }));
    assert_eq!(
        bench.step(Input::Report(process, Report::OutputClosed)),
        ["kill", "free slot", "acquire Warm"]
    );
    bench.gone();
    bench.step(Input::Granted(Given::Slot));
    bench.ready();
    assert_eq!(bench.ends(turn, Outcome::Completed), ["idle"]);
    assert!(!bench.kinds().contains(&EventKind::Downgraded));
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
    bench.gone();
    bench.step(Input::Granted(Given::OneShot));
    assert_eq!(bench.resume.as_deref(), Some("conversation"));
}

#[test]
fn a_turn_is_tried_again_only_once() {
    let (mut bench, _) = Bench::running(POLICY);
    bench.dies();
    bench.gone();
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
fn while_the_host_is_behind_no_process_starts_too_slowly() {
    let mut bench = Bench::new(POLICY);
    bench.send();
    bench.step(Input::Granted(Given::Slot));
    bench.step(Input::Paused(true));
    bench.now += Duration::from_hours(1);
    assert_eq!(bench.step(Input::Tick), [""; 0]);
    bench.step(Input::Paused(false));
    assert_eq!(
        bench.machine.deadline(),
        Some(bench.now + POLICY.timeouts.start)
    );
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
fn a_conversation_that_the_agent_never_kept_begins_anew() {
    let (mut bench, turn) = Bench::running(POLICY);
    bench.says(TurnRef::Host(turn), SignalBody::Taken);
    bench.dies();
    let (turn, _) = bench.send();
    bench.gone();
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
    bench.gone();
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
        bench.gone();
        bench.step(Input::Granted(Given::OneShot));
        bench.ready();
        bench.ends(turn, Outcome::Completed);
    }
    assert!(bench.kinds().contains(&EventKind::Restored));
    let (turn, names) = bench.send();
    assert_eq!(names, ["acquire Warm"]);
    bench.gone();
    bench.step(Input::Granted(Given::Slot));
    bench.ready();
    bench.says(TurnRef::Host(turn), SignalBody::Taken);
    bench.dies();
    for _ in 0..3 {
        let (turn, names) = bench.send();
        assert_eq!(names, ["acquire OneShot"], "the one try was made");
        bench.gone();
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
