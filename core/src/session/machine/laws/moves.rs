//! What may come, at random.

use std::time::Duration;

use proptest::prelude::*;

use super::super::Policy;
use crate::capabilities::{Feature, Support};
use crate::config::{Downgrade, Timeouts};

/// What may come, with small numbers that stand for turns and processes of the past or the present.
#[derive(Clone, Debug)]
pub(super) enum Move {
    Send,
    Interrupt(usize),
    Granted(u8),
    Denied,
    Evict,
    Signal(usize, Says),
    Report(usize, u8),
    Paused(bool),
    Steer,
    Answer(usize),
    Change(bool),
    Operate(bool),
    Call(usize),
    Leave(usize),
    Close,
    Later(u32),
}

#[derive(Clone, Debug)]
pub(super) enum Says {
    Ready,
    Forgets,
    Refused,
    Bound,
    Taken(usize),
    Text(usize),
    Tool(usize, u8),
    AgentTurn(u32),
    AgentText(u32),
    AgentEnds(u32),
    Background(u32),
    Asked(usize),
    Withdrawn,
    Called(usize, bool),
    Forgone,
    Steered(usize, bool),
    Changed(u8),
    Operated(usize),
    Used(usize),
    Ends(usize, u8),
    Point,
    Broken,
}

fn says() -> impl Strategy<Value = Says> {
    let back = 0..4_usize;
    let agent = 1..4_u32;
    prop_oneof![
        4 => Just(Says::Ready),
        1 => Just(Says::Forgets),
        1 => Just(Says::Refused),
        1 => Just(Says::Bound),
        2 => back.clone().prop_map(Says::Taken),
        3 => back.clone().prop_map(Says::Text),
        2 => (back.clone(), 0..3_u8).prop_map(|(b, t)| Says::Tool(b, t)),
        1 => agent.clone().prop_map(Says::AgentTurn),
        1 => agent.clone().prop_map(Says::AgentText),
        1 => agent.prop_map(Says::AgentEnds),
        1 => (0..2_u32).prop_map(Says::Background),
        2 => back.clone().prop_map(Says::Asked),
        1 => Just(Says::Withdrawn),
        2 => (back.clone(), any::<bool>()).prop_map(|(b, w)| Says::Called(b, w)),
        1 => Just(Says::Forgone),
        1 => (back.clone(), any::<bool>()).prop_map(|(b, r)| Says::Steered(b, r)),
        1 => (0..4_u8).prop_map(Says::Changed),
        1 => back.clone().prop_map(Says::Operated),
        1 => back.clone().prop_map(Says::Used),
        3 => (back, 0..4_u8).prop_map(|(b, o)| Says::Ends(b, o)),
        1 => Just(Says::Point),
        1 => Just(Says::Broken),
    ]
}

pub(super) fn moves() -> impl Strategy<Value = Vec<Move>> {
    let one = prop_oneof![
        5 => Just(Move::Send),
        1 => (0..3_usize).prop_map(Move::Interrupt),
        5 => (0..5_u8).prop_map(Move::Granted),
        1 => Just(Move::Denied),
        2 => Just(Move::Evict),
        12 => (0..3_usize, says()).prop_map(|(p, s)| Move::Signal(p, s)),
        3 => (0..3_usize, 0..8_u8).prop_map(|(p, r)| Move::Report(p, r)),
        1 => any::<bool>().prop_map(Move::Paused),
        1 => Just(Move::Steer),
        2 => (0..3_usize).prop_map(Move::Answer),
        1 => any::<bool>().prop_map(Move::Change),
        1 => any::<bool>().prop_map(Move::Operate),
        2 => (0..3_usize).prop_map(Move::Call),
        1 => (0..3_usize).prop_map(Move::Leave),
        1 => Just(Move::Close),
        2 => (0..200_u32).prop_map(Move::Later),
    ];
    prop::collection::vec(one, 0..120)
}

pub(super) fn policies() -> impl Strategy<Value = Policy> {
    let downgrade = prop_oneof![
        Just(Downgrade::Sticky),
        Just(Downgrade::Never),
        (1..3_u32).prop_map(|turns| Downgrade::Probation { turns }),
    ];
    let interrupt =
        (any::<bool>(), any::<bool>()).prop_map(|(warm, one_shot)| Support { warm, one_shot });
    let bools = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    let rest = prop_oneof![Just(0_u64), Just(61)];
    (downgrade, bools, interrupt, rest).prop_map(
        |(downgrade, (warm, resume, rewinds_with_process, first_sign), interrupt, rest)| Policy {
            timeouts: Timeouts::default(),
            downgrade,
            warm,
            resume,
            resume_rest: Duration::from_secs(rest),
            rewinds_with_process,
            first_sign,
            one_shot_deltas: true,
            features: &[
                (Feature::Compact, Support::WARM),
                (Feature::Rewind, Support::WARM),
            ],
            asks_only_warm: first_sign,
            steer: Support::WARM,
            interrupt,
        },
    )
}
