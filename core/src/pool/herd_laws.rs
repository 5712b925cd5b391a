//! Sessions that share processes: the laws that hold in every order of events.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use proptest::prelude::*;

use super::*;
use crate::pool::slots::Spill;

const IDLE: Duration = Duration::from_mins(5);

/// A session as its actor is: it hears what the pool said in order, but later.
#[derive(Debug, Default)]
struct Session {
    key: u8,
    ticket: u64,
    waiting: bool,
    place: Option<Place>,
    idle: bool,
    inbox: VecDeque<(u64, Effect)>,
}

#[derive(Clone, Copy, Debug)]
enum Place {
    Slot,
    Seat(Seat),
}

#[derive(Debug)]
struct Process {
    key: u8,
    /// Seats that were given and have not come back, and whose session said last that it is idle.
    seats: BTreeMap<u32, (SessionId, bool)>,
    given: u32,
    starting: bool,
    failures: usize,
    useless: bool,
    ended: bool,
}

/// Sessions, processes, and what is on the way to them.
struct World {
    slots: Slots,
    now: Instant,
    bounds: Bounds,
    sessions: BTreeMap<SessionId, Session>,
    processes: BTreeMap<ProcessId, Process>,
    /// Slots of sessions with a process of their own, given and not back.
    own_slots: BTreeSet<SessionId>,
    own: Vec<Given>,
    own_starting: usize,
}

#[derive(Clone, Debug)]
enum Choice {
    Ask(usize),
    AskAlone(usize),
    Cancel(usize),
    Hear(usize),
    Toggle(usize),
    Leave(usize, bool),
    Ready(usize),
    Dies(usize),
    Gone(usize),
    Started,
    OwnGone(usize),
    Later(u16),
}

fn choices() -> impl Strategy<Value = Vec<Choice>> {
    let n = || 0..6_usize;
    let choice = prop_oneof![
        4 => n().prop_map(Choice::Ask),
        1 => n().prop_map(Choice::AskAlone),
        1 => n().prop_map(Choice::Cancel),
        8 => n().prop_map(Choice::Hear),
        5 => n().prop_map(Choice::Toggle),
        2 => (n(), any::<bool>()).prop_map(|(i, b)| Choice::Leave(i, b)),
        4 => n().prop_map(Choice::Ready),
        1 => n().prop_map(Choice::Dies),
        2 => n().prop_map(Choice::Gone),
        2 => Just(Choice::Started),
        2 => n().prop_map(Choice::OwnGone),
        1 => (0..400_u16).prop_map(Choice::Later),
    ];
    prop::collection::vec(choice, 0..300)
}

impl World {
    fn new(bounds: Bounds) -> Self {
        let session = |n: u8| {
            let key = n % 2;
            (
                SessionId::next(),
                Session {
                    key,
                    ..Session::default()
                },
            )
        };
        Self {
            slots: Slots::new(bounds),
            now: Instant::now(),
            bounds,
            sessions: (0..6).map(session).collect(),
            processes: BTreeMap::new(),
            own_slots: BTreeSet::new(),
            own: Vec::new(),
            own_starting: 0,
        }
    }

    fn id(&self, n: usize) -> SessionId {
        *self.sessions.keys().nth(n).expect("there are six")
    }

    fn step(&mut self, input: Input) {
        let mut effects = Vec::new();
        self.slots.step(self.now, input, &mut effects);
        for effect in effects {
            self.carry_out(effect);
        }
        self.check();
    }

    fn choose(&mut self, choice: &Choice) {
        match *choice {
            Choice::Ask(n) => self.ask(n, true),
            Choice::AskAlone(n) => self.ask(n, false),
            Choice::Cancel(n) => {
                let id = self.id(n);
                let session = self.sessions.get_mut(&id).expect("known");
                if std::mem::take(&mut session.waiting) {
                    session.ticket += 1;
                    self.step(Input::Cancel(id));
                }
            }
            Choice::Hear(n) => self.hear(self.id(n)),
            Choice::Toggle(n) => self.toggle(self.id(n)),
            Choice::Leave(n, failed) => self.leave(self.id(n), failed),
            Choice::Ready(n) => {
                if let Some(id) = self.process(n, |p| !p.seats.is_empty()) {
                    let process = self.processes.get_mut(&id).expect("known");
                    process.starting &= process.ended;
                    self.step(Input::Ready(id));
                }
            }
            Choice::Dies(n) => {
                if let Some(id) = self.process(n, |_| true) {
                    self.processes.get_mut(&id).expect("known").useless = true;
                    self.step(Input::Useless(id));
                }
            }
            Choice::Gone(n) => {
                if let Some(id) = self.process(n, |p| p.ended || p.useless) {
                    self.processes.remove(&id);
                    self.step(Input::SharedGone(id));
                }
            }
            Choice::Started => {
                if self.own_starting > 0 {
                    self.own_starting -= 1;
                    self.step(Input::StartDone);
                }
            }
            Choice::OwnGone(n) => {
                if n < self.own.len() {
                    let given = self.own.swap_remove(n);
                    self.step(Input::ProcessGone(given));
                }
            }
            Choice::Later(seconds) => {
                self.now += Duration::from_secs(seconds.into());
                self.step(Input::Tick);
            }
        }
    }

    fn process(&self, n: usize, like: impl Fn(&Process) -> bool) -> Option<ProcessId> {
        let mut found = self.processes.iter().filter(|(_, p)| like(p));
        found.nth(n).map(|(id, _)| *id)
    }

    fn ask(&mut self, n: usize, shared: bool) {
        let id = self.id(n);
        let session = self.sessions.get_mut(&id).expect("known");
        if session.waiting || session.place.is_some() {
            return;
        }
        session.waiting = true;
        session.ticket += 1;
        let want = if shared {
            Want::Shared(ShareKey::of(session.key), ProcessId::next(), Spill::Allowed)
        } else {
            Want::OneShot
        };
        self.step(Input::Request(id, want));
    }

    /// The session hears what the pool said first.
    fn hear(&mut self, id: SessionId) {
        let session = self.sessions.get_mut(&id).expect("known");
        let Some((ticket, effect)) = session.inbox.pop_front() else {
            return;
        };
        match effect {
            Effect::Grant(_, given) => {
                let wanted = session.waiting && ticket == session.ticket;
                let place = match given {
                    Given::Seat(seat) => Some(Place::Seat(seat)),
                    Given::Slot => Some(Place::Slot),
                    Given::OneShot | Given::Spill => None,
                };
                if wanted {
                    session.waiting = false;
                    session.idle = false;
                    session.place = place;
                } else if let Some(place) = place {
                    self.give_back(id, place, false);
                }
            }
            Effect::Refuse(_) => session.waiting &= ticket != session.ticket,
            Effect::Evict(..) => match session.place.filter(|_| session.idle) {
                Some(place) => {
                    session.place = None;
                    self.give_back(id, place, false);
                }
                None => self.step(Input::Refused(id)),
            },
            Effect::Found(..) | Effect::End(..) => panic!("not for sessions"),
        }
    }

    fn toggle(&mut self, id: SessionId) {
        let session = self.sessions.get_mut(&id).expect("known");
        let Some(place) = session.place else { return };
        session.idle = !session.idle;
        let idle = session.idle;
        if let Place::Seat(seat) = place
            && let Some(process) = self.processes.get_mut(&seat.process)
        {
            process.seats.insert(seat.conversation.0, (id, idle));
        }
        self.step(if idle {
            Input::Idle(id)
        } else {
            Input::Busy(id)
        });
    }

    fn leave(&mut self, id: SessionId, failed: bool) {
        let session = self.sessions.get_mut(&id).expect("known");
        if let Some(place) = session.place.take() {
            self.give_back(id, place, failed);
        }
    }

    fn give_back(&mut self, id: SessionId, place: Place, failed: bool) {
        match place {
            Place::Slot => {
                self.own_slots.remove(&id);
                self.step(Input::SlotFreed(id));
            }
            Place::Seat(seat) => {
                if let Some(process) = self.processes.get_mut(&seat.process) {
                    process.seats.remove(&seat.conversation.0);
                    process.failures += usize::from(failed);
                }
                let how = if failed {
                    Leaving::Failed
                } else {
                    Leaving::Well
                };
                self.step(Input::SeatFreed(id, seat, how));
            }
        }
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Found(id, by) => {
                let process = Process {
                    key: self.sessions[&by].key,
                    seats: BTreeMap::new(),
                    given: 0,
                    starting: true,
                    failures: 0,
                    useless: false,
                    ended: false,
                };
                assert!(self.processes.insert(id, process).is_none(), "a new one");
            }
            Effect::End(id, stop) => {
                let process = self.processes.get_mut(&id).expect("it is not gone");
                assert!(!process.ended, "ended once");
                process.ended = true;
                match stop {
                    Stop::Gently { .. } => assert!(process.seats.is_empty(), "somebody is in it"),
                    Stop::Kill => {
                        let least = if process.seats.is_empty() { 1 } else { 2 };
                        assert!(process.failures >= least, "killed for nothing");
                    }
                }
            }
            Effect::Grant(id, given) => {
                self.granted(id, given);
                self.post(id, effect);
            }
            Effect::Refuse(id) => self.post(id, effect),
            Effect::Evict(id, _) => {
                let told_idle = |(of, idle): &(SessionId, bool)| *of == id && *idle;
                let mut seats = self.processes.values().flat_map(|p| p.seats.values());
                assert!(seats.any(told_idle), "a busy session is never evicted");
                self.post(id, effect);
            }
        }
    }

    fn granted(&mut self, id: SessionId, given: Given) {
        let Given::Seat(seat) = given else {
            self.own.push(given);
            self.own_starting += 1;
            if given == Given::Slot {
                self.own_slots.insert(id);
            }
            return;
        };
        let process = self.processes.get_mut(&seat.process).expect("it is there");
        assert!(!process.ended && !process.useless, "nobody joins what ends");
        assert_eq!(process.failures, 0, "nor what failed somebody");
        assert_eq!(process.key, self.sessions[&id].key, "keys keep apart");
        assert_eq!(process.given, seat.conversation.0, "numbers are new");
        process.given += 1;
        process.seats.insert(seat.conversation.0, (id, false));
        assert!(process.seats.len() <= self.bounds.max_sessions);
    }

    fn post(&mut self, id: SessionId, effect: Effect) {
        let session = self.sessions.get_mut(&id).expect("known");
        session.inbox.push_back((session.ticket, effect));
    }

    fn check(&self) {
        let slots = &self.slots;
        let warm = self.processes.values().filter(|p| !p.ended);
        let used = self.own_slots.len() + warm.clone().count();
        assert_eq!(slots.used(), used);
        assert!(used <= self.bounds.max_warm);
        let all = self.own.len() + self.processes.len();
        assert_eq!(slots.processes(), all);
        assert!(all <= self.bounds.max_processes);
        let starting = warm.clone().filter(|p| p.starting).count() + self.own_starting;
        assert_eq!(slots.starting(), starting);
        assert!(starting <= self.bounds.max_starting);
        let busy = |p: &&Process| p.seats.values().any(|(_, idle)| !idle);
        assert!(slots.idle() <= used - warm.filter(busy).count());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn joining_leaving_eviction_and_exit_keep_the_laws_in_every_order(
        choices in choices(),
        max_warm in 1..4_usize,
        more in 0..3_usize,
        max_starting in 1..3_usize,
        max_sessions in 1..4_usize,
        spill in any::<bool>(),
    ) {
        let when_full = if spill { WhenFull::Spill } else { WhenFull::Wait { timeout: IDLE } };
        let mut world = World::new(Bounds {
            max_warm,
            max_processes: max_warm + more,
            max_starting,
            max_sessions,
            when_full,
            idle_timeout: IDLE,
        });
        for choice in &choices {
            world.choose(choice);
        }
        // When everybody works on and lets go in the end, everybody is served.
        for _ in 0..60 {
            for n in 0..6 {
                world.choose(&Choice::Hear(n));
                world.choose(&Choice::Leave(n, false));
            }
            for _ in 0..4 {
                world.choose(&Choice::Started);
                world.choose(&Choice::OwnGone(0));
                world.choose(&Choice::Ready(0));
                world.choose(&Choice::Gone(0));
            }
        }
        prop_assert_eq!(world.slots.waiting(), 0, "somebody starves");
        // And nothing stays when the time is over.
        for _ in 0..8 {
            world.choose(&Choice::Later(400));
            world.choose(&Choice::Gone(0));
        }
        prop_assert_eq!((world.slots.used(), world.slots.processes()), (0, 0));
    }
}
