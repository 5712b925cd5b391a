use std::collections::{BTreeMap, BTreeSet, VecDeque};

use proptest::prelude::*;

use super::*;

const IDLE: Duration = Duration::from_mins(5);

fn bounds(max_warm: usize) -> Bounds {
    Bounds {
        max_warm,
        max_processes: 2 * max_warm,
        max_starting: 100,
        max_sessions: 1,
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

    /// A session that holds a slot and is idle.
    fn idle_session(&mut self) -> SessionId {
        let session = SessionId::next();
        let granted = self.step(Input::Request(session, Want::Warm(Spill::Allowed)));
        assert_eq!(granted, [Effect::Grant(session, Given::Slot)]);
        self.step(Input::StartDone);
        self.step(Input::Idle(session));
        session
    }
}

#[test]
fn eviction_takes_the_longest_idle_session_and_gives_its_slot_to_who_asked() {
    let mut bench = Bench::new(bounds(2));
    let (first, second) = (bench.idle_session(), bench.idle_session());
    bench.step(Input::Busy(first));
    bench.step(Input::Idle(first));
    let third = SessionId::next();
    assert_eq!(
        bench.step(Input::Request(third, Want::Warm(Spill::Allowed))),
        [Effect::Evict(second, EvictionReason::LeastRecentlyUsed)]
    );
    assert_eq!(
        bench.step(Input::SlotFreed(second)),
        [Effect::Grant(third, Given::Slot)]
    );
}

#[test]
fn one_request_takes_out_one_session() {
    let mut bench = Bench::new(bounds(3));
    for _ in 0..3 {
        bench.idle_session();
    }
    let one = SessionId::next();
    assert_eq!(
        bench
            .step(Input::Request(one, Want::Warm(Spill::Allowed)))
            .len(),
        1
    );
    assert_eq!(bench.step(Input::Tick), []);
    let two = SessionId::next();
    assert_eq!(
        bench
            .step(Input::Request(two, Want::Warm(Spill::Allowed)))
            .len(),
        1
    );
    assert_eq!(bench.slots.idle(), 1);
}

#[test]
fn a_process_that_is_still_ending_does_not_take_out_a_second_session() {
    let mut bench = Bench::new(Bounds {
        max_processes: 2,
        ..bounds(2)
    });
    let (first, _second) = (bench.idle_session(), bench.idle_session());
    let third = SessionId::next();
    bench.step(Input::Request(third, Want::Warm(Spill::Allowed)));
    assert_eq!(
        bench.step(Input::SlotFreed(first)),
        [],
        "its tree is not gone"
    );
    assert_eq!(
        bench.step(Input::ProcessGone(Given::Slot)),
        [Effect::Grant(third, Given::Slot)]
    );
    assert_eq!(bench.slots.idle(), 1);
}

#[test]
fn a_session_that_refuses_eviction_makes_way_for_the_next() {
    let mut bench = Bench::new(bounds(2));
    let (first, second) = (bench.idle_session(), bench.idle_session());
    let third = SessionId::next();
    bench.step(Input::Request(third, Want::Warm(Spill::Allowed)));
    bench.step(Input::Busy(first));
    assert_eq!(
        bench.step(Input::Refused(first)),
        [Effect::Evict(second, EvictionReason::LeastRecentlyUsed)]
    );
}

#[test]
fn when_all_are_busy_a_turn_spills_waits_or_fails_as_told() {
    let timeout = Duration::from_secs(7);
    for (when_full, expected) in [
        (WhenFull::Spill, Some(Given::Spill)),
        (WhenFull::Fail, None),
        (WhenFull::Wait { timeout }, None),
    ] {
        let mut bench = Bench::new(Bounds {
            when_full,
            ..bounds(1)
        });
        let first = bench.idle_session();
        bench.step(Input::Busy(first));
        let second = SessionId::next();
        let effects = bench.step(Input::Request(second, Want::Warm(Spill::Allowed)));
        match (when_full, expected) {
            (_, Some(given)) => assert_eq!(effects, [Effect::Grant(second, given)]),
            (WhenFull::Fail, _) => assert_eq!(effects, [Effect::Refuse(second)]),
            (WhenFull::Spill | WhenFull::Wait { .. }, _) => {
                assert_eq!(effects, []);
                assert_eq!(bench.slots.deadline(), Some(bench.now + timeout));
                bench.now += timeout;
                assert_eq!(bench.step(Input::Tick), [Effect::Refuse(second)]);
            }
        }
    }
}

#[test]
fn idle_sessions_expire_exactly_and_oldest_first() {
    let mut bench = Bench::new(bounds(3));
    let first = bench.idle_session();
    bench.now += Duration::from_secs(10);
    let second = bench.idle_session();
    assert_eq!(
        bench.slots.deadline(),
        Some(bench.now + Duration::from_secs(290))
    );
    bench.now += Duration::new(289, 999_999_999);
    assert_eq!(bench.step(Input::Tick), []);
    bench.now += Duration::from_nanos(1);
    assert_eq!(
        bench.step(Input::Tick),
        [Effect::Evict(first, EvictionReason::IdleTimeout)]
    );
    bench.now += Duration::from_secs(10);
    assert_eq!(
        bench.step(Input::Tick),
        [Effect::Evict(second, EvictionReason::IdleTimeout)]
    );
}

#[test]
fn starts_are_limited_and_served_in_order() {
    let mut bench = Bench::new(Bounds {
        max_starting: 1,
        ..bounds(3)
    });
    let sessions: Vec<_> = (0..3).map(|_| SessionId::next()).collect();
    let mut granted = Vec::new();
    for session in &sessions {
        granted.extend(bench.step(Input::Request(*session, Want::Warm(Spill::Allowed))));
    }
    assert_eq!(granted, [Effect::Grant(sessions[0], Given::Slot)]);
    for session in &sessions[1..] {
        assert_eq!(
            bench.step(Input::StartDone),
            [Effect::Grant(*session, Given::Slot)]
        );
    }
}

#[test]
fn who_only_waits_for_its_turn_to_start_does_not_lose_patience() {
    let timeout = Duration::from_secs(7);
    let mut bench = Bench::new(Bounds {
        max_starting: 1,
        when_full: WhenFull::Wait { timeout },
        ..bounds(2)
    });
    let (first, second, third) = (SessionId::next(), SessionId::next(), SessionId::next());
    bench.step(Input::Request(first, Want::Warm(Spill::Allowed)));
    bench.step(Input::Request(second, Want::Warm(Spill::Allowed)));
    bench.now += timeout;
    assert_eq!(bench.step(Input::Tick), [], "a slot is free");
    assert_eq!(bench.slots.deadline(), Some(bench.now + timeout));
    assert_eq!(
        bench.step(Input::StartDone),
        [Effect::Grant(second, Given::Slot)]
    );
    bench.step(Input::Request(third, Want::Warm(Spill::Allowed)));
    bench.now += timeout;
    assert_eq!(bench.step(Input::Tick), [Effect::Refuse(third)]);
    assert_eq!(bench.slots.deadline(), None);
}

#[test]
fn a_message_looks_at_no_waiter_for_whom_there_can_be_nothing() {
    let mut bench = Bench::new(Bounds {
        when_full: WhenFull::Wait { timeout: IDLE },
        ..bounds(1)
    });
    let first = bench.idle_session();
    bench.step(Input::Busy(first));
    for _ in 0..100 {
        bench.step(Input::Request(
            SessionId::next(),
            Want::Warm(Spill::Allowed),
        ));
    }
    let left = bench.slots.waiting.kinds();
    assert_eq!((left.warm, bench.slots.waiting()), (100, 100));
    assert!(!bench.slots.can_serve(left));
    let one = SessionId::next();
    bench.slots.waiting.push(
        one,
        Waiter {
            want: Want::OneShot,
            until: None,
        },
    );
    assert!(bench.slots.can_serve(bench.slots.waiting.kinds()));
}

#[test]
fn a_turn_that_waits_for_a_slot_does_not_hold_up_one_that_needs_none() {
    let mut bench = Bench::new(Bounds {
        when_full: WhenFull::Wait { timeout: IDLE },
        ..bounds(1)
    });
    let first = bench.idle_session();
    bench.step(Input::Busy(first));
    bench.step(Input::Request(
        SessionId::next(),
        Want::Warm(Spill::Allowed),
    ));
    let third = SessionId::next();
    assert_eq!(
        bench.step(Input::Request(third, Want::OneShot)),
        [Effect::Grant(third, Given::OneShot)]
    );
}

/// A world of sessions that obey the protocol, driven by random choices.
#[derive(Default)]
struct World {
    waiting: VecDeque<(SessionId, Want)>,
    /// Holders of a slot: whether busy.
    warm: BTreeMap<SessionId, bool>,
    /// Since when each idle one is idle, as a counter.
    idle_since: BTreeMap<SessionId, u64>,
    asked: BTreeSet<SessionId>,
    live: Vec<Given>,
    starting: usize,
    clock: u64,
}

#[derive(Clone, Debug)]
enum Choice {
    Request(bool),
    Cancel(usize),
    Toggle(usize),
    Answer(usize, bool),
    Free(usize),
    Started,
    Gone(usize),
    Later(u16),
}

fn choices() -> impl Strategy<Value = Vec<Choice>> {
    let index = 0..8_usize;
    let choice = prop_oneof![
        3 => any::<bool>().prop_map(Choice::Request),
        1 => index.clone().prop_map(Choice::Cancel),
        4 => index.clone().prop_map(Choice::Toggle),
        3 => (index.clone(), any::<bool>()).prop_map(|(i, b)| Choice::Answer(i, b)),
        2 => index.clone().prop_map(Choice::Free),
        4 => Just(Choice::Started),
        3 => index.prop_map(Choice::Gone),
        1 => (0..400_u16).prop_map(Choice::Later),
    ];
    prop::collection::vec(choice, 0..300)
}

impl World {
    /// Turns a choice into an input that is possible now.
    fn input(&mut self, choice: &Choice, now: &mut Instant) -> Option<Input> {
        self.clock += 1;
        match *choice {
            Choice::Request(warm) => {
                let session = SessionId::next();
                let want = if warm {
                    Want::Warm(Spill::Allowed)
                } else {
                    Want::OneShot
                };
                self.waiting.push_back((session, want.clone()));
                Some(Input::Request(session, want))
            }
            Choice::Cancel(n) => {
                let (session, _) = *self.waiting.get(n)?;
                self.waiting.remove(n);
                Some(Input::Cancel(session))
            }
            Choice::Toggle(n) => {
                let (&session, busy) = self.warm.iter_mut().nth(n)?;
                *busy = !*busy;
                if *busy {
                    self.idle_since.remove(&session);
                    return Some(Input::Busy(session));
                }
                if !self.asked.contains(&session) {
                    self.idle_since.insert(session, self.clock);
                }
                Some(Input::Idle(session))
            }
            Choice::Answer(n, give) => {
                let session = *self.asked.iter().nth(n)?;
                self.asked.remove(&session);
                if give && !self.warm[&session] {
                    self.warm.remove(&session);
                    return Some(Input::SlotFreed(session));
                }
                // A session refuses only because it is busy.
                self.warm.insert(session, true);
                Some(Input::Refused(session))
            }
            Choice::Free(n) => {
                let (&session, _) = self.warm.iter().nth(n)?;
                self.warm.remove(&session);
                self.idle_since.remove(&session);
                self.asked.remove(&session);
                Some(Input::SlotFreed(session))
            }
            Choice::Started => {
                self.starting = self.starting.checked_sub(1)?;
                Some(Input::StartDone)
            }
            Choice::Gone(n) => {
                let given = *self.live.get(n)?;
                self.live.swap_remove(n);
                Some(Input::ProcessGone(given))
            }
            Choice::Later(seconds) => {
                *now += Duration::from_secs(seconds.into());
                Some(Input::Tick)
            }
        }
    }

    fn carry_out(&mut self, effects: &[Effect]) {
        for effect in effects {
            match *effect {
                Effect::Grant(session, given) => {
                    let place = self.waiting.iter().position(|(s, _)| *s == session);
                    let (_, want) = self
                        .waiting
                        .remove(place.expect("only waiters are served"))
                        .expect("it is there");
                    assert_eq!(given == Given::OneShot, want == Want::OneShot);
                    let before = self.waiting.iter().take(place.expect("found"));
                    assert!(
                        !before
                            .clone()
                            .any(|(_, w)| *w == want && given != Given::Spill),
                        "overtaken by a later request of the same kind"
                    );
                    if given == Given::Slot {
                        self.warm.insert(session, true);
                    }
                    self.live.push(given);
                    self.starting += 1;
                }
                Effect::Found(..) | Effect::End(..) => panic!("nobody shares"),
                Effect::Refuse(session) => self.waiting.retain(|(s, _)| *s != session),
                Effect::Evict(session, _) => {
                    assert_eq!(
                        self.warm.get(&session),
                        Some(&false),
                        "a busy session is never evicted"
                    );
                    let since = self.idle_since.remove(&session).expect("it is idle");
                    assert!(
                        self.idle_since.values().all(|other| *other > since),
                        "another one has been idle longer"
                    );
                    self.asked.insert(session);
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn bounds_hold_the_busy_stay_the_oldest_goes_and_nobody_is_overtaken(
        choices in choices(),
        max_warm in 1..4_usize,
        more in 0..3_usize,
        max_starting in 1..3_usize,
        spill in any::<bool>(),
    ) {
        let when_full = if spill { WhenFull::Spill } else { WhenFull::Wait { timeout: IDLE } };
        let bounds = Bounds {
            max_warm,
            max_processes: max_warm + more,
            max_starting,
            max_sessions: 1,
            when_full,
            idle_timeout: IDLE,
        };
        let mut bench = Bench::new(bounds);
        let mut world = World::default();
        for choice in choices {
            let Some(input) = world.input(&choice, &mut bench.now) else { continue };
            let effects = bench.step(input);
            world.carry_out(&effects);
            prop_assert!(world.warm.len() <= max_warm);
            prop_assert!(world.live.len() <= bounds.max_processes);
            prop_assert!(world.starting <= max_starting);
            prop_assert_eq!(bench.slots.used(), world.warm.len());
            prop_assert_eq!(bench.slots.processes(), world.live.len());
            prop_assert_eq!(bench.slots.waiting(), world.waiting.len());
            prop_assert!(bench.slots.deadline().is_none_or(|d| d > bench.now) || !matches!(choice, Choice::Later(_)));
        }
        // When everybody gives everything back, everybody is served in the end.
        for _ in 0..4000 {
            if world.waiting.is_empty() { break; }
            let choice = if world.starting > 0 { Choice::Started }
                else if !world.asked.is_empty() { Choice::Answer(0, true) }
                else if !world.warm.is_empty() { Choice::Free(0) }
                else { Choice::Gone(0) };
            if let Some(input) = world.input(&choice, &mut bench.now) {
                let effects = bench.step(input);
                world.carry_out(&effects);
            } else {
                let effects = bench.step(Input::Tick);
                world.carry_out(&effects);
            }
            if !world.live.is_empty() && world.starting == 0 {
                let input = world.input(&Choice::Gone(0), &mut bench.now).expect("one lives");
                let effects = bench.step(input);
                world.carry_out(&effects);
            }
        }
        prop_assert!(world.waiting.is_empty(), "somebody starves");
    }
}

#[test]
fn what_only_a_slot_will_do_for_waits_where_others_are_spilled() {
    let mut bench = Bench::new(bounds(1));
    let busy = bench.idle_session();
    bench.step(Input::Busy(busy));
    let (picky, other) = (SessionId::next(), SessionId::next());
    let want = Want::Warm(Spill::Never);
    assert_eq!(bench.step(Input::Request(picky, want)), []);
    let want = Want::Warm(Spill::Allowed);
    let spilled = [Effect::Grant(other, Given::Spill)];
    assert_eq!(bench.step(Input::Request(other, want)), spilled);
    bench.step(Input::SlotFreed(busy));
    bench.step(Input::StartDone);
    let freed = bench.step(Input::ProcessGone(Given::Slot));
    assert_eq!(freed, [Effect::Grant(picky, Given::Slot)]);
}
