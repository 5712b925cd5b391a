//! Sessions that share processes: what follows from what.

use super::*;
use crate::pool::slots::Spill;

const IDLE: Duration = Duration::from_mins(5);
const GENTLY: Stop = Stop::Gently { by: None };

fn bounds(max_warm: usize, max_sessions: usize) -> Bounds {
    Bounds {
        max_warm,
        max_processes: 2 * max_warm,
        max_starting: 100,
        max_sessions,
        when_full: WhenFull::Spill,
        idle_timeout: IDLE,
    }
}

/// Slots with a clock that the test moves.
struct Bench {
    slots: Slots,
    now: Instant,
}

impl Bench {
    fn new(bounds: Bounds) -> Self {
        Self {
            slots: Slots::new(bounds),
            now: Instant::now(),
        }
    }

    fn step(&mut self, input: Input) -> Vec<Effect> {
        let mut out = Vec::new();
        self.slots.step(self.now, input, &mut out);
        out
    }

    fn ask(&mut self, session: SessionId, key: u8) -> Vec<Effect> {
        let want = Want::Shared(ShareKey::of(key), ProcessId::next(), Spill::Allowed);
        self.step(Input::Request(session, want))
    }

    /// A new session with a seat, and the process that was started for it if one was.
    fn seated(&mut self, key: u8) -> (SessionId, Seat, bool) {
        let session = SessionId::next();
        let effects = self.ask(session, key);
        match effects[..] {
            [Effect::Grant(to, Given::Seat(seat))] if to == session => (session, seat, false),
            [
                Effect::Found(process, by),
                Effect::Grant(to, Given::Seat(seat)),
            ] if (to, by, process) == (session, session, seat.process) => {
                self.step(Input::Ready(process));
                (session, seat, true)
            }
            _ => panic!("{effects:?}"),
        }
    }

    fn leave(&mut self, session: SessionId, seat: Seat) -> Vec<Effect> {
        self.step(Input::SeatFreed(session, seat, Leaving::Well))
    }
}

#[test]
fn sessions_of_one_key_share_a_process_until_it_is_full_and_no_others_join_it() {
    let mut bench = Bench::new(bounds(3, 2));
    let (_, first, founded) = bench.seated(1);
    assert!(founded);
    let (_, second, founded) = bench.seated(1);
    assert_eq!((second.process, founded), (first.process, false));
    assert_ne!(second.conversation, first.conversation);
    let (_, third, founded) = bench.seated(1);
    assert!(founded && third.process != first.process, "it is full");
    let (_, other, founded) = bench.seated(2);
    assert!(founded && other.process != third.process, "another key");
    assert_eq!((bench.slots.used(), bench.slots.processes()), (3, 3));
}

#[test]
fn a_process_that_is_still_starting_is_joined_and_needs_one_start() {
    let mut bench = Bench::new(Bounds {
        max_starting: 1,
        ..bounds(2, 20)
    });
    let (first, second) = (SessionId::next(), SessionId::next());
    let founded = bench.ask(first, 1);
    let Effect::Found(process, _) = founded[0] else {
        panic!("{founded:?}");
    };
    let joined = bench.ask(second, 1);
    assert!(
        matches!(joined[..], [Effect::Grant(s, Given::Seat(seat))] if s == second && seat.process == process)
    );
    assert_eq!(bench.slots.starting(), 1);
    bench.step(Input::Ready(process));
    bench.step(Input::Ready(process));
    assert_eq!(bench.slots.starting(), 0);
}

#[test]
fn a_process_is_evicted_when_all_its_sessions_are_idle_and_ends_when_all_have_left() {
    let mut bench = Bench::new(bounds(1, 2));
    let ((one, a, _), (two, b, _)) = (bench.seated(1), bench.seated(1));
    bench.step(Input::Idle(one));
    let other = SessionId::next();
    let spilled = bench.ask(other, 2);
    assert_eq!(spilled, [Effect::Grant(other, Given::Spill)], "one is busy");
    bench.step(Input::Idle(two));
    assert_eq!(bench.slots.idle(), 1);
    let next = SessionId::next();
    let reason = EvictionReason::LeastRecentlyUsed;
    assert_eq!(
        bench.ask(next, 2),
        [Effect::Evict(one, reason), Effect::Evict(two, reason)]
    );
    assert_eq!(bench.leave(one, a), []);
    assert_eq!(bench.leave(two, b), [Effect::End(a.process, GENTLY)]);
    let gone = bench.step(Input::SharedGone(a.process));
    assert!(matches!(gone[..], [Effect::Found(_, s), Effect::Grant(..)] if s == next));
}

#[test]
fn one_session_that_refuses_keeps_the_process_and_those_that_left_may_come_back() {
    let mut bench = Bench::new(bounds(1, 2));
    let ((one, a, _), (two, _, _)) = (bench.seated(1), bench.seated(1));
    bench.step(Input::Idle(one));
    bench.step(Input::Idle(two));
    bench.now += IDLE;
    assert_eq!(bench.step(Input::Tick).len(), 2);
    bench.step(Input::Busy(two));
    assert_eq!(bench.leave(one, a), []);
    let again = bench.ask(one, 1);
    assert_eq!(again, [], "nobody joins while it is not decided");
    let decided = bench.step(Input::Refused(two));
    assert!(
        matches!(decided[..], [Effect::Grant(s, Given::Seat(seat))] if s == one && seat.process == a.process)
    );
}

#[test]
fn a_process_without_sessions_stays_for_the_idle_timeout_and_goes_at_once_if_it_is_in_the_way() {
    let mut bench = Bench::new(bounds(1, 2));
    let (one, a, _) = bench.seated(1);
    bench.step(Input::Idle(one));
    bench.now += Duration::from_secs(100);
    assert_eq!(bench.leave(one, a), []);
    assert_eq!(bench.slots.deadline(), Some(bench.now + IDLE));
    let (two, b, founded) = bench.seated(1);
    assert_eq!((b.process, founded), (a.process, false), "it is used again");
    bench.leave(two, b);
    bench.now += IDLE;
    assert_eq!(bench.step(Input::Tick), [Effect::End(a.process, GENTLY)]);
    assert_eq!((bench.slots.used(), bench.slots.processes()), (0, 1));
    bench.step(Input::SharedGone(a.process));
    assert_eq!(bench.slots.processes(), 0);

    let (three, c, _) = bench.seated(1);
    bench.leave(three, c);
    let other = SessionId::next();
    let effects = bench.ask(other, 2);
    assert_eq!(effects[0], Effect::End(c.process, GENTLY));
    assert!(matches!(effects[1..], [Effect::Found(_, s), Effect::Grant(..)] if s == other));
}

#[test]
fn in_a_full_process_the_longest_idle_session_makes_way_when_no_slot_is_free() {
    let mut bench = Bench::new(bounds(1, 3));
    let ((one, _, _), (two, b, _), _) = (bench.seated(1), bench.seated(1), bench.seated(1));
    for session in [one, two] {
        bench.step(Input::Idle(session));
    }
    bench.step(Input::Busy(one));
    bench.step(Input::Idle(one));
    let next = SessionId::next();
    let reason = EvictionReason::LeastRecentlyUsed;
    assert_eq!(bench.ask(next, 1), [Effect::Evict(two, reason)]);
    assert_eq!(bench.step(Input::Tick), [], "one request takes out one");
    let seated = bench.leave(two, b);
    assert!(
        matches!(seated[..], [Effect::Grant(s, Given::Seat(seat))] if s == next && seat.process == b.process)
    );
}

#[test]
fn a_process_that_failed_one_session_takes_no_more_and_is_replaced_when_the_others_are_idle() {
    let mut bench = Bench::new(bounds(2, 3));
    let ((one, a, _), (two, b, _)) = (bench.seated(1), bench.seated(1));
    assert_eq!(bench.step(Input::SeatFreed(one, a, Leaving::Failed)), []);
    let (_, other, founded) = bench.seated(1);
    assert!(founded && other.process != a.process);
    let reason = EvictionReason::ProcessRetired;
    assert_eq!(bench.step(Input::Idle(two)), [Effect::Evict(two, reason)]);
    assert_eq!(bench.leave(two, b), [Effect::End(a.process, Stop::Kill)]);
}

#[test]
fn a_process_that_failed_two_sessions_is_killed() {
    let mut bench = Bench::new(bounds(2, 3));
    let ((one, a, _), (two, b, _), _) = (bench.seated(1), bench.seated(1), bench.seated(1));
    bench.step(Input::SeatFreed(one, a, Leaving::Failed));
    let killed = bench.step(Input::SeatFreed(two, b, Leaving::Failed));
    assert_eq!(killed, [Effect::End(a.process, Stop::Kill)]);
}

#[test]
fn a_process_that_nobody_waits_for_does_not_go_on_starting() {
    let mut bench = Bench::new(bounds(1, 3));
    let session = SessionId::next();
    let effects = bench.ask(session, 1);
    let [Effect::Found(..), Effect::Grant(_, Given::Seat(seat))] = effects[..] else {
        panic!("{effects:?}");
    };
    assert_eq!(
        bench.leave(session, seat),
        [Effect::End(seat.process, GENTLY)]
    );
    assert_eq!((bench.slots.starting(), bench.slots.used()), (0, 0));
}

#[test]
fn when_the_pool_closes_a_process_ends_with_its_last_session() {
    let mut bench = Bench::new(bounds(2, 3));
    let ((one, a, _), (two, b, _)) = (bench.seated(1), bench.seated(2));
    bench.leave(two, b);
    assert_eq!(
        bench.step(Input::Close),
        [Effect::End(b.process, GENTLY)],
        "it was empty"
    );
    assert_eq!(bench.leave(one, a), [Effect::End(a.process, GENTLY)]);
}
