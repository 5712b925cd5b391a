//! Plays one turn: does the instructions of its prompt and of its rules in order.

use std::sync::Arc;
use std::time::{Duration, Instant};

use scripted_agent::{Action, Place, Trigger, parse_prompt};
use serde_json::{Value, json};

use crate::context::{Agent, Incoming};
use crate::control::{Break, Control};
use crate::voice::{Outcome, Question, Tool, Verdict, Voice, plan};
use crate::{children, ids};

/// Why the rest of a turn is not played.
#[derive(Debug)]
enum Stop {
    Break(Break, bool),
    End(Outcome),
}

impl From<Break> for Stop {
    fn from(why: Break) -> Self {
        Self::Break(why, false)
    }
}

/// How the end of the turn is told.
#[derive(Debug, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an instruction that may be given or not"
)]
struct Ending {
    none: bool,
    twice: bool,
    contradictory: bool,
    first: bool,
    late_deltas: bool,
}

pub(crate) struct Player<'a> {
    agent: &'a Arc<Agent>,
    voice: &'a mut dyn Voice,
    control: &'a Control,
    ending: Ending,
    follow_ups: Vec<String>,
}

/// The size of the deltas of a long text, and of the blocks of a flood.
const DELTA: usize = 64 * 1024;
/// Stands in a line for what is put there later.
const MARK: &str = "TEXT-TO-COME";
const BLOCK: usize = 1024 * 1024;

/// Plays a turn from its first line to its last.
pub(crate) fn play(
    agent: &Arc<Agent>,
    voice: &mut dyn Voice,
    control: &Control,
    prompt: &str,
    durable: bool,
) -> Outcome {
    let number = agent.count_turn();
    let mut player = Player {
        agent,
        voice,
        control,
        ending: Ending::default(),
        follow_ups: Vec::new(),
    };
    let outcome = player.turn(number, prompt, durable);
    let (_, conversation) = player.voice.conversation();
    for text in player.follow_ups {
        let _ = agent
            .inbox
            .send(Incoming::FollowUp(conversation.clone(), text));
    }
    outcome
}

impl Player<'_> {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "other triggers come from elsewhere"
    )]
    fn turn(&mut self, number: u64, prompt: &str, durable: bool) -> Outcome {
        let ruled = self.agent.triggered(&|trigger| match trigger {
            Trigger::Turn(n) => *n == number,
            Trigger::EveryTurn => true,
            Trigger::Prompt(part) => prompt.contains(part.as_str()),
            _ => false,
        });
        let (name, id) = self.voice.conversation();
        let earlier = self.agent.store.prompts(name, &id);
        self.agent.store.remember(name, &id, prompt, durable);
        let actions = parse_prompt(prompt).map(|parsed| [ruled, parsed.actions].concat());
        for action in actions.iter().flatten() {
            self.prepare(action);
        }
        self.voice.begin();
        if self.ending.first {
            self.voice.end(&Outcome::Completed);
        }
        let played = match actions {
            Ok(actions) => self.answer(prompt, &actions, &earlier),
            Err(why) => Err(Stop::End(Outcome::Failed(400, why))),
        };
        let outcome = self.outcome(played, &earlier);
        self.tell_end(&outcome);
        outcome
    }

    /// Sets what must be known before the first line.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the others change nothing before the first line"
    )]
    fn prepare(&mut self, action: &Action) {
        match action {
            Action::NoTerminal => self.ending.none = true,
            Action::DoubleTerminal => self.ending.twice = true,
            Action::ContradictoryTerminals => self.ending.contradictory = true,
            Action::TerminalFirst => self.ending.first = true,
            Action::AfterTerminal => self.ending.late_deltas = true,
            Action::NoFinalNewline => self.agent.out.leave_end_bare(),
            Action::WrongId => self.voice.use_wrong_ids(),
            Action::FollowUp(text) => self.follow_ups.push(text.clone()),
            _ => {}
        }
    }

    /// Finds how the turn ends, after all input that came into it is answered.
    fn outcome(&mut self, mut played: Result<(), Stop>, earlier: &[String]) -> Outcome {
        loop {
            match played {
                Ok(()) => {
                    self.voice.close();
                    match self.control.take_steered_or_close() {
                        Some(input) => played = self.answer_steered(&input, earlier),
                        None => return Outcome::Completed,
                    }
                }
                Err(Stop::Break(Break::Steered, _)) => {
                    self.voice.cut();
                    played = match self.control.take_steered() {
                        Some(input) => self.answer_steered(&input, earlier),
                        None => Ok(()),
                    };
                }
                Err(Stop::Break(Break::Interrupted, in_tool)) => {
                    return Outcome::Interrupted { in_tool };
                }
                Err(Stop::End(outcome)) => return outcome,
            }
        }
    }

    fn answer_steered(&mut self, input: &Value, earlier: &[String]) -> Result<(), Stop> {
        let text = self.voice.steered(input);
        let parsed = parse_prompt(&text).map_err(|why| Stop::End(Outcome::Failed(400, why)))?;
        self.answer(&text, &parsed.actions, earlier)
    }

    fn tell_end(&mut self, outcome: &Outcome) {
        let ending = std::mem::take(&mut self.ending);
        if ending.contradictory {
            self.voice.end(&Outcome::Interrupted { in_tool: false });
        }
        if !ending.none && !ending.first {
            self.voice.end(outcome);
        }
        if ending.twice {
            self.voice.end(outcome);
        }
        if ending.late_deltas {
            self.delta("said too late ");
            self.voice.cut();
        }
    }

    fn answer(&mut self, prompt: &str, actions: &[Action], earlier: &[String]) -> Result<(), Stop> {
        for action in actions {
            self.control.check()?;
            self.act(action, earlier)?;
        }
        if !actions.iter().any(Action::answers) {
            self.say_back(prompt)?;
        }
        Ok(())
    }

    fn say_back(&mut self, prompt: &str) -> Result<(), Stop> {
        self.delta("You said: ");
        let middle = prompt.floor_char_boundary(prompt.len() / 2);
        for half in [&prompt[..middle], &prompt[middle..]] {
            self.control.check()?;
            self.delta(half);
        }
        Ok(())
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the place of an instruction says who does the others"
    )]
    fn act(&mut self, action: &Action, earlier: &[String]) -> Result<(), Stop> {
        match action {
            Action::Words(count, stem) => {
                for number in 1..=*count {
                    self.control.check()?;
                    self.delta(&format!("{stem}{number} "));
                }
            }
            Action::Say(text) => self.delta(text),
            Action::Think(text) => self.voice.think(text),
            Action::Bytes(count) => self.long_text(*count, DELTA)?,
            Action::Line(megabytes) => self.long_text(megabytes << 20, usize::MAX)?,
            Action::Recall => self.delta(&earlier.join("\n")),
            Action::Env => self.delta(&environment(self.agent).to_string()),
            Action::Fds => self.delta(&descriptors().to_string()),
            Action::Tool(name, input, ms) => self.tool(&tool(name, input, *ms), &Verdict::Allow)?,
            Action::Ask(name, input, ms) => self.ask(&tool(name, input, *ms), false)?,
            Action::Forge(name, input) => self.forge(&tool(name, input, 0))?,
            Action::Plan(count) => self.voice.plan(&plan(*count)),
            Action::Request(method, params) => self.request(method, params)?,
            Action::AskTwice => self.ask(&tool("Bash", "ls", 0), true)?,
            Action::AskFlood(count) => {
                for _ in 0..*count {
                    self.voice.ask(&tool("Bash", "ls", 0), None);
                }
            }
            Action::AskStale => {
                let question = self.voice.ask(&tool("Bash", "ls", 0), None);
                self.voice.withdraw(&question);
            }
            Action::ModelError(status) => {
                self.voice.close();
                let message = format!("API Error: {status} scripted failure");
                return Err(Stop::End(Outcome::Failed(*status, message)));
            }
            Action::Flood(count) => self.flood(*count, "flood ")?,
            Action::Paced(rate, count, stamped) => self.paced(*rate, *count, *stamped)?,
            Action::Burst(count) => {
                self.flood(*count, "burst ")?;
                return Err(self.control.hang().into());
            }
            Action::Hang => return Err(self.control.hang().into()),
            Action::SleepMs(ms) => self.control.pause(Duration::from_millis(*ms), true)?,
            Action::InvalidUtf8 => self.invalid_utf8(),
            Action::Children(..) | Action::Hold(_) | Action::Hopper(..) | Action::Bomb(_) => {
                let pids = children::start(self.agent, action);
                self.delta(&json!({"children": pids}).to_string());
            }
            other if other.place() == Place::Turn => {}
            other => self.agent.perform(other),
        }
        Ok(())
    }

    fn delta(&mut self, text: &str) {
        if let Some(line) = self.voice.delta_line(text) {
            self.agent.bytes_line(line.into_bytes());
        }
        self.voice.said(text);
    }

    fn long_text(&mut self, count: u64, piece: usize) -> Result<(), Stop> {
        let mut left = usize::try_from(count).unwrap_or(usize::MAX);
        while left > 0 {
            self.control.check()?;
            let length = left.min(piece);
            self.delta(&"0123456789abcdef".repeat(length / 16 + 1)[..length]);
            left -= length;
        }
        Ok(())
    }

    fn flood(&mut self, count: u64, text: &str) -> Result<(), Stop> {
        let Some(line) = self.voice.delta_line(text) else {
            return Ok(());
        };
        let mut line = line.into_bytes();
        self.agent.out.end_line(&mut line);
        let per_block = (BLOCK / line.len()).max(1);
        let block = line.repeat(per_block.min(usize::try_from(count).unwrap_or(per_block)));
        let mut left = usize::try_from(count).unwrap_or(usize::MAX);
        while left > 0 {
            self.control.check()?;
            let lines = left.min(per_block);
            self.agent.block(&block[..lines * line.len()], lines as u64);
            self.voice.said(&text.repeat(lines));
            left -= lines;
        }
        Ok(())
    }

    fn paced(&mut self, rate: u64, count: u64, stamped: bool) -> Result<(), Stop> {
        // Made once: hundreds of agents at this are to leave the machine to their host.
        let line = self.voice.delta_line(MARK).unwrap_or_default();
        let (before, after) = line.split_once(MARK).unwrap_or_default();
        let start = Instant::now();
        for number in 0..count {
            let due =
                start + Duration::from_nanos(number.saturating_mul(1_000_000_000) / rate.max(1));
            self.control
                .pause(due.saturating_duration_since(Instant::now()), true)?;
            let stamp = if stamped {
                monotonic_ns()
            } else {
                i64::try_from(number).unwrap_or(i64::MAX)
            };
            if !before.is_empty() {
                let line = format!("{before}{stamp} {after}");
                self.agent.bytes_line(line.into_bytes());
            }
            self.voice.said(&format!("{stamp} "));
        }
        Ok(())
    }

    fn invalid_utf8(&mut self) {
        if let Some(line) = self.voice.delta_line(MARK) {
            let (before, after) = line.split_once(MARK).unwrap_or((&line, ""));
            self.agent
                .bytes_line([before.as_bytes(), b"\xff\xfe\xc3", after.as_bytes()].concat());
        }
    }

    fn tool(&mut self, tool: &Tool, verdict: &Verdict) -> Result<(), Stop> {
        self.voice.close();
        self.begin_tool(tool);
        self.run_tool(tool, verdict)
    }

    /// From the moment that it is told, more input comes into the turn behind it.
    fn begin_tool(&mut self, tool: &Tool) {
        self.control.begin_tool();
        self.voice.tool_begins(tool);
    }

    fn run_tool(&mut self, tool: &Tool, verdict: &Verdict) -> Result<(), Stop> {
        if *verdict == Verdict::Allow {
            let waited = self.control.pause(Duration::from_millis(tool.ms), false);
            waited.map_err(|why| Stop::Break(why, true))?;
        }
        self.voice.tool_ends(tool, verdict);
        self.control.end_tool();
        match verdict {
            Verdict::Deny {
                ends_turn: true, ..
            } => Err(Stop::End(Outcome::Interrupted { in_tool: true })),
            Verdict::Deny { .. } | Verdict::Allow => {
                while let Some(input) = self.control.take_steered() {
                    self.answer_steered(&input, &[])?;
                    self.voice.close();
                }
                Ok(())
            }
        }
    }

    /// Lets a child try to answer our own question, and to end our own turn.
    fn forge(&mut self, tool: &Tool) -> Result<(), Stop> {
        self.voice.close();
        self.begin_tool(tool);
        if let Some(verdict) = self.voice.decided() {
            return self.run_tool(tool, &verdict);
        }
        let question = self.voice.ask(tool, Some(self.control));
        let written = children::forge(&self.voice.forged(&question));
        let answer = self.control.wait_answer(&question.key);
        let answer = answer.map_err(|why| Stop::Break(why, true))?;
        self.voice.settled(&question);
        let verdict = self.voice.verdict(&answer);
        self.run_tool(tool, &verdict)?;
        let allowed = verdict == Verdict::Allow;
        self.delta(&json!({"allowed": allowed, "written": written}).to_string());
        Ok(())
    }

    /// Asks the host for something else than a permission, and says what it replies.
    fn request(&mut self, method: &str, params: &str) -> Result<(), Stop> {
        let params: Value = serde_json::from_str(params)
            .map_err(|why| Stop::End(Outcome::Failed(400, format!("request: {why}"))))?;
        self.voice.close();
        let reply = match self.voice.request(method, params, self.control) {
            Some(question) => {
                let reply = self.control.wait_answer(&question.key)?;
                self.voice.replied(&question, &reply);
                reply
            }
            None => Value::Null,
        };
        self.delta(&reply.to_string());
        Ok(())
    }

    fn ask(&mut self, tool: &Tool, twice: bool) -> Result<(), Stop> {
        self.voice.close();
        self.begin_tool(tool);
        if let Some(verdict) = self.voice.decided() {
            return self.run_tool(tool, &verdict);
        }
        let question: Question = self.voice.ask(tool, Some(self.control));
        if twice {
            self.agent.line(&question.line);
        }
        let answer = self.control.wait_answer(&question.key);
        let answer = answer.map_err(|why| Stop::Break(why, true))?;
        self.voice.settled(&question);
        let verdict = self.voice.verdict(&answer);
        self.run_tool(tool, &verdict)
    }
}

fn tool(name: &str, input: &str, ms: u64) -> Tool {
    Tool {
        id: ids::tagged("toolu"),
        name: name.to_owned(),
        input: input.to_owned(),
        ms,
    }
}

fn environment(agent: &Agent) -> Value {
    let variables: serde_json::Map<String, Value> = std::env::vars_os()
        .map(|(name, value)| {
            (
                name.to_string_lossy().into_owned(),
                json!(value.to_string_lossy()),
            )
        })
        .collect();
    json!({
        "env": variables,
        "cwd": std::env::current_dir().unwrap_or_default().to_string_lossy(),
        "args": agent.arguments,
        "pid": std::process::id(),
    })
}

/// The open descriptors and what they are, without the one that lists them.
fn descriptors() -> Value {
    let mut table = serde_json::Map::new();
    for entry in std::fs::read_dir("/proc/self/fd")
        .into_iter()
        .flatten()
        .flatten()
    {
        let name = entry.file_name().to_string_lossy().into_owned();
        match std::fs::read_link(entry.path()) {
            Ok(target) if !target.ends_with("fd") => {
                table.insert(name, json!(target.to_string_lossy()));
            }
            Ok(_) | Err(_) => {}
        }
    }
    Value::Object(table)
}

fn monotonic_ns() -> i64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    now.tv_sec * 1_000_000_000 + now.tv_nsec
}
