//! Which step of a script answers which model call.
//!
//! Pure but for the counts of faults that happen a limited number of times:
//! those are the only state that the server keeps about conversations.

use std::collections::{HashMap, VecDeque};

use crate::script::{Block, FaultKind, Script, Step, literal};

/// How many counts are kept before the oldest is forgotten.
const COUNTS: usize = 4096;

/// What one model call gets.
#[derive(Debug, PartialEq)]
pub(crate) enum Reply {
    Answer(Vec<Block>),
    Fault(FaultKind),
    /// The script has no more answers.
    Exhausted,
}

/// How often each counted fault of each conversation has happened.
#[derive(Debug, Default)]
pub(crate) struct FaultCounts {
    counts: HashMap<(u64, usize), u32>,
    order: VecDeque<(u64, usize)>,
}

impl FaultCounts {
    /// Takes one occurrence, if `times` allows another.
    fn take(&mut self, key: (u64, usize), times: u32) -> bool {
        let count = self.counts.entry(key).or_insert_with(|| {
            self.order.push_back(key);
            0
        });
        let allowed = *count < times;
        if allowed {
            *count += 1;
        }
        if self.order.len() > COUNTS
            && let Some(oldest) = self.order.pop_front()
        {
            self.counts.remove(&oldest);
        }
        allowed
    }
}

/// Finds the reply to call number `call` of the conversation `conversation`.
///
/// Answers are numbered; a fault stands in front of the answer that follows
/// it and leaves no trace in a conversation, so it takes no number.
pub(crate) fn reply(
    script: Script,
    call: usize,
    conversation: u64,
    counts: &mut FaultCounts,
) -> Reply {
    let mut answers = 0;
    for (index, step) in script.steps.into_iter().enumerate() {
        match step {
            Step::Answer(blocks) if answers == call => return Reply::Answer(blocks),
            Step::Answer(_) => answers += 1,
            Step::Fault(fault) if answers == call => {
                let happens = fault
                    .times
                    .is_none_or(|times| counts.take((conversation, index), times));
                if happens {
                    return Reply::Fault(fault.kind);
                }
            }
            Step::Fault(_) => {}
        }
    }
    Reply::Exhausted
}

/// What a prompt without instructions gets.
pub(crate) fn default_answer(prompts: usize) -> Vec<Block> {
    vec![Block::Text(literal(format!("turn {prompts}")))]
}

/// What a call beyond the last answer gets, so that no agent loops.
pub(crate) fn exhausted_answer() -> Vec<Block> {
    vec![Block::Text(literal("end of script".to_owned()))]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::parse;

    fn play(script: &str, call: usize, conversation: u64, counts: &mut FaultCounts) -> String {
        let script = parse(script).expect("valid").expect("a script");
        match reply(script, call, conversation, counts) {
            Reply::Answer(blocks) => format!("{blocks:?}"),
            Reply::Fault(_) => "fault".to_owned(),
            Reply::Exhausted => "exhausted".to_owned(),
        }
    }

    #[test]
    fn answers_follow_the_call_number() {
        let mut counts = FaultCounts::default();
        let mut play = |call| play(r#"MODEL:["a","b"]"#, call, 1, &mut counts);
        assert!(play(0).contains("\"a\""));
        assert!(play(1).contains("\"b\""));
        assert_eq!(play(2), "exhausted");
    }

    #[test]
    fn a_counted_fault_ends_and_another_conversation_counts_anew() {
        let mut counts = FaultCounts::default();
        let mut play = |conversation| {
            let script = r#"MODEL:[{"error":529,"times":2},"a"]"#;
            play(script, 0, conversation, &mut counts)
        };
        assert_eq!([play(1), play(1)], ["fault", "fault"]);
        assert!(play(1).contains("\"a\""));
        assert_eq!(play(2), "fault");
    }

    #[test]
    fn a_fault_without_a_count_never_ends() {
        let mut counts = FaultCounts::default();
        let mut play = |call| play(r#"MODEL:["a",{"error":500},"b"]"#, call, 1, &mut counts);
        assert!(play(0).contains("\"a\""));
        for _ in 0..10 {
            assert_eq!(play(1), "fault");
        }
    }

    #[test]
    fn counts_are_bounded() {
        let mut counts = FaultCounts::default();
        for conversation in 0..3 * COUNTS as u64 {
            play(
                r#"MODEL:[{"error":529,"times":1},"a"]"#,
                0,
                conversation,
                &mut counts,
            );
        }
        assert!(counts.counts.len() <= COUNTS && counts.order.len() <= COUNTS);
    }
}
