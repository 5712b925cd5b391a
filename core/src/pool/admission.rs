//! Who of those that wait for a process gets one, and who makes way.

use std::collections::HashMap;
use std::time::Instant;

use super::queue::{Kinds, Queue, Waiter};
use super::{Effect, Given, Holder, Slots, Spill, TakenOut, Want};
use crate::config::WhenFull;
use crate::event::EvictionReason;
use crate::ids::{ProcessId, SessionId};
use crate::pool::herd::Herd;
use crate::pool::key::ShareKey;

impl Slots {
    /// Serves the queue as far as the bounds allow.
    pub(super) fn pump(&mut self, now: Instant, out: &mut Vec<Effect>) {
        // What is on its way back is meant for the first waiters, so that one request takes out one
        // holder and not several.
        let evicting = self.evicting.len() + self.herd.evicting();
        let mut coming = Coming {
            slots: evicting,
            processes: evicting + usize::try_from(self.ending).unwrap_or(0),
            seats: HashMap::new(),
        };
        let mut waiting = std::mem::take(&mut self.waiting);
        let mut left = waiting.kinds();
        let mut served = Vec::new();
        for (&session, waiter) in waiting.iter() {
            // Thousands may wait, and every message comes through here.
            if !self.can_serve(left) {
                break;
            }
            *left.of(&waiter.want) -= 1;
            if self.serve(now, session, waiter, &mut coming, out) {
                served.push(session);
            }
        }
        for session in served {
            waiting.remove(session);
        }
        self.lose_patience(now, &mut waiting, out);
        self.waiting = waiting;
    }

    /// Whether there can be anything for one of these at this moment.
    pub(super) fn can_serve(&self, left: Kinds) -> bool {
        let slot_free = self.used < self.bounds.max_warm;
        let process_free = self.processes < self.bounds.max_processes;
        let may_start = process_free && self.starting < self.bounds.max_starting;
        let one_shot = may_start || (!process_free && !self.idle.is_empty());
        let by_policy = match self.bounds.when_full {
            WhenFull::Fail => !slot_free,
            WhenFull::Spill => !slot_free && may_start,
            WhenFull::Wait { .. } => false,
        };
        let full = !slot_free || !process_free;
        let makes_way = full && !self.idle.is_empty();
        let warm = (slot_free && may_start) || by_policy || makes_way;
        let shared = warm || (left.shared > 0 && self.herd.has_hope());
        (left.one_shot > 0 && one_shot) || (left.warm > 0 && warm) || (left.shared > 0 && shared)
    }

    /// Refuses those who have waited for a slot for too long. Whoever only waits for its turn to start
    /// has a slot in sight, and its patience begins anew.
    fn lose_patience(&self, now: Instant, waiting: &mut Queue, out: &mut Vec<Effect>) {
        while let Some((until, session)) = waiting.soonest()
            && until <= now
        {
            match self.bounds.when_full {
                WhenFull::Wait { timeout } if self.only_starts() && !timeout.is_zero() => {
                    waiting.wait_until(session, now + timeout);
                }
                WhenFull::Wait { .. } | WhenFull::Spill | WhenFull::Fail => {
                    waiting.remove(session);
                    out.push(Effect::Refuse(session));
                }
            }
        }
    }

    /// Whether a slot and a process are free, and too many are starting.
    fn only_starts(&self) -> bool {
        self.used < self.bounds.max_warm && self.processes < self.bounds.max_processes
    }

    /// Gives a waiter what it wants, if that can be. `false`: it goes on waiting.
    fn serve(
        &mut self,
        now: Instant,
        session: SessionId,
        waiter: &Waiter,
        coming: &mut Coming,
        out: &mut Vec<Effect>,
    ) -> bool {
        loop {
            let verdict = self.decide(&waiter.want, coming);
            let patient = waiter.until.is_none_or(|until| now < until);
            if !patient && verdict.is_later() {
                // Nobody makes way for it any more.
                return false;
            }
            match verdict {
                Verdict::Give(given) => {
                    self.processes += 1;
                    self.starting += 1;
                    self.used += usize::from(given == Given::Slot);
                    out.push(Effect::Grant(session, given));
                }
                Verdict::Found(key, process) => {
                    self.processes += 1;
                    self.starting += 1;
                    self.used += 1;
                    self.herd.found(process, key);
                    out.push(Effect::Found(process, session));
                    self.seat(session, process, out);
                }
                Verdict::Seat(process) => self.seat(session, process, out),
                Verdict::Refuse => out.push(Effect::Refuse(session)),
                Verdict::MakeRoom(process) => {
                    let asked = self.herd.ask_one(process);
                    let reason = EvictionReason::LeastRecentlyUsed;
                    out.extend(asked.map(|member| Effect::Evict(member, reason)));
                    self.idle.remove(&Holder::Process(process));
                    return false;
                }
                Verdict::TakeOut => match self.take_out(EvictionReason::LeastRecentlyUsed, out) {
                    TakenOut::Asked => return false,
                    TakenOut::AtOnce => {
                        coming.processes += 1;
                        continue;
                    }
                },
                Verdict::Wait => return false,
            }
            return true;
        }
    }

    fn seat(&mut self, session: SessionId, process: ProcessId, out: &mut Vec<Effect>) {
        self.idle.remove(&Holder::Process(process));
        let seat = self.herd.sit(session, process);
        out.extend(seat.map(|seat| Effect::Grant(session, Given::Seat(seat))));
    }

    fn decide(&self, want: &Want, coming: &mut Coming) -> Verdict {
        let slot_free = self.used < self.bounds.max_warm;
        let process_free = self.processes < self.bounds.max_processes;
        let may_start = process_free && self.starting < self.bounds.max_starting;
        match want {
            Want::OneShot if may_start => return Verdict::Give(Given::OneShot),
            Want::Warm(_) if slot_free && may_start => return Verdict::Give(Given::Slot),
            Want::OneShot | Want::Warm(_) => {}
            Want::Shared(key, fresh, _) => {
                if let Some(process) = self.herd.with_room(key) {
                    return Verdict::Seat(process);
                }
                if slot_free && may_start {
                    return Verdict::Found(key.clone(), *fresh);
                }
                if coming.claim_seat(key, &self.herd) {
                    return Verdict::Wait;
                }
                if let Some(process) = self.herd.with_idle_member(key) {
                    return Verdict::MakeRoom(process);
                }
            }
        }
        match want {
            Want::Warm(spill) | Want::Shared(_, _, spill) if !slot_free => {
                if coming.claim_slot() {
                    Verdict::Wait
                } else if self.idle.is_empty() {
                    self.overflow(may_start, *spill)
                } else {
                    Verdict::TakeOut
                }
            }
            // All processes are in use: an idle one makes way.
            Want::OneShot | Want::Warm(_) | Want::Shared(..) if !process_free => {
                if coming.claim_process() || self.idle.is_empty() {
                    Verdict::Wait
                } else {
                    Verdict::TakeOut
                }
            }
            // Only the limit on starts is in the way.
            Want::OneShot | Want::Warm(_) | Want::Shared(..) => Verdict::Wait,
        }
    }

    /// All slots are busy.
    fn overflow(&self, may_start: bool, spill: Spill) -> Verdict {
        match (self.bounds.when_full, spill) {
            (WhenFull::Fail, _) => Verdict::Refuse,
            (WhenFull::Spill, Spill::Allowed) if may_start => Verdict::Give(Given::Spill),
            (WhenFull::Spill | WhenFull::Wait { .. }, _) => Verdict::Wait,
        }
    }
}

/// What a waiter gets now.
enum Verdict {
    Give(Given),
    /// A seat there.
    Seat(ProcessId),
    /// A seat in a new process of that key and id.
    Found(ShareKey, ProcessId),
    Refuse,
    /// Nothing yet, but the longest idle holder is asked to make way for it.
    TakeOut,
    /// Nothing yet, but an idle session there is asked to make way for it.
    MakeRoom(ProcessId),
    /// Nothing yet.
    Wait,
}

impl Verdict {
    /// Whether the waiter gets nothing at this moment.
    const fn is_later(&self) -> bool {
        match self {
            Self::TakeOut | Self::MakeRoom(_) | Self::Wait => true,
            Self::Give(_) | Self::Seat(_) | Self::Found(..) | Self::Refuse => false,
        }
    }
}

/// What is on its way back and not yet meant for anybody.
struct Coming {
    slots: usize,
    processes: usize,
    /// Seats, by key, of those keys that were asked for.
    seats: HashMap<ShareKey, usize>,
}

impl Coming {
    fn claim_slot(&mut self) -> bool {
        claim(&mut self.slots)
    }

    fn claim_process(&mut self) -> bool {
        claim(&mut self.processes)
    }

    fn claim_seat(&mut self, key: &ShareKey, herd: &Herd) -> bool {
        let seats = self.seats.entry(key.clone());
        claim(seats.or_insert_with(|| herd.coming(key)))
    }
}

fn claim(left: &mut usize) -> bool {
    let claimed = *left > 0;
    *left = left.saturating_sub(1);
    claimed
}
