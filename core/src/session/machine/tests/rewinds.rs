//! Conversations that go back with a new process.

use super::*;
use crate::operation::Operation;

const REWINDS: Policy = Policy {
    rewinds_with_process: true,
    ..POLICY
};

impl Bench {
    /// One turn, in which the agent said something.
    fn talked(point: &str) -> Self {
        let (mut bench, turn) = Self::running(REWINDS);
        bench.points(point);
        assert_eq!(bench.ends(turn, Outcome::Completed), ["idle"]);
        bench
    }

    fn points(&mut self, point: &str) {
        self.says(TurnRef::None, SignalBody::Point(point.into()));
    }

    fn rewinds(&mut self, before: &str) -> Vec<String> {
        let before = before.to_owned();
        self.step(Input::Operate {
            number: 1,
            operation: Arc::new(Operation::Rewind { before }),
        })
    }

    /// The process that is to go back is started.
    fn goes_back(&mut self, before: &str) {
        let names = ["stop", "free slot", "acquire only Warm"];
        assert_eq!(self.rewinds(before), names);
        self.gone();
        assert_eq!(self.step(Input::Granted(Given::Slot)), ["start Warm"]);
        assert_eq!(self.back_to.as_deref(), Some(before));
    }

    /// The process goes and another one comes for a turn.
    fn next_process(&mut self) -> TurnId {
        self.step(Input::Evict(EvictionReason::IdleTimeout));
        self.gone();
        let (turn, _) = self.send();
        self.step(Input::Granted(Given::Slot));
        turn
    }
}

#[test]
fn a_conversation_goes_back_with_a_new_process() {
    let mut bench = Bench::talked("first");
    bench.goes_back("first");
    assert_eq!(bench.resume.as_deref(), Some("conversation"));
    assert_eq!(bench.ready(), ["start done", "operated", "idle"]);
    assert_eq!(bench.send().1, ["ask turn", "busy"]);
}

#[test]
fn each_turn_tells_what_it_can_be_taken_back_to() {
    let mut bench = Bench::talked("first");
    let (turn, _) = bench.send();
    bench.says(TurnRef::Host(turn), SignalBody::Taken);
    let told = Body::Status {
        state: "turn_id".into(),
        message: "first".into(),
    };
    assert_eq!(bench.shown.last(), Some(&(Some(turn), told)));
}

#[test]
fn until_the_agent_has_said_something_every_process_goes_back() {
    let mut bench = Bench::talked("first");
    bench.goes_back("first");
    bench.ready();
    let turn = bench.next_process();
    assert_eq!(bench.back_to.as_deref(), Some("first"));
    bench.ready();
    bench.points("second");
    bench.ends(turn, Outcome::Completed);
    bench.next_process();
    assert_eq!(bench.back_to, None);
}

#[test]
fn a_place_that_the_agent_does_not_know_is_refused_and_the_conversation_stays() {
    let mut bench = Bench::talked("first");
    bench.goes_back("nowhere");
    let (turn, _) = bench.send();
    let refused = SignalBody::Refused {
        code: ErrorKind::AgentError,
        message: "no such place".into(),
    };
    let names = [
        "not operated: invalid_argument",
        "start done",
        "stop",
        "free slot",
        "acquire Warm",
    ];
    assert_eq!(bench.says(TurnRef::None, refused), names);
    bench.gone();
    bench.step(Input::Granted(Given::Slot));
    assert_eq!(bench.back_to, None);
    bench.ready();
    assert_eq!(bench.ends(turn, Outcome::Completed), ["idle"]);
    assert_eq!(bench.last().kind(), EventKind::TurnCompleted);
}

#[test]
fn a_conversation_does_not_go_back_while_the_agent_works_or_before_it_began() {
    let busy = ["not operated: turn_in_progress"];
    let (mut bench, _) = Bench::running(REWINDS);
    assert_eq!(bench.rewinds("first"), busy);
    let mut bench = Bench::talked("first");
    bench.says(TurnRef::None, SignalBody::Background { tasks: 1 });
    assert_eq!(bench.rewinds("first"), busy);
    let mut bench = Bench::new(REWINDS);
    assert_eq!(bench.rewinds("first"), ["not operated: invalid_argument"]);
}

#[test]
fn a_process_that_dies_on_its_way_back_leaves_the_conversation_as_it_was() {
    let mut bench = Bench::talked("first");
    bench.goes_back("first");
    let names = bench.dies();
    assert!(names.contains(&"not operated: process_exit".to_owned()));
    bench.gone();
    bench.send();
    bench.step(Input::Granted(Given::Slot));
    assert_eq!(bench.back_to, None);
}

#[test]
fn going_back_waits_for_a_process_that_says_whether_it_is_there() {
    let mut bench = Bench::talked("first");
    bench.rewinds("nowhere");
    bench.gone();
    bench.step(Input::Granted(Given::OneShot));
    assert_eq!(bench.back_to, None, "one of one turn does not say");
    let done = ["start done", "stop", "acquire only Warm"];
    assert_eq!(bench.ready(), done);
}

#[test]
fn a_place_that_is_refused_later_is_tried_once_and_the_conversation_stays() {
    for begun in [false, true] {
        let mut bench = Bench::talked("first");
        bench.goes_back("first");
        bench.ready();
        let turn = bench.next_process();
        assert_eq!(bench.back_to.as_deref(), Some("first"));
        let (code, message) = (ErrorKind::AgentError, "no such place".to_owned());
        if begun {
            bench.ready();
            bench.ends(turn, Outcome::Failed { code, message });
        } else {
            bench.says(TurnRef::None, SignalBody::Refused { code, message });
            bench.gone();
        }
        assert!(bench.kinds().contains(&EventKind::TurnFailed));
        if begun {
            bench.step(Input::Evict(EvictionReason::IdleTimeout));
            bench.gone();
        }
        bench.send();
        bench.step(Input::Granted(Given::Slot));
        assert_eq!(bench.back_to, None);
        assert_eq!(bench.resume.as_deref(), Some("conversation"));
    }
}
