//! A session in a process that others may use.

use super::*;
use crate::pool::Seat;

fn seat(process: ProcessId, conversation: u32) -> Input {
    let conversation = Conversation(conversation);
    Input::Granted(Given::Seat(Seat {
        process,
        conversation,
    }))
}

/// A session that was sent a turn and waits for a process.
fn waiting() -> Bench {
    let mut bench = Bench::new(POLICY);
    assert_eq!(bench.send().1, ["acquire Warm"]);
    bench
}

/// A session that joined a process, in the middle of a turn.
fn joined(process: ProcessId) -> (Bench, TurnId) {
    let mut bench = Bench::new(POLICY);
    let (turn, _) = bench.send();
    assert_eq!(bench.step(seat(process, 3)), ["start Warm"]);
    bench.bound("conversation");
    assert_eq!(bench.ready(), ["start done", "ask turn"]);
    (bench, turn)
}

fn exited() -> [Report; 2] {
    let exited = Report::Exited {
        exit: Exit::default(),
        stderr: String::new(),
    };
    [exited, Report::OutputClosed]
}

#[test]
fn a_session_that_joins_says_so_and_idles_like_any_other() {
    let process = ProcessId::next();
    let (mut bench, turn) = joined(process);
    assert_eq!(
        bench.current(),
        process,
        "all its sessions call it the same"
    );
    let is_shared = |(_, body): &(Option<TurnId>, Body)| matches!(body, Body::ProcessStarted { shared: true, process: of, .. } if *of == process);
    assert!(bench.shown.iter().any(is_shared));
    assert_eq!(bench.ends(turn, Outcome::Completed), ["idle"]);
}

#[test]
fn a_session_that_left_goes_on_elsewhere_when_the_agent_has_let_go() {
    let process = ProcessId::next();
    let (mut bench, turn) = joined(process);
    bench.ends(turn, Outcome::Completed);
    let evict = Input::Evict(EvictionReason::LeastRecentlyUsed);
    assert_eq!(bench.step(evict), ["stop", "free slot"]);
    bench.send();
    let other = ProcessId::next();
    assert_eq!(bench.step(seat(other, 0)), ["stop"], "it still has it");
    let left = Input::Report(process, Report::Left);
    assert_eq!(bench.step(left), ["start Warm"]);
    assert_eq!(bench.resume.as_deref(), Some("conversation"));
    let stopped = bench.shown.iter().filter_map(|(_, body)| match body {
        Body::ProcessStopped { runs_on, .. } => Some(*runs_on),
        _ => None,
    });
    assert_eq!(stopped.collect::<Vec<_>>(), [true]);
}

#[test]
fn a_session_comes_back_into_a_process_only_when_it_is_out_of_it() {
    let process = ProcessId::next();
    let mut bench = waiting();
    bench.step(seat(process, 0));
    let timeout = POLICY.timeouts.start;
    bench.now += timeout;
    // Nothing is known of the conversation, so no other process would be waited for.
    assert_eq!(
        bench.step(Input::Tick),
        ["kill", "free slot", "acquire OneShot"]
    );
    assert_eq!(bench.step(seat(process, 1)), ["stop"]);
    let left = Input::Report(process, Report::Left);
    assert_eq!(bench.step(left), ["start Warm"]);
}

#[test]
fn the_start_of_a_shared_process_is_not_given_up_by_one_session() {
    let process = ProcessId::next();
    let mut bench = waiting();
    bench.step(seat(process, 0));
    let close = Input::Close {
        reason: CloseReason::Host,
        by: None,
    };
    assert_eq!(bench.step(close), ["stop", "free slot"], "no `start done`");
    let left = Input::Report(process, Report::Left);
    assert_eq!(bench.step(left), ["closed"]);
}

#[test]
fn a_process_that_ended_before_a_session_was_in_it_has_not_failed_that_session() {
    let process = ProcessId::next();
    let mut bench = waiting();
    bench.step(seat(process, 1));
    let [exit, closed] = exited();
    bench.step(Input::Report(process, exit));
    let next = bench.step(Input::Report(process, closed));
    assert_eq!(next, ["kill", "free slot", "acquire Warm"]);
    // Once. The next one that ends so has.
    let second = ProcessId::next();
    bench.step(Input::Report(process, Report::Gone { left: vec![] }));
    bench.step(seat(second, 1));
    let [exit, closed] = exited();
    bench.step(Input::Report(second, exit));
    let next = bench.step(Input::Report(second, closed));
    assert_eq!(next, ["kill", "free slot", "acquire OneShot"]);
    let kinds = bench.kinds();
    let downgraded = kinds.iter().filter(|kind| **kind == EventKind::Downgraded);
    assert_eq!(downgraded.count(), 1);
}

#[test]
fn a_process_that_was_started_for_a_session_and_ended_has_failed_it() {
    let process = ProcessId::next();
    let mut bench = waiting();
    bench.step(seat(process, 0));
    let [exit, closed] = exited();
    bench.step(Input::Report(process, exit));
    let next = bench.step(Input::Report(process, closed));
    assert_eq!(next, ["kill", "free slot", "acquire OneShot"]);
    assert!(bench.kinds().contains(&EventKind::Downgraded));
}

#[test]
fn an_agent_that_is_not_listened_to_because_of_another_session_is_not_silent() {
    let process = ProcessId::next();
    let (mut bench, _) = joined(process);
    let held = |held| Input::Report(process, Report::Held(held));
    bench.step(held(true));
    bench.now += 10 * POLICY.timeouts.silence;
    assert_eq!(bench.step(Input::Tick), [""; 0]);
    bench.step(held(false));
    let patience = POLICY.timeouts.first_sign;
    assert_eq!(bench.machine.deadline(), Some(bench.now + patience));
}
