//! What the model shall say: the instruction language, from text to values.
//!
//! Parsing only. Which step answers which model call is decided in `plan.rs`;
//! the README shows the language by example.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Marks the start of a script in a prompt; a JSON array follows at once.
const MARK: &str = "MODEL:";

/// The instructions that one prompt carries.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Script {
    pub(crate) steps: Vec<Step>,
}

/// One element of a script.
#[derive(Debug, PartialEq)]
pub(crate) enum Step {
    /// Answers one model call.
    Answer(Vec<Block>),
    /// Stands in front of the answer that follows it.
    Fault(Fault),
}

/// One piece of an answer.
#[derive(Debug, PartialEq)]
pub(crate) enum Block {
    Text(Text),
    Thinking(Text),
    RedactedThinking(String),
    Tool(Tool),
    Shell(Shell),
    Wait { ms: u64 },
    Stop(String),
}

/// A text and the way in which it streams.
#[derive(Debug, PartialEq)]
pub(crate) struct Text {
    pub(crate) source: Source,
    /// Between two deltas.
    pub(crate) delay_ms: u64,
    /// Bytes per delta; without it a delta is a word, or 1 KiB of a long text.
    pub(crate) chunk: Option<usize>,
}

/// Where a text comes from.
#[derive(Debug, PartialEq)]
pub(crate) enum Source {
    Literal(String),
    Words(usize),
    Bytes(usize),
    Recall(String),
    Echo(Echo),
}

/// What an echo shows of the request.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Echo {
    History,
    Model,
    Result,
    Tools,
}

/// A call of a tool by its own name.
#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tool {
    #[serde(rename = "tool")]
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) input: Value,
}

/// A shell command, called through whichever tool the agent offers for it.
#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub(crate) struct Shell {
    #[serde(rename = "shell")]
    pub(crate) command: String,
    /// More arguments for that tool.
    #[serde(default)]
    pub(crate) with: serde_json::Map<String, Value>,
}

/// A failure and how often it happens; without a count, every time.
#[derive(Debug, PartialEq)]
pub(crate) struct Fault {
    pub(crate) kind: FaultKind,
    pub(crate) times: Option<u32>,
}

#[derive(Debug, PartialEq)]
pub(crate) enum FaultKind {
    /// An HTTP status with the error body of the API.
    Status(StatusFault),
    /// Nothing at all, not even a status line, until the client goes away.
    Hang,
    /// Headers, some words in a stream, and no regular end.
    Broken(Broken),
}

/// A stream without a regular end.
#[derive(Debug, PartialEq)]
pub(crate) struct Broken {
    /// How many words come first.
    pub(crate) after: usize,
    /// Between two words, and before the end.
    pub(crate) delay_ms: u64,
    pub(crate) end: End,
}

/// How a broken stream ends.
#[derive(Debug, PartialEq)]
pub(crate) enum End {
    /// No more events until the client goes away.
    Silence,
    /// The connection is cut.
    Cut,
    /// The API's own error event.
    Error { code: String, message: String },
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub(crate) struct StatusFault {
    #[serde(rename = "error")]
    pub(crate) status: u16,
    times: Option<u32>,
    pub(crate) retry_after: Option<u64>,
    pub(crate) kind: Option<String>,
    pub(crate) message: Option<String>,
    #[serde(default)]
    pub(crate) headers: serde_json::Map<String, Value>,
}

/// Reads the last script of a prompt; a script inside a script belongs to it.
pub(crate) fn parse(prompt: &str) -> Result<Option<Script>, String> {
    let mut last = None;
    let mut rest = prompt;
    while let Some(at) = rest.find(MARK) {
        let after = &rest[at + MARK.len()..];
        if !after.starts_with('[') {
            rest = after;
            continue;
        }
        let mut values = serde_json::Deserializer::from_str(after).into_iter::<Vec<Value>>();
        let steps = match values.next() {
            Some(Ok(steps)) => steps,
            Some(Err(error)) => return Err(format!("script: {error}")),
            None => return Err("script: nothing after the mark".to_owned()),
        };
        rest = &after[values.byte_offset()..];
        last = Some(Script {
            steps: steps.into_iter().map(step).collect::<Result<_, _>>()?,
        });
    }
    Ok(last)
}

/// The prompt without its scripts, as a person would read it.
pub(crate) fn strip(prompt: &str) -> String {
    let mut plain = String::new();
    let mut rest = prompt;
    while let Some(at) = rest.find(MARK) {
        let (before, from_mark) = rest.split_at(at);
        let after = &from_mark[MARK.len()..];
        let mut values = serde_json::Deserializer::from_str(after).into_iter::<Vec<Value>>();
        plain.push_str(before);
        rest = if let Some(Ok(_)) = values.next() {
            &after[values.byte_offset()..]
        } else {
            plain.push_str(MARK);
            after
        };
    }
    plain.push_str(rest);
    plain
}

fn step(value: Value) -> Result<Step, String> {
    if let Value::Array(blocks) = value {
        let blocks = blocks
            .into_iter()
            .map(blocks_of)
            .collect::<Result<Vec<_>, _>>()?;
        return Ok(Step::Answer(blocks.into_iter().flatten().collect()));
    }
    match fault(&value)? {
        Some(fault) => Ok(Step::Fault(fault)),
        None => blocks_of(value).map(Step::Answer),
    }
}

fn read<T: DeserializeOwned>(value: Value) -> Result<T, String> {
    let shown = value.to_string();
    serde_json::from_value(value).map_err(|error| format!("script: {error} in {shown}"))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawHang {
    #[serde(rename = "hang")]
    _hang: bool,
    times: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawBroken {
    #[serde(default)]
    stall: bool,
    stall_after: Option<usize>,
    drop_after: Option<usize>,
    fail: Option<String>,
    message: Option<String>,
    after: Option<usize>,
    #[serde(default)]
    delay_ms: u64,
    times: Option<u32>,
}

/// The fault that an element describes, or nothing if it is an answer.
fn fault(value: &Value) -> Result<Option<Fault>, String> {
    let has = |key: &str| value.get(key).is_some();
    let (kind, times) = if has("error") {
        let raw: StatusFault = read(value.clone())?;
        if !(400..=599).contains(&raw.status) {
            return Err(format!("script: {} is no error status", raw.status));
        }
        let times = raw.times;
        (FaultKind::Status(raw), times)
    } else if has("hang") {
        let raw: RawHang = read(value.clone())?;
        (FaultKind::Hang, raw.times)
    } else if ["stall", "stall_after", "drop_after", "fail"]
        .iter()
        .any(|key| has(key))
    {
        let raw: RawBroken = read(value.clone())?;
        let times = raw.times;
        (FaultKind::Broken(broken(raw, value)?), times)
    } else {
        return Ok(None);
    };
    Ok(Some(Fault { kind, times }))
}

fn broken(raw: RawBroken, value: &Value) -> Result<Broken, String> {
    let (after, end) = match (raw.stall, raw.stall_after, raw.drop_after, raw.fail) {
        (true, None, None, None) => (0, End::Silence),
        (false, Some(after), None, None) => (after, End::Silence),
        (false, None, Some(after), None) => (after, End::Cut),
        (false, None, None, Some(code)) => {
            let message = raw.message.clone();
            let message = message.unwrap_or_else(|| format!("scripted {code}"));
            (raw.after.unwrap_or(0), End::Error { code, message })
        }
        _ => return Err(format!("script: more than one end in {value}")),
    };
    Ok(Broken {
        after,
        delay_ms: raw.delay_ms,
        end,
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawText {
    text: Option<String>,
    thinking: Option<String>,
    words: Option<usize>,
    bytes: Option<usize>,
    recall: Option<String>,
    echo: Option<Echo>,
    #[serde(default)]
    delay_ms: u64,
    chunk: Option<usize>,
    stop: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawWait {
    wait_ms: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRedacted {
    redacted_thinking: String,
}

/// The blocks of one element: one, and a stop reason where it names one.
fn blocks_of(value: Value) -> Result<Vec<Block>, String> {
    let has = |key| value.get(key).is_some();
    if let Value::String(text) = value {
        return Ok(vec![Block::Text(literal(text))]);
    }
    if has("tool") {
        return Ok(vec![Block::Tool(read(value)?)]);
    }
    if has("shell") {
        return Ok(vec![Block::Shell(read(value)?)]);
    }
    if has("wait_ms") {
        let raw: RawWait = read(value)?;
        return Ok(vec![Block::Wait { ms: raw.wait_ms }]);
    }
    if has("redacted_thinking") {
        let raw: RawRedacted = read(value)?;
        return Ok(vec![Block::RedactedThinking(raw.redacted_thinking)]);
    }
    text_blocks(value)
}

fn text_blocks(value: Value) -> Result<Vec<Block>, String> {
    let shown = value.to_string();
    let raw: RawText = read(value)?;
    let thinking = raw.thinking.is_some();
    let sources: Vec<Source> = [
        raw.text.map(Source::Literal),
        raw.thinking.map(Source::Literal),
        raw.words.map(Source::Words),
        raw.bytes.map(Source::Bytes),
        raw.recall.map(Source::Recall),
        raw.echo.map(Source::Echo),
    ]
    .into_iter()
    .flatten()
    .collect();
    if sources.len() > 1 {
        return Err(format!("script: more than one kind of text in {shown}"));
    }
    if sources.is_empty() && raw.stop.is_none() {
        return Err(format!("script: an element without a known key: {shown}"));
    }
    if raw.chunk == Some(0) {
        return Err(format!("script: a chunk of no bytes in {shown}"));
    }
    let mut blocks = Vec::new();
    for source in sources {
        let text = Text {
            source,
            delay_ms: raw.delay_ms,
            chunk: raw.chunk,
        };
        blocks.push(if thinking {
            Block::Thinking(text)
        } else {
            Block::Text(text)
        });
    }
    blocks.extend(raw.stop.map(Block::Stop));
    Ok(blocks)
}

/// A plain text block, streamed at once.
pub(crate) fn literal(text: String) -> Text {
    Text {
        source: Source::Literal(text),
        delay_ms: 0,
        chunk: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn steps(prompt: &str) -> Vec<Step> {
        parse(prompt).expect("valid").expect("a script").steps
    }

    #[test]
    fn a_prompt_without_a_script_has_none() {
        assert_eq!(parse("hello MODEL: none"), Ok(None));
    }

    #[test]
    fn a_string_is_a_text_and_an_array_is_one_answer() {
        assert_eq!(
            steps(r#"hi MODEL:["a", ["b", {"shell":"ls"}]] there"#),
            [
                Step::Answer(vec![Block::Text(literal("a".to_owned()))]),
                Step::Answer(vec![
                    Block::Text(literal("b".to_owned())),
                    Block::Shell(Shell {
                        command: "ls".to_owned(),
                        with: serde_json::Map::new(),
                    }),
                ]),
            ]
        );
    }

    #[test]
    fn the_last_script_of_a_prompt_counts_and_an_inner_one_stays_inside() {
        let inner = json!([{"tool": "Agent", "input": {"prompt": "MODEL:[\"in\"]"}}]);
        let found = steps(&format!("MODEL:[\"first\"] MODEL:{inner}"));
        assert_eq!(
            found,
            [Step::Answer(vec![Block::Tool(Tool {
                name: "Agent".to_owned(),
                input: json!({"prompt": "MODEL:[\"in\"]"}),
            })])]
        );
    }

    #[test]
    fn faults_carry_their_count() {
        let broken = |after, delay_ms, end| {
            FaultKind::Broken(Broken {
                after,
                delay_ms,
                end,
            })
        };
        assert_eq!(
            steps(r#"MODEL:[{"drop_after":3,"times":2,"delay_ms":5},{"stall":true}]"#),
            [
                Step::Fault(Fault {
                    kind: broken(3, 5, End::Cut),
                    times: Some(2),
                }),
                Step::Fault(Fault {
                    kind: broken(0, 0, End::Silence),
                    times: None,
                }),
            ]
        );
    }

    #[test]
    fn a_mistake_in_a_script_is_named() {
        let unknown = parse(r#"MODEL:[{"txet":"a"}]"#).expect_err("a mistake");
        assert!(unknown.contains("txet"), "{unknown}");
        let open = parse(r#"MODEL:["a""#).expect_err("a mistake");
        assert!(open.starts_with("script: "), "{open}");
        let status = parse(r#"MODEL:[{"error":200}]"#).expect_err("a mistake");
        assert!(status.contains("200"), "{status}");
    }

    #[test]
    fn strip_leaves_what_a_person_wrote() {
        assert_eq!(strip(r#"a MODEL:["x"] b"#), "a  b");
    }

    #[test]
    fn every_example_of_the_readme_is_a_script() {
        let readme = include_str!("../README.md");
        let blocks = readme.split("```text\n").skip(1);
        let mut examples = 0;
        for line in blocks.flat_map(|block| block.split("```").next().unwrap_or_default().lines()) {
            assert!(
                matches!(parse(line), Ok(Some(_))),
                "{line}: {:?}",
                parse(line)
            );
            examples += 1;
        }
        assert!(examples > 5);
    }
}
